//! `dtls-no-answer`, `dtls-unreachable`, `dtls-role-conflict`: no server answers the ClientHello.

use super::reading::is_large;
use super::{NO_ANSWER, ROLE_CONFLICT, Reading, SMALLER, Story, TOO_LARGE, UNREACHABLE, hello_frames};
use crate::frame::in_order;
use crate::net::Endpoint;
use crate::rules::evidence::{first_frames, frames, frames_at, how_long, quote, times};
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::handshake::{Handshake, Role};
use crate::time::Span;

/// Both ends may still sort out who is client within this time, if ever.
const SETTLED: Span = Span::from_secs(2);

pub(super) fn judge(handshake: &Handshake, view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake) else { return };
    match story.reading {
        Reading::NoAnswer => no_answer(&story, view, out),
        Reading::Unreachable => unreachable(&story, view, out),
        Reading::RoleConflict => role_conflict(&story, view, out),
        _ => {}
    }
}

fn no_answer(story: &Story<'_>, view: &View<'_>, out: &mut Collector) {
    let handshake = story.handshake;
    let works = story.pair_works(view);
    // of a hello that the capture cut short, or holds in parts, nobody can tell whether it came whole
    let whole = handshake.sides.client.hello.is_some() && !handshake.truncated;
    let evident = works && handshake.from_start && whole && !view.session.forgot_packets();
    let confidence = Confidence::certain_if(evident);
    let listed = hello_frames(handshake);
    let mut seen = story.occurrence(NO_ANSWER, Severity::Failure, confidence, "");
    seen.frames = listed.clone();
    seen.reference = "RFC 5763 §5";
    seen.causes = &[
        "turn-permission-missing",
        "turn-relay-silent",
        "turn-channel-mismatch",
        "ice-check-unauthorized",
        "ice-one-way",
    ];
    story.add(seen, view, out, || {
        let (client, server) = (story.end(Role::Client), story.end(Role::Server));
        let copies = handshake.flights.first().map_or(1, |flight| flight.repeated + 1);
        let over = handshake.last.time.since(handshake.first.time);
        let pair = if works {
            "Connectivity checks or other packets of the peer do come back on the same pair of addresses, so that the path as such is open."
        } else {
            "Nothing else of the peer is to be seen on this pair of addresses either: the capture may hold one direction only, or the path is closed."
        };
        let large = if is_large(handshake) {
            " The hello is large or comes in several fragments: a peer whose stack cannot put them together, or a path that drops them, keeps \
             silent too."
        } else {
            ""
        };
        if let Some((other, at)) = handshake.surroundings.answered_at {
            return astray(story, copies, &listed, (other, at.frame));
        }
        let setup = story.setup_note(view);
        // what a server answers with holds its certificate, and is the largest datagram so far
        let (size, smaller) = if works { (TOO_LARGE, SMALLER) } else { ("", "") };
        let way = story.whereabouts(Role::Client, "ClientHello datagrams", view);
        Text {
            title: format!(
                "{server} does not answer DTLS: {client} sent its ClientHello {copies} times{}{}",
                story.through(),
                way.title
            ),
            explanation: format!(
                "{client} sent the same ClientHello to {server} {copies} times within {} ({}), and no DTLS came back. {pair} Either the peer has \
                 not started DTLS (its ICE is not done, or it waits as a server that never got the description), or it takes itself for the \
                 server of another association, or a device on the way drops DTLS while it lets STUN pass{size}.{large}{setup}{}",
                how_long(over),
                first_frames(&listed, u64::from(copies)),
                way.text
            ),
            fix: format!(
                "Check that offer and answer agree who is active (a=setup) and that both sides have them; capture at the peer to see whether \
                 the ClientHello arrives; if it does not, let the devices on the way pass DTLS (UDP payloads whose first byte is 20 to 63).{}{}",
                if smaller.is_empty() { String::new() } else { format!(" If it does arrive and is answered, {smaller}") },
                way.fix
            ),
        }
    });
}

/// The server answers, but to a port from which nothing was asked.
fn astray(story: &Story<'_>, copies: u32, listed: &[u64], (other, at): (Endpoint, u64)) -> Text {
    let (client, server) = (story.end(Role::Client), story.end(Role::Server));
    Text {
        title: format!("{server} answers the ClientHello of {client} to another port, {other}"),
        explanation: format!(
            "{client} sent its ClientHello to {server} {copies} times ({}), and got no DTLS back. The server's part of a handshake goes to {other} instead \
             (from frame {at} on), from where no ClientHello came: {server} holds that for the address of its peer, from signalling or from an earlier \
             candidate pair.",
            first_frames(listed, u64::from(copies)),
        ),
        fix: format!(
            "Look at the log of {server} for why it chose {other}: it has to answer DTLS to the address that the hello came from, or to the pair that ICE \
             selected, not to one of the description."
        ),
    }
}

fn unreachable(story: &Story<'_>, view: &View<'_>, out: &mut Collector) {
    let handshake = story.handshake;
    let Some((_, known)) = &handshake.unreachable else { return };
    let listed = in_order(hello_frames(handshake).into_iter().chain(known.frames.iter().copied()));
    let icmp = known.answer;
    let what = format!("{} {:?}", icmp.sender, icmp.kind);
    let mut seen = story.occurrence(UNREACHABLE, Severity::Failure, Confidence::Certain, &what);
    seen.frames = listed.clone();
    seen.filter = seen.filter.map(|filter| filter.replacen("dtls", "(dtls || icmp || icmpv6)", 1));
    seen.reference = "RFC 9147 §4.4";
    story.add(seen, view, out, || {
        let (client, server) = (story.end(Role::Client), story.end(Role::Server));
        let own = icmp.sender == story.way.path.ends.low.ip() || icmp.sender == story.way.path.ends.high.ip();
        let meaning = match () {
            () if icmp.kind.is_port_unreachable() && own => "The peer's host itself says that no process has this port open.",
            () if icmp.kind.is_prohibited() => "A rule of a firewall or router on the way forbids this traffic.",
            () if own => "The peer's host, or a firewall that speaks in its name, rejects this traffic.",
            () => "A router on the way could not deliver it.",
        };
        Text {
            title: format!("{client} cannot reach {server} with DTLS: ICMP {} from {}", icmp.kind, icmp.sender),
            explanation: format!(
                "The ClientHello of {client} to {server} was answered by ICMP {} from {} ({}), {} in all, and no DTLS came back. {meaning}",
                icmp.kind,
                icmp.sender,
                frames(&listed),
                times(known.total),
            ),
            fix: format!("Start what should listen on {server}, correct the address, or open the port at {}.", icmp.sender),
        }
    });
}

fn role_conflict(story: &Story<'_>, view: &View<'_>, out: &mut Collector) {
    let handshake = story.handshake;
    let Some(counter) = handshake.counter_hellos.first() else { return };
    let settled = handshake.fatal().is_some() || handshake.surroundings.judged.since(counter.time) >= SETTLED;
    let confidence = Confidence::certain_if(settled && handshake.from_start);
    let against = handshake.counter_hellos.iter().copied().chain(handshake.alerts.iter().map(|alert| alert.seen));
    let listed = in_order(hello_frames(handshake).into_iter().chain(frames_at(against)));
    let mut seen = story.occurrence(ROLE_CONFLICT, Severity::Failure, confidence, "");
    seen.frames = listed.clone();
    seen.reference = "RFC 8842 §5.3";
    out.add(seen, || {
        let (one, other) = (story.end(Role::Client), story.end(Role::Server));
        let ended = handshake.fatal().map(|alert| {
            let who = story.end(alert.from);
            format!(" {who} ended it with the alert {} (frame {}).", alert.alert.description, alert.seen.frame)
        });
        let setups: Vec<String> = story.descriptions(view).iter().filter_map(|(role, known)| {
            let setup = known.setup?;
            Some(format!("{} of {} says a=setup:{}", quote(&known.origin), story.end(*role), setup.name()))
        }).collect();
        let setups = if setups.is_empty() { String::new() } else { format!(" Of the descriptions, {}.", setups.join("; ")) };
        Text {
            title: format!("{one} and {other} both act as DTLS client: each sends a ClientHello and none answers"),
            explanation: format!(
                "{one} sent a ClientHello in frame {}, {other} sent one of its own in frame {} ({}). A client answers no ClientHello, so that neither \
                 goes on.{}{setups} Both were told to be active, or each took the other's description for passive.",
                handshake.first.frame,
                counter.frame,
                frames(&listed),
                ended.unwrap_or_default(),
            ),
            fix: "Mend a=setup: the offer says actpass, the answer active or passive, and nothing between the two may change it. A side that \
                  answers passive must wait for the ClientHello."
                .to_owned(),
        }
    });
}
