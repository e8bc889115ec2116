//! `dtls-never-started`: ICE has a pair, and nobody begins DTLS on it.

use crate::net::{ClientAddress, PeerAddress};
use crate::rules::evidence::{frames, how_long, ip_filter};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::Grievance;
use crate::session::ice::{IceSession, Pair, Way};
use crate::session::signalling::{Description, Setup};
use crate::time::{Span, Timestamp};

pub(super) const ID: &str = "dtls-never-started";

/// A handshake begins as soon as there is a pair; after so long it does not.
const WAITED: Span = Span::from_secs(5);

pub(super) fn judge(session: &IceSession, view: &View<'_>, out: &mut Collector) {
    let (Some(pair), Some(selection)) = (session.selected(), session.selection()) else { return };
    // a restart goes on with the keys that there are, and DTLS or media on any pair was begun somehow
    let works = |pair: &Pair| pair.is_valid_both_ways() || works_with_lite(session, pair, view);
    if session.restart_of.is_some() || has_begun(session) || !works(pair) {
        return;
    }
    let (signalling, names) = (view.session.signalling(), view.session.names());
    if !session.is_webrtc(signalling, names) {
        return;
    }
    // libwebrtc nominates several, and goes on with another than the first
    let working = session.pairs.iter().filter(|pair| works(pair));
    let last = working.filter_map(Pair::last_check).max();
    let Some(waited) = last.map(|last| last.since(selection.at.time)).filter(|waited| *waited >= WAITED) else {
        return;
    };
    let (one, other) = (pair.end(0), pair.end(1));
    let grievance = Grievance::new(one.ip(), None, other, selection.at.time);
    let listed = vec![selection.at.frame];
    let ends = pair.path().ends;
    let described =
        |agent: usize| -> Option<&Description> { signalling.of_agent(names.bytes(session.agent(agent).ufrag?)) };
    let setups: Vec<(usize, Setup)> =
        [0, 1].into_iter().filter_map(|agent| Some((agent, described(agent)?.setup?))).collect();
    let both_passive = setups.len() == 2 && setups.iter().all(|(_, setup)| *setup == Setup::Passive);
    // what holds nothing but STUN would not show DTLS: that is how captures are that a display filter made
    let stun_only = view.session.holds_stun_only() && !both_passive;
    // a pair that was chosen before the capture may have its keys since then
    let shown = began_here(session, pair) && !stun_only;
    let seen = Occurrence {
        key: format!("{} {}", one.ip(), other.ip()),
        severity: if stun_only { Severity::Note } else { Severity::Failure },
        confidence: Confidence::certain_if(shown),
        remedy: Remedy::Association(grievance),
        at: selection.at.time,
        frames: listed.clone(),
        filter: Some(format!("(stun || dtls) && {}", ip_filter(ends.low, ends.high))),
        subject: Subject { client: Some(ClientAddress(one)), peer: Some(PeerAddress(other)), ..Subject::default() },
        ..Occurrence::of(ID, "RFC 5763 §5")
    };
    out.add(seen, || {
        let told: Vec<String> = setups.iter().map(|(agent, setup)| format!("{} says a=setup:{}", pair.end(*agent), setup.name())).collect();
        let told = match told.as_slice() {
            [] => String::new(),
            some => format!(" By the session descriptions {}.", some.join(" and ")),
        };
        let why = if stun_only {
            "But the capture holds nothing but STUN: if that was picked out of a larger one, DTLS may have been left behind."
        } else if both_passive {
            "Both are passive, so that each waits for the other's ClientHello."
        } else {
            "Either both wait for the other's ClientHello (both passive, or one does not have the other's description), or the ClientHello is \
             dropped before this capture point."
        };
        let earlier = if shown || stun_only { "" } else { " Or the capture begins within a call that has its keys already, and is silent." };
        let what = if stun_only { "the capture holds no DTLS, nor anything else but STUN" } else { "neither begins DTLS" };
        Text {
            title: format!("{one} and {other} have a working pair, and {what}"),
            explanation: format!(
                "ICE chose the pair ({}) and goes on to check it for {}, but neither a ClientHello nor media passes on any pair.{told} {why}{earlier}",
                frames(&listed),
                how_long(waited)
            ),
            fix: "Check a=setup in offer and answer: the offer says actpass, the answer active or passive; capture at the other end, where the \
                  ClientHello may be leaving."
                .to_owned(),
        }
    });
}

/// Whether a pair with an agent that only answers, as a lite one does, was nominated by the other, which asks for consent as often as on one that it uses.
fn works_with_lite(session: &IceSession, pair: &Pair, view: &View<'_>) -> bool {
    const CONSENT: i64 = 6;
    let (signalling, names) = (view.session.signalling(), view.session.names());
    (0..2).any(|agent| {
        let way = pair.way(agent);
        let nominated = way.answered.as_ref().and_then(|answered| answered.nominated);
        let only_answers = pair.way(1 - agent).first.is_none();
        let asks = |since: Timestamp| i64::from(way.sent) >= way.last.since(since).secs() / CONSENT;
        only_answers
            && session.is_lite(1 - agent, signalling, names) != Some(false)
            && nominated.is_some_and(|nominated| asks(nominated.time))
    })
}

/// Whether DTLS or media is seen on any pair, be it the end of a handshake that a capture begins with.
fn has_begun(session: &IceSession) -> bool {
    session.first_data().is_some() || session.is_under_data
}

/// Whether the pair was chosen in the capture: the controlling agent checked it first and nominated it then, or an agent began as one does that has
/// no pair yet, with more than two checks in quick succession. What begins otherwise may be the consent checks of a call under way.
fn began_here(session: &IceSession, pair: &Pair) -> bool {
    const OPENING: Span = Span::from_millis(90);
    let nominates = |way: &Way| way.first.zip(way.use_candidate).is_some_and(|(first, nominated)| first < nominated);
    nominates(pair.way(0)) || nominates(pair.way(1)) || session.agents.iter().any(|agent| agent.opening >= OPENING)
}
