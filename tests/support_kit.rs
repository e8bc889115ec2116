//! The test kit against the published vectors: what it builds is what the RFCs print.

mod support;

use support::{IceSide, Icmp, Login, Scene, Stun, attribute, hex, method, payload};

const RFC_5769_PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const RFC_5769_ID: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

#[test]
fn the_request_of_rfc_5769_section_2_1_is_built_to_the_byte() {
    let built = Stun::request(method::BINDING)
        .tid(RFC_5769_ID)
        .software("STUN test client")
        .priority(0x6E00_01FF)
        .controlled(0x932F_F9B1_5126_3B36)
        .padded_with(b' ', attribute::USERNAME, "evtj:h6vY")
        .integrity_short_term(RFC_5769_PASSWORD)
        .fingerprint()
        .bytes();
    let printed = hex("000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74
        002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020
        000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf");
    assert_eq!(built, printed);
}

#[test]
fn the_ipv4_response_of_rfc_5769_section_2_2_is_built_to_the_byte() {
    let built = Stun::success(method::BINDING)
        .tid(RFC_5769_ID)
        .padded_with(b' ', attribute::SOFTWARE, "test vector")
        .xor_mapped("192.0.2.1:32853")
        .integrity_short_term(RFC_5769_PASSWORD)
        .fingerprint()
        .bytes();
    let printed = hex("0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220
        002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96");
    assert_eq!(built, printed);
}

#[test]
fn the_ipv6_response_of_rfc_5769_section_2_3_is_built_to_the_byte() {
    let built = Stun::success(method::BINDING)
        .tid(RFC_5769_ID)
        .padded_with(b' ', attribute::SOFTWARE, "test vector")
        .xor_mapped("[2001:db8:1234:5678:11:2233:4455:6677]:32853")
        .integrity_short_term(RFC_5769_PASSWORD)
        .fingerprint()
        .bytes();
    let printed = hex("010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220
        002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed41
        80280004c8fb0b4c");
    assert_eq!(built, printed);
}

#[test]
fn the_long_term_request_of_rfc_5769_section_2_4_is_built_to_the_byte() {
    let user = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
    let login = Login::new(user, "example.org", "TheMatrIX");
    assert_eq!(login.key(), hex("e8ca7ad59d5eb0518e312911d2dab2a9"));
    let built = Stun::request(method::BINDING)
        .tid(hex("78ad3433c6ad72c029da412e").try_into().unwrap())
        .username(user)
        .nonce("f//499k954d6OL34oL9FSTvy64sA")
        .realm("example.org")
        .integrity(login.key())
        .bytes();
    let printed = hex("000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000
        0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341
        0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666");
    assert_eq!(built, printed);
}

#[test]
fn sha256_integrity_of_the_corrected_message_of_rfc_8489_appendix_b_1_comes_out_as_computed() {
    let user = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
    let built = Stun::request(method::BINDING)
        .tid(hex("78ad3433c6ad72c029da412e").try_into().unwrap())
        .userhash(user, "example.org")
        .nonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA")
        .realm("example.org")
        .integrity_sha256(support::stun::sha256_key(user, "example.org", "TheMatrIX"))
        .bytes();
    assert_eq!(built[..4], hex("00010088"));
    assert!(built.ends_with(&hex("234112fbd4e27f983eb4032836f998216f5b23f8d927753fbc4f882bfbdf0dec")));
}

#[test]
fn integrity_covers_the_length_up_to_itself_when_more_follows() {
    let key = hex("1681d54a2f2fdf6e77677f8758a6e1a8");
    let built = Stun::request(method::ALLOCATE)
        .tid(hex("000102030405060708090a0b").try_into().unwrap())
        .requested_transport(17)
        .username("1767225600:alice")
        .realm("example.org")
        .nonce("0123456789abcdef")
        .integrity(&key)
        .integrity_sha256(&key)
        .fingerprint()
        .bytes();
    let printed = hex("000300842112a442000102030405060708090a0b001900041100000000060010313736373232353630303a616c69
        63650014000b6578616d706c652e6f72670000150010303132333435363738396162636465660008
        0014777ecf96b51bf4a878e8fc1228a0ca6f758a869a001c0020aa9214df910bdf6237e65ee772c028a9fc1ae978e9dbaba2da
        153371e62d40f8802800045c18ab4d");
    assert_eq!(built, printed);
}

#[test]
fn an_answer_bears_the_method_and_transaction_of_its_request() {
    let request = Stun::request(method::CREATE_PERMISSION).tid(*b"twelve bytes").bytes();
    let answer = Stun::error_to(&request, 403, "Forbidden").bytes();
    assert_eq!(answer[..2], [0x01, 0x18]);
    assert_eq!(answer[8..20], *b"twelve bytes");
    let classic = Stun::request(method::BINDING).classic([7; 16]).bytes();
    assert_eq!(Stun::success_to(&classic).bytes()[4..20], [7; 16]);
}

#[test]
fn a_scene_is_the_same_capture_every_time() {
    let story = |scene: &mut Scene| {
        let login = Login::new("alice", "example.org", "north");
        scene.allocation("10.0.0.2:50000", "192.0.2.1:3478", &login, "nonce", "192.0.2.1:50123");
        scene.pcapng()
    };
    assert_eq!(story(&mut Scene::new()), story(&mut Scene::new()));
}

#[test]
fn requests_of_a_scene_have_distinct_transactions_and_their_retransmissions_the_same() {
    let mut scene = Scene::new();
    let first = scene.allocate("10.0.0.2:50000", "192.0.2.1:3478");
    let second = scene.allocate("10.0.0.2:50000", "192.0.2.1:3478");
    assert_ne!(first.transaction_id(), second.transaction_id());
    let again = scene.after_ms(500).retransmit(&first);
    assert_eq!(again.payload, first.payload);
    assert_ne!(again.packet, first.packet, "a retransmission is a new IP packet");
    assert_eq!(again.frame, 3);
}

#[test]
fn repeated_requests_follow_the_timer_of_rfc_8489() {
    let mut scene = Scene::new();
    scene.send_repeatedly("10.0.0.2:50000", "192.0.2.1:3478", Stun::request(method::BINDING), 7);
    let start = support::scene::NEW_YEAR * 1_000_000_000;
    let times: Vec<u64> = scene.frames().map(|(time, _, _)| (time - start) / 1_000_000).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15500, 31500]);
}

#[test]
fn checksums_of_the_frames_add_up_to_all_ones() {
    let mut scene = Scene::new();
    let sent = scene.udp("10.0.0.2:50000", "192.0.2.1:3478", b"odd".to_vec());
    let words = |bytes: &[u8]| {
        let sum: u32 =
            bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
        (sum & 0xFFFF) + (sum >> 16)
    };
    assert_eq!(words(&sent.packet[..20]), 0xFFFF);
    let mut covered = sent.packet[12..20].to_vec();
    covered.extend([0, 17, 0, 11]);
    covered.extend(&sent.packet[20..]);
    assert_eq!(words(&covered), 0xFFFF);
}

#[test]
fn a_snapped_frame_says_how_long_it_was() {
    let mut scene = Scene::new();
    scene.snap_length(60);
    scene.udp("10.0.0.2:50000", "192.0.2.1:3478", vec![0; 100]);
    let (_, kept, whole) = scene.frames().next().unwrap();
    assert_eq!((kept.len(), whole), (60, 142));
}

#[test]
fn fragments_carry_the_whole_datagram_between_them() {
    let mut scene = Scene::new();
    scene.udp_in_fragments("10.0.0.2:50000", "192.0.2.1:3478", &[7; 3000], 1480, |_| true);
    let bodies: usize = scene.frames().map(|(_, bytes, _)| bytes.len() - 34).sum();
    assert_eq!((scene.last_frame(), bodies), (3, 3008));
}

/// Writes one capture with a bit of everything to the path in `SCENE_OUT`, for looking at it with tshark by hand.
#[test]
#[ignore = "writes a file for a person to look at"]
fn write_a_scene_to_look_at() {
    let login = Login::new("alice", "example.org", "north");
    let (client, server, peer) = ("10.0.0.2:50000", "192.0.2.1:3478", "198.51.100.7:40000");
    let (left, right) =
        (IceSide::new("Lfrg", "left-password-of-22-chars", 1), IceSide::new("Rfrg", "right-password-of-22-chr", 2));
    let mut scene = Scene::new();
    scene.allocation(client, server, &login, "nonce-1", "192.0.2.1:50123");
    let permission = scene.after_ms(5).create_permission(client, server, &login, "nonce-1", peer);
    scene.after_ms(5).granted(&permission, None, &login);
    let bind = scene.after_ms(5).channel_bind(client, server, &login, "nonce-1", (0x4000, peer));
    scene.after_ms(5).granted(&bind, None, &login);
    let check = support::scene::ice_check(&left, &right, true, Stun::use_candidate).tid(*b"nested check");
    scene.after_ms(5).channel_data(client, server, 0x4000, check.bytes());
    scene.after_ms(5).send_indication(client, server, peer, check.bytes());
    scene.after_ms(5).data_indication(
        server,
        client,
        peer,
        Stun::success_to(&check.bytes()).xor_mapped(client).bytes(),
    );
    let direct = scene.after_ms(5).ice_check(client, peer, (&left, &right), false, |check| check);
    scene.after_ms(5).ice_answer(&direct, &right);
    scene.after_ms(5).icmp_unreachable("203.0.113.1", &direct);
    scene.after_ms(5).icmp("203.0.113.1", Icmp::TooBig(1400), &direct);
    scene.on_vlans(&[100, 7]).after_ms(5).udp(client, peer, payload::dtls_client_hello(0));
    scene.after_ms(5).udp(peer, client, payload::dtls_server_hello(0));
    scene.after_ms(5).udp(client, peer, payload::dtls_alert(2, 42));
    scene.on_vlans(&[]).after_ms(5).udp(client, peer, payload::rtp(96, 1, 2, 3, 100));
    scene.after_ms(5).udp("10.0.0.2:5353", "10.0.0.1:53", payload::dns_query(7, "turn.example.org"));
    scene.udp_in_fragments(
        client,
        server,
        &Stun::request(method::BINDING).attribute(0x0026, vec![0; 2000]).bytes(),
        1480,
        |_| true,
    );
    let lost = scene.after_ms(5).allocate("[2001:db8::2]:50000", "[2001:db8::1]:3478");
    scene.after_ms(5).icmp("2001:db8::ff", Icmp::Prohibited, &lost);
    let flags = support::packet::SYN;
    scene.tcp(client, server, (1000, 0), flags, &[]);
    let refresh = scene.after_ms(5).refresh(client, server, &login, "nonce-1", 0);
    scene
        .after_ms(5)
        .refuse_with(&refresh, 437, "Allocation Mismatch", |error| error.integrity(login.key()).fingerprint_wrong());
    let path = std::env::var("SCENE_OUT").expect("SCENE_OUT names the file");
    std::fs::write(&path, if path.ends_with("ng") { scene.pcapng() } else { scene.pcap() }).unwrap();
}
