//! `ice-check-unauthorized`, `ice-role-conflict`: agents that hear and do not agree.

use super::nomination::PATIENCE;
use super::{
    address, asked, counted, counted_were, ends, is_unsigned, named, occurrence, unless_later, unless_later_elsewhere,
};
use crate::rules::evidence::{Proof, frames, quote};
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::Name;
use crate::session::Seen;
use crate::session::credentials::{Credential, Kind, Slip};
use crate::session::ice::{IceSession, Pair, Role, Unauthorized};
use crate::session::signalling::compare;
use crate::time::Span;

pub(super) const UNAUTHORIZED: &str = "ice-check-unauthorized";
pub(super) const CONFLICT: &str = "ice-role-conflict";

/// An agent that has not been told the other's credentials yet refuses its first checks: so long it may last.
const SIGNALLING: Span = Span::from_secs(2);
/// So long, and so often, checks are refused that were answered before: WebRTC gives a pair up after about 15 s.
const LOCKED_OUT: (Span, u32) = (Span::from_secs(15), 4);
/// So long, and so often, checks with a new and an old user fragment are refused where one side restarts ICE and the other does not go along.
const LEFT_ALONE: (Span, u32) = (Span::from_secs(5), 4);
/// So many 487, over so much time, are no crossing of offers any more, and no checks that were under way together.
const STUBBORN: (u32, Span) = (4, Span::from_secs(1));

/// So often, over so much time, success and refusal take turns where the checks of one agent reach several.
const TURNS: (u32, Span) = (4, Span::from_secs(3));

/// Checks of an agent on one pair are answered and refused by turns: one of several that stand behind the address knows it.
fn by_turns(ice: &IceSession, agent: usize, view: &View<'_>, out: &mut Collector) {
    let turns = |pair: &Pair| {
        let (count, seen) = pair.way(agent).wavers;
        let [first, last] = seen?;
        (count >= TURNS.0 && last.time.since(first.time) >= TURNS.1).then_some((count, first, last))
    };
    let Some((pair, (count, first, last))) = ice.pairs.iter().find_map(|pair| Some((pair, turns(pair)?))) else {
        return;
    };
    let numbers = vec![first.frame, last.frame];
    let about = (UNAUTHORIZED, "RFC 8445 §7.3");
    let mut seen = occurrence(ice, agent, about, Severity::Failure, first.time, numbers.clone());
    seen.confidence = Confidence::Likely;
    seen = unless_later(seen, ice, view);
    out.add(seen, || {
        let (from, to) = (address(ice, agent), pair.end(1 - agent));
        let way = pair.way(agent);
        Text {
            title: format!("{to} answers and refuses the connectivity checks of {from} by turns ({})", way.error),
            explanation: format!(
                "Of the checks of {} on {}, signed alike, {} were answered by success and {} refused with {}; {count} times a refusal came next after a success ({}). One \
                 agent does not change its mind so: several stand behind {to}, of which one knows this session, and each packet goes to another.",
                named(ice, agent, view),
                ends(pair, agent),
                way.answered.as_ref().map_or(0, |answered| answered.count),
                way.errors,
                way.error,
                frames(&numbers)
            ),
            fix: format!(
                "Have the balancer before {to} keep what comes from one address and port on one server (a hash of addresses and ports, sessions of several minutes), or let \
                 each server offer an address or port of its own."
            ),
        }
    });
}

pub(super) fn judge_unauthorized(ice: &IceSession, view: &View<'_>, out: &mut Collector) {
    for agent in 0..2 {
        by_turns(ice, agent, view, out);
        let Some(refused) = ice.agent(agent).unauthorized.as_deref() else { continue };
        // early checks may be refused before the answer has arrived: what counts is that none ever succeeds
        let before = asked(ice, agent).answered > 0 || ice.has_data_both_ways();
        // a session of an old and a new user fragment lasts until both sides know the new ones
        let lasting = refused.last.time.since(refused.first.time) >= LEFT_ALONE.0 && refused.count >= LEFT_ALONE.1;
        let passing = ice.is_mixed && (ice.restarted_by.is_some() || !lasting);
        if passing || (before && !is_locked_out(ice, agent, refused)) {
            continue;
        }
        let about = (UNAUTHORIZED, "RFC 8445 §7.3");
        let mut seen = occurrence(ice, agent, about, Severity::Failure, refused.first.time, refused.frames.clone());
        if !ice.is_mixed {
            seen = unless_later(seen, ice, view); // else what flows on as before the restart counts
        }
        let gave_up = may_have_given_up(ice, agent, refused, view);
        // what else than credentials an agent refuses without a code nobody knows
        if gave_up || refused.code == 0 || view.now().since(refused.first.time) < SIGNALLING {
            seen.confidence = Confidence::Likely;
        }
        if ice.restarted_by.is_some() {
            seen.severity = Severity::Warning; // what counts is how the new generation fares
        }
        if before {
            seen.key += " no more";
        }
        out.add(seen, || unauthorized(ice, agent, refused, gave_up, view));
    }
}

/// Whether checks of an agent may be refused since the other has given the session up: Firefox answers 400 to all that come after that. One that
/// still wants a pair sends checks itself. What proves that the credentials do not fit proves that it is them.
fn may_have_given_up(ice: &IceSession, agent: usize, refused: &Unauthorized, view: &View<'_>) -> bool {
    let other = ice.agent(1 - agent);
    let is_silent =
        (other.checks == 0 || other.last_check < refused.first.time) && checks_beside(ice, agent, refused).is_none();
    let proven =
        matches!(Proof::of(&refused.integrity, view), Proof::Mismatch(_)) || is_unsigned(&refused.integrity, view);
    refused.code == 400 && is_silent && !proven
}

/// Where the agent that refuses checks goes on checking itself on the same ways in the session before this one: with which user fragment, and when last.
fn checks_beside(ice: &IceSession, agent: usize, refused: &Unauthorized) -> Option<(Name, Seen)> {
    ice.beside.filter(|&(own, last)| Some(own) != ice.agent(agent).ufrag && last.time >= refused.first.time)
}

/// The last answer by success to a check of an agent.
fn last_answer(ice: &IceSession, agent: usize) -> Option<Seen> {
    ice.pairs.iter().filter_map(|pair| pair.way(agent).answered.as_ref()).map(|answered| answered.last).max()
}

/// Whether checks of an agent that were answered are all refused from some time on, for as long as agents put up with it.
fn is_locked_out(ice: &IceSession, agent: usize, refused: &Unauthorized) -> bool {
    last_answer(ice, agent).is_some_and(|last| refused.last.time.since(last.time) >= LOCKED_OUT.0)
        && refused.count >= LOCKED_OUT.1
}

/// Which generation of user fragments the refused checks are of, where the packets or the descriptions tell of another.
fn generation(ice: &IceSession, agent: usize, refused: &Unauthorized, view: &View<'_>) -> String {
    let own = ice.agent(1 - agent).ufrag;
    if let Some((name, last)) = checks_beside(ice, agent, refused).filter(|&(name, _)| Some(name) != own) {
        return format!(
            " They name {} for {}, which itself goes on checking as {} between the same addresses and ports (until frame {}): the two are of different media \
             sections, of which each has its own without BUNDLE, of different calls or of different generations.",
            view.quoted(own),
            address(ice, 1 - agent),
            view.quoted(Some(name)),
            last.frame
        );
    }
    if ice.is_mixed {
        return " They pair a user fragment from before an ICE restart with one from after it: one side restarted ICE, and the other does not know \
                of it or has it otherwise."
            .to_owned();
    }
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    let by = ice.restarted_by.map(|(_, seen)| seen).or(ice.half_restarted);
    if let Some(seen) = by.filter(|seen| seen.time <= refused.last.time) {
        return format!(
            " The user fragments in them are of the generation before the ICE restart that begins in frame {}: {from} goes on with the old \
             one.",
            seen.frame
        );
    }
    let signalling = view.session.signalling();
    let Some(ufrag) = ice.agent(1 - agent).ufrag.map(|name| view.session.names().bytes(name)) else {
        return String::new();
    };
    let another = signalling.descriptions().iter().find(|told| {
        told.ufrag.as_bytes() != ufrag && compare::told_as(told, refused.pair.1).any(|told| told.transport == "udp")
    });
    another.map_or_else(String::new, |told| {
        format!(
            " The description {} tells another user fragment of {to} at this very address, {}: the checks are of another generation.",
            quote(&told.origin),
            quote(&told.ufrag)
        )
    })
}

/// What has to be done to a password that was given so that the checks of an agent verify with it.
pub(super) fn nearly(ice: &IceSession, agent: usize, view: &View<'_>) -> Option<String> {
    let ufrag = |agent: usize| ice.agent(agent).ufrag.map(|name| view.text(name)).unwrap_or_default();
    let username = format!("{}:{}", ufrag(1 - agent), ufrag(agent));
    let session = view.session;
    let near = session.near_misses().of_checks(session.names(), &username)?;
    let label = session.credentials().describe(near.credential)?.label.into_owned();
    Some(match near.slip {
        Slip::OtherAgent => format!(
            " They verify with the password of {}, which belongs to another user fragment: their sender took the password of another agent, or of another \
             generation.",
            quote(&label)
        ),
        _ => format!(
            " They do not verify with the password of {} as it is given, and they do when {}: it changed on its way to their sender.",
            quote(&label),
            near.when(session.credentials())
        ),
    })
}

/// What the integrity of refused checks says of whose password is wrong, as a sentence with a blank before it.
fn proven(ice: &IceSession, agent: usize, refused: &Unauthorized, gave_up: bool, view: &View<'_>) -> String {
    match Proof::of(&refused.integrity, view) {
        Proof::By { label, .. } if gave_up => {
            format!(" The refused checks verify with the password of {}.", quote(&label))
        }
        Proof::By { label, .. } => {
            // of one user fragment there are several only where descriptions tell different passwords
            let ufrag = ice.agent(1 - agent).ufrag.map(|name| view.text(name)).unwrap_or_default();
            let is_another = |known: &&Credential| {
                known.label != label && matches!(&known.kind, Kind::Ice { ufrag: own } if *own == ufrag)
            };
            let another = view.session.credentials().list().iter().find(is_another);
            let another = another.map_or_else(String::new, |known| format!(": {} tells it", quote(&known.label)));
            format!(
                " The refused checks verify with the password of {}, so that their sender uses that one, and the other side has \
                 another{another}.",
                quote(&label)
            )
        }
        Proof::Mismatch(tried) => nearly(ice, agent, view).unwrap_or_else(|| match tried {
            1 => " They do not verify with the password given for this user fragment.".to_owned(),
            _ => format!(" They verify with none of the {tried} passwords given for this user fragment."),
        }),
        Proof::Unsigned => " They carry no integrity at all.".to_owned(),
        Proof::Untested => nearly(ice, agent, view).unwrap_or_default(),
        Proof::Truncated => String::new(),
    }
}

fn unauthorized(ice: &IceSession, agent: usize, refused: &Unauthorized, gave_up: bool, view: &View<'_>) -> Text {
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    let reason = refused.reason.map(|name| view.text(name)).unwrap_or_default();
    let reason = reason.trim_end_matches('\0').trim().escape_debug().to_string();
    let code = match refused.code {
        0 => "an error without a code".to_owned(),
        code if reason.is_empty() => code.to_string(),
        code => format!("{code} {reason}"),
    };
    let proof = proven(ice, agent, refused, gave_up, view);
    let last = last_answer(ice, agent);
    let other = asked(ice, 1 - agent);
    let others = match (other.answered, ice.agent(1 - agent).unauthorized.is_some()) {
        (_, true) => format!(" The checks of {to} are refused as well."),
        (0, false) => String::new(),
        (_, false) if last.is_some() => format!(" The checks of {to} are answered."),
        (_, false) => format!(" The checks of {to} are answered: its view of the credentials is the one that fits."),
    };
    let succeeded = match last {
        Some(last) => format!("and none succeeded after frame {}", last.frame),
        None => "and none ever succeeded".to_owned(),
    };
    let generation = generation(ice, agent, refused, view);
    let unsigned = is_unsigned(&refused.integrity, view);
    // the same two user fragments were let in before, and each has one password
    let turned = last.filter(|_| !unsigned && !ice.is_mixed && generation.is_empty() && !gave_up);
    let (why, silence, first) = if unsigned {
        ("they carry no MESSAGE-INTEGRITY", String::new(), String::new())
    } else if let Some(last) = turned {
        (
            "it takes them no more",
            format!(
                " Between the same two user fragments checks were let in until frame {}, so that the password was right: {to} has given that session up or \
                 begun another one, or another program has its port.",
                last.frame
            ),
            format!(
                "Look at {to} for what happened at that time: a call that ended there, a program that was restarted, a port that was given to another call, \
                 an ICE restart of which {from} was not told. Else: "
            ),
        )
    } else if gave_up {
        (
            "it has given up, or ICE credentials do not match",
            format!(
                " {to} sends no checks itself in that time: Firefox answers like this once it has given up the session, and what made it do so came \
                 before."
            ),
            format!("See at {to} whether its ICE had failed or was closed by then, and why. If not: "),
        )
    } else {
        ("ICE credentials do not match", String::new(), String::new())
    };
    Text {
        title: format!("{to} refuses the connectivity checks of {from} with {code}: {why}"),
        explanation: format!(
            "{} refused with {code} on the way from {} to {} ({}), {succeeded}.{proof}{silence}{generation}{others}",
            counted_were(u64::from(refused.count), "check"),
            named(ice, agent, view),
            named(ice, 1 - agent, view),
            frames(&refused.frames)
        ),
        fix: if unsigned {
            format!(
                "Update the stack of {from}, or a gateway that answers in its name: each check carries MESSAGE-INTEGRITY, made with the password of the other side \
                 (RFC 8445 §7.2.2)."
            )
        } else {
            format!(
                "{first}A check is signed with the password that {to} put into its description (a=ice-pwd beside the user fragment {}). See that \
             {from} got it unchanged and of this generation: a stale or mangled offer or answer, a forked call, or a restart that only \
             one side knows of.",
                view.quoted(ice.agent(1 - agent).ufrag)
            )
        },
    }
}

pub(super) fn judge_conflict(ice: &IceSession, view: &View<'_>, out: &mut Collector) {
    const LASTING: u32 = 8;
    let refusals = ice.agents.iter().map(|agent| agent.conflicts.count).fold(0, u32::saturating_add);
    let firsts = ice.agents.iter().filter_map(|agent| agent.conflicts.first);
    let first = firsts.chain(ice.same_role.first).min();
    let Some(first) = first.filter(|_| !ice.is_mixed && (refusals > 0 || ice.same_role.count >= LASTING)) else {
        return;
    };
    let resolved = ice.is_conflict_resolved() || ice.has_data_both_ways() || (refusals > 0 && ice.nominated.is_some());
    let lasts =
        ice.agents.iter().filter_map(|agent| agent.conflicts.last).chain(ice.same_role.last.filter(|_| refusals == 0));
    let last = lasts.max().unwrap_or(first);
    let (many, long) = STUBBORN;
    let repeats = refusals >= many && last.time.since(first.time) >= long;
    // nobody says so, and nobody nominates, as both wait for the other
    let waiting = refusals == 0 && ice.same_role.last.is_some_and(|last| last.time.since(first.time) >= PATIENCE);
    let severity = if !resolved && (repeats || waiting) { Severity::Failure } else { Severity::Note };
    // the one that was refused is the one that has to switch
    let agent = usize::from(ice.agent(0).conflicts.count > ice.agent(1).conflicts.count);
    let numbers = if last == first { vec![first.frame] } else { vec![first.frame, last.frame] };
    let seen = occurrence(ice, agent, (CONFLICT, "RFC 8445 §7.3.1.1"), severity, first.time, numbers);
    let mut seen = if waiting { unless_later(seen, ice, view) } else { unless_later_elsewhere(seen, ice, view) };
    if severity == Severity::Note {
        seen.key = String::new();
        seen.remedy = crate::rules::Remedy::None;
    }
    out.add(seen, || conflict(ice, agent, refusals, (first, last), resolved, view));
}

fn conflict(
    ice: &IceSession,
    agent: usize,
    refusals: u32,
    (first, last): (Seen, Seen),
    resolved: bool,
    view: &View<'_>,
) -> Text {
    let (one, other) = (address(ice, agent), address(ice, 1 - agent));
    let role = match ice.agent(agent).role {
        Some(Role::Controlled) => "controlled",
        _ => "controlling",
    };
    let switched = ice.agents.iter().zip(0..).find(|(agent, _)| agent.role_changes > 0).map(|(_, number)| number);
    let end = match (resolved, switched) {
        (true, Some(number)) => format!("{} switched its role, and the checks went on.", named(ice, number, view)),
        (true, None) if !ice.is_conflict_resolved() => "Neither side switched its role.".to_owned(),
        (true, None) => "The conflict was resolved.".to_owned(),
        (false, Some(number)) => {
            format!("{} switched its role, and no check succeeded all the same.", named(ice, number, view))
        }
        (false, None) => "Neither side switched its role while the capture ran.".to_owned(),
    };
    let title = match (resolved, switched) {
        (true, None) if !ice.is_conflict_resolved() => {
            format!("{one} and {other} both claim to be the {role} agent, and get on all the same")
        }
        (true, _) => format!("{one} and {other} claimed the same ICE role at first, and agreed"),
        (false, Some(_)) => format!("{one} and {other} do not agree on their ICE roles"),
        (false, None) => format!("{one} and {other} both claim to be the {role} agent, and neither gives way"),
    };
    let codes = match refusals {
        0 => "without an error 487".to_owned(),
        _ => format!("{} with error 487", counted(u64::from(refusals), "check")),
    };
    let claimed = if ice.agent(1 - agent).checks > 0 {
        "Both agents claimed the same role in their checks".to_owned()
    } else {
        format!("{other} sends no checks, and answered those of {one} as an agent does that has the same role")
    };
    // what the refused one does not take for an answer it never hears of
    let unheard = if resolved || switched.is_some() {
        None
    } else {
        let answers = &ice.agent(1 - agent).conflict_integrity;
        match Proof::of(answers, view) {
            _ if refusals == 0 => None,
            _ if is_unsigned(answers, view) => Some(" The answers 487 carry no MESSAGE-INTEGRITY"),
            Proof::Mismatch(_) => Some(" The answers 487 do not verify with the password that belongs to the check"),
            _ => None,
        }
    };
    let unheard = unheard.map_or_else(String::new, |what| {
        format!("{what}: an agent drops what is not signed as its check was (RFC 8489 §9.1.4), as browsers do, and never hears of the conflict.")
    });
    Text {
        title,
        explanation: format!(
            "{claimed} ({codes}, {}). {end}{unheard}",
            if first == last {
                frames(&[first.frame])
            } else {
                format!("from frame {} to frame {}", first.frame, last.frame)
            }
        ),
        fix: if resolved {
            String::new()
        } else if refusals == 0 {
            "An agent that is asked by one with its own role has to switch it, or to answer 487 (RFC 8445 §7.3.1.1), and neither does. Whoever made the offer \
             is the controlling agent, unless it alone is lite: see what each side makes of offer and answer (a=ice-lite)."
                .to_owned()
        } else if !unheard.is_empty() {
            format!(
                "Update the stack of {other}, or a gateway that answers in its name: it has to sign its answer 487 with the same password that the check is signed \
                 with. Or give the two the right roles from the start: whoever made the offer is the controlling agent, unless it alone is lite (a=ice-lite)."
            )
        } else {
            "The agent that is answered 487 has to switch its role and repeat the check (RFC 8445 §7.2.5.1): look there, and for a middlebox \
             that answers in its place."
                .to_owned()
        },
    }
}
