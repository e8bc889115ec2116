//! `turn-missing-attribute` and `turn-unknown-attribute`: requests that say too little, or too much.

use super::Refused;
use crate::rules::refusal::Missing;
use crate::rules::{Collector, Severity, Text, View};
use crate::session::Answer;
use crate::wire::stun::{AttributeCode, Method};

pub(super) const MISSING: &str = "turn-missing-attribute";
pub(in crate::rules) const UNKNOWN: &str = "turn-unknown-attribute";

pub(super) fn tell_missing(group: &Refused<'_>, missing: Missing, view: &View<'_>, out: &mut Collector) {
    let conversation = group.conversation;
    let key = format!("{} {} {}", conversation.server, group.last.method, missing.name());
    let reference = match missing {
        Missing::RequestedTransport => "RFC 8656 §7.2",
        Missing::ChannelNumber => "RFC 8656 §12.2",
        Missing::PeerAddress => "RFC 8656 §10.2",
        Missing::Username | Missing::Realm | Missing::Nonce => "RFC 8489 §9.2.4",
    };
    let seen = group.occurrence(MISSING, key, reference, view);
    out.add(seen, || {
        let (name, method, error) = (missing.name(), group.last.method, view.error(group.answer));
        let (client, server) = (conversation.client, conversation.server);
        let why = match missing {
            Missing::RequestedTransport => "says which transport the relay shall use towards peers, and every Allocate needs it",
            Missing::ChannelNumber => "says which channel to bind",
            Missing::PeerAddress => "says which peer is meant",
            Missing::Username | Missing::Realm | Missing::Nonce => {
                "belongs to the credentials: a signed request carries user, realm and nonce together"
            }
        };
        let (title, seen, fix) = if lacks_on_the_wire(group, missing) {
            (
                format!("it lacks {name}"),
                format!("The {method} request carries no {name}."),
                format!("Repair or update the client: its {method} must carry {name}."),
            )
        } else {
            (
                format!("it does not take the {name} that is there"),
                format!("The server says that {name} is missing, although the {method} request carries one: it may be in the wrong place or form."),
                format!(
                    "Compare how the client writes {name} with what the server takes: its place (before the integrity), its encoding, its \
                     length; update whichever of the two is older."
                ),
            )
        };
        Text {
            title: format!("{server} refused the {method} of {client} with {error}: {title}"),
            explanation: format!(
                "{seen} {name} {why}. It was refused {}. Trying again with the same request cannot help.",
                group.listed(),
            ),
            fix,
        }
    });
}

fn lacks_on_the_wire(group: &Refused<'_>, missing: Missing) -> bool {
    let asked = &group.last.asked;
    match missing {
        Missing::RequestedTransport => asked.transport.is_none(),
        Missing::Username => asked.user.is_none() && asked.userhash.is_none(),
        Missing::Realm => asked.realm.is_none(),
        Missing::Nonce => asked.nonce.is_none(),
        Missing::PeerAddress => asked.peers == 0,
        Missing::ChannelNumber => asked.channel.is_none(),
    }
}

pub(super) fn tell_unknown(group: &Refused<'_>, view: &View<'_>, out: &mut Collector) {
    let conversation = group.conversation;
    let (method, nat_test) = (group.last.method, group.last.asked.nat_test);
    let named = named(group.answer);
    let key = format!("{} {method} {named}", conversation.server);
    let mut seen = group.occurrence(UNKNOWN, key, "RFC 8489 §6.3.1", view);
    if nat_test && method == Method::BINDING {
        // a client that asks for a test of its NAT and is refused goes on without, and its calls need no such test
        seen.severity = Severity::Note;
    }
    out.add(seen, || {
        let (client, server, error) = (conversation.client, conversation.server, view.error(group.answer));
        let (title, means, fix) = if nat_test {
            (
                format!("{server} does not offer the NAT tests that {client} asked for: {error}"),
                "CHANGE-REQUEST and its like ask a server with a second address to answer from there (RFC 5780); this one has none or is not \
                 configured for it.",
                "Switch the NAT tests off in the client, or give the server a second address and configure RFC 5780 there.".to_owned(),
            )
        } else {
            (
                format!("{server} refused the {method} of {client} with {error}: it does not know {named}"),
                "Attributes with a number below 0x8000 must be understood or refused: the client insists on something that this server does not \
                 implement.",
                format!("Switch off in the client what needs {named}, or update the server to a version that knows it."),
            )
        };
        let listed = if named == UNNAMED { "does not list what it does not know".to_owned() } else { format!("lists {named}") };
        Text {
            title,
            explanation: format!("The request was refused {}; the answer {listed}. {means}", group.listed()),
            fix,
        }
    });
}

/// What stands for the attributes that an answer with 420 does not list, as coturn's to a CHANGE-REQUEST.
const UNNAMED: &str = "an attribute that it does not name";

/// The attributes that an answer lists, by name where they have one.
fn named(answer: &Answer) -> String {
    let name = |code: u16| match AttributeCode(code).name() {
        Some(name) => format!("{name} (0x{code:04X})"),
        None => format!("attribute 0x{code:04X}"),
    };
    // early servers pad the list with the last attribute or with zero
    let mut codes: Vec<u16> = answer.unknown.iter().flatten().copied().filter(|&code| code != 0).collect();
    codes.dedup();
    let names: Vec<String> = codes.into_iter().map(name).collect();
    if names.is_empty() { UNNAMED.to_owned() } else { names.join(" and ") }
}
