//! Hashing a capture while it is read, or by itself.

use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

/// An input whose bytes are hashed as they pass.
pub(super) struct Tee<'a>(Rc<RefCell<State<'a>>>);

/// The other end: what is left of the input, and the hash.
pub(super) struct Rest<'a>(Rc<RefCell<State<'a>>>);

struct State<'a> {
    input: Box<dyn Read + 'a>,
    hash: Sha256,
}

impl<'a> Tee<'a> {
    pub(super) fn new(input: Box<dyn Read + 'a>) -> (Self, Rest<'a>) {
        let state = Rc::new(RefCell::new(State { input, hash: Sha256::new() }));
        (Tee(Rc::clone(&state)), Rest(state))
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(room)
    }
}

impl Read for State<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(room)?;
        self.hash.update(room.get(..count).unwrap_or_default());
        Ok(count)
    }
}

impl Rest<'_> {
    /// Reads what is left; the hash of all, if all could be read.
    pub(super) fn finish(self) -> Option<[u8; 32]> {
        let mut state = self.0.borrow_mut();
        io::copy(&mut *state, &mut io::sink()).ok()?;
        Some(std::mem::take(&mut state.hash).finalize().into())
    }
}

/// Hashes what is written to it.
pub(super) struct HashWriter<'h>(pub(super) &'h mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_whole_however_much_was_read() {
        let bytes = vec![7; 100_000];
        for read in [0, 1, 99_999, 100_000] {
            let (mut tee, rest) = Tee::new(Box::new(bytes.as_slice()));
            tee.read_exact(&mut vec![0; read]).unwrap();
            drop(tee);
            assert_eq!(rest.finish(), Some(Sha256::digest(&bytes).into()));
        }
    }
}
