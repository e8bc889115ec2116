//! Checks of private addresses: what nobody can reach from outside.

use std::net::IpAddr;

use super::{address, asked};
use crate::net::{Endpoint, Scope};
use crate::rules::View;
use crate::session::ice::{IceSession, Pair};

/// Where an agent with an address outside its NAT checks none but private addresses of another network, and nobody checks it from there: what that says, and
/// what to do about it.
pub(super) fn only_private(ice: &IceSession, agent: usize, view: &View<'_>) -> Option<(String, String)> {
    let own = ice.host(agent)?;
    let first = far_private(ice, agent).filter(|_| view.session.nat().is_translated(own.ip()))?;
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    Some((
        format!(
            " All that {from} checks are private addresses, such as {}: beyond its NAT nobody can reach those, and no public or relayed candidate of \
             {to} is checked.",
            first.ip()
        ),
        offer_another(ice, agent),
    ))
}

/// The first of the addresses that an agent checks, where all are private ones of another network and nobody checks it from there.
fn far_private(ice: &IceSession, agent: usize) -> Option<Endpoint> {
    let own = ice.host(agent)?;
    let mut checked = ice.checked_by(agent).map(|pair| pair.end(1 - agent)).peekable();
    let far = |peer: Endpoint| match (own.ip(), peer.ip()) {
        (IpAddr::V4(own), IpAddr::V4(peer)) => own.octets()[..2] != peer.octets()[..2],
        _ => false,
    };
    let first = *checked.peek()?;
    let all = checked.all(|peer| peer.scope() == Scope::Private && far(peer));
    (all && asked(ice, 1 - agent).checks == 0).then_some(first)
}

fn offer_another(ice: &IceSession, agent: usize) -> String {
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    format!(
        "Unless {to} is in the same network as {from}, it has to offer an address that can be reached from outside: a media server behind a NAT or in \
         a container its public one (Janus: nat_1_1_mapping; mediasoup: announcedAddress; LiveKit: use_external_ip), a client the one that a STUN \
         server tells it, or a relayed one. See that signalling passes these candidates on."
    )
}

/// What to do where nothing tells why the checks of an agent go unanswered.
pub(super) fn open_path(ice: &IceSession, agent: usize, view: &View<'_>) -> String {
    let direct = || ice.checked_by(agent).filter(|pair| pair.passes_relay().is_none());
    // what is at the address of a server may be a relay of it
    let of_server =
        |peer: &Endpoint| view.session.servers().sorted().iter().any(|(server, _)| server.0.ip() == peer.ip());
    // browsers and relays take theirs from the dynamic ones
    let of_service = |peer: &Endpoint| peer.port() < 49_152 && peer.scope() == Scope::Public && !of_server(peer);
    let public = direct().map(|pair| pair.end(1 - agent)).find(of_service);
    let server = public.filter(|_| asked(ice, 1 - agent).checks == 0).map_or_else(String::new, |peer| {
        format!(" (where {peer} is a server: that port, in its firewall and forwarded by the NAT before it)")
    });
    let private = far_private(ice, agent).map_or_else(String::new, |peer| {
        let relay = ice.pairs.iter().find_map(Pair::passes_relay).filter(|_| direct().next().is_none());
        let whom = relay.map_or_else(
            || "leads nowhere from another network".to_owned(),
            |relay| format!("the relay at {} reaches in its own network only", relay.ip()),
        );
        let peer = peer.ip();
        format!(" {peer} is a private address, which {whom}. {}", offer_another(ice, agent))
    });
    let over = if ice.pairs.iter().all(Pair::is_tcp) { "TCP" } else { "UDP" };
    format!(
        "Open the path for {over} between the two{server}, or give both a TURN server that they can reach: behind two NATs that map by destination only a relay \
         works. See that the candidates which signalling passes on are those of this session.{private}"
    )
}

/// Where USERNAME of an agent's checks has no user fragment before its colon, or none behind it: that nobody can know what they are about.
pub(super) fn nameless(ice: &IceSession, agent: usize, view: &View<'_>) -> Option<String> {
    let user = ice.checked_by(agent).find_map(|pair| pair.user(agent))?;
    let text = view.text(user);
    let whose = match text.split_once(':')? {
        ("", _) => 1 - agent,
        (_, "") => agent,
        _ => return None,
    };
    Some(format!(
        " USERNAME of these checks is {}, which lacks the user fragment of {}: {} did not read it in the description, or wrote none into its own, and whoever gets \
         such checks does not know of which session they are.",
        view.quoted(Some(user)),
        address(ice, whose),
        address(ice, agent),
    ))
}

/// Where an agent without a relay checks the very address that its own NAT shows of it: what that says, and what to do about it.
pub(super) fn same_nat(ice: &IceSession, agent: usize, view: &View<'_>) -> Option<(String, String)> {
    let own = ice.host(agent)?;
    if ice.pairs.iter().any(|pair| pair.passes_relay().is_some()) {
        return None;
    }
    let mappings = view.session.nat().mappings();
    let is_own_outside = |peer: &Endpoint| {
        let of_peer = mappings.iter().filter(|known| known.outside.ip() == peer.ip());
        peer.ip() != own.ip() && of_peer.into_iter().any(|known| known.inside.ip() == own.ip())
    };
    let peer = ice.checked_by(agent).map(|pair| pair.end(1 - agent)).find(is_own_outside)?;
    Some((
        format!(
            " {peer}, which {} checks, is at the outside address of its own NAT: both are behind that, and it would have to turn such packets back (RFC 4787 §6), \
             which many do not.",
            address(ice, agent)
        ),
        "Give both a TURN server that they can reach: behind one NAT that does not turn packets back nothing but their inside addresses, where these reach each other, \
         or a relay works."
            .to_owned(),
    ))
}

/// Where all that is checked are private addresses to which a router knows no way; in many networks private addresses lead far.
pub(super) fn out_of_reach(ice: &IceSession, agent: usize) -> String {
    let mut checked = ice.checked_by(agent).peekable();
    let turned = checked.peek().and_then(|pair| Some((pair.end(1 - agent), pair.icmp.as_ref()?.sender)));
    let far = |pair: &Pair| pair.icmp.is_some() && pair.end(1 - agent).scope() == Scope::Private;
    match turned.filter(|_| checked.all(far)) {
        Some((peer, router)) => format!(
            " {peer} is a private address, to which {router} knows no way: where it is a relayed one, the TURN server does not know its outside address \
             (coturn: external-ip)."
        ),
        None => String::new(),
    }
}

/// What else keeps direct checks of an agent from being answered, or goes the same way: a NAT that maps by destination, and TCP to the same host.
pub(super) fn beside(ice: &IceSession, agent: usize, view: &View<'_>) -> String {
    let Some(own) = ice.host(agent) else { return String::new() };
    let relays = ice.pairs.iter().any(|pair| pair.passes_relay().is_some());
    let (dependents, _) = view.session.nat().dependents();
    let mut text = String::new();
    if !relays && dependents.iter().any(|known| known.client.0.ip() == own.ip()) {
        text += &format!(
            " The NAT of {} maps by destination, and it checks through no relay: of peers behind NATs only some can reach it.",
            own.ip()
        );
    }
    let checked = |ip: IpAddr| ice.checked_by(agent).any(|pair| !pair.is_tcp() && pair.end(1 - agent).ip() == ip);
    let attempts = view.session.attempts().sorted();
    // 9 is what an active candidate has for a port (RFC 6544 §4.5)
    let failed = attempts.into_iter().find(|known| {
        known.client.0.ip() == own.ip()
            && known.server.0.port() != 9
            && checked(known.server.0.ip())
            && known.opened.is_none()
            && known.refused + known.silent > 0
    });
    if let Some(known) = failed {
        let how = if known.refused > 0 { "was refused" } else { "went unanswered" };
        text += &format!(" TCP to {} {how} as well (frame {}).", known.server, known.first.frame);
    }
    text
}
