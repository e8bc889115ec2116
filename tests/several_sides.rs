//! Captures that hold several sides of a NAT in one file: of all interfaces of its host, or of two points that were merged.

mod support;

use support::analyze::{ids, report};
use support::*;
use turnscope::report::Verdict;

const CLIENT: &str = "198.51.100.7:40123";
const OUTSIDE: &str = "203.0.113.10:3478";
const INSIDE: &str = "10.0.0.5:3478";
const RELAYED: &str = "203.0.113.10:49153";

#[test]
fn an_answer_that_stands_before_its_request_behind_a_nat_does_not_come_from_elsewhere() {
    let login = Login::new("alice", "example.org", "secret");
    let mut scene = Scene::new();
    let (request, challenge) = scene.allocate_challenge(CLIENT, INSIDE, "example.org", "nonce-1");
    // the host's two interfaces, of which one is written out a little late
    let mut scene = Scene::new();
    let mut passes = |request: &Sent, answer: &dyn Fn(&mut Scene) -> Sent| {
        let asked = scene.after_ms(50).forwarded(request, CLIENT, OUTSIDE);
        let answered = answer(scene.after_us(300));
        scene.after_us(10).forwarded(&asked, CLIENT, INSIDE);
        scene.after_us(300).forwarded(&answered, OUTSIDE, CLIENT);
    };
    passes(&request, &|scene| scene.forwarded(&challenge, INSIDE, CLIENT));
    let signed = Scene::new().allocate_as(CLIENT, INSIDE, &login, "nonce-1");
    passes(&signed, &|scene| scene.allocate_granted(&signed, RELAYED, 600, &login));
    let report = report(&scene.pcap());
    assert_eq!((report.verdict, ids(&report)), (Verdict::Healthy, vec!["turn-challenge"]), "{}", report.headline);
}
