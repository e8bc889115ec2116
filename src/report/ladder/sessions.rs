//! At the end: whose story each flow belongs to, who everybody is, and what findings cite.

use super::cite::cite;
use super::limits::{ANSWER_MAY_COME, LOOK_BACK, NEW_SESSION, TOGETHER};
use super::moment::{Kind, Moment};
use super::story::{Story, asker, hop, learn};
use super::{Collector, Ladder, Mark, Outcome, Participant, Passage, Session, Step};
use crate::net::{Endpoint, PeerAddress, RelayedAddress, Scope, ServerAddress};
use crate::report::{Report, Severity, Time};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How a flow belongs to a session.
#[derive(Clone, Copy, Debug)]
enum View {
    /// The client, on this side, and a server.
    Server(usize),
    /// The client, on this side, and a peer.
    Direct(usize),
    /// A relayed address of the client, on this side, and a peer.
    Leg(usize),
}

/// A session under way.
#[derive(Debug, Default)]
struct Draft {
    clients: Vec<IpAddr>,
    members: Vec<(usize, View)>,
    /// The client's own name fragments.
    ufrags: Vec<String>,
    last: Timestamp,
}

pub(super) fn assemble(collected: Vec<Collector>, report: &Report) -> Ladder {
    let mut ladder = Ladder::default();
    for mut collector in collected {
        collector.finish();
        ladder.omitted += collector.omitted;
        let mut sessions: Vec<(u64, Session)> = drafts(&collector.stories)
            .into_iter()
            .map(|draft| {
                let stories = draft.members.iter().filter_map(|(index, _)| collector.stories.get(*index));
                let first = stories.map(|story| story.first_frame).min().unwrap_or(u64::MAX);
                (first, session(&draft, &collector))
            })
            .collect();
        sessions.sort_by_key(|(first, _)| *first);
        ladder.sessions.extend(sessions.into_iter().map(|(_, session)| session));
    }
    for (index, session) in ladder.sessions.iter_mut().enumerate() {
        session.number = index + 1;
        cite(session, report);
    }
    ladder.chosen = chosen(&ladder.sessions);
    ladder
}

/// The session that the headline is about; failing that the one with the gravest finding, or with the most messages.
fn chosen(sessions: &[Session]) -> Option<usize> {
    let weight = |session: &Session| {
        let headline = session.citations.iter().any(|citation| citation.is_headline);
        let gravest = session.citations.iter().map(|citation| citation.severity).min();
        let gravity = match gravest {
            Some(Severity::Failure) => 2,
            Some(Severity::Warning) => 1,
            _ => 0,
        };
        (headline, gravity, session.messages)
    };
    // of equals the first
    (0..sessions.len()).rev().max_by_key(|index| sessions.get(*index).map(weight))
}

/// Which flows are one client's story.
fn drafts(stories: &[Story]) -> Vec<Draft> {
    let own: Vec<usize> =
        (0..stories.len()).filter(|index| stories.get(*index).is_some_and(|s| s.twin_of.is_none())).collect();
    let told = || own.iter().filter_map(|&index| Some((index, stories.get(index)?)));
    let mut clients = BTreeSet::new();
    let mut lenders: BTreeMap<Endpoint, Vec<usize>> = BTreeMap::new();
    for (index, story) in told() {
        if let Some(client) = asker(story).and_then(|side| story.ends.get(side)) {
            clients.insert(client.ip());
            for relayed in &story.relayed {
                lenders.entry(*relayed).or_default().push(index);
            }
        }
    }
    let mut drafts: Vec<Draft> = Vec::new();
    let mut legs = Vec::new();
    for (index, story) in told() {
        if let Some(side) = asker(story) {
            join(&mut drafts, stories, index, View::Server(side));
            continue;
        }
        let lender = |side: usize| story.ends.get(side).and_then(|end| lender_at(lenders.get(end)?, story, stories));
        let leg = [0, 1].into_iter().find_map(|side| Some((side, lender(side)?)));
        if let Some((side, lender)) = leg {
            legs.push((index, side, lender));
        }
        let known = |side: &usize| {
            lender(*side).is_none() && story.ends.get(*side).is_some_and(|end| clients.contains(&end.ip()))
        };
        let sides: Vec<usize> = [0, 1].into_iter().filter(known).collect();
        for side in &sides {
            join(&mut drafts, stories, index, View::Direct(*side));
        }
        if sides.is_empty() && leg.is_none() {
            let side = likely_client(story, &drafts);
            join(&mut drafts, stories, index, View::Direct(side));
        }
    }
    for (index, side, lender) in legs {
        let owner = drafts.iter_mut().find(|draft| draft.members.iter().any(|(member, _)| *member == lender));
        if let Some(owner) = owner {
            owner.members.push((index, View::Leg(side)));
        }
    }
    drafts
}

/// Of the flows on which a relayed address was lent, the one that it was lent on last before a flow at that address began.
fn lender_at(lenders: &[usize], leg: &Story, stories: &[Story]) -> Option<usize> {
    let began = |&index: &usize| stories.get(index).map(|story| story.first);
    let before = lenders.iter().copied().filter(|index| began(index).is_some_and(|first| first <= leg.first));
    before.max_by_key(began).or_else(|| lenders.first().copied())
}

/// Of two agents of which neither asked a server: one that is known already, the one in the private network, the one that began.
fn likely_client(story: &Story, drafts: &[Draft]) -> usize {
    let [one, other] = story.ends;
    let known = |end: Endpoint| drafts.iter().any(|draft| draft.clients.contains(&end.ip()));
    let private = |end: Endpoint| end.scope() != Scope::Public;
    match (known(one), known(other), private(one), private(other)) {
        (false, true, ..) | (false, false, false, true) => 1,
        _ => 0,
    }
}

/// Puts a flow into the session of its client, or begins one.
fn join(drafts: &mut Vec<Draft>, stories: &[Story], index: usize, view: View) {
    let (View::Server(side) | View::Direct(side) | View::Leg(side)) = view;
    let Some(story) = stories.get(index) else { return };
    let Some(client) = story.ends.get(side).map(Endpoint::ip) else { return };
    let ufrags = story.ufrags.get(side).map(Vec::as_slice).unwrap_or_default();
    let same_agent = |draft: &Draft| ufrags.iter().any(|ufrag| draft.ufrags.contains(ufrag));
    let goes_on = |draft: &Draft| {
        draft.clients.contains(&client)
            && (story.first.since(draft.last) <= NEW_SESSION)
            && !draft.members.iter().any(|(member, _)| stories.get(*member).is_some_and(|other| apart(story, other)))
    };
    let found = drafts.iter().rposition(same_agent).or_else(|| drafts.iter().rposition(goes_on));
    let draft = match found {
        Some(found) => drafts.get_mut(found),
        None => {
            drafts.push(Draft { last: story.last, ..Draft::default() });
            drafts.last_mut()
        }
    };
    if let Some(draft) = draft {
        learn(&mut draft.clients, client);
        for ufrag in ufrags {
            learn(&mut draft.ufrags, ufrag.clone());
        }
        draft.members.push((index, view));
        draft.last = draft.last.max(story.last);
    }
}

/// Whether two flows from one address are of different clients: at the same time, with the same server, under different names.
fn apart(one: &Story, other: &Story) -> bool {
    let (Some(side), Some(other_side)) = (asker(one), asker(other)) else { return false };
    one.ends.get(1 - side.min(1)) == other.ends.get(1 - other_side.min(1))
        && !one.users.is_empty()
        && !other.users.is_empty()
        && !one.users.iter().any(|user| other.users.contains(user))
        && one.first <= other.last
        && other.first <= one.last
}

/// What is known of a whole session.
struct Known<'a> {
    servers: &'a [Endpoint],
    turn: &'a [Endpoint],
    collector: &'a Collector,
    /// Whether anything at all was sent to the client.
    heard: bool,
}

/// A step whose ends are not numbers yet.
struct Arrow {
    from: Participant,
    to: Participant,
    through: Option<(Participant, Option<Participant>)>,
    step: Step,
}

fn session(draft: &Draft, collector: &Collector) -> Session {
    let members: Vec<(&Story, usize, View)> =
        draft.members.iter().filter_map(|&(index, view)| Some((collector.stories.get(index)?, index, view))).collect();
    let heard = is_heard(&members);
    let servers: Vec<Endpoint> = members
        .iter()
        .filter_map(|(story, _, view)| match view {
            View::Server(side) => story.ends.get(1 - (*side).min(1)).copied(),
            _ => None,
        })
        .collect();
    // one that is asked for both is a TURN server
    let turn: Vec<Endpoint> =
        members.iter().filter(|(story, ..)| story.turn_by.is_some()).flat_map(|(story, ..)| story.ends).collect();
    let known = Known { servers: &servers, turn: &turn, collector, heard };
    let mut arrows = Vec::new();
    let mut users = Vec::new();
    for (story, _, view) in &members {
        for user in &story.users {
            learn(&mut users, user.clone());
        }
        for moment in &story.moments {
            arrows.extend(arrow(story, *view, moment, &known));
        }
    }
    arrows.sort_by_key(|arrow| arrow.step.frames.first().copied());
    let participants = participants(draft, &members, &arrows, collector);
    let place = |wanted: &Participant| participants.iter().position(|known| known == wanted).unwrap_or(0);
    let steps: Vec<Step> = arrows
        .into_iter()
        .map(|arrow| {
            let Arrow { from, to, through, mut step } = arrow;
            (step.from, step.to) = (place(&from), place(&to));
            if let (Some((server, relay)), Some(passage)) = (through, step.through.as_mut()) {
                passage.server = place(&server);
                passage.relay = relay.as_ref().map(place);
            }
            step
        })
        .collect();
    let steps = merged(steps);
    let time = |time: Option<Timestamp>| Time::new(time.unwrap_or_default(), collector.digits);
    Session {
        number: 0,
        captures: collector.captures.clone(),
        users,
        outcome: outcome(&members),
        first: time(members.iter().map(|(story, ..)| story.first).min()),
        last: time(members.iter().map(|(story, ..)| story.last).max()),
        messages: members.iter().map(|(story, ..)| story.messages).sum(),
        participants,
        steps,
        citations: Vec::new(),
    }
}

/// Steps of different flows that are alike and come together, as one: what an agent sends from each of its ports, and what it gets there.
fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        let alike = merged
            .iter_mut()
            .rev()
            .take(LOOK_BACK)
            .take_while(|earlier| earlier.from == step.from && step.first.at.since(earlier.first.at) <= TOGETHER)
            .find(|earlier| is_alike(earlier, &step));
        let Some(earlier) = alike else {
            merged.push(step);
            continue;
        };
        earlier.count += step.count;
        earlier.originals += step.originals;
        earlier.last = earlier.last.max(step.last);
        earlier.is_run |= step.is_run;
        earlier.both_sides |= step.both_sides;
        earlier.frames.extend(step.frames);
    }
    merged
}

fn is_alike(one: &Step, other: &Step) -> bool {
    one.from == other.from
        && one.to == other.to
        && one.through == other.through
        && one.label == other.label
        && one.mark == other.mark
        && one.remark == other.remark
        && !one.is_gap
        && !other.is_gap
}

/// Everybody, by role, and within a role as they appear.
fn participants(
    draft: &Draft,
    members: &[(&Story, usize, View)],
    arrows: &[Arrow],
    collector: &Collector,
) -> Vec<Participant> {
    let mut all: Vec<Participant> = draft.clients.iter().map(|ip| Participant::Client(*ip)).collect();
    let mut known: BTreeSet<Participant> = all.iter().copied().collect();
    let mut add = |participant: Participant| {
        if known.insert(participant) {
            all.push(participant);
        }
    };
    for nat in outside(draft, members, collector) {
        add(Participant::Nat(nat));
    }
    for arrow in arrows {
        let through = arrow.through.iter().flat_map(|(server, relay)| [Some(*server), *relay]);
        for participant in [Some(arrow.from), Some(arrow.to)].into_iter().chain(through).flatten() {
            add(participant);
        }
    }
    all.sort_by_key(Participant::role);
    all
}

/// What the client's addresses are beyond a NAT: what servers and peers told it, and what was captured there.
fn outside(draft: &Draft, members: &[(&Story, usize, View)], collector: &Collector) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let indices: BTreeSet<usize> = members.iter().map(|(_, index, _)| *index).collect();
    let twins = collector.stories.iter().filter(|twin| twin.twin_of.is_some_and(|of| indices.contains(&of)));
    for twin in twins {
        let Some(story) = twin.twin_of.and_then(|of| collector.stories.get(of)) else { continue };
        for end in twin.ends.iter().filter(|end| !story.ends.contains(end)) {
            learn(&mut found, end.ip());
        }
    }
    for (story, _, view) in members {
        let (View::Server(side) | View::Direct(side)) = view else { continue };
        for mapped in story.mapped.get(*side).into_iter().flatten() {
            if !matches!(mapped.scope(), Scope::Unspecified | Scope::Multicast | Scope::Broadcast) {
                learn(&mut found, mapped.ip());
            }
        }
    }
    found.retain(|ip| !draft.clients.contains(ip));
    found
}

fn arrow(story: &Story, view: View, moment: &Moment, known: &Known<'_>) -> Option<Arrow> {
    let &Known { servers, turn, collector, heard } = known;
    let (View::Server(side) | View::Direct(side) | View::Leg(side)) = view;
    let (near, far) = (*story.ends.get(side)?, *story.ends.get(1 - side.min(1))?);
    let server = |end| {
        let end = ServerAddress(end);
        if turn.contains(&end.0) { Participant::Turn(end) } else { Participant::Stun(end) }
    };
    let (near, far) = match view {
        View::Server(_) => (Participant::Client(near.ip()), server(far)),
        View::Direct(_) if servers.contains(&far) => (Participant::Client(near.ip()), server(far)),
        View::Direct(_) => (Participant::Client(near.ip()), Participant::Peer(PeerAddress(far))),
        View::Leg(_) => (Participant::Relay(RelayedAddress(near)), Participant::Peer(PeerAddress(far))),
    };
    let hop = hop(story, moment);
    let beyond = hop.and_then(|hop| Some((hop, hop.peer?)));
    let (end, through) = match beyond {
        Some((hop, peer)) => {
            let relay = hop.relayed.map(|relayed| Participant::Relay(RelayedAddress(relayed)));
            (Participant::Peer(PeerAddress(peer)), Some((far, relay)))
        }
        None => (far, None),
    };
    let outward = moment.from == side;
    let (from, to) = if outward { (near, end) } else { (end, near) };
    let passage = hop.filter(|_| beyond.is_some()).map(|hop| Passage { server: 0, relay: None, via: hop.via });
    let (mark, remark) = mark(story, moment, collector, heard);
    let mut frames = moment.frames.clone();
    if !frames.contains(&moment.last_frame) {
        frames.push(moment.last_frame);
    }
    let time = |time| Time::new(time, collector.digits);
    let step = Step {
        from: 0,
        to: 0,
        through: passage,
        label: moment.label.clone(),
        count: moment.count,
        originals: moment.originals,
        first: time(moment.first),
        last: time(moment.last),
        is_run: moment.kind == Kind::Bulk && moment.last > moment.first,
        frames,
        mark,
        remark,
        both_sides: moment.both_sides,
        cited: Vec::new(),
        is_gap: moment.kind == Kind::Gap,
    };
    Some(Arrow { from, to, through, step })
}

/// How a step stands out, with what only the end of the capture tells: requests that nothing answered.
fn mark(story: &Story, moment: &Moment, collector: &Collector, heard: bool) -> (Mark, String) {
    let unanswered = moment.originals.saturating_sub(moment.answered);
    if moment.kind != Kind::Request || !moment.remark.is_empty() || unanswered == 0 {
        return (moment.mark, moment.remark.clone());
    }
    // of several the first has waited the longest
    let may_come = |asked: Timestamp| collector.last.since(asked) <= ANSWER_MAY_COME;
    let other = story.heard.get(1 - moment.from.min(1)) == Some(&true);
    match moment.answered {
        0 if may_come(moment.first) => (moment.mark, "the capture ends".to_owned()),
        0 if heard || other => (Mark::Lost, "no answer seen".to_owned()),
        // nothing at all came to the client: perhaps one direction is missing in the capture, which findings know better
        0 => (Mark::Note, "no answer in the capture".to_owned()),
        _ if may_come(moment.last) && unanswered == 1 => (moment.mark, String::new()),
        answered => {
            let mark = if answered < unanswered { Mark::Lost } else { moment.mark };
            (mark, format!("{unanswered} without an answer"))
        }
    }
}

/// Whether anything came to the client.
fn is_heard(members: &[(&Story, usize, View)]) -> bool {
    members.iter().any(|(story, _, view)| match view {
        View::Server(side) | View::Direct(side) => story.heard.get(1 - (*side).min(1)) == Some(&true),
        View::Leg(_) => false,
    })
}

fn outcome(members: &[(&Story, usize, View)]) -> Outcome {
    let any = |is: fn(&Story) -> bool| members.iter().any(|(story, ..)| is(story));
    let way = |far: bool| {
        members.iter().any(|(story, _, view)| match view {
            View::Server(side) | View::Direct(side) => {
                let side = if far { 1 - (*side).min(1) } else { *side };
                story.data.get(side) == Some(&true)
            }
            View::Leg(_) => false,
        })
    };
    match (way(false), way(true)) {
        (true, true) => Outcome::BothWays,
        (true, false) | (false, true) => Outcome::OneWay,
        _ if any(|story| story.checked) => Outcome::Checked,
        _ if any(|story| story.allocated) => Outcome::Allocated,
        _ if any(|story| story.refused) => Outcome::Refused,
        _ if is_heard(members) => Outcome::Answered,
        _ => Outcome::Unanswered,
    }
}
