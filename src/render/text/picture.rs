//! The address picture: client → NAT → server → relay → peer, one line a way.

use super::page::Page;
use crate::report::{Address, Allocation, Report};
use std::collections::BTreeSet;
use unicode_width::UnicodeWidthStr;

/// How many ways are drawn.
const WAYS: usize = 3;
/// How many peers of one allocation are named.
const PEERS: usize = 3;
const ARROW: &str = " ──▶ ";

/// A station on the way: what it is, and its address.
pub(in crate::render) type Station = (&'static str, String);

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    let ways = ways(report);
    if ways.is_empty() {
        return;
    }
    page.heading("Addresses", "");
    let shown = page.limit(WAYS).min(ways.len());
    let mut above: Option<String> = None;
    for way in ways.iter().take(shown) {
        let rows = rows(way, page.width() - 2);
        // under the same names, in the same columns, addresses need none of their own
        let names = if let [(names, _)] = rows.as_slice() { Some(names.clone()) } else { None };
        let again = names.is_some() && above == names;
        if above.is_some() && !again {
            page.item(0, "", None, "");
        }
        for (names, addresses) in &rows {
            if !again {
                page.verbatim(2, names);
            }
            page.verbatim(2, addresses);
        }
        above = Some(names.unwrap_or_default());
    }
    let omitted = report.left_out("allocations");
    page.more(2, shown, ways.len() as u64 + omitted);
}

/// One way for each allocation made; for clients without one, as far as they got; for plain STUN, as far as that tells.
pub(in crate::render) fn ways(report: &Report) -> Vec<Vec<Station>> {
    let mut ways: Vec<Vec<Station>> = Vec::new();
    let mut drawn: BTreeSet<(Address, Address)> = BTreeSet::new();
    for allocation in report.allocations.iter().filter(|allocation| allocation.was_made()) {
        drawn.insert((allocation.client, allocation.server));
        ways.push(allocated(report, allocation));
    }
    let rejected =
        report.allocations.iter().map(|allocation| (allocation.client, allocation.server, allocation.mapped));
    let asked = report.authentications.iter().map(|conversation| (conversation.client, conversation.server, None));
    for (client, server, mapped) in rejected.chain(asked) {
        let again = drawn.iter().any(|(other, to)| other.0.ip() == client.0.ip() && *to == server);
        if !again && drawn.insert((client, server)) {
            ways.push(start(report, client, server, mapped));
        }
    }
    if ways.is_empty() {
        for mapping in &report.nat {
            ways.push(vec![("inside", mapping.inside.to_string()), ("outside", mapping.outside.to_string())]);
        }
    }
    ways
}

fn allocated(report: &Report, allocation: &Allocation) -> Vec<Station> {
    let mut way = start(report, allocation.client, allocation.server, allocation.mapped);
    if !allocation.relayed.is_empty() {
        way.push(("relay", join(allocation.relayed.iter().map(Address::to_string), allocation.relayed.len() as u64)));
    }
    let mut peers: Vec<String> = allocation.channels.iter().map(|channel| channel.peer.to_string()).collect();
    for permission in &allocation.permissions {
        if permission.error.is_none()
            && !allocation.channels.iter().any(|channel| channel.peer.0.ip() == permission.peer)
        {
            peers.push(permission.peer.to_string());
        }
    }
    let mut told = BTreeSet::new();
    peers.retain(|peer| told.insert(peer.clone())); // what ran out and was granted anew stands there twice
    if !peers.is_empty() {
        let total = peers.len() as u64;
        way.push(("peer", join(peers.into_iter(), total)));
    }
    way
}

fn start(report: &Report, client: Address, server: Address, mapped: Option<Address>) -> Vec<Station> {
    let mut way = vec![("client", client.to_string())];
    let inside = report.nat.iter().find(|mapping| mapping.outside == client).map(|mapping| mapping.inside);
    if let Some(inside) = inside.filter(|inside| *inside != client) {
        way = vec![("client", inside.to_string()), ("NAT", client.to_string())];
    }
    let outside = mapped.or_else(|| report.nat.iter().find(|m| m.inside == client).map(|mapping| mapping.outside));
    if let Some(outside) = outside.filter(|outside| *outside != client) {
        way.extend(between(report, client, outside).map(|address| ("NAT", address.to_string())));
        way.push(("NAT", outside.to_string()));
    }
    way.push(("server", server.to_string()));
    way
}

/// What a client is between two NATs, where the capture shows it there.
fn between(report: &Report, client: Address, outside: Address) -> Option<Address> {
    let reaches = |inside: Address| report.nat.iter().any(|known| (known.inside, known.outside) == (inside, outside));
    report.nat.iter().find(|known| known.inside == client && reaches(known.outside)).map(|known| known.outside)
}

fn join(names: impl Iterator<Item = String>, total: u64) -> String {
    let shown: Vec<String> = names.take(PEERS).collect();
    let rest = total.saturating_sub(shown.len() as u64);
    let text = shown.join(", ");
    if rest > 0 { format!("{text}, … {rest} more") } else { text }
}

/// Stations side by side, names above addresses, as many to a row as fit.
fn rows(way: &[Station], room: usize) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut names = String::new();
    let mut addresses = String::new();
    for (i, (name, address)) in way.iter().enumerate() {
        let arrow = if i > 0 { ARROW } else { "" };
        if i > 0 && addresses.width() + arrow.width() + address.width().max(name.width()) > room {
            rows.push((names.trim_end().to_owned(), addresses.trim_end().to_owned()));
            names = "    ".to_owned();
            addresses = "──▶ ".to_owned();
        } else {
            addresses.push_str(arrow);
            pad(&mut names, addresses.width());
        }
        names.push_str(name);
        addresses.push_str(address);
        let width = names.width().max(addresses.width());
        pad(&mut names, width);
        pad(&mut addresses, width);
    }
    rows.push((names.trim_end().to_owned(), addresses.trim_end().to_owned()));
    rows
}

fn pad(text: &mut String, width: usize) {
    let missing = width.saturating_sub(text.width());
    text.extend(std::iter::repeat_n(' ', missing));
}
