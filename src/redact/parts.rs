//! Fragments of IP packets, put together in the first pass so that what they carry can be rewritten as a whole.

use super::bytes::put;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// Packets that wait for fragments.
const WAITING: usize = 1024;
/// Bytes of rewritten fragments that are kept for the second pass.
const KEPT: usize = 64 << 20;

pub(super) type Id = ([IpAddr; 2], u32, u8);

#[derive(Default)]
struct Waiting {
    /// By offset: the bytes, and the frames that have them.
    parts: BTreeMap<usize, (Vec<u8>, Vec<u64>)>,
    end: Option<usize>,
}

/// A packet of which all fragments came.
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    /// Where each fragment begins, how long it is, and the frames that have it.
    places: Vec<(usize, usize, Vec<u64>)>,
}

#[derive(Default)]
pub(super) struct Parts {
    waiting: HashMap<Id, Waiting>,
    kept: HashMap<(u64, usize), Vec<u8>>,
    bytes: usize,
}

impl Parts {
    pub(super) fn push(&mut self, id: Id, offset: usize, more: bool, data: &[u8], frame: u64) -> Option<Whole> {
        if self.waiting.len() >= WAITING && !self.waiting.contains_key(&id) {
            self.waiting.clear();
        }
        let waiting = self.waiting.entry(id).or_default();
        let (bytes, frames) = waiting.parts.entry(offset).or_default();
        if bytes.as_slice() != data && !frames.is_empty() {
            // another packet with the same number
            *waiting = Waiting::default();
            waiting.parts.insert(offset, (data.to_vec(), vec![frame]));
            waiting.end = None;
        } else {
            *bytes = data.to_vec();
            frames.push(frame);
        }
        if !more {
            waiting.end = Some(offset + data.len());
        }
        let mut next = 0;
        for (&start, (bytes, _)) in &waiting.parts {
            if start != next {
                return None;
            }
            next = start + bytes.len();
        }
        if waiting.end != Some(next) || next > 0xffff {
            return None;
        }
        let waiting = self.waiting.remove(&id)?;
        let mut whole = Whole { bytes: vec![0; next], places: Vec::new() };
        for (start, (bytes, frames)) in waiting.parts {
            put(&mut whole.bytes, start, &bytes);
            whole.places.push((start, bytes.len(), frames));
        }
        Some(whole)
    }

    /// Keeps what became of a packet, fragment by fragment.
    pub(super) fn keep(&mut self, whole: &Whole, bytes: &[u8]) {
        for (start, length, frames) in &whole.places {
            let Some(part) = bytes.get(*start..start + length) else { continue };
            for &frame in frames {
                if self.bytes + length <= KEPT {
                    self.bytes += length;
                    self.kept.insert((frame, *start), part.to_vec());
                }
            }
        }
    }

    pub(super) fn rewritten(&self, frame: u64, offset: usize) -> Option<&[u8]> {
        self.kept.get(&(frame, offset)).map(Vec::as_slice)
    }
}
