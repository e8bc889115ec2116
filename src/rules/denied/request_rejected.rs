//! `turn-refused`, `turn-server-error` and `turn-request-rejected`: refusals of which code and phrase say all there is to say.

use super::Denied;
use crate::rules::authentication::nonce;
use crate::rules::evidence::is_whole;
use crate::rules::refusal::{has_signed, is_open};
use crate::rules::relay::after_expiry::ran_out_after;
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::time::Span;
use crate::wire::stun::{Method, registry};

pub(super) const BARRED: &str = "turn-refused";
pub(super) const FAULT: &str = "turn-server-error";
pub(in crate::rules) const OTHER: &str = "turn-request-rejected";

pub(super) fn tell_barred(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    out.add(denied.occurrence(BARRED, "RFC 8656 §7.2", view), || barred(denied, view));
}

pub(super) fn tell_fault(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    out.add(occurrence(denied, FAULT, view), || fault(denied, view));
}

pub(super) fn tell_other(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    out.add(occurrence(denied, OTHER, view), || other(denied, view));
}

fn occurrence(denied: &Denied<'_>, id: &'static str, view: &View<'_>) -> Occurrence {
    let (conversation, method) = (denied.conversation, denied.last.method);
    let mut seen = denied.occurrence(id, "RFC 8489 §14.8", view);
    seen.key = format!("{} {method} {}", conversation.server, denied.answer.code);
    seen.subject.peer = denied.last.asked.peer;
    if is_hidden(denied) {
        seen.severity = Severity::Warning;
    }
    match method {
        Method::BINDING if denied.exchanges.iter().all(|exchange| exchange.asked.nat_test) => {
            seen.severity = Severity::Warning;
        }
        // who asks for a relay as well is told its address with that
        Method::BINDING if conversation.of(Method::ALLOCATE).next().is_some() => seen.severity = Severity::Warning,
        Method::BINDING => seen.remedy = Remedy::Reachability(denied.grievance(denied.answer.seen.time)),
        Method::CREATE_PERMISSION | Method::CHANNEL_BIND | Method::CONNECT => {
            seen.remedy = Remedy::Data(denied.grievance(conversation.first.time));
        }
        Method::REFRESH => {
            if let Some(ended) = ran_out_after(conversation, denied.answer.seen.time) {
                seen.remedy = Remedy::Service(denied.grievance(ended));
                if !is_whole(conversation) {
                    seen.confidence = Confidence::Likely;
                }
            }
        }
        Method::ALLOCATE | Method::CONNECTION_BIND => {}
        // not a request of STUN or TURN as they are today: what depends on it cannot be told
        _ => seen.severity = Severity::Warning,
    }
    seen
}

fn barred(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, whom) = (denied.conversation.server, denied.whom(view));
    if super::reason(denied.answer, view).contains("draining") {
        return Text {
            title: format!("{server} takes no new allocations, since it is about to be stopped: it refuses {whom}"),
            explanation: format!(
                "{} asked {server} for an allocation and was answered {} {}: the server is draining, it serves what it has until that ends.",
                denied.who(view),
                view.error(denied.answer),
                denied.listed(),
            ),
            fix: "Take a draining server out of the list that clients are given, or let the balancer send them to another.".to_owned(),
        };
    }
    Text {
        title: format!("{server} refuses to serve {whom}: {}", view.error(denied.answer)),
        explanation: format!(
            "{} asked {server} for an allocation and was refused {}. That is a decision of the server's administrator about this user or \
             this address, not a question of the password.{}",
            denied.who(view),
            denied.listed(),
            denied.phrase(view),
        ),
        fix: format!(
            "Look up in the server's configuration or log why {whom} is barred, and lift the bar; or use another server."
        ),
    }
}

fn fault(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, method) = (denied.conversation.server, denied.last.method);
    Text {
        title: format!("{server} answers {method} with a fault of its own: {}", view.error(denied.answer)),
        explanation: format!(
            "{} sent {method} and was answered {} {}. 500 says that the server failed, not that the request was wrong.{}",
            denied.who(view),
            view.error(denied.answer),
            denied.listed(),
            denied.phrase(view),
        ),
        fix: "Read the server's log at that time; have the client try again later, or another server.".to_owned(),
    }
}

fn other(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, method, code) = (denied.conversation.server, denied.last.method, denied.answer.code);
    if is_nonce_left(denied) {
        return nonce_left(denied, view);
    }
    if lacks_challenge(denied) {
        return bare_challenge(denied, view);
    }
    if is_hidden(denied) {
        return hidden(denied, view);
    }
    let error = if code == 0 { "an error without a code".to_owned() } else { view.error(denied.answer) };
    let row = registry::error(code);
    let limit = limit(method, code).map(|(meaning, fix)| (meaning.to_owned(), fix.to_owned()));
    let limit = limit.or_else(|| channel_refused(denied)).or_else(|| phrase_cut(denied, view));
    let limit = limit.or_else(|| of_transport(denied, view)).or_else(|| reserved(denied)).or_else(|| policy(denied));
    let peer = denied.last.asked.peer.map(|peer| format!(" (about the peer {peer})")).unwrap_or_default();
    let meaning = match (denied.phrase(view), row) {
        // a phrase that is known to speak of peers says more
        (phrase, _) if limit.is_some() && phrase.contains("peers") => phrase,
        _ if limit.is_some() => limit.as_ref().map(|(meaning, _)| format!(" {meaning}")).unwrap_or_default(),
        (phrase, _) if !phrase.is_empty() => phrase,
        (_, Some(row)) => format!(" {} Mostly behind it: {}", row.meaning, row.cause),
        _ => " The code is none that is registered: the server's own documentation must say what it means.".to_owned(),
    };
    Text {
        title: format!("{server} refused the {method} of {}: {error}", denied.whom(view)),
        explanation: format!(
            "{} sent {method}{peer} and was answered {error} {}.{meaning}",
            denied.who(view),
            denied.listed(),
        ),
        fix: match (limit, row) {
            (Some((_, fix)), _) => fix,
            (None, Some(row)) => row.fix.to_owned(),
            (None, None) => "Read the server's log at that time.".to_owned(),
        },
    }
}

/// Whether the snap length cut the code off.
fn is_hidden(denied: &Denied<'_>) -> bool {
    denied.answer.code == 0 && denied.answer.truncated
}

fn hidden(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, method) = (denied.conversation.server, denied.last.method);
    let peer = denied.last.asked.peer.map(|peer| format!(" (about the peer {peer})")).unwrap_or_default();
    Text {
        title: format!(
            "{server} answered the {method} of {} with an error, of which the snap length cut the code off",
            denied.whom(view)
        ),
        explanation: format!(
            "{} sent {method}{peer} and was answered by an error response {}. Which error it is stands behind the cut; that the client asked for the same \
             again afterwards is not to be seen.",
            denied.who(view),
            denied.listed(),
        ),
        fix:
            "Capture it again with whole packets (tcpdump -s 0); the server's log at that time may name the error, too."
                .to_owned(),
    }
}

/// What 437 and 441 may mean where the capture cut the phrase off that would tell.
fn phrase_cut(denied: &Denied<'_>, view: &View<'_>) -> Option<(String, String)> {
    is_open(denied.answer, view).then(|| {
        let meaning = "The phrase that would say more stands behind the cut of the snap length: an older allocation is in the way on these addresses and ports, or \
                       the credentials are for another realm or another user than the server expects.";
        let fix = "Capture it again with whole packets (tcpdump -s 0). Until then compare the realm that the client signs for with the server's, and look whether \
                   the client used its local port again.";
        (meaning.to_owned(), fix.to_owned())
    })
}

/// What 486 and 508 mean, and what to do, where they answer anything else than an Allocate: no relay is asked for then; and 400 to a Binding.
fn limit(method: Method, code: u16) -> Option<(&'static str, &'static str)> {
    Some(match (method, code) {
        (Method::BINDING, 400) => (
            "A Binding request needs neither attributes nor credentials: mostly the server gives relays only, and tells nobody its address (rusturn).",
            "Name the server in turn: URLs only, and another one for stun:, or enable STUN on it. Where it lends a relay, the answer to Allocate tells the \
             client's address, too.",
        ),
        (Method::CREATE_PERMISSION | Method::CHANNEL_BIND, 508) => (
            "The relay as such is lent; what the server has no room for is one more permission or channel: a table of its own is full, or its memory.",
            "Read the server's log at that time, and raise its limit of permissions or channels, or give it more memory. Have the client ask for those peers \
             only that it means to reach; a permission that is not renewed goes after 5 minutes, a channel after 10.",
        ),
        (Method::CONNECT, 508) => (
            "The relay as such is lent; what the server has no room for is one more connection to a peer: it may open no more sockets.",
            "Read the server's log at that time, raise its limit of open files and connections, and have the client close connections that it no longer needs.",
        ),
        (Method::CREATE_PERMISSION | Method::CHANNEL_BIND | Method::CONNECT | Method::REFRESH, 486 | 508) => (
            "RFC 8656 has this code for an Allocate, and the request asks for no further relay: the server limits something else, such as permissions, channels, \
             bandwidth, or how long a user may stay.",
            "Read the server's log at that time and its documentation for the limit that is meant, and raise it for this user.",
        ),
        _ => return None,
    })
}

/// For so long after the end of a binding neither its number nor its peer may be bound otherwise (RFC 8656 §12).
const COOLING: Span = Span::from_secs(300);

/// What 400 to a ChannelBind is about, where the request shows it: a number out of range, or a binding that contradicts another (RFC 8656 §12.1, §12.2).
fn channel_refused(denied: &Denied<'_>) -> Option<(String, String)> {
    let asked = &denied.last.asked;
    let (number, peer) = asked.channel.zip(asked.peer)?;
    if denied.last.method != Method::CHANNEL_BIND || denied.answer.code != 400 {
        return None;
    }
    if !(0x4000..=0x4fff).contains(&number) {
        return Some((
            format!(
                "It asks for channel 0x{number:04x}: RFC 8656 leaves 0x4000 to 0x4fff, RFC 5766 went up to 0x7fff, and servers of the newer one refuse the rest."
            ),
            "Have the client number its channels from 0x4000 to 0x4fff, or update it.".to_owned(),
        ));
    }
    let at = denied.last.first;
    let bound = denied.conversation.allocations().flat_map(|known| known.channels.iter());
    let other = bound
        .filter(|known| known.confirmed && known.bound < at && known.expires.after(COOLING) > at.time)
        .find(|known| (known.number == number) != (known.peer == peer))?;
    Some((
        format!(
            "Channel 0x{:04x} is bound to {} since frame {}: a channel keeps its peer, and a peer its channel, until the binding has run out (10 minutes after it was \
             renewed last) and for 5 minutes more.",
            other.number, other.peer, other.bound.frame
        ),
        "Have the client take another number for another peer, and the same one for the same peer, also once the binding has run out.".to_owned(),
    ))
}

/// What does not go with the transport of the relay that the client has, which coturn refuses with 403.
fn of_transport(denied: &Denied<'_>, view: &View<'_>) -> Option<(String, String)> {
    let named = denied.answer.code == 403 && super::reason(denied.answer, view).contains("cannot be used");
    named.then(|| {
        let meaning = denied.phrase(view);
        let meaning = if meaning.is_empty() { "It does not go with the transport of the relay that the client has." } else { meaning.trim_start() };
        let fix = "Have the client ask for what goes with its relay: one for TCP (REQUESTED-TRANSPORT 6) takes Connect and ConnectionBind (RFC 6062), one for UDP (17) Send \
                   and channels. WebRTC needs the one for UDP, also where the client reaches the server over TCP or TLS.";
        (meaning.to_owned(), fix.to_owned())
    })
}

/// What 404 to an Allocate that names a reservation is: coturn said so where RFC 8656 §7.2 has 508.
fn reserved(denied: &Denied<'_>) -> Option<(String, String)> {
    let named = denied.last.method == Method::ALLOCATE && denied.answer.code == 404 && denied.last.asked.wants_port;
    named.then(|| {
        let meaning = "The request asks for a port that was reserved (RESERVATION-TOKEN), and the server has no such reservation: older coturn says 404 where RFC 8656 has 508. A \
                       reservation is good for 30 seconds and for one use, and only at the server that made it: behind a balancer another one may be asked.";
        let fix = "Have the client leave EVEN-PORT and RESERVATION-TOKEN out (they serve RTP and RTCP on neighbouring ports, which WebRTC does not need), use a token at once, and \
                   at the same server.";
        (meaning.to_owned(), fix.to_owned())
    })
}

/// How servers built on pion/turn say that their policy denies a peer: to a CreatePermission by an error without a code, to a ChannelBind by 401 without a
/// challenge, though the user has an allocation.
fn policy(denied: &Denied<'_>) -> Option<(String, String)> {
    let (answer, method) = (denied.answer, denied.last.method);
    let peer = denied.last.asked.peer?;
    let codeless = method == Method::CREATE_PERMISSION && answer.code == 0 && !answer.truncated;
    let bare = method == Method::CHANNEL_BIND && answer.code == 401 && !answer.is_challenge();
    (codeless || bare).then(|| {
        let known = if bare { " The user and the password are right: they gave the client its allocation." } else { "" };
        (
            format!(
                "So servers built on pion/turn (STUNner, LiveKit) answer where their policy denies the peer, {}.{known}",
                peer.0.ip()
            ),
            format!(
                "If the relay should reach {}, allow it in the server's policy (STUNner: a UDPRoute with a backend that covers the address); its log says which peer it denied. If \
                 not, see that the other side offers an address that the relay may reach.",
                peer.0.ip()
            ),
        )
    })
}

/// Whether the answer brought a nonce that the client did not go on with.
fn is_nonce_left(denied: &Denied<'_>) -> bool {
    denied.answer.code == 438 && denied.answer.nonce.is_some() && denied.last.asked.nonce.is_some()
}

/// A new nonce that the client left unused: others tell of it where the client went on with it.
fn nonce_left(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (conversation, method) = (denied.conversation, denied.last.method);
    let (client, server, error) = (conversation.client, conversation.server, view.error(denied.answer));
    let peer = denied.last.asked.peer.map(|peer| format!(" (about the peer {peer})")).unwrap_or_default();
    if let Some(age) = nonce::age(denied.last, conversation).filter(|age| *age < nonce::YOUNG) {
        return Text {
            title: format!("{server} refuses a nonce that it gave {client} only {age} before: {error}"),
            explanation: format!(
                "{} sent {method}{peer} with the nonce that it had been given, byte for byte, from the same port, and was answered {error} {}. That nonce cannot have \
                 run out so soon: the request reached a server that did not make it, as one of several behind one address, or reached the same one from another \
                 address or port than before, as behind a balancer or proxy that opens a new socket for each datagram. The client did not try again with the new nonce.",
                denied.who(view),
                denied.listed(),
            ),
            fix: format!(
                "Make what stands before {server} keep a client on one server and on one port (for UDP: sessions of several minutes, by the client's address and port), or \
                 leave it out and let clients reach the server itself. If there is nothing before it, see that its nonces live for minutes."
            ),
        };
    }
    Text {
        title: format!("{client} does not repeat its {method} with the new nonce that {server} gave it with {error}"),
        explanation: format!(
            "{} sent {method}{peer} and was answered {error} {}. That is no refusal: a nonce runs out after a while, and the answer brings a new one, with \
             which the client has to send its request again. It never did, so that what the request was to make or to renew is not there, or runs out.",
            denied.who(view),
            denied.listed(),
        ),
        fix: "Update the client's TURN stack: it has to repeat a request that is answered 438 with the new nonce, whatever the request. A longer life of \
              nonces on the server (coturn: stale-nonce) puts it off meanwhile."
            .to_owned(),
    }
}

/// Whether a server asks for credentials, and leaves out what a client needs to give them.
fn lacks_challenge(denied: &Denied<'_>) -> bool {
    let answer = denied.answer;
    answer.code == 401
        && denied.last.method != Method::BINDING
        && !answer.truncated
        && !has_signed(&denied.last.asked)
        && (answer.realm.is_none() || answer.nonce.is_none())
}

fn bare_challenge(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, method, answer) = (denied.conversation.server, denied.last.method, denied.answer);
    let lacking = match (answer.realm, answer.nonce) {
        (None, None) => "neither a REALM nor a NONCE",
        (None, _) => "no REALM",
        _ => "no NONCE",
    };
    Text {
        title: format!(
            "{server} asks {} for credentials with {}, but with {lacking}",
            denied.whom(view),
            view.error(answer)
        ),
        explanation: format!(
            "{} sent {method} without credentials and was answered {} {}. A server that wants credentials names its realm and gives a nonce in that \
             answer; without them no client can sign its request.",
            denied.who(view),
            view.error(answer),
            denied.listed(),
        ),
        fix: format!(
            "Set up long-term credentials with a realm on {server} (coturn: lt-cred-mech or use-auth-secret, and realm)."
        ),
    }
}
