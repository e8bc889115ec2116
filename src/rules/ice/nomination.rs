//! `ice-not-nominated`: pairs that work, and nobody chooses one.

use super::{address, counted, ends, may_have_used_tcp, named, occurrence, unless_later};
use crate::net::is_unrouted;
use crate::rules::evidence::{frames, how_long, times};
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::Seen;
use crate::session::ice::{Answered, IceSession, Pair, Role};
use crate::time::Span;

pub(super) const ID: &str = "ice-not-nominated";

/// So long pairs work before one should be nominated.
pub(super) const PATIENCE: Span = Span::from_secs(5);
/// So long an agent looks for a pair in vain before that says anything of the answers which it got.
const LONG: Span = Span::from_secs(10);
/// So many checks with USE-CANDIDATE that go unanswered are no loss of packets.
const SEVERAL: u32 = 4;

pub(super) fn judge(ice: &IceSession, view: &View<'_>, out: &mut Collector) {
    if ice.is_mixed || ice.nominated.is_some() || ice.first_data().is_some() || ice.restarted_by.is_some() {
        return;
    }
    let Some(controlling) = ice.controlling() else { return };
    if ice.agents.iter().any(|agent| agent.use_candidate.is_some()) {
        dropped(ice, controlling, view, out);
    } else if ice.agent(controlling).role == Some(Role::Controlling) {
        never(ice, controlling, view, out);
    } else {
        nobody(ice, controlling, view, out);
    }
}

/// The controlling agent sends no USE-CANDIDATE.
fn never(ice: &IceSession, controlling: usize, view: &View<'_>, out: &mut Collector) {
    let valid = ice.pairs.iter().filter(|pair| pair.is_valid_both_ways());
    let since = |pair: &&Pair| {
        (0..2).filter_map(|agent| pair.way(agent).answered.as_ref()).map(|answered| answered.first).max()
    };
    let Some((pair, valid)) = valid.filter_map(|pair| Some((pair, since(&pair)?))).min_by_key(|(_, since)| *since)
    else {
        return unheard(ice, controlling, view, out);
    };
    let way = pair.way(controlling);
    let lasted = way.last.since(valid.time);
    let is_looking = is_looking(way.sent, lasted);
    let began_here = view.session.ice().began_well_before(ice);
    if lasted < PATIENCE || !(is_looking || began_here) {
        return;
    }
    let numbers = [way.first, Some(valid)].into_iter().flatten().map(|seen| seen.frame).collect();
    let about = (ID, "RFC 8445 §8.1.1");
    let seen = occurrence(ice, controlling, about, Severity::Failure, valid.time, numbers);
    let mut seen = unless_later(seen, ice, view);
    // WebRTC goes on checking pairs that work beside the one which it chose, and that may be where the capture does not look: on another interface, or of
    // the other address family
    let agent = ice.agent(controlling);
    let may_have_chosen = agent.webrtc && agent.brisk < PATIENCE;
    if !is_looking || may_have_chosen {
        seen.confidence = Confidence::Likely; // or the capture may have begun in the middle of a call
    }
    out.add(seen, || Text {
        title: format!(
            "{} never nominates a pair, though {} works",
            address(ice, controlling),
            ends(pair, controlling)
        ),
        explanation: format!(
            "{} is the controlling agent and sent {} on {} over {}, answered as are those of the other side (since frame {}), but none \
             with USE-CANDIDATE. The other agent must wait for that, and nothing runs on the pair.{}",
            named(ice, controlling, view),
            counted(u64::from(way.sent), "check"),
            ends(pair, controlling),
            how_long(lasted),
            valid.frame,
            if may_have_chosen {
                " Or it chose a pair that is not in this capture, on another interface or of the other address family, and only keeps this one up."
            } else {
                ""
            }
        ),
        fix: format!(
            "Look at the log of the controlling agent, {}: what it waits for, such as end-of-candidates from the other side, or a pair \
             that it likes better.",
            address(ice, controlling)
        ),
    });
}

/// The checks of the controlling agent are answered by one that only answers, and it goes on as though it heard nothing.
fn unheard(ice: &IceSession, controlling: usize, view: &View<'_>, out: &mut Collector) {
    let Some((pair, valid)) = first_answered(ice, controlling) else { return };
    let way = pair.way(controlling);
    let lasted = way.last.since(valid.time);
    if ice.agent(1 - controlling).checks > 0 || lasted < LONG || !is_looking(way.sent, lasted) || way.errors > 0 {
        return;
    }
    let numbers = [way.first, Some(valid)].into_iter().flatten().map(|seen| seen.frame).collect();
    let seen = occurrence(ice, controlling, (ID, "RFC 8445 §7.2.5.3"), Severity::Failure, valid.time, numbers);
    let mut seen = unless_later(seen, ice, view);
    seen.confidence = Confidence::Likely;
    out.add(seen, || {
        let (own, other) = (address(ice, controlling), address(ice, 1 - controlling));
        let leaves = way.ttl > 0 && !is_unrouted(way.ttl);
        let (what, fix) = if leaves {
            (
                format!("The answers leave here, and {own} does as one that gets none"),
                format!("Let the answers of {other} get to {own}: look at the NAT and the firewalls between this capture point and {own}, and capture there, too."),
            )
        } else {
            (
                format!("The answers arrive here, and {own} does as though it took none of them"),
                format!(
                    "Look at the log of {own}: an answer that is signed with another password than that of {other} is dropped (--sdp shows whether it is), and so is what \
                     the host's own firewall keeps from the program."
                ),
            )
        };
        Text {
            title: format!("{own} goes on checking and never nominates a pair, though {other} answers its checks"),
            explanation: format!(
                "{} is the controlling agent and sent {} on {} over {}; {other} answered {} of them, from frame {} on. {what}: none of its checks has USE-CANDIDATE, and \
                 nothing runs on the pair.",
                named(ice, controlling, view),
                counted(u64::from(way.sent), "check"),
                ends(pair, controlling),
                how_long(lasted),
                way.answered.as_ref().map_or(0, |answered| answered.count),
                valid.frame
            ),
            fix,
        }
    });
}

/// The pair on which checks of an agent were answered first, and since when.
fn first_answered(ice: &IceSession, agent: usize) -> Option<(&Pair, Seen)> {
    let answered = ice.pairs.iter().filter_map(|pair| Some((pair, pair.way(agent).answered.as_ref()?.first)));
    answered.min_by_key(|(_, since)| *since)
}

/// Consent is asked for every 4 to 6 s, or every 2.5 s by WebRTC: an agent that checks faster is still looking for its pair.
fn is_looking(sent: u32, lasted: Span) -> bool {
    sent >= u32::try_from(lasted.secs()).unwrap_or(u32::MAX)
}

/// A controlled agent checks a pair that works, and the other one, which would have to nominate it, sends no checks.
fn nobody(ice: &IceSession, controlling: usize, view: &View<'_>, out: &mut Collector) {
    let agent = 1 - controlling;
    let Some((pair, valid)) = first_answered(ice, agent) else { return };
    let way = pair.way(agent);
    let lasted = way.last.since(valid.time);
    let is_looking = is_looking(way.sent, lasted);
    let session = view.session;
    let is_full = ice.is_lite(controlling, session.signalling(), session.names()) == Some(false);
    if is_full || lasted < PATIENCE || !(is_looking || view.session.ice().began_well_before(ice)) {
        return;
    }
    let numbers = [way.first, Some(valid)].into_iter().flatten().map(|seen| seen.frame).collect();
    let seen = occurrence(ice, agent, (ID, "RFC 8445 §6.1.1"), Severity::Failure, valid.time, numbers);
    let mut seen = unless_later(seen, ice, view);
    // the capture may have begun in the middle of a call, and checks may go where it does not show them
    if !is_looking || may_have_used_tcp(ice, view) {
        seen.confidence = Confidence::Likely;
    }
    out.add(seen, || {
        let (own, other) = (address(ice, agent), address(ice, controlling));
        Text {
            title: format!("{own} waits to be nominated by {other}, which sends no checks: nobody nominates a pair"),
            explanation: format!(
                "{} says in its checks that it is controlled, and sent {} on {} over {}, answered since frame {}. {other} only answers, as a lite agent does: it \
                 sends no check, and so no USE-CANDIDATE either. Where one agent is lite the other one has to be the controlling one (RFC 8445 §6.1.1), whoever \
                 made the offer.",
                named(ice, agent, view),
                counted(u64::from(way.sent), "check"),
                ends(pair, agent),
                how_long(lasted),
                valid.frame
            ),
            fix: format!(
                "See that the description of {other} says a=ice-lite where it is lite, and that {own} heeds it and takes the controlling role: update the stack of \
                 {own}, or let it make the offer. If {other} is not lite, look there for why it sends no checks."
            ),
        }
    });
}

/// Checks with USE-CANDIDATE go unanswered on a pair on which those without it are answered.
fn dropped(ice: &IceSession, agent: usize, view: &View<'_>, out: &mut Collector) {
    let nominated = |pair: &&Pair| {
        let way = pair.way(agent);
        let (count, last) = way.nominations;
        let lasted = way.use_candidate.map(|first| last.since(first.time));
        way.answered.is_some() && way.errors == 0 && count >= SEVERAL && lasted >= Some(PATIENCE)
    };
    let Some(pair) = ice.pairs.iter().find(nominated) else { return };
    let way = pair.way(agent);
    let (Some(first), Some(answered)) = (way.use_candidate, way.answered.as_ref()) else { return };
    let (count, last) = way.nominations;
    // answers to others while nominations go without show that the peer is there
    let is_there = answered.last > first && answered.last.time.since(first.time) >= PATIENCE;
    let numbers = vec![answered.first.frame, first.frame];
    let seen = occurrence(ice, agent, (ID, "RFC 8445 §8.1.1"), Severity::Failure, first.time, numbers.clone());
    let mut seen = unless_later(seen, ice, view);
    if !is_there {
        seen.confidence = Confidence::Likely;
    }
    out.add(seen, || {
        let (from, to) = (address(ice, agent), address(ice, 1 - agent));
        let Answered { count: others, .. } = **answered;
        Text {
            title: format!("Checks of {from} with USE-CANDIDATE go unanswered by {to}, while those without it are answered"),
            explanation: format!(
                "{} sent checks with USE-CANDIDATE {} on {} over {} and got no answer to any of them; {} without it {} answered ({}). {}",
                named(ice, agent, view),
                times(u64::from(count)),
                ends(pair, agent),
                how_long(last.since(first.time)),
                counted(u64::from(others), "check"),
                if others == 1 { "was" } else { "were" },
                frames(&numbers),
                if is_there {
                    "The path is open and the peer is there, so that something on the way, or the stack of the peer, drops what nominates: firewalls that look into \
                     STUN (an ALG for SIP or ICE) do."
                } else {
                    "Nothing was answered any more from then on: the peer went away at that time, or something on the way, or its stack, drops what nominates, as \
                     firewalls that look into STUN (an ALG for SIP or ICE) do."
                }
            ),
            fix: format!(
                "Switch off what inspects or rewrites STUN in the firewall on the way (an ALG, application control), or let the call go through a TURN server over \
                 TLS, which it cannot look into. Capture at {to}, too: whether these checks arrive there tells the path from the stack."
            ),
        }
    });
}
