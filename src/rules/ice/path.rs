//! `ice-checks-unanswered`, `ice-one-way`, `ice-no-relay-candidate`: checks that do not get through.

use super::private::{beside, only_private, open_path, out_of_reach, same_nat};
use super::signed::{discarded, is_signed_right, misfit};
use super::{
    Asked, address, asked, counted, first_frames_of, is_heard, lost_between, may_have_used_tcp, named, occurrence,
    unless_later_elsewhere,
};
use crate::net::{Endpoint, is_unrouted};
use crate::rules::evidence::{first_frames, frames, ip_filter};
use crate::rules::travel::Whereabouts;
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::Denied;
use crate::session::ice::{IceSession, Pair, TIMEOUT};
use crate::time::Span;
use crate::wire::stun::TRANSMISSIONS;

pub(super) const UNANSWERED: &str = "ice-checks-unanswered";
pub(super) const ONE_WAY: &str = "ice-one-way";
pub(in crate::rules) const NO_RELAY: &str = "ice-no-relay-candidate";

/// So many transmissions over so much time are an attempt that had its chance.
const ATTEMPT: (u64, Span) = (4, Span::from_secs(3));

/// An agent that tries for so long has no pair that works, whatever a gap in the capture may hide.
const LONG_ENOUGH: Span = Span::from_secs(10);

/// TURN findings that leave relayed checks without an answer.
const BEHIND_SILENCE: &[&str] = &[
    NO_RELAY,
    "turn-peer-forbidden",
    "turn-relay-silent",
    "turn-relay-private",
    "turn-permission-missing",
    "turn-allocation-gone",
    "turn-channel-mismatch",
    "turn-relay-unusable",
    "turn-data-after-expiry",
    "turn-no-response",
    "turn-unreachable",
    "ice-mdns-unresolved",
];
/// TURN findings that leave a client without a relayed address.
const BEHIND_NO_RELAY: &[&str] = &[
    "turn-integrity-rejected",
    "turn-unknown-user",
    "turn-credential-expired",
    "turn-realm-mismatch",
    "turn-stale-nonce-loop",
    "turn-user-changed",
    "turn-no-credentials",
    "turn-missing-attribute",
    "turn-unknown-attribute",
    "turn-allocation-mismatch",
    "turn-retransmission-rejected",
    "turn-allocation-gone",
    "turn-quota",
    "turn-capacity",
    "turn-transport-unsupported",
    "turn-address-family",
    "turn-refused",
    "turn-redirect-ignored",
    "turn-redirect-loop",
    "turn-request-rejected",
    "turn-server-error",
    "turn-no-response",
    "turn-answer-lost",
    "turn-unreachable",
    "turn-answer-from-elsewhere",
    "turn-relay-unusable",
    "turn-response-integrity-bad",
    "nat-alg-rewrite",
];

pub(super) fn judge(ice: &IceSession, view: &View<'_>, out: &mut Collector) {
    // what pairs an old user fragment with a new one is not meant to last; whoever sends data has a pair that works
    let sends_data = sending(ice);
    if ice.is_mixed || sends_data == [true; 2] {
        return;
    }
    let refused = |pair: &Pair, agent| pair.way(agent).errors > 0 && pair.way(agent).answered.is_none();
    if ice.pairs.iter().any(|pair| (0..2).any(|agent| refused(pair, agent))) {
        return; // then the refusal is the story; an agent that answered and has given up refuses too
    }
    if ice.is_answered() {
        for (agent, _) in (0..).zip(sends_data).filter(|(_, sends)| !sends) {
            one_way(ice, agent, view, out);
        }
        return;
    }
    let most = (0..2).max_by_key(|&agent| {
        let sends = asked(ice, agent).sends;
        let astray = elsewhere_of(ice).is_some_and(|(_, _, asker, _)| asker == agent);
        (sends > 0 && is_behind_relay(ice, agent), astray, sends)
    });
    // where there is data the capture lacks the answers
    if let Some(agent) = most.filter(|_| sends_data == [false; 2]) {
        unanswered(ice, agent, view, out);
    }
}

/// Which agents send data as those do who have a pair. What an agent of SIP sends to the address that was signalled, while it repeats its checks there in
/// vain, shows none, unless the other sends, too, and sounds as if it heard (it may speak no ICE), or no check is answered at all: then media does without.
fn sending(ice: &IceSession) -> [bool; 2] {
    let sends = |agent: usize| ice.pairs.iter().filter(move |pair| pair.carried(agent).first.is_some());
    let in_vain = [0, 1].map(|agent| sends(agent).all(|pair| pair.way(agent).is_repeated()));
    let both_send = (0..2).all(|agent| sends(agent).next().is_some());
    if both_send && (in_vain != [true; 2] || !ice.is_answered()) {
        return [true; 2];
    }
    in_vain.map(|in_vain| !in_vain) // who sends nothing sends nothing but in vain
}

/// Whether an agent checks through its relay: what keeps that silent is told of it.
fn is_behind_relay(ice: &IceSession, agent: usize) -> bool {
    ice.pairs.iter().any(|pair| pair.host(agent).is_some_and(|host| host != pair.end(agent)))
}

fn unanswered(ice: &IceSession, agent: usize, view: &View<'_>, out: &mut Collector) {
    let sent = asked(ice, agent);
    let (sends, span) = ATTEMPT;
    // so do an answer from elsewhere and an ICMP error
    let turned = ice.pairs.iter().any(|pair| pair.elsewhere.is_some() || pair.icmp.is_some());
    let heard = is_heard(ice, agent, view) || turned;
    // that other packets reach the agent says nothing of a call under way, of which dead pairs are checked on; and one that sends no check again was
    // answered
    let other = asked(ice, 1 - agent);
    let meets = ice.agent(1 - agent).checks > 0 && sent.is_urgent() && other.sends >= sends;
    // whoever tries for long has no pair; that its checks were not refused either shows only where the capture holds what is sent to it, or what the
    // other sends and is sent
    let holds = |agent: usize| ice.host(agent).is_some_and(|own| view.session.clients().is_heard(own.ip()));
    let hears = turned || holds(agent) || (other.checks > 0 && holds(1 - agent));
    let had_its_chance = sent.sends >= sends && sent.span >= span;
    let is_hidden = ice.host(agent).is_some_and(|own| view.session.hides(own.ip()));
    let is_over = view.now().since(sent.last) >= TIMEOUT;
    let confidence = match () {
        // whoever uses TCP as well may have had a way there
        () if had_its_chance && may_have_used_tcp(ice, view) => Confidence::Likely,
        // it may have pairs with others that nobody looks at
        () if had_its_chance && is_hidden => Confidence::Likely,
        // the capture lacks checks that were answered, or has them in another order
        () if had_its_chance && ice.stray_answers > 0 => Confidence::Likely,
        // a server sees nothing of the pair that works, and one attempt on each of the others, or the beginning of one
        () if had_its_chance && is_one_attempt_from_afar(ice, agent) => Confidence::Likely,
        () if sent.sends < sends && is_one_attempt_from_afar(ice, agent) => return,
        // who hears nothing checks again: it needed these pairs no more, and what it has instead is inside TLS
        () if is_dropped(ice, agent) && spoke_inside_tls(ice, agent, view) => return,
        () if sent.sends >= sends && sent.span >= LONG_ENOUGH && hears && (meets || sent.sounds_unheard) => {
            Confidence::Certain
        }
        () if (had_its_chance || is_over) && holds(agent) && (other.checks == 0 || meets) && gave_up(ice, agent) => {
            Confidence::certain_if(!is_hidden)
        }
        () if had_its_chance && (heard || is_over || sent.sounds_unheard) || heard && is_over => Confidence::Likely,
        () => return,
    };
    let Some(first) = ice.agent(agent).first_check else { return };
    let numbers = first_frames_of(ice, agent);
    let mut seen =
        occurrence(ice, agent, (UNANSWERED, "RFC 8445 §7.2.5.2.3"), Severity::Failure, first.time, numbers.clone());
    seen = unless_later_elsewhere(seen, ice, view);
    seen.confidence = confidence;
    seen.causes = BEHIND_SILENCE;
    out.add(seen, || unanswered_text(ice, agent, &sent, &numbers, view));
    no_relay(ice, agent, confidence, view, out);
}

/// Whether an agent that is not near the capture point sent no more than one attempt of checks on any pair (RFC 8489 §6.2.1): libjuice makes them all to
/// their end, whatever pair it has found to work.
fn is_one_attempt_from_afar(ice: &IceSession, agent: usize) -> bool {
    let is_near = |ttl: u8| ttl == 0 || is_unrouted(ttl);
    let mut ways = ice.checked_by(agent).map(|pair| pair.way(agent));
    ways.all(|way| !is_near(way.ttl) && way.sent == 1 && way.copies < TRANSMISSIONS)
}

/// Whether an agent tried every pair once, and did not care for the answer.
fn is_dropped(ice: &IceSession, agent: usize) -> bool {
    ice.checked_by(agent).map(|pair| pair.way(agent)).all(|way| way.sent == 1 && way.copies == 0)
}

/// Whether its host exchanged data with a server inside TLS that is not open.
fn spoke_inside_tls(ice: &IceSession, agent: usize, view: &View<'_>) -> bool {
    let (host, first) = (ice.host(agent), ice.agent(agent).first_check);
    host.zip(first)
        .is_some_and(|(own, first)| view.session.clients().encrypted().sealed(own.ip(), first.time).is_some())
}

/// Whether an agent tried every pair as often as a request is sent at most (RFC 8489 §6.2.1), direct ones among them: what is captured at the port of
/// a server alone shows none of these.
fn gave_up(ice: &IceSession, agent: usize) -> bool {
    let direct = ice.checked_by(agent).any(|pair| pair.path().inside.is_none());
    direct
        && ice
            .checked_by(agent)
            .all(|pair| pair.way(agent).sent.saturating_add(pair.way(agent).copies) >= TRANSMISSIONS)
}

/// What several captures tell of the checks of an agent, and of their answers.
fn whereabouts(ice: &IceSession, agent: usize, view: &View<'_>) -> Whereabouts {
    let mut told = Whereabouts::default();
    if view.session.joins().is_empty() {
        return told;
    }
    let asked_on = |pair: &&Pair| pair.way(agent).first.is_some() || pair.way(1 - agent).first.is_some();
    for pair in ice.pairs.iter().filter(asked_on) {
        let way = [pair.way(agent), pair.way(1 - agent)].into_iter().find(|way| way.first.is_some());
        let Some((first, last)) = way.and_then(|way| Some((way.first?.time, way.last))) else { continue };
        let of_pair = lost_between(pair, agent, [first, last], true, view);
        // of several pairs the first that tells anything stands for all
        if !of_pair.text.is_empty() {
            told = of_pair;
            break;
        }
    }
    told
}

fn unanswered_text(ice: &IceSession, agent: usize, sent: &Asked, numbers: &[u64], view: &View<'_>) -> Text {
    let other = asked(ice, 1 - agent);
    let back = if other.checks > 0 {
        let theirs = counted(other.checks, "check");
        // of several captures one alone may show them
        let (arrive, are) = if other.checks == 1 { ("arrives", "is") } else { ("arrive", "are") };
        let here = if view.session.joins().is_empty() { format!("{arrive} here and ") } else { String::new() };
        format!(" The {theirs} of {} {here}{are} not answered either.", named(ice, 1 - agent, view))
    } else {
        format!(" No check of {} is seen.", named(ice, 1 - agent, view))
    };
    let to = elsewhere_of(ice).map_or_else(|| address(ice, 1 - agent), |(.., asked)| asked.ip().to_string());
    let instead = match elsewhere_of(ice) {
        Some((from, ..)) if ice.pairs.len() == 1 => format!(": answers come from {from} instead"),
        _ => String::new(),
    };
    let icmp = ice.pairs.iter().find_map(|pair| pair.icmp.as_deref());
    let icmp =
        icmp.map(|icmp| format!(" {} answered with ICMP \"{}\" (frame {}).", icmp.sender, icmp.kind, icmp.frame));
    let elsewhere = elsewhere_of(ice);
    let elsewhere = elsewhere.map(|(from, frame, ..)| {
        format!(" An answer came from {from} instead (frame {frame}), which does not count (RFC 8445 §7.2.5.2.1).")
    });
    let alone = match is_heard(ice, agent, view) || elsewhere.is_some() || icmp.is_some() {
        true => String::new(),
        false => format!(
            " The capture holds nothing that was sent to {}: if it is one of a single direction, answers and refusals would be missing too.",
            address(ice, agent)
        ),
    };
    let relayed = ice.pairs.iter().filter(|pair| pair.passes_relay().is_some()).count();
    let (pairs, relay) = (ice.pairs.len() as u64, relayed as u64);
    let through = match (relay, pairs) {
        (0, _) => String::new(),
        (_, 1) => ", through the relay".to_owned(),
        _ => format!(", {relay} of them through the relay"),
    };
    let again = if sent.sends > sent.checks { format!("{} transmissions ", sent.sends) } else { String::new() };
    let over = if sent.sends > 1 { format!("over {}, ", sent.span) } else { String::new() };
    let way = whereabouts(ice, agent, view);
    let never = [agent, 1 - agent].into_iter().find_map(|agent| Some((agent, whereabouts(ice, agent, view).never_at?)));
    let never = never.map(|(agent, point)| format!("; those of {} never reached {point}", address(ice, agent)));
    let misfits = misfit(ice, agent, view) + &misfit(ice, 1 - agent, view);
    let addresses = only_private(ice, agent, view).map(|told| (": none but private addresses are checked", told));
    let same_nat = || Some((": both are behind the same NAT", same_nat(ice, agent, view)?));
    let addresses = addresses.or_else(same_nat).filter(|_| elsewhere.is_none());
    let credentials = if misfits.is_empty() {
        ""
    } else {
        " First compare a=ice-ufrag and a=ice-pwd on both sides: an agent may drop checks without a word that are not signed with its password."
    };
    Text {
        title: format!(
            "No connectivity check between {} and {to} is answered{}{}{instead}{}",
            address(ice, agent),
            if pairs > 1 { format!(", on any of {pairs} pairs") } else { String::new() },
            never.unwrap_or_else(|| way.answers.clone()),
            addresses.as_ref().map_or("", |(clause, _)| clause)
        ),
        explanation: format!(
            "{} sent {} on {}{through} ({again}{over}from {} on), and none was answered.{back}{}{}{alone}{}{misfits}{}{}",
            named(ice, agent, view),
            counted(sent.checks, "check"),
            counted(pairs, "pair"),
            frames(numbers.get(..1).unwrap_or_default()),
            icmp.unwrap_or_default(),
            elsewhere.unwrap_or_default(),
            way.text,
            addresses.as_ref().map(|(_, (what, _))| what.as_str()).unwrap_or_default(),
            beside(ice, agent, view)
        ),
        fix: if elsewhere_of(ice).is_some() {
            format!(
                "Let {to} answer from the address and port at which it is asked: bind its socket to that address, and translate what leaves it as what comes \
                 in (static NAT both ways).{}",
                way.fix
            )
        } else if let Some((_, (_, fix))) = addresses {
            format!("{fix}{}{}{credentials}", out_of_reach(ice, agent), way.fix)
        } else {
            let (open, relay) = (open_path(ice, agent, view), of_server(ice, agent, view));
            format!("{open}{relay}{}{}{credentials}", out_of_reach(ice, agent), way.fix)
        },
    }
}

/// From where else an answer came, its frame, the agent that had asked, and where it had asked.
fn elsewhere_of(ice: &IceSession) -> Option<(Endpoint, u64, usize, Endpoint)> {
    let known = |pair: &Pair| pair.elsewhere.map(|known| (known, [pair.end(0), pair.end(1)]));
    let ((from, frame, asker), [one, other]) = ice.pairs.iter().find_map(known)?;
    Some((from, frame, usize::from(asker), if asker == 0 { other } else { one }))
}

fn no_relay(ice: &IceSession, agent: usize, confidence: Confidence, view: &View<'_>, out: &mut Collector) {
    let Some(own) = ice.host(agent) else { return };
    let clients = view.session.clients();
    let uses_relay = |pair: &Pair| pair.passes_relay().is_some();
    if ice.pairs.iter().any(uses_relay) || clients.has_allocation(own.ip()) {
        return;
    }
    let Some(Denied { client, server, asked }) = clients.denied_relay(own.ip()) else { return };
    let numbers = vec![asked.frame];
    let mut seen = occurrence(ice, agent, (NO_RELAY, "RFC 8445 §5.1.1.2"), Severity::Failure, asked.time, numbers);
    // an agent that asks the server from the port of a candidate is the one that was refused; behind another port there may be another application
    let same = ice.pairs.iter().any(|pair| pair.end(agent) == client);
    seen.confidence = if same { confidence } else { Confidence::Likely };
    seen.subject.server = Some(crate::net::ServerAddress(server));
    seen.filter = Some(format!("stun && {}", ip_filter(own, server)));
    seen.causes = BEHIND_NO_RELAY;
    out.add(seen, || Text {
        title: format!("{} got no relay candidate from {server}, and its direct checks fail", own.ip()),
        explanation: format!(
            "{} asked {server} for an allocation (frame {}) and never got a relayed address. The pairs that were left, without a \
             relay, all fail.",
            own.ip(),
            asked.frame
        ),
        fix: "Mend what keeps the client from its allocation; then the call has a way through the relay.".to_owned(),
    });
}

fn one_way(ice: &IceSession, agent: usize, view: &View<'_>, out: &mut Collector) {
    let (own, other) = (asked(ice, agent), asked(ice, 1 - agent));
    let (sends, span) = ATTEMPT;
    if own.checks == 0 {
        return silent(ice, agent, &other, view, out);
    }
    // what was sent before the other was there says nothing
    let Some(there) = ice.agent(1 - agent).first_check else { return };
    let asked_for = own.last.since(there.time);
    // some agents send all their checks within two seconds, and then wait
    let is_over = asked_for >= Span(0) && view.now().since(own.last) >= TIMEOUT;
    let had_its_chance = own.sends >= sends && (own.span.min(asked_for) >= span || is_over);
    if own.answered > 0 || other.answered == 0 || !had_its_chance {
        return;
    }
    let Some(first) = ice.agent(agent).first_check else { return };
    let numbers = first_frames_of(ice, agent);
    let seen = occurrence(ice, agent, (ONE_WAY, "RFC 8445 §7.2.5"), Severity::Failure, first.time, numbers.clone());
    let mut seen = unless_later_elsewhere(seen, ice, view);
    // whoever hears the other's answers stops asking so often
    seen.confidence = Confidence::certain_if(own.sounds_unheard || other.sounds_unheard || other.answered >= 3);
    let leaves = ice.local() == agent;
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    if is_open(ice, agent) {
        return out.add(seen, || discarded(ice, agent, &own, &numbers, view));
    }
    let way = whereabouts(ice, agent, view);
    let misfit = misfit(ice, agent, view);
    let beyond = beyond_relay(ice, agent).map(|relay| {
        format!(
            " The relay of {relay} passes the checks of {from} on, as this capture of both its sides shows; what leaves it for {to} gets no further, answers \
             included."
        )
    });
    out.add(seen, || Text {
        title: format!("Checks from {from} to {to} go unanswered{}, while those the other way are answered", way.title),
        explanation: format!(
            "{} sent {} ({} transmissions over {}, {}) and got no answer. {} sent {}, {} answered here.{}",
            named(ice, agent, view),
            counted(own.checks, "check"),
            own.sends,
            own.span,
            first_frames(&numbers, numbers.len() as u64),
            named(ice, 1 - agent, view),
            counted(other.checks, "check"),
            match (other.checks, other.answered) {
                (1, _) => "which is".to_owned(),
                (_, 1) => "of which 1 is".to_owned(),
                (_, answered) => format!("of which {answered} are"),
            },
            match () {
                () if !misfit.is_empty() => misfit.clone(),
                () if !way.text.is_empty() => way.text,
                () if beyond.is_some() => beyond.unwrap_or_default(),
                () if leaves => {
                    format!(" This capture is on the side of {from}: what it sends does not get to {to}, its answers included.")
                }
                () => format!(
                    " The checks of {from} get as far as this capture point, on the side of {to}, and no further: on the host of {to} itself it is mostly \
                     that host's firewall, which judges what a capture has seen already."
                ),
            }
        ),
        fix: format!(
            "{}Mend the path from {from} to {to}: a firewall that lets only one direction pass, asymmetric routes, or an interface (a VPN's) \
             that leads elsewhere.{}{}",
            match misfit.is_empty() {
                true => String::new(),
                false => format!(
                    "First see that {from} signs its checks with the password of {to} (a=ice-pwd): an agent may drop what is not signed so without a word. "
                ),
            },
            of_server(ice, agent, view),
            match way.fix.is_empty() {
                true if misfit.is_empty() && !is_signed_right(ice, agent) => {
                    " Capture at the other end shows how far the packets get. Where they arrive, compare a=ice-ufrag and a=ice-pwd on both sides: some agents (libjuice, \
                     pion, webrtc-rs) drop checks that are signed with another password without a word."
                }
                true => " Capture at the other end shows how far the packets get.",
                false => &way.fix,
            }
        ),
    });
}

/// The relay that an agent's checks go through, where the capture shows them on both of its sides.
fn beyond_relay(ice: &IceSession, agent: usize) -> Option<Endpoint> {
    let bare = |pair: &&Pair| std::iter::once(pair.path()).chain(pair.other_paths()).any(|path| path.inside.is_none());
    ice.checked_by(agent).filter(bare).filter_map(|pair| Some((pair, pair.passes_relay()?))).find_map(
        |(pair, relay)| {
            let own = pair.relays().map_or_else(|| pair.end(agent).ip() == relay.ip(), |user| user == agent);
            own.then_some(relay)
        },
    )
}

/// Whether a pair passes packets both ways though an agent's checks on it go unanswered: the other acts on the answers that it gets there.
fn is_open(ice: &IceSession, agent: usize) -> bool {
    let unanswered = |pair: &&Pair| pair.way(agent).first.is_some() && pair.way(agent).answered.is_none();
    ice.pairs.iter().filter(unanswered).any(|pair| pair.way(1 - agent).is_heeded())
}

/// Where the other end is at the address of a server that the agent asks, that may be its relayed address.
fn of_server(ice: &IceSession, agent: usize, view: &View<'_>) -> String {
    let Some(end) = ice.checked_by(agent).next().map(|pair| pair.end(1 - agent)) else { return String::new() };
    let servers = view.session.servers().sorted();
    let Some((server, _)) = servers.iter().find(|(server, _)| server.0.ip() == end.ip() && server.0 != end) else {
        return String::new();
    };
    format!(
        " {server} is at the same address: where {end} is a relayed address of that server, let UDP in to its relay ports, {} among them, in the firewall \
         before it and on its own host.",
        end.port()
    )
}

/// A full agent that answers, and never sends a check itself.
fn silent(ice: &IceSession, agent: usize, other: &Asked, view: &View<'_>, out: &mut Collector) {
    const LONG: Span = Span::from_secs(10);
    let session = view.session;
    // one that only answers is lite, unless its description says that it is not
    let is_full = ice.is_lite(agent, session.signalling(), session.names()) == Some(false);
    let agents = ice.agent(1 - agent);
    if !is_full || other.answered == 0 || other.span < LONG || ice.nominated.is_some() {
        return;
    }
    let Some(first) = agents.first_check else { return };
    let numbers = first_frames_of(ice, 1 - agent);
    let mut seen = occurrence(ice, agent, (ONE_WAY, "RFC 8445 §7.3.1.4"), Severity::Failure, first.time, numbers);
    seen.confidence = Confidence::Likely;
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    out.add(seen, || Text {
        title: format!("{from} answers the checks of {to} and sends none of its own"),
        explanation: format!(
            "{} sent {}, and {} answered {}. By its description it is a full agent, which checks every pair on which it is checked \
             itself (RFC 8445 §7.3.1.4); none of its checks is in the capture.",
            named(ice, 1 - agent, view),
            counted(other.checks, "check"),
            named(ice, agent, view),
            other.answered
        ),
        fix: format!("See whether {from} sends checks at all, and on which interface; capture on it."),
    });
}
