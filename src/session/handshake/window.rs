//! Which records were seen before: those that a mirror port or the other side of a NAT shows once more.

/// The latest record number, and which of the 64 before it were seen (as a receiver's anti-replay window, RFC 6347 §4.1.2.6).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    top: u64,
    /// Bit n is set where `top - n` was seen; 0 as long as nothing was.
    seen: u64,
}

impl Window {
    /// Takes a number; whether it is new. What is older than the window counts as seen.
    #[inline]
    pub(super) fn take(&mut self, number: u64) -> bool {
        if self.seen == 0 {
            *self = Window { top: number, seen: 1 };
            return true;
        }
        if number > self.top {
            let step = number - self.top;
            self.seen = u32::try_from(step).ok().and_then(|step| self.seen.checked_shl(step)).unwrap_or(0) | 1;
            self.top = number;
            return true;
        }
        let Some(bit) = u32::try_from(self.top - number).ok().and_then(|back| 1_u64.checked_shl(back)) else {
            return false;
        };
        let new = self.seen & bit == 0;
        self.seen |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once_whatever_the_order() {
        let mut window = Window::default();
        assert!(window.take(5) && window.take(7) && window.take(6));
        assert!(!window.take(5) && !window.take(6) && !window.take(7));
        assert!(window.take(1 << 48), "the next epoch");
        assert!(!window.take(7), "before the window");
    }
}
