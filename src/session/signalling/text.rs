//! Text with session descriptions in it: an SDP file, several in a row, SIP messages, logs.
//!
//! A description begins with a line `v=0` and goes on for as long as lines have the form of SDP. Where another line stands in between, the
//! description is taken for damaged if it goes on soon, else for over.

use super::DescriptionKind;
use super::drafts::{Drafts, MAX_CANDIDATES};
use super::sdp::{self, Block};
use std::borrow::Cow;

/// So many lines in a row that are none of SDP end a description.
const MAX_DAMAGED: usize = 3;

/// The longest candidate, in characters: a name, a dozen extensions.
const MAX_CANDIDATE: usize = 1024;

/// Where a text comes from, and what is known of the descriptions in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// What it is called.
    pub(super) origin: &'a str,
    /// The number of its first line.
    pub(super) first_line: usize,
    /// Whether descriptions after the first are told by their line.
    pub(super) several: bool,
    pub(super) kind: Option<DescriptionKind>,
    pub(super) local: Option<bool>,
    /// The agent of candidates that name none.
    pub(super) ufrag: Option<&'a str>,
}

/// Reads a file.
pub(super) fn read(bytes: &[u8], origin: &str) -> super::Read {
    let mut drafts = Drafts::default();
    let text = String::from_utf8_lossy(bytes);
    let source = Source { origin, first_line: 1, several: true, kind: None, local: None, ufrag: None };
    read_into(&text, source, &mut drafts);
    drafts.finish()
}

/// Reads a text for what else is known already.
pub(super) fn read_into(text: &str, source: Source<'_>, drafts: &mut Drafts) {
    let mut reader = Reader {
        source,
        drafts,
        open: None,
        damaged: Vec::new(),
        trickled: Vec::new(),
        begun: 0,
        origin: source.origin.into(),
    };
    let text = text.trim_start_matches('\u{feff}');
    for (line, number) in text.split('\n').zip(source.first_line..) {
        // old Mac line ends, and the doubled ones of careless tools
        for line in line.split('\r') {
            reader.line(line.trim(), number);
        }
    }
    reader.close();
}

struct Reader<'a, 'd> {
    source: Source<'a>,
    drafts: &'d mut Drafts,
    open: Option<Block>,
    /// Lines within the open description that are none of SDP.
    damaged: Vec<usize>,
    /// Lines within it that tell of candidates: they may be another's.
    trickled: Vec<String>,
    /// How many descriptions began.
    begun: usize,
    origin: Cow<'a, str>,
}

impl Reader<'_, '_> {
    fn line(&mut self, line: &str, number: usize) {
        if line.is_empty() {
            return;
        }
        if let Some((before, escaped)) = escaped(line) {
            return self.escaped(before, escaped, number);
        }
        if let Some(before) = line.strip_suffix("v=0").filter(|before| !before.ends_with(char::is_alphanumeric)) {
            let kind = kind_in(before).or(self.source.kind);
            return self.begin(kind, number);
        }
        if !sdp::is_line(line) {
            return self.other(line, number);
        }
        if self.open.is_none() {
            let telling = ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "m="];
            if !telling.iter().any(|known| line.starts_with(known)) {
                return self.candidates(line);
            }
            self.begin(self.source.kind, number); // a fragment (RFC 8840 §4.4), or a description without its head
        }
        for damaged in std::mem::take(&mut self.damaged) {
            self.drafts.warn(&self.origin, damaged, "not a line of SDP");
        }
        if let Some(Err(what)) = self.open.as_mut().map(|block| block.line(line)) {
            self.drafts.warn(&self.origin, number, what);
        }
    }

    fn begin(&mut self, kind: Option<DescriptionKind>, number: usize) {
        self.close();
        self.begun += 1;
        if self.source.several && self.begun > 1 {
            self.origin = format!("{} line {number}", self.source.origin).into();
        }
        self.open = Some(Block::new(kind, self.source.local));
    }

    /// A line that is none of SDP.
    fn other(&mut self, line: &str, number: usize) {
        let trickled = line.strip_prefix("candidate:").is_some();
        match &mut self.open {
            Some(block) if trickled => {
                if let Err(what) = block.line(&format!("a={line}")) {
                    self.drafts.warn(&self.origin, number, what);
                }
            }
            Some(_) if line.contains("candidate:") && self.trickled.len() < MAX_CANDIDATES => {
                self.trickled.push(line.to_owned());
            }
            Some(_) => {
                self.damaged.push(number);
                if self.damaged.len() > MAX_DAMAGED {
                    self.close();
                }
            }
            None => self.candidates(line),
        }
    }

    /// Candidates told one by one, wherever they stand in a line.
    fn candidates(&mut self, line: &str) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("candidate:") {
            rest = after;
            if !self.drafts.has_time() {
                return;
            }
            let ends = |c: char| matches!(c, ',' | '"' | '\'' | '\\' | '}' | ';');
            let told = after.char_indices().take(MAX_CANDIDATE);
            let end = told.take_while(|&(_, c)| !ends(c)).last().map_or(0, |(at, c)| at + c.len_utf8());
            let Some((candidate, ufrag)) = sdp::candidate(after.get(..end).unwrap_or_default()) else { continue };
            let ufrag = ufrag.as_deref().or(self.source.ufrag);
            self.drafts.trickle(&self.origin, self.source.local, ufrag, candidate);
        }
    }

    /// A description in one line, its line ends written as `\r\n`.
    fn escaped(&mut self, before: &str, escaped: &str, number: usize) {
        self.begin(kind_in(before).or_else(|| kind_in(escaped)).or(self.source.kind), number);
        let end = escaped.find(['"', '\'', '`']).unwrap_or(escaped.len());
        for line in escaped.get(..end).unwrap_or(escaped).split('\\') {
            // of `\\r\\n` only the letters are left
            let line = line.strip_prefix(['r', 'n']).unwrap_or(line).trim();
            if sdp::is_line(line)
                && let Some(Err(what)) = self.open.as_mut().map(|block| block.line(line))
            {
                self.drafts.warn(&self.origin, number, what);
            }
        }
        self.close();
    }

    fn close(&mut self) {
        self.damaged.clear();
        if let Some(block) = self.open.take() {
            block.finish(&self.origin, self.drafts);
        }
        for line in std::mem::take(&mut self.trickled) {
            self.candidates(&line);
        }
    }
}

/// The description in a line that has its line ends escaped, and what stands before it.
fn escaped(line: &str) -> Option<(&str, &str)> {
    let at = line.match_indices("v=0\\").map(|(at, _)| at).next()?;
    Some((line.get(..at)?, line.get(at..)?))
}

/// `type: offer`, `"type":"answer"`, near a description.
fn kind_in(text: &str) -> Option<DescriptionKind> {
    let after = text.rsplit_once("type")?.1;
    let word = after.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    DescriptionKind::named(word.split(|c: char| !c.is_ascii_alphabetic()).next()?)
}
