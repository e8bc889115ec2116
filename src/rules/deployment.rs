//! `deployment-mismatch` and `turn-relay-port-out-of-range`: what was stated of the deployment, compared with what the packets show.

use super::evidence::{first_frames, quote};
use super::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::frame::in_order;
use crate::net::{ClientAddress, Endpoint, RelayedAddress, ServerAddress, Transport};
use crate::session::Lookup;
use crate::session::deployment::{self, Port, Says, Sighting, Statement};
use crate::time::{Span, Timestamp};
use crate::wire::dns::{Kind, Rcode};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(super) const MISMATCH: &str = "deployment-mismatch";
pub(super) const OUT_OF_RANGE: &str = "turn-relay-port-out-of-range";

/// So many tries of one client, over so many seconds, that nothing answers show that a port is closed.
const TRIES: u64 = 3;
const SECONDS: i64 = 2;
/// The last try counts as unanswered when the capture goes on for this long after it.
const PATIENCE: Span = Span::from_secs(1);
/// How many frames of a statement are told.
const FRAMES: usize = 16;

/// How a statement fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "StatedSeen")]
pub enum Outcome {
    /// The packets agree with it.
    Right,
    /// They contradict it.
    Wrong,
    /// They show nothing of it.
    NotSeen,
}

/// A statement of the deployment and what the packets show of it.
#[derive(Clone, Debug)]
pub struct Check<'s> {
    /// The statement.
    pub statement: &'s Statement,
    /// How it fared.
    pub outcome: Outcome,
    /// The frames that show it; the first ones.
    pub frames: Vec<u64>,
    /// How many there are.
    pub total: u64,
    /// Where it is wrong: what was seen instead.
    pub instead: Option<String>,
    wrong: Option<Wrong>,
}

/// What a finding needs to know of a contradiction.
#[derive(Clone, Debug, Default)]
struct Wrong {
    at: Timestamp,
    client: Option<ClientAddress>,
    server: Option<ServerAddress>,
    username: Option<String>,
    relayed: Option<RelayedAddress>,
    likely: bool,
    /// The server was seen at none of its addresses.
    elsewhere: bool,
    /// Another finding tells it.
    told: bool,
    /// Of a certificate: it is a stated name that the client asked for in vain.
    asked_for: bool,
}

/// Compares every statement with what the packets show; in the order in which they stand.
#[must_use]
pub fn check<'s>(view: &View<'s>) -> Vec<Check<'s>> {
    let session = view.session;
    let (deployment, stated) = (session.deployment(), session.stated());
    let elsewhere = stated.is_elsewhere(deployment);
    let statements = deployment.statements().iter().enumerate();
    let each = statements.filter_map(|(number, statement)| {
        let found = elsewhere.filter(|(server, ..)| statement.server == Some(*server));
        Some(match found {
            Some((server, ip, met)) => {
                let outside = deployment.servers().get(server).map_or(&[][..], |server| server.external.as_slice());
                displaced(statement, stated.elsewhere(number)?, (ip, met, outside), view)
            }
            None => compare(statement, stated.get(number)?, view),
        })
    });
    each.collect()
}

/// A statement about a server that shows itself at none of its addresses, where one other lends relays: that is most likely it.
fn displaced<'s>(
    statement: &'s Statement,
    seen: &Sighting,
    (ip, met, outside): (IpAddr, &deployment::Wrong, &[IpAddr]),
    view: &View<'s>,
) -> Check<'s> {
    let is_outside = match &statement.says {
        Says::External(_) => seen.right.total == 0,
        Says::Address(own) => outside.contains(own),
        _ => false,
    };
    if is_outside {
        let wrong = Wrong {
            at: met.at,
            client: Some(met.client),
            server: Some(met.server),
            likely: true,
            elsewhere: true,
            ..Wrong::default()
        };
        return Check::wrong(statement, (&seen.wrong.frames, seen.wrong.total), ip.to_string(), wrong);
    }
    if matches!(statement.says, Says::Address(_)) {
        return Check::new(statement, Outcome::NotSeen, &[], 0);
    }
    let mut check = compare(statement, seen, view);
    if let Some(wrong) = &mut check.wrong {
        wrong.likely = true;
    }
    check
}

fn compare<'s>(statement: &'s Statement, seen: &Sighting, view: &View<'s>) -> Check<'s> {
    match &statement.says {
        Says::Open(_, transport) => port(statement, *transport, &seen.port, view),
        Says::Name { name, inside, outside } => names(statement, name, inside, outside, view),
        _ => plain(statement, seen),
    }
}

impl<'s> Check<'s> {
    fn new(statement: &'s Statement, outcome: Outcome, frames: &[u64], total: u64) -> Self {
        let frames = frames.iter().take(FRAMES).copied().collect();
        Check { statement, outcome, frames, total, instead: None, wrong: None }
    }

    fn wrong(statement: &'s Statement, (frames, total): (&[u64], u64), instead: String, wrong: Wrong) -> Self {
        let check = Check::new(statement, Outcome::Wrong, frames, total);
        Check { instead: Some(instead), wrong: Some(wrong), ..check }
    }
}

fn plain<'s>(statement: &'s Statement, seen: &Sighting) -> Check<'s> {
    if let Some(first) = &seen.first_wrong {
        let wrong = Wrong {
            at: first.at,
            client: Some(first.client),
            server: Some(first.server),
            username: first.username.clone(),
            relayed: first.relayed,
            likely: false,
            elsewhere: false,
            told: matches!(statement.says, Says::RelayPorts(..)),
            asked_for: first.asked_for,
        };
        let frames = (seen.wrong.frames.as_slice(), seen.wrong.total);
        return Check::wrong(statement, frames, seen.instead.join(", "), wrong);
    }
    let outcome = if seen.right.total > 0 { Outcome::Right } else { Outcome::NotSeen };
    Check::new(statement, outcome, &seen.right.frames, seen.right.total)
}

/// A port is open if it answered anybody; it is not if it refused, or let somebody wait in vain.
fn port<'s>(statement: &'s Statement, transport: Transport, seen: &Port, view: &View<'_>) -> Check<'s> {
    if seen.answered.total > 0 {
        return Check::new(statement, Outcome::Right, &seen.answered.frames, seen.answered.total);
    }
    let Some((at, client, server)) = seen.failed else {
        return Check::new(statement, Outcome::NotSeen, &[], 0);
    };
    let wrong = Wrong { at, client: Some(client), server: Some(server), ..Wrong::default() };
    if seen.refused.total > 0 {
        let frames = (seen.refused.frames.as_slice(), seen.refused.total);
        let instead = match &seen.icmp {
            Some(icmp) => format!("{} is answered by ICMP {} from {}", client.0.ip(), icmp.kind, icmp.sender),
            None => format!("{} is refused by RST", client.0.ip()),
        };
        return Check::wrong(statement, frames, instead, wrong);
    }
    let (tries, seconds) = seen.tries;
    let waited = seen.last.is_some_and(|last| view.now().since(last) >= PATIENCE);
    if tries < TRIES || seconds < SECONDS || !waited {
        return Check::new(statement, Outcome::NotSeen, &[], 0);
    }
    // TCP repeats a SYN that was not answered, and no other; of UDP the answers may have gone where the capture does not see them
    let heard = view.hears(client.0.ip());
    let likely = !transport.is_stream() && !heard && !seen.repeated;
    let instead = format!("{tries} tries of {} within {seconds} s are not answered", client.0.ip());
    Check::wrong(statement, (&seen.silent.frames, seen.silent.total), instead, Wrong { likely, ..wrong })
}

/// What a name was resolved to, for each who asked.
fn names<'s>(
    statement: &'s Statement,
    name: &str,
    inside: &[IpAddr],
    outside: &[IpAddr],
    view: &View<'_>,
) -> Check<'s> {
    let session = view.session;
    // what resolvers ask each other is not what clients are told
    let resolvers: BTreeSet<IpAddr> = session.lookups().iter().map(|(_, lookup)| lookup.resolver.ip()).collect();
    let (mut right, mut wrong): (Vec<&Lookup>, Vec<(&Lookup, String, bool)>) = (Vec::new(), Vec::new());
    for ((client, asked, kind), lookup) in session.lookups().iter() {
        if asked != name || !matches!(kind, Kind::A | Kind::Aaaa) || resolvers.contains(client) {
            continue;
        }
        let v6 = *kind == Kind::Aaaa;
        let of_place = match session.deployment().is_inside(*client) {
            Some(true) => vec![inside],
            Some(false) => vec![outside],
            None => vec![inside, outside],
        };
        let expected: Vec<IpAddr> = of_place.into_iter().flatten().filter(|ip| ip.is_ipv6() == v6).copied().collect();
        // where nothing is stated, nothing is wrong
        let (Some(rcode), false) = (lookup.rcode, expected.is_empty()) else { continue };
        // what is stated for the other side tells where it comes from
        let side = |ip: &IpAddr| match () {
            () if inside.contains(ip) => " (stated for inside)",
            () if outside.contains(ip) => " (stated for outside)",
            () => "",
        };
        let other = lookup.addresses.iter().filter(|ip| !expected.contains(ip));
        let other: Vec<String> = other.map(|ip| format!("{ip}{}", side(ip))).collect();
        match (rcode, other.as_slice()) {
            (Rcode::NOERROR, []) if lookup.addresses.is_empty() => {
                wrong.push((lookup, format!("no address for {client}"), false));
            }
            (Rcode::NOERROR, []) => right.push(lookup),
            (Rcode::NOERROR, other) => wrong.push((lookup, format!("{} for {client}", other.join(", ")), false)),
            (rcode, _) => wrong.push((lookup, format!("{rcode} for {client}"), true)),
        }
    }
    wrong.sort_by_key(|(lookup, ..)| lookup.first);
    let frames = |lookups: &[&Lookup]| {
        let frames = in_order(lookups.iter().flat_map(|lookup| lookup.answers.frames.iter().copied()));
        (frames, lookups.iter().map(|lookup| lookup.answers.total).sum())
    };
    let Some((first, ..)) = wrong.first() else {
        let (found, total) = frames(&right);
        let outcome = if right.is_empty() { Outcome::NotSeen } else { Outcome::Right };
        return Check::new(statement, outcome, &found, total);
    };
    let client = ClientAddress(first.client);
    let reached = first.addresses.first().map(|&ip| ServerAddress(Endpoint::new(ip, 0)));
    let told = wrong.iter().all(|(.., failed)| *failed);
    let about = Wrong { at: first.first.time, client: Some(client), server: reached, told, ..Wrong::default() };
    let mut instead: Vec<String> = wrong.iter().map(|(_, instead, _)| instead.clone()).collect();
    instead.dedup();
    instead.truncate(4);
    let lookups: Vec<&Lookup> = wrong.iter().map(|(lookup, ..)| *lookup).collect();
    let (found, total) = frames(&lookups);
    Check::wrong(statement, (&found, total), instead.join(", "), about)
}

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    for (number, check) in check(view).into_iter().enumerate() {
        if let Some(wrong) = check.wrong.as_ref().filter(|wrong| !wrong.told) {
            tell(number, &check, wrong, view, out);
        } else if let (Says::RelayPorts(low, high), Some(wrong)) = (&check.statement.says, &check.wrong) {
            out_of_range(&check, wrong, (*low, *high), view, out);
        }
    }
}

/// `line 7 of deployment.toml`.
fn place(statement: &Statement) -> String {
    format!("line {} of {}", statement.line, statement.file)
}

fn occurrence(id: &'static str, key: String, check: &Check<'_>, wrong: &Wrong) -> Occurrence {
    Occurrence {
        key,
        severity: Severity::Warning,
        confidence: Confidence::certain_if(!wrong.likely),
        at: wrong.at,
        frames: check.frames.clone(),
        subject: Subject {
            client: wrong.client,
            // a name has an address and no port
            server: wrong.server.filter(|server| server.0.port() > 0),
            username: wrong.username.clone(),
            relayed: wrong.relayed,
            ..Subject::default()
        },
        ..Occurrence::of(id, "")
    }
}

/// The findings that a wrong statement of this kind explains.
fn effects(says: &Says, asked_for: bool) -> &'static [&'static str] {
    match says {
        Says::External(_) => &["turn-relay-private", "turn-relay-silent", "turn-answer-from-elsewhere"],
        Says::Open(..) => &["turn-no-response", "turn-unreachable"],
        Says::Realm(_) => &["turn-realm-mismatch"],
        Says::Users(_) => &["turn-unknown-user", "turn-integrity-rejected", "turn-user-changed"],
        Says::Name { .. } => &["turn-no-response", "turn-unreachable", "tls-certificate-name"],
        Says::CertificateNames(_) if asked_for => &["tls-certificate-name", "tls-certificate-rejected"],
        _ => &[],
    }
}

fn tell(number: usize, check: &Check<'_>, wrong: &Wrong, view: &View<'_>, out: &mut Collector) {
    let statement = check.statement;
    let seen = occurrence(MISMATCH, format!("{}:{} {number}", statement.file, statement.line), check, wrong);
    out.add_cause(seen, effects(&statement.says, wrong.asked_for), || text(check, wrong, view));
}

fn text(check: &Check<'_>, wrong: &Wrong, view: &View<'_>) -> Text {
    let statement = check.statement;
    let stated = view.session.deployment().server_of(statement).map(|server| server.label.as_str()).unwrap_or_default();
    let instead = check.instead.as_deref().unwrap_or_default();
    let server = wrong.server.map(|server| server.to_string()).unwrap_or_default();
    let (what, fix) = match &statement.says {
        _ if wrong.elsewhere => (
            format!("{} asks {server} for a relay, and not an address that is stated for {stated}", client(wrong)),
            format!("Give the clients the address of {stated} that is stated"),
        ),
        Says::External(_) => (
            format!("{server} lends relayed addresses at {instead}, and not at the outside address that is stated for {stated}"),
            format!("Set the outside (static NAT) address on {stated} (coturn: external-ip; Expressway: static NAT mode)"),
        ),
        Says::Open(port, transport) => (
            format!("{server}, port {port}/{transport} of {stated}, which should be open, is not: {instead}"),
            format!("Open {port}/{transport} towards {stated} in the firewalls on the way, and let {stated} listen on it"),
        ),
        Says::Realm(realm) => (
            format!("{server} asks for the realm {}, and not {}, which is stated for {stated}", quote(instead), quote(realm)),
            format!("Set one realm on {stated} and in what uses it"),
        ),
        Says::Users(_) => (
            format!("{} asks {server} as {}, whom the users stated for {stated} do not name", client(wrong), quote(instead)),
            format!("Configure the client with a user of {stated}, or make that user there"),
        ),
        Says::Name { name, .. } => (
            format!("{name} resolves to another address than stated: {instead}"),
            "Correct the zone that answered; where inside and outside differ (split DNS), see that each side asks its own".to_owned(),
        ),
        Says::CertificateNames(_) => (
            format!("The certificate that {server} shows, for {instead}, lacks a name that is stated for {stated}"),
            format!("Give {stated} a certificate with all of these names among its subject alternative names"),
        ),
        _ => (format!("{instead} was seen where something else is stated"), "Correct the system".to_owned()),
    };
    Text {
        title: format!("{what} ({})", place(statement)),
        explanation: format!(
            "The deployment states, in {}: {}{statement}. Seen instead ({}): {instead}.{}",
            place(statement),
            if stated.is_empty() { String::new() } else { format!("{stated}: ") },
            first_frames(&check.frames, check.total),
            if wrong.elsewhere {
                format!(
                    " Nothing of {stated} is seen at any of its addresses, and {instead} is the only other server here that is asked for relays: \
                     it is taken for {stated}."
                )
            } else {
                String::new()
            }
        ),
        fix: format!("{fix}; or correct {}, if it is the file that is wrong.", place(statement)),
    }
}

fn client(wrong: &Wrong) -> String {
    wrong.client.map(|client| client.0.ip().to_string()).unwrap_or_default()
}

fn out_of_range(check: &Check<'_>, wrong: &Wrong, (low, high): (u16, u16), view: &View<'_>, out: &mut Collector) {
    let statement = check.statement;
    let (Some(server), Some(relayed)) = (wrong.server, wrong.relayed) else { return };
    let key = format!("{} {}:{}", server.0.ip(), statement.file, statement.line);
    let seen = Occurrence { reference: "RFC 8656 §7.2", ..occurrence(OUT_OF_RANGE, key, check, wrong) };
    out.add_cause(seen, &["turn-relay-silent"], || {
        let stated = view.session.deployment().server_of(statement).map(|server| server.label.as_str()).unwrap_or_default();
        let ports = check.instead.as_deref().unwrap_or_default();
        Text {
            title: format!("{server} lends the relayed address {relayed}, outside of the relay ports {low}-{high}"),
            explanation: format!(
                "The deployment states, in {}, that {stated} relays on the ports {low} to {high}. Relayed ports seen outside of that range: \
                 {ports} ({}). A firewall that was opened for the stated range drops what is sent to them.",
                place(statement),
                first_frames(&check.frames, check.total),
            ),
            fix: format!(
                "Set the range of relay ports on {stated} (coturn: min-port, max-port; Expressway: TURN relay media ports) to {low}-{high}, or \
                 open the range that it uses in the firewall and correct {}.",
                place(statement)
            ),
        }
    });
}
