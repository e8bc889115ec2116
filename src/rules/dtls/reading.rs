//! Which of the stories an association tells: the first that fits.

use crate::session::IcmpErrors;
use crate::session::handshake::{Handshake, Missing, Role, State, What};
use crate::time::{Span, Timestamp};
use crate::wire::handshake::{HandshakeType, Version};

/// A ClientHello that was sent so often, over so long, was waited for in vain.
const COPIES: u32 = 3;
const WAITED: Span = Span::from_secs(2);
/// A flight that was sent again so often does not get through.
const AGAIN: u32 = 2;
/// Errors that come after this time are about copies of a flight, not about its other datagrams.
const AGAIN_LATER: Span = Span::from_millis(300);
/// A hello of more bytes than this in one datagram may not pass everywhere: IPv6 carries 1280 with its headers, PPPoE 1492.
const LARGE: u32 = 1450;

/// What an association tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is complete.
    Complete,
    /// An ICMP error answers the ClientHello, and nothing else does.
    Unreachable,
    /// Nothing answers the ClientHello.
    NoAnswer,
    /// Both ends send a ClientHello.
    RoleConflict,
    /// A large or fragmented ClientHello after which the peer does not go on.
    HelloFragmented,
    /// Parts of a flight never come.
    FragmentLost,
    /// An alert in the clear says that a certificate is not taken.
    CertificateRejected,
    /// An alert says that there is nothing in common.
    HandshakeFailure,
    /// An alert says that there is no version in common.
    Version,
    /// Another fatal alert.
    Alert,
    /// It stops, for whatever reason.
    Stuck,
    /// What the capture holds says nothing.
    Nothing,
}

impl Reading {
    pub(super) fn of(handshake: &Handshake) -> Reading {
        if handshake.state() == State::Complete {
            return Reading::Complete;
        }
        if went_on(handshake) {
            return Reading::Nothing;
        }
        if !handshake.counter_hellos.is_empty() && handshake.chosen.is_none() {
            return Reading::RoleConflict;
        }
        let client_alone = !handshake.is_two_sided() && handshake.roles_known && handshake.sides.server.last.is_none();
        // who sends more than its hello was answered, where this capture does not look: then the error comes at the end of a call
        let refused = handshake.unreachable.as_ref().is_some_and(|&(from, _)| from == Role::Client);
        if refused && client_alone && !went_past_hello(handshake) {
            return Reading::Unreachable;
        }
        if let Some(reading) = by_alert(handshake) {
            return reading;
        }
        let lost = lost_packets(handshake) || lost_parts(handshake).next().is_some();
        if lost || turned_back(handshake).is_some() {
            return Reading::FragmentLost;
        }
        if client_alone {
            return if is_unanswered(handshake) { Reading::NoAnswer } else { Reading::Nothing };
        }
        if is_large(handshake) && !went_past_hello(handshake) {
            return Reading::HelloFragmented;
        }
        Reading::Stuck
    }
}

/// Whether DTLS or media went both ways long after the last record of the handshake: then the capture does not show all of it.
fn went_on(handshake: &Handshake) -> bool {
    let after = handshake.last.time.after(WAITED);
    let sides = &handshake.sides;
    let both = [Role::Client, Role::Server];
    let data = both.iter().all(|&role| sides[role].data.last.is_some_and(|seen| seen > handshake.last_flight()));
    let refused = handshake.refusal().is_some() || handshake.fatal().is_some();
    let last = &handshake.surroundings.data_last;
    // an alert at the end of a call takes nothing from what went both ways after the last flight
    let flown = handshake.flights.last().map(|flight| flight.last.time.after(WAITED));
    let alert = handshake.fatal().map(|fatal| fatal.seen.time).or(handshake.refusal().map(|(_, seen)| seen.time));
    let shook = alert.is_none_or(|alert| Some(alert) > flown);
    // nor is one in the clear data, by which an end closes what never began; copies of it may come a little later
    let closes = |role: Role, last: Timestamp| {
        let clear = handshake.alerts.iter().filter(|alert| alert.from == role).map(|alert| alert.seen.time);
        clear.map(|at| last.since(at)).any(|since| (Span(0)..WAITED).contains(&since))
    };
    let speaks = |role: Role, from| last[role].is_some_and(|last| last > from && !closes(role, last));
    if flown.is_some_and(|flown| shook && both.iter().all(|&role| speaks(role, flown))) {
        return true;
    }
    !refused && (data || both.iter().all(|&role| last[role].is_some_and(|last| last > after)))
}

fn by_alert(handshake: &Handshake) -> Option<Reading> {
    let fatal = handshake.fatal()?;
    let other = &handshake.sides[fatal.from.other()];
    let offered = handshake.sides.client.hello.as_ref().map(|hello| hello.versions.as_slice()).unwrap_or_default();
    let disjoint = handshake.chosen.as_ref().is_none_or(|chosen| !offered.contains(&chosen.version));
    Some(match fatal.alert.description.0 {
        42 | 46 | 48 if other.certificates.is_some() || !handshake.from_start => Reading::CertificateRejected,
        // a hello in pieces that cannot be read is answered by one of these
        10 | 47 | 50 if fatal.from == Role::Server && is_large(handshake) && !went_past_hello(handshake) => {
            Reading::HelloFragmented
        }
        40 | 47 | 71 => Reading::HandshakeFailure,
        70 if disjoint => Reading::Version,
        _ => Reading::Alert,
    })
}

/// Whether anything shows that the server has read the ClientHello: what it sent, or what the client sent next, also where the capture lacks the
/// ServerHello itself.
fn went_past_hello(handshake: &Handshake) -> bool {
    let sides = &handshake.sides;
    let is_hello =
        |what: &What| matches!(what, What::Message(HandshakeType::CLIENT_HELLO | HandshakeType::HELLO_VERIFY_REQUEST));
    handshake.chosen.is_some()
        || sides.server.protected.is_some()
        || sides.client.protected.is_some()
        || sides.server.missing.iter().any(|part| part.kind != HandshakeType::CLIENT_HELLO)
        || handshake.flights.iter().flat_map(|flight| &flight.messages).any(|what| !is_hello(what))
}

/// Whether the ClientHello was sent again and again without any DTLS in answer, and an answer would be in the capture.
fn is_unanswered(handshake: &Handshake) -> bool {
    let hello = What::Message(HandshakeType::CLIENT_HELLO);
    let Some(flight) = handshake.flights.first().filter(|flight| flight.messages.contains(&hello)) else {
        return false;
    };
    let waited = handshake.surroundings.judged.since(flight.first.time);
    // the second message of a client answers one of the server's: a cookie or another group was asked for, out of this capture's sight
    let side = &handshake.sides.client;
    if side.messages.iter().any(|message| message.sequence > 0) || side.missing.iter().any(|part| part.sequence > 0) {
        return false;
    }
    flight.repeated + 1 >= COPIES
        && waited >= WAITED
        && flight.last.time.since(flight.first.time) >= Span::from_millis(300)
}

/// Whether the ClientHello takes more than one fragment, or a datagram that may not pass everywhere.
pub(super) fn is_large(handshake: &Handshake) -> bool {
    let side = &handshake.sides.client;
    let whole = side.hello.as_ref().is_some_and(|hello| hello.fragments > 1);
    // of one that the capture cut short nobody can tell whether it came whole
    let in_parts = |message: &Missing| !message.truncated || message.length > LARGE;
    let begun = side.missing.iter().any(|message| message.kind == HandshakeType::CLIENT_HELLO && in_parts(message));
    whole || begun || side.hello.is_some() && side.largest_datagram > LARGE && side.messages.len() < 3
}

/// Messages of which parts never came although they were sent again and again. What the capture cut off says nothing.
pub(super) fn lost_parts(handshake: &Handshake) -> impl Iterator<Item = (Role, &Missing)> {
    let of = move |role: Role| {
        // it must be the sender of the message that sent again: else the capture may end before the rest comes
        let again = handshake.flights.iter().any(|flight| flight.from == role && flight.repeated >= AGAIN);
        let missing = handshake.sides[role]
            .missing
            .iter()
            .filter(move |message| again && came_again(message) && !message.truncated);
        missing.map(move |message| (role, message))
    };
    of(Role::Client).chain(of(Role::Server)).filter(|_| !handshake.truncated)
}

/// Whether parts of it came more than once, with a timer between them.
fn came_again(message: &Missing) -> bool {
    const TIMER: Span = Span::from_millis(30);
    let (first, last) = message.seen;
    last.time.since(first.time) >= TIMER
}

/// Whether IP fragments of it never came, and flights were sent again for it.
pub(super) fn lost_packets(handshake: &Handshake) -> bool {
    !handshake.ip_fragments.is_empty() && handshake.flights.iter().any(|flight| flight.repeated >= 1)
}

/// ICMP errors that say that a flight is too large for the path, where it was sent again and met them again. After such that come
/// once the sender may have made its datagrams smaller.
pub(super) fn turned_back(handshake: &Handshake) -> Option<&(Role, IcmpErrors)> {
    let told @ (from, known) = handshake.too_big.as_ref()?;
    let again = handshake.flights.iter().any(|flight| flight.from == *from && flight.repeated >= 1);
    let lasts = known.total > 1 && known.last.time.since(handshake.first.time) >= AGAIN_LATER;
    (again && lasts).then_some(told)
}

/// Whether a version is older than DTLS 1.2.
pub(super) fn is_obsolete(version: Version) -> bool {
    matches!(version, Version::DTLS_1_0 | Version::DTLS_OPENSSL)
}
