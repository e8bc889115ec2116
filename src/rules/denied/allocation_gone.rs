//! `turn-allocation-gone`: the client goes on with an allocation that the server does not have (any more).

use super::{Denied, is_release, released_before};
use crate::net::{ClientAddress, MappedAddress};
use crate::rules::evidence::{filter_of, frames, frames_of};
use crate::rules::reachability::stopped::asked_in_vain;
use crate::rules::refusal::PATIENCE;
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Conversation, End, Exchange, Grievance, Lent};
use crate::time::Span;
use crate::wire::stun::Method;

pub(super) const ID: &str = "turn-allocation-gone";

/// What brings a client there.
const CAUSES: &[&str] = &["nat-rebinding", "turn-stale-nonce-loop"];

/// How far the server's clock for the end of an allocation may be from that of the capture.
const SLACK: Span = Span::from_secs(2);

/// An answer that comes later than this after a refusal shows another moment.
const SOON: Span = Span::from_secs(30);

pub(super) fn tell(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    let conversation = denied.conversation;
    let state = State::of(denied.first, conversation, view);
    let trace = Trace::of(denied.first, &state, conversation, view);
    let mut seen = denied.occurrence(ID, "RFC 8656 §5", view);
    seen.subject.relayed = state.lent().and_then(|lent| lent.relayed);
    match state {
        State::Unknown => seen.confidence = Confidence::Likely,
        State::Released(_) => seen.severity = Severity::Warning,
        _ => {}
    }
    seen.key = format!("{} {}{}", conversation.server, state.key(), trace.map_or("", Trace::key));
    seen.frames.extend(trace.iter().flat_map(Trace::frames));
    seen.causes = CAUSES;
    out.add(seen, || text(&denied.exchanges, &state, trace, conversation, view));
}

/// Some servers do not answer at all where they have no allocation.
pub(super) fn judge_silence(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    if let Some((silent, state)) = silent(conversation, view) {
        out.add(ignored(&silent, &state, conversation, view), || text(&silent, &state, None, conversation, view));
    }
}

/// Why there is no allocation.
enum State {
    /// Its lifetime was over, for this long.
    Expired(Lent, Span),
    /// The client had given it up, this long before.
    Released(Span),
    /// By what was granted it should have lived this much longer.
    Lost(Lent, Span),
    /// The client came from another port before.
    Moved(ClientAddress, u64),
    /// None was ever granted on these addresses.
    Never,
    /// The capture does not show how it began.
    Unknown,
}

impl State {
    fn of(exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> State {
        let at = exchange.first.time;
        if let Some(ago) = released_before(exchange, conversation) {
            return State::Released(ago);
        }
        match (last_lent(exchange, conversation, view), conversation.moved_from.as_deref().copied()) {
            (Some(lent), _) => match lent.ended {
                Some((End::Released, time)) if time <= at => State::Released(at.since(time)),
                _ if at <= lent.expires => State::Lost(lent, lent.expires.since(at)),
                _ => State::Expired(lent, at.since(lent.expires)),
            },
            (None, Some((from, seen))) => State::Moved(from, seen.frame),
            (None, None) if conversation.began_before => State::Unknown,
            (None, None) => State::Never,
        }
    }

    fn lent(&self) -> Option<&Lent> {
        match self {
            State::Expired(lent, _) | State::Lost(lent, _) => Some(lent),
            _ => None,
        }
    }

    fn key(&self) -> &'static str {
        match self {
            State::Expired(..) => "expired",
            State::Released(_) => "released",
            State::Lost(..) => "lost",
            State::Moved(..) => "moved",
            State::Never => "never",
            State::Unknown => "unknown",
        }
    }
}

/// What the capture shows of how an allocation was lost that should have lived, or of which it does not show when it began.
#[derive(Clone, Copy)]
enum Trace {
    /// Meanwhile nothing listened at the server's port: its host said so.
    Stopped(u64),
    /// The server sees the client elsewhere than before.
    Elsewhere([(MappedAddress, u64); 2]),
    /// The server sees the client where it did before: no NAT came between.
    SamePlace(MappedAddress, [u64; 2]),
}

impl Trace {
    fn of(refused: &Exchange, state: &State, conversation: &Conversation, view: &View<'_>) -> Option<Trace> {
        let start = match state {
            State::Lost(lent, _) => lent.created,
            State::Unknown => conversation.first,
            _ => return None,
        };
        let since = start.time;
        let at = refused.first.time;
        let stopped = conversation.turned_away.as_deref().filter(|away| {
            away.answer.kind.is_port_unreachable()
                && away.answer.sender == conversation.server.0.ip()
                && since <= away.first.time
                && away.first.time < at
        });
        if let Some(away) = stopped {
            return Some(Trace::Stopped(away.first.frame));
        }
        let passed = view.session.nat().given_anew(conversation.client.0, [start.frame, refused.first.frame]);
        if let Some(views) = passed {
            return Some(Trace::Elsewhere(views.map(|(place, frame)| (MappedAddress(place), frame))));
        }
        let answers = conversation.exchanges.iter().filter_map(|known| known.answer.as_ref());
        let views = answers.filter_map(|answer| Some((answer.mapped?, answer.seen)));
        let before = views.clone().filter(|(_, seen)| since <= seen.time && seen.time < at);
        let after = views.filter(|(_, seen)| at < seen.time && seen.time.since(at) <= SOON);
        let (one, other) = (before.max_by_key(|(_, seen)| *seen)?, after.min_by_key(|(_, seen)| *seen)?);
        let frames = [one.1.frame, other.1.frame];
        Some(match one.0 == other.0 {
            true => Trace::SamePlace(one.0, frames),
            false => Trace::Elsewhere([(one.0, one.1.frame), (other.0, other.1.frame)]),
        })
    }

    fn key(self) -> &'static str {
        match self {
            Trace::Stopped(_) => " stopped",
            Trace::Elsewhere(_) => " elsewhere",
            Trace::SamePlace(..) => " same place",
        }
    }

    fn frames(&self) -> impl Iterator<Item = u64> {
        let frames = match *self {
            Trace::Stopped(frame) => [Some(frame), None],
            Trace::Elsewhere(views) => views.map(|(_, frame)| Some(frame)),
            Trace::SamePlace(_, frames) => frames.map(Some),
        };
        frames.into_iter().flatten()
    }
}

/// The last allocation before a request on its 5-tuple. A client that sleeps past the end comes back on a flow that was over long ago.
fn last_lent(exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> Option<Lent> {
    let before = |lent: &Lent| lent.created.time <= exchange.first.time;
    let own = Lent::of(conversation).filter(before).last();
    own.or_else(|| view.session.last_lent(conversation.client, conversation.server).filter(before))
}

/// Requests that nobody answered, after an allocation of which the capture shows that it had expired: some servers do not answer what
/// they have no allocation for.
fn silent<'c>(conversation: &'c Conversation, view: &View<'_>) -> Option<(Vec<&'c Exchange>, State)> {
    let unanswered = |exchange: &&Exchange| {
        matches!(exchange.method, Method::REFRESH | Method::CREATE_PERMISSION | Method::CHANNEL_BIND)
            && exchange.answer.is_none()
            && exchange.icmp.is_none()
            && exchange.watched
            && !is_release(exchange)
    };
    let &last = conversation.exchanges.iter().filter(unanswered).collect::<Vec<_>>().last()?;
    let lent =
        last_lent(last, conversation, view).filter(|lent| lent.ended.is_none_or(|(end, _)| end == End::Expired))?;
    // a server that did not answer before the end either is told as that
    if !asked_in_vain(conversation).is_empty() {
        return None;
    }
    let after = lent.expires.after(SLACK);
    let silent: Vec<&Exchange> =
        conversation.exchanges.iter().filter(unanswered).filter(|exchange| exchange.first.time > after).collect();
    let &first = silent.first()?;
    let answered = conversation.exchanges.iter().any(|known| known.answer.is_some() && known.first.time > after);
    let repeated = silent.len() > 1 || first.again_total > 0;
    let waited = view.now().since(last.last.time) >= PATIENCE;
    (repeated && waited && !answered).then(|| (silent, State::Expired(lent, first.first.time.since(lent.expires))))
}

fn ignored(silent: &[&Exchange], state: &State, conversation: &Conversation, view: &View<'_>) -> Occurrence {
    let at = silent.last().map_or(conversation.last.time, |exchange| exchange.last.time);
    Occurrence {
        id: ID,
        key: format!("{} silent", conversation.server),
        severity: Severity::Failure,
        // the server may be down, or the way to it closed: only the expiry is sure
        confidence: Confidence::Likely,
        remedy: Remedy::Service(Grievance::of(conversation, conversation.user, at)),
        at: silent.first().map_or(at, |exchange| exchange.first.time),
        frames: frames_of(silent.iter().copied()),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8656 §5",
        subject: Subject {
            client: Some(conversation.client),
            server: Some(conversation.server),
            username: conversation.user.map(|name| view.text(name)),
            relayed: state.lent().and_then(|lent| lent.relayed),
            ..Subject::default()
        },
        causes: CAUSES,
    }
}

fn text(
    exchanges: &[&Exchange],
    state: &State,
    trace: Option<Trace>,
    conversation: &Conversation,
    view: &View<'_>,
) -> Text {
    let (client, server) = (conversation.client, conversation.server);
    let method = exchanges.first().map(|exchange| exchange.method.to_string()).unwrap_or_default();
    let listed = frames(&frames_of(exchanges.iter().copied()));
    let met = match exchanges.first().and_then(|exchange| exchange.answer.as_ref()) {
        Some(answer) => format!("{server} refused the {method} of {client} with {}", view.error(answer)),
        None => format!("{server} does not answer the {method} of {client}"),
    };
    let bare = if exchanges.iter().any(|exchange| exchange.answer.as_ref().is_some_and(|answer| answer.code == 400)) {
        " coturn says 400 where others say 437 to CreatePermission and ChannelBind without an allocation."
    } else {
        ""
    };
    let Text { title, explanation, fix } = told(state, trace, client);
    Text {
        title: format!("{met}: {title}"),
        explanation: format!(
            "{met} ({listed}): the server has no allocation at these addresses and ports. {explanation}{bare}"
        ),
        fix,
    }
}

/// A server that grants an allocation with LIFETIME 0 has it end at once (RFC 8656 §7.2 has it be 600 or more unless the client asked for less).
fn granted_for_nothing(lent: &Lent) -> Text {
    Text {
        title: format!("{} had granted it for 0 seconds", lent.server),
        explanation: format!(
            "The Allocate was granted in frame {} with LIFETIME 0, so that the allocation was over as it began.",
            lent.created.frame
        ),
        fix: format!(
            "Set the lifetime that {} grants (coturn: max-allocate-lifetime); the client must not take such an answer for a relay.",
            lent.server
        ),
    }
}

/// What happened, as a clause for the headline and in sentences, and what to change.
fn told(state: &State, trace: Option<Trace>, client: ClientAddress) -> Text {
    let in_time = "Have the client send its Refresh well before the end (a minute is usual), repeat it when it gets no answer, and take over \
                   the nonce of a 438; a client that slept must allocate anew.";
    match state {
        State::Expired(lent, ago) => {
            let last = match lent.refreshes {
                0 => format!("It was granted in frame {} and never refreshed", lent.created.frame),
                1 => format!("It was granted in frame {} and refreshed once", lent.created.frame),
                many => format!("It was granted in frame {} and refreshed {many} times", lent.created.frame),
            };
            if lent.lifetime == 0 {
                return granted_for_nothing(lent);
            }
            let why = format!(
                "{last}, the last time for {} seconds, and so ended {ago} before the first of these requests.",
                lent.lifetime
            );
            Text {
                title: format!("the allocation had expired {ago} before"),
                explanation: why,
                fix: in_time.to_owned(),
            }
        }
        State::Released(ago) => Text {
            title: format!("the client had given its allocation up {ago} before"),
            explanation: format!("The client itself had ended it with a Refresh of lifetime 0, {ago} before, and made no other since."),
            fix: "The client should stop using an allocation that it has ended, or allocate anew.".to_owned(),
},
        State::Lost(lent, left) => Text {
            title: format!("the allocation is gone {left} before its time"),
            explanation: format!(
                "It was granted in frame {} and should have lived {left} longer. {}",
                lent.created.frame,
                lost_how(trace, "The")
            ),
            fix: lost_fix(trace).to_owned(),
},
        State::Moved(from, frame) => Text {
            title: format!("the client used to come from {from}"),
            explanation: format!(
                "The nonce that it echoes had been given to {from} (frame {frame}): {}, and to the server the same client is another one now.",
                if from.0.ip() == client.0.ip() {
                    format!("a NAT on the way changed its port from {} to {}", from.0.port(), client.0.port())
                } else {
                    format!("it comes from {} now, since its network changed or a VPN was switched on or off", client.0.ip())
                }
            ),
            fix: "On a change of address the client must allocate anew, or use mobility (RFC 8016); something sent every 15 seconds or so keeps a NAT \
             from forgetting a mapping that is idle."
                .to_owned(),
},
        State::Never => Text {
            title: "no allocation was ever made on these addresses".to_owned(),
            explanation: "The capture has this conversation from its first request on, and no Allocate in it was granted.".to_owned(),
            fix: "The client must have an allocation first, on the same local port: see why it got none.".to_owned(),
},
        State::Unknown => Text {
            title: "there is no allocation (any more)".to_owned(),
            explanation: format!("The capture does not show how that allocation began. {}", lost_how(trace, "It expired, the")),
            fix: match trace {
                None | Some(Trace::SamePlace(..)) => in_time,
                Some(_) => lost_fix(trace),
            }
            .to_owned(),
},
    }
}

/// How an allocation was lost, as far as it is known; `otherwise` stands before what the server did.
fn lost_how(trace: Option<Trace>, otherwise: &str) -> String {
    match trace {
        Some(Trace::Stopped(frame)) => format!(
            "Before these requests nothing listened at the server's port, as its host said by ICMP (frame {frame}): the server was restarted and has \
             forgotten what it had lent."
        ),
        Some(Trace::Elsewhere([(one, before), (other, after)])) => format!(
            "The server saw the client as {one} before (frame {before}) and sees it as {other} now (frame {after}): a NAT on the way, or a balancer \
             that works as one, gave the client another place, and to the server it is another client now."
        ),
        Some(Trace::SamePlace(same, [before, after])) => format!(
            "The server sees the client as {same} before and after (frames {before} and {after}), so no NAT came between. {otherwise} server was \
             restarted, or a balancer sent the request to another one."
        ),
        None => format!(
            "{otherwise} server was restarted, a balancer sent the request to another server, or a NAT between this capture point and the server gave \
             the client another port."
        ),
    }
}

/// What to change so that allocations are not lost.
fn lost_fix(trace: Option<Trace>) -> &'static str {
    match trace {
        Some(Trace::Stopped(_)) => {
            "Look in the server's log why it was restarted. The client should allocate anew when it gets 437."
        }
        Some(Trace::Elsewhere(_)) => {
            "Something sent every 15 seconds or so keeps a NAT from forgetting a mapping that is idle; lengthen its UDP timeout where you can. The \
             client should allocate anew when it gets 437, or use mobility (RFC 8016)."
        }
        Some(Trace::SamePlace(..)) => {
            "Look in the server's log whether it was restarted; keep a client's address on one server behind a balancer. The client should \
             allocate anew when it gets 437."
        }
        None => {
            "Look in the server's log whether it was restarted; keep a client's address on one server behind a balancer; keep NAT mappings \
             alive. The client should allocate anew when it gets 437."
        }
    }
}
