//! The deployment as it should be, statement by statement, against captures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::analyze::{assert_says, finding, ids, report_beside};
use support::*;
use turnscope::report::{Confidence, Report, Severity, Stated, StatedSeen, Verdict};
use turnscope::session::deployment::Deployment;

const CLIENT: &str = "172.16.85.180:50000";
const SERVER: &str = "10.88.246.156:3478";
const RELAYED: &str = "10.88.246.156:24000";
const PEER: &str = "198.51.100.7:4000";

/// Each statement on a line of its own.
const DEPLOYMENT: &str = r#"inside = ["172.16.85.0/24"]
[[server]]
name = "Expressway-E"
addresses = ["192.168.245.61"]
external = "10.88.246.156"
listen = ["3478/udp",
"3478/tcp"]
open = ["443/tcp",
"relay"]
relay_ports = "24000-29999"
realm = "turnuser"
users = ["turnuser"]
[[dns]]
name = "cmsweb.octavio.com"
inside = ["172.16.85.180"]
outside = ["10.88.246.156"]
"#;

fn turnuser() -> Login {
    Login::new("turnuser", "turnuser", "secret")
}

fn later(scene: &mut Scene) -> Report {
    scene.later(8);
    report_beside(&scene.pcap(), DEPLOYMENT, &[], None)
}

fn line(report: &Report, line: u64) -> &Stated {
    report.deployment.iter().find(|stated| stated.line == line).expect("a statement")
}

fn seen(report: &Report, number: u64) -> StatedSeen {
    line(report, number).seen
}

fn mismatch(report: &Report) -> &turnscope::report::Finding {
    finding(report, "deployment-mismatch")
}

fn data_both_ways(scene: &mut Scene) {
    let bind = scene.after_ms(20).channel_bind(CLIENT, SERVER, &turnuser(), "nonce", (0x4000, PEER));
    scene.after_ms(10).granted(&bind, None, &turnuser());
    for number in 0..5 {
        let packet = support::payload::rtp(96, number, 0, 1, 100);
        scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, &packet);
        scene.after_ms(20).channel_data(SERVER, CLIENT, 0x4000, &packet);
    }
}

#[test]
fn what_is_as_stated_is_seen_right_with_its_frames() {
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", RELAYED);
    data_both_ways(&mut scene);
    support::tcp::Tcp::open(&mut scene, "172.16.85.180:50001", "10.88.246.156:443");
    scene.resolves("172.16.85.180", "172.16.85.10", "cmsweb.octavio.com", &["172.16.85.180"]);
    scene.resolves("198.51.100.7", "198.51.100.1", "CMSWEB.octavio.com", &["10.88.246.156"]);
    let report = later(&mut scene);
    for right in [5, 6, 8, 9, 10, 11, 12, 14] {
        assert_eq!(seen(&report, right), StatedSeen::Right, "line {right}: {:?}", line(&report, right));
        assert!(!line(&report, right).places.is_empty());
    }
    assert_eq!((seen(&report, 4), seen(&report, 7)), (StatedSeen::NotSeen, StatedSeen::NotSeen));
    assert_eq!(line(&report, 5).expected, "Expressway-E: outside address 10.88.246.156");
    assert!(!ids(&report).contains(&"deployment-mismatch") && report.verdict == Verdict::Healthy);
}

#[test]
fn without_a_deployment_nothing_is_compared() {
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", "192.168.245.61:24000");
    let report = report_beside(&scene.pcap(), "", &[], None);
    assert!(report.deployment.is_empty());
}

#[test]
fn another_outside_address_is_the_cause_of_a_relay_that_cannot_be_reached() {
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", "192.168.245.61:24000");
    let report = later(&mut scene);
    let found = mismatch(&report);
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    assert!(found.title.ends_with("(line 5 of deployment.toml)"), "{}", found.title);
    assert_eq!(found.subject.relayed.unwrap().to_string(), "192.168.245.61:24000");

    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", "192.168.245.61:24000");
    let permission = scene.after_ms(10).create_permission(CLIENT, SERVER, &turnuser(), "nonce", PEER);
    scene.after_ms(10).granted(&permission, None, &turnuser());
    for _ in 0..5 {
        scene.after_ms(500).send_indication(CLIENT, SERVER, PEER, [1; 20]);
    }
    let report = later(&mut scene);
    let (cause, symptom) = (mismatch(&report), finding(&report, "turn-relay-private"));
    assert_eq!(symptom.caused_by.as_deref(), Some(cause.key.as_str()));
    assert_eq!((symptom.severity, symptom.confidence), (Severity::Failure, Confidence::Likely));
    assert_eq!(cause.severity, Severity::Warning, "as grave as what it causes, which is only likely");
    assert_eq!(report.headline_finding.as_deref(), Some("deployment-mismatch"));
    assert_eq!(line(&report, 5).instead.as_deref(), Some("192.168.245.61"));
}

#[test]
fn relay_ports_outside_of_the_range_have_a_finding_of_their_own() {
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", "10.88.246.156:31000");
    let report = later(&mut scene);
    let found = finding(&report, "turn-relay-port-out-of-range");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    assert_eq!(found.subject.server.unwrap().to_string(), SERVER);
    assert_eq!(seen(&report, 10), StatedSeen::Wrong);
    assert!(!ids(&report).contains(&"deployment-mismatch"), "it is told once");
    for edge in ["10.88.246.156:24000", "10.88.246.156:29999"] {
        let mut scene = Scene::new();
        scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", edge);
        assert_eq!(seen(&later(&mut scene), 10), StatedSeen::Right, "{edge}");
    }
}

#[test]
fn a_port_that_refuses_is_the_cause_of_the_client_that_cannot_connect() {
    let mut scene = Scene::new();
    for port in ["50001", "50002"] {
        support::tcp::Tcp::refused(&mut scene, &format!("172.16.85.180:{port}"), SERVER);
    }
    let report = later(&mut scene);
    assert_eq!(seen(&report, 7), StatedSeen::Wrong);
    let (cause, symptom) = (mismatch(&report), finding(&report, "turn-unreachable"));
    assert_eq!(symptom.caused_by.as_deref(), Some(cause.key.as_str()));
    assert_eq!((cause.severity, symptom.severity), (Severity::Failure, Severity::Failure));
    assert!(cause.title.contains("port 3478/tcp of Expressway-E") && cause.title.contains("RST"), "{}", cause.title);
}

#[test]
fn a_port_that_keeps_silent_is_wrong_once_it_was_tried_for_long_enough() {
    let mut scene = Scene::new();
    support::tcp::Tcp::knock(&mut scene, "172.16.85.180:50001", "10.88.246.156:443");
    let report = later(&mut scene);
    assert_eq!(seen(&report, 8), StatedSeen::Wrong);
    assert_eq!(mismatch(&report).severity, Severity::Warning, "nothing of TURN failed by it");

    let mut scene = Scene::new();
    support::tcp::Tcp::running("172.16.85.180:50001", "10.88.246.156:443").syn(&mut scene);
    assert_eq!(seen(&later(&mut scene), 8), StatedSeen::NotSeen, "one SYN is not enough");

    let mut scene = Scene::new();
    let request = Stun::request(method::ALLOCATE).requested_transport(17);
    scene.send_repeatedly(CLIENT, SERVER, request, 7);
    let report = later(&mut scene);
    assert_eq!(seen(&report, 6), StatedSeen::Wrong);
    let symptom = finding(&report, "turn-no-response");
    assert_eq!(symptom.caused_by.as_deref(), Some(mismatch(&report).key.as_str()));
}

#[test]
fn a_port_that_answered_anybody_is_open() {
    let mut scene = Scene::new();
    support::tcp::Tcp::knock(&mut scene, "198.51.100.7:50001", "10.88.246.156:443");
    support::tcp::Tcp::open(&mut scene, "172.16.85.180:50001", "10.88.246.156:443");
    let report = later(&mut scene);
    assert_eq!(seen(&report, 8), StatedSeen::Right);
    assert!(!ids(&report).contains(&"deployment-mismatch"));
}

#[test]
fn another_realm_and_another_user_are_seen_wrong() {
    let mut scene = Scene::new();
    let other = Login::new("bob", "elsewhere", "secret");
    scene.allocation(CLIENT, SERVER, &other, "nonce", RELAYED);
    let report = later(&mut scene);
    assert_eq!((seen(&report, 11), seen(&report, 12)), (StatedSeen::Wrong, StatedSeen::Wrong));
    assert_eq!(line(&report, 11).instead.as_deref(), Some("elsewhere"));
    assert_eq!(line(&report, 12).instead.as_deref(), Some("bob"));
    assert_eq!(report.verdict, Verdict::Warning, "it works all the same");
}

#[test]
fn time_limited_names_of_a_stated_user_are_right() {
    let mut scene = Scene::new();
    let login = Login::new("1767312000:turnuser", "turnuser", "secret");
    scene.allocation(CLIENT, SERVER, &login, "nonce", RELAYED);
    assert_eq!(seen(&later(&mut scene), 12), StatedSeen::Right);
}

#[test]
fn an_unknown_user_that_is_refused_is_explained_by_the_deployment() {
    let mut scene = Scene::new();
    let bob = Login::new("bob", "turnuser", "secret");
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &bob, "nonce");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-2");
    let report = later(&mut scene);
    let symptom = finding(&report, "turn-integrity-rejected");
    assert_eq!(symptom.caused_by.as_deref(), Some(mismatch(&report).key.as_str()));
}

#[test]
fn a_stated_user_that_is_refused_is_not() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &turnuser(), "nonce");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-2");
    let report = later(&mut scene);
    assert_eq!(finding(&report, "turn-integrity-rejected").caused_by, None);
    assert!(!ids(&report).contains(&"deployment-mismatch"));
}

#[test]
fn names_are_compared_by_where_who_asks_is() {
    let asked = |client: &str, resolver: &str, address: &str| {
        let mut scene = Scene::new();
        scene.resolves(client, resolver, "cmsweb.octavio.com", &[address]);
        later(&mut scene)
    };
    let (inside, outside) = (("172.16.85.180", "172.16.85.10"), ("198.51.100.7", "198.51.100.1"));
    assert_eq!(seen(&asked(inside.0, inside.1, "172.16.85.180"), 14), StatedSeen::Right);
    assert_eq!(seen(&asked(outside.0, outside.1, "10.88.246.156"), 14), StatedSeen::Right);
    let report = asked(inside.0, inside.1, "10.88.246.156");
    assert_eq!(seen(&report, 14), StatedSeen::Wrong);
    assert_eq!(line(&report, 14).instead.as_deref(), Some("10.88.246.156 (stated for outside) for 172.16.85.180"));
    assert!(mismatch(&report).title.contains("cmsweb.octavio.com resolves to another address"));
    assert_eq!(seen(&asked(outside.0, outside.1, "172.16.85.180"), 14), StatedSeen::Wrong);
    // of the other family nothing is stated
    assert_eq!(seen(&asked(outside.0, outside.1, "2001:db8::1"), 14), StatedSeen::NotSeen);
}

#[test]
fn half_a_capture_is_never_wrong_about_it() {
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", RELAYED);
    data_both_ways(&mut scene);
    support::tcp::Tcp::open(&mut scene, "172.16.85.180:50001", "10.88.246.156:443");
    scene.resolves("172.16.85.180", "172.16.85.10", "cmsweb.octavio.com", &["172.16.85.180"]);
    scene.later(8);
    let shots = support::degrade::shots(&scene);
    let half = shots.len() / 2;
    let client = support::degrade::from(&shots, "172.16.85.180");
    let server = support::degrade::to(&shots, "172.16.85.180");
    for part in [&shots[..half], &shots[half..], &client, &server, &support::degrade::snapped(&shots, 96)] {
        let report = report_beside(&support::degrade::pcap(part), DEPLOYMENT, &[], None);
        let wrong: Vec<_> = report.deployment.iter().filter(|stated| stated.seen == StatedSeen::Wrong).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[test]
fn configurations_of_servers_are_deployments_too() {
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", RELAYED);
    let of = |text: &str| {
        let report = report_beside(&scene.pcap(), text, &[], None);
        report.deployment.iter().map(|stated| (stated.line, stated.seen)).collect::<Vec<_>>()
    };
    let conf = "listening-port=3478\nexternal-ip=10.88.246.156/192.168.245.61\nmin-port=25000\nmax-port=29999\nrealm=turnuser\nuser=turnuser:x\n";
    let (right, wrong, not_seen) = (StatedSeen::Right, StatedSeen::Wrong, StatedSeen::NotSeen);
    assert_eq!(of(conf), [(1, right), (1, not_seen), (2, right), (3, wrong), (5, right), (6, right)]);
    let object = "<turnServer>\n<serverAddress>192.168.245.61</serverAddress>\n<clientAddress>10.88.246.156</clientAddress>\n\
                  <username>bob</username>\n</turnServer>";
    assert_eq!(of(object), [(2, not_seen), (3, right), (4, wrong)]);
    let status = "<turnServer>\n<host>\n<address>10.88.246.156</address>\n<portNumber>3478</portNumber>\n<reachable>true</reachable>\n\
                  <mappedAddress>172.16.85.180</mappedAddress>\n</host></turnServer>";
    assert_eq!(of(status), [(3, right), (4, right), (6, right)]);
}

#[test]
fn several_files_are_one_deployment() {
    let mut deployment = Deployment::default();
    deployment.add_file(DEPLOYMENT, "a/one.toml").unwrap();
    deployment.add_file("[[dns]]\nname = \"x\"\naddresses = \"192.0.2.1\"", "b/two.toml").unwrap();
    let files: Vec<&str> = deployment.statements().iter().map(|stated| stated.file.as_str()).collect();
    assert_eq!((files.first(), files.last()), (Some(&"one.toml"), Some(&"two.toml")));
    assert_eq!(deployment.servers().len(), 1);
}

#[test]
fn a_deployment_is_bounded() {
    let mut deployment = Deployment::default();
    let table = "[[dns]]\nname = \"x\"\naddresses = \"192.0.2.1\"\n";
    deployment.add_file(&table.repeat(2000), "d.toml").unwrap();
    assert_eq!((deployment.statements().len(), deployment.omitted()), (1024, 976));
    assert!(deployment.add_file(&"#".repeat(2 << 20), "d.toml").is_err());
}

#[test]
fn server_status_follows_the_allocations() {
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", RELAYED);
    scene.after_ms(1000).allocation("172.16.85.180:50002", SERVER, &turnuser(), "nonce", "10.88.246.156:24001");
    let release = scene.after_ms(1000).refresh(CLIENT, SERVER, &turnuser(), "nonce", 0);
    scene.after_ms(10).granted(&release, Some(0), &turnuser());
    let report = later(&mut scene);
    let server = &report.servers[0];
    assert_eq!((server.active_clients, server.active_relays_udp, server.active_relays_tcp), (1, 1, 0));
    assert_eq!((server.peak_clients, server.peak_relays_udp), (2, 2));
    assert_eq!(server.activity.iter().map(|point| point.clients).collect::<Vec<_>>(), [1, 2, 1]);
    let transport = &server.transports[0];
    assert_eq!((transport.reachable, transport.active_clients, transport.active_relays), (true, 1, 1));
    assert_eq!(transport.mapped.unwrap().to_string(), CLIENT);
}

/// The report on a sample over TLS, whose server shows a certificate, with what is stated of its names.
fn certified(sample: &str, names: &str) -> Report {
    let path = format!("{}/samples/{sample}/capture.pcapng", env!("CARGO_MANIFEST_DIR"));
    let stated = format!("[[server]]\naddresses = \"10.88.246.156\"\ncertificate_names = [{names}]\n");
    report_beside(&std::fs::read(path).unwrap(), &stated, &[], None)
}

#[test]
fn the_names_of_a_certificate_are_compared() {
    let report = certified("tls-success", "\"turn.example.org\"");
    assert_eq!(seen(&report, 3), StatedSeen::Right);
    assert!(!ids(&report).contains(&"deployment-mismatch"));
    let report = certified("tls-success", "\"turn.example.org\", \"cmsweb.octavio.com\"");
    assert_eq!(seen(&report, 3), StatedSeen::Wrong);
    assert_eq!(line(&report, 3).instead.as_deref(), Some("turn.example.org"));
    assert_eq!(mismatch(&report).severity, Severity::Warning, "it works all the same");
}

#[test]
fn a_stated_name_that_the_client_asks_for_in_vain_explains_that_it_goes_away() {
    let report = certified("tls-certificate-name", "\"turn.example.org\"");
    let symptom = finding(&report, "tls-certificate-name");
    assert_eq!(symptom.caused_by.as_deref(), Some(mismatch(&report).key.as_str()));
    assert_eq!(report.headline_finding.as_deref(), Some("deployment-mismatch"));
    let report = certified("tls-certificate-name", "\"another.example.org\"");
    let symptom = finding(&report, "tls-certificate-name");
    assert_eq!(symptom.caused_by, None, "the client asked for a name of which nothing is stated");
}

#[test]
fn servers_are_known_by_the_names_that_clients_ask_for_over_tls() {
    let report = certified("tls-fallback", "\"turn.example.org\"");
    assert_eq!(report.servers[0].names, ["turn.example.org"]);
}

#[test]
fn a_server_that_is_at_none_of_its_addresses_is_taken_for_the_only_one_that_lends_relays() {
    let elsewhere = |relayed: &str, others: bool| {
        let mut scene = Scene::new();
        scene.allocation(CLIENT, "10.88.246.199:3478", &turnuser(), "nonce", relayed);
        if others {
            scene.allocation(
                "172.16.85.180:50009",
                "10.88.246.200:3478",
                &turnuser(),
                "nonce-9",
                "10.88.246.200:24001",
            );
        }
        later(&mut scene)
    };
    let report = elsewhere("10.88.246.199:24000", false);
    let found = mismatch(&report);
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Likely));
    assert_says(
        &found.title,
        "asks 10.88.246.199:3478 for a relay, and not an address that is stated for Expressway-E",
    );
    assert_eq!(line(&report, 5).instead.as_deref(), Some("10.88.246.199"));
    assert_eq!((seen(&report, 5), seen(&report, 10)), (StatedSeen::Wrong, StatedSeen::Right));
    assert_eq!((seen(&report, 11), seen(&report, 12)), (StatedSeen::Right, StatedSeen::Right));
    assert_eq!(seen(&report, 4), StatedSeen::NotSeen);
    // with two of them nobody can tell
    let report = elsewhere("10.88.246.199:24000", true);
    assert!(!ids(&report).contains(&"deployment-mismatch"));
    assert_eq!((seen(&report, 5), seen(&report, 10)), (StatedSeen::NotSeen, StatedSeen::NotSeen));
    // where the server itself is seen, another one is another one
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &turnuser(), "nonce", RELAYED);
    scene.allocation("172.16.85.180:50009", "10.88.246.200:3478", &turnuser(), "nonce-9", "10.88.246.200:24001");
    let report = later(&mut scene);
    assert!(!ids(&report).contains(&"deployment-mismatch"));
    assert_eq!(seen(&report, 5), StatedSeen::Right);
}

#[test]
fn names_that_are_swapped_inside_and_outside_are_told_so() {
    let mut scene = Scene::new();
    scene.resolves("172.16.85.10", "172.16.85.1", "cmsweb.octavio.com", &["10.88.246.156"]);
    scene.resolves("198.51.100.7", "198.51.100.1", "cmsweb.octavio.com", &["172.16.85.180"]);
    let report = later(&mut scene);
    let found = mismatch(&report);
    assert_says(&found.title, "10.88.246.156 (stated for outside) for 172.16.85.10");
    assert_says(&found.title, "172.16.85.180 (stated for inside) for 198.51.100.7");
    assert_eq!(seen(&report, 14), StatedSeen::Wrong);
}
