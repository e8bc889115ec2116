//! `ice-consent-lost`: checks on the selected pair that were being answered, and are no more (RFC 7675).

use super::{address, counted, ends, lost_between, named, occurrence, unless_later};
use crate::net::Endpoint;
use crate::rules::evidence::how_long;
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::ice::{Answered, Consent, IceSession, Pair};
use crate::session::{MediaDirection, Path};
use crate::time::{Span, Timestamp};
use std::iter;

pub(super) const LOST: &str = "ice-consent-lost";

/// WebRTC gives a pair up after about 15 s without an answer, in which it asks more and more often.
const GIVEN_UP: (Span, u32) = (Span::from_secs(15), 20);
/// Other agents ask at leisure until their 30 s are over, and may stop just before: this many checks, and data that they sent for so long
/// without hearing anything, are enough to say that it is likely.
const UNHEARD: (Span, u32) = (Span::from_secs(15), 4);
/// So much an agent asks in vain within that time that asks every five seconds, or up to a fifth off that (RFC 7675 §5.1).
const IN_VAIN: (Span, u32) = (Span::from_secs(15), 5);
/// The longest time between two such checks.
const BETWEEN: Span = Span::from_secs(6);
/// Nothing at all came for so long, while so many checks, and data, were sent: one who closes its side after that has lost the other.
const GONE: (Span, u32) = (Span::from_secs(10), 2);
/// So long the first of these checks has waited, at least.
const WAITED: Span = Span::from_secs(5);
/// A goodbye may come a little before the last answer.
const GOODBYE: Span = Span::from_secs(10);
/// Of whom nothing came for so long, that one is gone.
const SILENT: Span = Span::from_secs(15);
/// What is still on its way when the peer falls silent.
const ON_ITS_WAY: Span = Span::from_secs(5);

pub(super) fn judge(ice: &IceSession, view: &View<'_>, out: &mut Collector) {
    let (Some(consent), Some(pair)) = (ice.consent(), ice.selected()) else { return };
    // of one that only answers, as a lite agent does, the other's checks alone tell; a full one asks, too
    if let Some(agent) = (0..2).find(|&agent| ice.agent(1 - agent).checks == 0) {
        if let Some(lost) = moved_in_vain(ice, agent, pair) {
            return moved(ice, agent, [pair, lost], view, out);
        }
        if hears_no_more(ice, agent, pair) {
            return unheard(ice, agent, pair, view, out);
        }
    }
    let Some(answered) = pair.way(consent.from).answered.as_ref() else { return };
    let (span, checks) = GIVEN_UP;
    let silence = |until: Timestamp| until.since(consent.last_answer.time);
    let own = pair.carried(consent.from);
    let (long, several) = UNHEARD;
    let unheard = own.first.is_some() && silence(own.last) >= long && answered.open >= several;
    let given_up = silence(consent.last_check) >= span && (answered.open >= checks || unheard);
    let gone = is_gone(pair, &consent, answered);
    let in_vain = asks_in_vain(&consent, answered);
    let goodbye = says_goodbye(pair, &consent, gone, in_vain.then_some(answered.open_since));
    let at = consent.lost_at.unwrap_or(consent.last_check);
    let heard = last_heard(pair, &consent, at);
    let still_sends = heard.since(consent.last_answer.time) > ON_ITS_WAY && consent.last_check.since(heard) < SILENT;
    // an agent that asks for consent only while nothing else passes hears media long after its last answer; but not while it asks and asks
    let over = if still_sends { in_vain } else { given_up || gone };
    if ice.is_mixed || goodbye || (consent.lost_at.is_none() && !over) {
        return;
    }
    let mut seen =
        occurrence(ice, consent.from, (LOST, "RFC 7675 §5.1"), Severity::Failure, at, vec![consent.last_answer.frame]);
    seen = unless_later(seen, ice, view);
    seen.causes =
        if pair.passes_relay().is_some() { BEHIND_A_RELAY } else { &[super::agreement::UNAUTHORIZED, "nat-rebinding"] };
    let held = held_at_nat(pair, &consent, view);
    if consent.lost_at.is_none() || still_sends && held.is_none() {
        seen.confidence = Confidence::Likely;
    }
    if ice.restarted_by.is_some() || another_works(ice, pair, at) {
        seen.severity = Severity::Warning;
    }
    let open = answered.open;
    out.add(seen, || text(ice, &consent, pair, (open, still_sends, heard), held, view));
}

/// What a NAT no longer passes on, where a capture holds both of its sides.
struct Held {
    /// Whose packets these are.
    sender: usize,
    /// To which place they go on coming.
    arrives: Endpoint,
    /// Which one sees nothing more of them, though the other agent's packets still pass there.
    ends: Endpoint,
}

/// Neither checks nor answers get through where a NAT holds back all that one of the two sends.
fn held_at_nat(pair: &Pair, consent: &Consent, view: &View<'_>) -> Option<Held> {
    pair.other_paths().next()?;
    let media = view.session.media();
    [consent.from, 1 - consent.from].into_iter().find_map(|sender| {
        let seen = |path: &Path| {
            let way = media.way_on(path).filter(|_| path.inside.is_none())?;
            let direction = usize::from(pair.agent_on(path, 0)? != sender);
            let (own, back) = way.from(direction);
            let last = |of: &MediaDirection| {
                let media = [of.media, of.rtcp_seen].into_iter().flatten().map(|(_, last)| last);
                media.chain(of.alive).chain(of.sealed).map(|seen| seen.time).max()
            };
            Some((last(own)?, last(back)?, if direction == 0 { path.ends.high } else { path.ends.low }))
        };
        let all: Vec<_> = iter::once(pair.path()).chain(pair.other_paths()).filter_map(seen).collect();
        let &(.., arrives) = all.iter().find(|(own, ..)| own.after(BETWEEN) >= consent.last_check)?;
        let is_held = |(own, back, _): &&(Timestamp, Timestamp, Endpoint)| {
            let since = own.after(SILENT);
            since <= consent.last_check && since <= *back
        };
        let &(.., ends) = all.iter().find(is_held)?;
        view.session.nat().are_one(arrives, ends).then_some(Held { sender, arrives, ends })
    })
}

/// Whether an agent that had a pair and asked at leisure whether it still works does so as one who hears nothing in the end, though all is answered.
fn hears_no_more(ice: &IceSession, agent: usize, pair: &Pair) -> bool {
    const AT_LEISURE: Span = Span::from_secs(10);
    const BRISKLY: Span = Span::from_secs(8);
    let (own, way) = (ice.agent(agent), pair.way(agent));
    let since = own.brisk_since;
    let used = (0..2).all(|agent| pair.carried(agent).first.is_some_and(|first| first.time < since.before(AT_LEISURE)));
    let answered = way.answered.as_ref().is_some_and(|answered| {
        answered.last.time >= own.last_check.before(Span::from_secs(1))
            && answered.first.time < since.before(AT_LEISURE)
    });
    // on a pair that is new it asks so from the start, whatever it hears on the other
    let new = |known: &Pair| known.way(agent).first.is_some_and(|first| first.time >= since);
    let loses = !ice.is_mixed && way.errors == 0 && !ice.pairs.iter().any(new);
    used && answered && loses && own.last_check.since(since) >= BRISKLY
}

/// What answers such an agent does not get there.
fn unheard(ice: &IceSession, agent: usize, pair: &Pair, view: &View<'_>, out: &mut Collector) {
    let Some(answered) = pair.way(agent).answered.as_ref() else { return };
    let own = ice.agent(agent);
    let mut seen = occurrence(
        ice,
        agent,
        (LOST, "RFC 7675 §5.1"),
        Severity::Failure,
        own.brisk_since,
        vec![answered.first.frame, answered.last.frame],
    );
    seen.key += " unheard";
    seen = unless_later(seen, ice, view);
    // the packets show how it asks, not what it hears
    seen.confidence = Confidence::Likely;
    if ice.restarted_by.is_some() {
        seen.severity = Severity::Warning;
    }
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    out.add(seen, || Text {
        title: format!("{from} asks for consent like one that hears no answers any more, though {to} answers"),
        explanation: format!(
            "{} asked on {} at leisure while data went both ways, and in the end several times a second for {}, as WebRTC does when no answers come. Those of {to} \
             pass this point until frame {}.",
            named(ice, agent, view),
            ends(pair, agent),
            how_long(own.last_check.since(own.brisk_since)),
            answered.last.frame
        ),
        fix: format!(
            "Look for what loses packets of {to} between this capture point and {from}: a NAT that gave {} another port or forgot it, a firewall, a route of that way \
             alone. Capture nearer to {from}, too.",
            pair.end(agent)
        ),
    });
}

/// Where an agent goes on from another address, and is not answered there: it asks no more on the pair that was selected, and nowhere is it answered since.
fn moved_in_vain<'i>(ice: &'i IceSession, agent: usize, selected: &Pair) -> Option<&'i Pair> {
    let (long, checks) = IN_VAIN;
    let (old, last) = (selected.way(agent), selected.way(agent).answered.as_ref()?.last);
    if ice.is_mixed || ice.restarted_by.is_some() {
        return None;
    }
    ice.pairs.iter().find(|pair| {
        let way = pair.way(agent);
        let since = way.first.filter(|first| *first > last);
        let is_answered = |known: &Pair| {
            let answered = [known.way(0), known.way(1)].into_iter().filter_map(|way| way.answered.as_ref());
            since.is_some_and(|since| answered.map(|answered| answered.last).any(|answer| answer > since))
        };
        pair.end(agent) != selected.end(agent)
            && pair.host(1 - agent) == selected.host(1 - agent)
            && since.is_some_and(|since| way.last.since(since.time) >= long && old.last < since.time.after(BETWEEN))
            && way.sent >= checks
            && way.errors == 0
            && !ice.pairs.iter().any(is_answered)
    })
}

/// An agent that has another address since its network changed, and is not heard there.
fn moved(ice: &IceSession, agent: usize, [selected, lost]: [&Pair; 2], view: &View<'_>, out: &mut Collector) {
    let (way, other) = (lost.way(agent), lost.carried(1 - agent));
    let (Some(first), Some(answered)) = (way.first, selected.way(agent).answered.as_ref()) else { return };
    if other.first.is_some() {
        return; // it is heard, whatever becomes of its checks
    }
    let numbers = vec![answered.last.frame, first.frame];
    let mut seen = occurrence(ice, agent, (LOST, "RFC 8445 §7.3.1.3"), Severity::Failure, first.time, numbers);
    seen.key += " moved";
    seen = unless_later(seen, ice, view);
    // answers may take a way that is not captured
    seen.confidence = Confidence::Likely;
    seen.causes = &["nat-rebinding"];
    let (from, to) = (lost.end(agent), lost.end(1 - agent));
    let stays = selected.carried(1 - agent);
    let stays = if stays.first.is_some() && stays.last > first.time.after(ON_ITS_WAY) {
        format!(" {to} goes on sending to {}.", selected.end(agent))
    } else {
        String::new()
    };
    out.add(seen, || Text {
        title: format!("{to} does not answer {from}, from where {} goes on", selected.end(agent)),
        explanation: format!(
            "{} was answered on {} until frame {}. From frame {} on it checks from {from}, as one whose network changed, and {} over {} are not answered there, nor any \
             others since.{stays}",
            named(ice, agent, view),
            ends(selected, agent),
            answered.last.frame,
            first.frame,
            counted(u64::from(way.sent), "check"),
            how_long(way.last.since(first.time)),
        ),
        fix: format!(
            "Let {} take checks of a participant that it knows from any address and go on there (a peer-reflexive candidate, RFC 8445 §7.3.1.3): look for a setting that \
             pins participants to their first address, and for a firewall or a balancer before it that lets no new address in. An ICE restart by {} mends it, too.",
            address(ice, 1 - agent),
            address(ice, agent)
        ),
    });
}

/// What ends a pair that runs through a relay.
const BEHIND_A_RELAY: &[&str] = &[
    super::agreement::UNAUTHORIZED,
    "turn-allocation-gone",
    "turn-permission-missing",
    "turn-channel-mismatch",
    "turn-stale-nonce-loop",
    "turn-user-changed",
    "turn-integrity-rejected",
    "turn-credential-expired",
    "turn-connection-closed",
    "turn-data-after-expiry",
    "turn-unreachable",
    "nat-rebinding",
];

/// Whether an agent asked again and again without an answer, for as long as WebRTC does before it gives a pair up.
fn asks_in_vain(consent: &Consent, answered: &Answered) -> bool {
    let (span, checks) = IN_VAIN;
    answered.open >= checks && consent.last_check.since(answered.open_since) >= span
}

/// Whether either side closed what ran on the pair about when the answers ceased. One who closes it when nothing came for long does not take leave of anybody,
/// nor does either where all was asked in vain since then, or consent had run out.
fn says_goodbye(pair: &Pair, consent: &Consent, gone: bool, in_vain: Option<Timestamp>) -> bool {
    let near = consent.last_answer.time.before(GOODBYE);
    let (span, _) = GIVEN_UP;
    let late = in_vain.map(|since| since.after(span)).into_iter().chain(consent.lost_at).min();
    let late = late.unwrap_or(Timestamp(i64::MAX));
    let until = if gone { consent.last_answer.time.after(WAITED) } else { late };
    let own = pair.carried(consent.from).alert.filter(|alert| alert.time <= until);
    let peer = pair.carried(1 - consent.from).alert.filter(|alert| alert.time <= late);
    own.into_iter().chain(peer).any(|alert| alert.time >= near)
}

/// Whether an agent went on sending on a pair that had carried data both ways, and nothing of the other came any more.
fn is_gone(pair: &Pair, consent: &Consent, answered: &Answered) -> bool {
    let (own, peer) = (pair.carried(consent.from), pair.carried(1 - consent.from));
    let (span, checks) = GONE;
    let heard = last_heard(pair, consent, own.last);
    let both = own.first.is_some() && peer.first.is_some();
    both && answered.open >= checks && own.last.since(heard) >= span && own.last.since(answered.open_since) >= WAITED
}

/// The last that was heard of the other agent on the pair: an answer, media, a check of its own. One that was silent until then may come back later.
fn last_heard(pair: &Pair, consent: &Consent, until: Timestamp) -> Timestamp {
    let (answer, peer, way) = (consent.last_answer.time, pair.carried(1 - consent.from), pair.way(1 - consent.from));
    let rests = way.answered.as_ref().is_some_and(|answered| {
        let (rest, since) = answered.rest;
        since <= answer.after(ON_ITS_WAY) && since.after(rest) >= until
    });
    let data = peer.first.map(|_| peer.last);
    let check = way.first.filter(|_| !rests).map(|_| way.last);
    data.into_iter().chain(check).fold(answer, Timestamp::max)
}

/// Whether a check on another pair was answered afterwards.
fn another_works(ice: &IceSession, lost: &Pair, at: Timestamp) -> bool {
    let others = ice.pairs.iter().filter(|pair| pair.path() != lost.path());
    others
        .flat_map(|pair| [pair.way(0), pair.way(1)])
        .filter_map(|way| way.answered.as_ref())
        .any(|answered| answered.last.time >= at)
}

fn text(
    ice: &IceSession,
    consent: &Consent,
    pair: &Pair,
    (open, still_sends, heard): (u32, bool, Timestamp),
    held: Option<Held>,
    view: &View<'_>,
) -> Text {
    let (from, to) = (address(ice, consent.from), address(ice, 1 - consent.from));
    let silence = consent.last_check.since(consent.last_answer.time);
    // of several captures another may show what still comes
    let one_way = still_sends && view.session.joins().is_empty();
    let held = held.map(|held| (address(ice, held.sender), address(ice, 1 - held.sender), held));
    let from_peer = if let Some((sender, _, Held { arrives, ends, .. })) = &held {
        let passes = match arrives == ends {
            true => {
                format!("comes to it, and nothing of that leaves towards {ends} any more, though packets from there")
            }
            false => {
                format!("arrives at {arrives}, and is not passed on to {ends} any more, though packets from there")
            }
        };
        format!(" The capture holds both sides of the NAT: what {sender} sends still {passes} still pass.")
    } else if one_way {
        format!(" Packets of {to} still arrive, so that the way is lost in one direction: from {from} to {to}.")
    } else if still_sends {
        format!(" Packets of {to} are still seen.")
    } else if pair.way(1 - consent.from).last > consent.last_check {
        format!(" All that time nothing of {to} arrived on the pair; then it was back, too late.")
    } else if heard.since(consent.last_answer.time) > ON_ITS_WAY {
        let later = heard.since(consent.last_answer.time);
        format!(" The last packet of {to} arrived on the pair {later} after that answer, and nothing from then on.")
    } else {
        let refusals = if pair.way(consent.from).errors > 0 { " but refusals" } else { "" };
        format!(" From then on nothing{refusals} of {to} arrives on the pair.")
    };
    let ended = if consent.lost_at.is_some() {
        "After 30 seconds without an answer an agent must stop sending (RFC 7675 §5.1)."
    } else if view.now().since(consent.last_check) < BETWEEN {
        "The capture ends before the 30 seconds are over after which an agent must stop sending (RFC 7675 §5.1)."
    } else {
        "It stopped asking before the 30 seconds of RFC 7675 were over: it has given the pair up or was closed."
    };
    let times = [consent.last_answer.time, consent.last_check];
    let between = lost_between(pair, consent.from, times, false, view);
    let icmp = pair.icmp.as_deref().filter(|icmp| icmp.frame > consent.last_answer.frame);
    let told = icmp
        .map(|icmp| format!(" {} answered with ICMP \"{}\" (from frame {} on).", icmp.sender, icmp.kind, icmp.frame));
    let peer = ice.host(1 - consent.from);
    let is_closed =
        icmp.is_some_and(|icmp| icmp.kind.is_port_unreachable() && peer.is_some_and(|end| end.ip() == icmp.sender));
    let peer = peer.map_or_else(|| to.clone(), |end| end.to_string());
    Text {
        title: if let Some((sender, other, _)) = &held {
            format!(
                "The NAT passes nothing of {sender} on to {other} any more: the consent checks of {from} go unanswered after a pair had been selected"
            )
        } else if between.answers.is_empty() {
            format!(
                "{to} stopped answering the consent checks of {from} after a pair had been selected{}",
                if is_closed { format!(": {to} says that the port is closed (ICMP)") } else { String::new() }
            )
        } else {
            format!(
                "Nothing answers the consent checks of {from} any more after a pair had been selected{}",
                between.answers
            )
        },
        explanation: format!(
            "{} got its last answer on {} in frame {} and sent {open} more checks over {} without one. {ended}{from_peer}{}{}",
            named(ice, consent.from, view),
            ends(pair, consent.from),
            consent.last_answer.frame,
            how_long(silence),
            told.unwrap_or_default(),
            between.text
        ),
        fix: if is_closed {
            format!(
                "See at {to} why nothing holds {peer} any more: the application ended, crashed, or closed the session without a goodbye. Its log from that \
                 time tells."
            )
        } else {
            let device = match pair.passes_relay() {
                Some(relay) => format!("a NAT or firewall between either of the two and the relay {relay}"),
                None => "a NAT or firewall between the two".to_owned(),
            };
            let look = if held.is_some() {
                "Look at the NAT or firewall itself at that time: whether it was started anew or handed over to another one, forgot or changed a mapping, or drops these packets \
                 by a rule, a limit or an inspection."
                    .to_owned()
            } else if one_way {
                format!(
                    "Find what lets packets of {to} through and none of {from}: {device} that forgot or closed the mapping of {peer}, or a route of that way \
                     alone."
                )
            } else {
                format!(
                    "See what happened to {peer} at that time: its network, its process, {device} that forgot or closed the mapping."
                )
            };
            format!("{look} An ICE restart brings the call back where both are still there.{}", between.fix)
        },
    }
}
