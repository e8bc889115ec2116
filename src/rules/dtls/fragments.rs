//! `dtls-fragment-lost`, `dtls-hello-fragmented`: what does not fit the path, or the peer.

use super::reading::{lost_packets, lost_parts, turned_back};
use super::{FRAGMENT_LOST, HELLO_FRAGMENTED, Reading, Story, hello_frames};
use crate::frame::in_order;
use crate::rules::evidence::{frames, frames_at, listed};
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::IcmpErrors;
use crate::session::handshake::{Handshake, Role};
use crate::time::Span;
use crate::wire::handshake::HandshakeType;
use std::ops::Range;

/// Some stacks send again every 50 ms: before this time is over the answer may still be on its way, however often they did; after the other it is not.
pub(super) const ON_ITS_WAY: Span = Span::from_secs(1);
const LONG: Span = Span::from_secs(3);
/// What may be amiss with the capture, as a sentence; and what to do about it.
const LEFT_OUT: &str = " Or it is the capture that leaves them out: a filter on ports lets the first fragment of a packet pass only, for the others have no \
                        ports.";
const CAPTURE_ALL: &str = " Capture again with a filter that takes all fragments, such as tcpdump's \"udp port N or (ip[6:2] & 0x1fff != 0)\".";

pub(super) fn judge(handshake: &Handshake, view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake) else { return };
    match story.reading {
        Reading::FragmentLost | Reading::HelloFragmented if story.went_on(view) => {}
        Reading::FragmentLost => lost(&story, view, out),
        Reading::HelloFragmented => hello(&story, view, out),
        _ => {}
    }
}

fn lost(story: &Story<'_>, view: &View<'_>, out: &mut Collector) {
    let handshake = story.handshake;
    let part = lost_parts(handshake).next();
    let packet = handshake.ip_fragments.first().filter(|_| lost_packets(handshake));
    if let (None, None, Some((from, icmp))) = (part, packet, turned_back(handshake)) {
        return too_large(story, *from, icmp, view, out);
    }
    let Some(from) = part.map(|(role, _)| role).or(packet.map(|packet| packet.from)) else { return };
    // where the first record is missing, or the answer to the check that opened the way for it, so may be more
    let left_out = may_be_left_out(handshake, view);
    let whole = handshake.from_start && !story.lacks_answers(view) && !left_out;
    let confidence = Confidence::certain_if(whole);
    let ends = part.into_iter().flat_map(|(_, missing)| [missing.seen.0, missing.seen.1]);
    let flights = handshake.flights.iter().filter(|flight| flight.from == from);
    let mut listed = frames_at(ends.chain(flights.flat_map(|flight| flight.times.iter().copied())));
    if listed.is_empty() {
        listed = hello_frames(handshake);
    }
    let mut seen = story.occurrence(FRAGMENT_LOST, Severity::Failure, confidence, from.name());
    seen.frames = listed.clone();
    seen.reference = "RFC 9147 §4.4";
    story.add(seen, view, out, || {
        let (sender, receiver) = (story.end(from), story.end(from.other()));
        let largest = handshake.sides[from].largest_datagram;
        let own = handshake.flights.iter().filter(|flight| flight.from == from);
        let repeated = own.map(|flight| flight.repeated).max().unwrap_or_default();
        let what = match (part, packet) {
            (Some((_, missing)), _) => format!(
                "of the {} of {sender} ({} bytes) {} never came, though the flight was sent {} times",
                missing.kind,
                missing.length,
                ranges(&missing.parts),
                repeated + 1
            ),
            (None, Some(packet)) => format!(
                "fragments of {} from {sender} to {receiver} never came; of the first, {} bytes did{}",
                match handshake.ip_fragments.len() {
                    1 => "one IP packet".to_owned(),
                    number => format!("{number} IP packets"),
                },
                packet.received,
                packet.expected.map(|expected| format!(" of {expected}")).unwrap_or_default()
            ),
            (None, None) => String::new(),
        };
        let passed = match largest {
            0 => format!(" No DTLS datagram from {sender} passed whole."),
            largest => format!(" The largest DTLS datagram from {sender} that passed has {largest} bytes."),
        };
        let sizes = match (smallest_lost(handshake, from), packet) {
            (Some(lost), _) => format!("{passed} The smallest part that is missing in one piece has {lost} bytes."),
            (None, Some(packet)) => {
                format!("{passed} The smallest that did not has more than {} bytes.", packet.expected.unwrap_or(packet.received))
            }
            (None, None) => passed,
        };
        let too_big = too_big(handshake);
        // what is large in a hello is not the certificate
        let smaller = match part {
            Some((_, missing)) if missing.kind == HandshakeType::CLIENT_HELLO => {
                "let it send a smaller hello, without a post-quantum key share"
            }
            _ => "give it a smaller certificate: ECDSA on P-256 instead of RSA, no chain",
        };
        let way = story.whereabouts(from, "DTLS datagrams", view);
        let (unsure, again) = if left_out { (LEFT_OUT, CAPTURE_ALL) } else { ("", "") };
        Text {
            title: format!("Parts of the DTLS handshake from {sender} never reach {receiver}: {}", title_part(handshake, from)),
            explanation: format!(
                "In the handshake between {} and {}, {what} ({}).{sizes}{}{} The datagrams that are missing are larger than the path takes, or IP \
                 fragments are dropped on it.{unsure}",
                story.end(Role::Client),
                story.end(Role::Server),
                frames(&listed),
                too_big.unwrap_or_default(),
                way.text
            ),
            fix: format!(
                "Lower the DTLS MTU of {sender} (to 1200 bytes or less), or {smaller}. Let the path carry IP fragments and ICMP \"too big\".{}{again}",
                way.fix
            ),
        }
    });
}

/// Whether it may be the capture that lacks fragments, and not the path: it holds none of the kind that is missing, or packets stayed incomplete of which it
/// is not known whose they were.
fn may_be_left_out(handshake: &Handshake, view: &View<'_>) -> bool {
    let lost = &handshake.ip_fragments;
    !lost.is_empty() && lost.iter().all(|packet| !packet.shown) || view.session.forgot_packets()
}

/// That a router found datagrams of a handshake too large, as a sentence.
pub(super) fn too_big(handshake: &Handshake) -> Option<String> {
    let (_, icmp) = handshake.too_big.as_ref()?;
    let mtu = icmp.mtu.map(|mtu| format!(" and takes {mtu} bytes at most")).unwrap_or_default();
    Some(format!(" {} says that packets are too big{mtu} (ICMP, frame {}).", icmp.answer.sender, icmp.answer.frame))
}

/// A router says of a flight that it is too large for the way on, each time that it is sent.
fn too_large(story: &Story<'_>, from: Role, icmp: &IcmpErrors, view: &View<'_>, out: &mut Collector) {
    let handshake = story.handshake;
    let flights = handshake.flights.iter().filter(|flight| flight.from == from && flight.repeated > 0);
    let sent = frames_at(flights.flat_map(|flight| flight.times.iter().copied()));
    let numbers = in_order(sent.into_iter().chain(icmp.frames.iter().copied()));
    let mut seen = story.occurrence(FRAGMENT_LOST, Severity::Failure, Confidence::Certain, from.name());
    seen.frames = numbers.clone();
    seen.filter = seen.filter.map(|filter| filter.replacen("dtls", "(dtls || icmp || icmpv6)", 1));
    seen.reference = "RFC 9147 §4.4";
    story.add(seen, view, out, || {
        let (sender, receiver, router) = (story.end(from), story.end(from.other()), icmp.answer.sender);
        let takes = icmp.mtu.map(|mtu| format!(": {router} passes on {mtu} bytes at most")).unwrap_or_default();
        let fits = match icmp.mtu.zip(icmp.largest_payload()) {
            Some((mtu, bytes)) => format!("to {bytes} bytes or less, {mtu} without the headers of IP and UDP"),
            None => "to 1200 bytes or less".to_owned(),
        };
        Text {
            title: format!("The DTLS handshake from {sender} is too large for the path to {receiver}{takes}"),
            explanation: format!(
                "{router} answered {} datagrams of {sender} with ICMP \"{}\" ({}), and so did not pass them on; the largest has {} bytes without the headers of IP \
                 and UDP. {sender} sent its flight again and met the same. Small packets, such as connectivity checks, do pass.",
                icmp.total,
                icmp.answer.kind,
                frames(&numbers),
                handshake.sides[from].largest_datagram,
            ),
            fix: format!(
                "Lower the DTLS MTU of {sender} ({fits}), or give it a smaller certificate: ECDSA on P-256 instead of RSA, no chain. Or raise the MTU of the path \
                 (a VPN or tunnel lowers it), or let {router} fragment what is too large.",
            ),
        }
    });
}

fn title_part(handshake: &Handshake, from: Role) -> String {
    match lost_parts(handshake).find(|(role, _)| *role == from) {
        Some((_, missing)) => {
            let lost: u32 = missing.parts.iter().map(|part| part.end.saturating_sub(part.start)).sum();
            format!("{lost} of {} bytes of its {}", missing.length, missing.kind)
        }
        None => "IP fragments of it are lost".to_owned(),
    }
}

/// The smallest gap that a single datagram should have filled.
fn smallest_lost(handshake: &Handshake, from: Role) -> Option<u32> {
    let parts = lost_parts(handshake).filter(|(role, _)| *role == from).flat_map(|(_, missing)| missing.parts.iter());
    parts.map(|part| part.end.saturating_sub(part.start)).min()
}

/// `bytes 100 to 1099 and 1200 to 1500`.
fn ranges(parts: &[Range<u32>]) -> String {
    let shown: Vec<String> =
        parts.iter().map(|part| format!("{} to {}", part.start, part.end.saturating_sub(1))).collect();
    if shown.is_empty() { "some bytes".to_owned() } else { format!("bytes {}", listed(&shown)) }
}

fn hello(story: &Story<'_>, view: &View<'_>, out: &mut Collector) {
    let handshake = story.handshake;
    // an alert under keys answers no ClientHello
    let ended = handshake.fatal().is_some();
    // the hello that brings a cookie is a flight of its own
    let hellos = handshake.flights.iter().filter(|flight| flight.from == Role::Client);
    let repeated = hellos.map(|flight| flight.repeated).max().unwrap_or_default();
    // an alert unexpected_message is also what another client says, of whose ClientHello nothing is in the capture
    let other_client = handshake.fatal().is_some_and(|fatal| fatal.alert.description.0 == 10);
    let since = handshake.surroundings.judged.since(handshake.first.time);
    let sure =
        handshake.from_start && !handshake.truncated && (ended && !other_client || repeated >= 3 && since >= LONG);
    if !ended && (repeated == 0 || since < ON_ITS_WAY) {
        return; // the capture ends before anything is amiss
    }
    let confidence = Confidence::certain_if(sure);
    let mut seen = story.occurrence(HELLO_FRAGMENTED, Severity::Failure, confidence, "");
    let alerts = handshake.alerts.iter().map(|alert| alert.seen.frame);
    let listed = in_order(hello_frames(handshake).into_iter().chain(alerts));
    seen.frames = listed.clone();
    seen.reference = "RFC 9147 §5.5";
    story.add(seen, view, out, || {
        let (client, server) = (story.end(Role::Client), story.end(Role::Server));
        let hello = handshake.sides.client.hello.as_ref();
        let size = hello.map_or_else(
            || {
                let part = handshake.sides.client.missing.iter().find(|part| part.kind == HandshakeType::CLIENT_HELLO);
                part.map(|part| format!("of {} bytes", part.length)).unwrap_or_default()
            },
            |hello| format!("of {} bytes in {} fragments", hello.length, hello.fragments),
        );
        let shares = hello.map(|hello| hello.key_shares.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        let shares = shares.filter(|shares| !shares.is_empty()).map(|shares| format!(" Its key shares are {shares}."));
        let answer = match handshake.fatal() {
            Some(alert) => format!("answers with the alert {}", alert.alert.description),
            None => "does not go on".to_owned(),
        };
        Text {
            title: format!("{server} cannot cope with the large ClientHello of {client} ({}): it {answer}", size.trim_start_matches("of ")),
            explanation: format!(
                "{client} sent a ClientHello {size} ({}); {server} {answer}.{} Stacks that take a ClientHello in one datagram only cannot put it \
                 together.",
                frames(&listed),
                shares.unwrap_or_default()
            ),
            fix: format!("Update the DTLS stack of {server}, or let {client} send a smaller hello, without a post-quantum key share."),
        }
    });
}
