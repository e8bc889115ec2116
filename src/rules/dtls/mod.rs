//! DTLS: why a handshake broke, or what is wrong with one that did not. Of one association one story is told; [`Reading`] says which.

mod alerts;
mod certificate;
mod closing;
mod fragments;
mod incomplete;
mod never_started;
mod obsolete;
mod reading;
mod rtcp;
mod signalled;
mod silence;

use super::evidence::{frames_at, ip_filter};
use super::travel::{self, Sought, Whereabouts};
use super::{Confidence, Judge, Occurrence, Remedy, Rule, Severity, Subject, View};
use crate::join::Kind;
use crate::net::{ClientAddress, Endpoint, PeerAddress, RelayedAddress, ServerAddress};
use crate::session::handshake::{Handshake, Role, Way};
use crate::session::{Grievance, Inside};
use crate::wire::handshake::HandshakeType;
use reading::Reading;

const NO_ANSWER: &str = "dtls-no-answer";
const UNREACHABLE: &str = "dtls-unreachable";
const ROLE_CONFLICT: &str = "dtls-role-conflict";
const FRAGMENT_LOST: &str = "dtls-fragment-lost";
const HELLO_FRAGMENTED: &str = "dtls-hello-fragmented";
const CERTIFICATE_REJECTED: &str = "dtls-certificate-rejected";
const FINGERPRINT_MISMATCH: &str = "dtls-fingerprint-mismatch";
const CLOSED_EARLY: &str = "dtls-closed-early";
const OBSOLETE: &str = "dtls-obsolete";
const HANDSHAKE_FAILURE: &str = "dtls-handshake-failure";
const VERSION: &str = "dtls-version";
const ALERT: &str = "dtls-alert";
const CLOSED: &str = "dtls-closed";
const INCOMPLETE: &str = "dtls-incomplete";

/// What else keeps an answer with a certificate from arriving where small packets do, as the end of a sentence.
const TOO_LARGE: &str = ", or the answer, which holds a certificate, is too large for the path (a VPN or tunnel on it) and is dropped where small packets pass";
/// What to do about it, as a clause.
const SMALLER: &str = "lower the DTLS MTU of the server to 1200 bytes or less, or give it a smaller certificate (ECDSA on P-256 instead of RSA, no chain).";

#[rustfmt::skip] // one rule a line
pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[NO_ANSWER, UNREACHABLE, ROLE_CONFLICT], judge: Judge::Handshake(silence::judge) },
    Rule { ids: &[never_started::ID], judge: Judge::Ice(never_started::judge) },
    Rule { ids: &[FRAGMENT_LOST, HELLO_FRAGMENTED], judge: Judge::Handshake(fragments::judge) },
    Rule { ids: &[CERTIFICATE_REJECTED], judge: Judge::Handshake(certificate::judge_rejected) },
    Rule { ids: &[FINGERPRINT_MISMATCH], judge: Judge::Handshake(certificate::judge_mismatch) },
    Rule { ids: &[HANDSHAKE_FAILURE, VERSION, ALERT], judge: Judge::Handshake(alerts::judge) },
    Rule { ids: &[INCOMPLETE, CLOSED_EARLY], judge: Judge::Handshake(incomplete::judge) },
    Rule { ids: &[CLOSED_EARLY], judge: Judge::Handshake(closing::judge_early) },
    Rule { ids: &[CLOSED], judge: Judge::Handshake(closing::judge_closed) },
    Rule { ids: &[OBSOLETE], judge: Judge::Handshake(obsolete::judge) },
];

/// An association with what all findings about it share.
pub(super) struct Story<'h> {
    handshake: &'h Handshake,
    way: &'h Way,
    reading: Reading,
}

impl<'h> Story<'h> {
    pub(super) fn of(handshake: &'h Handshake) -> Option<Story<'h>> {
        Some(Story { handshake, way: handshake.way()?, reading: Reading::of(handshake) })
    }

    /// The address of an end: of one behind its relay its own, which tells whose log to look at, where the capture has that leg.
    fn end(&self, role: Role) -> Endpoint {
        let own = self.handshake.ways.iter().find_map(|way| way.relay_client(role));
        own.unwrap_or(match role {
            Role::Client => self.way.client,
            Role::Server => self.way.server,
        })
    }

    /// `the DTLS client 10.0.0.2:5000`; without a role where that is not known.
    fn named(&self, role: Role) -> String {
        let end = self.end(role);
        if self.handshake.roles_known { format!("the DTLS {} {end}", role.name()) } else { end.to_string() }
    }

    /// An occurrence about this association; `what` tells it from others of its id between the same hosts.
    fn occurrence(&self, id: &'static str, severity: Severity, confidence: Confidence, what: &str) -> Occurrence {
        let (client, server) = (self.way.client, self.way.server);
        let handshake = self.handshake;
        let grievance = Grievance::new(client.ip(), None, server, handshake.first.time);
        Occurrence {
            key: format!("{} {}{}{what}", client.ip(), server.ip(), if what.is_empty() { "" } else { " " }),
            severity,
            confidence,
            remedy: Remedy::Association(grievance),
            at: handshake.first.time,
            frames: Vec::new(),
            filter: Some(self.filter()),
            subject: self.subject(),
            ..Occurrence::of(id, "RFC 9147 §5.8")
        }
    }

    /// Who is client and who is server; behind a relay, what it lent and whom it carries for.
    fn subject(&self) -> Subject {
        let (client, server) = (self.way.client, self.way.server);
        let mut subject = Subject::between(ClientAddress(client), ServerAddress(server));
        if let Some(Inside::Peer(peer)) = self.way.path.inside {
            subject.peer = Some(PeerAddress(peer));
            let near = if peer == client { server } else { client };
            subject.relayed = Some(RelayedAddress(near))
                .filter(|_| near != self.way.path.ends.low && near != self.way.path.ends.high);
        }
        subject
    }

    /// What a relay carries is STUN to Wireshark, which does not look into channels by itself, and may go over TCP.
    fn filter(&self) -> String {
        let ends = self.way.path.ends;
        if self.way.path.inside.is_some() {
            let port = self.ephemeral();
            let (hosts, tls) = (ip_filter(ends.low, ends.high), if ends.is_stream() { " || tls" } else { "" });
            return format!("(stun || dtls{tls}) && {hosts} && (udp.port == {port} || tcp.port == {port})");
        }
        let carrier = if ends.is_stream() { "tcp" } else { "udp" };
        format!("dtls && {} && {carrier}.port == {}", ip_filter(ends.low, ends.high), self.ephemeral())
    }

    /// The port that names the flow best: the higher one, which a host picked for itself.
    fn ephemeral(&self) -> u16 {
        let ends = self.way.path.ends;
        ends.low.port().max(ends.high.port())
    }

    /// What several captures tell of the datagrams of the handshake; those of `from` count.
    fn whereabouts(&self, from: Role, what: &'static str, view: &View<'_>) -> Whereabouts {
        // of parts that are lost it is known that they do not get there
        let how_far = self.reading != Reading::FragmentLost;
        let ends = self.way.path.ends;
        let from = if self.way.low == from { ends.low } else { ends.high };
        let times = [self.handshake.first.time, self.handshake.last.time];
        let sought = Sought { kinds: &[Kind::Dtls], what, from: Some(from), times, how_far };
        travel::of_path(&self.way.path, &sought, view)
    }

    /// How DTLS was carried, in words, with a blank before it; empty where nothing carried it.
    fn through(&self) -> String {
        let layers: Vec<&str> = self.way.via.iter().flatten().copied().collect();
        match layers.as_slice() {
            [] => String::new(),
            layers if self.way.path.inside.is_some() => format!(" through the relay ({})", layers.join(", ")),
            layers => format!(" ({})", layers.join(", ")),
        }
    }
}

/// The frames in which the ClientHello was sent, again and again.
fn hello_frames(handshake: &Handshake) -> Vec<u64> {
    let hello = crate::session::handshake::What::Message(HandshakeType::CLIENT_HELLO);
    let flights = handshake.flights.iter().filter(|flight| flight.messages.contains(&hello));
    frames_at(flights.flat_map(|flight| flight.times.iter().copied()))
}
