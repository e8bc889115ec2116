//! `dns-failed`: names of servers that cannot be resolved, and what looks like it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::analyze::{assert_says, finding, report, report_beside};
use support::dns::{self, A, AAAA, NXDOMAIN, SERVFAIL, SRV};
use support::*;
use turnscope::report::{Confidence, Report, Severity, Verdict};

const CLIENT: &str = "10.0.0.2";
const RESOLVER: &str = "10.0.0.1";
const SECOND: &str = "10.0.0.3";
const NAME: &str = "turn.example.org";
const SERVER: &str = "192.0.2.1:3478";

/// The capture goes on for a while, with something else than DNS in it.
fn later(scene: &mut Scene) -> Report {
    support::tcp::Tcp::open(scene, "10.0.0.2:50001", "192.0.2.80:443");
    scene.after_ms(8000).udp("10.0.0.9:1000", "10.0.0.255:9", vec![0xff; 8]);
    report(&scene.pcap())
}

fn is_told(report: &Report) -> bool {
    report.findings.iter().any(|finding| finding.id == "dns-failed")
}

#[test]
fn a_name_that_does_not_exist_is_a_failure_where_no_server_is_reached() {
    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, NXDOMAIN));
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (AAAA, NXDOMAIN));
    let report = later(&mut scene);
    let found = finding(&report, "dns-failed");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_eq!(found.title, "10.0.0.2 cannot resolve turn.example.org: there is no such name (NXDOMAIN)");
    assert_eq!(found.places.iter().map(|place| place.frame).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(found.subject.client.unwrap().0.ip().to_string(), CLIENT);
    assert_eq!((report.verdict, report.headline_finding.as_deref()), (Verdict::Failure, Some("dns-failed")));
}

#[test]
fn a_resolver_that_fails_is_told_by_its_word() {
    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, SERVFAIL));
    let report = later(&mut scene);
    assert!(finding(&report, "dns-failed").title.ends_with("turn.example.org: SERVFAIL"));
}

#[test]
fn a_client_that_then_reaches_a_server_makes_it_a_warning() {
    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, NXDOMAIN));
    let login = alice();
    scene.allocation("10.0.0.2:50000", SERVER, &login, "nonce", "192.0.2.1:50000");
    let report = later(&mut scene);
    assert_eq!(finding(&report, "dns-failed").severity, Severity::Warning);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn silence_is_a_failure_where_an_answer_would_have_been_seen() {
    let mut scene = Scene::new();
    scene.resolves(CLIENT, RESOLVER, "www.example.org", &["192.0.2.80"]);
    for _ in 0..3 {
        scene.asks_in_vain(CLIENT, RESOLVER, NAME);
        scene.after_ms(5000);
    }
    let report = later(&mut scene);
    let found = finding(&report, "dns-failed");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.ends_with("and no resolver answers"), "{}", found.title);

    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.asks_in_vain(CLIENT, RESOLVER, NAME);
        scene.after_ms(5000);
    }
    // nothing that the client is sent is in the capture
    support::tcp::Tcp::running("10.0.0.2:50001", "192.0.2.80:443").syn(&mut scene);
    scene.after_ms(8000).udp("10.0.0.9:1000", "10.0.0.255:9", vec![0xff; 8]);
    let report = support::analyze::report(&scene.pcap());
    assert_eq!(finding(&report, "dns-failed").confidence, Confidence::Likely, "answers may not be captured at all");
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_capture_of_nothing_but_dns_leaves_open_what_came_of_it() {
    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, NXDOMAIN));
    scene.after_ms(8000);
    scene.resolves(CLIENT, RESOLVER, "www.example.org", &["192.0.2.80"]);
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "dns-failed").confidence, Confidence::Likely);
}

#[test]
fn one_unanswered_question_or_one_at_the_end_is_silent() {
    let mut scene = Scene::new();
    scene.asks_in_vain(CLIENT, RESOLVER, NAME);
    assert!(!is_told(&later(&mut scene)));
    let mut scene = Scene::new();
    scene.asks_in_vain(CLIENT, RESOLVER, NAME);
    scene.after_ms(1000).udp("10.0.0.9:1000", "10.0.0.255:9", vec![0xff; 8]);
    scene.asks_in_vain(CLIENT, RESOLVER, NAME);
    assert!(!is_told(&report(&scene.pcap())));
}

#[test]
fn a_second_resolver_or_the_other_family_heals_it() {
    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, SERVFAIL));
    scene.resolves(CLIENT, SECOND, NAME, &["192.0.2.1"]);
    assert!(!is_told(&later(&mut scene)));
    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, NXDOMAIN));
    scene.resolves(CLIENT, RESOLVER, NAME, &["2001:db8::1"]);
    assert!(!is_told(&later(&mut scene)));
    let mut scene = Scene::new();
    scene.resolves(CLIENT, RESOLVER, NAME, &["192.0.2.1"]);
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, SERVFAIL)); // a later hiccup
    assert!(!is_told(&later(&mut scene)));
}

#[test]
fn search_lists_services_and_names_of_others_are_silent() {
    let mut scene = Scene::new();
    // a host with a search list tries the name with its own domain behind it
    scene.does_not_resolve(CLIENT, RESOLVER, "turn.example.org.corp.local", (A, NXDOMAIN));
    scene.resolves(CLIENT, RESOLVER, NAME, &["192.0.2.1"]);
    // a client that looks for SRV, finds none, and takes the address (RFC 8489 §8)
    scene.does_not_resolve(CLIENT, RESOLVER, "_turns._tcp.example.org", (SRV, NXDOMAIN));
    scene.does_not_resolve(CLIENT, RESOLVER, "www.example.org", (A, NXDOMAIN));
    scene.does_not_resolve(CLIENT, RESOLVER, "turntable.example.org", (A, NXDOMAIN));
    assert!(!is_told(&later(&mut scene)));
}

#[test]
fn the_host_that_srv_names_is_a_servers_name_and_so_is_a_stated_one() {
    let mut scene = Scene::new();
    let (client, resolver) = ("10.0.0.2:40001", "10.0.0.1:53");
    scene.after_ms(5).udp(client, resolver, support::dns::question(1, "_turn._udp.example.org", SRV));
    let told = support::dns::service(1, "_turn._udp.example.org", "media7.example.org", 3478);
    scene.after_ms(5).udp(resolver, client, told);
    scene.does_not_resolve(CLIENT, RESOLVER, "media7.example.org", (A, NXDOMAIN));
    assert!(finding(&later(&mut scene), "dns-failed").title.contains("media7.example.org"));

    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, "cmsweb.example.org", (A, NXDOMAIN));
    support::tcp::Tcp::open(&mut scene, "10.0.0.2:50001", "192.0.2.80:443");
    let stated = "[[dns]]\nname = \"cmsweb.example.org\"\naddresses = [\"192.0.2.80\"]\n";
    assert!(!is_told(&report(&scene.pcap())));
    let report = report_beside(&scene.pcap(), stated, &[], None);
    assert!(is_told(&report));
    assert!(report.findings.iter().all(|finding| finding.id != "deployment-mismatch"), "it is told once");
}

#[test]
fn what_a_resolver_asks_others_is_told_by_what_it_answers() {
    let mut scene = Scene::new();
    scene.does_not_resolve(RESOLVER, "198.51.100.53", NAME, (AAAA, SERVFAIL));
    scene.resolves(CLIENT, RESOLVER, NAME, &["192.0.2.1"]);
    assert!(!is_told(&later(&mut scene)));
}

#[test]
fn stun_on_the_port_of_dns_is_stun() {
    let mut scene = Scene::new();
    let request = scene.send("10.0.0.2:50000", "192.0.2.1:53", Stun::request(method::BINDING));
    scene.after_ms(20).succeed(&request, |success| success.xor_mapped("203.0.113.5:50000"));
    let report = later(&mut scene);
    assert_eq!(report.servers.len(), 1);
    assert_eq!(report.servers[0].transports[0].answered, 1);
}

#[test]
fn servers_have_the_names_that_they_were_found_by() {
    let mut scene = Scene::new();
    scene.resolves(CLIENT, RESOLVER, "TURN.example.org", &["192.0.2.1"]);
    let login = alice();
    scene.allocation("10.0.0.2:50000", SERVER, &login, "nonce", "192.0.2.1:50000");
    let report = later(&mut scene);
    assert_eq!(report.servers[0].names, ["turn.example.org"]);
}

#[test]
fn half_a_capture_gives_no_more_than_likely() {
    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, NXDOMAIN));
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (AAAA, NXDOMAIN));
    support::tcp::Tcp::open(&mut scene, "10.0.0.2:50001", "192.0.2.80:443");
    scene.after_ms(8000).udp("10.0.0.9:1000", "10.0.0.255:9", vec![0xff; 8]);
    let shots = support::degrade::shots(&scene);
    let questions = report(&support::degrade::pcap(&support::degrade::from(&shots, CLIENT)));
    assert!(questions.findings.iter().all(|found| found.id != "dns-failed" || found.confidence == Confidence::Likely));
    for snap in [20, 45, 60] {
        let cut = report(&support::degrade::pcap(&support::degrade::snapped(&shots, snap)));
        assert!(cut.findings.iter().filter(|found| found.id == "dns-failed").count() <= 1);
    }
}

/// A question and its answer over TCP, in segments of so many bytes.
fn over_tcp(scene: &mut Scene, question: &[u8], answer: &[u8], size: usize) {
    let mut connection = support::tcp::Tcp::open(scene, "10.0.0.2:40002", "10.0.0.1:53");
    for (side, message) in [(0, question), (1, answer)] {
        for piece in support::tcp::framed(message).chunks(size) {
            connection.say(scene.after_ms(5), side, piece);
        }
    }
    connection.close(scene, 0);
}

#[test]
fn dns_over_tcp_is_read_in_segments_of_any_size() {
    for size in [1, 2, 7, 1000] {
        let mut scene = Scene::new();
        over_tcp(&mut scene, &dns::question(8, NAME, A), &dns::failure(8, NAME, A, NXDOMAIN), size);
        let report = later(&mut scene);
        let found = finding(&report, "dns-failed");
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain), "{size}");
        assert_says(&found.title, "NXDOMAIN");
    }
}

#[test]
fn an_answer_that_was_cut_short_and_came_again_over_tcp_resolves_the_name() {
    let mut scene = Scene::new();
    scene.does_not_resolve(CLIENT, RESOLVER, NAME, (A, SERVFAIL));
    over_tcp(&mut scene, &dns::question(9, NAME, A), &dns::answer(9, NAME, &["192.0.2.1"]), 1000);
    assert!(!is_told(&later(&mut scene)));
}

#[test]
fn a_capture_of_dns_over_tcp_alone_tells_no_more_than_likely() {
    let mut scene = Scene::new();
    over_tcp(&mut scene, &dns::question(8, NAME, A), &dns::failure(8, NAME, A, NXDOMAIN), 1000);
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "dns-failed").confidence, Confidence::Likely);
}

#[test]
fn a_name_that_naptr_leads_to_is_one_of_servers() {
    let mut scene = Scene::new();
    let of_service = "relay.example.org";
    // order 10, preference 10, flags "a", service "RELAY:turn.udp", no expression
    let mut rdata = vec![0, 10, 0, 10, 1, b'a', 14];
    rdata.extend(b"RELAY:turn.udp");
    rdata.push(0);
    rdata.extend(dns::encoded(of_service));
    scene.udp("10.0.0.2:40001", "10.0.0.1:53", dns::question(5, "example.org", dns::NAPTR));
    scene.after_ms(5).udp("10.0.0.1:53", "10.0.0.2:40001", dns::told(5, "example.org", dns::NAPTR, &rdata));
    scene.does_not_resolve(CLIENT, RESOLVER, of_service, (A, NXDOMAIN));
    let report = later(&mut scene);
    assert!(finding(&report, "dns-failed").title.contains("relay.example.org"));
}
