//! Bounds that all workers share.

use std::sync::{Condvar, Mutex};

/// Something of which there is so much, and no more.
pub(super) struct Room {
    left: Mutex<u64>,
    freed: Condvar,
}

/// Some of it, given back in the end.
pub(super) struct Taken<'r>(&'r Room, u64);

impl Room {
    pub(super) fn new(size: u64) -> Self {
        Room { left: Mutex::new(size), freed: Condvar::new() }
    }

    /// Takes some, once there is as much.
    pub(super) fn take(&self, count: u64) -> Option<Taken<'_>> {
        let left = self.left.lock().ok()?;
        let mut left = self.freed.wait_while(left, |left| *left < count).ok()?;
        *left = left.saturating_sub(count);
        Some(Taken(self, count))
    }

    /// Takes some if there is as much.
    pub(super) fn try_take(&self, count: u64) -> bool {
        let Ok(mut left) = self.left.lock() else { return false };
        let enough = *left >= count;
        if enough {
            *left -= count;
        }
        enough
    }

    pub(super) fn give(&self, count: u64) {
        if let Ok(mut left) = self.left.lock() {
            *left = left.saturating_add(count);
        }
        self.freed.notify_all();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.give(self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let room = Room::new(10);
        assert!(room.try_take(6));
        assert!(!room.try_take(6));
        room.give(6);
        drop(room.take(10));
        assert!(room.try_take(10));
    }
}
