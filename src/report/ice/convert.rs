//! From a session's memory of ICE to the published form.

use super::candidates::Known;
use super::{
    IceAgent, IceChecks, IceConsent, IceDtlsRole, IceEnds, IcePair, IcePassword, IceRoles, IceRtt, IceSelectedBy,
    IceSelection, IceSession,
};
use crate::bounded::BoundedList;
use crate::frame::in_order;
use crate::report::convert::Origin;
use crate::report::signalling::{self, SignalledAddress};
use crate::report::{Address, CandidateType, Place, TcpType, Time, Transport};
use crate::session::ice::{self, Pair, Way};
use crate::session::signalling::{Description, Setup, compare};
use crate::session::{Name, Session};
use crate::time::{Span, Timestamp};
use std::collections::BTreeSet;

/// How many addresses of an agent are listed.
const MAX_ADDRESSES: usize = 16;
/// How many of the candidates that its descriptions tell.
const MAX_TOLD: usize = 32;

/// What it takes to tell of a session.
struct Teller<'s> {
    session: &'s Session,
    known: &'s Known,
    origin: Origin,
    local: usize,
}

/// The published form of a session; `restart_of` are the user fragments of the one before.
pub(in crate::report) fn session(
    ice: &ice::IceSession,
    restart_of: Vec<String>,
    session: &Session,
    known: &Known,
    origin: Origin,
) -> IceSession {
    let local = ice.local();
    let teller = Teller { session, known, origin, local };
    let selection = ice.selection();
    let first = [ice.agent(0).first_check, ice.agent(1).first_check].into_iter().flatten().min();
    let since = |time: Timestamp| first.map(|first| time.since(first.time).micros());
    let told = [first, ice.first_answer, ice.nominated, selection.map(|chosen| chosen.at)].into_iter().flatten();
    let evidence: Vec<Place> =
        in_order(told.map(|seen| seen.frame)).into_iter().map(|frame| origin.place(frame)).collect();
    IceSession {
        ufrags: [local, 1 - local].into_iter().filter_map(|agent| teller.ufrag(ice, agent)).collect(),
        agents: [local, 1 - local].into_iter().map(|agent| teller.agent(ice, agent)).collect(),
        roles: teller.roles(ice),
        pairs: (0..)
            .zip(&ice.pairs)
            .map(|(index, pair)| teller.pair(pair, selection.is_some_and(|chosen| chosen.pair == index)))
            .collect(),
        checks_omitted: ice.checks_omitted,
        selected_pair: ice.selected().map(|pair| teller.ends(pair)),
        selected_at: selection.map(|chosen| teller.time(chosen.at.time)),
        selections: ice
            .selections()
            .iter()
            .filter(|chosen| ice.holds(chosen))
            .filter_map(|chosen| teller.selection(ice, chosen))
            .collect(),
        first_check_at: first.map(|first| teller.time(first.time)),
        first_answer_us: ice.first_answer.and_then(|seen| since(seen.time)),
        nominated_us: ice.nominated.and_then(|seen| since(seen.time)),
        first_data_us: ice.first_data().and_then(|seen| since(seen.time)),
        consent: teller.consent(ice),
        restarts: ice.restarts,
        mixed: ice.is_mixed,
        restart_of,
        evidence_total: evidence.len() as u64,
        evidence,
    }
}

impl Teller<'_> {
    fn time(&self, at: Timestamp) -> Time {
        self.origin.time(at)
    }

    fn text(&self, name: Name) -> String {
        self.session.names().text(name)
    }

    fn ufrag(&self, ice: &ice::IceSession, agent: usize) -> Option<String> {
        ice.agent(agent).ufrag.map(|name| self.text(name))
    }

    /// The descriptions of an agent.
    fn told(&self, ice: &ice::IceSession, agent: usize) -> impl Iterator<Item = &Description> {
        let ufrag = ice.agent(agent).ufrag.map(|name| self.session.names().bytes(name));
        ufrag.into_iter().flat_map(|ufrag| self.session.signalling().all_of_agent(ufrag))
    }

    fn setup(&self, ice: &ice::IceSession, agent: usize) -> Option<Setup> {
        let all = || self.told(ice, agent).filter_map(|told| told.setup);
        all().find(|setup| setup.is_decided()).or_else(|| all().next())
    }

    fn dtls_role(&self, ice: &ice::IceSession, agent: usize) -> Option<IceDtlsRole> {
        let tells = |agent, what| self.told(ice, agent).any(|told| told.setup == Some(what));
        if (0..2).any(|agent| tells(agent, Setup::Active) && tells(agent, Setup::Passive)) {
            return Some(IceDtlsRole::Conflict);
        }
        compare::role(self.setup(ice, agent), self.setup(ice, 1 - agent))
    }

    fn agent(&self, ice: &ice::IceSession, number: usize) -> IceAgent {
        let agent = ice.agent(number);
        let mut addresses: Vec<Address> = Vec::new();
        let known = ice.pairs.iter().filter(|pair| pair.is_end_known(number));
        for end in known.map(|pair| Address(pair.end(number))) {
            addresses.push_new_up_to(MAX_ADDRESSES, end);
        }
        let told = || self.told(ice, number);
        let mut candidates: Vec<SignalledAddress> = Vec::new();
        let mut known = BTreeSet::new();
        for one in told().flat_map(|told| &told.candidates) {
            if known.insert((one.address.clone(), one.port, &one.transport, &one.kind)) {
                candidates.push(signalling::candidate(one, self.session));
            }
        }
        IceAgent {
            ufrag: self.ufrag(ice, number),
            host: ice.host(number).map(Address),
            addresses,
            role: agent.role,
            lite: ice.is_lite(number, self.session.signalling(), self.session.names()),
            tie_breaker: agent.tie_breaker.map(|number| format!("{number:016x}")),
            checks_sent: u64::from(agent.checks),
            answers_sent: u64::from(agent.answers),
            webrtc: agent.webrtc,
            setup: self.setup(ice, number).map(|setup| setup.name().to_owned()),
            dtls_role: self.dtls_role(ice, number),
            password: IcePassword {
                told: told().any(|told| told.has_password),
                verified: u64::from(agent.signed.verified),
                mismatched: u64::from(agent.signed.mismatched),
            },
            candidates_told_total: candidates.len() as u64,
            candidates_told: candidates.into_iter().take(MAX_TOLD).collect(),
        }
    }

    fn roles(&self, ice: &ice::IceSession) -> IceRoles {
        let controlling = ice.controlling();
        let ufrag = |agent: Option<usize>| agent.and_then(|agent| self.ufrag(ice, agent));
        let conflicts = ice.agents.iter().map(|agent| u64::from(agent.conflicts.count)).sum();
        IceRoles {
            controlling: ufrag(controlling),
            controlled: ufrag(controlling.map(|agent| 1 - agent)),
            nomination: ice.nomination,
            conflicts,
            resolved: (conflicts > 0).then(|| ice.is_conflict_resolved()),
        }
    }

    fn ends(&self, pair: &Pair) -> IceEnds {
        IceEnds { local: Address(pair.candidate(self.local)), remote: Address(pair.candidate(1 - self.local)) }
    }

    fn selection(&self, ice: &ice::IceSession, chosen: &ice::Selection) -> Option<IceSelection> {
        let IceEnds { local, remote } = self.ends(ice.pairs.get(usize::from(chosen.pair))?);
        let by = if chosen.by_data { IceSelectedBy::Data } else { IceSelectedBy::Nomination };
        Some(IceSelection {
            local,
            remote,
            at: self.time(chosen.at.time),
            by,
            place: self.origin.place(chosen.at.frame),
        })
    }

    fn pair(&self, pair: &Pair, selected: bool) -> IcePair {
        let IceEnds { local, remote } = self.ends(pair);
        let kind = |agent: usize| {
            let relays = (pair.relays() == Some(agent)).then_some(CandidateType::Relay);
            relays.or_else(|| self.known.kind(pair.candidate(agent), pair.is_tcp()))
        };
        let base = |agent: usize| Some(Address(pair.end(agent))).filter(|end| end.0 != pair.candidate(agent));
        let ways = [pair.way(self.local), pair.way(1 - self.local)];
        let [from_local, from_remote] = ways.map(checks);
        let rtt = from_local.rtt_us.into_iter().chain(from_remote.rtt_us).max_by_key(|rtt| rtt.median);
        let nominated = pair.nominated();
        let carried = [pair.carried(0), pair.carried(1)];
        let answers = ways.iter().filter_map(|way| way.answered.as_ref()).map(|answered| answered.first.frame).min();
        let first = ways.iter().filter_map(|way| way.first).map(|seen| seen.frame).min();
        IcePair {
            local,
            remote,
            remote_hidden: !pair.is_end_known(1 - self.local),
            local_base: base(self.local),
            remote_base: base(1 - self.local),
            local_type: kind(self.local),
            remote_type: kind(1 - self.local),
            transport: if pair.is_tcp() { Transport::Tcp } else { Transport::Udp },
            local_tcp_type: tcp_type(pair, self.local),
            remote_tcp_type: tcp_type(pair, 1 - self.local),
            via: pair.relay().map(Address),
            state: pair.state(self.session.now()),
            checks_sent: from_local.sent + from_remote.sent,
            checks_answered: from_local.answered + from_remote.answered,
            from_local,
            from_remote,
            rtt_us: rtt,
            nominated: nominated.is_some(),
            nominated_at: nominated.map(|seen| self.time(seen.time)),
            selected,
            data_packets: carried.iter().map(|way| way.packets).sum(),
            data_bytes: carried.iter().map(|way| way.bytes).sum(),
            icmp: pair.icmp.as_ref().map(|icmp| icmp.kind.to_string()),
            answered_from: pair.elsewhere.map(|(from, ..)| Address(from)),
            points: 1 + u32::try_from(pair.other_paths().count()).unwrap_or(u32::MAX),
            evidence: first.into_iter().chain(answers).map(|frame| self.origin.place(frame)).collect(),
        }
    }

    fn consent(&self, ice: &ice::IceSession) -> Option<IceConsent> {
        let consent = ice.consent()?;
        let way = ice.selected()?.way(consent.from);
        Some(IceConsent {
            from: self.ufrag(ice, consent.from),
            sent: u64::from(way.sent),
            answered: way.answered.as_ref().map_or(0, |answered| u64::from(answered.count)),
            longest_gap_us: consent.longest_gap.max(Span(0)).micros(),
            last_answer_at: Some(self.time(consent.last_answer.time)),
            lost_at: consent.lost_at.map(|at| self.time(at)),
        })
    }
}

/// Who opens the connection of a pair over TCP: the other one waits for it.
pub(super) fn tcp_type(pair: &Pair, agent: usize) -> Option<TcpType> {
    let opener = pair.opener().filter(|_| pair.is_tcp())?;
    Some(if opener == agent { TcpType::Active } else { TcpType::Passive })
}

fn checks(way: &Way) -> IceChecks {
    IceChecks {
        sent: u64::from(way.sent),
        retransmitted: u64::from(way.copies),
        answered: way.answered.as_ref().map_or(0, |answered| u64::from(answered.count)),
        refused: u64::from(way.errors),
        error: (way.errors > 0).then_some(way.error),
        rtt_us: way.answered.as_ref().and_then(|answered| rtt(&answered.rtt)),
    }
}

fn rtt(rtt: &ice::Rtt) -> Option<IceRtt> {
    let [min, median, max] = rtt.summary()?;
    Some(IceRtt { min, median, max })
}
