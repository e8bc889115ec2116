//! What is known of one DTLS association: the plain facts that rules and reports ask for.

/// Which of the two ends: the one that sends the ClientHello, `a=setup:active` (RFC 5763 §5), or the one that answers it.
pub use crate::session::credentials::Side as Role;

use super::flight::Flight;
use super::fragments::LostPacket;
use super::offer::{Chosen, Offer};
use crate::net::Endpoint;
use crate::session::conversations::exchange::Seen;
use crate::session::icmp::IcmpErrors;
use crate::session::path::{Inside, Path};
use crate::session::tls::Evidence;
use crate::time::{Span, Timestamp};
use crate::wire::handshake::certificate::{Fingerprint, Summary};
use crate::wire::handshake::{Alert, AlertLevel, HandshakeType, Version};
use schemars::JsonSchema;
use serde::Serialize;
use std::ops::{Index, IndexMut, Range};

/// One DTLS association, from its first record in the capture to its last.
#[derive(Debug, Default)]
pub struct Handshake {
    /// Its number in the order in which associations appear, from 0.
    pub number: u32,
    /// The ways on which it was seen, the first first: one for most, two or more where the capture shows both sides of a NAT or of a relay, or
    /// where ICE chose another pair meanwhile. At most 8.
    pub ways: Vec<Way>,
    /// Its first record.
    pub first: Seen,
    /// Its last record, other than application data.
    pub last: Seen,
    /// Whether its first record in the capture is the ClientHello, so that nothing can be missing before it.
    pub from_start: bool,
    /// Whether who is client and who server was told by a message that only one of them sends.
    pub roles_known: bool,
    /// What was seen of either end, by [`Role`].
    pub sides: Both<Side>,
    /// What was agreed on.
    pub chosen: Option<Chosen>,
    /// HelloVerifyRequest.
    pub verify_request: Option<Seen>,
    /// HelloRetryRequest.
    pub retry_request: Option<Seen>,
    /// The flights, in order; the first 16.
    pub flights: Vec<Flight>,
    /// Alerts in the clear, in order, copies left out; the first 8.
    pub alerts: Vec<AlertSeen>,
    /// ClientHellos of the end that is the server here: both ends wanted to be client. The first 8.
    pub counter_hellos: Vec<Seen>,
    /// What the first of them offers.
    pub counter_offer: Option<Box<Offer>>,
    /// When the handshake was complete.
    pub completed: Option<Seen>,
    /// Whether it takes up an earlier session: the server sends no certificate and finishes first.
    pub resumed: bool,
    /// Handshakes that followed inside this association under its keys.
    pub renegotiations: u16,
    /// The first ClientHello of the next association on the same way.
    pub superseded: Option<Seen>,
    /// ICMP errors that quote datagrams of an end, that of the first.
    pub unreachable: Option<(Role, IcmpErrors)>,
    /// ICMP errors that say that the datagrams of an end, that of the first, are too large for the way.
    pub too_big: Option<(Role, IcmpErrors)>,
    /// IP packets of its hosts, within its time, of which fragments never came; the first 8.
    pub ip_fragments: Vec<LostPacket>,
    /// Whether the snap length cut records in the clear.
    pub truncated: bool,
    /// What says that it is with a TURN server, as the transport of TURN (RFC 7350); none for those of calls.
    pub of_turn: Option<Evidence>,
    /// What else was seen on its ways, as far as it is known when it is judged.
    pub surroundings: Surroundings,
}

/// One way on which an association was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The way.
    pub path: Path,
    /// The client's end as ICE sees it: for what passes a relay the relayed address or the peer's, where the capture tells them.
    pub client: Endpoint,
    /// The server's end.
    pub server: Endpoint,
    /// Whose direction on [`Way::path`] is the lower end's.
    pub low: Role,
    /// Its first record here.
    pub first: Seen,
    /// Its last record here.
    pub last: Seen,
    /// Records from client and server.
    pub records: Both<u64>,
    /// Layers that carried it: `send`, `data`, `channel-data`, `dtls-in-stun`; none where it was in the datagram itself.
    pub via: [Option<&'static str>; 4],
}

impl Way {
    /// From where an end reaches the relay that it uses here.
    #[must_use]
    pub fn relay_client(&self, role: Role) -> Option<Endpoint> {
        let Some(Inside::Peer(peer)) = self.path.inside else { return None };
        let (own, other) = match role {
            Role::Client => (self.client, self.server),
            Role::Server => (self.server, self.client),
        };
        let ends = self.path.ends;
        (other == peer && own != peer).then_some(if self.low == role { ends.low } else { ends.high })
    }

    /// The role of whoever sends from this end of the path.
    pub(super) fn sender(&self, src: Endpoint) -> Role {
        if self.path.direction(src) == 0 { self.low } else { self.low.other() }
    }
}

/// What was seen of one end.
#[derive(Debug, Default)]
pub struct Side {
    /// Its hello, of a client the last one.
    pub hello: Option<Box<Offer>>,
    /// Handshake messages in the clear that came whole, in order; the first 24.
    pub messages: Vec<MessageSeen>,
    /// Messages of which parts did not come before the association was judged.
    pub missing: Vec<Missing>,
    /// Its certificates, its own first; `Some` and empty where it was asked and has none.
    pub certificates: Option<Vec<Certificate>>,
    /// Whether it asked the other end for a certificate, in the clear.
    pub certificate_request: Option<Seen>,
    /// ChangeCipherSpec.
    pub change_cipher: Option<Seen>,
    /// Protected handshake records: the first; with [`Side::change_cipher`] its Finished up to DTLS 1.2, epoch 2 of DTLS 1.3.
    pub protected: Option<Seen>,
    /// The first record of DTLS 1.3 under the application keys, epoch 3, that is no alert by its size.
    pub application_keys: Option<Seen>,
    /// Application data up to DTLS 1.2; all protected records of epoch 3 and later in DTLS 1.3, whatever they hold.
    pub data: Protected,
    /// Protected alerts by their size, all that is readable of them: the first and the last.
    pub sealed_alerts: Option<(Seen, Seen)>,
    /// Its last record of any kind.
    pub last: Option<Seen>,
    /// Bytes of its largest datagram with handshake records.
    pub largest_datagram: u32,
}

/// Records whose contents cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// How many; of DTLS 1.3, where copies cannot be told apart, those on the first way only.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first.
    pub first: Option<Seen>,
    /// The last.
    pub last: Option<Seen>,
}

/// A handshake message that came whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSeen {
    /// Its type.
    pub kind: HandshakeType,
    /// Its number in its direction.
    pub sequence: u16,
    /// Bytes of its body.
    pub length: u32,
    /// In how many fragments it came.
    pub fragments: u32,
    /// The frame that completed it.
    pub seen: Seen,
}

/// A handshake message of which parts never came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its type.
    pub kind: HandshakeType,
    /// Its number in its direction.
    pub sequence: u16,
    /// Bytes of its body.
    pub length: u32,
    /// The parts that are missing; the first 8.
    pub parts: Vec<Range<u32>>,
    /// How often its fragments were sent again.
    pub repeated: u32,
    /// Whether the capture cut the missing part off, so that nothing is known of it.
    pub truncated: bool,
    /// Its first and last fragment that came.
    pub seen: (Seen, Seen),
}

/// A certificate that went over the wire.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// SHA-256 of it, as session descriptions write it.
    pub fingerprint: Fingerprint,
    /// Its digests by the other functions that the given session descriptions use.
    pub others: Vec<Fingerprint>,
    /// What it says; none where it is no certificate.
    pub summary: Option<Summary>,
    /// The frame that completed it.
    pub seen: Seen,
}

/// An alert in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertSeen {
    /// Who sent it.
    pub from: Role,
    /// What it says.
    pub alert: Alert,
    /// Where.
    pub seen: Seen,
}

/// What was seen beside DTLS on the ways of an association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Datagrams of any kind from client and server on the flows of ways that no relay carries.
    pub packets: Both<u64>,
    /// Connectivity checks from client and server that were answered, on the same flows.
    pub checks_answered: Both<u32>,
    /// When the last datagram of any kind from client and server was seen on the same flows.
    pub last: Both<Option<Timestamp>>,
    /// When the last DTLS or media from client and server was seen on the same flows.
    pub data_last: Both<Option<Timestamp>>,
    /// Where else a server that answers nothing here sends its part of a handshake: another port of the same client's host, from which no hello came.
    pub answered_at: Option<(Endpoint, Seen)>,
    /// The capture's time when the association was judged.
    pub judged: Timestamp,
}

/// How far a DTLS association came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "DtlsState")]
pub enum State {
    /// Both ends finished.
    Complete,
    /// An alert ended the handshake.
    Failed,
    /// Neither is in the capture.
    Incomplete,
}

/// Who ended an association that was complete, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Who.
    pub by: Role,
    /// When.
    pub seen: Seen,
    /// Whether it is close_notify in the clear; else a protected alert at the end, which is close_notify in all likelihood.
    pub clear: bool,
}

impl Handshake {
    /// How far it came.
    #[must_use]
    pub fn state(&self) -> State {
        if self.completed.is_some() {
            State::Complete
        } else if self.fatal().is_some() || self.refusal().is_some() {
            State::Failed
        } else {
            State::Incomplete
        }
    }

    /// The alert in the clear that ended it, where one did before it was complete.
    #[must_use]
    pub fn fatal(&self) -> Option<&AlertSeen> {
        let before = |alert: &&AlertSeen| self.completed.is_none_or(|completed| alert.seen < completed);
        self.alerts.iter().find(|seen| seen.is_fatal() && before(seen))
    }

    /// A protected record of an alert's size before the handshake was complete: who sent it, and where. What it says is not readable. In a
    /// capture that lacks the beginning, one direction or the ends of records it may be the end of an association that was complete, and does not
    /// count; nor does one long after the last flight, or of an end that had gone on to data: the capture then lacks what completed the handshake.
    #[must_use]
    pub fn refusal(&self) -> Option<(Role, Seen)> {
        /// A flight that is not taken is refused at once.
        const AT_ONCE: Span = Span::from_secs(2);
        if self.completed.is_some() || !self.from_start || !self.is_two_sided() || self.truncated {
            return None;
        }
        let shaken = self.last_flight();
        let of = |role: Role| {
            let side = &self.sides[role];
            let (alert, _) = side.sealed_alerts?;
            // a server of DTLS 1.3 has its keys for data before it knows whether it is content with the client
            let early = role == Role::Server && (self.is_1_3() || side.application_keys.is_some());
            let content = !early && side.data.first.is_some_and(|data| data < alert);
            (!content && alert.time.since(shaken.time) < AT_ONCE).then_some((role, alert))
        };
        [of(Role::Client), of(Role::Server)].into_iter().flatten().min_by_key(|(_, seen)| *seen)
    }

    /// Who ended it before it was complete, without saying that anything is wrong: close_notify or user_canceled in the clear.
    #[must_use]
    pub fn given_up(&self) -> Option<&AlertSeen> {
        let ends = |alert: &&AlertSeen| matches!(alert.alert.description.0, 0 | 90);
        self.alerts.iter().filter(|_| self.completed.is_none()).find(ends)
    }

    /// The last record of the flights; where there are none, the last that is no data.
    #[must_use]
    pub fn last_flight(&self) -> Seen {
        self.flights.iter().map(|flight| flight.last).max().unwrap_or(self.last)
    }

    /// The way on which it was seen first.
    #[must_use]
    pub fn way(&self) -> Option<&Way> {
        self.ways.first()
    }

    /// The way of it that takes this path.
    #[must_use]
    pub fn way_on(&self, path: &Path) -> Option<&Way> {
        self.ways.iter().find(|way| way.path == *path)
    }

    /// The version, as far as it is known: agreed on, or the highest that the client offers.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        let offered = self.sides.client.hello.as_ref().and_then(|hello| hello.versions.first().copied());
        self.chosen.as_ref().map(|chosen| chosen.version).or(offered)
    }

    /// Whether version 1.3 was agreed on, which hides all but the hellos.
    #[must_use]
    pub fn is_1_3(&self) -> bool {
        self.chosen.as_ref().is_some_and(|chosen| matches!(chosen.version, Version::DTLS_1_3 | Version::TLS_1_3))
    }

    /// Who closed it after it was complete, and when: who did so first.
    #[must_use]
    pub fn closing(&self) -> Option<Closing> {
        let completed = self.completed?;
        let clear = self.alerts.iter().find(|seen| seen.alert.description.0 == 0 && seen.seen >= completed);
        if let Some(alert) = clear {
            return Some(Closing { by: alert.from, seen: alert.seen, clear: true });
        }
        let sealed = |role: Role| {
            let side = &self.sides[role];
            let (_, last) = side.sealed_alerts.filter(|(_, last)| *last > completed)?;
            let goes_on = side.data.last.is_some_and(|data| data > last);
            (!goes_on).then_some(Closing { by: role, seen: last, clear: false })
        };
        [sealed(Role::Client), sealed(Role::Server)].into_iter().flatten().min_by_key(|closing| closing.seen)
    }

    /// How long the handshake took, from its first record to the end of the last flight that it needs.
    #[must_use]
    pub fn duration(&self) -> Option<Span> {
        Some(self.completed?.time.since(self.first.time)).filter(|_| self.from_start)
    }

    /// How often flights were sent again.
    #[must_use]
    pub fn retransmits(&self) -> u64 {
        self.flights.iter().map(|flight| u64::from(flight.repeated)).sum()
    }

    /// Who goes on as only the other end's messages let it, while the capture holds none of them: it lacks what is sent to this end.
    #[must_use]
    pub fn acts_on_unseen(&self) -> Option<Role> {
        let Both { client, server } = &self.sides;
        let went_on = || {
            client.hello.is_some() && (client.protected.is_some() || client.sent(HandshakeType::CLIENT_KEY_EXCHANGE))
        };
        match (client.last, server.last) {
            (Some(_), None) if went_on() => Some(Role::Client),
            // who has chosen was offered something
            (None, Some(_)) if server.hello.is_some() => Some(Role::Server),
            _ => None,
        }
    }

    /// Whether records of both ends are in the capture.
    #[must_use]
    pub fn is_two_sided(&self) -> bool {
        [Role::Client, Role::Server].iter().all(|&role| self.sides[role].last.is_some())
    }
}

impl AlertSeen {
    /// Whether it ends the association: fatal by its level, or, in DTLS 1.3 where the level says nothing (RFC 8446 §6), by what it says.
    #[must_use]
    fn is_fatal(&self) -> bool {
        /// close_notify, user_canceled, no_renegotiation.
        const HARMLESS: [u8; 3] = [0, 90, 100];
        self.alert.level == AlertLevel::FATAL && !HARMLESS.contains(&self.alert.description.0)
    }
}

impl Side {
    /// Its own certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificates.as_ref()?.first()
    }
}

/// A thing of each end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
}

impl<T> Index<Role> for Both<T> {
    type Output = T;

    #[inline]
    fn index(&self, role: Role) -> &T {
        match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

impl<T> IndexMut<Role> for Both<T> {
    #[inline]
    fn index_mut(&mut self, role: Role) -> &mut T {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }
}
