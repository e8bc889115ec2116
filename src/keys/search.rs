//! Which sequence numbers a record may have, where records before it were lost or could not be opened.

use std::iter;

/// How many sequence numbers are tried for all records of a direction since the last that was opened.
const BUDGET: u32 = 4096;
/// How many are tried for one record.
const MOST: u64 = 1024;
/// The shortest protected record on the wire: its header, and the tag of the shortest suite behind the shortest content.
const SHORTEST: u64 = 5 + 9;

/// The sequence number to come of a direction, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    /// That of the next record, if none was lost.
    pub next: u64,
    /// How many records may have been lost since the last that was opened.
    pub lost: u64,
    /// How many records came since that could not be opened.
    pub unopened: u64,
    budget: u32,
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers { next: 0, lost: 0, unopened: 0, budget: BUDGET }
    }
}

impl Numbers {
    /// Bytes are missing from the capture.
    pub(super) fn missing(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes / SHORTEST + 1);
    }

    /// A record was opened with a sequence number.
    pub(super) fn opened(&mut self, number: u64) {
        *self = Numbers { next: number.wrapping_add(1), ..Numbers::default() };
    }

    /// A record was not opened.
    pub(super) fn passed(&mut self) {
        self.next = self.next.wrapping_add(1);
        self.unopened = self.unopened.saturating_add(1);
    }

    /// The numbers that the next record may have, the likeliest first; `hint` is one that its explicit nonce suggests.
    pub(super) fn candidates(&mut self, hint: Option<u64>) -> impl Iterator<Item = u64> + '_ {
        let (next, lost) = (self.next, self.lost.min(MOST));
        let ahead = (1..=lost).map(move |ahead| next.wrapping_add(ahead));
        let hint = hint.filter(|&hint| hint != next);
        charged(&mut self.budget, iter::once(next).chain(hint).chain(ahead))
    }

    /// The numbers that the next record may have if it is under the keys that follow these: from 0 on as many as may have gone unseen, and where
    /// these are many, the last of them.
    pub(super) fn candidates_after(&mut self) -> impl Iterator<Item = u64> + '_ {
        /// A handshake has no more records under its keys than this, in all likelihood.
        const HANDSHAKE: u64 = 64;
        let most = self.unopened.saturating_add(self.lost);
        let first = 0..=most.min(HANDSHAKE);
        let last = (HANDSHAKE + 1..=most).rev().take(usize::try_from(MOST).unwrap_or(usize::MAX));
        charged(&mut self.budget, first.chain(last))
    }
}

fn charged(budget: &mut u32, numbers: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
    numbers.map_while(move |number| {
        *budget = budget.checked_sub(1)?;
        Some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_loss_there_is_one_number() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.candidates(None).collect::<Vec<_>>(), [0]);
        numbers.opened(0);
        assert_eq!(numbers.candidates(Some(1)).collect::<Vec<_>>(), [1]);
        assert_eq!(numbers.candidates_after().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn lost_bytes_allow_as_many_records_as_they_may_have_held() {
        let mut numbers = Numbers::default();
        numbers.missing(30);
        assert_eq!(numbers.candidates(Some(7)).collect::<Vec<_>>(), [0, 7, 1, 2, 3]);
        numbers.opened(2);
        assert_eq!(numbers.candidates(None).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn what_is_tried_in_vain_comes_to_an_end() {
        let mut numbers = Numbers::default();
        numbers.missing(u64::MAX);
        let tried: usize = (0..100).map(|_| numbers.candidates(None).count()).sum();
        assert_eq!(tried, 4096);
        assert_eq!(numbers.budget, 0);
    }
}
