//! What several rules need to say: names and frames as a person reads them, whose words a server speaks, and which credential
//! signed what.

use super::{Subject, View};
use crate::frame::in_order;
use crate::net::{Endpoint, Transport};
use crate::session::credentials::{Derivation, Side, Status};
use crate::session::handshake::Offer;
use crate::session::{Answer, Asked, Conversation, Ends, Exchange, Name, Seen, Verdicts};
use crate::time::{Span, Timestamp};
use crate::wire::stun::Method;
use crate::wire::stun::integrity::Rule;
use std::fmt::Write as _;
use std::net::IpAddr;

/// A way of wording refusals, which decides what a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// coturn: an unknown user and a wrong password look the same.
    Coturn,
    /// pion/turn and what is built on it: a wrong password is a bare 400.
    Pion,
    /// Servers of the RFC 3489 and early TURN draft family, such as Cisco Expressway: 430 to 436 and 439 say what is wrong.
    Draft,
    /// As RFC 8489 has it, or not to be told.
    Standard,
}

impl Dialect {
    /// The dialect of a server, from SOFTWARE, reason phrases and codes.
    #[must_use]
    pub fn of(conversation: &Conversation, view: &View<'_>) -> Dialect {
        let software = conversation.software.map(|name| view.text(name).to_ascii_lowercase()).unwrap_or_default();
        if software.contains("coturn") || software.contains("rfc5766-turn-server") {
            return Dialect::Coturn;
        }
        if ["pion", "stunner", "livekit"].iter().any(|known| software.contains(known)) {
            return Dialect::Pion;
        }
        let errors =
            || conversation.exchanges.iter().filter_map(|exchange| exchange.answer.as_ref()).filter(|a| a.code != 0);
        if errors().any(|answer| matches!(answer.code, 430..=436 | 439)) {
            return Dialect::Draft;
        }
        let phrase = |answer: &Answer| answer.reason.map(|name| view.text(name)).unwrap_or_default();
        let coturn = ["Wrong nonce", "Forbidden IP", "Mismatched allocation", "Wrong TID", "Cannot create socket"];
        if errors().any(|answer| coturn.iter().any(|known| phrase(answer).starts_with(known))) {
            return Dialect::Coturn;
        }
        let mut count = 0;
        let silent = errors().all(|answer| {
            count += 1;
            !answer.truncated && phrase(answer).is_empty()
        });
        if silent && count > 0 && software.is_empty() { Dialect::Pion } else { Dialect::Standard }
    }

    /// The name that reports give it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Coturn => "coturn",
            Dialect::Pion => "pion",
            Dialect::Draft => "RFC 3489 and TURN drafts",
            Dialect::Standard => "RFC 8489",
        }
    }
}

/// What the integrity of one message proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It carries none.
    Unsigned,
    /// No given credential applies.
    Untested,
    /// The capture lacks the end of the message.
    Truncated,
    /// None of the credentials that apply made it; how many.
    Mismatch(u32),
    /// A credential made it.
    By {
        /// Its number.
        credential: u32,
        /// Its label.
        label: String,
        /// On which side it is configured.
        side: Option<Side>,
        /// How the key came from it.
        derivation: Derivation,
        /// Which bytes went under the HMAC.
        rule: Rule,
    },
}

impl Proof {
    /// What the verdicts on a message prove: the strongest of them.
    #[must_use]
    pub fn of(verdicts: &Verdicts, view: &View<'_>) -> Proof {
        let mut proof = Proof::Unsigned;
        for verdict in verdicts.iter().flatten() {
            match verdict.status {
                Status::Verified { credential, derivation, rule } => {
                    let described = view.session.credentials().describe(credential);
                    let side = described.as_ref().and_then(|known| known.side);
                    let label = described.map(|known| known.label.into_owned()).unwrap_or_default();
                    return Proof::By { credential, label, side, derivation, rule };
                }
                Status::Mismatch { tried } => proof = Proof::Mismatch(tried),
                Status::Truncated if proof == Proof::Unsigned => proof = Proof::Truncated,
                Status::Untested if proof == Proof::Unsigned => proof = Proof::Untested,
                _ => {}
            }
        }
        proof
    }

    /// The label of the credential that made it.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        match self {
            Proof::By { label, .. } => Some(label),
            _ => None,
        }
    }
}

/// The text with a capital at its beginning, for a sentence.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The sentence as it goes on after a colon.
pub(super) fn uncapital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

impl View<'_> {
    /// Whether the capture shows that it holds what is sent to a host: the host was served or sent something else, or a resolver answered it.
    pub(super) fn hears(&self, host: IpAddr) -> bool {
        self.session.clients().is_heard(host) || self.session.lookups().is_heard(host)
    }

    /// Whether the capture holds anything that is sent to a host, or was taken where both directions of others pass, so that an answer to it would be
    /// there too.
    pub(super) fn holds_answers(&self, host: IpAddr) -> bool {
        self.session.clients().coverage().has_both_ways() || self.hears(host)
    }

    /// Whom a finding about a conversation is about.
    pub(super) fn subject(&self, conversation: &Conversation, user: Option<Name>, realm: Option<Name>) -> Subject {
        Subject {
            client: Some(conversation.client),
            server: Some(conversation.server),
            transport: Some(conversation.transport),
            username: user.map(|name| self.text(name)),
            realm: realm.map(|name| self.text(name)),
            ..Subject::default()
        }
    }

    /// The text of a name.
    #[must_use]
    pub fn text(&self, name: Name) -> String {
        self.session.names().text(name)
    }

    /// A name in quotation marks, control characters escaped; or `(none)`.
    #[must_use]
    pub fn quoted(&self, name: Option<Name>) -> String {
        name.map_or_else(|| "(none)".to_owned(), |name| quote(&self.text(name)))
    }

    /// The user of a request in quotation marks; or the beginning of its hash, where it hides the name (RFC 8489 §14.4).
    #[must_use]
    pub fn user(&self, asked: &Asked) -> String {
        match (asked.user, asked.userhash) {
            (None, Some(hash)) => format!("the user with {}", self.text(hash)),
            (user, _) => self.quoted(user),
        }
    }

    /// The reason phrase of an answer: `431 Integrity Check Failure`.
    #[must_use]
    pub fn error(&self, answer: &Answer) -> String {
        let mut text = answer.code.to_string();
        let phrase = answer.reason.map(|name| self.text(name)).unwrap_or_default();
        if !phrase.trim().is_empty() {
            let _ = write!(text, " {}", phrase.trim().escape_debug());
        }
        text
    }

    /// The last time of the capture that has been seen.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.session.now()
    }
}

/// Text from a capture in quotation marks, with everything escaped that could drive a terminal.
#[must_use]
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') {
        quoted.push_str(text); // nearly always
    } else {
        for c in text.chars() {
            if c == '\'' { quoted.push(c) } else { quoted.extend(c.escape_debug()) }
        }
    }
    quoted.push('"');
    quoted
}

/// `a`, `a and b`, `a, b and c`; nothing of none.
#[must_use]
pub(super) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `a, b, c`; `none` of none.
#[must_use]
pub(super) fn all_of<T: ToString>(list: &[T]) -> String {
    if list.is_empty() {
        return "none".to_owned();
    }
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a ClientHello offers, as the beginning of a sentence.
#[must_use]
pub(super) fn offered(hello: &Offer) -> String {
    let Offer { versions, suites, groups, signatures, .. } = hello;
    let [suites, groups, signatures] = [all_of(suites), all_of(groups), all_of(signatures)];
    format!(
        "The client offers versions {}; suites {suites}; groups {groups}; signatures {signatures}",
        all_of(versions)
    )
}

/// `frame 7`, `frames 7 and 9`, `frames 7, 9 and 11`; at most the first four.
#[must_use]
pub(super) fn frames(frames: &[u64]) -> String {
    first_frames(frames, u64::try_from(frames.len()).unwrap_or(u64::MAX))
}

/// The same where `frames` are the first of `total`.
#[must_use]
pub(super) fn first_frames(frames: &[u64], total: u64) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = frames.iter().take(SHOWN).map(ToString::to_string).collect();
    match shown.as_slice() {
        [] => String::new(),
        [only] => format!("frame {only}"),
        _ if total > SHOWN as u64 => format!("frames {} and {} more", shown.join(", "), total - SHOWN as u64),
        _ => format!("frames {}", listed(&shown)),
    }
}

/// `1 check`, `2 checks`.
#[must_use]
pub(super) fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `once`, `2 times`.
#[must_use]
pub(super) fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

/// A date as a person writes it, in UTC.
#[must_use]
pub(super) fn date(time: Timestamp) -> String {
    let instant = jiff::Timestamp::from_second(time.seconds());
    instant.map(|instant| instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

/// A span in the unit that a person would pick for it, rounded down: `45 seconds`, `3 hours`, `1 day`; `less than a second`.
#[must_use]
pub(super) fn how_long(span: Span) -> String {
    let seconds = span.secs();
    if seconds == 0 && span > Span(0) {
        return "less than a second".to_owned();
    }
    let (count, unit) = match seconds.unsigned_abs() {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Whether the capture holds all that client and server said to each other: from the beginning, both ways, over TCP without gaps.
pub(super) fn is_whole(conversation: &Conversation) -> bool {
    let unbroken = conversation.connection.as_deref().is_none_or(|connection| connection.missing == [0, 0]);
    conversation.orphans == 0 && !conversation.began_before && conversation.both_heard() && unbroken
}

/// Whether a request of this method was cut short before it says which peer it is about.
pub(super) fn hides_a_peer(conversation: &Conversation, method: Method) -> bool {
    conversation.of(method).any(|known| known.asked.truncated && known.asked.peer.is_none())
}

/// A display filter for a client's STUN with a server.
#[must_use]
pub(super) fn filter_of(conversation: &Conversation) -> String {
    format!("{} && {}", layers(conversation.transport), flow_filter(conversation))
}

/// The same with the ICMP errors about it, in which Wireshark reads the packet that they quote.
#[must_use]
pub(super) fn filter_with_icmp(conversation: &Conversation) -> String {
    format!("(stun || icmp || icmpv6) && {}", flow_filter(conversation))
}

/// A display filter for a client's STUN from a port with whichever servers.
#[must_use]
pub(super) fn client_filter(conversation: &Conversation) -> String {
    let client = conversation.client.0;
    format!("{} && {} && {}", layers(conversation.transport), host_filter(client.ip()), port_filter(conversation))
}

/// A display filter for all that goes between a client and a server, whatever it is.
#[must_use]
pub(super) fn flow_filter(conversation: &Conversation) -> String {
    format!("{} && {}", ip_filter(conversation.client.0, conversation.server.0), port_filter(conversation))
}

fn port_filter(conversation: &Conversation) -> String {
    let carrier = if conversation.transport.is_stream() { "tcp" } else { "udp" };
    format!("{carrier}.port == {}", conversation.client.0.port())
}

/// What Wireshark shows STUN over a transport as, whether it has the keys or not.
#[must_use]
pub(super) fn layers(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp | Transport::Tcp => "stun",
        Transport::Tls => "(stun || tls)",
        Transport::Dtls => "(stun || dtls)",
    }
}

/// A display filter for what goes between two hosts, or within one.
#[must_use]
pub(super) fn ip_filter(one: Endpoint, other: Endpoint) -> String {
    let [one, other] = [one.ip(), other.ip()];
    if one == other { host_filter(one) } else { format!("{} && {}", host_filter(one), host_filter(other)) }
}

/// A display filter for what goes to or from a host.
#[must_use]
pub(super) fn host_filter(host: IpAddr) -> String {
    format!("{}.addr == {host}", if host.is_ipv6() { "ipv6" } else { "ip" })
}

/// A display filter for all that passes between two ends: RTP Wireshark does not know by itself.
#[must_use]
pub(super) fn filter_between(ends: &Ends) -> String {
    let Ends { low, high } = ends;
    let carrier = if ends.is_stream() { "tcp" } else { "udp" };
    let (one, other) = (low.port(), high.port());
    format!("{} && {carrier}.port == {one} && {carrier}.port == {other}", ip_filter(*low, *high))
}

/// The frames of exchanges, in order.
#[must_use]
pub(super) fn frames_of<'e>(exchanges: impl IntoIterator<Item = &'e Exchange>) -> Vec<u64> {
    in_order(exchanges.into_iter().flat_map(Exchange::frames))
}

/// The frames of moments, in order.
#[must_use]
pub(super) fn frames_at(moments: impl IntoIterator<Item = Seen>) -> Vec<u64> {
    in_order(moments.into_iter().map(|seen| seen.frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_as_a_person_would_list_them() {
        assert_eq!(frames(&[7]), "frame 7");
        assert_eq!(frames(&[7, 9]), "frames 7 and 9");
        assert_eq!(frames(&[1, 2, 3, 4]), "frames 1, 2, 3 and 4");
        assert_eq!(frames(&[1, 2, 3, 4, 5, 6]), "frames 1, 2, 3, 4 and 2 more");
        assert_eq!(first_frames(&[1, 2, 3, 4, 5, 6], 100), "frames 1, 2, 3, 4 and 96 more", "of which six were kept");
    }

    #[test]
    fn times_read_as_a_person_would_say_them() {
        assert_eq!(date(Timestamp(1_767_225_600_000_000_000)), "2026-01-01 00:00:00 UTC");
        assert_eq!(how_long(Span::from_secs(1)), "1 second");
        assert_eq!(how_long(Span::from_secs(3 * 86_400)), "3 days");
    }

    #[test]
    fn filters_name_each_host_once() {
        let (one, other) = (Endpoint::v4([192, 0, 2, 1], 3478), Endpoint::v6([1; 16], 5000));
        assert_eq!(ip_filter(one, other), "ip.addr == 192.0.2.1 && ipv6.addr == 101:101:101:101:101:101:101:101");
        let same = Ends::of(one, Endpoint::v4([192, 0, 2, 1], 5000));
        assert_eq!(filter_between(&same), "ip.addr == 192.0.2.1 && udp.port == 3478 && udp.port == 5000");
    }

    #[test]
    fn quoted_text_cannot_drive_a_terminal() {
        assert_eq!(quote("it's \u{1b}[31m"), "\"it's \\u{1b}[31m\"");
    }
}
