//! Which steps of a long session are drawn: its beginning, its end, and what matters between them.

use super::{Mark, Session, Step};
use std::collections::BTreeMap;

/// A line of a drawing.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// A step.
    Step(&'a Step),
    /// Steps that are not drawn.
    Gap(Gap<'a>),
}

/// Steps that are not drawn one by one.
#[derive(Clone, Copy, Debug)]
pub struct Gap<'a> {
    steps: &'a [Step],
}

impl Gap<'_> {
    /// How many messages they stand for.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.steps.iter().map(|step| step.count).sum()
    }

    /// `… 812 messages: 400 Binding success, 398 Binding check, 14 others`.
    #[must_use]
    pub fn summary(&self) -> String {
        const NAMED: usize = 3;
        let total = self.messages();
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for step in self.steps.iter().filter(|step| !step.is_gap) {
            // what comes after the name differs from message to message
            let name = step.label.split([',', '(']).next().unwrap_or_default();
            let words = name.split(' ').take(2).map(str::len).sum::<usize>() + 1;
            *kinds.entry(name.get(..words).unwrap_or(name).trim_end()).or_default() += step.count;
        }
        let mut kinds: Vec<(&str, u64)> = kinds.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        kinds.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        let named: Vec<String> = kinds.iter().take(NAMED).map(|(name, count)| format!("{count} {name}")).collect();
        let rest = total.saturating_sub(kinds.iter().take(NAMED).map(|(_, count)| count).sum());
        let messages = if total == 1 { "message" } else { "messages" };
        match (named.is_empty(), rest) {
            (true, _) => format!("… {total} {messages} more"),
            (false, 0) => format!("… {total} {messages}: {}", named.join(", ")),
            (false, rest) => format!("… {total} {messages}: {}, {rest} others", named.join(", ")),
        }
    }
}

impl Session {
    /// What is drawn in about `most` lines, never in more than twice as many: all steps where they fit; else half of them from the beginning,
    /// a quarter from the end, and a quarter of what is marked or cited between.
    #[must_use]
    pub fn shown(&self, most: usize) -> Vec<Shown<'_>> {
        let total = self.steps.len();
        let (head, tail) = if total <= most { (total, 0) } else { (most / 2, most / 4) };
        let mut room = most / 4;
        let mut shown = Vec::with_capacity(total.min(2 * most));
        let mut hidden: Option<usize> = None;
        for (index, step) in self.steps.iter().enumerate() {
            let stands_out = !step.cited.is_empty() || step.mark >= Mark::Lost;
            let outside = index < head || index >= total - tail;
            // a line that says that one line is not drawn is as long as that line
            let drawn = !step.is_gap && (outside || (stands_out && room > 0));
            if !drawn {
                hidden.get_or_insert(index);
                continue;
            }
            room -= usize::from(!outside);
            self.close(&mut shown, hidden.take(), index);
            shown.push(Shown::Step(step));
        }
        self.close(&mut shown, hidden, total);
        shown
    }

    fn close<'a>(&'a self, shown: &mut Vec<Shown<'a>>, from: Option<usize>, to: usize) {
        let steps = from.and_then(|from| self.steps.get(from..to)).unwrap_or_default();
        match steps {
            [] => {}
            [step] if !step.is_gap => shown.push(Shown::Step(step)),
            _ => shown.push(Shown::Gap(Gap { steps })),
        }
    }
}
