//! `media-one-way` and `media-lossy`: the story, its remedy, what looks like it and is healthy, and halves of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{assert_says, finding, ids};
use support::calls::{failures, graver};
use support::{IceSide, Scene, alice, degrade, payload, sides};
use turnscope::report::{Confidence, Report, Severity};

const ONE: &str = "10.0.0.2:50000";
const OTHER: &str = "198.51.100.7:40000";
const SERVER: &str = "192.0.2.1:3478";

fn report(scene: &Scene) -> Report {
    support::analyze::report(&scene.pcap())
}

/// Records of the handshake both ways, the last ones of an epoch that is encrypted.
fn handshake(scene: &mut Scene) {
    scene.after_ms(10).udp(OTHER, ONE, payload::dtls_client_hello(0));
    scene.after_ms(10).udp(ONE, OTHER, payload::dtls_server_hello(0));
    scene.after_ms(10).udp(OTHER, ONE, payload::dtls_record(22, 0xFEFD, 1, 0, &[0x77; 48]));
    scene.after_ms(10).udp(ONE, OTHER, payload::dtls_record(22, 0xFEFD, 1, 0, &[0x78; 48]));
}

/// What each side does, second by second.
#[derive(Clone, Copy, Default)]
struct Second {
    /// RTP of the one, of the other: 50 packets.
    media: [bool; 2],
    /// A report of the one, of the other: `s`ender's, `r`eceiver's, `b`ye, the same encrypted `B`, or in clear with a count `c`.
    report: [Option<char>; 2],
    /// Whether the one's checks are answered, and the other checks too.
    checks: bool,
}

/// A call of so many seconds from the 10th on, as told.
fn call(scene: &mut Scene, seconds: u64, told: impl Fn(u64) -> Second) {
    let (a, b) = sides();
    let ends = [(ONE, OTHER), (OTHER, ONE)];
    for second in 0..seconds {
        let now = told(second);
        for number in 0..50 {
            scene.at_ms(10_000 + second * 1000 + number * 20);
            let sequence = second * 50 + number;
            for (side, (from, to)) in ends.into_iter().enumerate() {
                let ssrc = if side == 0 { 0xaaaa } else { 0xbbbb };
                if now.media[side] {
                    let packet = payload::rtp(111, sequence as u16, sequence as u32 * 960, ssrc, 80);
                    scene.after_us(200).udp(from, to, packet);
                }
                if let (0, Some(kind)) = (number, now.report[side]) {
                    let rtcp = match kind {
                        's' => payload::srtcp(&payload::rtcp_sender_report(ssrc, sequence as u32), second as u32),
                        'c' => payload::rtcp_sender_report(ssrc, sequence as u32),
                        'b' => [payload::rtcp_receiver_report(ssrc), payload::rtcp_bye(ssrc)].concat(),
                        'B' => payload::srtcp(&payload::rtcp_bye(ssrc), second as u32),
                        _ => payload::srtcp(&payload::rtcp_receiver_report(ssrc), second as u32),
                    };
                    scene.after_us(200).udp(from, to, rtcp);
                }
            }
            if number == 25 && now.checks && second % 5 == 0 {
                let check = scene.after_us(200).ice_check(ONE, OTHER, (&a, &b), true, |check| check);
                scene.after_us(200).ice_answer(&check, &b);
                let check = scene.after_us(200).ice_check(OTHER, ONE, (&b, &a), false, |check| check);
                scene.after_us(200).ice_answer(&check, &a);
            }
        }
    }
}

/// A call in which the one sends and the other only answers checks.
fn one_way(seconds: u64) -> Scene {
    let mut scene = Scene::new();
    scene.direct_call(ONE, OTHER, 0);
    handshake(&mut scene);
    call(&mut scene, seconds, |_| Second { media: [true, false], report: [Some('s'), None], checks: true });
    scene
}

fn started() -> Scene {
    let mut scene = Scene::new();
    scene.direct_call(ONE, OTHER, 0);
    handshake(&mut scene);
    scene
}

/// The same with descriptions of the one and of the other, which media each sends and receives.
fn agreed(seconds: u64, one: &str, other: &str) -> Report {
    let sdp = |ufrag: &str, direction: &str| {
        format!("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:{ufrag}\r\na={direction}\r\n")
    };
    let (one, other) = (sdp("aaaa", one), sdp("bbbb", other));
    support::analyze::report_told(&one_way(seconds).pcap(), &[("a.sdp", &one), ("b.sdp", &other)])
}

#[test]
fn a_side_that_never_sent_anything_is_accused_for_certain_unless_descriptions_say_that_it_need_not() {
    let confidence = |one, other| finding(&agreed(20, one, other), "media-one-way").confidence;
    assert_eq!(confidence("sendrecv", "sendrecv"), Confidence::Certain);
    assert_eq!(confidence("recvonly", "sendonly"), Confidence::Certain);
    assert_eq!(confidence("sendonly", "sendrecv"), Confidence::Likely);
    assert_eq!(confidence("sendrecv", "recvonly"), Confidence::Likely);
    assert_eq!(finding(&report(&one_way(20)), "media-one-way").confidence, Confidence::Certain);
}

#[test]
fn media_without_any_of_its_own_back_is_a_failure_where_checks_come_back() {
    let report = report(&one_way(20));
    let found = finding(&report, "media-one-way");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_eq!(failures(&report), ["media-one-way"]);
    assert_eq!(report.headline_finding.as_deref(), Some("media-one-way"));
    assert!(
        report.headline.starts_with("Media goes from 10.0.0.2:50000 to 198.51.100.7:40000 only"),
        "{}",
        report.headline
    );
    let subject = &found.subject;
    assert_eq!(subject.client.map(|end| end.to_string()).as_deref(), Some(ONE));
    assert_eq!(subject.peer.map(|end| end.to_string()).as_deref(), Some(OTHER));
    // the first and the last packet, and between them the last sign of life
    let frames: Vec<u64> = found.places.iter().map(|place| place.frame).collect();
    assert_eq!((frames.len(), frames[0]), (3, 9));
}

#[test]
fn media_that_came_back_first_and_then_stopped_with_its_reports_is_a_failure() {
    let mut scene = started();
    call(&mut scene, 40, |second| Second {
        media: [true, second < 15],
        report: [Some('s'), (second < 15).then_some('s')],
        checks: true,
    });
    let report = report(&scene);
    assert_eq!(failures(&report), ["media-one-way"]);
    assert!(finding(&report, "media-one-way").explanation.contains("media came back, and then none"));
}

#[test]
fn reports_of_packets_that_never_arrive_are_a_failure() {
    let mut scene = started();
    call(&mut scene, 30, |_| Second { media: [true, false], report: [Some('c'); 2], checks: true });
    let report = report(&scene);
    assert_eq!(failures(&report), ["media-one-way"]);
    let found = finding(&report, "media-one-way");
    assert_says(&found.title, "reports to have sent 1450 packets");
}

#[test]
fn a_spectator_who_reports_is_worth_a_note_and_no_more() {
    for kind in ['r', 's'] {
        let mut scene = started();
        call(&mut scene, 60, |_| Second { media: [true, false], report: [Some('s'), Some(kind)], checks: true });
        let report = report(&scene);
        assert!(graver(&report).is_empty(), "{:?}", ids(&report));
        assert_eq!(finding(&report, "media-one-way").severity, Severity::Note);
    }
}

#[test]
fn a_spectator_has_no_cause_in_what_ends_the_call() {
    let mut scene = started();
    call(&mut scene, 60, |_| Second { media: [true, false], report: [Some('s'), Some('r')], checks: true });
    let (one, other) = sides();
    for _ in 0..8 {
        scene.after_ms(5000).ice_check(ONE, OTHER, (&one, &other), true, |check| check);
    }
    let report = report(&scene);
    assert_eq!(failures(&report), ["ice-consent-lost"]);
    assert_eq!(finding(&report, "media-one-way").caused_by, None);
}

#[test]
fn a_side_that_mutes_itself_and_still_reports_is_worth_a_note_and_no_more() {
    for kind in ['r', 's'] {
        let mut scene = started();
        call(&mut scene, 60, |second| Second {
            media: [true, second < 20],
            report: [Some('s'), Some(if second < 20 { 's' } else { kind })],
            checks: true,
        });
        let report = report(&scene);
        assert!(graver(&report).is_empty(), "{:?}", ids(&report));
        let found = finding(&report, "media-one-way");
        assert_eq!(found.severity, Severity::Note);
        assert_says(&found.title, "goes on with RTCP");
    }
}

#[test]
fn a_report_that_is_lost_does_not_make_a_muted_side_a_silent_one() {
    // a report every seven seconds, of which the last two before the capture ends do not get here
    let muted = |silence: u64| {
        let mut scene = started();
        call(&mut scene, 48 + silence, |second| Second {
            media: [true, second < 15],
            report: [Some('s'), (second % 7 == 0 && second < 48).then_some('s')],
            checks: true,
        });
        report(&scene)
    };
    let told = muted(14);
    assert!(graver(&told).is_empty(), "{:?}", ids(&told));
    assert!(finding(&told, "media-one-way").title.contains("goes on with RTCP"));
    let told = muted(30);
    assert_eq!(failures(&told), ["media-one-way"]);
    let told = &finding(&told, "media-one-way").explanation;
    assert!(told.contains("media came back, and then none. The last RTCP came in frame"), "{told}");
    assert!(told.contains("since then it holds no RTP and no RTCP of it"), "{told}");
}

#[test]
fn what_is_short_ends_with_a_goodbye_or_comes_to_both_is_healthy() {
    assert!(!ids(&report(&one_way(8))).contains(&"media-one-way"));
    for goodbye in ['b', 'B'] {
        let mut scene = started();
        call(&mut scene, 40, |second| Second {
            media: [true, second < 15],
            report: [Some('s'), if second < 15 { Some('s') } else { (second == 15).then_some(goodbye) }],
            checks: true,
        });
        assert!(!ids(&report(&scene)).contains(&"media-one-way"));
    }
    let mut scene = started();
    call(&mut scene, 40, |_| Second { media: [true; 2], report: [Some('s'); 2], checks: true });
    assert!(graver(&report(&scene)).is_empty());
    let mut scene = started();
    call(&mut scene, 40, |second| Second { media: [true, second > 8], report: [Some('s'), None], checks: true });
    assert!(!ids(&report(&scene)).contains(&"media-one-way"), "it only began later");
}

#[test]
fn less_than_three_reports_that_never_came_make_it_likely() {
    for (seconds, confidence) in [(13, Confidence::Likely), (20, Confidence::Certain)] {
        let report = report(&one_way(seconds));
        assert_eq!(finding(&report, "media-one-way").confidence, confidence, "{seconds} s");
    }
}

#[test]
fn a_goodbye_of_who_hangs_up_excuses_nothing_that_was_before() {
    for goodbye in ['b', 'B'] {
        let mut scene = started();
        call(&mut scene, 20, |second| Second {
            media: [true, false],
            report: [Some(if second == 19 { goodbye } else { 's' }), None],
            checks: true,
        });
        let report = report(&scene);
        assert_eq!(finding(&report, "media-one-way").severity, Severity::Failure);
        assert!(report.media.items[0].rtcp.bye.is_some());
    }
}

/// A side that says nothing more from the 10th second on, and how the other goes on.
fn gone(seconds: u64, tail: impl Fn(&mut Scene, u64)) -> Report {
    let mut scene = started();
    call(&mut scene, 11, |second| Second {
        media: [true, second < 10],
        report: [Some('s'), (second < 10).then_some('s')],
        checks: second < 10,
    });
    for second in 11..seconds {
        tail(&mut scene, second);
        for number in 0..50 {
            scene.at_ms(10_000 + second * 1000 + number * 20);
            let sequence = (second * 50 + number) as u16;
            scene.udp(ONE, OTHER, payload::rtp(111, sequence, u32::from(sequence) * 960, 0xaaaa, 80));
        }
        let report = payload::srtcp(&payload::rtcp_sender_report(0xaaaa, 1), second as u32);
        scene.after_us(200).udp(ONE, OTHER, report);
    }
    report(&scene)
}

#[test]
fn a_side_of_which_nothing_comes_any_more_is_likely_cut_off_where_nobody_asks_for_its_consent() {
    let told = gone(40, |_, _| {});
    let found = finding(&told, "media-one-way");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert!(found.title.ends_with("of 198.51.100.7:40000 nothing comes any more"), "{}", found.title);
    assert!(found.explanation.contains("asks for no consent (RFC 7675)"), "{}", found.explanation);
    assert!(!ids(&gone(30, |_, _| {})).contains(&"media-one-way"), "five reports of five seconds are not missed yet");
}

#[test]
fn icmp_that_answers_media_tells_that_a_side_is_gone_for_certain() {
    let told = |times: u64| {
        gone(40, |scene, second| {
            if second < 11 + times {
                let late = scene.at_ms(10_000 + second * 1000 - 5).udp(ONE, OTHER, payload::rtp(111, 9, 9, 0xaaaa, 80));
                scene.after_ms(1).icmp_unreachable("198.51.100.7", &late);
            }
        })
    };
    let always = told(10);
    let found = finding(&always, "media-one-way");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.ends_with("does not get to 198.51.100.7:40000: ICMP port unreachable from 198.51.100.7"));
    assert!(found.explanation.contains("10 times"), "{}", found.explanation);
    assert_eq!(finding(&told(1), "media-one-way").confidence, Confidence::Likely, "one error is of the end of a call");
}

/// Plain RTP of agents that give no reports: media the other way until the 5th second, and ICMP errors from then on.
#[test]
fn icmp_that_answers_media_for_long_tells_that_a_side_is_gone_though_nobody_gives_reports() {
    let told = |errors: u64| {
        let mut scene = started();
        for number in 0..30 * 50_u64 {
            scene.at_ms(10_000 + number * 20);
            let packet = |ssrc| payload::rtp(96, number as u16, number as u32 * 960, ssrc, 80);
            let sent = scene.udp(ONE, OTHER, packet(0xaaaa));
            if number < 5 * 50 {
                scene.after_us(300).udp(OTHER, ONE, packet(0xbbbb));
            } else if number % 50 == 0 && number / 50 < 5 + errors {
                scene.after_ms(1).icmp_unreachable("198.51.100.7", &sent);
            }
        }
        report(&scene)
    };
    let report = told(25);
    let found = finding(&report, "media-one-way");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.ends_with("does not get to 198.51.100.7:40000: ICMP port unreachable from 198.51.100.7"));
    assert!(found.explanation.contains("25 times"), "{}", found.explanation);
    assert!(!ids(&told(5)).contains(&"media-one-way"), "of the end of a call there are some, too");
    assert!(!ids(&told(0)).contains(&"media-one-way"), "who gives no reports may have paused");
}

/// A call through a relay as its server sees it, which passes nothing on from the 10th second on.
#[test]
fn a_relay_that_passes_nothing_on_any_more_is_told_where_both_of_its_sides_are_seen() {
    let (login, relayed) = (alice(), "192.0.2.1:50123");
    let told = |until: u32, reports: bool| {
        let mut scene = Scene::new();
        scene.allocation(ONE, SERVER, &login, "nonce", relayed);
        let bind = scene.after_ms(20).channel_bind(ONE, SERVER, &login, "nonce", (0x4000, OTHER));
        scene.after_ms(10).granted(&bind, None, &login);
        for record in [payload::dtls_client_hello(0), payload::dtls_server_hello(0)] {
            scene.after_ms(10).channel_data(ONE, SERVER, 0x4000, &record);
            scene.after_us(200).udp(relayed, OTHER, record.clone());
            scene.after_ms(10).udp(OTHER, relayed, record.clone());
            scene.after_us(200).channel_data(SERVER, ONE, 0x4000, &record);
        }
        for number in 0..40 * 50_u32 {
            scene.at_ms(1000 + u64::from(number) * 20);
            let works = number < until * 50;
            let packet = |ssrc| match number % 200 {
                100 if reports => payload::srtcp(&payload::rtcp_sender_report(ssrc, number), number),
                _ => payload::rtp(111, number as u16, number * 960, ssrc, 80),
            };
            scene.channel_data(ONE, SERVER, 0x4000, packet(0xaaaa));
            scene.after_us(200).udp(OTHER, relayed, packet(0xbbbb));
            if works {
                scene.after_us(200).udp(relayed, OTHER, packet(0xaaaa));
                scene.after_us(200).channel_data(SERVER, ONE, 0x4000, packet(0xbbbb));
            }
        }
        report(&scene)
    };
    for reports in [true, false] {
        let report = told(10, reports);
        let found = finding(&report, "media-one-way");
        assert_eq!((found.severity, found.confidence, found.occurrences), (Severity::Failure, Confidence::Likely, 2));
        assert!(found.title.contains("on the relay passes nothing of "), "{}", found.title);
        assert_eq!(found.subject.server.map(|server| server.to_string()).as_deref(), Some(SERVER));
        assert!(!ids(&told(40, reports)).contains(&"media-one-way"));
    }
}

#[test]
fn a_side_that_is_gone_altogether_is_a_story_of_consent_where_it_is_asked_for() {
    let (a, b) = sides();
    let told = gone(50, |scene, second| {
        scene.at_ms(10_000 + second * 1000).ice_check(ONE, OTHER, (&a, &b), true, |check| check);
    });
    assert!(!ids(&told).contains(&"media-one-way"), "{:?}", ids(&told));
    assert!(ids(&told).contains(&"ice-consent-lost"), "{:?}", ids(&told));
}

#[test]
fn a_side_that_closes_its_association_or_goes_on_with_a_data_channel_is_not_gone() {
    for kind in [21, 23] {
        let told = gone(40, |scene, second| {
            if second == 11 {
                scene.at_ms(21_000).udp(OTHER, ONE, payload::dtls_record(kind, 0xFEFD, 1, 9, &[0x55; 26]));
            }
        });
        assert!(!ids(&told).contains(&"media-one-way"), "{kind}: {:?}", ids(&told));
    }
}

#[test]
fn a_side_that_was_suspended_and_checks_again_at_the_end_is_another_story() {
    let mut scene = started();
    call(&mut scene, 41, |second| Second {
        media: [true, second < 10],
        report: [Some('s'), (second < 10).then_some('s')],
        checks: second < 10 || second == 40,
    });
    assert!(!ids(&report(&scene)).contains(&"media-one-way"));
}

#[test]
fn a_capture_that_holds_one_direction_only_says_nothing() {
    let shots = degrade::shots(&one_way(20));
    for half in [degrade::from(&shots, "10.0.0.2"), degrade::from(&shots, "198.51.100.7")] {
        let report = support::analyze::report(&degrade::pcap(&half));
        assert!(!ids(&report).contains(&"media-one-way"), "{:?}", ids(&report));
    }
}

#[test]
fn a_capture_that_starts_in_the_middle_makes_it_likely() {
    let shots = degrade::shots(&one_way(40));
    let later = degrade::pcap(&shots[600..]);
    let report = support::analyze::report(&later);
    assert_eq!(finding(&report, "media-one-way").confidence, Confidence::Likely);
    assert!(failures(&report).is_empty());
}

#[test]
fn a_handshake_that_is_not_over_is_another_story() {
    let mut scene = Scene::new();
    scene.direct_call(ONE, OTHER, 0);
    scene.after_ms(10).udp(OTHER, ONE, payload::dtls_client_hello(0));
    call(&mut scene, 30, |_| Second { media: [true, false], report: [Some('s'), None], checks: true });
    assert!(!ids(&report(&scene)).contains(&"media-one-way"));
}

#[test]
fn a_sender_that_gives_no_reports_on_this_path_expects_none() {
    let mut scene = started();
    call(&mut scene, 30, |_| Second { media: [true, false], report: [None, None], checks: true });
    assert!(!ids(&report(&scene)).contains(&"media-one-way"));
}

#[test]
fn media_that_comes_back_another_way_is_healthy() {
    // from the same host, and for the same port
    for (from, to) in [("198.51.100.7:40002", "10.0.0.2:50002"), ("203.0.113.9:41000", ONE)] {
        let mut there = one_way(20);
        let mut back = Scene::new();
        back.with_other_ids().direct_call(from, to, 0);
        for number in 0..900_u32 {
            let packet = payload::rtp(111, number as u16, number * 960, 0xbbbb, 80);
            back.at_ms(10_003 + u64::from(number) * 20).udp(from, to, packet);
        }
        let merged = degrade::merged(&degrade::shots(&there), &degrade::shots(&back));
        let report = support::analyze::report(&degrade::pcap(&merged));
        assert!(!ids(&report).contains(&"media-one-way"), "{:?}", ids(&report));
        there.later(1);
    }
}

#[test]
fn agents_that_send_on_a_pair_of_their_own_each_talk_both_ways_also_where_a_nat_gives_one_of_them_two_addresses() {
    // libwebrtc over TCP: each chooses among the pairs that work, and of two of these a NAT translates one
    let scene = |same_session: bool| {
        let (mut scene, (a, b)) = (started(), sides());
        let translated = ("10.0.0.2:50001", "203.0.113.50:40001");
        let (c, d) = if same_session {
            (a.clone(), b.clone())
        } else {
            (IceSide::new("cccc", "c", 3), IceSide::new("dddd", "d", 4))
        };
        for second in 0..30u64 {
            for number in 0..50 {
                scene.at_ms(10_000 + second * 1000 + number * 20);
                let sequence = (second * 50 + number) as u16;
                let packet = |ssrc| payload::rtp(111, sequence, u32::from(sequence) * 960, ssrc, 80);
                scene.after_us(200).udp(ONE, OTHER, packet(0xaaaa));
                scene.after_us(200).udp(translated.1, translated.0, packet(0xbbbb));
                if number == 25 && second % 5 == 0 {
                    for (from, to, (one, other)) in [
                        (ONE, OTHER, (&a, &b)),
                        (OTHER, ONE, (&b, &a)),
                        (translated.0, translated.1, (&c, &d)),
                        (translated.1, translated.0, (&d, &c)),
                    ] {
                        let check =
                            scene
                                .after_us(200)
                                .ice_check(from, to, (one, other), one.ufrag < other.ufrag, |check| check);
                        scene.after_us(200).ice_answer(&check, other);
                    }
                }
                if number == 0 {
                    scene.after_us(100).udp(
                        ONE,
                        OTHER,
                        payload::srtcp(&payload::rtcp_sender_report(0xaaaa, 9), second as u32),
                    );
                }
            }
        }
        scene
    };
    assert!(graver(&report(&scene(true))).is_empty());
    assert_eq!(ids(&report(&scene(false))).iter().filter(|id| **id == "media-one-way").count(), 1, "of another call");
}

#[test]
fn both_sides_of_a_nat_tell_one_story() {
    let shots = degrade::both_sides_of_a_nat(&degrade::shots(&one_way(20)), "10.0.0.2", "203.0.113.5");
    let report = support::analyze::report(&degrade::pcap(&shots));
    assert_eq!(ids(&report).iter().filter(|id| **id == "media-one-way").count(), 1);
}

#[test]
fn media_one_way_through_a_relay_is_told_of_the_relayed_address() {
    let login = alice();
    let (a, b) = sides();
    let mut scene = Scene::new();
    scene.allocation(ONE, SERVER, &login, "nonce", "192.0.2.1:50123");
    let bind = scene.after_ms(20).channel_bind(ONE, SERVER, &login, "nonce", (0x4000, OTHER));
    scene.after_ms(10).granted(&bind, None, &login);
    for record in [payload::dtls_client_hello(0), payload::dtls_server_hello(0)] {
        scene.after_ms(10).channel_data(ONE, SERVER, 0x4000, &record);
        scene.after_ms(10).channel_data(SERVER, ONE, 0x4000, &record);
    }
    for number in 0..1000_u32 {
        scene.at_ms(1000 + u64::from(number) * 20);
        scene.channel_data(ONE, SERVER, 0x4000, payload::rtp(111, number as u16, number * 960, 0xaaaa, 80));
        if number % 100 == 50 {
            let report = payload::srtcp(&payload::rtcp_sender_report(0xaaaa, number), number);
            scene.after_ms(1).channel_data(ONE, SERVER, 0x4000, report);
            let check = support::scene::ice_check(&b, &a, false, |check| check).tid([number as u8; 12]);
            scene.after_ms(1).channel_data(SERVER, ONE, 0x4000, check.bytes());
        }
    }
    let report = report(&scene);
    let found = finding(&report, "media-one-way");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.starts_with("Media goes from 192.0.2.1:50123 to 198.51.100.7:40000 only"), "{}", found.title);
}

/// A call of a minute in which the one's packets are lost as told.
fn lossy(lost: impl Fn(u64) -> bool) -> Scene {
    let mut scene = started();
    for number in 0..3_000_u64 {
        scene.at_ms(1000 + number * 20);
        if !lost(number) {
            scene.udp(ONE, OTHER, payload::rtp(111, number as u16, number as u32 * 960, 0xaaaa, 80));
        }
        scene.after_us(300).udp(OTHER, ONE, payload::rtp(111, number as u16, number as u32 * 960, 0xbbbb, 80));
    }
    scene
}

#[test]
fn more_than_one_packet_in_twenty_missing_is_a_warning() {
    let report = report(&lossy(|number| number % 12 == 7));
    let found = finding(&report, "media-lossy");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    assert_says(&found.title, "8.3 % of its packets missing");
    assert_says(&found.explanation, "measured at the capture point");
    assert_eq!(report.headline_finding.as_deref(), Some("media-lossy"));
    assert!(failures(&report).is_empty());
}

#[test]
fn a_few_packets_missing_or_late_or_twice_are_nothing_to_speak_of() {
    assert!(graver(&report(&lossy(|number| number % 25 == 7))).is_empty());
    let shots = degrade::mirrored(&degrade::shots(&lossy(|_| false)), 5);
    assert!(graver(&support::analyze::report(&degrade::pcap(&shots))).is_empty());
}

/// As a router's capture shows it.
#[test]
fn loss_before_a_nat_is_told_once_where_the_capture_shows_both_sides_of_it() {
    for one_in in [7, 3] {
        let shots = degrade::shots(&lossy(|number| number % one_in == 2));
        let alone = support::analyze::report(&degrade::pcap(&shots));
        let both = degrade::both_sides_of_a_nat(&shots, "10.0.0.2", "203.0.113.5");
        let both = support::analyze::report(&degrade::pcap(&both));
        let told = |report: &Report| finding(report, "media-lossy").occurrences;
        assert_eq!((both.verdict, told(&both)), (alone.verdict, told(&alone)), "one in {one_in}");
    }
}

#[test]
fn an_outage_of_more_than_a_second_is_a_warning_with_its_time() {
    let report = report(&lossy(|number| (1000..1100).contains(&number)));
    let found = finding(&report, "media-lossy");
    assert!(found.title.ends_with("breaks off for 2.0 s"), "{}", found.title);
    assert_says(&found.explanation, "100 packets are missing");
}

#[test]
fn a_capture_that_missed_the_time_itself_is_not_taken_for_an_outage_for_certain() {
    let shots = degrade::shots(&lossy(|_| false));
    let cut: Vec<_> = shots[..2000].iter().chain(&shots[2300..]).cloned().collect();
    let report = support::analyze::report(&degrade::pcap(&cut));
    let found = finding(&report, "media-lossy");
    assert_eq!(found.confidence, Confidence::Likely);
    assert_says(&found.explanation, "All other media breaks off");
}

#[test]
fn silence_that_the_sender_makes_is_no_gap() {
    // discontinuous transmission: a packet every 400 ms, of which one is lost; and a long pause with a packet lost at its edge
    let mut scene = started();
    let mut now = 1000;
    for number in 0..600_u32 {
        now += match number {
            100..300 => 400,
            400 => 30_000,
            _ => 20,
        };
        if !matches!(number, 150 | 151 | 152 | 400) {
            scene.at_ms(now).udp(ONE, OTHER, payload::rtp(111, number as u16, now as u32 * 48, 0xaaaa, 80));
        }
    }
    assert!(graver(&report(&scene)).is_empty());
}

#[test]
fn a_source_that_changes_its_path_and_comes_back_has_lost_nothing() {
    let relay = "192.0.2.1:50123";
    let mut scene = started();
    scene.direct_call(ONE, relay, 0);
    for number in 0..3_000_u64 {
        let to = if number / 500 % 2 == 0 { OTHER } else { relay };
        scene.at_ms(1000 + number * 20).udp(ONE, to, payload::rtp(111, number as u16, number as u32 * 960, 0xaaaa, 80));
    }
    assert!(graver(&report(&scene)).is_empty());
}

#[test]
fn loss_between_two_places_of_a_capture_is_told_of_the_second_only() {
    let mut scene = started();
    scene.direct_call("203.0.113.5:50000", OTHER, 0);
    for number in 0..3_000_u64 {
        let packet = payload::rtp(111, number as u16, number as u32 * 960, 0xaaaa, 80);
        scene.at_ms(1000 + number * 20).udp(ONE, OTHER, packet.clone());
        if number % 10 != 3 {
            scene.after_us(200).udp("203.0.113.5:50000", OTHER, packet);
        }
    }
    let report = report(&scene);
    let found = finding(&report, "media-lossy");
    assert_eq!(found.occurrences, 1);
    assert!(found.title.starts_with("Media from 203.0.113.5:50000"), "{}", found.title);
}
