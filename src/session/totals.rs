//! Sums over the whole capture, and the first frames of what is told once with a count.

use super::conversations::conversation::Conversation;
use super::conversations::exchange::{Exchange, Seen};
use super::credentials::{Credentials, Identity};
use super::flow::Flow;
use crate::bounded::BoundedMap;
use crate::net::Endpoint;
use crate::problem::Problem;
use crate::wire::stun::{Class, HEADER, Method};
use crate::wire::vpn::Vpn;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many frames are kept as samples of a thing that may happen a million times.
const MAX_SAMPLES: usize = 8;
/// How many senders of improper messages are told apart.
const MAX_SENDERS: usize = 32;
/// Message types below this are those of methods 0 to 31.
const COMMON: u16 = 0x200;
/// How many different things are counted by name.
const MAX_KINDS: usize = 512;

/// A count with its first frames.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// How often.
    pub total: u64,
    /// Where; the first ones.
    pub frames: Vec<u64>,
}

impl Sample {
    /// Once more.
    pub fn add(&mut self, frame: u64) {
        self.total += 1;
        if self.frames.len() < MAX_SAMPLES && self.frames.last() != Some(&frame) {
            self.frames.push(frame);
        }
    }
}

/// Counts by the address of the sender, with the first ends of each.
#[derive(Clone, Debug, Default)]
pub struct BySender {
    /// By sender; the first ones.
    pub senders: BTreeMap<IpAddr, Sender>,
    /// How often altogether.
    pub total: u64,
}

/// What one sender sent.
#[derive(Clone, Debug)]
pub struct Sender {
    /// How often, and where.
    pub sample: Sample,
    /// The ends of the first one.
    pub src: Endpoint,
    /// The ends of the first one.
    pub dst: Endpoint,
    /// When it was sent.
    pub first: Seen,
}

impl BySender {
    /// Once more; `false` where the sender found no room.
    pub fn add(&mut self, src: Endpoint, dst: Endpoint, seen: Seen) -> bool {
        self.total += 1;
        let new = || Sender { sample: Sample::default(), src, dst, first: seen };
        let Some(sender) = self.senders.entry_up_to(MAX_SENDERS, src.ip(), new) else { return false };
        sender.sample.add(seen.frame);
        true
    }
}

/// How often one credential was tried, and with what success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CredentialUse {
    /// Requests that verify with it.
    pub requests: u64,
    /// Responses that verify with it.
    pub responses: u64,
    /// Messages to which it applies and that verify with no given credential.
    pub mismatched: u64,
}

/// The counts of messages; what another point of the capture shows again is no part of them.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// By message type, for the types of all common methods.
    common: Vec<u64>,
    /// By message type, for the others.
    stun: Vec<(u16, u64)>,
    errors: BTreeMap<u16, u64>,
    /// TURN ChannelData messages.
    pub channel_data: u64,
    /// DTLS records by content type; 32 for those of DTLS 1.3 that hide theirs.
    pub dtls: BTreeMap<u8, u64>,
    /// RTP packets.
    pub rtp: u64,
    /// RTCP packets.
    pub rtcp: u64,
    /// How the credentials fared, by their number.
    pub credentials: BTreeMap<u32, CredentialUse>,
}

/// The sums.
#[derive(Debug, Default)]
pub struct Totals {
    /// The messages.
    pub messages: Messages,
    /// TLS records of connections of TURN, by content type.
    pub tls: BTreeMap<u8, u64>,
    /// ChannelData over TCP without the padding of RFC 8656 §12.5, by sender.
    pub unpadded: BySender,
    /// ChannelData over TCP in which the padding is counted as data, by sender.
    pub padded: BySender,
    /// The same in datagrams, which need no padding and may have it.
    pub padded_datagrams: BySender,
    /// ChannelData over TCP, and DTLS records in ChannelData over UDP, of a length that is no multiple of 4, by sender.
    pub odd_lengths: BySender,
    /// Messages captured twice.
    pub mirrored: Sample,
    /// Messages that the snap length cut.
    pub truncated: Sample,
    /// Those of them that are error responses, their code being cut off.
    pub hidden_errors: Sample,
    /// The most bytes that the capture holds of a frame that it holds whole, and of one that it cut short; ordinary datagrams are left out.
    pub longest: [usize; 2],
    /// Datagrams of which the capture holds too little to tell what they are.
    pub unseen: Sample,
    /// Datagrams with the look of tunnels that hide what they carry.
    pub vpn: BTreeMap<Vpn, u64>,
    /// Signed messages that could not be verified for it.
    pub unverifiable: Sample,
    /// Messages with a wrong FINGERPRINT, by sender.
    pub fingerprint_bad: BySender,
    /// Messages whose structure is broken, by sender.
    pub malformed: BySender,
    /// What is broken about the first of each sender.
    pub malformed_how: BTreeMap<IpAddr, Problem>,
    /// Responses whose request is not in the capture.
    pub orphans: Sample,
    /// Those of them whose client had been heard for a while: the capture has holes.
    pub holes: u64,
    /// Flows of which one direction only was captured.
    pub one_sided: Sample,
    /// How many transactions there were.
    pub transactions: u64,
}

impl Totals {
    /// Counts a STUN message.
    #[inline]
    pub fn stun(&mut self, message_type: u16) {
        match self.messages.common.get_mut(usize::from(message_type)) {
            Some(count) => *count += 1,
            None => self.other_stun(message_type),
        }
    }

    #[cold]
    fn other_stun(&mut self, message_type: u16) {
        if message_type < COMMON {
            self.messages.common.resize(usize::from(COMMON), 0);
            return self.stun(message_type);
        }
        if let Some((_, count)) = self.messages.stun.iter_mut().find(|(known, _)| *known == message_type) {
            *count += 1;
        } else if self.messages.stun.len() < MAX_KINDS {
            self.messages.stun.push((message_type, 1));
        }
    }

    /// Counts a datagram of a tunnel.
    #[cold]
    pub fn vpn(&mut self, vpn: Vpn) {
        *self.vpn.entry(vpn).or_default() += 1;
    }

    /// Counts an error code.
    pub fn error(&mut self, code: u16) {
        if let Some(count) = self.messages.errors.entry_up_to(MAX_KINDS, code, || 0) {
            *count += 1;
        }
    }

    /// STUN messages by method and class, in the order of the message types.
    #[must_use]
    pub fn stun_by_kind(&self) -> Vec<(Method, Class, u64)> {
        let common = (0..COMMON).zip(self.messages.common.iter().copied()).filter(|&(_, count)| count > 0);
        let mut all: Vec<(u16, u64)> = common.chain(self.messages.stun.iter().copied()).collect();
        all.sort_unstable();
        all.into_iter().map(|(kind, count)| (Method::of(kind), Class::of(kind), count)).collect()
    }

    /// STUN messages altogether.
    #[must_use]
    pub fn stun_total(&self) -> u64 {
        self.stun_by_kind().iter().map(|(_, _, count)| count).sum()
    }

    /// Error responses by code.
    #[must_use]
    pub fn errors(&self) -> &BTreeMap<u16, u64> {
        &self.messages.errors
    }

    /// Whether so much is missing from the middle of the capture that absence proves nothing.
    #[must_use]
    pub(super) fn has_holes(&self) -> bool {
        const FEW: u64 = 2;
        const SHARE: u64 = 100;
        self.holes >= FEW && self.holes.saturating_mul(SHARE) >= self.transactions
    }

    /// Whether the snap length left headers only: no frame is longer than the longest that it cut, and no message could stand in that.
    #[must_use]
    pub fn holds_headers_only(&self) -> bool {
        // Ethernet, IPv4, TCP with the usual options, and the header of a STUN message
        const WITH_MESSAGE: usize = 14 + 20 + 32 + HEADER;
        let [whole, cut] = self.longest;
        (whole..WITH_MESSAGE).contains(&cut) && cut > 0
    }

    /// A message whose structure is broken.
    pub fn malformed(&mut self, src: Endpoint, dst: Endpoint, seen: Seen, problem: Problem) {
        if self.malformed.add(src, dst, seen) {
            self.malformed_how.entry(src.ip()).or_insert(problem);
        }
    }

    /// The numbers of one credential.
    pub fn credential(&mut self, number: u32) -> &mut CredentialUse {
        self.messages.credentials.entry(number).or_default()
    }

    /// A message of this identity verifies with no credential: counts it for each that should have signed it.
    pub fn mismatch(&mut self, credentials: &Credentials, identity: &Identity<'_>) {
        credentials.applying(identity, |number| self.credential(number).mismatched += 1);
    }

    /// A flow that is over: whether one of its directions is missing from the capture. Answers without requests prove it, and so
    /// does a client that goes on as only an answer lets it.
    pub fn flow(&mut self, flow: &Flow) {
        let [low, high] = &flow.directions;
        let silent = flow.packets.contains(&0);
        let orphans = low.orphans + high.orphans > 0;
        // who goes on from another port had its answers at the old one
        let is_alone = |known: &Conversation| known.answered == 0 && known.moved.is_none();
        let went_on =
            flow.conversation.as_ref().is_some_and(|known| is_alone(known) && known.went_on() && shows_answers(known));
        // of the other side of a NAT it is told already
        if silent && flow.twin_of.is_none() && (orphans || went_on) {
            self.one_sided.add(flow.first.frame);
        }
    }
}

/// Whether what a client does shows that it is answered: not where it began before the capture, and need not be, or repeats what it asks.
fn shows_answers(conversation: &Conversation) -> bool {
    let once = |exchange: &&Exchange| exchange.again_total == 0;
    !conversation.began_before || conversation.exchanges.iter().filter(once).count() > 1
}
