//! What several captures show of the way of packets: where they were lost, and how far they got.

use super::View;
use crate::frame::Place;
use crate::join::{Joins, Kind, LostWay, Point, Stretch};
use crate::net::{ClientAddress, Endpoint, ServerAddress};
use crate::session::{Conversation, Exchange, Inside, Path, Seen};
use crate::time::Timestamp;

/// So many answers that are lost are worth a title.
const SEVERAL: u64 = 3;
/// How many sentences on what was lost.
const MAX_LOSSES: usize = 3;

/// Where packets went, as far as several captures tell.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// What is certain, to go on a title: `, and none of them reached server.pcapng`.
    pub title: String,
    /// Sentences, each with a blank before it.
    pub text: String,
    /// Where to look, the same way; empty where nothing more is known.
    pub fix: String,
    /// The capture that none of them reached.
    pub never_at: Option<String>,
    /// What is certain of the answers, to go on a title: `; answers from 192.0.2.9 are lost between server.pcapng and client.pcapng`.
    pub answers: String,
}

/// Requests of a client that nothing answered.
pub(super) fn of_requests(conversation: &Conversation, asked: &[&Exchange], view: &View<'_>) -> Whereabouts {
    let mut told = Whereabouts::default();
    let joins = view.session.joins();
    let Some(origin) = asked.first().and_then(|exchange| point_of(exchange.first, joins)) else { return told };
    let (client, server) = (conversation.client, conversation.server);
    let sent = total(asked, joins, |travel| travel.requests.get(origin).copied());
    for number in joins.in_order().into_iter().filter(|number| *number != origin) {
        let Some(point) = joins.points().get(number) else { continue };
        let Some(name) = name(point) else { continue };
        if !joins.is_member(number) {
            let times = asked.iter().flat_map(|exchange| [exchange.first.time, exchange.last.time]);
            told.text += &stranger(point, &name, times, server.0, "these requests");
            continue;
        }
        let reached = total(asked, joins, |travel| travel.requests.get(number).copied());
        let answered = total(asked, joins, |travel| travel.answers.get(number).copied());
        let covered = asked
            .iter()
            .any(|exchange| joins.travel(exchange.id).is_some_and(|travel| travel.covered >> number & 1 == 1));
        match (reached, answered) {
            (0, 0) if covered => none_reached(&mut told, joins, number, point, (client, server), &name),
            (0, 0) => {}
            (_, 0) => {
                if told.title.is_empty() {
                    told.title = format!(", though {reached} of them reached {name}");
                }
                told.text += &format!(
                    " {reached} of the {sent} requests reached {name}, which shows no answer to them: the server did not answer, or its \
                     answers were lost before that point."
                );
                told.fix = format!(
                    " The way from the client as far as {name} is open: look at the server itself, and beyond that point."
                );
            }
            _ => {
                told.text += &format!(
                    " {name} shows {answered} answers, which did not come back to the client: they were lost on the way."
                );
            }
        }
    }
    told
}

fn none_reached(
    told: &mut Whereabouts,
    joins: &Joins,
    number: usize,
    point: &Point,
    (client, server): (ClientAddress, ServerAddress),
    name: &str,
) {
    let passes = joins.passes_between(client.0.ip(), server.0.ip(), number);
    let hears = joins.names_of(server.0.ip()).any(|ip| point.heard(ip).to > 0);
    if (!passes && !hears) || joins.is_behind_relay(server.0.ip(), number) {
        return;
    }
    // where they got to before says less
    if !told.title.starts_with(", and none") {
        told.title = format!(", and none of them reached {name}");
    } else if passes {
        told.text += &format!(" Nor are they in {name}.");
        return;
    }
    told.text += &if passes {
        format!(
            " {name} shows other packets between the two and none of these requests: they were lost before that point."
        )
    } else {
        format!(
            " {name} shows other packets to {} and none of these requests: they were lost before that point, unless that capture leaves \
             out what {} sends.",
            server.0.ip(),
            client.0.ip()
        )
    };
    told.fix = format!(" Look between the client and {name} first: the requests did not come that far.");
}

/// What a capture tells that shares no packet with this one: its clock may be another.
fn stranger(
    point: &Point,
    name: &str,
    mut times: impl Iterator<Item = Timestamp>,
    receiver: Endpoint,
    what: &str,
) -> String {
    if !times.any(|time| point.ran_at(time)) || point.heard(receiver.ip()).to == 0 {
        return String::new();
    }
    format!(
        " {name} shows other packets to {} and, by its own clock, ran at that time; none of {what} is in it: they were lost before that \
         point, unless that capture leaves them out.",
        receiver.ip()
    )
}

/// What is looked for on a way.
pub(super) struct Sought<'k> {
    /// The kinds of packets, the one that sets out first.
    pub kinds: &'k [Kind],
    /// What they are called.
    pub what: &'static str,
    /// The direction that counts, by its ends as the session has them; `None` for both alike.
    pub from: Option<Endpoint>,
    /// When they were sent.
    pub times: [Timestamp; 2],
    /// Whether it is worth telling how far they got where none was lost.
    pub how_far: bool,
}

/// What several captures tell of packets on a way, in both directions and on both sides of a relay.
pub(super) fn of_path(path: &Path, sought: &Sought<'_>, view: &View<'_>) -> Whereabouts {
    let mut told = Whereabouts::default();
    let joins = view.session.joins();
    if joins.is_empty() {
        return told;
    }
    let (low, high) = (path.ends.low, path.ends.high);
    let wrapped = path.inside.is_some();
    let mut ways = vec![(low, high, wrapped), (high, low, wrapped)];
    if let Some(Inside::Peer(peer)) = path.inside {
        beyond_the_relay(&mut told, &mut ways, (low, high), peer, joins);
    }
    let from = sought.from;
    ways.sort_by_key(|(src, ..)| Some(*src) != from);
    let mut losses = losses(&ways, sought.kinds, joins);
    // media goes each way by itself
    losses.retain(|lost| lost.kind != Kind::Media || wrapped || from.is_none_or(|from| is_alias(lost, from, joins)));
    for lost in losses.iter().take(MAX_LOSSES) {
        let Some([here, there]) = told.add(lost, sought, joins) else { continue };
        let none = lost.certain && !lost.wrapped && lost.count >= lost.of;
        let asked =
            Some(lost.kind) == sought.kinds.first().copied() && from.is_none_or(|from| is_alias(lost, from, joins));
        if none && asked && told.title.is_empty() {
            told.title = format!(", and none of them reached {there}");
            told.never_at = Some(there.clone());
        }
        if lost.certain && lost.kind == Kind::Answer && lost.count >= SEVERAL && told.answers.is_empty() {
            told.answers = format!("; answers of {} are lost between {here} and {there}", lost.src.ip());
        }
    }
    for &(src, dst, wrapped) in &ways {
        let directed = sought.how_far && from.is_none_or(|from| from == src);
        if directed && !losses.iter().any(|lost| Some(lost.kind) == sought.kinds.first().copied()) {
            reached(&mut told, joins.stretches(src, dst, wrapped), sought, joins);
        }
    }
    let receivers = ways.iter().filter(|(src, ..)| from.is_none_or(|from| from == *src));
    for (_, point) in joins.points().iter().enumerate().filter(|(number, _)| !joins.is_member(*number)) {
        let Some(name) = name(point) else { continue };
        let what = format!("these {}", sought.what);
        let said = receivers.clone().map(|&(_, dst, _)| stranger(point, &name, sought.times.into_iter(), dst, &what));
        told.text += &said.into_iter().find(|said| !said.is_empty()).unwrap_or_default();
    }
    told
}

/// Where what is sent to an end was lost, whoever sent it.
pub(super) fn of_receiver(end: Endpoint, view: &View<'_>) -> Whereabouts {
    let mut told = Whereabouts::default();
    let joins = view.session.joins();
    let sought =
        Sought { kinds: &[Kind::Request], what: "checks", from: None, times: Default::default(), how_far: false };
    let lost = joins.pairs().iter().flat_map(|pair| &pair.lost).filter(|lost| lost.dst == end && !lost.wrapped);
    for lost in lost.take(MAX_LOSSES) {
        told.add(lost, &sought, joins);
    }
    told
}

impl Whereabouts {
    /// Tells of packets that were lost between two points, whose names it returns.
    fn add(&mut self, lost: &LostWay, sought: &Sought<'_>, joins: &Joins) -> Option<[String; 2]> {
        let [here, there] = [lost.from, lost.to].map(|number| joins.points().get(number).and_then(name));
        let (here, there) = (here?, there?);
        self.text += &lost_text(lost, sought, (&here, &there));
        if self.fix.is_empty() {
            self.fix = format!(" Look between {here} and {there} first: that is where packets are lost.");
        }
        Some([here, there])
    }
}

/// What the relay between two legs of a way passed on; the bare leg is added to the ways.
fn beyond_the_relay(
    told: &mut Whereabouts,
    ways: &mut Vec<(Endpoint, Endpoint, bool)>,
    ends: (Endpoint, Endpoint),
    peer: Endpoint,
    joins: &Joins,
) {
    let same = |client: (Endpoint, Endpoint)| client == ends || (client.1, client.0) == ends;
    let mut legs = Vec::new();
    for pair in joins.pairs() {
        for relay in pair.relays.iter().filter(|relay| same(relay.client) && relay.peer.1 == peer) {
            legs.push(relay.peer);
            let one_point = pair.points.0 == pair.points.1;
            let (from, to) = if relay.outward { (relay.client.0, peer) } else { (peer, relay.client.0) };
            let lost = match relay.lost {
                Some(0) | None => String::new(),
                Some(lost) => format!(" and not {lost} others"),
            };
            if one_point {
                let [_, mean, most] = relay.delay;
                told.text += &format!(
                    " The relay {} passed on {} packets from {from} to {to}{lost}, taking {mean} on average and {most} at most.",
                    relay.peer.0, relay.passed
                );
            }
        }
    }
    legs.sort_unstable();
    legs.dedup();
    ways.extend(legs.into_iter().flat_map(|(relayed, peer)| [(relayed, peer, false), (peer, relayed, false)]));
}

/// What was lost on these ways, wherever they pass and whatever their addresses are there; the most first.
fn losses<'j>(ways: &[(Endpoint, Endpoint, bool)], kinds: &[Kind], joins: &'j Joins) -> Vec<&'j LostWay> {
    let mut alike: Vec<(Endpoint, Endpoint, bool)> = ways.to_vec();
    for &(src, dst, wrapped) in ways {
        let elsewhere = joins.stretches(src, dst, wrapped).iter();
        alike.extend(elsewhere.map(|stretch| (stretch.src, stretch.dst, stretch.wrapped)));
    }
    let all = joins.pairs().iter().flat_map(|pair| &pair.lost);
    let mut found: Vec<&LostWay> =
        all.filter(|lost| kinds.contains(&lost.kind) && alike.contains(&(lost.src, lost.dst, lost.wrapped))).collect();
    let order = |kind: Kind| kinds.iter().position(|known| *known == kind);
    found.sort_by_key(|lost| (order(lost.kind), std::cmp::Reverse(lost.count), lost.src, lost.dst, lost.from, lost.to));
    found
}

/// Whether what was lost was sent by this end, under whatever address.
fn is_alias(lost: &LostWay, from: Endpoint, joins: &Joins) -> bool {
    let elsewhere = joins.stretches(lost.src, lost.dst, lost.wrapped).iter();
    lost.src == from || elsewhere.map(|stretch| stretch.src).any(|src| src == from)
}

fn lost_text(lost: &LostWay, sought: &Sought<'_>, (here, there): (&str, &str)) -> String {
    let what = match (lost.kind, sought.kinds.first()) {
        (kind, Some(first)) if kind == *first => sought.what,
        (Kind::Answer, _) => "answers",
        (Kind::Media, _) => "RTP and RTCP packets",
        (Kind::Dtls, _) => "DTLS datagrams",
        _ => "packets",
    };
    let LostWay { src, dst, count, of, .. } = lost;
    let sizes = match lost.sizes {
        Some((least, most)) if lost.kind == Kind::Dtls && least == most => format!(" of {least} bytes"),
        Some((least, most)) if lost.kind == Kind::Dtls => format!(" of {least} to {most} bytes"),
        _ => String::new(),
    };
    let inside = if lost.wrapped { " (in messages of the relay)" } else { "" };
    let unless = if lost.certain { "" } else { ", unless that capture leaves them out" };
    let way = format!("{sizes} from {src} to {dst}{inside}");
    let what_one = what.trim_end_matches('s');
    match (*count >= *of, *count) {
        (true, 1) => {
            format!(
                " {here} shows 1 {what_one}{way}, and {there} does not: it was lost between these two points{unless}."
            )
        }
        (true, _) => format!(
            " {here} shows {of} {what}{way}, and {there} none of them: they were lost between these two points{unless}."
        ),
        (false, 1) => format!(
            " 1 {what_one}{way} that {here} shows is not in {there}: it was lost between these two points{unless}."
        ),
        (false, _) => format!(
            " {count} {what}{way} that {here} shows are not in {there}: they were lost between these two points{unless}."
        ),
    }
}

/// That what is missing of the media on a way was missing already where several captures show it first.
pub(super) fn missing_before(path: &Path, src: Endpoint, dst: Endpoint, view: &View<'_>) -> String {
    let joins = view.session.joins();
    let [src, dst] = if path.inside.is_none() { [src, dst] } else { return String::new() };
    let stretches = joins.stretches(src, dst, false);
    let earlier = |stretch: &&Stretch| !stretch.later && stretch.seen(Kind::Media) > 0;
    // the first stands for the point that was asked about: others that are not later are before it
    let first = stretches.iter().skip(1).find(earlier).or_else(|| stretches.first().filter(earlier));
    let Some(name) = first.and_then(|first| joins.points().get(first.point)).and_then(name) else {
        return String::new();
    };
    format!(" {name}, which is before the others on this way, lacks them as well: they were lost before that point.")
}

/// How far packets of which nothing is known to be lost got.
fn reached(told: &mut Whereabouts, stretches: &[Stretch], sought: &Sought<'_>, joins: &Joins) {
    let (Some(own), Some(&kind)) = (stretches.first(), sought.kinds.first()) else { return };
    let far =
        stretches.iter().filter(|stretch| stretch.later && stretch.seen(kind) > 0).max_by_key(|there| there.seen(kind));
    let Some(there) = far else { return };
    let Some(name) = joins.points().get(there.point).and_then(name) else { return };
    if own.wrapped || there.wrapped {
        return; // these are for other peers as well
    }
    let (sent, came) = (own.seen(kind), there.seen(kind));
    told.text += &format!(
        " {} of the {sent} {} from {} to {} are in {name} as well: the way is open as far as that point.",
        came.min(sent),
        sought.what,
        own.src,
        own.dst
    );
    if told.title.is_empty() {
        told.title = format!(", though {} of them reached {name}", came.min(sent));
    }
    if told.fix.is_empty() {
        told.fix = format!(" The way as far as {name} is open: look beyond it, and at what should answer there.");
    }
}

/// Where an answer was seen that did not come to the client: `, which passed server.pcapng and did not come to client.pcapng`.
pub(super) fn of_answer(exchange: &Exchange, answer: Seen, view: &View<'_>) -> Option<String> {
    let joins = view.session.joins();
    let (asked, answered) = (point_of(exchange.first, joins)?, point_of(answer, joins)?);
    if asked == answered {
        return None;
    }
    let [here, there] = [asked, answered].map(|number| joins.points().get(number).and_then(name));
    let (here, there) = (here?, there?);
    let count = joins.travel(exchange.id).and_then(|travel| travel.answers.get(answered).copied()).unwrap_or(1);
    let answers = if count == 1 { "The answer".to_owned() } else { format!("Its {count} answers") };
    Some(format!("{answers} passed {there} and never came to {here}: what loses them lies between these two points."))
}

fn total(asked: &[&Exchange], joins: &Joins, of: impl Fn(&crate::join::Travel) -> Option<u16>) -> u64 {
    asked.iter().filter_map(|exchange| of(joins.travel(exchange.id)?)).map(u64::from).sum()
}

fn point_of(seen: Seen, joins: &Joins) -> Option<usize> {
    if joins.is_empty() { None } else { joins.point_of(Place::of(u32::MAX, seen.frame).capture) }
}

/// The number that means a capture as such: the report puts its name for it.
fn name(point: &Point) -> Option<String> {
    point.files.first().map(|&file| Place::joined(1, file, 0).to_string())
}
