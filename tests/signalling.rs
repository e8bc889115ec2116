//! Session descriptions: what is read of files as people have them, and how they are held against the packets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use std::net::IpAddr;
use turnscope::session::credentials::{Credentials, Kind};
use turnscope::session::signalling::compare::{self, Certificate, Role};
use turnscope::session::signalling::{
    Description, DescriptionKind, Fingerprint, Read, Setup, Signalling, looks_like_one, read,
};
use turnscope::wire::handshake::certificate::{Fingerprint as Digest, HashFunction};

const PRINT: &str = "FA:C5:D3:F4:D7:E5:9C:CE:1B:83:FF:01:AD:DD:45:DB:A8:56:9B:9D:0A:FD:3E:99:43:90:B7:96:22:0D:14:21";
const OTHER: &str = "00:C5:D3:F4:D7:E5:9C:CE:1B:83:FF:01:AD:DD:45:DB:A8:56:9B:9D:0A:FD:3E:99:43:90:B7:96:22:0D:14:21";

fn offer() -> String {
    format!(
        "v=0\r\no=- 3209 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\nm=audio 51905 UDP/TLS/RTP/SAVPF 111\r\n\
         c=IN IP4 203.0.113.50\r\na=candidate:3663514078 1 udp 2122260223 192.168.1.10 51905 typ host generation 0\r\n\
         a=candidate:1964386528 1 udp 1686052607 203.0.113.50 51905 typ srflx raddr 192.168.1.10 rport 51905 generation 0\r\n\
         a=ice-ufrag:HrPv\r\na=ice-pwd:L48uuxNXDK4jrITFnq5Ur5x2\r\na=fingerprint:sha-256 {PRINT}\r\na=setup:actpass\r\na=mid:0\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:HrPv\r\na=ice-pwd:L48uuxNXDK4jrITFnq5Ur5x2\r\n\
         a=fingerprint:sha-256 {PRINT}\r\na=setup:actpass\r\na=mid:1\r\n"
    )
}

fn answer() -> String {
    offer()
        .replace("HrPv", "mZ4r")
        .replace("L48uuxNXDK4jrITFnq5Ur5x2", "pCfJ0123456789abcdefgh")
        .replace("actpass", "active")
}

fn told(text: &str) -> Read {
    read(text.as_bytes(), "calls/answer.sdp").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn ufrags(read: &Read) -> Vec<&str> {
    read.descriptions.iter().map(|(told, _)| told.ufrag.as_str()).collect()
}

fn only(read: &Read) -> &Description {
    assert_eq!(read.descriptions.len(), 1, "{:?}", ufrags(read));
    &read.descriptions[0].0
}

#[test]
fn a_description_tells_ufrag_password_fingerprint_setup_and_candidates() {
    let read = told(&offer());
    let description = only(&read);
    assert_eq!(description.ufrag, "HrPv");
    assert_eq!(read.descriptions[0].1.as_ref().unwrap().expose(), b"L48uuxNXDK4jrITFnq5Ur5x2");
    assert_eq!(description.setup, Some(Setup::ActPass));
    assert_eq!(description.fingerprints, [Fingerprint { hash: "sha-256".into(), value: PRINT.into() }]);
    assert_eq!(description.media, ["audio", "application"]);
    assert!(description.has_password && !description.lite && read.warnings.is_empty());
    let [host, srflx] = description.candidates.as_slice() else { panic!("{:?}", description.candidates) };
    assert_eq!((host.address.clone(), host.port, host.kind.as_str()), (Ok([192, 168, 1, 10].into()), 51905, "host"));
    assert_eq!((srflx.priority, srflx.component), (1_686_052_607, 1));
    assert_eq!(srflx.related, Some((IpAddr::from([192, 168, 1, 10]), 51905)));
}

#[test]
fn line_ends_of_every_kind_read_the_same() {
    let expected = told(&offer()).descriptions;
    for ends in ["\n", "\r", "\r\r\n", "\r\n\r\n", "  \r\n"] {
        assert_eq!(told(&offer().replace("\r\n", ends)).descriptions, expected, "{ends:?}");
    }
    assert_eq!(told(&format!("\u{feff}{}", offer().trim_end())).descriptions, expected);
    assert_eq!(told(&offer().replace("\r\n", "\r\n    ")).descriptions, expected, "indented, as a debugger prints it");
}

#[test]
fn what_the_session_says_holds_for_media_that_say_nothing() {
    let text = format!(
        "v=0\no=- 1 1 IN IP4 0.0.0.0\na=ice-lite\na=ice-ufrag:sess\na=ice-pwd:sessionsessionsession1\n\
         a=fingerprint:sha-256 {PRINT}\na=setup:passive\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 0\nm=video 9 UDP/TLS/RTP/SAVPF 96\na=ice-ufrag:medi\na=ice-pwd:mediamediamediamedia12\n\
         a=fingerprint:SHA-1 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33\na=setup:active\n"
    );
    let read = told(&text);
    assert_eq!(ufrags(&read), ["sess", "medi"]);
    let [(audio, audio_password), (video, video_password)] = read.descriptions.as_slice() else { panic!() };
    assert_eq!((audio.setup, video.setup), (Some(Setup::Passive), Some(Setup::Active)));
    assert_eq!(audio.fingerprints[0].value, PRINT);
    assert_eq!(video.fingerprints[0].hash, "sha-1");
    assert!(video.fingerprints[0].value.starts_with("00:11:22") && video.fingerprints[0].value.contains("AA:BB"));
    assert_eq!(audio_password.as_ref().unwrap().expose(), b"sessionsessionsession1");
    assert_eq!(video_password.as_ref().unwrap().expose(), b"mediamediamediamedia12");
    assert!(audio.lite && video.lite);
}

#[test]
fn a_bundled_section_without_a_transport_belongs_to_that_of_the_bundle() {
    let text = "v=0\na=group:BUNDLE a v\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\na=ice-ufrag:one1\na=ice-pwd:0123456789012345678901\n\
                m=video 0 UDP/TLS/RTP/SAVPF 96\na=bundle-only\na=mid:v\n";
    let read = told(text);
    assert_eq!((ufrags(&read), only(&read).media.join(" ")), (vec!["one1"], "audio video".to_owned()));
}

#[test]
fn several_descriptions_of_one_file_stand_apart_and_name_their_line() {
    let read = told(&(offer() + &answer()));
    assert_eq!(ufrags(&read), ["HrPv", "mZ4r"]);
    assert_eq!(read.descriptions[0].0.origin, "calls/answer.sdp");
    assert_eq!(read.descriptions[1].0.origin, format!("calls/answer.sdp line {}", offer().lines().count() + 1));
    assert_eq!(read.descriptions[1].0.setup, Some(Setup::Active));
}

#[test]
fn candidates_come_later_with_or_without_the_letter_and_belong_to_whom_they_name() {
    let text = offer()
        + &answer()
        + "candidate:1 1 UDP 41885439 198.51.100.7 61000 typ relay raddr 0.0.0.0 rport 0 ufrag HrPv network-cost 999\n"
        + "a=candidate:2 1 udp 41885438 2001:db8::7 61001 typ relay\n"
        + "12:00:01 got candidate: candidate:3 1 udp 1 0a1b2c3d-0000-4000-8000-0123456789ab.local 9 typ host ufrag NeW1, sdpMid: 0\n";
    let read = told(&text);
    assert_eq!(ufrags(&read), ["HrPv", "mZ4r", "NeW1"]);
    let [offer, answer, new] = [0, 1, 2].map(|at| &read.descriptions[at].0.candidates);
    assert_eq!((offer.len(), answer.len(), new.len()), (3, 3, 1));
    assert_eq!(offer[2].address, Ok([198, 51, 100, 7].into()));
    assert_eq!(offer[2].transport, "udp");
    assert_eq!(answer[2].address, Ok("2001:db8::7".parse().unwrap()));
    assert_eq!(new[0].address, Err("0a1b2c3d-0000-4000-8000-0123456789ab.local".to_owned()));
    assert!(!read.descriptions[2].0.has_password);
}

#[test]
fn sdp_is_found_in_sip_and_logs() {
    let sip = format!(
        "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nContent-Type: application/sdp\r\n\r\n{}\r\n\
         SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nTo: x\r\nFrom: y\r\nContent-Type: application/sdp\r\n\r\n{}",
        offer(),
        answer()
    );
    let read = told(&sip);
    assert_eq!((ufrags(&read), read.warnings.len()), (vec!["HrPv", "mZ4r"], 0));
    let log = format!(
        "12:00:00 INFO setLocalDescription type: offer, sdp: {}12:00:01 INFO sent\n12:00:02 DEBUG {{type: 'answer', sdp: '{}'}}\n",
        offer(),
        answer().replace("\r\n", "\\r\\n")
    );
    let read = told(&log);
    assert_eq!(ufrags(&read), ["HrPv", "mZ4r"]);
    let kinds: Vec<_> = read.descriptions.iter().map(|(told, _)| told.kind).collect();
    assert_eq!(kinds, [Some(DescriptionKind::Offer), Some(DescriptionKind::Answer)]);
}

#[test]
fn what_a_browser_s_console_prints_is_read() {
    let expected = only(&told(&answer())).clone();
    let object = serde_json::json!({ "type": "answer", "sdp": answer() }).to_string();
    let turned = format!("{{\"sdp\":{},\"type\":\"answer\"}}", serde_json::json!(answer()));
    let twice = serde_json::json!({ "message": object }).to_string();
    for text in [object.clone(), turned, twice, format!("[{object}]"), format!("\u{feff} {object}\n{object}\n")] {
        let read = told(&text);
        assert_eq!(*only(&read), Description { kind: Some(DescriptionKind::Answer), ..expected.clone() }, "{text}");
    }
}

/// A dump in the shape of Chromium until about version 130, where a value is text, or since, where it is JSON.
fn dump(modern: bool) -> String {
    let description = |kind: &str, sdp: String| match modern {
        true => serde_json::json!({ "type": kind, "sdp": sdp }).to_string(),
        false => format!("type: {kind}, sdp: {sdp}"),
    };
    let candidate = |candidate: &str| match modern {
        true => serde_json::json!({ "sdpMid": "0", "sdpMLineIndex": 0, "candidate": candidate }).to_string(),
        false => format!("sdpMid: 0, sdpMLineIndex: 0, candidate: {candidate}, url: turn:192.0.2.1:3478?transport=udp"),
    };
    let relay =
        "candidate:3 1 udp 41885439 192.0.2.1 61000 typ relay raddr 203.0.113.50 rport 51905 generation 0 ufrag HrPv";
    let remote = "candidate:4 1 udp 2122260223 192.168.7.7 50001 typ host generation 0 ufrag mZ4r";
    serde_json::json!({
        "getUserMedia": [],
        "PeerConnections": { "24-1": {
            "pid": 24, "url": "https://example.org/", "rtcConfiguration": "{ iceServers: [] }",
            "stats": { "x-sdp": { "values": format!("[{}]", serde_json::json!(offer().replace("HrPv", "stat"))) } },
            "updateLog": [
                { "time": "1", "type": "createOffer", "value": "" },
                { "time": "2", "type": "createOfferOnSuccess", "value": description("offer", offer()) },
                { "time": "2", "type": "setLocalDescription", "value": description("offer", offer()) },
                { "time": "3", "type": if modern { "onicecandidate" } else { "icecandidate" }, "value": candidate(relay) },
                { "time": "4", "type": "setRemoteDescription", "value": description("answer", answer()) },
                { "time": "5", "type": "addIceCandidate", "value": candidate(remote) },
                { "time": "6", "type": "iceconnectionstatechange", "value": "checking" },
            ] } },
        "UserAgent": "Mozilla/5.0",
    })
    .to_string()
}

#[test]
fn a_webrtc_internals_dump_tells_both_sides_in_its_old_and_its_new_shape() {
    for text in [dump(false), dump(true)] {
        let read = read(text.as_bytes(), "/tmp/dump.json").unwrap();
        assert_eq!(ufrags(&read), ["HrPv", "mZ4r"], "{text}");
        let [(local, _), (remote, _)] = read.descriptions.as_slice() else { panic!() };
        assert_eq!((local.kind, local.local), (Some(DescriptionKind::Offer), Some(true)));
        assert_eq!((remote.kind, remote.local), (Some(DescriptionKind::Answer), Some(false)));
        assert_eq!(local.candidates.len(), 3);
        assert_eq!(local.candidates[2].kind, "relay");
        assert_eq!(remote.candidates[2].port, 50001);
        assert_eq!(remote.label(), "dump.json, peer connection 24-1, remote answer (ufrag mZ4r)");
    }
}

#[test]
fn a_dump_that_was_cut_short_gives_what_is_there() {
    let whole = dump(true);
    let cut = whole.find("iceconnectionstatechange").unwrap();
    let read = read(&whole.as_bytes()[..cut], "dump.json").unwrap();
    assert_eq!(ufrags(&read), ["HrPv", "mZ4r"]);
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
}

#[test]
fn events_of_other_loggers_tell_the_side_by_their_name() {
    let text = serde_json::json!([
        ["create", "PC_0", {}],
        ["setLocalDescription", "PC_0", { "type": "answer", "sdp": answer() }],
        ["setRemoteDescription", "PC_0", [{ "type": "offer", "sdp": offer() }]],
        ["addIceCandidate", "PC_0", { "candidate": "candidate:9 1 udp 7 192.0.2.9 999 typ host", "usernameFragment": "HrPv" }],
    ]);
    let read = told(&text.to_string());
    assert_eq!(ufrags(&read), ["mZ4r", "HrPv"]);
    assert_eq!([0, 1].map(|at| read.descriptions[at].0.local), [Some(true), Some(false)]);
    assert_eq!(read.descriptions[1].0.candidates.len(), 3);
}

#[test]
fn damaged_lines_are_passed_over_and_told_by_number() {
    let text = format!(
        "v=0\na=ice-ufrag:mZ4r\n\u{1}\u{2}garbage\na=setup:sometimes\na=ice-pwd:pCfJ0123456789abcdefgh\na=candidate:1 1 udp\n\
         a=fingerprint:sha-256 {PRINT}:0\na=fingerprint:sha-256 {PRINT}\na=candidate:1 1 udp 5 192.0.2.1 99999 typ host\n"
    );
    let read = told(&text);
    assert_eq!((only(&read).fingerprints.len(), only(&read).candidates.len()), (1, 0));
    let warnings: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "calls/answer.sdp, line 3: not a line of SDP",
            "calls/answer.sdp, line 4: a=setup with a role that there is not",
            "calls/answer.sdp, line 6: a=candidate that is none",
            "calls/answer.sdp, line 7: a=fingerprint that is none",
            "calls/answer.sdp, line 9: a=candidate that is none",
        ]
    );
}

#[test]
fn fragments_without_a_head_are_read() {
    let text = "a=ice-ufrag:mZ4r\r\na=ice-pwd:pCfJ0123456789abcdefgh\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
                a=candidate:1 1 udp 5 192.0.2.1 9999 typ host\r\n";
    let read = told(text);
    assert_eq!((only(&read).ufrag.as_str(), only(&read).candidates.len()), ("mZ4r", 1));
    assert!(only(&read).has_password);
}

#[test]
fn a_file_without_a_description_is_refused() {
    for text in
        ["", "{}", "v=0\r\ns=-\r\nm=audio 9 RTP/AVP 0\r\n", "hello\n", "[[credential]]\nice_ufrag = \"x\"\n", "[1, 2"]
    {
        let error = read(text.as_bytes(), "x.sdp").expect_err(text);
        assert!(error.to_string().starts_with("x.sdp: no session description"), "{text}: {error}");
        assert!(!looks_like_one(text.as_bytes()), "{text}");
    }
    for text in [offer(), dump(true), dump(false), "a=ice-ufrag:a\na=ice-pwd:b".to_owned()] {
        assert!(looks_like_one(text.as_bytes()));
    }
}

#[test]
fn two_descriptions_of_one_agent_stay_apart_where_they_contradict_each_other() {
    let altered = offer().replace(PRINT, OTHER);
    let read = told(&(offer() + &offer() + &altered));
    // each description of a file has its own line, so they do not merge; in one peer connection, what agrees does
    assert_eq!(read.descriptions.len(), 3);
    let text = serde_json::json!([{ "sdp": offer() }, { "sdp": offer() }, { "sdp": altered }]).to_string();
    let read = told(&text);
    assert_eq!(ufrags(&read), ["HrPv", "HrPv"]);
}

fn signalling(texts: &[(&str, String)]) -> (Signalling, Credentials) {
    let (mut signalling, mut credentials) = (Signalling::default(), Credentials::default());
    for (name, text) in texts {
        signalling.take(&read(text.as_bytes(), name).unwrap(), &mut credentials);
    }
    (signalling, credentials)
}

#[test]
fn passwords_become_credentials_named_by_file_and_agent_and_are_shown_nowhere() {
    let mangled = answer().replace("pCfJ", "XXXX");
    let (signalling, credentials) = signalling(&[
        ("a/offer.sdp", offer()),
        ("a/answer.sdp", answer()),
        ("b/answer.sdp", answer()),
        ("c/answer.sdp", mangled),
    ]);
    let labels: Vec<_> = credentials.list().iter().map(|known| known.label.as_str()).collect();
    assert_eq!(labels, ["offer.sdp (ufrag HrPv)", "answer.sdp (ufrag mZ4r)", "answer.sdp (ufrag mZ4r) #2"]);
    assert_eq!(credentials.list()[1].kind, Kind::Ice { ufrag: "mZ4r".to_owned() });
    let shown = format!("{signalling:?} {credentials:?} {:?}", read(offer().as_bytes(), "x"));
    for secret in ["pCfJ", "XXXX", "L48u"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(signalling.all_of_agent(b"mZ4r").count(), 3);
    assert_eq!(signalling.of_agent(b"HrPv").map(|told| told.origin.as_str()), Some("a/offer.sdp"));
    assert!(signalling.of_agent(b"nope").is_none() && signalling.of_agent(&[0xff]).is_none());
}

#[test]
fn a_certificate_is_the_one_told_another_or_cannot_be_compared() {
    let der = b"not really a certificate";
    let told = |hash: HashFunction| {
        let text = Digest::with(hash, der).to_string();
        let (hash, value) = text.split_once(' ').unwrap();
        Fingerprint { hash: hash.to_owned(), value: value.to_owned() }
    };
    let all =
        [HashFunction::Sha1, HashFunction::Sha224, HashFunction::Sha256, HashFunction::Sha384, HashFunction::Sha512];
    for hash in all {
        let description = describing(&[told(hash)]);
        assert_eq!(compare::certificate(&description, &[Digest::with(hash, der)]), Certificate::Told);
        let another = [Digest::with(hash, b"another")];
        assert_eq!(compare::certificate(&description, &another), Certificate::Another(&description));
    }
    let sha256 = [Digest::of(der)];
    assert_eq!(compare::certificate(&describing(&[told(HashFunction::Sha512)]), &sha256), Certificate::Untold);
    assert_eq!(compare::certificate(&describing(&[]), &sha256), Certificate::Untold);
    let md5 = Fingerprint { hash: "md5".into(), value: "00:11".into() };
    assert_eq!(compare::certificate(&describing(std::slice::from_ref(&md5)), &sha256), Certificate::Untold);
    assert_eq!(compare::certificate(&describing(&[md5, told(HashFunction::Sha256)]), &sha256), Certificate::Told);
}

fn describing(fingerprints: &[Fingerprint]) -> Description {
    Description { fingerprints: fingerprints.to_vec(), ..Description::default() }
}

#[test]
fn what_the_other_side_got_decides_whether_a_certificate_is_refused() {
    let der = b"not really a certificate";
    let right = Digest::of(der).to_string().split_once(' ').unwrap().1.to_owned();
    let log = |event: &str, sdp: String| {
        serde_json::json!([{ "type": event, "value": format!("type: offer, sdp: {sdp}") }]).to_string()
    };
    let sent = log("setLocalDescription", offer().replace(PRINT, &right));
    let got = log("setRemoteDescription", offer());
    let seen = [Digest::of(der)];
    let (both, _) = signalling(&[("sender.json", sent.clone()), ("receiver.json", got)]);
    assert!(
        matches!(compare::certificate_of(&both, b"HrPv", &seen), Certificate::Another(told) if told.local == Some(false))
    );
    let (files, _) = signalling(&[("offer-sent.sdp", offer().replace(PRINT, &right)), ("offer.sdp", offer())]);
    let Certificate::Contradicted { wrong, right } = compare::certificate_of(&files, b"HrPv", &seen) else { panic!() };
    assert_eq!((wrong.origin.as_str(), right.origin.as_str()), ("offer.sdp", "offer-sent.sdp"));
    let (one, _) = signalling(&[("sender.json", sent)]);
    assert_eq!(compare::certificate_of(&one, b"HrPv", &seen), Certificate::Told);
    assert_eq!(compare::certificate_of(&one, b"none", &seen), Certificate::Untold);
}

#[test]
fn roles_follow_from_what_both_sides_told() {
    use Setup::{ActPass, Active, HoldConn, Passive};
    let role = |own, other| compare::role(Some(own), Some(other));
    assert_eq!((role(ActPass, Active), role(Active, ActPass)), (Some(Role::Server), Some(Role::Client)));
    assert_eq!((role(ActPass, Passive), role(Passive, ActPass)), (Some(Role::Client), Some(Role::Server)));
    assert_eq!((role(Active, Active), role(Passive, Passive)), (Some(Role::Conflict), Some(Role::Conflict)));
    assert_eq!((role(ActPass, ActPass), role(HoldConn, ActPass)), (None, None));
    assert_eq!(compare::role(None, Some(Active)), Some(Role::Server));
    assert_eq!(compare::role(Some(Active), None), Some(Role::Client));
    assert_eq!(compare::role(None, None), None);
}

#[test]
fn a_candidate_is_found_by_its_address() {
    let read = told(&offer());
    let address = "203.0.113.50:51905".parse::<std::net::SocketAddr>().unwrap().into();
    let kinds: Vec<_> = compare::told_as(only(&read), address).map(|told| told.kind.as_str()).collect();
    assert_eq!(kinds, ["srflx"]);
}

#[test]
fn what_a_file_can_fill_is_bounded() {
    let many: String = (0..5000).map(|n| format!("v=0\na=ice-ufrag:u{n}\na=ice-pwd:p\n")).collect();
    let read = told(&many);
    assert_eq!((read.descriptions.len(), read.omitted), (1024, 5000 - 1024));
    let lines: String = (0..5000).map(|n| format!("a=candidate:1 1 udp 1 192.0.2.1 {n} typ host\n")).collect();
    let wide = told(&format!("v=0\na=ice-ufrag:u\n{lines}"));
    assert_eq!(only(&wide).candidates.len(), 256);
    assert!(wide.warnings.len() <= 100 && wide.omitted > 0);
    let deep = "[".repeat(100_000) + &offer();
    assert!(
        turnscope::session::signalling::read(deep.as_bytes(), "x").is_ok(),
        "JSON that nests too deep is read as text"
    );
}

/// The files of the samples' folders with such a name.
fn of_samples(wanted: impl Fn(&str) -> bool) -> Vec<std::path::PathBuf> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let mut files: Vec<_> = files.filter(|file| wanted(&file.file_name().unwrap().to_string_lossy())).collect();
    files.sort();
    files
}

#[test]
fn what_real_agents_wrote_is_read_without_a_warning() {
    let files = of_samples(|name| name.ends_with(".sdp"));
    assert!(files.len() > 20, "{}", files.len());
    for file in files {
        let read = read(&std::fs::read(&file).unwrap(), "a.sdp").unwrap();
        assert!(read.warnings.is_empty(), "{}: {:?}", file.display(), read.warnings);
        for (told, password) in &read.descriptions {
            assert!(password.is_some() && !told.fingerprints.is_empty() && told.setup.is_some(), "{}", file.display());
        }
    }
}

#[test]
fn a_browser_s_dump_tells_what_the_descriptions_beside_it_tell() {
    let dumps = of_samples(|name| name == "webrtc-internals.json");
    assert!(dumps.len() >= 3, "{}", dumps.len());
    for dump in dumps {
        let told = read(&std::fs::read(&dump).unwrap(), "dump.json").unwrap();
        assert!(told.warnings.is_empty());
        let beside = |name: &str| read(&std::fs::read(dump.with_file_name(name)).unwrap(), name).unwrap().descriptions;
        for (told, password) in &told.descriptions {
            let file = if told.kind == Some(DescriptionKind::Offer) { "offer.sdp" } else { "answer.sdp" };
            let (same, other) = beside(file).swap_remove(0);
            assert_eq!((&told.ufrag, password), (&same.ufrag, &other), "{}", dump.display());
            // of several hash functions the browser keeps one
            assert!(
                !told.fingerprints.is_empty() && told.fingerprints.iter().all(|one| same.fingerprints.contains(one))
            );
            assert_eq!((told.setup, &told.media), (same.setup, &same.media));
            assert!(same.candidates.iter().all(|candidate| told.candidates.contains(candidate)), "{}", dump.display());
        }
        assert_eq!(told.descriptions.iter().map(|(told, _)| told.local).collect::<Vec<_>>(), [Some(true), Some(false)]);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&bytes, "x");
    }

    #[test]
    fn a_description_that_is_hurt_anywhere_gives_no_agent_that_is_not_in_it(
        at in 0usize..1500, with in any::<u8>(), modern in any::<bool>(), json in any::<bool>(),
    ) {
        let mut bytes = if json { dump(modern) } else { offer() }.into_bytes();
        let at = at % bytes.len();
        bytes[at] = with;
        if let Ok(read) = read(&bytes, "x") {
            for (told, _) in &read.descriptions {
                prop_assert!(told.ufrag.len() <= 256 && told.ufrag.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(told.candidates.iter().all(|candidate| (1..=256).contains(&candidate.component)));
            }
        }
    }

    #[test]
    fn a_description_cut_anywhere_still_tells_what_stands_before_the_cut(cut in 0usize..1500) {
        let whole = offer();
        let cut = cut % whole.len();
        let head = &whole[..cut];
        let named = head.contains("a=ice-ufrag:HrPv");
        prop_assert_eq!(read(head.as_bytes(), "x").is_ok_and(|read| ufrags(&read).contains(&"HrPv")), named);
    }
}
