//! One request and what came of it, reduced to what questions are later asked about.

use crate::event::IcmpAnswer;
pub use crate::frame::Seen;
use crate::net::{ClientAddress, Endpoint, MappedAddress, PeerAddress, RelayedAddress, ServerAddress};
use crate::session::credentials::Integrity;
use crate::session::tables::names::Name;
use crate::time::Span;
use crate::wire::stun::{Class, Method, TransactionId};

/// How many peers beside the first are kept of a request for permissions.
pub(in crate::session) const MAX_FURTHER_PEERS: usize = 8;

/// The verdicts on the integrity attributes of one message, in wire order.
pub type Verdicts = [Option<Integrity>; 2];

/// What a request says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// USERNAME.
    pub user: Option<Name>,
    /// USERHASH (RFC 8489 §14.4).
    pub userhash: Option<Name>,
    /// REALM.
    pub realm: Option<Name>,
    /// A digest of NONCE: compared, never shown.
    pub nonce: Option<u64>,
    /// Whether the nonce has the cookie of RFC 8489 §9.2, and which security features it promises.
    pub nonce_features: Option<NonceFeatures>,
    /// Which password algorithm it names (RFC 8489 §14.12).
    pub password_algorithm: Option<u16>,
    /// Whether it carries MESSAGE-INTEGRITY (SHA-1).
    pub integrity_sha1: bool,
    /// Whether it carries MESSAGE-INTEGRITY-SHA256.
    pub integrity_sha256: bool,
    /// The verdicts on them.
    pub integrity: Verdicts,
    /// LIFETIME, in seconds.
    pub lifetime: Option<u32>,
    /// REQUESTED-TRANSPORT, an IP protocol number.
    pub transport: Option<u8>,
    /// REQUESTED-ADDRESS-FAMILY or ADDITIONAL-ADDRESS-FAMILY: 1 for IPv4, 2 for IPv6.
    pub family: Option<u8>,
    /// EVEN-PORT, RESERVATION-TOKEN or another demand that narrows the choice of relay ports.
    pub wants_port: bool,
    /// CHANNEL-NUMBER.
    pub channel: Option<u16>,
    /// The first XOR-PEER-ADDRESS.
    pub peer: Option<PeerAddress>,
    /// How many XOR-PEER-ADDRESS attributes there are.
    pub peers: u16,
    /// CHANGE-REQUEST asks for the answer to come from elsewhere (RFC 5780 §7.2), or it tests a NAT in another way.
    pub nat_test: bool,
    /// A connectivity check of ICE (RFC 8445 §7), not a question to a server.
    pub check: bool,
    /// It carries an ACCESS-TOKEN (RFC 7635).
    pub access_token: bool,
    /// Bytes at the end of the first copy are missing from the capture.
    pub truncated: bool,
}

impl Asked {
    /// Whether the request is signed.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.integrity_sha1 || self.integrity_sha256
    }

    /// Who asks: the user name, or its hash where that hides it.
    #[must_use]
    pub fn user_or_hash(&self) -> Option<Name> {
        self.user.or(self.userhash)
    }
}

/// The security features that a nonce with the cookie of RFC 8489 §9.2 announces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NonceFeatures {
    /// Bit 0: the server has PASSWORD-ALGORITHMS.
    pub password_algorithms: bool,
    /// Bit 1: the server wants USERHASH.
    pub username_anonymity: bool,
}

/// What a response says.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The frame that brought it first.
    pub seen: Seen,
    /// The copy of the request that it is counted from: the last before it.
    pub to: Seen,
    /// Where it came from, if not from where the request went.
    pub from: Option<Endpoint>,
    /// `Class::Success` or `Class::Error`.
    pub class: Class,
    /// The error code; 0 on success.
    pub code: u16,
    /// The reason phrase.
    pub reason: Option<Name>,
    /// The capture cut the reason phrase short.
    pub reason_truncated: bool,
    /// REALM.
    pub realm: Option<Name>,
    /// A digest of NONCE.
    pub nonce: Option<u64>,
    /// The nonce of another answer to a copy of the same request, where it is another one: the client may use either.
    pub nonce_again: Option<u64>,
    /// What the nonce announces.
    pub nonce_features: Option<NonceFeatures>,
    /// SOFTWARE.
    pub software: Option<Name>,
    /// XOR-MAPPED-ADDRESS, or in classic STUN MAPPED-ADDRESS.
    pub mapped: Option<MappedAddress>,
    /// MAPPED-ADDRESS beside XOR-MAPPED-ADDRESS.
    pub mapped_plain: Option<MappedAddress>,
    /// XOR-RELAYED-ADDRESS; two in a dual allocation.
    pub relayed: [Option<RelayedAddress>; 2],
    /// LIFETIME, in seconds.
    pub lifetime: Option<u32>,
    /// ALTERNATE-SERVER.
    pub alternate: Option<ServerAddress>,
    /// UNKNOWN-ATTRIBUTES: the first ones.
    pub unknown: [Option<u16>; 4],
    /// Whether it carries PASSWORD-ALGORITHMS.
    pub password_algorithms: bool,
    /// THIRD-PARTY-AUTHORIZATION (RFC 7635 §6.1): whose access tokens the server takes.
    pub authorization: Option<Name>,
    /// The verdicts on its integrity attributes.
    pub integrity: Verdicts,
    /// Its FINGERPRINT does not fit it.
    pub fingerprint_bad: bool,
    /// Bytes at the end are missing from the capture.
    pub truncated: bool,
    /// How many more times it came.
    pub again: u16,
    /// A later answer to the same transaction that says something else, and its error code (0 for success): the server did not
    /// remember that it had answered.
    pub otherwise: Option<(Seen, u16)>,
}

impl Answer {
    /// A success of which nothing but the frame is remembered.
    #[must_use]
    pub fn bare(seen: Seen, to: Seen) -> Answer {
        Answer { seen, to, class: Class::Success, ..Answer::default() }
    }

    /// Whether it is an error with this code.
    #[must_use]
    pub fn is_error(&self, code: u16) -> bool {
        self.class == Class::Error && self.code == code
    }

    /// Whether it challenges: it brings a realm and a nonce (RFC 8489 §9.2.4).
    #[must_use]
    pub fn is_challenge(&self) -> bool {
        self.class == Class::Error && self.realm.is_some() && self.nonce.is_some()
    }
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its transaction id.
    pub id: TransactionId,
    /// Its method.
    pub method: Method,
    /// Who asked.
    pub client: ClientAddress,
    /// Who was asked.
    pub server: ServerAddress,
    /// The first copy of the request.
    pub first: Seen,
    /// Further copies that the client sent, in order; the first ones.
    pub again: Vec<Seen>,
    /// How many further copies there were.
    pub again_total: u32,
    /// How many of those came after the answer had been seen here.
    pub again_after_answer: u32,
    /// Whether a copy before the answer says something else. libjuice asks again with the id that was challenged, now with credentials, which comes
    /// before the challenge in a capture that is out of order.
    pub differs: bool,
    /// The last copy.
    pub last: Seen,
    /// What it says.
    pub asked: Asked,
    /// What was answered.
    pub answer: Option<Answer>,
    /// The ICMP error that it met.
    pub icmp: Option<IcmpAnswer>,
    /// Where it has no answer: the answer as the capture shows it on the other side of a NAT.
    pub answered_beyond: Option<Seen>,
    /// Whether an answer, had there been one, would have been seen: it was not dropped for want of room.
    pub watched: bool,
}

/// A request and its answer as they meet: what the ledger takes from an exchange, most of which are then forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'e> {
    /// Its transaction id.
    pub id: TransactionId,
    /// Its method.
    pub method: Method,
    /// Who asked.
    pub client: ClientAddress,
    /// Who was asked.
    pub server: ServerAddress,
    /// The first copy of the request.
    pub first: Seen,
    /// What it says.
    pub asked: &'e Asked,
    /// The peers beside the first that it asks for permissions for.
    pub further: &'e [PeerAddress],
    /// What was answered.
    pub answer: &'e Answer,
}

impl Settled<'_> {
    /// Whether a whole success names no relayed address, though it says as whom the server sees the client: no way to answer who asks for a relay
    /// (RFC 8656 §7.2).
    #[must_use]
    pub fn lends_nothing(&self) -> bool {
        self.asked.transport.is_some() && self.names_the_client_alone()
    }

    /// Whether no relay is lent and none was asked for: services that set up calls with an Allocate of their own leave out REQUESTED-TRANSPORT, which
    /// asks for one (RFC 8656 §7.1).
    #[must_use]
    pub(in crate::session) fn is_about_no_relay(&self) -> bool {
        self.asked.transport.is_none() && !self.asked.truncated && self.names_the_client_alone()
    }

    fn names_the_client_alone(&self) -> bool {
        let Answer { class, truncated, mapped, relayed, .. } = self.answer;
        *class == Class::Success && !truncated && mapped.is_some() && *relayed == [None; 2]
    }

    /// The round trip time, where only one copy of the request can have been answered.
    #[must_use]
    pub fn rtt(&self) -> Option<Span> {
        let Answer { seen, to, .. } = self.answer;
        if to.time == self.first.time { seen.time.passed_since(to.time) } else { None }
    }
}

impl Exchange {
    /// The request with its answer, if it has one.
    #[must_use]
    pub fn settled(&self) -> Option<Settled<'_>> {
        let &Exchange { id, method, client, server, first, ref asked, ref answer, .. } = self;
        Some(Settled { id, method, client, server, first, asked, further: &[], answer: answer.as_ref()? })
    }

    /// The error code that answered it; 0 for success, `None` for silence.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.code)
    }

    /// Whether it was answered by success.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.class == Class::Success)
    }

    /// Whether it was answered by an error.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.class == Class::Error)
    }

    /// Whether it names peers that are not known: the ledger has those beside the first where they were granted.
    #[must_use]
    pub fn has_unknown_peers(&self) -> bool {
        let all = !self.asked.truncated && usize::from(self.asked.peers) <= 1 + MAX_FURTHER_PEERS;
        self.asked.peers > 1 && !(all && self.succeeded())
    }

    /// Whether nothing came back to it, be it an answer or an ICMP error, and an answer would have been seen.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.watched && self.answer.is_none() && self.answered_beyond.is_none() && self.icmp.is_none()
    }

    /// How often the request was sent.
    #[must_use]
    pub fn times_sent(&self) -> u64 {
        u64::from(self.again_total) + 1
    }

    /// The least and the most that the round trip can have taken: counted from the last and from the first copy before the answer.
    #[must_use]
    pub fn rtt(&self) -> Option<(Span, Span)> {
        let answer = self.answer.as_ref()?;
        Some((answer.seen.time.passed_since(answer.to.time)?, answer.seen.time.passed_since(self.first.time)?))
    }

    /// The frames that prove it: first request, last request, answer.
    pub fn frames(&self) -> impl Iterator<Item = u64> {
        let last = (self.last.frame != self.first.frame && self.answer.is_none()).then_some(self.last.frame);
        [
            Some(self.first.frame),
            last,
            self.answer.as_ref().map(|answer| answer.seen.frame),
            self.icmp.map(|icmp| icmp.frame),
        ]
        .into_iter()
        .flatten()
    }
}
