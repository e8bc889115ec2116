//! Sums over the whole capture, and the first frames of what is told once with a count.

use super::credentials::{Credentials, Identity};
use super::flow::Flow;
use crate::problem::Problem;
use crate::wire::stun::{Class, Method};
use std::collections::BTreeMap;

/// How many frames are kept as samples of a thing that may happen a million times.
const MAX_SAMPLES: usize = 8;
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

/// The sums.
#[derive(Debug, Default)]
pub struct Totals {
    /// By message type; there are few, and the common ones come first.
    stun: Vec<(u16, u64)>,
    errors: BTreeMap<u16, u64>,
    /// TURN ChannelData messages.
    pub channel_data: u64,
    /// DTLS datagrams by the content type of their first record.
    pub dtls: BTreeMap<u8, u64>,
    /// RTP packets.
    pub rtp: u64,
    /// RTCP packets.
    pub rtcp: u64,
    /// Messages captured twice.
    pub mirrored: Sample,
    /// Messages that the snap length cut.
    pub truncated: Sample,
    /// Signed messages that could not be verified for it.
    pub unverifiable: Sample,
    /// Messages with a wrong FINGERPRINT.
    pub fingerprint_bad: Sample,
    /// Improper messages: the first ones with what is wrong.
    pub malformed: Vec<(u64, Problem)>,
    /// How many improper messages there were.
    pub malformed_total: u64,
    /// Responses whose request is not in the capture.
    pub orphans: Sample,
    /// Flows of which one direction only was captured.
    pub one_sided: Sample,
    /// How the credentials fared, by their number.
    pub credentials: Vec<CredentialUse>,
    /// How many transactions there were.
    pub transactions: u64,
}

impl Totals {
    /// Counts a STUN message.
    pub fn stun(&mut self, message_type: u16) {
        if let Some((_, count)) = self.stun.iter_mut().find(|(known, _)| *known == message_type) {
            *count += 1;
        } else if self.stun.len() < MAX_KINDS {
            self.stun.push((message_type, 1));
        }
    }

    /// Counts an error code.
    pub fn error(&mut self, code: u16) {
        if self.errors.len() < MAX_KINDS || self.errors.contains_key(&code) {
            *self.errors.entry(code).or_default() += 1;
        }
    }

    /// STUN messages by method and class, in the order of the message types.
    #[must_use]
    pub fn stun_by_kind(&self) -> Vec<(Method, Class, u64)> {
        let mut all = self.stun.clone();
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
        &self.errors
    }

    /// An improper message.
    pub fn malformed(&mut self, frame: u64, problem: Problem) {
        self.malformed_total += 1;
        if self.malformed.len() < MAX_SAMPLES {
            self.malformed.push((frame, problem));
        }
    }

    /// The numbers of one credential.
    pub fn credential(&mut self, number: u32) -> Option<&mut CredentialUse> {
        let number = number as usize;
        if self.credentials.len() <= number && number < 1 << 20 {
            self.credentials.resize(number + 1, CredentialUse::default());
        }
        self.credentials.get_mut(number)
    }

    /// A message of this identity verifies with no credential: counts it for each that should have signed it.
    pub fn mismatch(&mut self, credentials: &Credentials, identity: &Identity<'_>) {
        credentials.applying(identity, |number| {
            if let Some(used) = self.credential(number) {
                used.mismatched += 1;
            }
        });
    }

    /// A flow that is over: whether one of its directions is missing from the capture. Answers without requests prove it, and so
    /// does a client that goes on as only an answer lets it.
    pub fn flow(&mut self, flow: &Flow) {
        let [low, high] = &flow.directions;
        let silent = low.packets == 0 || high.packets == 0;
        let orphans = low.orphans + high.orphans > 0;
        let went_on = flow.conversation.as_ref().is_some_and(|known| known.answered == 0 && known.went_on());
        if silent && (orphans || went_on) {
            self.one_sided.add(flow.first.frame);
        }
    }
}
