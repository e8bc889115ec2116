//! Values in numbered slots, for tables that are found by several keys: the keys lead to the number, and the number to the value.

/// Values that keep their number as long as they stay. The number of one that went is given again.
#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// How many values there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value and gives its number; `None` where there are no more numbers.
    pub fn add(&mut self, value: T) -> Option<u32> {
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                let number = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(None);
                number
            }
        };
        *self.slots.get_mut(number as usize)? = Some(value);
        Some(number)
    }

    /// The value with this number.
    #[must_use]
    #[inline]
    pub fn get(&self, number: u32) -> Option<&T> {
        self.slots.get(number as usize)?.as_ref()
    }

    /// The value with this number, to be changed.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    /// Takes a value out.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.slots.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(value)
    }

    /// All values with their numbers, in the order of these.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(&self.slots).filter_map(|(number, value)| Some((number, value.as_ref()?)))
    }

    /// All values, to be changed, in the order of their numbers.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_number_and_that_of_one_that_went_is_given_again() {
        let mut slots = Slots::default();
        assert_eq!((slots.add('a'), slots.add('b'), slots.add('c')), (Some(0), Some(1), Some(2)));
        assert_eq!((slots.remove(1), slots.remove(1), slots.remove(7)), (Some('b'), None, None));
        assert_eq!((slots.len(), slots.get(1), slots.get(2)), (2, None, Some(&'c')));
        assert_eq!(slots.add('d'), Some(1));
        slots.values_mut().for_each(|value| value.make_ascii_uppercase());
        assert_eq!(slots.iter().collect::<Vec<_>>(), [(0, &'A'), (1, &'D'), (2, &'C')]);
        assert!(!slots.is_empty());
    }
}
