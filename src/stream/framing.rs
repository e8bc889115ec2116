//! Where one message ends and the next begins in a byte stream.
//!
//! STUN and ChannelData follow each other, ChannelData padded to a multiple of 4 (RFC 8489 §6.2.2, RFC 8656 §12.5); ICE over TCP puts a length of
//! two bytes before each message (RFC 4571, RFC 6544 §3); Microsoft's TURN puts a type and a length before it. Records of TLS are cut like messages.

use super::head::{self, Head};
use crate::wire::tls;

/// What stood around a message in its byte stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Nothing: the message's own header says how long it is. So it is in datagrams too.
    #[default]
    Bare,
    /// Two bytes of length (RFC 4571), as between ICE agents over TCP (RFC 6544 §3).
    Rfc4571,
    /// Type and length, four bytes, as in Microsoft's TURN over TCP.
    MsTurn,
    /// A record of TLS, which is no message itself (RFC 8446 §5.1); what it protects is a stream of its own.
    Tls,
}

/// One message of a byte stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message, without what frames it and without padding.
    pub bytes: &'a [u8],
    /// Whether bytes at its end are missing from the capture.
    pub truncated: bool,
    /// What stood around it.
    pub framing: Framing,
    /// Whether the ChannelData before it lacked the padding that RFC 8656 §12.5 asks for.
    pub unpadded_before: bool,
    /// Whether a relay carries it between its client and a peer: the connection is bound to the peer's (RFC 6062 §4.4).
    pub bound: bool,
    /// Whether the place in the stream was lost before it, and how many bytes may have gone by that no message accounts for.
    pub resumed: Option<u64>,
}

/// Bytes of ChannelData before its data.
const CHANNEL_HEADER: usize = 4;
/// The message type of a ConnectionBind success: what follows is the peer's (RFC 6062 §4.4).
const CONNECTION_BOUND: [u8; 2] = [0x01, 0x0b];
/// And of its request.
const CONNECTION_BIND: [u8; 2] = [0x00, 0x0b];
/// A longer record that nobody can open is not kept until it is complete.
const LONG: usize = 1024;
/// The content type of application data (RFC 8446 §5.1).
const APPLICATION_DATA: u8 = 23;
/// How many channels of one direction are remembered, to know ChannelData again by.
const CHANNELS: usize = 8;

/// Cuts one direction of a connection into messages. It takes the bytes in order, and is told where some are missing.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    mode: Mode,
    /// The start of a message that is not complete, with what frames it.
    pending: Vec<u8>,
    /// Bytes still to come of a message of which some are missing.
    skip: usize,
    /// Whether they belong to a record of which the header is kept, and told once they went by.
    passing: bool,
    /// Whether nobody can open records, nor wants more than their headers.
    sealed: bool,
    /// Padding that should stand before the next message.
    padding: usize,
    unpadded: bool,
    /// Bytes that went by since the place was lost.
    lost: u64,
    resumed: Option<u64>,
    channels: [u16; CHANNELS],
    next_channel: usize,
    /// Whether what comes is between a relay's client and a peer.
    bound: bool,
    /// Whether the success of a ConnectionBind was seen whose request is still to come.
    granted: bool,
    /// Bytes since then, as far as they came here.
    carried: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// At the first byte of the stream.
    #[default]
    Start,
    /// Within messages.
    Framed(Framing),
    /// Bytes were lost, or the start was: waits for a segment that begins with a message.
    Lost(Framing),
    /// A peer's own bytes (RFC 6062 §4.4), and no messages that are read here.
    Raw,
    /// None of what is read here.
    Other,
}

impl Framer {
    /// Expects the first byte of a stream.
    #[must_use]
    pub fn at_start() -> Self {
        Framer::default()
    }

    /// Expects to be somewhere in a stream.
    #[must_use]
    pub fn midway() -> Self {
        Framer { mode: Mode::Lost(Framing::Bare), ..Framer::at_start() }
    }

    /// Expects to be somewhere in a stream in which a relay uses this channel.
    #[must_use]
    pub fn midway_on(channel: u16) -> Self {
        let mut framer = Framer::midway();
        framer.note(&channel.to_be_bytes());
        framer
    }

    /// Expects to be somewhere in a stream of TLS records.
    #[must_use]
    pub fn midway_in_tls() -> Self {
        Framer { mode: Mode::Lost(Framing::Tls), ..Framer::at_start() }
    }

    /// Whether of long records of application data the header is enough: they come without their contents then, as though these had been cut off.
    pub fn seal(&mut self, sealed: bool) {
        self.sealed = sealed;
    }

    /// Whether the stream is one of TLS records.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.mode, Mode::Framed(Framing::Tls) | Mode::Lost(Framing::Tls))
    }

    /// Whether messages were recognised.
    #[must_use]
    pub fn is_framed(&self) -> bool {
        self.bound || matches!(self.mode, Mode::Framed(_) | Mode::Raw)
    }

    /// Whether what comes is between a relay's client and a peer (RFC 6062 §4.4).
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.bound
    }

    /// How many bytes of that came here, those that are missing among them.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.carried
    }

    /// Whether what comes is a peer's own bytes.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.mode == Mode::Raw
    }

    /// Whether the stream was seen from its start and is none of what is read here.
    #[must_use]
    pub fn is_other(&self) -> bool {
        self.mode == Mode::Other
    }

    /// Whether the place in the stream is lost, so that order does not matter until a message begins a segment.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self.mode, Mode::Lost(_) | Mode::Other | Mode::Raw)
    }

    /// Whether too little of the stream was seen to tell what it is.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.mode == Mode::Start
    }

    /// From here on the stream is between a relay's client and a peer (RFC 6062 §4.4): whatever the two agreed on, and nothing to the relay. ICE
    /// over TCP is known by its first message.
    pub fn bind(&mut self) {
        if !self.bound {
            self.bound = true;
            self.mode = Mode::Start;
            self.drop_pending();
        }
    }

    /// As [`Framer::bind`], once the ConnectionBind request has come: packets of two directions may be captured in another order than they were sent in.
    pub fn bind_after_request(&mut self) {
        self.granted = true;
    }

    /// The start of the stream, or the place in it, is gone: nothing is known but where messages began before.
    pub fn lose(&mut self) {
        match self.mode {
            Mode::Start if self.bound => self.mode = Mode::Raw,
            Mode::Start => self.mode = Mode::Lost(Framing::Bare),
            Mode::Framed(framing) => self.mode = Mode::Lost(framing),
            Mode::Lost(_) | Mode::Raw | Mode::Other => {}
        }
        self.drop_pending();
    }

    /// How many bytes of memory the unfinished message holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.pending.capacity()
    }

    /// Whether a message has begun that is not complete.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.pending.len() > self.padding
    }

    /// The bytes that wait for the rest of their message: the last ones that were taken.
    #[must_use]
    pub fn waiting(&self) -> &[u8] {
        if self.passing { &[] } else { &self.pending }
    }

    fn drop_pending(&mut self) {
        self.lost = self.lost.saturating_add(self.pending.len() as u64);
        self.pending = Vec::new();
        (self.skip, self.passing) = (0, false);
        self.padding = 0;
    }

    /// Takes the next bytes of the stream; they begin where a segment began, or where what was known of it ended.
    pub fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(Frame<'_>)) {
        let mut rest = bytes;
        if self.bound {
            self.carried += bytes.len() as u64;
        }
        if let Mode::Lost(framing) = self.mode {
            let found = head::resume(rest, framing, &self.channels);
            let Some(found) = found.filter(|&found| !self.bound || found == framing) else {
                self.lost = self.lost.saturating_add(rest.len() as u64);
                return;
            };
            self.mode = Mode::Framed(found);
            self.resumed = Some(std::mem::take(&mut self.lost));
        }
        while !rest.is_empty() {
            let was_bound = self.bound;
            if matches!(self.mode, Mode::Lost(_) | Mode::Raw | Mode::Other) {
                return;
            }
            if self.skip > 0 {
                let passed = self.skip.min(rest.len());
                rest = rest.get(passed..).unwrap_or_default();
                self.pass(passed, each);
            } else if self.pending.is_empty() {
                rest = self.step(rest, each);
            } else {
                rest = self.complete(rest, each);
            }
            if self.bound && !was_bound {
                self.carried = rest.len() as u64;
            }
        }
    }

    /// Takes it that so many bytes of the stream are not in the capture.
    pub fn missing(&mut self, count: usize, each: &mut impl FnMut(Frame<'_>)) {
        if self.bound {
            self.carried += count as u64;
        }
        if count == 0 || self.is_lost() {
            self.lost = self.lost.saturating_add(count as u64);
            return;
        }
        if self.skip >= count {
            return self.pass(count, each);
        }
        if self.passing {
            return self.lose();
        }
        let count = count - std::mem::take(&mut self.skip);
        if self.pads(count) {
            return;
        }
        self.lost = self.lost.saturating_add(count as u64);
        let Mode::Framed(framing) = self.mode else { return self.lose() };
        let pending = std::mem::take(&mut self.pending);
        let Head::Message { framing, header, length, padding } = head::of(&pending, Some(framing)) else {
            return self.lose();
        };
        let left = (header + length).saturating_sub(pending.len());
        let Some(padding) = padding.checked_sub(count.saturating_sub(left)).filter(|_| self.padding == 0) else {
            return self.lose();
        };
        if let Some(bytes) = pending.get(header..).filter(|bytes| bytes.len() >= CHANNEL_HEADER) {
            self.note(bytes);
            let (unpadded_before, resumed) = (std::mem::take(&mut self.unpadded), std::mem::take(&mut self.resumed));
            each(Frame { bytes, truncated: true, framing, unpadded_before, resumed, bound: self.bound });
        }
        self.skip = left.saturating_sub(count);
        self.padding = padding;
        self.lost = 0;
    }

    /// Whether bytes that are missing are of padding alone, of which nothing need be seen; if so they went by.
    fn pads(&mut self, count: usize) -> bool {
        let zeros = self.pending.iter().all(|&byte| byte == 0);
        match self.padding.checked_sub(self.pending.len() + count) {
            Some(left) if zeros => {
                self.padding = left;
                self.pending.clear();
                true
            }
            _ => false,
        }
    }

    /// At the start of a message with nothing kept; gives what is left.
    fn step<'r>(&mut self, rest: &'r [u8], each: &mut impl FnMut(Frame<'_>)) -> &'r [u8] {
        let rest = match self.after_padding(rest) {
            Some(rest) => rest,
            None => {
                self.pending.extend_from_slice(rest);
                return &[];
            }
        };
        if rest.is_empty() {
            return rest;
        }
        match self.head(rest) {
            Head::Message { framing, header, length, padding } => {
                if let Some((bytes, after)) = rest.split_at_checked(header + length) {
                    self.emit(bytes.get(header..).unwrap_or_default(), framing, padding, each);
                    return after;
                }
                self.mode = Mode::Framed(framing);
                if self.may_pass(framing, rest, length) {
                    self.pending.extend_from_slice(rest.get(..tls::HEADER).unwrap_or_default());
                    (self.skip, self.passing) = (length - rest.len(), true);
                    return &[];
                }
                // as much as the message will have, and no more: many wait at a time
                self.pending.reserve_exact((header + length).min(rest.len() * 4));
                self.pending.extend_from_slice(rest);
                &[]
            }
            Head::Short => {
                self.pending.extend_from_slice(rest);
                &[]
            }
            Head::Passed(count) => {
                self.skip = count.saturating_sub(rest.len());
                rest.get(count..).unwrap_or_default()
            }
            Head::Other => {
                self.give_in();
                &[]
            }
        }
    }

    /// Whether of this message, whose end is still to come, the header is enough.
    fn may_pass(&self, framing: Framing, start: &[u8], length: usize) -> bool {
        let data = framing == Framing::Tls && start.first() == Some(&APPLICATION_DATA);
        self.sealed && data && length > LONG && start.len() < length
    }

    /// Bytes go by that nobody wants, or that are missing; the record that they end is told.
    fn pass(&mut self, count: usize, each: &mut impl FnMut(Frame<'_>)) {
        self.skip -= count;
        if self.skip > 0 || !self.passing {
            return;
        }
        self.passing = false;
        let mut bytes = std::mem::take(&mut self.pending);
        let (framing, bound, resumed) = (Framing::Tls, self.bound, std::mem::take(&mut self.resumed));
        each(Frame { bytes: &bytes, truncated: true, framing, unpadded_before: false, bound, resumed });
        bytes.clear();
        self.pending = bytes;
    }

    /// With the start of a message kept: takes of `rest` what completes it; gives what is left.
    fn complete<'r>(&mut self, rest: &'r [u8], each: &mut impl FnMut(Frame<'_>)) -> &'r [u8] {
        let kept = self.pending.len();
        let wanted = if self.padding > 0 {
            self.padding + CHANNEL_HEADER
        } else {
            match self.head(&self.pending) {
                Head::Message { framing, length, .. } if self.may_pass(framing, &self.pending, length) => {
                    let pending = std::mem::take(&mut self.pending);
                    self.step(&pending, each);
                    return rest;
                }
                Head::Message { header, length, .. } => header + length,
                Head::Short => head::enough(kept),
                Head::Passed(_) => kept,
                Head::Other => {
                    self.give_in();
                    return &[];
                }
            }
        };
        let (taken, after) = rest.split_at_checked(wanted.saturating_sub(kept)).unwrap_or((rest, &[]));
        self.pending.extend_from_slice(taken);
        if self.pending.len() < wanted {
            return &[];
        }
        // all that is kept goes through again: it is a whole message now, or a whole header
        let mut pending = std::mem::take(&mut self.pending);
        let mut left = self.step(&pending, each).len();
        while left > 0 && self.pending.is_empty() && self.skip == 0 && self.is_open() {
            let from = pending.len().saturating_sub(left);
            left = self.step(pending.get(from..).unwrap_or_default(), each).len();
        }
        if self.pending.is_empty() && pending.capacity() <= 2048 {
            pending.clear();
            self.pending = pending;
        }
        after
    }

    fn is_open(&self) -> bool {
        matches!(self.mode, Mode::Start | Mode::Framed(_))
    }

    fn head(&self, bytes: &[u8]) -> Head {
        match self.mode {
            Mode::Framed(framing) => head::of(bytes, Some(framing)),
            _ if self.bound => head::rfc4571(bytes),
            _ => head::of(bytes, None),
        }
    }

    /// What stands here is no message.
    fn give_in(&mut self) {
        if self.mode == Mode::Start {
            self.mode = if self.bound { Mode::Raw } else { Mode::Other };
            self.drop_pending();
        } else {
            self.lose();
        }
    }

    /// What follows the padding that should stand here; `None` where more is needed to tell whether it does.
    fn after_padding<'r>(&mut self, rest: &'r [u8]) -> Option<&'r [u8]> {
        let padding = self.padding;
        if padding == 0 {
            return Some(rest);
        }
        let (told, after) = rest.split_at_checked(padding)?;
        // zeros with nothing behind them are padding; anything else may be the start of a message whose sender does not pad
        let enough = if after.is_empty() { told.iter().all(|&byte| byte == 0) } else { after.len() >= CHANNEL_HEADER };
        if !enough {
            return None;
        }
        self.padding = 0;
        let likely = |bytes: &[u8]| head::likely(bytes, &self.channels);
        if !after.is_empty() && likely(rest) > likely(after) {
            self.unpadded = true;
            return Some(rest);
        }
        Some(after)
    }

    fn emit(&mut self, bytes: &[u8], framing: Framing, padding: usize, each: &mut impl FnMut(Frame<'_>)) {
        self.mode = Mode::Framed(framing);
        self.padding = padding;
        self.note(bytes);
        let (unpadded_before, resumed) = (std::mem::take(&mut self.unpadded), std::mem::take(&mut self.resumed));
        if !bytes.is_empty() {
            each(Frame { bytes, truncated: false, framing, unpadded_before, resumed, bound: self.bound });
        }
        let granted = bytes.starts_with(&CONNECTION_BOUND) || self.granted && bytes.starts_with(&CONNECTION_BIND);
        if framing == Framing::Bare && granted {
            self.bind();
        }
    }

    /// Remembers the channel, if it is ChannelData.
    fn note(&mut self, bytes: &[u8]) {
        let &[c0, c1, ..] = bytes else { return };
        if self.is_tls() {
            return;
        }
        let channel = u16::from_be_bytes([c0, c1]);
        if c0 & 0xc0 == 0x40 && !self.channels.contains(&channel) {
            if let Some(slot) = self.channels.get_mut(self.next_channel) {
                *slot = channel;
            }
            self.next_channel = (self.next_channel + 1) % CHANNELS;
        }
    }
}
