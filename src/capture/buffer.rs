//! One buffer between the input and the readers: no byte is moved per packet, and its size follows need within a bound.

use std::io::{ErrorKind, Read};

use super::unpack::Failure;

/// The size when nothing larger is asked for.
const NORMAL: usize = 128 << 10;
/// A search looks at this many bytes at a time.
const SEARCH_STEP: usize = 64 << 10;

/// Bytes read and not yet consumed, and where in the file they are.
pub(super) struct Buffer<R> {
    input: R,
    data: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the file of the first byte of `data`.
    base: u64,
    ended: bool,
    failure: Option<String>,
    /// How far the input is read.
    most: u64,
    /// Whether what was not read yet may not be there yet.
    live: bool,
}

impl<R> Buffer<R> {
    pub(super) fn new(input: R) -> Self {
        Buffer {
            input,
            data: vec![0; NORMAL],
            start: 0,
            end: 0,
            base: 0,
            ended: false,
            failure: None,
            most: u64::MAX,
            live: false,
        }
    }

    /// The same, of an input that is read to about so many bytes at the most.
    pub(super) fn bounded(self, most: u64) -> Self {
        Buffer { most, ..self }
    }

    /// The input may keep its reader waiting.
    pub(super) fn set_live(&mut self) {
        self.live = true;
    }

    /// Whether there was more than was to be read.
    pub(super) fn is_too_much(&self) -> bool {
        self.read_so_far() > self.most
    }

    /// What has been read and not consumed.
    #[inline(always)]
    pub(super) fn available(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    /// The same, to be changed in place.
    pub(super) fn available_mut(&mut self) -> &mut [u8] {
        self.data.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Offset in the file of the first available byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// How many bytes of the file have been read.
    pub(super) fn read_so_far(&self) -> u64 {
        self.base + self.end as u64
    }

    /// Index in the buffer of the first available byte, for [`Buffer::slice`].
    #[inline(always)]
    pub(super) fn position(&self) -> usize {
        self.start
    }

    /// Bytes by their index; they stay there until the next [`Buffer::fill`].
    #[inline(always)]
    pub(super) fn slice(&self, start: usize, len: usize) -> &[u8] {
        self.data.get(start..start.saturating_add(len)).unwrap_or_default()
    }

    /// Passes over `count` available bytes.
    #[inline(always)]
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Why the input could not be read to its end, if so; told once.
    pub(super) fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// Makes room towards `needed` available bytes, moving no more bytes than were consumed since the last move.
    fn make_room(&mut self, needed: usize) {
        let kept = self.end - self.start;
        let tail = self.data.len() - self.end;
        if self.start >= kept && self.start > 0 && (tail < self.data.len() / 4 || kept == 0) {
            self.data.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.start = 0;
            self.end = kept;
            if self.data.len() > NORMAL && needed <= NORMAL / 2 && kept <= NORMAL / 2 {
                self.data.truncate(NORMAL);
                self.data.shrink_to_fit();
            }
        }
        if self.end == self.data.len() {
            // Doubles as bytes really come, so that a length that lies takes no memory by itself.
            let wanted = self.start.saturating_add(needed).max(self.end + 1);
            let size = wanted.min(self.data.len().saturating_mul(2)).next_multiple_of(4096);
            self.data.reserve_exact(size.saturating_sub(self.data.len()));
            self.data.resize(size, 0);
        }
    }
}

impl<R: Read + Failure> Buffer<R> {
    /// Reads until `needed` bytes are available and no longer; `false` if the input ends before.
    #[inline]
    pub(super) fn fill(&mut self, needed: usize) -> bool {
        self.end - self.start >= needed || self.read(needed)
    }

    /// The same for what is not needed yet: of a live input no more than has been read.
    pub(super) fn fill_ahead(&mut self, needed: usize) -> bool {
        self.end - self.start >= needed || !self.live && self.read(needed)
    }

    /// Passes over all up to a header of `length` bytes that is a `candidate` and, with what follows it, `sound`. Where none begins before the offset
    /// `until`, what is available is passed over; `false` then.
    pub(super) fn search(
        &mut self,
        until: u64,
        length: usize,
        candidate: impl Fn(&[u8]) -> bool,
        sound: impl Fn(&mut Self) -> bool,
    ) -> bool {
        while self.offset() < until && self.fill(length) {
            let bytes = self.available();
            let bytes = bytes.get(..SEARCH_STEP).unwrap_or(bytes);
            let Some(found) = bytes.windows(length).position(&candidate) else {
                self.consume(bytes.len() + 1 - length);
                continue;
            };
            self.consume(found);
            if sound(self) {
                return true;
            }
            self.consume(1);
        }
        self.consume(self.available().len());
        false
    }

    #[cold]
    fn read(&mut self, needed: usize) -> bool {
        while self.end - self.start < needed {
            if self.ended {
                return false;
            }
            self.make_room(needed);
            let room = self.data.get_mut(self.end..).unwrap_or_default();
            let size = room.len();
            match self.input.read(room) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.end += count.min(size);
                    if self.is_too_much() {
                        self.failure = Some(format!("it unpacks to more than {} bytes", self.most));
                        self.ended = true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(self.input.describe(&error));
                    self.ended = true;
                }
            }
        }
        true
    }
}
