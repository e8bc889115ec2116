//! What worked of ICE, DTLS and media, in the words of a headline.

use super::{
    CandidateType, Dtls, DtlsState, IcePair, IceSession, MediaStream, Report, ServerTransport, TransportOutcome,
};
use crate::net::{Endpoint, Transport};
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// So many checks in vain are no start of an answer that the capture lacks.
const SEVERAL: u64 = 5;

/// DTLS 1.3 has acknowledgements, tickets and alerts among its encrypted records: so many say nothing of data.
const NO_DATA: u64 = 4;

/// What worked, and how much of what else could be said it says.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The clauses, in the order in which it happened.
    pub(super) words: Vec<String>,
    /// Whether they tell that a pair was selected, so that checks need not be counted.
    pub(super) selected: bool,
    /// Whether a pair that was selected goes through a relay.
    pub(super) relays: bool,
    /// Whether they tell of media or data.
    pub(super) data: bool,
}

impl Outcome {
    /// `relay` is the server of which was said already that data went both ways through its relay.
    pub(super) fn of(report: &Report, relay: Option<Endpoint>) -> Self {
        let mut outcome = Outcome::default();
        let chosen = selected(report);
        let agreed = agreed(report);
        let keyed = agreed.is_some();
        if let [(session, pair), others @ ..] = chosen.as_slice() {
            let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
            let through = through(pair, relay);
            outcome.words.push(match pair.remote_hidden {
                true => {
                    format!("ICE selected {}{through}{more}, for a peer that the capture does not name", pair.local)
                }
                false if never_answered(session, pair) => {
                    format!(
                        "data went between {} and {}{through}{more}, though no check of ICE was answered",
                        pair.local, pair.remote
                    )
                }
                false => format!("ICE selected {} – {}{through}{more}", pair.local, pair.remote),
            });
            outcome.data = relay.is_some() && pair.via.map(|via| via.0) == relay;
            outcome.selected = true;
            outcome.relays = chosen.iter().any(|(_, pair)| is_relayed(pair));
            outcome.words.extend(agreed);
            if let Some(media) = media(report, session, pair) {
                outcome.words.push(media);
                outcome.data = true;
                return outcome;
            }
            if !keyed && chosen.iter().all(|(session, _)| session.first_data_us.is_none()) {
                let on = if others.is_empty() { "on it" } else { "on them" };
                outcome.words.push(format!("no DTLS or media followed {on} in the capture"));
            }
        } else {
            outcome.words.extend(agreed);
        }
        let told = |data: u64, version: Option<&str>| data > if version == Some("DTLS 1.3") { NO_DATA } else { 0 };
        let carried = |known: &Dtls| {
            let version = known.version.as_deref();
            [known.client_data_records, known.server_data_records].map(|data| told(data, version))
        };
        if outcome.data {
            // told already
        } else if report.dtls.iter().any(|known| carried(known) == [true, true]) {
            let to_read = if is_sealed(report) { ", which takes the keys to read" } else { "" };
            outcome.words.push(format!("data went both ways inside DTLS{to_read}"));
        } else if outcome.selected
            && report.media.items.is_empty()
            && report.dtls.iter().any(is_for_media)
            && report.dtls.iter().all(|known| carried(known) == [false, false])
        {
            outcome.words.push("no media followed in the capture".to_owned());
        }
        // the handshake is what went both ways, as far as anything did
        outcome.data |= keyed;
        outcome
    }
}

/// The sessions that have a selected pair, each with that; of those that a restart joins the last, and of those that several captures show one.
fn selected(report: &Report) -> Vec<(&IceSession, &IcePair)> {
    let name = |session: &IceSession| session.ufrags.iter().cloned().collect::<BTreeSet<String>>();
    let replaced: BTreeSet<BTreeSet<String>> = report
        .ice
        .iter()
        .filter(|session| session.selected_pair.is_some() && !session.mixed)
        .map(|session| session.restart_of.iter().cloned().collect())
        .collect();
    let mut known = BTreeSet::new();
    let sessions = report.ice.iter().filter(|session| !session.mixed && !replaced.contains(&name(session)));
    sessions
        .filter_map(|session| Some((session, session.pairs.iter().find(|pair| pair.selected)?)))
        .filter(|(session, _)| session.ufrags.is_empty() || known.insert(name(session)))
        .collect()
}

/// Whether all the checks of a session went unanswered: agents that send all the same, as those of SIP do, have not selected what they use.
fn never_answered(session: &IceSession, pair: &IcePair) -> bool {
    pair.checks_sent >= SEVERAL && session.pairs.iter().all(|known| known.checks_answered == 0)
}

/// Whether a TURN server was reached over DTLS, and nothing of what was asked there could be read.
fn is_sealed(report: &Report) -> bool {
    let mut reached = report.servers.iter().flat_map(|server| &server.transports);
    let is_connected = |over: &ServerTransport| over.outcome == TransportOutcome::Connected;
    reached.any(|over| over.transport == Transport::Dtls && is_connected(over) && over.is_sealed())
}

fn is_relayed(pair: &IcePair) -> bool {
    pair.via.is_some() || [pair.local_type, pair.remote_type].contains(&Some(CandidateType::Relay))
}

/// The remote candidate, as far as the capture tells it.
fn remote_end(pair: &IcePair) -> String {
    if pair.remote_hidden { "that peer".to_owned() } else { pair.remote.to_string() }
}

fn through(pair: &IcePair, known: Option<Endpoint>) -> String {
    match pair.via {
        Some(relay) if Some(relay.0) == known => " through it".to_owned(),
        Some(relay) => format!(" through the relay {relay}"),
        None if is_relayed(pair) => " through a relay".to_owned(),
        None => String::new(),
    }
}

/// Whether a handshake was for media: it agreed on how to protect them, or may have where that is encrypted.
fn is_for_media(known: &Dtls) -> bool {
    known.state == DtlsState::Complete && (known.srtp_profile.is_some() || known.version.as_deref() == Some("DTLS 1.3"))
}

/// The versions of DTLS that were agreed on.
fn agreed(report: &Report) -> Option<String> {
    let complete = || report.dtls.iter().filter(|known| known.state == DtlsState::Complete);
    let mut versions: Vec<&str> = complete().filter_map(|known| known.version.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    let count = complete().count();
    let handshakes =
        if count == 1 { "a DTLS handshake was".to_owned() } else { format!("{count} DTLS handshakes were") };
    match (versions.as_slice(), count) {
        (_, 0) => None,
        ([], _) => Some(format!("{handshakes} completed")),
        ([version], 1) => Some(format!("{version} was agreed on")),
        (some, _) => Some(format!("{} was agreed on in {count} handshakes", some.join(" or "))),
    }
}

/// The first and the last time of something.
type Times = (Timestamp, Timestamp);

/// What RTP ran on the selected pair.
fn media(report: &Report, session: &IceSession, pair: &IcePair) -> Option<String> {
    let lasted = |from: [Option<Endpoint>; 2], to: [Option<Endpoint>; 2]| {
        let is_one = |stream: &&MediaStream| from.contains(&Some(stream.src.0)) && to.contains(&Some(stream.dst.0));
        let streams = report.media.items.iter().filter(is_one);
        let times = streams.map(|stream| (stream.first_time.at, stream.last_time.at));
        times.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    };
    let local = |pair: &IcePair| [Some(pair.local.0), pair.local_base.map(|base| base.0)];
    let remote = |pair: &IcePair| [Some(pair.remote.0), pair.remote_base.map(|base| base.0)];
    let there = |pair: &IcePair| lasted(local(pair), remote(pair));
    let back = |pair: &IcePair| lasted(remote(pair), local(pair));
    // each agent may send on a pair of its own at the time
    let meanwhile = |own: Option<Times>, other: &dyn Fn(&IcePair) -> Option<Times>| {
        let at_once = |(one, other): (Times, Times)| one.0 <= other.1 && other.0 <= one.1;
        session.pairs.iter().any(|pair| own.zip(other(pair)).is_some_and(at_once))
    };
    let what = kind(report, session);
    let (out, into) = (there(pair), back(pair));
    match (out.is_some() || meanwhile(into, &there), into.is_some() || meanwhile(out, &back)) {
        (true, true) => Some(format!("{what} flowed both ways")),
        (true, false) => Some(format!("{what} flowed from {} to {}", pair.local, remote_end(pair))),
        (false, true) => Some(format!("{what} flowed from {} to {}", remote_end(pair), pair.local)),
        (false, false) => None,
    }
}

/// `audio` or `video`, where the descriptions of the session tell one only; else `RTP`.
fn kind<'r>(report: &'r Report, session: &IceSession) -> &'r str {
    let told = report.signalling.iter().filter(|told| session.ufrags.contains(&told.ufrag));
    let mut kinds: Vec<&str> =
        told.flat_map(|told| &told.media).map(String::as_str).filter(|kind| *kind != "application").collect();
    kinds.sort_unstable();
    kinds.dedup();
    if let [one] = kinds.as_slice() { one } else { "RTP" }
}
