//! Fragments of IP packets, put together in the first pass so that what they carry can be rewritten as a whole.

use super::bytes::put;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// Packets that wait for fragments.
const WAITING: usize = 1024;
/// Bytes of fragments that wait.
const HELD: usize = 64 << 20;
/// Bytes of rewritten fragments that are kept for the second pass.
const KEPT: usize = 64 << 20;
/// What a fragment takes beside its bytes.
const ENTRY: usize = 64;

pub(super) type Id = ([IpAddr; 2], u32, u8);

#[derive(Default)]
struct Waiting {
    /// By offset: the bytes, and the frames that have them.
    parts: BTreeMap<usize, (Vec<u8>, Vec<u64>)>,
    end: Option<usize>,
    /// What they take.
    held: usize,
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
    /// What all that wait take.
    held: usize,
    kept: HashMap<(u64, usize), Vec<u8>>,
    bytes: usize,
}

impl Parts {
    /// Takes a fragment; gives its packet once all of that is there.
    pub(super) fn push(&mut self, id: Id, offset: usize, more: bool, data: &[u8], frame: u64) -> Option<Whole> {
        let size = data.len() + ENTRY;
        if self.held + size > HELD || self.waiting.len() >= WAITING && !self.waiting.contains_key(&id) {
            self.waiting.clear();
            self.held = 0;
        }
        let waiting = self.waiting.entry(id).or_default();
        if waiting.parts.get(&offset).is_some_and(|(bytes, _)| bytes.as_slice() != data) {
            // another packet with the same number
            self.held -= std::mem::take(waiting).held;
        }
        let (bytes, frames) = waiting.parts.entry(offset).or_default();
        *bytes = data.to_vec();
        frames.push(frame);
        waiting.held += size;
        self.held += size;
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
        self.held -= waiting.held;
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
                if self.bytes + length + ENTRY <= KEPT {
                    self.bytes += length + ENTRY;
                    self.kept.insert((frame, *start), part.to_vec());
                }
            }
        }
    }

    pub(super) fn rewritten(&self, frame: u64, offset: usize) -> Option<&[u8]> {
        self.kept.get(&(frame, offset)).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        ([[10, 0, 0, 1].into(), [10, 0, 0, 2].into()], number, 17)
    }

    #[test]
    fn fragments_that_never_become_a_packet_take_bounded_memory() {
        let mut parts = Parts::default();
        let data = vec![7; 60_000];
        for frame in 0..20_000_u64 {
            // overlapping, and none begins the packet
            let offset = 8 + (frame as usize % 4000) * 8;
            assert!(parts.push(id((frame / 4000) as u32), offset, true, &data, frame).is_none());
            if frame % 100 == 0 {
                let bytes = parts.waiting.values().flat_map(|one| one.parts.values()).map(|(bytes, _)| bytes.len());
                assert!(bytes.sum::<usize>() <= HELD);
            }
        }
    }

    #[test]
    fn the_same_fragment_seen_again_and_again_takes_bounded_memory() {
        let mut parts = Parts::default();
        for frame in 0..3_000_000 {
            assert!(parts.push(id(1), 8, true, &[1], frame).is_none());
        }
        let frames = parts.waiting.values().flat_map(|one| one.parts.values()).map(|(_, frames)| frames.len());
        assert!(frames.sum::<usize>() <= HELD / ENTRY);
    }

    #[test]
    fn rewritten_fragments_take_bounded_memory_however_small_they_are() {
        let mut parts = Parts::default();
        for frame in 0..1_100_000 {
            parts.keep(&Whole { bytes: Vec::new(), places: vec![(0, 8, vec![frame])] }, &[1; 8]);
        }
        assert!(parts.kept.len() <= KEPT / ENTRY, "{}", parts.kept.len());
    }

    #[test]
    fn a_packet_is_whole_when_all_its_fragments_came_in_any_order() {
        let mut parts = Parts::default();
        assert!(parts.push(id(1), 8, false, &[3, 4], 1).is_none());
        assert!(parts.push(id(2), 0, true, &[9; 8], 2).is_none());
        let whole = parts.push(id(1), 0, true, &[1; 8], 3).unwrap();
        assert_eq!(whole.bytes, [1, 1, 1, 1, 1, 1, 1, 1, 3, 4]);
        parts.keep(&whole, &[0; 10]);
        assert_eq!(parts.rewritten(1, 8), Some(&[0, 0][..]));
        assert_eq!(parts.held, 8 + ENTRY, "the other packet waits");
    }
}
