//! When servers answered, second by second: a server that hung for a while answered nobody in that time.

use crate::bounded::BoundedMap;
use crate::net::{Endpoint, ServerAddress, Transport};
use crate::time::{Span, Timestamp};
use hashbrown::HashMap;
use std::net::IpAddr;
use std::ops::Range;

/// For so many seconds from its first answer on a server's answers are known (18 hours, 8 KiB).
const SECONDS: i64 = 1 << 16;
/// Within fewer whole seconds than these nothing can be said.
const LEAST: i64 = 3;
/// Of so many servers at a time the answers are found without a search: two to this power.
const RECENT: u32 = 4;

/// What a server did for anybody in a time in which somebody asked it in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// It answered others.
    Answered,
    /// It answered nobody, though it has several clients: whether it answered before, and afterwards.
    Nobody {
        /// Whether it had answered before.
        before: bool,
        /// Whether it answered again, as far as is known by now.
        after: bool,
    },
}

/// The answers of all servers, by the transport over which they came.
#[derive(Debug)]
pub(super) struct Answering {
    places: HashMap<(ServerAddress, Transport), usize>,
    known: Vec<Answers>,
    /// Where in `known` those are that answered a moment ago.
    recent: [Option<(ServerAddress, Transport, usize)>; 1 << RECENT],
    max: usize,
}

/// The answers of one server.
#[derive(Debug)]
struct Answers {
    last: Timestamp,
    /// The second that was marked last.
    second: Range<Timestamp>,
    /// Whom it answered first, and whether it answered anybody else.
    client: IpAddr,
    several: bool,
    /// The seconds in which it answered, a bit each, from this one on.
    from: i64,
    seconds: Vec<u64>,
    /// Whether it answered before that one, too: the clock was set back.
    set_back: bool,
}

/// Where among those that answered a moment ago a server would be.
#[allow(clippy::cast_possible_truncation)] // a few bits are left
fn slot(server: ServerAddress) -> usize {
    (server.0.mixed() >> (u64::BITS - RECENT)) as usize
}

impl Answering {
    /// Of at most `max` servers.
    pub(super) fn new(max: usize) -> Self {
        Answering { places: HashMap::new(), known: Vec::new(), recent: [None; 1 << RECENT], max }
    }

    /// A server answers a client.
    #[inline]
    pub(super) fn add(&mut self, server: ServerAddress, transport: Transport, client: Endpoint, at: Timestamp) {
        let recent = self.recent.get(slot(server)).copied().flatten();
        let place = match recent.filter(|known| (known.0, known.1) == (server, transport)) {
            Some((.., place)) => place,
            None => match self.place(server, transport, client, at) {
                Some(place) => place,
                None => return,
            },
        };
        if let Some(known) = self.known.get_mut(place) {
            known.last = known.last.max(at);
            if !known.second.contains(&at) {
                known.mark(client, at);
            }
        }
    }

    /// Where a server is, which is one of those that answered a moment ago from now on.
    #[inline(never)]
    fn place(&mut self, server: ServerAddress, transport: Transport, client: Endpoint, at: Timestamp) -> Option<usize> {
        let known = &mut self.known;
        let place = *self.places.entry_up_to(self.max, (server, transport), || {
            known.push(Answers::new(client, at));
            known.len() - 1
        })?;
        if let Some(recent) = self.recent.get_mut(slot(server)) {
            *recent = Some((server, transport, place));
        }
        Some(place)
    }

    fn of(&self, server: ServerAddress, transport: Transport) -> Option<&Answers> {
        self.known.get(*self.places.get(&(server, transport))?)
    }

    /// Whether a server answered anybody after a time.
    pub(super) fn after(&self, server: ServerAddress, transport: Transport, time: Timestamp) -> bool {
        self.of(server, transport).is_some_and(|known| known.last > time)
    }

    /// What a server did between two times, at which it was asked in vain; `None` where that is not known.
    pub(super) fn meanwhile(
        &self,
        server: ServerAddress,
        transport: Transport,
        [from, until]: [Timestamp; 2],
    ) -> Option<Meanwhile> {
        let known = self.of(server, transport)?;
        // of the seconds at both ends only parts are meant
        let between = from.seconds() + 1..until.seconds();
        if known.any(between.clone()) {
            return Some(Meanwhile::Answered);
        }
        let before = known.any(known.from..between.start);
        let is_known = known.several
            && !known.set_back
            && between.end - between.start >= LEAST
            && between.end <= known.from + SECONDS;
        is_known.then_some(Meanwhile::Nobody { before, after: known.last > until })
    }
}

impl Answers {
    fn new(client: Endpoint, at: Timestamp) -> Self {
        let (client, several) = (client.ip(), false);
        Answers { last: at, second: at..at, client, several, from: at.seconds(), seconds: Vec::new(), set_back: false }
    }

    #[inline(never)]
    fn mark(&mut self, client: Endpoint, at: Timestamp) {
        let second = at.seconds();
        let begins = Timestamp(second.saturating_mul(1_000_000_000));
        self.second = begins..begins.after(Span::from_secs(1));
        self.several |= self.client != client.ip();
        self.set_back |= second < self.from;
        let Some((word, bit)) = self.bit(second) else { return };
        if self.seconds.len() <= word {
            self.seconds.resize(word + 1, 0);
        }
        if let Some(word) = self.seconds.get_mut(word) {
            *word |= bit;
        }
    }

    /// Where the bit of a second is; `None` before the first answer (a clock that was set back) and long after it.
    fn bit(&self, second: i64) -> Option<(usize, u64)> {
        let place = second.checked_sub(self.from).filter(|place| (0..SECONDS).contains(place))?;
        Some((usize::try_from(place / 64).ok()?, 1 << (place % 64)))
    }

    /// Whether it answered in one of these seconds.
    fn any(&self, seconds: Range<i64>) -> bool {
        let place = |second: i64| usize::try_from(second.saturating_sub(self.from)).unwrap_or(0);
        let (start, end) = (place(seconds.start), place(seconds.end).min(self.seconds.len() * 64));
        let first = self.seconds.get(start / 64..end.div_ceil(64)).unwrap_or_default().iter();
        first.enumerate().any(|(number, &word)| {
            let begins = (start / 64 + number) * 64;
            let low = u64::MAX << start.saturating_sub(begins);
            let high = u64::MAX >> (begins + 64).saturating_sub(end);
            word & low & high != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp(START * 1_000_000_000).after(Span::from_millis(milliseconds))
    }

    fn server() -> ServerAddress {
        ServerAddress(Endpoint::v4([192, 0, 2, 1], 3478))
    }

    /// Two clients are answered at these times in turn.
    fn answering(times: &[i64]) -> Answering {
        let mut answering = Answering::new(1);
        for (number, &time) in times.iter().enumerate() {
            let client = Endpoint::v4([192, 0, 2, 9 + (number % 2) as u8], 5000);
            answering.add(server(), Transport::Udp, client, at(time));
        }
        answering
    }

    fn meanwhile(answers: &[i64], from: i64, until: i64) -> Option<Meanwhile> {
        answering(answers).meanwhile(server(), Transport::Udp, [at(from), at(until)])
    }

    #[test]
    fn a_server_that_answers_nobody_for_a_while_did_so_before_and_may_do_so_afterwards() {
        let nobody = |before, after| Some(Meanwhile::Nobody { before, after });
        assert_eq!(meanwhile(&[0, 1_000, 60_000], 10_000, 41_500), nobody(true, true));
        assert_eq!(meanwhile(&[0, 1_000], 10_000, 41_500), nobody(true, false));
        assert_eq!(meanwhile(&[60_000, 61_000], 10_000, 41_500), nobody(false, true));
        assert_eq!(meanwhile(&[0, 1_000, 20_000], 10_000, 41_500), Some(Meanwhile::Answered));
    }

    #[test]
    fn what_is_too_short_or_about_one_client_or_too_late_or_by_a_clock_that_was_set_back_tells_nothing() {
        assert_eq!(meanwhile(&[0, 1_000, 60_000], 10_000, 13_900), None);
        assert_eq!(meanwhile(&[0], 10_000, 41_500), None);
        assert_eq!(meanwhile(&[0, 1_000, -60_000], 10_000, 41_500), None);
        let late = SECONDS * 1_000;
        assert_eq!(meanwhile(&[0, 1_000, late + 60_000], late + 10_000, late + 41_500), None);
        assert_eq!(answering(&[0]).meanwhile(server(), Transport::Tcp, [at(0), at(60_000)]), None);
    }

    #[test]
    fn answers_after_a_time_are_known_to_the_nanosecond_and_of_as_many_servers_as_there_is_room_for() {
        let mut answering = answering(&[0, 1_000, 1_500]);
        let after = |answering: &Answering, time| answering.after(server(), Transport::Udp, at(time));
        assert!(after(&answering, 1_499) && !after(&answering, 1_500));
        let other = ServerAddress(Endpoint::v4([192, 0, 2, 2], 3478));
        answering.add(other, Transport::Udp, Endpoint::v4([192, 0, 2, 9], 5000), at(0));
        assert!(!answering.after(other, Transport::Udp, at(-1)));
    }
}
