//! All captures read as one, by corrected time.

use super::clock::Clock;
use crate::capture::{Capture, CaptureInfo, Secrets};
use crate::frame::{Frame, LinkType, Place};
use crate::time::Timestamp;
use std::collections::VecDeque;
use std::io::Read;

/// One file: the index by which places name it, and the point that it was captured at. Files of one point are parts of one capture and come in
/// the order in which they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its index among the captures of the report.
    pub index: u32,
    /// The index of its point.
    pub point: usize,
}

/// Reads the captures of several points as one. Within a capture the order of its frames stays; between them the earliest comes first.
pub struct Merge<'o, R: Read> {
    open: &'o dyn Fn(u32) -> Option<Capture<R>>,
    points: Vec<Source<R>>,
    /// What the files said beside their frames, once they are over.
    infos: Vec<(u32, CaptureInfo)>,
    /// Secrets that stood in them, not yet asked for.
    secrets: Vec<Secrets>,
    /// The point whose frame was given last: it is to give its next.
    given: Option<usize>,
    order: u64,
    last_file: u32,
}

struct Source<R: Read> {
    point: usize,
    clock: Clock,
    files: VecDeque<u32>,
    current: Option<(u32, Capture<R>)>,
    next: Option<Waiting>,
    now: Timestamp,
    /// To be used again.
    bytes: Vec<u8>,
}

/// A frame out of its reader: it may have to wait for those of other points.
struct Waiting {
    file: u32,
    number: u64,
    at: Timestamp,
    time: Option<Timestamp>,
    digits: u8,
    link_type: LinkType,
    original_len: u32,
    fcs_len: u8,
    big_endian: bool,
}

impl<'o, R: Read> Merge<'o, R> {
    /// Begins to read these files; `clocks` has a clock for each point. A file that cannot be opened is passed over.
    #[must_use]
    pub fn new(files: &[File], clocks: &[Clock], open: &'o dyn Fn(u32) -> Option<Capture<R>>) -> Self {
        let mut points: Vec<Source<R>> = Vec::new();
        for file in files {
            if let Some(source) = points.iter_mut().find(|source| source.point == file.point) {
                source.files.push_back(file.index);
            } else if let Some(&clock) = clocks.get(file.point) {
                let files = VecDeque::from([file.index]);
                let (point, now, bytes) = (file.point, Timestamp(i64::MIN), Vec::new());
                points.push(Source { point, clock, files, current: None, next: None, now, bytes });
            }
        }
        let mut merge =
            Merge { open, points, infos: Vec::new(), secrets: Vec::new(), given: None, order: 1, last_file: 0 };
        for at in 0..merge.points.len() {
            merge.fill(at);
        }
        merge
    }

    /// The next frame, with the index of its point. Its number is a [joined](Place::joined) one, its time corrected.
    pub fn next_frame(&mut self) -> Option<(usize, Frame<'_>)> {
        if let Some(at) = self.given.take() {
            self.fill(at);
        }
        let waiting = self.points.iter().enumerate();
        let next = waiting.filter_map(|(at, source)| Some((source.next.as_ref()?.at, at))).min();
        let (_, at) = next?;
        self.given = Some(at);
        let Source { point, next, bytes, .. } = self.points.get(at)?;
        let waiting = next.as_ref()?;
        if waiting.file < self.last_file {
            self.order += 1;
        }
        self.last_file = waiting.file;
        let &Waiting { file, number, time, digits, link_type, original_len, fcs_len, big_endian, .. } = waiting;
        let number = Place::joined(self.order, file, number);
        Some((*point, Frame { number, time, digits, link_type, data: bytes, original_len, fcs_len, big_endian }))
    }

    /// Secrets to decrypt with that were read since this was asked for last, with the frames that wait.
    pub fn take_secrets(&mut self) -> Vec<Secrets> {
        std::mem::take(&mut self.secrets)
    }

    /// What the files say beside their frames, by their index; complete once [`Merge::next_frame`] has returned `None`.
    #[must_use]
    pub fn infos(mut self) -> Vec<(u32, CaptureInfo)> {
        for source in &mut self.points {
            self.infos.extend(source.current.take().map(|(file, capture)| (file, capture.info().clone())));
        }
        self.infos.sort_by_key(|(file, _)| *file);
        self.infos
    }

    /// Reads the next frame of a point.
    fn fill(&mut self, at: usize) {
        let Merge { open, points, infos, secrets, .. } = self;
        let Some(source) = points.get_mut(at) else { return };
        source.next = None;
        loop {
            let Some((file, capture)) = &mut source.current else {
                let Some(file) = source.files.pop_front() else { return };
                source.current = open(file).map(|capture| (file, capture));
                continue;
            };
            if let Some((frame, found)) = capture.next_with_secrets() {
                secrets.extend_from_slice(found);
                let time = frame.time.map(|time| source.clock.apply(time));
                // what does not say its time comes with what was before it
                let at = time.unwrap_or(source.now);
                source.now = at;
                source.bytes.clear();
                source.bytes.extend_from_slice(frame.data);
                let Frame { number, digits, link_type, original_len, fcs_len, big_endian, .. } = frame;
                source.next = Some(Waiting {
                    file: *file,
                    number,
                    at,
                    time,
                    digits,
                    link_type,
                    original_len,
                    fcs_len,
                    big_endian,
                });
                return;
            }
            infos.push((*file, capture.info().clone()));
            source.current = None;
        }
    }
}
