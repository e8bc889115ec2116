//! What a session remembers of media: which sources are believed, and what their sequence numbers and timestamps say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::{Scene, alice, degrade, payload};
use turnscope::analyzer::Options;
use turnscope::render::text;
use turnscope::report::{Media, MediaStream, Report, Verdict};
use turnscope::session::Limits;

const ONE: &str = "10.0.0.2:50000";
const OTHER: &str = "198.51.100.7:40000";
const SERVER: &str = "192.0.2.1:3478";

fn report(scene: &Scene) -> Report {
    support::analyze::report(&scene.pcap())
}

fn media(scene: &Scene) -> Media {
    report(scene).media
}

/// The only stream.
fn only(scene: &Scene) -> MediaStream {
    let media = media(scene);
    assert_eq!((media.total, media.items.len()), (1, 1), "{media:#?}");
    media.items.into_iter().next().unwrap()
}

/// Two agents that have checked each other.
fn call() -> Scene {
    let mut scene = Scene::new();
    scene.direct_call(ONE, OTHER, 0);
    scene
}

/// One packet of 48 kHz audio, 20 ms a number.
fn audio(number: u32) -> Vec<u8> {
    payload::rtp(111, number as u16, number.wrapping_mul(960), 0xaaaa, 80)
}

/// The packets with these numbers, 20 ms apart as if none were left out.
fn sent(numbers: impl IntoIterator<Item = u32>) -> Scene {
    let mut scene = call();
    let mut first = None;
    for number in numbers {
        let first = *first.get_or_insert(number);
        scene.at_ms(1000 + u64::from(number - first) * 20).udp(ONE, OTHER, audio(number));
    }
    scene
}

#[test]
fn a_source_is_counted_from_its_first_packet_once_two_follow_each_other() {
    assert_eq!(media(&sent([7])).total, 0);
    let stream = only(&sent(7..9));
    assert_eq!((stream.packets, stream.bytes, stream.lost), (2, 2 * 92, 0));
    assert_eq!((stream.src.to_string().as_str(), stream.dst.to_string().as_str()), (ONE, OTHER));
    assert_eq!((stream.ssrc, stream.payload_type, stream.via.len()), (0xaaaa, 111, 0));
    let frames: Vec<u64> = stream.evidence.iter().map(|place| place.frame).collect();
    assert_eq!(frames, [5, 6]);
}

#[test]
fn bytes_that_only_look_like_rtp_make_no_stream() {
    let mut scene = call();
    for number in 0..5_000_u32 {
        let random = number.wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995;
        scene.after_ms(1).udp(ONE, OTHER, payload::rtp(96, (random >> 9) as u16, random, random, 80));
    }
    let media = media(&scene);
    assert_eq!((media.total, media.unproven_packets), (0, 5_000));
}

#[test]
fn media_on_a_flow_of_which_nothing_is_known_is_not_believed() {
    let mut scene = Scene::new();
    for number in 0..50 {
        scene.after_ms(20).udp(ONE, OTHER, audio(number));
    }
    assert_eq!(media(&scene).total, 0);
}

#[test]
fn what_is_missing_in_sequence_is_lost_over_a_wrap_too() {
    let numbers = (65_500..65_700).filter(|number| !matches!(number, 65_530..=65_539 | 65_600));
    let stream = only(&sent(numbers));
    assert_eq!((stream.packets, stream.lost, stream.gaps, stream.reordered), (189, 11, 2, 0));
    assert_eq!(stream.longest_gap_us, Some(11 * 20_000));
}

#[test]
fn a_packet_that_comes_late_is_reordered_and_not_lost() {
    let mut scene = call();
    for number in [1, 2, 5, 4, 6, 3, 7] {
        scene.after_ms(20).udp(ONE, OTHER, audio(number));
    }
    let stream = only(&scene);
    assert_eq!((stream.packets, stream.lost, stream.reordered, stream.gaps), (7, 0, 2, 0));
}

#[test]
fn a_packet_before_the_first_moves_the_beginning_back() {
    let mut scene = call();
    for number in [10, 11, 8, 12] {
        scene.after_ms(20).udp(ONE, OTHER, audio(number));
    }
    let stream = only(&scene);
    assert_eq!((stream.packets, stream.lost, stream.gaps), (4, 1, 1));
}

#[test]
fn a_mirrored_copy_is_counted_once() {
    let mut scene = call();
    for number in 0..100 {
        let packet = scene.at_ms(1000 + u64::from(number) * 20).udp(ONE, OTHER, audio(number));
        scene.after_us(3).mirrored_copy(&packet);
    }
    let stream = only(&scene);
    assert_eq!((stream.packets, stream.duplicates, stream.lost, stream.reordered), (100, 100, 0, 0));
    assert_eq!(stream.jitter_us, Some(0));
}

/// A client that sends to its peer and hears from it by indications, by ChannelData that is media, and by ChannelData that is not.
fn through_a_relay() -> Scene {
    let (login, peer) = (alice(), "203.0.113.9:5000");
    let mut scene = Scene::new();
    scene.allocation(ONE, SERVER, &login, "nonce-1", "192.0.2.1:50010");
    let permit = scene.after_ms(10).create_permission(ONE, SERVER, &login, "nonce-1", peer);
    scene.after_ms(10).granted(&permit, None, &login);
    for number in 0..5_u8 {
        scene.after_ms(20).send_indication(ONE, SERVER, peer, [b'a', number]);
        scene.after_ms(1).data_indication(SERVER, ONE, peer, [b'b', number]);
    }
    scene.talk(ONE, SERVER, &login, "nonce-1", (0x4001, peer), 30);
    for _ in 0..5 {
        // the same again and again, each in a packet of its own
        scene.after_ms(1).channel_data(ONE, SERVER, 0x4001, b"ping");
        scene.after_us(100).channel_data(SERVER, ONE, 0x4001, b"pong");
    }
    scene
}

#[test]
fn what_passes_a_relay_counts_once_where_a_mirror_port_shows_it_twice() {
    let shots = support::degrade::shots(&through_a_relay());
    let once = support::analyze::report(&support::degrade::pcap(&shots));
    assert_eq!(once.allocations[0].bytes_sent, 5 * 2 + 30 * 112 + 5 * 4);
    for after in [0, 5, 500] {
        let twice = support::analyze::report(&support::degrade::pcap(&support::degrade::mirrored(&shots, after)));
        let bytes = |report: &Report| {
            let known = &report.allocations[0];
            (known.bytes_sent, known.bytes_received)
        };
        assert_eq!(bytes(&twice), bytes(&once), "{after} us apart");
        let seen = |report: &Report| (report.counts.stun.clone(), report.counts.channel_data, report.counts.rtp);
        assert_eq!(seen(&twice), seen(&once), "{after} us apart");
        assert_eq!(twice.media.items[0].duplicates, 30);
    }
}

#[test]
fn a_pause_of_the_sender_is_no_gap() {
    let mut scene = call();
    for number in 0..100_u32 {
        let pause = if number >= 50 { 4_000 } else { 0 };
        let packet = payload::rtp(111, number as u16, (number * 20 + pause) * 48, 0xaaaa, 80);
        scene.at_ms(1000 + u64::from(number * 20 + pause)).udp(ONE, OTHER, packet);
    }
    let stream = only(&scene);
    assert_eq!((stream.lost, stream.gaps, stream.longest_gap_us), (0, 0, None));
    assert_eq!((stream.longest_pause_us, stream.jitter_us), (Some(4_020_000), Some(0)));
}

#[test]
fn a_source_that_begins_anew_has_lost_nothing() {
    let mut scene = call();
    for number in (100..200).chain(40_000..40_100) {
        scene.after_ms(20).udp(ONE, OTHER, audio(number));
    }
    let stream = only(&scene);
    assert_eq!((stream.packets, stream.lost, stream.restarts), (200, 0, 1));
}

#[test]
fn thousands_of_packets_missing_are_lost_where_the_timestamps_went_on() {
    let stream = only(&sent((0..1_000).chain(6_000..7_000)));
    assert_eq!((stream.packets, stream.lost, stream.restarts, stream.gaps), (2_000, 5_000, 0, 1));
}

#[test]
fn a_stray_packet_of_the_same_source_changes_nothing() {
    let stream = only(&sent((0..100).chain([30_000]).map(|number| if number == 30_000 { 99 } else { number })));
    assert_eq!(stream.packets, 100);
    let mut scene = sent(0..100);
    scene.after_ms(20).udp(ONE, OTHER, audio(30_000));
    scene.after_ms(20).udp(ONE, OTHER, audio(100));
    let stream = only(&scene);
    assert_eq!((stream.packets, stream.lost, stream.restarts), (101, 0, 0));
}

#[test]
fn the_clock_of_a_dynamic_payload_type_is_inferred_and_gives_the_jitter() {
    let mut scene = call();
    for number in 0..500_u32 {
        let late = u64::from(number % 2) * 4;
        scene.at_ms(1000 + u64::from(number) * 20 + late).udp(ONE, OTHER, audio(number));
    }
    let stream = only(&scene);
    assert_eq!(stream.clock_rate, Some(48_000));
    assert!((3_500..=4_000).contains(&stream.jitter_us.unwrap()), "{stream:?}");
    assert!((3_900..=4_001).contains(&stream.jitter_max_us.unwrap()), "{stream:?}");
}

#[test]
fn jitter_is_not_told_where_the_clock_is_not_to_be_known() {
    let short = only(&sent(0..20));
    assert_eq!((short.jitter_us, short.clock_rate), (None, None));
    let mut scene = call();
    for number in 0..500_u32 {
        scene.after_ms(20).udp(ONE, OTHER, payload::rtp(111, number as u16, number * 7, 0xaaaa, 80));
    }
    assert_eq!(only(&scene).jitter_us, None);
}

#[test]
fn payload_types_are_all_told_and_the_usual_one_first() {
    let mut scene = call();
    for number in 0..60_u32 {
        let kind = if number < 5 || number % 10 == 0 { 126 } else { 111 };
        scene.after_ms(20).udp(ONE, OTHER, payload::rtp(kind, number as u16, number * 960, 1, 80));
    }
    let stream = only(&scene);
    assert_eq!((stream.payload_type, stream.payload_types.as_slice()), (111, &[111, 126][..]));
}

#[test]
fn many_sources_that_take_turns_are_all_believed() {
    let mut scene = call();
    for number in 0..10_u32 {
        for source in 0..200_u32 {
            scene.after_us(100).udp(ONE, OTHER, payload::rtp(111, number as u16, number * 960, source, 80));
            scene.after_us(100).udp(OTHER, ONE, payload::rtp(111, number as u16, number * 960, source, 80));
        }
    }
    let media = media(&scene);
    assert_eq!((media.total, media.omitted, media.unproven_packets), (400, 150, 0));
    assert!(media.items.iter().all(|stream| stream.packets == 10 && stream.lost == 0));
}

#[test]
fn what_goes_through_a_relay_has_the_ends_that_ice_sees() {
    let login = alice();
    let mut scene = Scene::allocated(ONE, SERVER, "nonce", "192.0.2.1:50123");
    // Chromium sends by indications until its channel is bound: the stream is the same
    for number in 0..5 {
        scene.after_ms(20).send_indication(ONE, SERVER, OTHER, audio(number));
    }
    let bind = scene.after_ms(20).channel_bind(ONE, SERVER, &login, "nonce", (0x4000, OTHER));
    scene.after_ms(10).granted(&bind, None, &login);
    for number in 5..20 {
        scene.after_ms(20).channel_data(ONE, SERVER, 0x4000, audio(number));
        scene.after_ms(2).channel_data(SERVER, ONE, 0x4000, audio(number));
    }
    let media = media(&scene);
    let told: Vec<_> = media
        .items
        .iter()
        .map(|stream| (stream.src.to_string(), stream.dst.to_string(), stream.via.join(" "), stream.packets))
        .collect();
    let row = |src: &str, dst: &str, via: &str, packets| (src.to_owned(), dst.to_owned(), via.to_owned(), packets);
    assert_eq!(told, [row("192.0.2.1:50123", OTHER, "send", 20), row(OTHER, "192.0.2.1:50123", "channel-data", 15)]);
}

#[test]
fn reports_and_a_goodbye_are_told_with_the_stream() {
    let mut scene = sent(0..60);
    scene.after_ms(5).udp(ONE, OTHER, payload::srtcp(&payload::rtcp_sender_report(0xaaaa, 60), 1));
    scene.after_ms(5).udp(ONE, OTHER, payload::srtcp(&payload::rtcp_receiver_report(0xaaaa), 2));
    scene.after_ms(5).udp(OTHER, ONE, payload::rtcp_receiver_report(0xbbbb));
    let stream = only(&scene);
    assert_eq!((stream.rtcp.sender_reports, stream.rtcp.others, stream.rtcp.bye.is_some()), (1, 1, false));
    let compound = [payload::rtcp_receiver_report(0xaaaa), payload::rtcp_bye(0xaaaa)].concat();
    let bye = scene.after_ms(5).udp(ONE, OTHER, compound);
    assert_eq!(only(&scene).rtcp.bye.map(|place| place.frame), Some(bye.frame));
}

#[test]
fn a_full_table_gives_up_the_idle_streams_and_says_how_many() {
    let mut scene = Scene::new();
    for caller in 0..100_u32 {
        let one = format!("10.0.1.{caller}:50000");
        scene.direct_call(&one, OTHER, 2);
    }
    let limits = Limits { streams: 16, ..Limits::default() };
    let media = support::analyze::report_of(&scene.pcap(), Options { limits, ..Options::default() }).media;
    assert_eq!((media.total, media.items.len() as u64), (200, 200 - media.omitted));
    assert!((16..=32).contains(&media.items.len()), "{}", media.items.len());
}

#[test]
fn the_text_gives_a_stream_one_line_at_80_columns() {
    let mut scene = sent((0..3_000).filter(|number| number % 7 != 3));
    for number in 0..3_000_u32 {
        let packet = payload::rtp(96, number as u16, number * 3600, 0xbbbb, 1100);
        scene.at_ms(1000 + u64::from(number) * 40).udp(OTHER, ONE, packet);
    }
    let options = text::Options { width: 80, ..text::Options::default() };
    let text = text::report(&report(&scene), &options);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Media  RTP")).take(6).collect();
    assert_eq!(
        lines,
        [
            "Media  RTP as it passed the capture point",
            "    ssrc        payload type  packets     bytes          lost  jitter  duration",
            "  10.0.0.2:50000 → 198.51.100.7:40000",
            "    0x0000aaaa           111     2571  236.5 kB  428 (14.2 %)    0 µs    59.9 s",
            "  198.51.100.7:40000 → 10.0.0.2:50000",
            "    0x0000bbbb            96     3000    3.3 MB             0    0 µs   119.9 s",
        ]
    );
}

#[test]
fn media_through_a_relay_is_listed_once_where_the_capture_shows_both_sides_of_a_nat() {
    let login = alice();
    let mut scene = Scene::allocated(ONE, SERVER, "nonce-1", "192.0.2.1:24000");
    scene.talk(ONE, SERVER, &login, "nonce-1", (0x4000, OTHER), 50);
    let once = media(&scene);
    let both = degrade::both_sides_of_a_nat(&degrade::shots(&scene), "10.0.0.2", "203.0.113.9");
    let told = support::analyze::report(&degrade::pcap(&both)).media;
    let of = |media: &Media| {
        let items = media.items.iter().map(|item| (item.src, item.dst, item.ssrc, item.packets));
        (media.total, media.omitted, items.collect::<Vec<_>>())
    };
    assert_eq!(of(&told), of(&once));
    assert_eq!(told.total, 2);
}

#[test]
fn rtp_of_a_call_of_which_the_capture_holds_nothing_else_is_told_as_that() {
    let told = |follows: u16| {
        let mut scene = Scene::new();
        for number in 0..200_u16 {
            for (from, to, ssrc) in [(ONE, OTHER, 0xaaaa), (OTHER, ONE, 0xbbbb)] {
                let packet = payload::rtp(111, number.wrapping_mul(follows), u32::from(number) * 960, ssrc, 80);
                scene.after_ms(10).udp(from, to, packet);
            }
        }
        report(&scene)
    };
    let call = told(1);
    assert_eq!(call.verdict, Verdict::NothingFound);
    assert!(call.headline.contains("only RTP: the call was set up before the capture began"), "{}", call.headline);
    assert_eq!(call.counts.skipped.get("RTP without STUN or DTLS before it"), Some(&400));
    let noise = told(7919);
    assert!(noise.counts.skipped.is_empty(), "{:?}", noise.counts.skipped);
    assert!(noise.headline.starts_with("No STUN, TURN or DTLS in 400 frames."), "{}", noise.headline);
}
