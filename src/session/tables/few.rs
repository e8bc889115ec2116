//! A list that mostly has one item, kept in place then: no memory of its own is asked for.

use std::ops::{Deref, DerefMut};

/// Items in the order in which they came; reads as a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Few<T> {
    /// Nothing.
    #[default]
    None,
    /// One item.
    One(T),
    /// Any number of items.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// One more.
    pub fn push(&mut self, item: T) {
        *self = match std::mem::take(self) {
            Few::None => Few::One(item),
            Few::One(first) => Few::Many(vec![first, item]),
            Few::Many(mut items) => {
                items.reserve_exact(1);
                items.push(item);
                Few::Many(items)
            }
        };
    }

    /// Drops all that are not wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&T) -> bool) {
        match self {
            Few::One(item) if !wanted(item) => *self = Few::None,
            Few::None | Few::One(_) => {}
            Few::Many(items) => items.retain(wanted),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Few::None => &[],
            Few::One(item) => std::slice::from_ref(item),
            Few::Many(items) => items,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Few::None => &mut [],
            Few::One(item) => std::slice::from_mut(item),
            Few::Many(items) => items,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_in_order_and_go_when_they_are_not_wanted() {
        let mut few = Few::default();
        assert!(few.is_empty());
        for item in 1..=4 {
            few.push(item);
            assert_eq!(few.len(), item);
        }
        few[1] = 20;
        few.retain(|&item| item != 3);
        assert_eq!(*few, [1, 20, 4]);
        let mut one = Few::One(1);
        one.retain(|&item| item != 1);
        assert!(one.is_empty());
    }
}
