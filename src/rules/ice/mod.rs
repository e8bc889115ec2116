//! ICE: what the checks of a session show. Rules look at one session when it is over.

mod agreement;
mod consent;
mod hidden;
mod nomination;
mod path;
mod private;
mod selected;
mod signed;

use super::evidence::{Proof, counted, host_filter, ip_filter, layers};
use super::travel::{self, Sought, Whereabouts};
use super::{Confidence, Judge, Occurrence, Remedy, Rule, Severity, Subject, View};
use crate::frame::in_order;
use crate::join::Kind;
use crate::net::{ClientAddress, Endpoint, PeerAddress, ServerAddress, Transport};
use crate::session::ice::{IceSession, Pair};
use crate::session::{Ends, Grievance, MediaDirection, Path, Verdicts};
use crate::time::{NUMBERED_MIRROR, Span, Timestamp};
use std::iter;
use std::net::IpAddr;

#[rustfmt::skip] // one rule a line
pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[hidden::ID], judge: Judge::Capture(hidden::judge) },
    Rule { ids: &[path::UNANSWERED, path::ONE_WAY, path::NO_RELAY], judge: Judge::Ice(path::judge) },
    Rule { ids: &[agreement::UNAUTHORIZED], judge: Judge::Ice(agreement::judge_unauthorized) },
    Rule { ids: &[agreement::CONFLICT], judge: Judge::Ice(agreement::judge_conflict) },
    Rule { ids: &[nomination::ID], judge: Judge::Ice(nomination::judge) },
    Rule { ids: &[consent::LOST], judge: Judge::Ice(consent::judge) },
    Rule { ids: &[selected::SWITCHED, selected::RESTART, selected::RELAYED], judge: Judge::Ice(selected::judge) },
];

/// `8Y6H at 192.0.2.1`, or the address alone.
fn named(ice: &IceSession, agent: usize, view: &View<'_>) -> String {
    let at = address(ice, agent);
    match ice.agent(agent).ufrag {
        Some(ufrag) => format!("{at} ({})", view.quoted(Some(ufrag))),
        None => at,
    }
}

/// Its address, as far as the capture tells it.
fn address(ice: &IceSession, agent: usize) -> String {
    ice.host(agent).map_or_else(|| "its peer".to_owned(), |end| end.ip().to_string())
}

/// What an agent's checks add up to.
struct Asked {
    /// Transmissions, copies included.
    sends: u64,
    /// Checks without copies.
    checks: u64,
    /// Those answered by success.
    answered: u64,
    /// From its first to its last.
    span: Span,
    /// The last.
    last: Timestamp,
    /// Whether they are sent as by one who hears nothing.
    sounds_unheard: bool,
}

impl Asked {
    /// Whether it checks as often as one who still looks for a pair: consent and keepalives come every few seconds.
    fn is_urgent(&self) -> bool {
        const LEISURE: i64 = 1_200_000_000;
        self.span.0 / i64::try_from(self.sends.max(1)).unwrap_or(i64::MAX) < LEISURE
    }
}

fn asked(ice: &IceSession, agent: usize) -> Asked {
    let ways = || ice.pairs.iter().map(|pair| pair.way(agent)).filter(|way| way.first.is_some());
    let first = ways().filter_map(|way| way.first).map(|seen| seen.time).min();
    let last = ways().map(|way| way.last).max();
    Asked {
        sends: ways().map(|way| u64::from(way.sent) + u64::from(way.copies)).sum(),
        checks: ways().map(|way| u64::from(way.sent)).sum(),
        answered: ways().filter_map(|way| way.answered.as_ref()).map(|answered| u64::from(answered.count)).sum(),
        span: last.unwrap_or_default().since(first.unwrap_or_default()),
        last: last.unwrap_or_default(),
        sounds_unheard: sounds_unheard(ice, agent),
    }
}

/// Whether an agent checks as one who hears no answers: it goes on briskly for longer than it takes to find a pair, or sends the same checks again
/// and again (RFC 8489 §6.2.1). One that hears answers sends no check again, and asks for consent at leisure.
fn sounds_unheard(ice: &IceSession, agent: usize) -> bool {
    const LONG: Span = Span::from_secs(8);
    const COPIES: u32 = 3;
    let ways = || ice.pairs.iter().map(|pair| pair.way(agent));
    let repeats = ways().any(|way| way.copies >= COPIES);
    let hears = ways().any(|way| way.sent >= 3 && way.copies < way.sent);
    ice.agent(agent).brisk >= LONG || (repeats && !hears)
}

/// The first frames of an agent's checks, one a pair.
fn first_frames_of(ice: &IceSession, agent: usize) -> Vec<u64> {
    in_order(ice.pairs.iter().filter_map(|pair| pair.way(agent).first).map(|seen| seen.frame))
}

/// Whether packets to an address would be seen: the other agent's checks are, or something came for it.
fn is_heard(ice: &IceSession, agent: usize, view: &View<'_>) -> bool {
    ice.agent(1 - agent).checks > 0 || ice.host(agent).is_some_and(|end| view.session.clients().is_heard(end.ip()))
}

/// Whether one of the agents may have used TCP as well, and had a way there.
fn may_have_used_tcp(ice: &IceSession, view: &View<'_>) -> bool {
    let ends = |pair: &Pair| [0, 1].map(|agent| pair.host(agent).unwrap_or_else(|| pair.end(agent)).ip());
    let hosts: Vec<IpAddr> = ice.pairs.iter().flat_map(ends).collect();
    view.session.clients().coverage().may_have_used_tcp(&hosts)
}

/// A failure is a mere warning where the client had data afterwards: after the session, not in it, where checks that were answered count as much,
/// nor in copies of its last packets.
fn unless_later(mut seen: Occurrence, ice: &IceSession, view: &View<'_>) -> Occurrence {
    if let Remedy::Data(grievance) = &mut seen.remedy {
        let over = ice.last.time.after(NUMBERED_MIRROR);
        let has_data = |at| view.session.clients().has_data(grievance.client, at);
        let goes_on = has_data(seen.at) && !has_data(over) && talks_elsewhere(ice, grievance, view);
        if !goes_on {
            grievance.at = over;
        }
    }
    seen
}

/// Whether media of an agent's host flows both ways on ways other than the session's, after it came to grief: the next session may begin before this one is
/// given up, and outlast the capture.
fn talks_elsewhere(ice: &IceSession, grievance: &Grievance, view: &View<'_>) -> bool {
    let is_own = |path: &Path| ice.pair_on(path).is_some();
    view.session.media().each_way().any(|way| {
        let Ends { low, high } = way.path.ends;
        let later = |known: &MediaDirection| known.media.is_some_and(|(_, last)| last.time > grievance.at);
        [low.ip(), high.ip()].contains(&grievance.client) && way.directions.iter().all(later) && !is_own(&way.path)
    })
}

/// The same for what a relay carries, where checks and refusals alone are traffic both ways, and for data that both sent without a pair. What else ran on
/// the session's own pairs was asked for before.
fn unless_later_elsewhere(seen: Occurrence, ice: &IceSession, view: &View<'_>) -> Occurrence {
    let sends = |agent| ice.pairs.iter().any(|pair| pair.carried(agent).first.is_some());
    let by_relay = || ice.pairs.iter().any(|pair| pair.passes_relay().is_some());
    if sends(0) && sends(1) || by_relay() { unless_later(seen, ice, view) } else { seen }
}

/// Whether a check carries no integrity, which the capture tells only where it cut no message.
fn is_unsigned(integrity: &Verdicts, view: &View<'_>) -> bool {
    Proof::of(integrity, view) == Proof::Unsigned && view.session.totals().truncated.total == 0
}

/// What several captures tell of the checks that an agent sent on a pair at these times, and of their answers: where they were lost, or, with `how_far`, how
/// far they got. Of all ways that the pair takes, through a relay or a NAT, the first that tells anything stands for all.
fn lost_between(pair: &Pair, agent: usize, times: [Timestamp; 2], how_far: bool, view: &View<'_>) -> Whereabouts {
    let of = |path: &Path| {
        let from = if pair.agent_on(path, 0) == Some(agent) { path.ends.low } else { path.ends.high };
        let kinds = &[Kind::Request, Kind::Answer];
        travel::of_path(path, &Sought { kinds, what: "checks", from: Some(from), times, how_far }, view)
    };
    let mut told = iter::once(pair.path()).chain(pair.other_paths()).map(of);
    told.find(|told| !told.text.is_empty()).unwrap_or_default()
}

/// A finding about an agent of a session.
fn occurrence(
    ice: &IceSession,
    agent: usize,
    (id, reference): (&'static str, &'static str),
    severity: Severity,
    at: Timestamp,
    frames: Vec<u64>,
) -> Occurrence {
    // of one that is not known the other one's address stands for both
    let (own, peer) = (ice.host(agent).or_else(|| ice.host(1 - agent)), ice.host(1 - agent));
    let relay = ice.pairs.iter().find(|pair| pair.relays() == Some(agent)).and_then(Pair::relay);
    let grievance = own.map(|own| Grievance::new(own.ip(), None, peer.unwrap_or(own), at));
    Occurrence {
        key: format!("{} {}", address(ice, agent), address(ice, 1 - agent)),
        severity,
        confidence: Confidence::Certain,
        remedy: grievance.map_or(Remedy::None, Remedy::Data),
        at,
        frames,
        filter: own.map(|own| filter(ice, own)),
        subject: Subject {
            client: own.map(ClientAddress),
            server: relay.map(ServerAddress),
            peer: peer.map(PeerAddress),
            ..Subject::default()
        },
        ..Occurrence::of(id, reference)
    }
}

/// A display filter for the checks of an agent: between two hosts where that is all, else from and to its own.
fn filter(ice: &IceSession, own: Endpoint) -> String {
    let other = |ends: Ends| match own.ip() {
        ip if ends.low.ip() == ip => Some((ends.high, ends)),
        ip if ends.high.ip() == ip => Some((ends.low, ends)),
        _ => None,
    };
    let ways = || ice.pairs.iter().filter_map(|pair| other(pair.path().ends));
    // a relay may be reached in TLS, which is STUN to who has the keys
    let layers = layers(if ways().any(|(_, ends)| ends.is_stream()) { Transport::Tls } else { Transport::Udp });
    // what the other receives through its relay comes from that
    let meets = |ends: Ends, ip| [ends.low.ip(), ends.high.ip()].contains(&ip);
    let all = |ip: IpAddr| ice.pairs.iter().all(|pair| meets(pair.path().ends, ip));
    let ends = ice.pairs.first().map(|pair| pair.path().ends);
    let shared = ends.and_then(|ends| [ends.low.ip(), ends.high.ip()].into_iter().find(|&ip| all(ip)));
    if let Some(shared) = shared.filter(|_| !all(own.ip())) {
        return format!("{layers} && {}", host_filter(shared));
    }
    let mut hosts = ways().map(|(other, _)| other);
    match hosts.next() {
        Some(only) if hosts.all(|other| other.ip() == only.ip()) => format!("{layers} && {}", ip_filter(own, only)),
        _ => format!("{layers} && {}", host_filter(own.ip())),
    }
}

/// `10.0.0.1:5000 – 192.0.2.7:6000`, the end of this agent first; `?` for one that the capture does not tell.
fn ends(pair: &Pair, agent: usize) -> String {
    let end = |agent| if pair.is_end_known(agent) { pair.end(agent).to_string() } else { "?".to_owned() };
    format!("{} – {}", end(agent), end(1 - agent))
}

/// `1 check was`, `2 checks were`.
fn counted_were(number: u64, what: &str) -> String {
    format!("{} {}", counted(number, what), if number == 1 { "was" } else { "were" })
}
