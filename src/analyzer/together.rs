//! Several captures analysed as one event, and files of one capture read one after the other.

use super::{Analyzed, Analyzer, Core, Options};
use crate::capture::{Capture, CaptureInfo};
use crate::event::Row;
use crate::frame::Frame;
use crate::frame::Seen;
use crate::join::{Clock, File, Joins, MAX_POINTS, Merge, Picked, Picker, Survey, Trace, align};
use crate::packet::{Counts, Packet, Packets, Segment};
use crate::report;
use crate::time::Timestamp;
use std::io::Read;

/// A capture file, and the point that it was captured at: files of one point are parts of one capture, in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What the report calls it.
    pub path: String,
    /// The number of its point, from 0.
    pub point: usize,
}

/// Several captures, surveyed: what they share is known, and they can be analysed.
pub struct Together<'o, R: Read> {
    sources: Vec<Source>,
    open: &'o dyn Fn(u32) -> Option<Capture<R>>,
    clocks: Vec<Clock>,
    /// The points that share packets with each other, and what is known of them.
    groups: Vec<(Vec<usize>, Joins)>,
}

impl<'o, R: Read> Together<'o, R> {
    /// Looks for what the captures share. Every source is opened several times, by its index in the list; one that cannot be opened is passed over.
    #[must_use]
    pub fn new(sources: Vec<Source>, open: &'o dyn Fn(u32) -> Option<Capture<R>>) -> Self {
        let points = sources.iter().map(|source| source.point + 1).max().unwrap_or(0);
        let mut together = Together { sources, open, clocks: Vec::new(), groups: Vec::new() };
        let surveys: Vec<Survey> = (0..points).map(|point| together.survey(point, points)).collect();
        // of more points than there is room for, the last are read each by itself
        together.clocks = align(surveys.get(..MAX_POINTS).unwrap_or(&surveys));
        together.clocks.extend((together.clocks.len()..points).map(Clock::alone));
        let files: Vec<Vec<u32>> =
            (0..points).map(|point| together.files(point).map(|file| file.index).collect()).collect();
        for reference in 0..points {
            let members: Vec<usize> = (0..points)
                .filter(|&point| together.clocks.get(point).is_some_and(|clock| clock.reference == reference))
                .collect();
            if members.is_empty() {
                continue;
            }
            let mut trace = Trace::new(&surveys, &together.clocks, &files);
            if members.len() > 1 {
                let mut merge = Merge::new(&together.files_of(&members), &together.clocks, open);
                while let Some((point, frame)) = merge.next_frame() {
                    trace.frame(point, &frame);
                }
            }
            let joins = trace.finish().among(members.clone());
            together.groups.push((members, joins));
        }
        together
    }

    /// The groups of captures that share packets, each by the indices of its sources, in the order in which they are analysed.
    pub fn groups(&self) -> impl Iterator<Item = Vec<u32>> + '_ {
        self.groups.iter().map(|(members, _)| self.files_of(members).into_iter().map(|file| file.index).collect())
    }

    /// Shows all frames as the analysis will see them.
    pub fn frames(&self, each: &mut impl FnMut(&Frame<'_>)) {
        for (members, _) in &self.groups {
            let mut merge = Merge::new(&self.files_of(members), &self.clocks, self.open);
            while let Some((_, frame)) = merge.next_frame() {
                each(&frame);
            }
        }
    }

    /// Analyses the captures; `options` are asked for with the time of the first frame of each group that shares packets, `sink` gets the rows.
    ///
    /// # Errors
    /// Those of `options`.
    pub fn analyze<E>(
        self,
        options: &mut dyn FnMut(Timestamp) -> Result<Options, E>,
        sink: &mut impl FnMut(&Row<'_>),
    ) -> Result<Vec<Analyzed>, E> {
        let mut parts: Vec<Analyzed> = Vec::new();
        for (members, joins) in &self.groups {
            let merge = Merge::new(&self.files_of(members), &self.clocks, self.open);
            let mut part = self.analyze_group(merge, joins, options, sink)?;
            for (index, capture) in part.0.captures_mut() {
                let clock = self.sources.get(index as usize).and_then(|source| self.clocks.get(source.point));
                if let Some(clock) = clock.filter(|clock| clock.joined) {
                    report::line_up(capture, clock);
                }
            }
            parts.push(part);
        }
        let joins: Vec<&Joins> = self.groups.iter().map(|(_, joins)| joins).collect();
        if let Some(first) = parts.first_mut() {
            first.0.add_joins(report::joins(&joins));
        }
        Ok(parts)
    }

    fn analyze_group<E>(
        &self,
        mut merge: Merge<'_, R>,
        joins: &Joins,
        options: &mut dyn FnMut(Timestamp) -> Result<Options, E>,
        sink: &mut impl FnMut(&Row<'_>),
    ) -> Result<Analyzed, E> {
        let mut points = Points::default();
        let mut begun: Option<Analyzer> = None;
        let mut begin = |start| Ok(Analyzer::new(Options { joins: joins.clone(), ..options(start)? }));
        loop {
            let secrets = merge.take_secrets();
            let Some((point, frame)) = merge.next_frame() else { break };
            let analyzer = match &mut begun {
                Some(analyzer) => analyzer,
                None => begun.insert(begin(frame.time.unwrap_or_default())?),
            };
            analyzer.secrets(&secrets);
            analyzer.frame_at(&mut points, point, &frame, sink);
        }
        let analyzer = match begun {
            Some(analyzer) => analyzer,
            None => begin(Timestamp(0))?,
        };
        let files: Vec<(u32, String, CaptureInfo)> = merge
            .infos()
            .into_iter()
            .filter_map(|(index, info)| Some((index, self.sources.get(index as usize)?.path.clone(), info)))
            .collect();
        Ok(analyzer.finish_at(points, files, sink))
    }

    fn survey(&self, point: usize, points: usize) -> Survey {
        let mut survey = Survey::default();
        if points < 2 {
            return survey;
        }
        for file in self.files(point) {
            let Some(mut capture) = (self.open)(file.index) else { continue };
            while let Some(frame) = capture.next_frame() {
                survey.frame(&frame);
            }
            survey.lost(capture.info().lost_packets());
        }
        survey
    }

    fn files(&self, point: usize) -> impl Iterator<Item = File> + '_ {
        let numbered = (0u32..).zip(&self.sources);
        numbered
            .filter(move |(_, source)| source.point == point)
            .map(|(index, source)| File { index, point: source.point })
    }

    fn files_of(&self, points: &[usize]) -> Vec<File> {
        points.iter().flat_map(|&point| self.files(point)).collect()
    }
}

/// What is kept for each point while all are analysed as one.
#[derive(Debug, Default)]
struct Points {
    /// Fragments of a packet are put together where they were seen.
    packets: Vec<Packets>,
    picker: Picker,
}

impl Points {
    fn at(&mut self, point: usize) -> Option<(&mut Packets, &mut Picker)> {
        while self.packets.len() <= point.min(4096) {
            self.packets.push(Packets::default());
        }
        Some((self.packets.get_mut(point)?, &mut self.picker))
    }
}

impl Analyzer {
    /// As [`Analyzer::frame`], of a frame that one of several points shows.
    fn frame_at(&mut self, points: &mut Points, point: usize, frame: &Frame<'_>, sink: &mut impl FnMut(&Row<'_>)) {
        let Some(time) = self.begin(frame, sink) else { return };
        let (core, streams) = (&mut self.core, &mut self.streams);
        let Some((packets, picker)) = points.at(point) else { return };
        let mut empty = true;
        packets.dissect(frame, time, &mut |packet| {
            empty = false;
            let alone = core.session.joins().is_empty();
            // a connection through a NAT is one, with the addresses that it has on its client's side
            let packet = match packet {
                Packet::Segment(segment) => match core.session.joins().own_ends(segment.src, segment.dst) {
                    Some((src, dst)) => Packet::Segment(Segment { src, dst, ..segment }),
                    None => Packet::Segment(segment),
                },
                packet => packet,
            };
            let picked = if alone { Picked::New } else { picker.pick(core.session.joins(), point, time, &packet) };
            match (picked, packet) {
                (Picked::Copy, _) => {}
                (Picked::Again, Packet::Datagram(datagram)) => {
                    core.session.tells_again();
                    core.datagram(frame.number, time, &datagram, sink);
                    core.session.told_again();
                }
                (Picked::Underway, Packet::Datagram(datagram)) => core.underway(frame, time, &datagram),
                (_, packet) => core.packet(streams, Seen { frame: frame.number, time }, &packet, sink),
            }
        });
        core.beside_packets(frame, packets.neighbour_answered().filter(|_| empty));
    }

    /// As [`Analyzer::finish`], of several files.
    fn finish_at(
        mut self,
        points: Points,
        files: Vec<(u32, String, CaptureInfo)>,
        sink: &mut impl FnMut(&Row<'_>),
    ) -> Analyzed {
        self.drain(sink);
        let mut counts = Counts::default();
        for mut packets in points.packets {
            packets.finish();
            self.core.session.lost_packets(packets.incomplete(), packets.counts());
            counts.add(packets.counts());
        }
        self.conclude(files, &counts)
    }
}

impl Core {
    /// An answer that has not passed the last point on its way: where it does not come, the client did not get it.
    fn underway(&mut self, frame: &Frame<'_>, time: Timestamp, datagram: &crate::packet::Datagram<'_>) {
        let Some(message) = crate::wire::stun::Message::recognise(datagram.payload, datagram.truncated) else { return };
        if self.filters.ends(datagram.src, datagram.dst) {
            let seen = crate::session::Seen { frame: frame.number, time };
            self.session.answer_underway(message.transaction_id(), datagram.src, datagram.dst, seen);
        }
    }
}
