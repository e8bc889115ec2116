//! The ladders of `turnscope flow`: those of some samples to the letter, and of all captures what must hold of any.
//!
//! `TURNSCOPE_BLESS=1 cargo test --test flow` writes the drawings of the samples again; look at the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::path::Path;
use support::analyze::ladder;
use support::{IceSide, Icmp, Login, Scene, Stun, alice, payload, samples};
use turnscope::render::clock::Clock;
use turnscope::render::ladder::{Choice, mermaid, svg, text};
use turnscope::render::text::{Detail, Options};
use turnscope::report::Report;
use turnscope::report::ladder::{Ladder, Mark, Outcome, Participant, Role, Session, Step};
use unicode_width::UnicodeWidthStr;

const CLIENT: &str = "10.0.0.2:50000";
const SERVER: &str = "192.0.2.1:3478";
const RELAYED: &str = "192.0.2.1:60000";
const PEER: &str = "198.51.100.7:40000";

/// As `flow` draws where nothing else is asked for, in so many columns.
fn options(report: &Report, width: usize) -> Options {
    let start = report.captures.iter().filter_map(|capture| capture.first_time).map(|time| time.at).min();
    Options { width, colour: false, clock: Clock::Relative(start.unwrap_or_default()), detail: Detail::Normal }
}

fn drawn(scene: &Scene) -> (Ladder, Report, String) {
    let (ladder, report) = ladder("test.pcap", &scene.pcap(), "");
    let drawing = text(&ladder, &report, Choice::Telling, &options(&report, 100));
    (ladder, report, drawing)
}

fn labels(session: &Session) -> Vec<&str> {
    session.steps.iter().map(|step| step.label.as_str()).collect()
}

fn login() -> Login {
    alice()
}

#[test]
fn the_samples_ladders_are_those_that_their_folders_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bless = std::env::var_os("TURNSCOPE_BLESS").is_some();
    let in_text = ["expressway-431", "chromium-relay-call", "home-nat", "nat-both-sides", "no-answer"];
    let mut seen = 0;
    for sample in samples::all().iter().filter(|sample| in_text.contains(&sample.name.as_str())) {
        seen += 1;
        let (ladder, report) = ladder(&sample.path, &sample.bytes, &sample.credentials);
        let options = options(&report, 80);
        let mut drawings = vec![("flow.txt", text(&ladder, &report, Choice::Telling, &options))];
        if sample.name == "chromium-relay-call" {
            drawings.push(("flow.svg", svg(&ladder, &report, Choice::Telling, &options)));
            drawings.push(("flow.mmd", mermaid(&ladder, Choice::Telling, &options)));
        }
        for (name, actual) in drawings {
            let path = root.join("samples").join(&sample.name).join(name);
            if bless {
                fs::write(&path, &actual).unwrap();
            }
            let kept = fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == actual, "samples/{}/{name} differs; it would be\n{actual}", sample.name);
        }
    }
    assert_eq!(seen, in_text.len());
}

#[test]
fn every_samples_drawings_are_sound() {
    for sample in samples::all() {
        let (ladder, report) = ladder(&sample.path, &sample.bytes, &sample.credentials);
        for number in 0..=ladder.sessions.len().min(3) {
            let choice = if number == 0 { Choice::Telling } else { Choice::Session(number) };
            sound(&sample.name, &ladder, &report, choice);
        }
    }
}

/// What holds of every drawing.
fn sound(name: &str, ladder: &Ladder, report: &Report, choice: Choice) {
    for width in [40, 80, 140] {
        for line in text(ladder, report, choice, &options(report, width)).lines() {
            assert!(line.width() <= width, "{name}: {} columns of {width}: {line}", line.width());
        }
    }
    let options = options(report, 80);
    let picture = svg(ladder, report, choice, &options);
    let document = roxmltree::Document::parse(&picture).unwrap_or_else(|error| panic!("{name}: {error}\n{picture}"));
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let tag = node.tag_name().name();
        let known = ["svg", "title", "style", "g", "text", "tspan", "rect", "line", "path", "circle"];
        assert!(known.contains(&tag), "{name}: element {tag}");
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on") && attribute.name() != "href", "{name}: {attribute:?}");
        }
    }
    assert!(!picture.contains("url(") && !picture.contains("@import"), "{name}: nothing from elsewhere");
    is_mermaid(name, &mermaid(ladder, choice, &options));
}

/// Whether each line is a statement by Mermaid's grammar of sequence diagrams, of the few kinds that are used.
fn is_mermaid(name: &str, diagram: &str) {
    let mut lines = diagram.lines();
    assert_eq!(lines.next(), Some("sequenceDiagram"), "{name}");
    let mut known: Vec<&str> = Vec::new();
    for line in lines {
        let line = line.strip_prefix("    ").unwrap_or_else(|| panic!("{name}: {line}"));
        if let Some(comment) = line.strip_prefix("%% ") {
            is_plain_text(name, comment);
        } else if let Some(participant) = line.strip_prefix("participant ") {
            let (id, alias) = participant.split_once(" as ").unwrap();
            known.push(id);
            is_plain_text(name, alias);
        } else {
            let (head, text) = line.split_once(": ").unwrap_or_else(|| panic!("{name}: {line}"));
            is_plain_text(name, text);
            let ids: Vec<&str> = match (head.strip_prefix("Note over "), head.strip_prefix("Note right of ")) {
                (Some(over), _) => over.split(',').collect(),
                (_, Some(of)) => vec![of],
                _ => {
                    let arrow = ["-->>", "->>", "--x", "-x"].into_iter().find(|arrow| head.contains(arrow));
                    let (from, to) = head.split_once(arrow.unwrap_or_else(|| panic!("{name}: {line}"))).unwrap();
                    vec![from, to]
                }
            };
            assert!(ids.iter().all(|id| known.contains(id)), "{name}: {line}");
        }
    }
}

/// Text that ends no statement, begins no comment or directive, and is no markup: such signs are numeric entities.
fn is_plain_text(name: &str, text: &str) {
    assert!(!text.trim().is_empty(), "{name}: a statement without text");
    let mut rest = text;
    while let Some(at) = rest.find('#') {
        let (number, after) = rest[at + 1..].split_once(';').unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(number.bytes().all(|digit| digit.is_ascii_digit()), "{name}: {text}");
        assert!(!rest[..at].contains(';'), "{name}: {text}");
        rest = after;
    }
    assert!(!rest.contains([';', '%', '<', '>', '{', '}', '"', '`']), "{name}: {text}");
}

#[test]
fn what_a_relay_carries_goes_on_from_the_relay_to_the_peer() {
    let (mut scene, login) = (Scene::new(), login());
    scene.allocation(CLIENT, SERVER, &login, "nonce-1", RELAYED);
    let bound = scene.after_ms(10).channel_bind(CLIENT, SERVER, &login, "nonce-1", (0x4000, PEER));
    scene.after_ms(10).granted(&bound, None, &login);
    for sequence in 0..50 {
        scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, payload::rtp(111, sequence, 0, 7, 100));
    }
    let (ladder, _, drawing) = drawn(&scene);
    let session = &ladder.sessions[0];
    let roles: Vec<Role> = session.participants.iter().map(Participant::role).collect();
    assert_eq!(roles, [Role::Client, Role::Server, Role::Relay, Role::Peer]);
    let media = session.steps.last().unwrap();
    assert_eq!((media.label.as_str(), media.count), ("RTP", 50));
    assert_eq!(session.participants[media.to].to_string(), format!("peer {PEER}"));
    assert_eq!(session.participants[media.through.unwrap().relay.unwrap()].to_string(), format!("relay {RELAYED}"));
    assert_eq!(session.outcome, Outcome::OneWay);
    assert!(drawing.contains("RTP ×50 · 980.0 ms"), "{drawing}");
    sound("relayed media", &ladder, &drawn(&scene).1, Choice::Telling);
}

#[test]
fn retransmissions_are_one_arrow_and_say_that_no_answer_was_seen() {
    let mut scene = Scene::new();
    let answered = scene.binding(CLIENT, "192.0.2.9:3478", "203.0.113.5:1000").last_frame();
    let message = support::Stun::request(support::method::ALLOCATE).requested_transport(17);
    scene.after_ms(100).send_repeatedly(CLIENT, SERVER, message, 5);
    scene.later(10).binding(CLIENT, "192.0.2.9:3478", "203.0.113.5:1000");
    let (ladder, ..) = drawn(&scene);
    let step = ladder.sessions[0].steps.iter().find(|step| step.label == "Allocate request").unwrap();
    assert_eq!((step.count, step.originals, step.mark), (5, 1, Mark::Lost));
    assert_eq!(step.remark, "no answer seen");
    assert_eq!(step.frames.len(), 5);
    assert!(answered < step.frames[0]);
}

#[test]
fn a_challenge_is_no_error_and_a_refusal_is() {
    let (mut scene, login) = (Scene::new(), login());
    scene.wrong_password(CLIENT, SERVER, &login, "nonce-1");
    let (ladder, report, drawing) = drawn(&scene);
    let session = &ladder.sessions[0];
    let marks: Vec<Mark> = session.steps.iter().map(|step| step.mark).collect();
    assert_eq!(marks.iter().filter(|mark| **mark == Mark::Error).count(), 1, "{drawing}");
    assert_eq!(session.steps.last().unwrap().mark, Mark::Error);
    assert!(marks.contains(&Mark::Note), "the challenge");
    assert_eq!(session.outcome, Outcome::Refused);
    assert!(session.citations[0].is_headline && report.headline_finding == Some(session.citations[0].id.clone()));
    assert_eq!(session.steps.last().unwrap().cited, [0], "the finding rests on it");
    assert!(drawing.contains("✗ 401 Unauthorized [1]"), "{drawing}");
}

#[test]
fn an_icmp_error_stands_at_the_request_that_it_answered() {
    let mut scene = Scene::new();
    let asked = scene.allocate(CLIENT, SERVER);
    scene.after_ms(5).icmp("192.0.2.254", Icmp::PortUnreachable, &asked);
    let (ladder, ..) = drawn(&scene);
    let step = &ladder.sessions[0].steps[0];
    assert_eq!(step.mark, Mark::Error);
    assert!(step.remark.starts_with("ICMP port unreachable from 192.0.2.254 (frame 2"), "{}", step.remark);
}

#[test]
fn direct_checks_go_between_client_and_peer() {
    let mut scene = Scene::new();
    scene.binding(CLIENT, SERVER, "203.0.113.5:1000");
    scene.direct_call(CLIENT, PEER, 20);
    let (ladder, ..) = drawn(&scene);
    assert_eq!(ladder.sessions.len(), 1);
    let session = &ladder.sessions[0];
    let check = session.steps.iter().find(|step| step.label.starts_with("Binding check")).unwrap();
    let ends = [check.from, check.to].map(|index| session.participants[index].role());
    assert!(
        ends.contains(&Role::Client) && ends.contains(&Role::Peer) && check.through.is_none(),
        "{:?}",
        labels(session)
    );
    assert!(session.participants.contains(&Participant::Nat("203.0.113.5".parse().unwrap())));
}

#[test]
fn clients_are_sessions_of_their_own_and_so_is_one_that_comes_back_much_later() {
    let (mut scene, login) = (Scene::new(), login());
    scene.allocation(CLIENT, SERVER, &login, "nonce-1", RELAYED);
    scene.allocation("10.0.0.3:50000", SERVER, &login, "nonce-2", "192.0.2.1:60002");
    scene.later(3600).allocation("10.0.0.2:50077", SERVER, &login, "nonce-3", "192.0.2.1:60004");
    let (ladder, report, drawing) = drawn(&scene);
    let clients: Vec<String> = ladder.sessions.iter().map(|session| session.participants[0].address()).collect();
    assert_eq!(clients, ["10.0.0.2", "10.0.0.3", "10.0.0.2"]);
    assert!(drawing.starts_with("3 sessions\n"), "{drawing}");
    let second = text(&ladder, &report, Choice::Session(2), &options(&report, 100));
    assert!(second.contains("client 10.0.0.3") && !second.contains("client 10.0.0.2"), "{second}");
}

#[test]
fn two_users_behind_one_address_at_the_same_time_are_two_sessions() {
    let mut scene = Scene::new();
    let (alice, bob) = (login(), Login::new("bob", "example.org", "secret"));
    let one = scene.allocate_as(CLIENT, SERVER, &alice, "nonce-1");
    let other = scene.after_ms(1).allocate_as("10.0.0.2:50001", SERVER, &bob, "nonce-2");
    scene.after_ms(20).allocate_granted(&one, RELAYED, 600, &alice);
    scene.after_ms(1).allocate_granted(&other, "192.0.2.1:60002", 600, &bob);
    let (ladder, ..) = drawn(&scene);
    let users: Vec<&[String]> = ladder.sessions.iter().map(|session| session.users.as_slice()).collect();
    assert_eq!(users, [["alice"], ["bob"]]);
}

#[test]
fn names_of_the_capture_are_text_in_every_form_and_nothing_else() {
    for name in [
        "</text><script>alert(1)</script>",
        "a\"b'c&d<e>]]>",
        "x; participant y#35;\nend %%{init: {\"theme\":\"dark\"}}%%",
        "\u{1b}[2J\u{202e}\u{0}\u{fffe}\u{ffff}",
        "%% gone",
        "$$x$$ `y` <br/> &lt;",
    ] {
        let login = Login::new(name, name, "secret");
        let mut scene = Scene::new();
        let asked = scene.allocate(CLIENT, SERVER);
        scene.after_ms(5).challenge(&asked, 401, name, name, "nonce");
        let asked = scene.after_ms(5).allocate_as(CLIENT, SERVER, &login, "nonce");
        scene.after_ms(5).refuse(&asked, 441, name);
        let (ladder, report, drawing) = drawn(&scene);
        sound(name, &ladder, &report, Choice::Telling);
        assert!(!drawing.contains(['\u{1b}', '\u{202e}', '\0']), "{drawing:?}");
        let picture = svg(&ladder, &report, Choice::Telling, &options(&report, 80));
        let document = roxmltree::Document::parse(&picture).unwrap();
        let told = document.descendants().filter_map(|node| node.text()).any(|text| text.contains("441 "));
        assert!(told, "{picture}");
        assert_eq!(ladder.sessions[0].users, [String::from_utf8_lossy(name.as_bytes())]);
    }
}

/// Thousands of messages that differ and do not fold.
fn long_call(messages: u16) -> Scene {
    let (mut scene, login) = (Scene::new(), login());
    scene.allocation(CLIENT, SERVER, &login, "nonce-1", RELAYED);
    for number in 0..messages / 2 {
        let peer = format!("198.51.{}.{}:40000", number / 250, 1 + number % 250);
        let asked = scene.after_ms(50).create_permission(CLIENT, SERVER, &login, "nonce-1", peer.as_str());
        if number % 100 == 99 {
            scene.after_ms(5).refuse(&asked, 403, "Forbidden");
        } else {
            scene.after_ms(5).granted(&asked, None, &login);
        }
    }
    scene
}

#[test]
fn ten_thousand_messages_of_one_client_are_a_page_with_head_tail_and_what_matters() {
    let scene = long_call(10_000);
    let (ladder, report, drawing) = drawn(&scene);
    let session = &ladder.sessions[0];
    assert!(session.messages >= 10_000 && session.steps.len() <= 400, "{} steps", session.steps.len());
    let counted: u64 = session.steps.iter().map(|step| step.count).sum();
    assert_eq!(counted, session.messages, "what is not drawn is counted");
    let lines = drawing.lines().count();
    assert!((40..260).contains(&lines), "{lines} lines");
    assert!(drawing.contains("Allocate request") && drawing.contains("✗ 403 Forbidden"), "{drawing}");
    assert!(drawing.contains(" messages"), "{drawing}");
    sound("a long call", &ladder, &report, Choice::Telling);
}

#[test]
fn thousands_of_clients_are_a_list_and_the_one_that_matters() {
    let (mut scene, login) = (Scene::new(), login());
    for number in 0..2_500_u32 {
        let client = format!("10.{}.{}.2:50000", number / 250, number % 250);
        if number == 1_234 {
            scene.wrong_password(&client, SERVER, &login, "nonce-1");
        } else {
            scene.after_ms(3).binding(&client, SERVER, &client);
        }
    }
    let (ladder, report, drawing) = drawn(&scene);
    assert_eq!(ladder.sessions.len(), 2_500);
    assert_eq!(ladder.chosen, Some(1_234), "{drawing}");
    assert!(drawing.lines().count() < 80 && drawing.contains("more; --verbose"), "{drawing}");
    assert!(drawing.contains("Session 1235 of 2500"), "{drawing}");
    sound("many clients", &ladder, &report, Choice::Telling);
}

#[test]
fn more_flows_than_there_is_room_for_are_counted() {
    let mut scene = Scene::new();
    for number in 0..4_200_u32 {
        let client = format!("10.{}.{}.2:50000", number / 250, number % 250);
        scene.after_us(200).allocate(client.as_str(), SERVER);
    }
    let (ladder, _, drawing) = drawn(&scene);
    assert_eq!((ladder.sessions.len(), ladder.omitted), (4_096, 104));
    assert!(drawing.contains("104 messages on further flows"), "{drawing}");
}

#[test]
fn consent_checks_are_one_arrow_each_way() {
    let (one, other) =
        (IceSide::new("aaaa", "password-of-one-side-22", 1), IceSide::new("bbbb", "password-of-other-side2", 2));
    let mut scene = Scene::new();
    for _ in 0..40 {
        let check = scene.after_ms(5_000).ice_check(CLIENT, PEER, (&one, &other), true, |check| check);
        scene.after_ms(30).ice_answer(&check, &other);
    }
    let (ladder, _, drawing) = drawn(&scene);
    let session = &ladder.sessions[0];
    assert_eq!(session.steps.iter().map(|step| step.count).collect::<Vec<_>>(), [40, 40], "{drawing}");
    assert_eq!(session.outcome, Outcome::Checked);
}

#[test]
fn a_capture_without_anything_to_draw_says_so_in_every_form() {
    let mut scene = Scene::new();
    scene.udp("10.0.0.2:5353", "10.0.0.3:53", payload::dns_query(1, "example.org"));
    let (ladder, report, drawing) = drawn(&scene);
    assert!(ladder.sessions.is_empty() && drawing.starts_with("No session"), "{drawing}");
    sound("nothing", &ladder, &report, Choice::Telling);
}

#[test]
fn copies_of_a_mirror_port_are_not_counted() {
    let sample = samples::all().into_iter().find(|sample| sample.name == "span-duplicates").unwrap();
    let (ladder, ..) = ladder(&sample.path, &sample.bytes, &sample.credentials);
    let data: Vec<u64> =
        ladder.sessions[0].steps.iter().filter(|step| step.label == "data").map(|step| step.count).collect();
    assert_eq!(data, [3, 3]);
}

#[test]
fn a_finding_of_several_clients_names_only_the_one_that_it_is_worded_after() {
    let mut scene = Scene::new();
    scene.wrong_password(CLIENT, SERVER, &login(), "nonce-1");
    let bob = Login::new("bob", "example.org", "secret");
    scene.after_ms(500).wrong_password("10.0.0.3:50000", SERVER, &bob, "nonce-2");
    let (ladder, report, drawing) = drawn(&scene);
    assert_eq!(ladder.chosen, Some(0));
    assert!(report.headline.contains("alice"), "{}", report.headline);
    let [one, other] = [0, 1].map(|index| &ladder.sessions[index].citations[0]);
    assert!(one.is_headline && one.title.contains("alice"), "{drawing}");
    assert!(!other.is_headline, "{drawing}");
    // either a finding of its own, or said to be worded after another client
    assert!(other.title.contains("bob") || other.title.starts_with("as elsewhere: "), "{drawing}");
}

#[test]
fn an_answer_from_elsewhere_goes_from_there_to_the_client_that_asked() {
    let elsewhere = "203.0.113.1:31478";
    let mut scene = Scene::new();
    for _ in 0..3 {
        let asked = scene.after_ms(500).allocate(CLIENT, SERVER);
        let answer = Stun::error_to(&asked.payload, 401, "Unauthorized").realm("example.org").nonce("nonce-1");
        scene.after_ms(20).send(elsewhere, CLIENT, answer);
    }
    let (ladder, _, drawing) = drawn(&scene);
    let [session] = ladder.sessions.as_slice() else { panic!("{drawing}") };
    let clients = session.participants.iter().filter(|one| matches!(one, Participant::Client(_))).count();
    assert_eq!(clients, 1, "{drawing}");
    let answer = session.steps.iter().find(|step| step.label.starts_with("401")).unwrap();
    assert!(
        matches!(session.participants[answer.to], Participant::Client(ip) if ip.to_string() == "10.0.0.2"),
        "{drawing}"
    );
    assert_ne!(answer.from, answer.to, "{drawing}");
}

#[test]
fn what_goes_through_an_allocation_that_moved_is_drawn_to_its_peer_as_before() {
    let sample = samples::all().into_iter().find(|sample| sample.name == "mobility").unwrap();
    let (ladder, report) = ladder(&sample.path, &sample.bytes, &sample.credentials);
    let drawing = text(&ladder, &report, Choice::Telling, &options(&report, 120));
    let moves = |step: &&Step| step.label.contains("moves the allocation of 172.16.84.124:59890 here");
    assert_eq!(ladder.sessions[0].steps.iter().filter(moves).count(), 1, "{drawing}");
    let relayed = ladder.sessions[0].steps.iter().filter(|step| step.label == "data" && step.through.is_some());
    assert_eq!(relayed.count(), 4, "two ways before and two after: {drawing}");
}

#[test]
fn what_goes_on_at_a_relayed_address_is_drawn_for_the_client_that_has_it_then() {
    const RELAYED: &str = "203.0.113.1:24000";
    let mut scene = Scene::new();
    let user = Login::new("alice", "example.org", "password");
    let (own, other) =
        (IceSide::new("peer", "password-of-the-peer-0123", 1), IceSide::new("turn", "password-of-one-0123456", 2));
    for (client, peer) in [("10.0.0.2:50000", "198.51.100.7:4000"), ("10.0.0.3:50000", "198.51.100.8:4000")] {
        scene.after_ms(100).allocation(client, "203.0.113.1:3478", &user, "nonce-1", RELAYED);
        for _ in 0..3 {
            let check = scene.after_ms(20).ice_check(peer, RELAYED, (&own, &other), true, |check| check);
            scene.after_ms(1).ice_answer(&check, &other);
        }
        scene.after_ms(100).hang_up(client, "203.0.113.1:3478", &user, "nonce-1");
        scene.after_ms(1000);
    }
    let (ladder, _, drawing) = drawn(&scene);
    let [first, second] = ladder.sessions.as_slice() else { panic!("{drawing}") };
    for (session, own) in [(first, "198.51.100.7:4000"), (second, "198.51.100.8:4000")] {
        let peers = session.participants.iter().filter(|one| one.role() == Role::Peer);
        let peers: Vec<String> = peers.map(Participant::address).collect();
        assert_eq!(peers, [own], "{drawing}");
    }
}
