//! What the two sides told each other beside the packets, and how much of it the packets show.

use crate::session::Session;
use crate::session::signalling::{Description, SignalledCandidate};
use crate::wire::mdns::HiddenName;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// How many descriptions are listed.
const MAX_LISTED: usize = 250;

/// What one session description says of one ICE agent. Passwords are among the credentials, and nowhere shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Signalled {
    /// The file, and the peer connection or line in it.
    pub origin: String,
    /// `offer` or `answer`, where that was told.
    pub kind: Option<String>,
    /// Whether the side that wrote the file gave the description; `false` if it got it, `null` where that was not told.
    pub local: Option<bool>,
    /// The agent's user fragment.
    pub ufrag: String,
    /// Whether connectivity checks name it.
    pub seen: bool,
    /// Whether a password was told with it.
    pub password: bool,
    /// Whether it is a lite agent.
    pub lite: bool,
    /// Its role in the DTLS handshake: `actpass`, `active`, `passive`, `holdconn`.
    pub setup: Option<String>,
    /// The fingerprints of its certificate: `sha-256 AB:CD:…`.
    pub fingerprints: Vec<String>,
    /// The media: `audio`, `video`, `application`.
    pub media: Vec<String>,
    /// Its candidates.
    pub candidates: Vec<SignalledAddress>,
}

/// A candidate as a description tells it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SignalledAddress {
    /// The address and port, or a name (`….local`) and port.
    pub address: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// `host`, `srflx`, `prflx`, `relay`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The component.
    pub component: u16,
    /// The priority.
    pub priority: u32,
    /// The address that it belongs to, where told.
    pub related: Option<String>,
    /// The address that multicast DNS tells for a name.
    pub resolved: Option<IpAddr>,
    /// Whether the address is in the packets: as that of a sender or receiver, or in a message; `null` where that cannot be told: of names, and
    /// of TCP.
    pub seen: Option<bool>,
}

/// What was told, as far as it is listed, and how much is not.
pub(super) fn signalled(session: &Session) -> (Vec<Signalled>, u64) {
    let descriptions = session.signalling().descriptions();
    let omitted = descriptions.len().saturating_sub(MAX_LISTED) as u64 + session.signalling().dropped();
    (descriptions.iter().take(MAX_LISTED).map(|told| description(told, session)).collect(), omitted)
}

fn description(told: &Description, session: &Session) -> Signalled {
    Signalled {
        origin: told.origin.clone(),
        kind: told.kind.map(|kind| kind.name().to_owned()),
        local: told.local,
        ufrag: told.ufrag.clone(),
        seen: session.sightings().has_agent(&told.ufrag),
        password: told.has_password,
        lite: told.lite,
        setup: told.setup.map(|setup| setup.name().to_owned()),
        fingerprints: told.fingerprints.iter().map(|told| format!("{} {}", told.hash, told.value)).collect(),
        media: told.media.clone(),
        candidates: told.candidates.iter().map(|told| candidate(told, session)).collect(),
    }
}

/// A candidate as it was told, and whether the packets show it.
pub(super) fn candidate(told: &SignalledCandidate, session: &Session) -> SignalledAddress {
    let endpoint = told.endpoint();
    SignalledAddress {
        address: match (&endpoint, &told.address) {
            (Some(endpoint), _) => endpoint.to_string(),
            (None, Err(name)) => format!("{name}:{}", told.port),
            (None, Ok(ip)) => ip.to_string(),
        },
        transport: told.transport.clone(),
        kind: told.kind.clone(),
        component: told.component,
        priority: told.priority,
        related: told.related.map(|(ip, port)| crate::net::Endpoint::new(ip, port).to_string()),
        resolved: told.address.as_ref().err().and_then(|name| session.hidden().address(HiddenName::parse(name)?)),
        seen: endpoint.filter(|_| told.transport == "udp").map(|address| session.sightings().has_address(address)),
    }
}

/// Adds what another capture shows of the same descriptions.
pub(super) fn add(whole: &mut Vec<Signalled>, part: Vec<Signalled>) {
    if whole.is_empty() {
        *whole = part;
        return;
    }
    for (known, new) in whole.iter_mut().zip(part) {
        known.seen |= new.seen;
        for (known, new) in known.candidates.iter_mut().zip(new.candidates) {
            if let (Some(seen), Some(new)) = (&mut known.seen, new.seen) {
                *seen |= new;
            }
        }
    }
}
