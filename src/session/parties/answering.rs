//! When servers were heard, and when they were asked in vain: one that hung for a while sent nothing to anybody in that time, whoever asked.

use crate::bounded::BoundedMap;
use crate::net::{ClientAddress, ServerAddress, Transport};
use crate::time::Timestamp;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

/// The seconds in which a server was heard are known by words of so many bits, and for the last so many of these words (9 hours).
const BITS: i64 = 64;
const MAX_WORDS: usize = 512;
/// Within fewer whole seconds than these nothing can be said.
const LEAST: i64 = 3;
/// Requests in vain are known by spans of so many seconds, and for the last so many of these spans.
const SPAN: i64 = 10;
const MAX_SPANS: usize = 128;

/// What a server did for anybody in a time in which somebody asked it in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// It sent something to somebody.
    Answered,
    /// It sent nothing to anybody, though another client asked it, too.
    Nobody(Silence),
}

/// When a server that sent nothing for a while was heard: before, or afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Whether it was heard before.
    pub before: bool,
    /// Whether it was heard again, as far as is known by now.
    pub after: bool,
}

/// When all servers were heard, by the transport over which they were.
#[derive(Debug)]
pub(super) struct Answering {
    known: HashMap<(ServerAddress, Transport), Heard>,
    max: usize,
}

/// When one server was heard.
#[derive(Debug)]
struct Heard {
    first: Timestamp,
    last: Timestamp,
    /// The seconds in which it was heard, a bit each.
    seconds: BTreeMap<i64, u64>,
    /// The first second of which this is known.
    since: i64,
    /// In which spans of time it was asked in vain; by whom, and whether by others, too.
    in_vain: BTreeMap<i64, (IpAddr, bool)>,
}

impl Answering {
    /// Of at most `max` servers.
    pub(super) fn new(max: usize) -> Self {
        Answering { known: HashMap::new(), max }
    }

    /// A server answers, or sends anything else.
    pub(super) fn add(&mut self, server: ServerAddress, transport: Transport, at: Timestamp) {
        if let Some(known) = self.known.entry_up_to(self.max, (server, transport), || Heard::new(at)) {
            // of a server with many clients most seconds are marked when the next one is answered
            if known.last.seconds() != at.seconds() || known.seconds.is_empty() {
                known.mark(at.seconds());
            }
            known.last = known.last.max(at);
        }
    }

    /// A client asked a server in vain, from one time to another.
    pub(super) fn in_vain(
        &mut self,
        server: ServerAddress,
        transport: Transport,
        client: ClientAddress,
        [from, until]: [Timestamp; 2],
    ) {
        let (client, Some(known)) = (client.0.ip(), self.known.get_mut(&(server, transport))) else { return };
        for span in (from.seconds() / SPAN..=until.seconds() / SPAN).rev().take(MAX_SPANS) {
            let (asked, several) = known.in_vain.entry(span).or_insert((client, false));
            *several |= *asked != client;
        }
        while known.in_vain.len() > MAX_SPANS {
            known.in_vain.pop_first();
        }
    }

    /// When a server was heard last.
    pub(super) fn last(&self, server: ServerAddress, transport: Transport) -> Option<Timestamp> {
        self.known.get(&(server, transport)).map(|known| known.last)
    }

    /// What a server did between two times, at which a client asked it in vain; `None` where that is not known.
    pub(super) fn meanwhile(
        &self,
        server: ServerAddress,
        transport: Transport,
        client: ClientAddress,
        [from, until]: [Timestamp; 2],
    ) -> Option<Meanwhile> {
        let known = self.known.get(&(server, transport))?;
        // of the seconds at both ends only parts are meant
        let between = from.seconds() + 1..until.seconds();
        if known.any(between.clone()) {
            return Some(Meanwhile::Answered);
        }
        let silence = Silence { before: known.first < from, after: known.last > until };
        let is_known = between.end - between.start >= LEAST && between.start >= known.since;
        let of_others = |(asked, several): &(IpAddr, bool)| *several || *asked != client.0.ip();
        let spans = from.seconds() / SPAN..=until.seconds() / SPAN;
        let others = is_known && known.in_vain.range(spans).any(|(_, asked)| of_others(asked));
        (others && (silence.before || silence.after)).then_some(Meanwhile::Nobody(silence))
    }
}

impl Heard {
    fn new(first: Timestamp) -> Self {
        Heard { first, last: first, seconds: BTreeMap::new(), since: i64::MIN, in_vain: BTreeMap::new() }
    }

    fn mark(&mut self, second: i64) {
        *self.seconds.entry(second.div_euclid(BITS)).or_default() |= 1 << second.rem_euclid(BITS);
        if self.seconds.len() > MAX_WORDS
            && let Some((word, _)) = self.seconds.pop_first()
        {
            self.since = (word + 1) * BITS;
        }
    }

    /// Whether it was heard in one of these seconds.
    fn any(&self, seconds: Range<i64>) -> bool {
        let is_one = |(word, bits): (&i64, &u64)| {
            (0..BITS).any(|bit| bits >> bit & 1 == 1 && seconds.contains(&(word * BITS + bit)))
        };
        let words = seconds.start.div_euclid(BITS)..=seconds.end.div_euclid(BITS);
        !seconds.is_empty() && self.seconds.range(words).any(is_one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;
    use crate::time::Span;

    const START: i64 = 1_700_000_000;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp(START * 1_000_000_000).after(Span::from_millis(milliseconds))
    }

    fn server() -> ServerAddress {
        ServerAddress(Endpoint::v4([192, 0, 2, 1], 3478))
    }

    fn client(host: u8) -> ClientAddress {
        ClientAddress(Endpoint::v4([198, 51, 100, host], 5000))
    }

    /// The server answers at these times, and a client asks it in vain from one time to another.
    fn answering(times: &[i64], (host, from, until): (u8, i64, i64)) -> Answering {
        let mut answering = Answering::new(1);
        times.iter().for_each(|&time| answering.add(server(), Transport::Udp, at(time)));
        answering.in_vain(server(), Transport::Udp, client(host), [at(from), at(until)]);
        answering
    }

    /// What the server did while client 1 asked it in vain.
    fn meanwhile(answering: &Answering, from: i64, until: i64) -> Option<Meanwhile> {
        answering.meanwhile(server(), Transport::Udp, client(1), [at(from), at(until)])
    }

    #[test]
    fn a_server_that_answers_nobody_for_a_while_did_so_before_or_does_so_afterwards() {
        let told = |answers: &[i64]| meanwhile(&answering(answers, (2, 20_000, 30_000)), 10_000, 41_500);
        let nobody = |before, after| Some(Meanwhile::Nobody(Silence { before, after }));
        assert_eq!(told(&[0, 60_000]), nobody(true, true));
        assert_eq!(told(&[0]), nobody(true, false));
        assert_eq!(told(&[60_000]), nobody(false, true));
        assert_eq!(told(&[0, 20_000]), Some(Meanwhile::Answered));
    }

    #[test]
    fn of_a_server_that_nobody_else_asks_silence_tells_nothing() {
        assert_eq!(meanwhile(&answering(&[0, 60_000], (1, 20_000, 30_000)), 10_000, 41_500), None);
        assert_eq!(meanwhile(&answering(&[0, 60_000], (2, 50_000, 55_000)), 10_000, 41_500), None);
    }

    #[test]
    fn what_is_too_short_tells_nothing() {
        for until in [10_000, 13_500, 13_900] {
            assert_eq!(meanwhile(&answering(&[0, 60_000], (2, 10_000, 20_000)), 10_000, until), None);
        }
    }

    #[test]
    fn what_came_last_is_known_and_what_was_long_ago_is_forgotten() {
        let last = i64::try_from(MAX_WORDS).unwrap() * BITS * 2;
        let mut answering = answering(&[], (2, 0, 0));
        (0..last).step_by(60).for_each(|second| answering.add(server(), Transport::Udp, at(second * 1_000)));
        (0..last + 100).step_by(9).for_each(|second| {
            answering.in_vain(server(), Transport::Udp, client(2), [at(second * 1_000); 2]);
        });
        let told = |from: i64, until: i64| meanwhile(&answering, from * 1_000, until * 1_000);
        assert_eq!(told(last - 118, last - 2), Some(Meanwhile::Answered));
        assert_eq!(told(last, last + 30), Some(Meanwhile::Nobody(Silence { before: true, after: false })));
        assert_eq!(told(61, 118), None);
    }

    #[test]
    fn servers_and_times_are_known_as_long_as_there_is_room() {
        let mut answering = answering(&[0, 1_500], (2, 0, 0));
        assert_eq!(answering.last(server(), Transport::Udp), Some(at(1_500)));
        answering.add(server(), Transport::Tcp, at(0));
        assert_eq!(answering.last(server(), Transport::Tcp), None, "one transport of one server");
        for second in 0..10_000 {
            let times = [at(second * 1_000); 2];
            answering.in_vain(server(), Transport::Udp, client(3), times);
        }
        assert_eq!(answering.known.values().map(|known| known.in_vain.len()).collect::<Vec<_>>(), [MAX_SPANS]);
    }
}
