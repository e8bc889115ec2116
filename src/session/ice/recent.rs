//! The checks that were sent last: to know one again at another point of the capture, and whose answer comes.

use super::table::Place;

/// How many are kept, a power of 2. An answer comes within seconds, the other side of a NAT or relay within milliseconds.
const SLOTS: usize = 4096;

/// One check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// A hash of its transaction id.
    pub id: u64,
    /// Number of the session.
    pub session: u32,
    /// The pair, and at which point of it the check was seen first.
    pub place: Place,
    /// Who sent it.
    pub agent: u8,
    /// Whether it carried USE-CANDIDATE.
    pub nominates: bool,
}

/// A table in which a newer check takes the place of an older one with the same last digits.
#[derive(Debug, Default)]
pub(super) struct Recent {
    slots: Vec<Option<Sent>>,
}

impl Recent {
    pub(super) fn get(&self, id: u64) -> Option<Sent> {
        self.slots.get(place(id)).copied().flatten().filter(|sent| sent.id == id)
    }

    pub(super) fn put(&mut self, sent: Sent) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        if let Some(slot) = self.slots.get_mut(place(sent.id)) {
            *slot = Some(sent);
        }
    }
}

fn place(id: u64) -> usize {
    #[allow(clippy::cast_possible_truncation)] // the last digits are what is wanted
    let low = id as usize;
    low % SLOTS
}
