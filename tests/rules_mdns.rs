//! Hidden host candidates: names of multicast DNS that nobody answers for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::dns::encoded;
use support::{Scene, Stun, method};
use turnscope::report::{Confidence, Finding, Report, Severity, Verdict};

const NAME: &str = "0a1b2c3d-0000-4000-8000-0123456789ab.local";
const OTHER: &str = "ffffffff-1111-4111-8111-0123456789ab.local";
const ASKER: &str = "192.168.1.2:5353";
const BROWSER: &str = "192.168.1.3:5353";
const GROUP: &str = "224.0.0.251:5353";

fn question(name: &str, kind: u8, unicast: bool) -> Vec<u8> {
    let head = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    [head, encoded(name), vec![0, kind, if unicast { 0x80 } else { 0 }, 1]].concat()
}

fn answer(name: &str, lives: u8) -> Vec<u8> {
    let head = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    [head, encoded(name), vec![0, 1, 0x80, 1, 0, 0, 0, lives, 0, 4, 192, 168, 1, 3]].concat()
}

/// A question, what follows it, and time enough.
fn asked(unicast: bool, then: impl FnOnce(&mut Scene)) -> Scene {
    let mut scene = Scene::new();
    scene.after_ms(10).udp(ASKER, GROUP, question(NAME, 1, unicast));
    then(&mut scene);
    scene.after_ms(3000).udp("192.168.1.9:40000", "192.168.1.255:9", vec![0xff; 8]);
    scene
}

fn report(scene: &Scene) -> Report {
    support::analyze::report(&scene.pcap())
}

fn unresolved(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.id == "ice-mdns-unresolved").collect()
}

#[test]
fn a_name_that_nobody_answers_for_is_a_warning() {
    let report = report(&asked(false, |scene| {
        scene.after_ms(1000).udp(ASKER, GROUP, question(NAME, 28, false));
    }));
    let [finding] = unresolved(&report)[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Confidence::Certain));
    assert_eq!(finding.places.iter().map(|place| place.frame).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(finding.subject.client.as_ref().unwrap().to_string(), ASKER);
    assert!(finding.title.starts_with(&format!("192.168.1.2 asks for {NAME}")), "{}", finding.title);
    assert_eq!(report.verdict, Verdict::Warning);
    assert_eq!(report.headline_finding.as_deref(), Some("ice-mdns-unresolved"));
}

#[test]
fn several_names_of_one_asker_are_one_finding() {
    let report = report(&asked(false, |scene| {
        scene.after_ms(5).udp(ASKER, GROUP, question(OTHER, 1, false));
        scene.after_ms(5).udp("192.168.1.7:5353", GROUP, question(OTHER, 1, false));
    }));
    assert_eq!(unresolved(&report).iter().map(|finding| finding.occurrences).collect::<Vec<_>>(), [2]);
}

#[test]
fn an_answer_before_or_after_the_question_is_silent() {
    let after = asked(false, |scene| {
        scene.after_ms(80).udp(BROWSER, GROUP, answer(NAME, 120));
    });
    assert!(unresolved(&report(&after)).is_empty());
    let alone = asked(true, |scene| {
        scene.after_ms(80).udp(BROWSER, ASKER, answer(&NAME.to_uppercase(), 120));
    });
    assert!(unresolved(&report(&alone)).is_empty());
    let mut announced = Scene::new();
    announced.after_ms(10).udp(BROWSER, GROUP, answer(NAME, 120));
    announced.after_ms(10).udp(ASKER, GROUP, question(NAME, 1, false));
    announced.after_ms(3000).udp("192.168.1.9:40000", "192.168.1.255:9", vec![0xff; 8]);
    assert!(unresolved(&report(&announced)).is_empty());
}

#[test]
fn an_answer_whose_address_the_snap_length_cut_off_is_not_taken_for_none() {
    let answered = asked(false, |scene| {
        scene.after_ms(80).udp(BROWSER, GROUP, answer(NAME, 120));
    });
    let shots = support::degrade::shots(&answered);
    // the question is whole from here on, and the answer is 10 bytes longer
    let question = 14 + 20 + 8 + 60;
    for snap in question..question + 11 {
        let report = support::analyze::report(&support::degrade::pcap(&support::degrade::snapped(&shots, snap)));
        assert!(unresolved(&report).is_empty(), "{snap}");
    }
    let silent = asked(false, |_| {});
    let cut = support::degrade::pcap(&support::degrade::snapped(&support::degrade::shots(&silent), question));
    assert_eq!(unresolved(&support::analyze::report(&cut)).len(), 1, "a question that is whole has no answer");
}

#[test]
fn a_goodbye_and_the_answer_for_another_name_are_none() {
    let report = report(&asked(false, |scene| {
        scene.after_ms(80).udp(BROWSER, GROUP, answer(NAME, 0));
        scene.after_ms(80).udp(BROWSER, GROUP, answer(OTHER, 120));
    }));
    assert_eq!(unresolved(&report).len(), 1);
}

#[test]
fn where_the_answer_may_have_passed_elsewhere_it_is_only_likely() {
    let report = report(&asked(true, |_| {}));
    assert_eq!(unresolved(&report)[0].confidence, Confidence::Likely);
}

#[test]
fn in_a_capture_of_one_direction_the_answer_may_be_what_it_lacks() {
    let scene = asked(false, |scene| {
        scene.send("192.0.2.9:5000", "192.0.2.1:3478", Stun::success(method::BINDING).xor_mapped("192.0.2.1:3478"));
        scene.later(5);
    });
    let report = report(&scene);
    assert_eq!(unresolved(&report)[0].confidence, Confidence::Likely);
}

#[test]
fn a_capture_that_ends_before_an_answer_could_have_come_is_silent() {
    let mut scene = Scene::new();
    scene.after_ms(10).udp(ASKER, GROUP, question(NAME, 1, false));
    scene.after_ms(1500).udp("192.168.1.9:40000", "192.168.1.255:9", vec![0xff; 8]);
    assert!(unresolved(&report(&scene)).is_empty());
}

#[test]
fn probes_and_other_names_are_no_candidates_to_resolve() {
    let mut scene = Scene::new();
    scene.after_ms(10).udp(BROWSER, GROUP, question(NAME, 255, true)); // a browser makes sure that its name is free
    scene.after_ms(10).udp(ASKER, GROUP, question("_ipp._tcp.local", 1, false));
    scene.after_ms(10).udp(ASKER, GROUP, question("printer.local", 1, false));
    scene.after_ms(10).udp("192.168.1.2:40000", "192.0.2.1:53", question(NAME, 1, false));
    scene.after_ms(3000).udp("192.168.1.9:40000", "192.168.1.255:9", vec![0xff; 8]);
    assert!(unresolved(&report(&scene)).is_empty());
}

#[test]
fn with_the_description_given_the_finding_says_whose_candidate_it_is_and_the_report_the_address_told() {
    let sdp = format!(
        "v=0\na=ice-ufrag:mZ4r\na=ice-pwd:0123456789012345678901\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n\
         a=candidate:1 1 udp 2130706431 {NAME} 50000 typ host\n"
    );
    let report = support::analyze::report_told(&asked(false, |_| {}).pcap(), &[("offer.sdp", &sdp)]);
    let explanation = &unresolved(&report)[0].explanation;
    assert!(explanation.contains("a candidate of the agent mZ4r, as offer.sdp says"), "{explanation}");
    assert_eq!(report.signalling[0].candidates[0].resolved, None);
    let answered = asked(false, |scene| {
        scene.after_ms(80).udp(BROWSER, GROUP, answer(NAME, 120));
    });
    let report = support::analyze::report_told(&answered.pcap(), &[("offer.sdp", &sdp)]);
    assert_eq!(report.signalling[0].candidates[0].resolved.map(|ip| ip.to_string()).as_deref(), Some("192.168.1.3"));
}
