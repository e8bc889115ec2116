//! DNS and multicast DNS messages: names and addresses replaced, all else that records hold left out.

use super::Redactor;
use super::bytes::{at, put, word, zero};
use std::collections::HashSet;

impl Redactor {
    /// Rewrites a message in place; what does not read as one is zeroed from there on.
    pub(super) fn dns(&mut self, data: &mut [u8]) {
        let counts: Vec<usize> = [4, 6, 8, 10].iter().filter_map(|&offset| word(data, offset)).collect();
        let &[questions, answers, authorities, more] = counts.as_slice() else { return data.fill(0) };
        let mut done = HashSet::new();
        let mut next = Some(12);
        for _ in 0..questions {
            next = next.and_then(|start| self.dns_name(data, start, &mut done)).map(|end| end + 4);
        }
        for _ in 0..answers + authorities + more {
            let Some(end) = next.and_then(|start| self.dns_name(data, start, &mut done)) else { break };
            let (kind, length) = (word(data, end), word(data, end + 8));
            let Some((kind, length)) = kind.zip(length) else { break };
            let start = end + 10;
            next = Some(start + length);
            self.dns_data(data, kind, start, length, &mut done);
        }
        let end = next.unwrap_or(12);
        zero(data, end..usize::MAX);
    }

    fn dns_data(&mut self, data: &mut [u8], kind: usize, start: usize, length: usize, done: &mut HashSet<usize>) {
        match (kind, length) {
            (1, 4) => match at(data, start) {
                Some(ip) => put(data, start, &self.addresses.v4(ip)),
                None => zero(data, start..usize::MAX),
            },
            (28, 16) => match at(data, start) {
                Some(ip) => put(data, start, &self.addresses.v6(ip)),
                None => zero(data, start..usize::MAX),
            },
            // NAPTR (RFC 3403 §4.1): flags and services stay, the expression goes
            (35, _) => {
                let text = |data: &[u8], at: usize| at + 1 + data.get(at).map_or(0, |&length| usize::from(length));
                let services = text(data, start + 4);
                let expression = text(data, services);
                let from = text(data, expression);
                zero(data, expression + 1..from.min(start + length));
                let end = if from < start + length { self.dns_name(data, from, done).unwrap_or(from) } else { from };
                zero(data, end..start + length);
            }
            // NS, CNAME, PTR, DNAME; SRV behind priority, weight and port
            (2 | 5 | 12 | 39 | 33, _) => {
                let from = if kind == 33 { start + 6 } else { start };
                let end = self.dns_name(data, from, done).unwrap_or(from);
                zero(data, end..start + length);
            }
            _ => zero(data, start..start + length),
        }
    }

    /// Replaces the labels of a name that were not yet; gives where it ends. What follows where it does not read is zeroed.
    fn dns_name(&mut self, data: &mut [u8], start: usize, done: &mut HashSet<usize>) -> Option<usize> {
        let mut offset = start;
        // a name has at most 255 bytes (RFC 1035 §3.1)
        for _ in 0..128 {
            let length = match data.get(offset).copied() {
                Some(0) => return Some(offset + 1),
                // what a pointer leads to is a name that was, or will be, replaced itself
                Some(192..) => return Some(offset + 2),
                Some(length @ 1..=63) => usize::from(length),
                _ => break,
            };
            let range = offset + 1..offset + 1 + length;
            let Some(label) = data.get_mut(range.clone()) else { break };
            if done.insert(offset) {
                let other = self.names.label(label);
                put(label, 0, &other);
            }
            offset = range.end;
        }
        zero(data, offset..usize::MAX);
        None
    }
}
