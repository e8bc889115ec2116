//! Bodies of handshake messages, built by hand from the RFCs' layouts, and certificates that OpenSSL made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use turnscope::problem::{Layer, Problem};
use turnscope::time::Timestamp;
use turnscope::wire::handshake::certificate::{Fingerprint, HashFunction, KeyType, NotACertificate, Summary};
use turnscope::wire::handshake::*;

const EC: &[u8] = include_bytes!("certificates/ec.der");
const RSA: &[u8] = include_bytes!("certificates/rsa.der");
const ED25519: &[u8] = include_bytes!("certificates/ed25519.der");

fn vec8(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn vec24(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[1..], bytes].concat()
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn extension(kind: u16, contents: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(contents)].concat()
}

fn client_extensions() -> Vec<u8> {
    [
        extension(0x1a1a, &[]),
        extension(0, &vec16(&[&[0][..], &vec16(b"turn.example.org")].concat())),
        extension(1, &[2]),
        extension(10, &vec16(&words(&[0x2a2a, 0x11ec, 0x001d, 0x0017]))),
        extension(11, &vec8(&[0])),
        extension(13, &vec16(&words(&[0x0403, 0x0804]))),
        extension(14, &[vec16(&words(&[7, 8, 1])), vec8(&[])].concat()),
        extension(16, &vec16(&[vec8(b"webrtc"), vec8(b"c-webrtc")].concat())),
        extension(22, &[]),
        extension(23, &[]),
        extension(28, &[0x40, 0]),
        extension(43, &vec8(&words(&[0xfefc, 0xfefd]))),
        extension(44, &vec16(b"cookie")),
        extension(51, &vec16(&[words(&[0x001d]), vec16(&[9; 32])].concat())),
        extension(54, &vec8(&[1, 2, 3])),
        extension(61, &[]),
        extension(65281, &vec8(&[])),
        extension(35, b"ticket"),
    ]
    .concat()
}

fn client_hello(protocol: Protocol, extensions: &[u8]) -> Vec<u8> {
    let cookie = if protocol == Protocol::Dtls { vec8(b"biscuit") } else { Vec::new() };
    [
        &words(&[if protocol == Protocol::Dtls { 0xfefd } else { 0x0303 }])[..],
        &[5; 32],
        &vec8(&[1, 2]),
        &cookie,
        &vec16(&words(&[0x3a3a, 0x1301, 0xc02b, 0x00ff])),
        &vec8(&[0]),
        &vec16(extensions),
    ]
    .concat()
}

fn server_hello(random: [u8; 32], extensions: &[u8]) -> Vec<u8> {
    [&words(&[0xfefd])[..], &random, &vec8(&[]), &words(&[0xc02b]), &[0], &vec16(extensions)].concat()
}

fn parse(kind: HandshakeType, body: &[u8]) -> Result<Message<'_>, Problem> {
    Message::parse(kind, body, Protocol::Dtls, Some((Version::DTLS_1_2, CipherSuite(0xc02b))))
}

#[test]
fn a_client_hello_tells_everything_that_it_offers() {
    for protocol in [Protocol::Dtls, Protocol::Tls] {
        let body = client_hello(protocol, &client_extensions());
        let hello = ClientHello::parse(&body, protocol).unwrap();
        assert_eq!((hello.random, hello.session_id, hello.compression), (&[5; 32], &[1, 2][..], &[0][..]));
        assert_eq!(hello.cookie, if protocol == Protocol::Dtls { &b"biscuit"[..] } else { &[] });
        let suites: Vec<String> = hello.cipher_suites().map(|suite| suite.to_string()).collect();
        assert_eq!(suites[..2], ["GREASE (0x3a3a)", "TLS_AES_128_GCM_SHA256"]);
        let told: Vec<String> = hello.extensions.map(|one| format!("{:?}", one.decode().unwrap())).collect();
        let expected = [
            "Opaque([])",
            &format!("HostName({:?})", b"turn.example.org"),
            "MaxFragmentLength(1024)",
            "Groups([0x2a2a, X25519MLKEM768, x25519, secp256r1])",
            "PointFormats([0])",
            "SignatureSchemes([ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256])",
            "Srtp { profiles: [SrtpProfile(7), SrtpProfile(8), SrtpProfile(1)], mki: [] }",
            "Alpn([\"webrtc\", \"c-webrtc\"])",
            "Flag",
            "Flag",
            "RecordSizeLimit(16384)",
            "Versions([DTLS 1.3, DTLS 1.2])",
            &format!("Cookie({:?})", b"cookie"),
            "KeyShares([KeyShare(x25519, 32 bytes)])",
            "ConnectionId([1, 2, 3])",
            "Flag",
            "RenegotiationInfo([])",
            &format!("Opaque({:?})", b"ticket"),
        ];
        for (told, expected) in told.iter().zip(expected) {
            assert_eq!(told.replace("GREASE (0x2a2a)", "0x2a2a"), expected);
        }
        assert_eq!(told.len(), expected.len());
    }
}

#[test]
fn a_server_hello_tells_what_was_chosen_and_a_retry_what_is_wanted() {
    let body = server_hello([3; 32], &extension(14, &[vec16(&words(&[7])), vec8(&[])].concat()));
    let Message::ServerHello(hello) = parse(HandshakeType::SERVER_HELLO, &body).unwrap() else { panic!() };
    assert_eq!(
        (hello.negotiated(), hello.cipher_suite, hello.is_retry()),
        (Version::DTLS_1_2, CipherSuite(0xc02b), false)
    );
    let Some(Value::Srtp { mut profiles, .. }) = hello.extensions.value(ExtensionType::USE_SRTP) else { panic!() };
    assert_eq!(profiles.next().unwrap().to_string(), "SRTP_AEAD_AES_128_GCM");
    let share = extension(51, &[words(&[0x001d]), vec16(&[9; 32])].concat());
    let body = server_hello([3; 32], &[extension(43, &words(&[0xfefc])), share].concat());
    let hello = ServerHello::parse(&body, Protocol::Dtls).unwrap();
    assert_eq!(hello.negotiated(), Version::DTLS_1_3);
    assert!(
        matches!(hello.extensions.value(ExtensionType::KEY_SHARE), Some(Value::KeyShare(share)) if share.group == NamedGroup::X25519)
    );
    let body = server_hello(HELLO_RETRY_RANDOM, &extension(51, &words(&[0x0017])));
    let hello = ServerHello::parse(&body, Protocol::Dtls).unwrap();
    assert!(hello.is_retry());
    assert!(matches!(
        hello.extensions.value(ExtensionType::KEY_SHARE),
        Some(Value::SelectedGroup(NamedGroup::SECP256R1))
    ));
    let none = &server_hello([3; 32], &[])[..38];
    assert_eq!(ServerHello::parse(none, Protocol::Dtls).unwrap().extensions.count(), 0, "no list at all is legal");
}

#[test]
fn the_other_messages_are_read_by_what_the_server_chose() {
    let ecdhe = [&[3][..], &words(&[0x001d]), &vec8(&[9; 32]), &words(&[0x0403]), &vec16(&[7; 70])].concat();
    let Message::ServerKeyExchange(ServerKeyExchange::Ecdhe { group, key, signed }) =
        parse(HandshakeType::SERVER_KEY_EXCHANGE, &ecdhe).unwrap()
    else {
        panic!()
    };
    assert_eq!((group, key.len()), (NamedGroup::X25519, 32));
    assert_eq!(signed.unwrap().scheme, Some(SignatureScheme::ECDSA_SECP256R1_SHA256));
    let dhe = [vec16(&[0xff; 256]), vec16(&[2]), vec16(&[1; 256]), words(&[0x0401]), vec16(&[7; 256])].concat();
    let chosen = Some((Version::DTLS_1_2, CipherSuite(0x009e)));
    let read = Message::parse(HandshakeType::SERVER_KEY_EXCHANGE, &dhe, Protocol::Dtls, chosen).unwrap();
    assert!(matches!(read, Message::ServerKeyExchange(ServerKeyExchange::Dhe { bits: 2048, .. })));
    let old = [&[3][..], &words(&[0x0017]), &vec8(&[4; 65]), &vec16(&[7; 70])].concat();
    let chosen = Some((Version::DTLS_1_0, CipherSuite(0xc009)));
    let read = Message::parse(HandshakeType::SERVER_KEY_EXCHANGE, &old, Protocol::Dtls, chosen).unwrap();
    assert!(
        matches!(read, Message::ServerKeyExchange(ServerKeyExchange::Ecdhe { signed: Some(s), .. }) if s.scheme.is_none())
    );
    let request = [vec8(&[64, 1]), vec16(&words(&[0x0403])), vec16(&[])].concat();
    let Message::CertificateRequest(request) = parse(HandshakeType::CERTIFICATE_REQUEST, &request).unwrap() else {
        panic!()
    };
    assert_eq!((request.types, request.schemes.unwrap().len()), (&[64, 1][..], 1));
    let verify = [words(&[0x0403]), vec16(&[7; 70])].concat();
    assert!(matches!(parse(HandshakeType::CERTIFICATE_VERIFY, &verify), Ok(Message::CertificateVerify(_))));
    let exchange = vec8(&[4; 65]);
    let read = parse(HandshakeType::CLIENT_KEY_EXCHANGE, &exchange);
    assert!(matches!(read, Ok(Message::ClientKeyExchange(ClientKeyExchange::Ecdhe(key))) if key.len() == 65));
    let ticket = [&[0, 0, 0x1c, 0x20][..], &vec16(b"ticket")].concat();
    assert!(
        matches!(parse(HandshakeType::NEW_SESSION_TICKET, &ticket), Ok(Message::NewSessionTicket(t)) if t.lifetime == 7200)
    );
    let again = [words(&[0xfeff]), vec8(&[8; 20])].concat();
    assert!(
        matches!(parse(HandshakeType::HELLO_VERIFY_REQUEST, &again), Ok(Message::HelloVerifyRequest(r)) if r.cookie.len() == 20)
    );
    assert!(matches!(parse(HandshakeType::SERVER_HELLO_DONE, &[]), Ok(Message::ServerHelloDone)));
    assert!(parse(HandshakeType::SERVER_HELLO_DONE, &[1]).is_err());
    assert!(matches!(parse(HandshakeType::FINISHED, &[0; 12]), Ok(Message::Finished(_))));
    assert!(matches!(parse(HandshakeType(77), &[0; 12]), Ok(Message::Other(HandshakeType(77), _))));
}

#[test]
fn a_cut_at_any_byte_names_the_place_of_the_first_field_that_is_missing() {
    let hello = client_hello(Protocol::Dtls, &client_extensions());
    let chain = vec24(&[vec24(EC), vec24(RSA)].concat());
    for (kind, body) in [(HandshakeType::CLIENT_HELLO, &hello), (HandshakeType::CERTIFICATE, &chain)] {
        assert!(parse(kind, body).is_ok());
        let without_extensions = hello.len() - 2 - client_extensions().len();
        for cut in 0..body.len() {
            match parse(kind, &body[..cut]) {
                Err(problem) => {
                    assert_eq!(problem.layer, Layer::Dtls);
                    assert!(problem.offset as usize <= cut && problem.present < problem.needed, "{cut}: {problem}");
                }
                Ok(_) => assert!(kind == HandshakeType::CLIENT_HELLO && cut == without_extensions, "{cut}"),
            }
        }
        let longer = [&body[..], &[0]].concat();
        assert!(parse(kind, &longer).unwrap_err().what.contains("after the last field"));
    }
}

#[test]
fn what_is_wrong_inside_an_extension_is_told_by_its_place_in_the_body() {
    for (kind, contents) in
        [(10, &[0, 3, 0, 1, 2][..]), (1, &[9]), (14, &[0, 2, 0]), (16, &[0, 3, 9, 1, 1]), (43, &[9]), (23, &[1])]
    {
        let body = client_hello(Protocol::Dtls, &extension(kind, contents));
        let hello = ClientHello::parse(&body, Protocol::Dtls).unwrap();
        let extension = { hello.extensions }.next().unwrap();
        assert_eq!(&body[extension.offset..], contents);
        let problem = extension.decode().unwrap_err();
        assert!((extension.offset..=body.len()).contains(&(problem.offset as usize)), "{kind}: {problem}");
        assert!(hello.extensions.value(extension.kind).is_none());
    }
}

#[test]
fn certificates_say_what_openssl_says_of_them() {
    let chain = vec24(&[vec24(EC), vec24(RSA)].concat());
    let Message::Certificate(chain) = parse(HandshakeType::CERTIFICATE, &chain).unwrap() else { panic!() };
    assert_eq!(chain.collect::<Vec<_>>(), [EC, RSA]);
    let ec = Summary::of(EC).unwrap();
    assert_eq!((ec.subject.as_str(), ec.issuer.as_str(), ec.serial.as_str()), ("CN=WebRTC", "CN=WebRTC", "1234"));
    assert_eq!(ec.names, ["turn.example.org", "192.0.2.1"]);
    assert_eq!((ec.key.to_string().as_str(), ec.signature.as_str()), ("EC secp256r1", "ecdsa-with-SHA256"));
    assert!(ec.self_signed);
    assert_eq!(ec.not_after, Timestamp(1_797_827_108_000_000_000));
    assert_eq!(ec.not_before.after(turnscope::time::Span::from_secs(30 * 86_400)), ec.not_after);
    assert!(ec.is_valid_at(ec.not_before) && !ec.is_valid_at(Timestamp(0)));
    let rsa = Summary::of(RSA).unwrap();
    assert_eq!(rsa.key, KeyType::Rsa(2048));
    assert!(rsa.subject.contains("turn.example.org") && rsa.subject.contains("Example"), "{}", rsa.subject);
    assert_eq!((rsa.names.len(), rsa.signature.as_str()), (0, "sha256WithRSAEncryption"));
    assert_eq!(Summary::of(ED25519).unwrap().key, KeyType::Ed25519);
}

#[test]
fn fingerprints_are_written_and_read_as_session_descriptions_have_them() {
    let ec = "sha-256 3F:91:0E:88:F2:0B:4C:E9:6E:4A:29:5F:D6:F3:E3:FA:DE:98:D2:2A:72:DB:24:02:0F:A9:52:1E:02:92:14:FA";
    assert_eq!(Fingerprint::of(EC).to_string(), ec);
    let rsa = "sha-1 D6:48:7B:99:72:C9:13:4C:F8:A1:54:74:C1:7E:98:BC:8F:FC:E1:D2";
    assert_eq!(Fingerprint::with(HashFunction::Sha1, RSA).to_string(), rsa);
    assert_eq!(ec.to_lowercase().parse(), Ok(Fingerprint::of(EC)));
    assert_eq!(rsa.parse(), Ok(Fingerprint::with(HashFunction::Sha1, RSA)));
    for bad in
        ["", "sha-256", "sha-256 AB", "md5 AB:CD", &ec[..ec.len() - 3], &format!("{ec}:00"), &ec.replace("3F", "+F")]
    {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
    }
    for function in
        [HashFunction::Sha1, HashFunction::Sha224, HashFunction::Sha256, HashFunction::Sha384, HashFunction::Sha512]
    {
        let fingerprint = Fingerprint::with(function, EC);
        assert_eq!(fingerprint.digest().len(), function.length());
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }
}

#[test]
fn a_certificate_cut_anywhere_is_none_and_still_has_a_fingerprint() {
    for cut in 0..EC.len() {
        assert_eq!(Summary::of(&EC[..cut]), Err(NotACertificate), "{cut}");
        let _ = Fingerprint::of(&EC[..cut]);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_body_of_any_type_without_harm(
        kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..300), suite in any::<u16>(), flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..6),
    ) {
        let chosen = Some((Version::DTLS_1_2, CipherSuite(suite)));
        for protocol in [Protocol::Dtls, Protocol::Tls] {
            let _ = Message::parse(HandshakeType(kind), &body, protocol, chosen);
            let mut hello = client_hello(protocol, &client_extensions());
            for (at, byte) in &flips {
                let at = at.index(hello.len());
                hello[at] = *byte;
            }
            if let Ok(hello) = ClientHello::parse(&hello, protocol) {
                for extension in hello.extensions {
                    let _ = extension.decode().map(|value| format!("{value:?}"));
                }
            }
        }
        let mut der = EC.to_vec();
        for (at, byte) in &flips {
            let at = at.index(der.len());
            der[at] = *byte;
        }
        let _ = Summary::of(&der);
    }
}
