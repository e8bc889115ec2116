//! One TLS connection: what is known of it, and what each record adds.

use crate::event::{Connection, Sealed, SecuredWhat};
use crate::session::closed;
use crate::session::conversations::exchange::Seen;
use crate::session::handshake::{ALERT_1_3, AlertSeen, Handshake, Heard, Role, State, What, learn};
use crate::wire::handshake::{ContentType, HandshakeType, Protocol};
use schemars::JsonSchema;
use serde::Serialize;

/// What is kept of one handshake message takes no more than about so many bytes.
const MAX_WEIGHT: usize = 64 << 10;
/// Rounds of data from the client and data from the server that are more than the tickets of TLS 1.3 look like.
const ROUNDS_1_3: u32 = 2;

/// What says that a connection is one of TURN or STUN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// STUN was read in it, with keys.
    Inside,
    /// The client offers a protocol of STUN or TURN (RFC 7443).
    Alpn,
    /// The server's port is one that is assigned to them (RFC 8489 §18.6, RFC 8656 §5).
    Port,
    /// The same client asks the same address and port for relays over another transport, and offers no protocol of the web.
    Server,
    /// The same client asks the same host for relays on another port, or somebody speaks STUN with the same address and port over another transport; and
    /// no protocol of the web is offered.
    Host,
    /// The server name asked for is that of a TURN server by its first label, and no protocol of the web is offered.
    Name,
}

impl Evidence {
    /// Whether it leaves no doubt.
    #[must_use]
    pub fn is_certain(self) -> bool {
        !matches!(self, Evidence::Host | Evidence::Name)
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Evidence::Inside => "stun-inside",
            Evidence::Alpn => "alpn",
            Evidence::Port => "port",
            Evidence::Server => "server",
            Evidence::Host => "host",
            Evidence::Name => "name",
        }
    }
}

/// A TLS connection, from its first record in the capture to its last.
#[derive(Debug, Default)]
pub struct TlsConnection {
    /// What says that it is of TURN; none for others.
    pub evidence: Option<Evidence>,
    /// The TCP connection, as far as it is known; of DTLS the ends of its flow, and nothing else.
    pub tcp: Connection,
    /// Whether it is DTLS over UDP.
    pub over_udp: bool,
    /// What was said, offered, agreed on and presented.
    pub handshake: Handshake,
    /// How often application data of the server followed on application data of the client: without keys, all that is known of answers.
    pub rounds: u32,
    /// The first such record that is an answer and no ticket.
    pub exchanged: Option<Seen>,
    /// Records that were opened with keys.
    pub opened: u64,
    /// Records that keys did not open, and the first reason.
    pub shut: (u64, Option<&'static str>),
    /// Bytes of the handshake messages that are kept of it, in what was made of them.
    pub(super) weight: usize,
    /// Who sent the last application data.
    spoke: Option<Role>,
    numbers: [u16; 2],
}

/// How far a TCP connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "TlsTcpState")]
pub enum TcpState {
    /// Neither closed nor reset in the capture.
    Open,
    /// Closed by FIN.
    Closed,
    /// Reset by RST.
    Reset,
    /// Not followed behind its handshake: nothing said by then that it was of TURN.
    Unwatched,
}

/// Who ended a TCP connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedBy {
    /// Who.
    pub role: Role,
    /// Whether by RST.
    pub reset: bool,
    /// Where.
    pub seen: Seen,
}

/// How a handshake that was not completed came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By an alert that is readable.
    Alert(AlertSeen),
    /// By a protected record of an alert's size.
    SealedAlert(Role, Seen),
    /// By FIN or RST without an alert.
    Closed(ClosedBy),
}

impl TlsConnection {
    pub(super) fn new(number: u32, connection: &Connection, first: Seen) -> TlsConnection {
        let handshake = Handshake { number, first, last: first, roles_known: true, ..Handshake::default() };
        TlsConnection { tcp: *connection, handshake, ..TlsConnection::default() }
    }

    /// A DTLS association with a TURN server, to be judged as TLS is.
    #[must_use]
    pub fn of_dtls(handshake: Handshake, evidence: Evidence) -> Option<TlsConnection> {
        let (way, first) = (handshake.way()?, handshake.first);
        let connection = Connection::new(way.client, way.server, first);
        let mut made = TlsConnection::new(handshake.number, &connection, first);
        made.evidence = Some(evidence);
        made.over_udp = true;
        made.handshake = handshake;
        Some(made)
    }

    /// Who ended the TCP connection first, and how.
    #[must_use]
    pub fn closed_by(&self) -> Option<ClosedBy> {
        let (role, seen, reset) = closed(&self.tcp)?;
        Some(ClosedBy { role, reset, seen })
    }

    /// How far the TCP connection came.
    #[must_use]
    pub fn tcp_state(&self) -> TcpState {
        match self.closed_by() {
            Some(ClosedBy { reset: true, .. }) => TcpState::Reset,
            Some(_) if self.tcp.rst.iter().any(Option::is_some) && self.tcp.fin.iter().any(Option::is_none) => {
                TcpState::Reset
            }
            Some(_) => TcpState::Closed,
            None if self.tcp.let_go => TcpState::Unwatched,
            None => TcpState::Open,
        }
    }

    /// How far the TLS connection came.
    #[must_use]
    pub fn state(&self) -> State {
        match self.handshake.state() {
            State::Incomplete if self.ending().is_some() => State::Failed,
            state => state,
        }
    }

    /// How the handshake ended, where it was begun in the capture, not completed, and ended.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        if self.handshake.completed.is_some() {
            return None;
        }
        let alert = self.handshake.fatal().map(|alert| Ending::Alert(*alert));
        let sealed = || self.handshake.refusal().map(|(role, seen)| Ending::SealedAlert(role, seen));
        let closed = || {
            let begun = self.handshake.from_start && self.handshake.sides.client.hello.is_some();
            self.closed_by().filter(|_| begun && !self.is_perhaps_complete()).map(Ending::Closed)
        };
        alert.or_else(sealed).or_else(closed)
    }

    /// Whether the client spoke STUN in the clear, from the connection's start on, and nothing of TLS.
    #[must_use]
    pub fn began_in_clear(&self) -> bool {
        self.tcp.stun
            && self.tcp.syn.is_some()
            && self.tcp.missing == [0; 2]
            && self.handshake.sides.client.last.is_none()
    }

    /// The server name that the client asks for.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.handshake.sides.client.hello.as_ref()?.server_name.as_deref()
    }

    /// Whether the handshake may have been completed though the capture does not show it: application data passed, or records are missing.
    #[must_use]
    pub fn is_perhaps_complete(&self) -> bool {
        let sides = &self.handshake.sides;
        let said = [Role::Client, Role::Server].iter().any(|&role| sides[role].data.records > 0);
        said || self.tcp.missing.iter().any(|&missing| missing > 0)
    }

    /// The first answer within data that went to and fro more often than any handshake: then it was completed, whether the capture shows that or
    /// cut it short.
    #[must_use]
    pub(in crate::session) fn spoke_at_length(&self) -> Option<Seen> {
        self.exchanged.filter(|_| self.rounds > ROUNDS_1_3)
    }

    /// Whether data went both ways in it and nobody opened it. Where the hello was read, only an answer that is no ticket of TLS 1.3 is one; where it was
    /// not, the client must have said more than its Finished, which may look like data.
    #[must_use]
    pub(in crate::session) fn spoke_sealed(&self) -> bool {
        let client = &self.handshake.sides.client;
        let answered = match &client.hello {
            Some(_) => self.exchanged.is_some(),
            None => self.rounds > 0 && (client.data.records > 1 || client.protected.is_some()),
        };
        answered && self.opened == 0
    }

    /// Whether the client offers a protocol of the web, as a browser does that opens a page.
    #[must_use]
    pub(in crate::session) fn is_of_web(&self) -> bool {
        let web = |name: &String| name == "h2" || name == "h3" || name.starts_with("http/") || name.starts_with("spdy");
        self.handshake.sides.client.hello.as_ref().is_some_and(|hello| hello.alpn.iter().any(web))
    }

    /// Whether the server name asked for is that of a TURN server.
    #[must_use]
    pub(in crate::session) fn is_named_for_turn(&self) -> bool {
        self.server_name().is_some_and(is_name_of_turn)
    }

    /// Something says that it is of TURN; the surest counts.
    pub(super) fn say(&mut self, evidence: Evidence) {
        self.evidence = Some(self.evidence.map_or(evidence, |known| known.min(evidence)));
    }

    /// Takes what a record tells.
    pub(super) fn take(&mut self, what: &SecuredWhat<'_>, role: Role, seen: Seen) {
        match what {
            &SecuredWhat::Message { kind, body, records, opened } => {
                self.message(role, kind, body, records, opened, seen)
            }
            SecuredWhat::Record(sealed) => self.record(role, sealed, seen),
        }
    }

    fn message(&mut self, role: Role, kind: HandshakeType, body: &[u8], pieces: u32, opened: bool, seen: Seen) {
        self.handshake.last = seen;
        let again = self.handshake.completed.is_some();
        if again && opened {
            // another handshake inside, a ticket, new keys: nothing of it changes what was agreed on first
            let more = u16::from(kind == HandshakeType::CLIENT_HELLO);
            self.handshake.renegotiations = self.handshake.renegotiations.saturating_add(more);
            return;
        }
        if kind == HandshakeType::CLIENT_HELLO
            && self.handshake.sides.client.last.is_none()
            && self.handshake.sides.server.last.is_none()
        {
            self.handshake.from_start = true;
        }
        self.weight += body.len().min(MAX_WEIGHT);
        let number = match role {
            Role::Client => self.numbers.first_mut(),
            Role::Server => self.numbers.last_mut(),
        };
        let sequence = number.map_or(0, |number| std::mem::replace(number, number.wrapping_add(1)));
        learn(&mut self.handshake, role, Protocol::Tls, &Heard { kind, sequence, body, pieces, seen }, &[]);
        let retry = kind == HandshakeType::SERVER_HELLO
            && self.handshake.retry_request.is_some()
            && self.handshake.chosen.is_none();
        self.flight(role, if retry { What::HelloRetryRequest } else { What::Message(kind) }, seen);
        if opened && kind == HandshakeType::FINISHED {
            self.finished(role, seen);
        }
    }

    fn record(&mut self, role: Role, sealed: &Sealed<'_>, seen: Seen) {
        self.handshake.sides[role].last = Some(seen);
        let kind = sealed.opened.unwrap_or(sealed.record.content_type);
        self.opened += u64::from(sealed.opened.is_some());
        if let Some(why) = sealed.shut {
            let (count, first) = &mut self.shut;
            *count += 1;
            first.get_or_insert(why);
        }
        let readable = !sealed.protected || sealed.opened.is_some();
        match kind {
            ContentType::ALERT if readable => {
                self.handshake.last = seen;
                self.handshake.alert(role, sealed.alert, seen);
            }
            ContentType::ALERT => self.sealed_alert(role, seen),
            ContentType::CHANGE_CIPHER_SPEC if !sealed.protected => self.change_cipher(role, seen),
            ContentType::HANDSHAKE if !sealed.protected => self.handshake.truncated |= sealed.record.truncated,
            ContentType::HANDSHAKE if sealed.opened.is_none() && self.handshake.completed.is_none() => {
                self.flight(role, What::Protected, seen);
                self.finished(role, seen);
            }
            ContentType::APPLICATION_DATA if sealed.opened.is_none() && self.handshake.is_1_3() => {
                self.hidden(role, sealed.record.length, sealed.record.truncated, seen);
            }
            ContentType::APPLICATION_DATA => self.data(role, sealed.record.length, seen),
            _ => {}
        }
    }

    /// In TLS 1.3 it says nothing (RFC 8446 §D.4).
    fn change_cipher(&mut self, role: Role, seen: Seen) {
        if !self.handshake.is_1_3() && self.handshake.sides[role].change_cipher.is_none() {
            self.handshake.sides[role].change_cipher = Some(seen);
            self.flight(role, What::ChangeCipherSpec, seen);
        }
    }

    fn sealed_alert(&mut self, role: Role, seen: Seen) {
        self.handshake.last = seen;
        self.handshake.sealed_alert(role, seen);
    }

    /// A record of TLS 1.3 that hides its type.
    fn hidden(&mut self, role: Role, length: usize, truncated: bool, seen: Seen) {
        // what the client sends before the server's keys is early data, and says nothing
        if role == Role::Client && self.handshake.sides.server.protected.is_none() {
            return;
        }
        let ours = self.handshake.sides[role].protected.is_some();
        if length == ALERT_1_3 && !truncated {
            return self.sealed_alert(role, seen);
        }
        if !ours {
            self.handshake.sides[role].protected = Some(seen);
            self.flight(role, What::Protected, seen);
            return;
        }
        // of the server's records those belong to its flight that come before the client's Finished
        let finished = self.handshake.sides.client.protected;
        if role == Role::Client || finished.is_some() {
            if role == Role::Server
                && let Some(finished) = finished
                && self.handshake.completed.is_none()
            {
                self.handshake.completed = Some(finished);
                self.handshake.last = seen;
            }
            self.data(role, length, seen);
        }
    }

    fn data(&mut self, role: Role, length: usize, seen: Seen) {
        // up to TLS 1.2 a server of TURN says nothing before it has the client's Finished, and is asked: what the capture lacks of that was there
        if role == Role::Server && self.handshake.chosen.is_some() && !self.handshake.is_1_3() {
            let shaken = self.handshake.last_flight();
            self.handshake.completed.get_or_insert(shaken);
            self.exchanged.get_or_insert(seen);
        }
        self.handshake.sides[role].data.add(length, seen);
        if role == Role::Server && self.spoke == Some(Role::Client) {
            self.rounds = self.rounds.saturating_add(1);
            let needed = if self.handshake.is_1_3() && self.opened == 0 { ROUNDS_1_3 } else { 1 };
            if self.rounds >= needed {
                self.exchanged.get_or_insert(seen);
            }
        }
        self.spoke = Some(role);
    }

    /// Finished of one end: up to TLS 1.2 the first record under its keys.
    fn finished(&mut self, role: Role, seen: Seen) {
        self.handshake.sides[role].protected.get_or_insert(seen);
        self.handshake.finished(!self.handshake.is_1_3());
    }

    fn flight(&mut self, role: Role, what: What, seen: Seen) {
        self.handshake.add_to_flight(role, what, seen, 0, |last| last.from == role);
    }
}

/// Whether a host's name begins as those of TURN servers do: `turn`, `turns`, `stun`, alone or with a number or a dash.
pub(in crate::session) fn is_name_of_turn(name: &str) -> bool {
    let (label, domain) = name.split_once('.').unwrap_or((name, ""));
    let label = label.to_ascii_lowercase();
    let rest = ["turns", "stuns", "turn", "stun", "coturn"].iter().find_map(|word| label.strip_prefix(word));
    !domain.is_empty()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c == '-' || c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;
    use crate::time::Timestamp;

    #[test]
    fn handshakes_inside_a_connection_are_counted_as_far_as_the_count_goes() {
        let seen = Seen { frame: 1, time: Timestamp(0) };
        let connection = Connection::new(Endpoint::v4([10, 0, 0, 1], 1), Endpoint::v4([10, 0, 0, 2], 5349), seen);
        let mut known = TlsConnection::new(0, &connection, seen);
        known.handshake.completed = Some(seen);
        let hello = SecuredWhat::Message { kind: HandshakeType::CLIENT_HELLO, body: &[], records: 1, opened: true };
        for _ in 0..70_000 {
            known.take(&hello, Role::Client, seen);
        }
        assert_eq!(known.handshake.renegotiations, u16::MAX);
    }
}
