//! Refusals that an allocation is the matter of: one too many, one that is gone, one of a kind that the server does not give.

mod support;

use support::analyze::{assert_says, finding, frames_of, ids, report};
use support::calls::graver;
use support::*;
use turnscope::report::{Confidence, Severity, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const OTHER: &str = "172.16.84.124:50001";
const SERVER: &str = "10.88.246.156:3478";
const RELAYED: &str = "10.88.246.156:24000";
const PEER: &str = "198.51.100.7:4000";

/// A client with an allocation of 600 seconds: frames 1 to 4.
fn allocated() -> Scene {
    Scene::allocated(CLIENT, SERVER, "nonce", RELAYED)
}

/// A signed Allocate from `client`, refused.
fn refused_from(scene: &mut Scene, client: &str, code: u16, reason: &str) {
    let request = scene.after_ms(1000).allocate_as(client, SERVER, &alice(), "nonce");
    scene.after_ms(10).refuse_with(&request, code, reason, |error| error.integrity(alice().key()));
}

/// The capture goes on for a while.
fn later(scene: &mut Scene) -> Vec<u8> {
    scene.later(8);
    scene.pcap()
}

#[test]
fn a_second_allocate_on_a_port_that_holds_an_allocation_names_its_user_and_the_seconds_left() {
    let mut scene = allocated();
    refused_from(&mut scene, CLIENT, 437, "Allocation Mismatch");
    let report = report(&later(&mut scene));
    assert_eq!(graver(&report), ["turn-allocation-mismatch"]);
    let found = finding(&report, "turn-allocation-mismatch");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.contains("\"alice\"") && found.title.contains("for 599 seconds"), "{}", found.title);
    assert_eq!(frames_of(&report, "turn-allocation-mismatch"), [4, 5, 6], "the old success, the request, the refusal");
    assert_eq!(found.subject.username.as_deref(), Some("alice"));
}

#[test]
fn a_mismatch_is_a_warning_once_a_new_port_brought_an_allocation() {
    let mut scene = allocated();
    refused_from(&mut scene, CLIENT, 437, "Allocation Mismatch");
    scene.after_ms(100).allocation(OTHER, SERVER, &alice(), "nonce", "10.88.246.156:24002");
    let report = report(&later(&mut scene));
    assert_eq!(finding(&report, "turn-allocation-mismatch").severity, Severity::Warning);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_mismatch_with_an_allocation_from_before_the_capture_is_likely_only() {
    let mut scene = Scene::new();
    refused_from(&mut scene, CLIENT, 437, "Allocation Mismatch");
    let report = report(&later(&mut scene));
    assert_eq!(finding(&report, "turn-allocation-mismatch").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_success_that_is_repeated_for_a_copy_of_the_request_is_healthy() {
    let mut scene = Scene::new();
    let request = scene.allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(500).retransmit(&request);
    for _ in 0..2 {
        scene.after_ms(10).allocate_granted(&request, RELAYED, 600, &alice());
    }
    assert!(graver(&report(&later(&mut scene))).is_empty());
}

#[test]
fn a_server_that_grants_a_request_and_refuses_its_copy_has_forgotten_it() {
    let mut scene = Scene::new();
    let request = scene.allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(10).allocate_granted(&request, RELAYED, 600, &alice());
    scene.after_ms(490).retransmit(&request);
    scene.after_ms(10).refuse(&request, 437, "Allocation Mismatch");
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-retransmission-rejected");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_eq!(frames_of(&report, "turn-retransmission-rejected"), [1, 2, 3, 4]);
    assert_eq!(graver(&report), ["turn-retransmission-rejected"], "one finding tells it");
}

#[test]
fn a_client_that_goes_on_with_its_allocation_was_not_stopped_by_the_refused_copy() {
    let mut scene = Scene::new();
    let request = scene.allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(500).retransmit(&request);
    scene.after_ms(10).allocate_granted(&request, RELAYED, 600, &alice());
    scene.after_ms(1).refuse(&request, 437, "Allocation Mismatch");
    scene.talk(CLIENT, SERVER, &alice(), "nonce", (0x4000, PEER), 5);
    let report = report(&later(&mut scene));
    assert_eq!(finding(&report, "turn-retransmission-rejected").severity, Severity::Warning);
}

#[test]
fn a_copy_that_is_refused_where_the_first_answer_was_never_seen_is_likely_forgotten() {
    let mut scene = Scene::new();
    let request = scene.allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(500).retransmit(&request);
    scene.after_ms(10).refuse(&request, 437, "Allocation Mismatch");
    let report = report(&later(&mut scene));
    assert_eq!(graver(&report), ["turn-retransmission-rejected"]);
    assert_eq!(finding(&report, "turn-retransmission-rejected").confidence, Confidence::Likely);
}

#[test]
fn a_refresh_after_the_lifetime_is_refused_and_the_expiry_is_told() {
    let mut scene = allocated();
    let refresh = scene.after_ms(630_000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-allocation-gone");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "expired 30.0 s before");
    assert_eq!(frames_of(&report, "turn-allocation-gone"), [5, 6]);
}

#[test]
fn an_allocation_that_was_granted_for_no_time_at_all_is_told_as_that() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce-1");
    let request = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).allocate_granted(&request, RELAYED, 0, &alice());
    for _ in 0..3 {
        let refused = scene.after_ms(500).create_permission(CLIENT, SERVER, &alice(), "nonce-1", "198.51.100.7:4000");
        scene.after_ms(10).refuse(&refused, 437, "Allocation Mismatch");
    }
    let report = report(&scene.later(30).pcap());
    let found = finding(&report, "turn-allocation-gone");
    assert!(found.title.ends_with(&format!("{SERVER} had granted it for 0 seconds")), "{}", found.title);
    assert_says(&found.explanation, "LIFETIME 0");
}

#[test]
fn a_refresh_that_is_refused_before_the_end_says_how_much_was_left() {
    let mut scene = allocated();
    let refresh = scene.after_ms(100_000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-allocation-gone");
    assert_eq!(found.severity, Severity::Failure);
    assert_says(&found.title, "gone 500.0 s before its time");
}

#[test]
fn allocations_that_clients_of_several_networks_lose_at_once_are_the_servers_loss() {
    let told = |clients: [&str; 3]| {
        let mut scene = Scene::new();
        for (client, relayed) in
            clients.iter().zip(["10.88.246.156:24001", "10.88.246.156:24002", "10.88.246.156:24003"])
        {
            scene.after_ms(10).allocation(*client, SERVER, &alice(), "nonce", relayed);
        }
        for client in clients {
            let refresh = scene.after_ms(100_000).refresh(client, SERVER, &alice(), "nonce", 600);
            scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
        }
        finding(&report(&later(&mut scene)), "turn-allocation-gone").explanation.clone()
    };
    let public = ["198.51.100.1:5000", "192.0.2.1:5000", "203.0.113.1:5000"];
    assert_says(&told(public), "3 clients of 3 public networks lost theirs at about the same time");
    let mut scene = Scene::new();
    let relayed = |number: usize| format!("10.88.246.156:{}", 24_001 + number);
    let clients = ["198.51.100.9:5000", public[0], public[1], public[2]];
    for (number, client) in clients.iter().enumerate() {
        // the first an hour before the others
        scene.after_ms(if number == 1 { 3_600_000 } else { 10 }).allocation(
            *client,
            SERVER,
            &alice(),
            "nonce",
            relayed(number).as_str(),
        );
        let refresh = scene.after_ms(100_000).refresh(*client, SERVER, &alice(), "nonce", 600);
        scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
    }
    let found = finding(&report(&later(&mut scene)), "turn-allocation-gone").explanation.clone();
    assert_says(&found, "3 clients of 3 public networks lost theirs");
    let behind_one_nat = ["192.168.1.2:5000", "192.168.1.3:5000", "192.168.1.4:5000"];
    let behind_one_pool = ["198.51.100.1:5000", "198.51.100.2:5000", "198.51.100.3:5000"];
    let of_one_host = ["198.51.100.1:5000", "198.51.100.1:5001", "198.51.100.1:5002"];
    for clients in [behind_one_nat, behind_one_pool, of_one_host] {
        assert!(!told(clients).contains("at about the same time"), "{clients:?}");
    }
}

#[test]
fn a_server_that_keeps_the_relays_of_others_was_not_restarted() {
    let told = |others: usize| {
        let mut scene = Scene::new();
        let clients =
            ["198.51.100.1:5000", "192.0.2.1:5000", "203.0.113.1:5000", "203.0.113.9:5000", "203.0.113.99:5000"];
        let (lose, keep) = clients.split_at(3);
        for (number, client) in clients.iter().enumerate() {
            let relayed = format!("10.88.246.156:{}", 24_001 + number);
            scene.after_ms(10).allocation(*client, SERVER, &alice(), "nonce", &*relayed);
        }
        for client in clients {
            let refresh = scene.after_ms(100_000).refresh(client, SERVER, &alice(), "nonce", 600);
            scene.after_ms(10).granted(&refresh, Some(600), &alice());
        }
        for client in lose {
            let refresh = scene.after_ms(100_000).refresh(*client, SERVER, &alice(), "nonce", 600);
            scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
        }
        for client in &keep[..others] {
            scene.after_ms(10).talk(client, SERVER, &alice(), "nonce", (0x4000, "198.51.100.99:7000"), 5);
        }
        finding(&report(&later(&mut scene)), "turn-allocation-gone").explanation.clone()
    };
    assert_says(&told(0), "3 clients of 3 public networks lost theirs");
    assert!(!told(2).contains("at about the same time"));
}

/// What is said of a Refresh that is refused long before the end, where the client is then seen as `mapped`, and whether its port was closed.
fn told_of_a_loss(mapped: &str, stopped: bool) -> String {
    let mut scene = allocated();
    if stopped {
        let refresh = scene.after_ms(50_000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
        scene.icmp_unreachable("10.88.246.156", &refresh);
    }
    let refresh = scene.after_ms(100_000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(10).succeed(&retry, |success| {
        success.xor_relayed(RELAYED).xor_mapped(mapped).lifetime(600).integrity(alice().key())
    });
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-allocation-gone");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    assert_says(&found.title, "before its time");
    format!("{} {}", found.explanation, found.fix)
}

#[test]
fn an_allocation_that_is_lost_where_the_client_is_seen_elsewhere_afterwards_was_lost_to_a_nat() {
    let told = told_of_a_loss("203.0.113.5:61000", false);
    assert!(told.contains("saw the client as 172.16.84.124:50000 before (frame 4) and sees it as 203.0.113.5:61000"));
    assert!(!told.contains("restarted"), "{told}");
}

#[test]
fn an_allocation_that_is_lost_where_the_client_is_seen_as_before_was_not_lost_to_a_nat() {
    let told = told_of_a_loss(CLIENT, false);
    assert!(told.contains("so no NAT came between. The server was restarted, or a balancer"), "{told}");
}

#[test]
fn an_allocation_of_a_server_whose_port_was_closed_meanwhile_was_lost_as_it_restarted() {
    let told = told_of_a_loss(CLIENT, true);
    assert!(told.contains("as its host said by ICMP (frame 6): the server was restarted"), "{told}");
    assert!(!told.contains("NAT") && !told.contains("balancer"), "{told}");
}

#[test]
fn a_client_that_allocates_anew_after_437_has_recovered() {
    let mut scene = allocated();
    let refresh = scene.after_ms(630_000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    assert_eq!(finding(&report(&later(&mut scene)), "turn-allocation-gone").severity, Severity::Warning);
}

#[test]
fn a_437_to_the_release_of_an_allocation_is_harmless() {
    let mut scene = allocated();
    for _ in 0..2 {
        let release = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 0);
        scene.after_ms(10).refuse(&release, 437, "Invalid allocation");
    }
    assert!(graver(&report(&later(&mut scene))).is_empty());
}

#[test]
fn requests_that_cross_the_release_are_harmless() {
    let mut scene = allocated();
    let release = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 0);
    scene.after_ms(10).granted(&release, Some(0), &alice());
    let late = scene.after_ms(5).create_permission(CLIENT, SERVER, &alice(), "nonce", PEER);
    scene.after_ms(10).refuse(&late, 437, "Invalid allocation");
    assert!(graver(&report(&later(&mut scene))).is_empty());
}

#[test]
fn a_client_that_uses_what_it_gave_up_long_ago_is_warned_of() {
    let mut scene = allocated();
    let release = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 0);
    scene.after_ms(10).granted(&release, Some(0), &alice());
    let late = scene.after_ms(60_000).create_permission(CLIENT, SERVER, &alice(), "nonce", PEER);
    scene.after_ms(10).refuse(&late, 437, "Invalid allocation");
    assert_eq!(finding(&report(&later(&mut scene)), "turn-allocation-gone").severity, Severity::Warning);
}

#[test]
fn coturn_says_400_to_permissions_and_channels_without_an_allocation() {
    let mut scene = allocated();
    let late = scene.after_ms(630_000).create_permission(CLIENT, SERVER, &alice(), "nonce", PEER);
    scene.after_ms(10).refuse_with(&late, 400, "Bad Request", |error| error.software("Coturn-4.6.1 'Gorst'"));
    let report = report(&later(&mut scene));
    assert_eq!(graver(&report), ["turn-allocation-gone"]);
    assert!(finding(&report, "turn-allocation-gone").explanation.contains("coturn says 400"));
}

#[test]
fn a_refused_refresh_is_told_with_its_own_code_where_a_permission_is_refused_with_another() {
    let mut scene = allocated();
    let coturn = |error: Stun| error.software("Coturn-4.6.1 'Gorst'");
    let refresh = scene.after_ms(20_000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).refuse_with(&refresh, 437, "Invalid allocation", coturn);
    let permission = scene.after_ms(10).create_permission(CLIENT, SERVER, &alice(), "nonce", PEER);
    scene.after_ms(10).refuse_with(&permission, 400, "Bad Request", coturn);
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-allocation-gone");
    assert_says(&found.title, "refused the Refresh of 172.16.84.124:50000 with 437 Invalid allocation");
    assert_says(&found.explanation, "coturn says 400");
}

#[test]
fn a_400_to_a_permission_under_a_live_allocation_is_about_the_request() {
    let mut scene = allocated();
    let request = scene.after_ms(1000).create_permission(CLIENT, SERVER, &alice(), "nonce", PEER);
    scene.after_ms(10).refuse_with(&request, 400, "Bad Peer Address", |error| error.software("Coturn-4.6.1"));
    let report = report(&later(&mut scene));
    assert_eq!(graver(&report), ["turn-request-rejected"]);
    assert!(finding(&report, "turn-request-rejected").explanation.contains("XOR-PEER-ADDRESS"));
}

#[test]
fn a_server_that_falls_silent_before_the_allocation_ends_is_not_told_again_as_its_expiry() {
    let mut scene = Scene::new();
    let request = scene.allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(10).allocate_granted(&request, RELAYED, 120, &alice());
    let refresh = Stun::request(method::REFRESH).lifetime(120).signed(&alice(), "nonce");
    scene.after_ms(60_000).send_repeatedly(CLIENT, SERVER, refresh, 7);
    let permission = Stun::request(method::CREATE_PERMISSION).xor_peer(PEER).signed(&alice(), "nonce");
    scene.after_ms(40_000).send_repeatedly(CLIENT, SERVER, permission, 7);
    scene.later(60);
    assert_eq!(graver(&report(&scene.pcap())), ["turn-no-response"]);
}

/// A client with relayed addresses of both families that gives these back.
fn of_both_families(given_back: &[u8]) -> Scene {
    let mut scene = Scene::new();
    let both = Stun::request(method::ALLOCATE)
        .requested_transport(17)
        .attribute(attribute::ADDITIONAL_ADDRESS_FAMILY, [2, 0, 0, 0])
        .signed(&alice(), "nonce");
    let request = scene.send(CLIENT, SERVER, both);
    scene.after_ms(10).succeed(&request, |success| {
        let lent = success.xor_relayed(RELAYED).xor_relayed("[2001:db8::5]:25000");
        lent.xor_mapped(CLIENT).lifetime(600).integrity(alice().key())
    });
    for &family in given_back {
        let release = Stun::request(method::REFRESH).lifetime(0).requested_family(family).signed(&alice(), "nonce");
        let release = scene.after_ms(100).send(CLIENT, SERVER, release);
        scene.after_ms(10).granted(&release, Some(0), &alice());
    }
    scene
}

#[test]
fn an_allocation_of_two_families_lives_until_both_are_given_back() {
    let told = |given_back: &[u8]| {
        let mut scene = of_both_families(given_back);
        let refresh = scene.after_ms(30_000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
        scene.after_ms(10).refuse(&refresh, 437, "Allocation Mismatch");
        finding(&report(&later(&mut scene)), "turn-allocation-gone").title.clone()
    };
    assert!(told(&[2]).contains("is gone 569.8 s before its time"), "{}", told(&[2]));
    assert!(told(&[2, 2]).contains("before its time"), "{}", told(&[2, 2]));
    assert!(told(&[2, 1]).contains("had given its allocation up"), "{}", told(&[2, 1]));
}

#[test]
fn a_refresh_for_a_family_that_was_not_lent_is_told_as_that() {
    let mut scene = allocated();
    let refresh = Stun::request(method::REFRESH).lifetime(600).requested_family(2).signed(&alice(), "nonce");
    let refresh = scene.after_ms(1000).send(CLIENT, SERVER, refresh);
    scene.after_ms(10).refuse(&refresh, 443, "Peer Address Family Mismatch");
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-address-family");
    assert_says(&found.title, "has lent \"alice\" nothing of IPv6");
    assert!(found.explanation.ends_with(&format!("It was lent {RELAYED}.")), "{}", found.explanation);
    assert!(found.fix.starts_with("Have the client renew"), "{}", found.fix);
}

#[test]
fn silence_to_refreshes_after_the_expiry_is_likely_the_lost_allocation() {
    let mut scene = allocated();
    let refresh = Stun::request(method::REFRESH).lifetime(600).signed(&alice(), "nonce");
    scene.after_ms(630_000).send_repeatedly(CLIENT, SERVER, refresh, 5);
    scene.later(60);
    let report = report(&scene.pcap());
    let found = finding(&report, "turn-allocation-gone");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
}

#[test]
fn silence_to_a_refresh_of_a_live_allocation_is_not_told_as_expiry() {
    let mut scene = allocated();
    let refresh = Stun::request(method::REFRESH).lifetime(600).signed(&alice(), "nonce");
    scene.after_ms(300_000).send_repeatedly(CLIENT, SERVER, refresh, 5);
    scene.later(60);
    assert!(!graver(&report(&scene.pcap())).contains(&"turn-allocation-gone"));
}

#[test]
fn a_refused_refresh_in_a_capture_that_starts_mid_call_is_likely_only() {
    let mut scene = Scene::new();
    let refresh = scene.refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
    let report = report(&later(&mut scene));
    assert_eq!(finding(&report, "turn-allocation-gone").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_client_that_comes_from_another_port_is_told_that_its_mapping_changed() {
    let mut scene = allocated();
    let refresh = scene.after_ms(60_000).refresh("172.16.84.124:61000", SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-allocation-gone");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "used to come from 172.16.84.124:50000");
}

#[test]
fn a_client_that_goes_on_from_another_address_is_told_that_its_network_changed() {
    const ABROAD: &str = "10.8.0.6:50000";
    let gone = |login: &Login, others: bool| {
        let mut scene = allocated();
        if others {
            // a server that gives one nonce to all
            scene.after_ms(100).allocate_challenge("172.16.84.99:50000", SERVER, "example.org", "nonce");
        }
        for _ in 0..3 {
            let refresh = scene.after_ms(1000).refresh(ABROAD, SERVER, login, "nonce", 600);
            scene.after_ms(10).refuse(&refresh, 437, "Allocation Mismatch");
        }
        report(&later(&mut scene))
    };
    let told = gone(&alice(), false);
    let found = finding(&told, "turn-allocation-gone");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "used to come from 172.16.84.124:50000");
    assert_says(&found.explanation, "it comes from 10.8.0.6 now");
    let rebinding = finding(&told, "nat-rebinding");
    assert!(rebinding.title.ends_with("it has another address now"));
    assert_eq!(rebinding.filter.as_deref(), Some("ip.addr == 10.88.246.156 && udp.port == 50000"));
    // whoever has another name, or a nonce that others have too, may be anybody
    for report in [gone(&Login::new("bob", "example.org", "bobs"), false), gone(&alice(), true)] {
        assert!(!report.findings.iter().any(|known| known.id == "nat-rebinding"), "{}", report.headline);
    }
}

#[test]
fn a_quota_lists_the_allocations_that_the_user_holds() {
    let mut scene = allocated();
    scene.after_ms(100).allocation(OTHER, SERVER, &alice(), "nonce", "10.88.246.156:24002");
    let bob = Login::new("bob", "example.org", "bobs");
    scene.after_ms(100).allocation("172.16.84.124:50002", SERVER, &bob, "nonce", "10.88.246.156:24004");
    refused_from(&mut scene, "172.16.84.124:50003", 486, "Allocation Quota Reached");
    let report = report(&later(&mut scene));
    assert_eq!(graver(&report), ["turn-quota"]);
    let found = finding(&report, "turn-quota");
    assert_eq!(found.severity, Severity::Failure);
    assert_says(&found.title, "2 live allocations already");
    assert_says(
        &found.explanation,
        "10.88.246.156:24000 for 172.16.84.124:50000 (frame 4) and 10.88.246.156:24002 for 172.16.84.124:50001 (frame 8)",
    );
}

#[test]
fn allocations_that_were_given_up_do_not_count_towards_the_quota() {
    let mut scene = allocated();
    let release = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 0);
    scene.after_ms(10).granted(&release, Some(0), &alice());
    refused_from(&mut scene, OTHER, 486, "Allocation Quota Reached");
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-quota");
    assert_says(&found.explanation, "shows no other allocation");
}

#[test]
fn a_quota_counts_what_time_limited_credentials_of_one_user_hold() {
    let login = |name: &str| Login::new(name, "example.org", "secret");
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &login("1767229200:alice"), "nonce", RELAYED);
    scene.after_ms(100).allocation(OTHER, SERVER, &login("1767229201:bob"), "nonce", "10.88.246.156:24002");
    let request = scene.after_ms(1000).allocate_as("172.16.84.124:50002", SERVER, &login("1767229202:alice"), "nonce");
    scene.after_ms(10).refuse(&request, 486, "Allocation Quota Reached");
    let report = report(&later(&mut scene));
    let found = finding(&report, "turn-quota");
    assert_says(&found.title, "who has 1 live allocation already");
    assert_says(&found.explanation, "leaves the expiry in their names out");
}

#[test]
fn a_quota_that_a_later_allocation_makes_good_is_a_warning() {
    let mut scene = Scene::new();
    refused_from(&mut scene, OTHER, 486, "Allocation Quota Reached");
    scene.after_ms(60_000).allocation(OTHER, SERVER, &alice(), "nonce", RELAYED);
    assert_eq!(finding(&report(&later(&mut scene)), "turn-quota").severity, Severity::Warning);
}

#[test]
fn a_hundred_clients_over_quota_are_one_finding() {
    let mut scene = allocated();
    for port in 51000..51100 {
        refused_from(&mut scene, &format!("172.16.84.124:{port}"), 486, "Allocation Quota Reached");
    }
    let report = report(&later(&mut scene));
    assert_eq!(graver(&report), ["turn-quota"]);
    assert_eq!(finding(&report, "turn-quota").occurrences, 100);
}

#[test]
fn a_server_without_ports_is_named_and_an_even_port_is_another_matter() {
    let mut scene = Scene::new();
    refused_from(&mut scene, CLIENT, 508, "Cannot create socket");
    let plain = report(&later(&mut scene));
    assert_eq!(finding(&plain, "turn-capacity").severity, Severity::Failure);
    assert_says(&plain.headline, "no relay port left");

    let mut scene = Scene::new();
    let even = Stun::request(method::ALLOCATE).requested_transport(17).attribute(attribute::EVEN_PORT, [0x80]);
    let request = scene.send(CLIENT, SERVER, even.signed(&alice(), "nonce"));
    scene.after_ms(10).refuse(&request, 508, "Insufficient Capacity");
    let narrow = report(&later(&mut scene));
    assert_says(&narrow.headline, "no relay port of the kind asked for");
}

#[test]
fn a_508_that_a_retry_makes_good_is_a_warning() {
    let mut scene = Scene::new();
    refused_from(&mut scene, CLIENT, 508, "Insufficient Capacity");
    let retry = scene.after_ms(60_000).allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    assert_eq!(finding(&report(&later(&mut scene)), "turn-capacity").severity, Severity::Warning);
}

#[test]
fn an_unsupported_transport_is_named() {
    let mut scene = Scene::new();
    let tcp = Stun::request(method::ALLOCATE).requested_transport(6).signed(&alice(), "nonce");
    let request = scene.send(CLIENT, SERVER, tcp);
    scene.after_ms(10).refuse(&request, 442, "Unsupported Transport Protocol");
    let report = report(&later(&mut scene));
    assert_eq!(graver(&report), ["turn-transport-unsupported"]);
    assert_says(&report.headline, "TCP (6)");
}

#[test]
fn a_client_that_then_asks_for_udp_was_not_stopped_by_the_unsupported_transport() {
    let mut scene = Scene::new();
    let tcp = Stun::request(method::ALLOCATE).requested_transport(6).signed(&alice(), "nonce");
    let request = scene.send(CLIENT, SERVER, tcp);
    scene.after_ms(10).refuse(&request, 442, "Unsupported Transport Protocol");
    let retry = scene.after_ms(100).allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    assert_eq!(finding(&report(&later(&mut scene)), "turn-transport-unsupported").severity, Severity::Warning);
}

#[test]
fn an_address_family_that_the_server_lacks_is_named() {
    let mut scene = Scene::new();
    let v6 = Stun::request(method::ALLOCATE).requested_transport(17).requested_family(2).signed(&alice(), "nonce");
    let request = scene.send(CLIENT, SERVER, v6);
    scene.after_ms(10).refuse(&request, 440, "Address Family not Supported");
    let report = report(&later(&mut scene));
    assert_eq!(graver(&report), ["turn-address-family"]);
    assert_says(&report.headline, "no IPv6 relay");
}

#[test]
fn a_peer_of_the_other_family_is_a_failure_only_if_no_data_passes() {
    let wrong = "[2001:db8::7]:4000";
    let refused = || {
        let mut scene = allocated();
        let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce", wrong);
        scene.after_ms(10).refuse(&request, 443, "Peer Address Family Mismatch");
        scene
    };
    let alone = report(&later(&mut refused()));
    assert_eq!(finding(&alone, "turn-address-family").severity, Severity::Failure);
    assert_says(&alone.headline, wrong);
    let mut call = refused();
    call.talk(CLIENT, SERVER, &alice(), "nonce", (0x4000, PEER), 5);
    assert_eq!(finding(&report(&later(&mut call)), "turn-address-family").severity, Severity::Warning);
}

#[test]
fn a_server_that_blames_the_family_of_a_peer_of_the_relays_own_is_not_believed() {
    let mut scene = allocated();
    let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce", PEER);
    scene.after_ms(10).refuse(&request, 443, "Peer Address Family Mismatch");
    let report = report(&later(&mut scene));
    let told = finding(&report, "turn-address-family");
    assert_eq!(told.severity, Severity::Failure);
    assert_says(&told.title, &format!("talk to {PEER}: 443"));
    assert_says(&told.explanation, "of the same family, IPv4: the server has another reason");
}

#[test]
fn answers_without_their_requests_accuse_nobody() {
    let mut scene = Scene::new();
    for code in [300, 403, 437, 440, 442, 486, 500, 508] {
        scene.after_ms(100).send(SERVER, CLIENT, Stun::error(method::ALLOCATE, code, ""));
    }
    assert!(graver(&report(&later(&mut scene))).iter().all(|id| *id == "capture-one-sided"));
}

#[test]
fn a_request_that_the_snap_length_cut_is_likely_only() {
    let mut scene = Scene::new();
    scene.snap_length(90);
    refused_from(&mut scene, CLIENT, 486, "Allocation Quota Reached");
    let report = report(&later(&mut scene));
    let quota = report.findings.iter().find(|finding| finding.id == "turn-quota");
    assert!(quota.is_none_or(|found| found.confidence == Confidence::Likely));
    assert_ne!(report.verdict, Verdict::Failure);
}

#[test]
fn a_permission_that_was_granted_before_and_is_malformed_now_tells_of_a_server_that_forgot() {
    // as coturn says it after a restart, without SOFTWARE
    let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
    let permit = scene.after_ms(10).create_permission(CLIENT, SERVER, &alice(), "n", PEER);
    scene.after_ms(10).granted(&permit, None, &alice());
    let again = scene.after_ms(240_000).create_permission(CLIENT, SERVER, &alice(), "n", PEER);
    scene.after_ms(10).challenge(&again, 438, "Wrong nonce", "example.org", "m");
    let again = scene.after_ms(10).create_permission(CLIENT, SERVER, &alice(), "m", PEER);
    scene.after_ms(10).refuse(&again, 400, "Bad Request");
    let report = report(&scene.later(60).pcap());
    let found = finding(&report, "turn-allocation-gone");
    assert_says(&found.title, "is gone");
    assert!(!ids(&report).contains(&"turn-request-rejected"), "{:?}", ids(&report));
}
