//! Captures with holes, with clocks that step, and with another capture among their frames: findings may become fewer or only likely, and never
//! wrong. What carries the packets changes none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use support::analyze::{report_of, report_of_host};
use support::held::{Kept, frames, merged, new_beside, new_failures, on_every_sample, report_on};
use support::samples::{self, Sample};
use turnscope::analyzer::{Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::frame::LinkType;
use turnscope::report::{Report, Severity};

const SECOND: i64 = 1_000_000_000;

/// The frames with other addresses of the same networks in their IPv4 headers; what stands inside stays.
fn moved(frames: &[Kept]) -> Vec<Kept> {
    let shift = |kept: &Kept| {
        let mut kept = kept.clone();
        if kept.link == LinkType(1) && kept.bytes.len() > 34 && kept.bytes[12..14] == [8, 0] {
            // the packet's own addresses, and those of the packet that an ICMP error quotes
            let quotes = kept.bytes[23] == 1 && matches!(kept.bytes[34], 3 | 11);
            for at in [29, 33].into_iter().chain([57, 61].into_iter().filter(|_| quotes)) {
                if let Some(byte) = kept.bytes.get_mut(at) {
                    *byte ^= 0x20;
                }
            }
        }
        kept
    };
    frames.iter().map(shift).collect()
}

#[test]
fn another_capture_among_the_frames_adds_no_failure_of_its_own() {
    let all = samples::all();
    on_every_sample(|sample, complaints| {
        let place = all.iter().position(|known| known.name == sample.name).unwrap();
        let own = frames(sample);
        let alone = sample.report();
        for step in [1, 17, 53] {
            let other = &all[(place + step) % all.len()];
            let theirs = frames(other);
            for (how, theirs) in [("as it is", theirs.clone()), ("moved", moved(&theirs))] {
                let same_time = merged(&own[..1], &theirs, 0)[1..].to_vec();
                let by_itself = report_on(&same_time, &[other]);
                for after in [0, SECOND / 7] {
                    let both = report_on(&merged(&own, &theirs, after), &[sample, other]);
                    let new = new_beside(&[&alone, &other.report(), &by_itself], &both);
                    complaints.extend(new.into_iter().map(|new| format!("with {} {how}: {new}", other.name)));
                }
            }
        }
    });
}

/// The frames as each of six components of a host's network stack shows them, some of which do not see the link layer.
fn by_each_component(frames: &[Kept]) -> Vec<Kept> {
    let shown = |kept: &Kept, component: i64| {
        let has_head = kept.link == LinkType(1) && matches!(kept.bytes.get(12..14), Some([8, 0] | [0x86, 0xdd]));
        let bare = if has_head && component > 3 { 14 } else { 0 };
        let link = if bare > 0 { LinkType(101) } else { kept.link };
        let ns = kept.ns + component * 3_000;
        Kept { ns, bytes: kept.bytes[bare..].to_vec(), link, wire: kept.wire - bare as u32 }
    };
    let mut all: Vec<Kept> = frames.iter().flat_map(|kept| (0..6).map(|component| shown(kept, component))).collect();
    all.sort_by_key(|kept| kept.ns);
    all
}

/// A packet of IPv4 with this protocol and content, between two hosts of no sample.
fn packet(protocol: u8, content: &[u8]) -> Vec<u8> {
    let length = (20 + content.len() as u16).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 7, 0, 0, 64, protocol, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2];
    [&head[..], content].concat()
}

/// A datagram of UDP to this port.
fn datagram(port: u16, content: &[u8]) -> Vec<u8> {
    let length = (8 + content.len() as u16).to_be_bytes();
    packet(17, &[&[0xc3, 0x4f], &port.to_be_bytes()[..], &length, &[0, 0], content].concat())
}

/// A packet of UDP over IPv4 in fragments of so many bytes, the last one first; any other as it is.
fn in_fragments(ip: &[u8], size: usize) -> Vec<Vec<u8>> {
    let whole = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    if ip[0] != 0x45 || ip[9] != 17 || ip[6] & 0x3f != 0 || ip[7] != 0 || ip[4..6] == [0, 0] || whole > ip.len() {
        return vec![ip.to_vec()];
    }
    let parts = ip[20..whole].chunks(size).enumerate().map(|(place, part)| {
        let mut out = [&ip[..20], part].concat();
        out[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        let more = if 20 + place * size + part.len() < whole { 0x2000 } else { 0 };
        out[6..8].copy_from_slice(&((place * size / 8) as u16 | more).to_be_bytes());
        out
    });
    parts.rev().collect()
}

/// Makes a frame of an IP packet.
type Wrap<'w> = dyn Fn(&[u8]) -> Vec<u8> + Sync + 'w;

#[test]
fn links_tunnels_and_fragments_change_nothing_that_is_found() {
    let kind = |ip: &[u8]| if ip[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
    let ethernet = |ip: &[u8]| [&[2; 12], &kind(ip)[..], ip].concat();
    let linux = |ip: &[u8]| [&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0], &kind(ip)[..], ip].concat();
    let linux2 = |ip: &[u8]| [&kind(ip)[..], &[0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0], ip].concat();
    let vlan = |ip: &[u8]| [&[2; 12], &[0x81, 0, 0, 100][..], &kind(ip), ip].concat();
    let gre = |ip: &[u8]| packet(47, &[&[0, 0], &kind(ip)[..], ip].concat());
    let vxlan = |ip: &[u8]| datagram(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], ethernet(ip).as_slice()].concat());
    let gtp = |ip: &[u8]| datagram(2152, &[&[0x30, 0xff, 0, 0, 0, 0, 0, 9], ip].concat());
    let ways: [(&str, u16, &Wrap<'_>); 7] = [
        ("raw IP", 101, &|ip| ip.to_vec()),
        ("Linux cooked", 113, &linux),
        ("Linux cooked 2", 276, &linux2),
        ("VLAN", 1, &vlan),
        ("GRE", 101, &gre),
        ("VXLAN", 101, &vxlan),
        ("GTP-U", 101, &gtp),
    ];
    on_every_sample(|sample, complaints| {
        let all = frames(sample);
        let is_plain = |kept: &&Kept| kept.link == LinkType(1) && kept.bytes.len() == kept.wire as usize;
        let packets: Vec<(i64, &[u8])> = all
            .iter()
            .filter(is_plain)
            .filter(|kept| matches!(kept.bytes.get(12..14), Some([8, 0] | [0x86, 0xdd])))
            .map(|kept| (kept.ns, &kept.bytes[14..]))
            .collect();
        let kept = |ns, link, bytes: Vec<u8>| Kept { ns, wire: bytes.len() as u32, bytes, link: LinkType(link) };
        let plain: Vec<Kept> = packets.iter().map(|(ns, ip)| kept(*ns, 1, ethernet(ip))).collect();
        let found = |frames: &[Kept]| {
            let report = report_on(frames, &[sample]);
            (report.verdict, report.headline.clone(), wrongs(&report))
        };
        let whole = found(&plain);
        for (what, link, wrap) in ways {
            let wrapped: Vec<Kept> = packets.iter().map(|(ns, ip)| kept(*ns, link, wrap(ip))).collect();
            if found(&wrapped) != whole {
                complaints.push(format!("{what}: {:?}, not {whole:?}", found(&wrapped)));
            }
        }
        // frames have other numbers then
        let cut: Vec<Kept> = packets
            .iter()
            .flat_map(|(ns, ip)| in_fragments(ip, 64).into_iter().map(|part| kept(*ns, 101, part)))
            .collect();
        let ids = |found: &[(String, Severity, String)]| -> Vec<(String, Severity)> {
            found.iter().map(|(id, severity, _)| (id.clone(), *severity)).collect()
        };
        if ids(&found(&cut).2) != ids(&whole.2) {
            complaints.push(format!("in fragments: {:?}, not {:?}", ids(&found(&cut).2), ids(&whole.2)));
        }
    });
}

/// What a report says is wrong, but for the numbers of frames.
fn wrongs(report: &Report) -> Vec<(String, Severity, String)> {
    let wrong = report.findings.iter().filter(|finding| finding.severity != Severity::Note);
    let told = |title: &str| title.split("first in frame").next().unwrap().to_owned();
    wrong.map(|finding| (finding.id.clone(), finding.severity, told(&finding.title))).collect()
}

#[test]
fn packets_that_each_component_of_a_network_stack_shows_again_change_nothing_that_is_told_to_be_wrong() {
    on_every_sample(|sample, complaints| {
        let all = frames(sample);
        let (once, often) = (report_on(&all, &[sample]), report_on(&by_each_component(&all), &[sample]));
        if (once.verdict, wrongs(&once)) != (often.verdict, wrongs(&often)) {
            complaints.push(format!("{:?} {:?}", often.verdict, wrongs(&often)));
        }
    });
}

#[test]
fn frames_that_are_missing_here_and_there_show_no_failure_that_all_of_them_do_not() {
    on_every_sample(|sample, complaints| {
        let all = frames(sample);
        let whole = sample.report();
        let kept = |keep: &dyn Fn(usize) -> bool| -> Vec<Kept> {
            all.iter().enumerate().filter(|(place, _)| keep(*place)).map(|(_, kept)| kept.clone()).collect()
        };
        let third = |place: usize| (place.wrapping_mul(0x9e37_79b9) >> 7) % 3;
        for (what, part) in [
            ("the odd frames", kept(&|place| place % 2 == 0)),
            ("the even frames", kept(&|place| place % 2 == 1)),
            ("two of three", kept(&|place| third(place) != 0)),
            ("one of three", kept(&|place| third(place) == 1)),
            ("all but one of seven", kept(&|place| place % 7 != 3)),
        ] {
            let report = report_on(&part, &[sample]);
            let new = new_failures(&whole, &report);
            complaints.extend(new.into_iter().map(|new| format!("{what}: {new}")));
        }
    });
}

#[test]
fn a_clock_that_steps_shows_no_failure_that_a_steady_one_does_not() {
    on_every_sample(|sample, complaints| {
        let all = frames(sample);
        let whole = sample.report();
        for part in [1, 2, 3] {
            let from = all.len() * part / 4;
            for (what, by) in [
                ("an hour on", 3600),
                ("five minutes on", 300),
                ("half a minute on", 30),
                ("five seconds on", 5),
                ("an hour back", -3600),
                ("five minutes back", -300),
                ("five seconds back", -5),
            ] {
                let stepped: Vec<Kept> = all
                    .iter()
                    .enumerate()
                    .map(|(place, kept)| {
                        let ns = if place >= from { kept.ns + by * SECOND } else { kept.ns };
                        Kept { ns, ..kept.clone() }
                    })
                    .collect();
                let report = report_on(&stepped, &[sample]);
                let new = new_failures(&whole, &report);
                complaints.extend(new.into_iter().map(|new| format!("{what} from frame {}: {new}", from + 1)));
            }
        }
    });
}

#[test]
fn what_is_sent_from_or_to_one_host_shows_no_failure_that_all_of_it_does_not() {
    on_every_sample(|sample, complaints| {
        // what the others say is what tells this silence: the server answers, from an address that is not asked for
        if sample.name == "answer-from-elsewhere" {
            return;
        }
        let whole = report_of(&sample.bytes, Options::default());
        let servers = whole.servers.iter().map(|server| server.address.0.ip());
        let clients = whole.allocations.iter().map(|known| known.client.0.ip());
        let agents = whole.ice.iter().flat_map(|session| &session.agents);
        let agents = agents.filter_map(|agent| Some(agent.host?.0.ip()));
        for host in servers.chain(clients).chain(agents).collect::<BTreeSet<_>>() {
            let part = report_of_host(&sample.bytes, host);
            complaints.extend(new_failures(&whole, &part).into_iter().map(|new| format!("--host {host}: {new}")));
        }
    });
}

/// The frames with each answer before its request, as interfaces that were merged, or the queues of a card, may have them: by so much, and
/// whether its time says so, too.
fn answers_first(sample: &Sample, early: i64, dated: bool) -> Vec<Kept> {
    let all = frames(sample);
    let mut capture = Capture::open(&sample.bytes[..]).unwrap();
    let mut analyzer = Analyzer::new(Options::default());
    let mut asked = BTreeMap::new();
    while let Some(frame) = capture.next_frame() {
        analyzer.frame(&frame, &mut |row| {
            if let Some(request) = row.request_frame {
                asked.insert(row.event.frame, request);
            }
        });
    }
    let moved = |(number, kept): (u64, &Kept)| match asked.get(&number) {
        Some(&request) => {
            let before = all[request as usize - 1].ns - early;
            (before, Kept { ns: if dated { before } else { kept.ns }, ..kept.clone() })
        }
        None => (kept.ns, kept.clone()),
    };
    let mut out: Vec<(i64, Kept)> = (1..).zip(&all).map(moved).collect();
    out.sort_by_key(|(place, _)| *place);
    out.into_iter().map(|(_, kept)| kept).collect()
}

#[test]
fn answers_that_stand_before_their_requests_are_their_answers() {
    on_every_sample(|sample, complaints| {
        // this client asks again with the id that was answered: only the order tells which of the two an answer is for
        if sample.name == "libdatachannel-wrong-password" {
            return;
        }
        let whole = report_on(&frames(sample), &[sample]);
        for (early, dated) in [(1_000, false), (1_000, true), (2_000_000, true)] {
            let other = report_on(&answers_first(sample, early, dated), &[sample]);
            let found = |report: &Report| -> BTreeSet<String> {
                report.findings.iter().map(|finding| finding.id.clone()).collect()
            };
            if found(&whole) != found(&other) {
                complaints.push(format!("{early} ns, dated {dated}: {:?}, not {:?}", found(&other), found(&whole)));
            }
        }
    });
}

#[test]
fn in_a_capture_that_starts_within_a_call_the_turn_server_is_never_taken_for_the_peer_behind_it() {
    on_every_sample(|sample, complaints| {
        let all = frames(sample);
        let owners = |report: &Report| -> BTreeSet<String> {
            report.candidates.iter().map(|candidate| candidate.owner.clone()).collect()
        };
        let whole = owners(&sample.report());
        for part in [3, 5, 6, 8] {
            let report = report_on(&all[all.len() * part / 10..], &[sample]);
            let servers: BTreeSet<String> = report.servers.iter().map(|server| server.address.to_string()).collect();
            let agents = report.ice.iter().flat_map(|session| &session.agents);
            let wrong = agents.filter_map(|agent| agent.host).filter(|host| servers.contains(&host.to_string()));
            complaints.extend(wrong.map(|host| format!("from {part}0 % on: an agent at {host}")));
            let relayed = report.findings.iter().filter(|finding| finding.id == "ice-relay-used");
            let told = relayed.map(|finding| finding.title.clone()).chain([report.headline.clone()]);
            let names = |told: &String| {
                servers
                    .iter()
                    .any(|server| told.contains(&format!("talks to {server}")) || told.contains(&format!("– {server}")))
            };
            complaints.extend(told.filter(names).map(|told| format!("from {part}0 % on: {told}")));
            let servers: BTreeSet<String> =
                report.servers.iter().map(|server| server.address.0.ip().to_string()).collect();
            let new = owners(&report).into_iter().filter(|owner| servers.contains(owner) && !whole.contains(owner));
            complaints.extend(new.map(|owner| format!("from {part}0 % on: a candidate of {owner}")));
        }
    });
}
