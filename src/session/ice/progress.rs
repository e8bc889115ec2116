//! What a session makes of checks, answers and data: roles, nomination, which pair is selected.

use super::pair::{Answered, Carried, Pair, Remapped};
use super::session::{Conflicts, IceSession, MAX_SELECTIONS, Nomination, Role, Selection, Unauthorized};
use crate::event::Event;
use crate::net::Endpoint;
use crate::session::addresses::moves::IN_USE;
use crate::session::conversations::exchange::Seen;
use crate::session::observe::Known;
use crate::session::tables::names::Names;
use crate::time::Span;
use crate::wire::stun::{Fields, Method};

/// Data on a pair that is not nominated makes it the selected one only after this long: agents may send before they agree.
const SETTLED: Span = Span::from_secs(5);
/// So many datagrams over so much time on another pair, without one on the selected pair, show that it changed.
const SWITCH_AFTER: (u32, Span) = (5, Span::from_secs(1));
/// Checks that follow each other within this time are brisk: agents without a pair check every 20 to 200 ms, with one every 480 ms and less often.
const BRISK: Span = Span::from_millis(300);
/// How many frames of refused checks are kept.
const MAX_FRAMES: usize = 8;

impl Carried {
    pub(super) fn add(&mut self, bytes: usize, seen: Seen, is_alert: bool) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.first.get_or_insert(seen);
        self.last = seen.time;
        if is_alert {
            self.alert = Some(seen);
        }
    }
}

impl IceSession {
    /// What a check says of its sender.
    pub(super) fn spoke(&mut self, agent: usize, fields: &Fields<'_>, method: Method, known: &Known, seen: Seen) {
        let others = self.agent(1 - agent).role;
        let speaker = self.agent_mut(agent);
        speaker.checks = speaker.checks.saturating_add(1);
        let pause = speaker.first_check.map(|_| seen.time.since(speaker.last_check));
        if pause.is_none_or(|pause| pause < Span(0) || pause > BRISK) {
            speaker.brisk_since = seen.time;
        }
        speaker.brisk = speaker.brisk.max(seen.time.since(speaker.brisk_since));
        let first = speaker.first_check.get_or_insert(seen);
        if first.time == speaker.brisk_since {
            speaker.opening = speaker.opening.max(seen.time.since(first.time));
        }
        speaker.last_check = seen.time;
        speaker.webrtc |= fields.network_info.is_some() || method == Method::GOOG_PING;
        speaker.integrity = known.integrity;
        self.agent_mut(1 - agent).signed.add(&known.integrity);
        let speaker = self.agent_mut(agent);
        let (role, tie_breaker) = match (fields.controlling, fields.controlled) {
            (Some(number), _) => (Role::Controlling, number),
            (None, Some(number)) => (Role::Controlled, number),
            (None, None) => return,
        };
        speaker.role_changes += u32::from(speaker.role.is_some_and(|known| known != role));
        speaker.role = Some(role);
        speaker.tie_breaker = Some(tie_breaker);
        if others == Some(role) {
            self.same_role.add(seen);
        }
    }

    pub(super) fn succeeded(
        &mut self,
        index: usize,
        asker: usize,
        nominates: bool,
        seen: Seen,
        fields: &Fields<'_>,
        known: &Known,
    ) {
        self.first_answer.get_or_insert(seen);
        let answerer = self.agent_mut(1 - asker);
        answerer.answers = answerer.answers.saturating_add(1);
        answerer.signed.add(&known.integrity);
        self.agent_mut(asker).unauthorized = None;
        let Some(pair) = self.pairs.get_mut(index) else { return };
        let way = pair.way_mut(asker);
        way.agreed = true;
        let rtt = known.rtt.unwrap_or_default();
        let answered = way.answered.get_or_insert_with(|| Box::new(Answered::new(seen)));
        answered.count = answered.count.saturating_add(1);
        let gap = (seen.time.since(answered.last.time), answered.last.time);
        if answered.open > 0 && gap.0 > answered.longest.0 {
            answered.longest = gap;
        }
        if let Some(mapped) = fields.xor_mapped {
            answered.tells(mapped, seen);
        }
        answered.last = seen;
        answered.open = 0;
        answered.rtt.add(rtt);
        if nominates && answered.nominated.is_none() {
            answered.nominated = Some(seen);
            self.nominated.get_or_insert(seen);
            self.nominated(index, seen);
        }
    }

    pub(super) fn refused(
        &mut self,
        index: usize,
        asker: usize,
        names: &mut Names,
        (event, fields, truncated): (&Event<'_>, &Fields<'_>, bool),
        known: &Known,
        seen: Seen,
    ) {
        let Some(pair) = self.pairs.get_mut(index) else { return };
        let code = fields.error.map_or(0, |error| error.code);
        let way = pair.way_mut(asker);
        way.errors = way.errors.saturating_add(1);
        way.error = code;
        if std::mem::take(&mut way.agreed) && matches!(code, 400 | 401) {
            let first = way.wavers.1.map_or(seen, |[first, _]| first);
            way.wavers = (way.wavers.0.saturating_add(1), Some([first, seen]));
        }
        match code {
            487 => {
                let answerer = self.agent_mut(1 - asker);
                answerer.conflicts.add(seen);
                answerer.conflict_integrity = known.integrity;
            }
            // some stacks (SIPSorcery) refuse a check without ERROR-CODE; a cut answer may have any code
            0 if truncated => {}
            0 | 400 | 401 => {
                let reason = fields.error.and_then(|error| names.intern(error.reason));
                let request = known.request_frame.unwrap_or(seen.frame);
                let sender = self.agent_mut(asker);
                let integrity = sender.integrity;
                let pair = event.pair();
                let refused = sender.unauthorized.get_or_insert_with(|| {
                    let (frames, pair) = (Vec::new(), (pair.1, pair.0));
                    Box::new(Unauthorized { count: 0, code, reason, frames, first: seen, last: seen, pair, integrity })
                });
                refused.count = refused.count.saturating_add(1);
                (refused.code, refused.reason, refused.last) = (code, reason.or(refused.reason), seen);
                if refused.frames.len() + 2 <= MAX_FRAMES {
                    refused.frames.extend([request, seen.frame]);
                }
            }
            _ => {}
        }
    }

    /// A pair is nominated: it is selected, unless data shows another to be.
    fn nominated(&mut self, index: usize, seen: Seen) {
        let Ok(pair) = u16::try_from(index) else { return };
        let chosen = self.selections.last().copied();
        match chosen {
            None => self.select(Selection { pair, at: seen, by_data: false }),
            // without data: a later nomination of a regular agent counts, where it is for the same component
            Some(chosen)
                if chosen.pair != pair
                    && !chosen.by_data
                    && self.nomination == Some(Nomination::Regular)
                    && self.is_same_component(chosen.pair, pair) =>
            {
                self.select(Selection { pair, at: seen, by_data: false });
            }
            Some(_) => {}
        }
    }

    /// DTLS or media ran on a pair.
    pub(super) fn carried(&mut self, pair: u16, agent: usize, seen: Seen) {
        let Some(&chosen) = self.selections.last() else {
            let Some(known) = self.pairs.get(usize::from(pair)) else { return };
            // agents of SIP send media to the address that was signalled, before they have a pair
            let is_early = known.way(agent).is_unheard()
                && known.way(agent).is_repeated()
                && known.carried(1 - agent).first.is_none();
            if known.nominated().is_some() || seen.time.since(self.first.time) >= SETTLED && !is_early {
                self.select(Selection { pair, at: seen, by_data: true });
            }
            return;
        };
        if chosen.pair == pair {
            if !chosen.by_data
                && let Some(last) = self.selections.last_mut()
            {
                last.by_data = true;
            }
            let challenger = self.challengers.get_mut(agent).and_then(Option::take);
            // whoever sends on both, again and again, has two streams or components, each with its own pair
            if let Some(other) = challenger.and_then(|(other, ..)| self.pairs.get_mut(usize::from(other)))
                && other.carried(agent).first.is_some_and(|first| seen.time.since(first.time) > SWITCH_AFTER.1)
            {
                other.interleaved = other.interleaved.saturating_add(1);
            }
            self.steady = self.challengers.iter().all(Option::is_none).then_some(pair);
            return;
        }
        self.steady = None;
        let Some(known) = self.pairs.get(usize::from(pair)) else { return };
        if known.is_parallel() || !self.is_same_component(chosen.pair, pair) {
            return;
        }
        if !chosen.by_data {
            // the last was a guess; perhaps the one before it was right
            let at = known.nominated().unwrap_or(seen);
            self.selections.pop();
            match self.selections.last_mut().filter(|before| before.pair == pair) {
                Some(before) => before.by_data = true,
                None => self.select(Selection { pair, at, by_data: true }),
            }
            return;
        }
        // what neither answers nor sends anything back is no way that both have taken
        let is_open = (0..2).any(|agent| known.way(agent).answered.is_some())
            || (0..2).all(|agent| known.carried(agent).first.is_some());
        let Some(challenger) = self.challengers.get_mut(agent).filter(|_| is_open) else { return };
        let (first, count) = match *challenger {
            Some((other, first, count)) if other == pair => (first, count.saturating_add(1)),
            _ => (seen, 1),
        };
        *challenger = Some((pair, first, count));
        if count >= SWITCH_AFTER.0
            && seen.time.since(first.time) >= SWITCH_AFTER.1
            && !self.is_used(chosen.pair, 1 - agent, seen)
        {
            // whichever agent went over first
            let begun =
                std::mem::take(&mut self.challengers).into_iter().flatten().filter(|(other, ..)| *other == pair);
            let at = begun.map(|(_, first, _)| first).min().unwrap_or(first);
            self.select(Selection { pair, at, by_data: true });
        }
    }

    /// Whether an agent sends on a pair at the time: then only the other has left it, and each has a pair of its own.
    fn is_used(&self, pair: u16, agent: usize, now: Seen) -> bool {
        let carried = self.pairs.get(usize::from(pair)).map(|pair| pair.carried(agent)).unwrap_or_default();
        carried.first.is_some() && now.time.since(carried.last) < SWITCH_AFTER.1
    }

    fn select(&mut self, new: Selection) {
        self.steady = None;
        if self.selections.len() >= MAX_SELECTIONS {
            self.selections.remove(0);
            self.selections_omitted = self.selections_omitted.saturating_add(1);
        }
        self.selections.reserve_exact(1);
        self.selections.push(new);
    }

    /// Whether two pairs can stand for each other: as far as their priorities tell, they are of one component (RFC 8445 §5.1.2.1).
    fn is_same_component(&self, one: u16, other: u16) -> bool {
        let component = |pair: u16| self.pairs.get(usize::from(pair)).and_then(Pair::component);
        component(one).zip(component(other)).is_none_or(|(one, other)| one == other)
    }
}

impl Conflicts {
    fn add(&mut self, seen: Seen) {
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert(seen);
        self.last = Some(seen);
    }
}

impl Answered {
    fn new(first: Seen) -> Self {
        let rest = (Span(0), first.time);
        Answered { first, last: first, longest: rest, rest, ..Answered::default() }
    }

    /// An answer tells as whom the other agent sees the sender.
    fn tells(&mut self, mapped: Endpoint, seen: Seen) {
        let Some((old, _)) = self.mapped.replace((mapped, seen.frame)).filter(|(old, _)| *old != mapped) else {
            return;
        };
        // first checks that cross can take two ways, one with the NAT and one without: nothing was lost by that
        if self.remapped.is_some() || self.last.time.since(self.first.time) >= IN_USE {
            let change = Remapped { old, last: self.last, new: mapped, first: seen, returned: false };
            let known = self.remapped.get_or_insert_with(|| Box::new(change));
            known.returned |= known.old == mapped;
        }
    }
}
