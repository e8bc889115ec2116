//! What Chromium itself says of its calls (`getStats`, its webrtc-internals dump) against what turnscope tells from their packets.
//!
//! The page was asked shortly before the end of each capture, so that counts may only have grown since; how far is said where they are compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::Value;
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use support::samples::{self, Sample};
use turnscope::report::{
    Address, CandidateType, Dtls, DtlsState, IceChecks, IceDtlsRole, IcePair, IceRole, IceSession, MediaStream, Report,
    Time,
};
use turnscope::session::signalling;

/// After the page was asked, calls went on for so many seconds at most.
const AFTERWARDS_S: u64 = 4;
/// Audio is sent in 50 packets a second.
const PACKETS_AFTERWARDS: u64 = 50 * AFTERWARDS_S;
/// Checks of consent are sent every 2.5 s by Chromium, and every 4 to 6 s by others; one in flight is not yet answered.
const CHECKS_AFTERWARDS: u64 = 3;

/// Both sides of what was compared, and where they differ.
struct Comparison<'a> {
    of: String,
    stats: Value,
    report: &'a Report,
    compared: Vec<&'static str>,
    faults: Vec<String>,
}

impl<'a> Comparison<'a> {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.stats.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn fault(&mut self, what: &'static str, said: impl Debug, told: impl Debug) {
        self.faults.push(format!("{}: {what}: the page says {said:?}, turnscope {told:?}", self.of));
    }

    fn same<T: PartialEq + Debug>(&mut self, what: &'static str, said: T, told: T) {
        self.compared.push(what);
        if said != told {
            self.fault(what, said, told);
        }
    }

    /// A count that is between two of the page's, because what is counted may be lost between the page and a capture at the other side.
    fn between(&mut self, what: &'static str, [least, most]: [u64; 2], told: u64) {
        self.compared.push(what);
        if !(least..=most).contains(&told) {
            self.fault(what, format!("{least} to {most}"), told);
        }
    }

    /// A count that goes on growing by no more than `room` after the page was asked.
    fn grows(&mut self, what: &'static str, said: Option<u64>, told: u64, room: u64) {
        let Some(said) = said else { return };
        self.compared.push(what);
        if !(said..=said + room).contains(&told) {
            self.fault(what, format!("{said} (to {})", said + room), told);
        }
    }

    /// The session of the page's agent, and the agent's index in it.
    fn session(&self) -> Option<(&'a IceSession, usize)> {
        let ufrag = self.text("/transport/iceLocalUsernameFragment")?;
        self.report.ice.iter().filter(|session| !session.mixed).find_map(|session| {
            let agent = session.agents.iter().position(|agent| agent.ufrag.as_deref() == Some(ufrag))?;
            Some((session, agent))
        })
    }

    /// Whether the capture was taken at the page's side, so that it has what the page sent and got.
    fn is_near(&self) -> bool {
        self.session().is_none_or(|(_, agent)| agent == 0)
    }

    fn ice(&mut self) {
        let Some((session, agent)) = self.session() else {
            // it has no pair to check
            let is_up = self.text("/transport/iceState") == Some("connected");
            return self.same(
                "that a pair is selected",
                is_up,
                self.report.ice.iter().any(|ice| ice.selected_pair.is_some()),
            );
        };
        let role = match self.text("/transport/iceRole").map(str::to_owned).as_deref() {
            Some("controlling") => Some(IceRole::Controlling),
            Some("controlled") => Some(IceRole::Controlled),
            _ => None,
        };
        if session.agents[agent].checks_sent > 0 && role.is_some() {
            self.same("role", role, session.agents[agent].role);
        }
        let Some(selected) = self.stats.get("selectedPair").filter(|pair| pair.is_object()).cloned() else {
            let is_up = self.text("/transport/iceState") == Some("connected");
            // at the peer answers are seen that never arrive at the page, but no data on what it does not select
            let is_seen = agent == 0 || session.pairs.iter().any(|pair| pair.data_packets > 0);
            let is_lost = self.report.findings.iter().any(|finding| finding.id == "ice-consent-lost");
            self.same("that a pair is selected", is_up, session.selected_pair.is_some() && is_seen && !is_lost);
            return;
        };
        let Some(pair) = session.pairs.iter().find(|pair| pair.selected) else {
            return self.fault("selected pair", selected.to_string(), "none");
        };
        self.end("local candidate", &selected["local"], pair, agent);
        self.end("remote candidate", &selected["remote"], pair, 1 - agent);
        if let Some(ufrag) = selected["remote"]["usernameFragment"].as_str() {
            self.same("remote user fragment", Some(ufrag), session.agents[1 - agent].ufrag.as_deref());
        }
        if selected["nominated"].as_bool() == Some(true) {
            self.same("nomination", true, pair.nominated);
        }
        let [own, other] = checks(pair, agent);
        let count = |name: &str| selected[name].as_u64().expect("a count of checks");
        let names = ["requestsSent", "responsesReceived", "requestsReceived", "responsesSent"];
        let [asked, answered, heard, answers] = names.map(count);
        if agent == 0 {
            for (what, said, told) in [
                ("requestsSent", asked, own.sent),
                ("responsesReceived", answered, own.answered),
                ("requestsReceived", heard, other.sent),
                ("responsesSent", answers, other.answered),
            ] {
                self.grows(what, Some(said), told, CHECKS_AFTERWARDS);
            }
        } else {
            self.between("requestsSent", [answered, asked + CHECKS_AFTERWARDS], own.sent);
            self.between("responsesReceived", [answered, own.sent], own.answered);
            self.between("requestsReceived", [heard, u64::MAX], other.sent);
            self.between("responsesSent", [0, answers + CHECKS_AFTERWARDS], other.answered);
        }
    }

    /// An end of the selected pair: its address as far as the page tells it, and the type where both know it.
    fn end(&mut self, what: &'static str, said: &Value, pair: &IcePair, agent: usize) {
        let (candidate, base, kind) = end(pair, agent);
        let port = said["port"].as_u64().expect("getStats tells the port");
        match said["address"].as_str().filter(|address| !address.is_empty()) {
            Some(address) if address.contains(':') => {
                self.same(what, format!("[{address}]:{port}"), candidate.to_string())
            }
            Some(address) => self.same(what, format!("{address}:{port}"), candidate.to_string()),
            // hidden behind a name of multicast DNS, or learned from the peer's checks
            None => self.same(what, port, u64::from(candidate.0.port())),
        }
        if let (Some(address), Some(port)) = (said["relatedAddress"].as_str(), said["relatedPort"].as_u64())
            && said["candidateType"] == "srflx"
        {
            self.same("base of the candidate", Some(format!("{address}:{port}")), base.map(|base| base.to_string()));
        }
        let kinds = [("host", CandidateType::Host), ("srflx", CandidateType::Srflx), ("relay", CandidateType::Relay)];
        // prflx is what the page calls whatever came before its description, and what packets show of an address that none tells
        let said = kinds.iter().find(|(name, _)| said["candidateType"] == *name).map(|(_, kind)| *kind);
        if let (Some(said), Some(told)) = (said, kind.filter(|kind| *kind != CandidateType::Prflx)) {
            self.same("candidate type", said, told);
        }
    }

    /// The association of the page's agent: the one on a pair of its session, or of one that this is the restart of.
    fn association(&self) -> Option<&'a Dtls> {
        let (session, _) = self.session()?;
        let before = self.report.ice.iter().filter(|before| !before.ufrags.is_empty());
        let before = before.filter(|before| before.ufrags.iter().all(|ufrag| session.restart_of.contains(ufrag)));
        let pairs: Vec<&IcePair> = before.chain([session]).flat_map(|session| &session.pairs).collect();
        let on = |pair: &IcePair, address: Address| {
            [Some(pair.local), Some(pair.remote), pair.local_base, pair.remote_base].contains(&Some(address))
        };
        let is = |dtls: &&Dtls| {
            let ways =
                std::iter::once((dtls.client, dtls.server)).chain(dtls.also.iter().map(|way| (way.client, way.server)));
            let mut ways = ways;
            ways.any(|(client, server)| pairs.iter().any(|pair| on(pair, client) && on(pair, server)))
        };
        self.report.dtls.iter().find(is)
    }

    fn dtls(&mut self) {
        let known = self.association();
        let state = self.text("/transport/dtlsState").map(str::to_owned);
        let is_complete = known.is_some_and(|known| known.state == DtlsState::Complete);
        match state.as_deref() {
            Some("connected") => {
                self.same("that DTLS is complete", Some(DtlsState::Complete), known.map(|known| known.state))
            }
            Some("connecting" | "new") => self.same("that DTLS is complete", false, is_complete),
            // over an encrypted alert in DTLS 1.3, or over silence: only the page knows
            Some("failed") => self.same("that DTLS began", true, known.is_some()),
            _ => {}
        }
        let Some((session, agent)) = self.session() else { return };
        let role = self.text("/transport/dtlsRole").map(str::to_owned);
        let by_descriptions = session.agents[agent].dtls_role;
        if let (Some(role), Some(told @ (IceDtlsRole::Client | IceDtlsRole::Server))) = (&role, by_descriptions) {
            let told = if told == IceDtlsRole::Client { "client" } else { "server" };
            self.same("DTLS role by the descriptions", role.as_str(), told);
        }
        let Some(known) = known else { return };
        // by the host: the port may be that of a generation before
        let mut own = session.pairs.iter().flat_map(|pair| {
            let (candidate, base, _) = end(pair, agent);
            [Some(candidate), base]
        });
        let clients: Vec<Address> =
            std::iter::once(known.client).chain(known.also.iter().map(|way| way.client)).collect();
        let is_client = own.any(|own| own.is_some_and(|own| clients.iter().any(|client| client.0.ip() == own.0.ip())));
        if let Some(role) = role.filter(|_| by_descriptions != Some(IceDtlsRole::Conflict) && known.roles_known) {
            self.same("DTLS role", role, if is_client { "client" } else { "server" }.to_owned());
        }
        let version = self.text("/transport/tlsVersion").map(|version| match version {
            "FEFF" => "DTLS 1.0",
            "FEFD" => "DTLS 1.2",
            "FEFC" => "DTLS 1.3",
            other => panic!("{other}?"),
        });
        if version.is_some() {
            self.same("DTLS version", version, known.version.as_deref());
        }
        if let Some(suite) = self.text("/transport/dtlsCipher").map(str::to_owned) {
            self.same("cipher suite", Some(suite), known.cipher_suite.clone());
        }
        // DTLS 1.3 encrypts it
        if let (Some(said), Some(told)) = (self.text("/transport/srtpCipher").map(str::to_owned), &known.srtp_profile) {
            self.same("SRTP profile", profile(&said), profile(told));
        }
        let (client, server) = (known.client_fingerprint.clone(), known.server_fingerprint.clone());
        let [own, other] = if is_client { [client, server] } else { [server, client] };
        for (what, at, told) in
            [("own certificate", "/localCertificate", own), ("other's certificate", "/remoteCertificate", other)]
        {
            if let (Some(said), Some(told)) = (self.certificate(at), told) {
                self.same(what, said, told);
            }
        }
    }

    fn certificate(&self, at: &str) -> Option<String> {
        let [hash, value] = ["fingerprintAlgorithm", "fingerprint"].map(|name| self.text(&format!("{at}/{name}")));
        Some(format!("{} {}", hash?, value?))
    }

    /// The page's own certificate is one that the descriptions of its agent tell.
    fn told(&mut self) {
        let ufrag = self.text("/transport/iceLocalUsernameFragment").unwrap_or_default().to_owned();
        let told: Vec<_> = self.report.signalling.iter().filter(|told| told.ufrag == ufrag).collect();
        let told: Vec<&String> = told.iter().flat_map(|told| &told.fingerprints).collect();
        if let Some(said) = self.certificate("/localCertificate").filter(|_| !told.is_empty()) {
            self.compared.push("fingerprint by the descriptions");
            if !told.contains(&&said) {
                self.fault("fingerprint by the descriptions", said, told);
            }
        }
    }

    /// Media by SSRC. Packets, bytes and losses go on growing after the page was asked. The page counts payload and header apart and no tag
    /// of SRTP; since payloads vary by a few bytes, bytes are compared by their mean.
    fn media(&mut self) {
        let tag = match self.text("/transport/srtpCipher") {
            Some(name) if name.contains("GCM") => 16.0,
            Some(name) if name.ends_with("_32") => 4.0,
            _ => 10.0,
        };
        for (list, packets, bytes, header, is_own) in [
            ("outbound", "packetsSent", "bytesSent", "headerBytesSent", true),
            ("inbound", "packetsReceived", "bytesReceived", "headerBytesReceived", false),
        ] {
            for said in self.stats[list].as_array().cloned().unwrap_or_default() {
                let ssrc = said["ssrc"].as_u64().expect("an SSRC");
                let streams: Vec<_> =
                    self.report.media.items.iter().filter(|stream| u64::from(stream.ssrc) == ssrc).collect();
                let count = said[packets].as_u64().unwrap_or_default();
                // of a stream that changed its pair there are two; of one that is seen on both sides of a relay too
                let seen: u64 = distinct(&streams).iter().map(|stream| stream.packets).sum();
                let lost: u64 = distinct(&streams).iter().map(|stream| stream.lost).sum();
                match (is_own, self.is_near()) {
                    (true, true) => self.grows("packetsSent", Some(count), seen, PACKETS_AFTERWARDS),
                    (false, true) => self.grows("packetsReceived", Some(count), seen, PACKETS_AFTERWARDS),
                    (true, false) => self.between("packetsSent", [0, count + PACKETS_AFTERWARDS], seen),
                    (false, false) => self.between("packetsReceived", [count, u64::MAX], seen),
                }
                if count < 20 {
                    continue;
                }
                if !is_own && let Some(said) = said["packetsLost"].as_u64() {
                    // at the rate at which they are lost
                    self.grows("packetsLost", Some(said), lost, said * PACKETS_AFTERWARDS / count);
                }
                let total = said[bytes].as_f64().unwrap() + said[header].as_f64().unwrap();
                let said_mean = total / count as f64 + tag;
                let told_mean = streams.iter().map(|stream| stream.bytes).sum::<u64>() as f64
                    / streams.iter().map(|stream| stream.packets).sum::<u64>() as f64;
                self.compared.push("bytes a packet");
                if (said_mean - told_mean).abs() > 1.0 {
                    self.fault("bytes a packet", said_mean, told_mean);
                }
            }
        }
    }
}

/// The streams of one SSRC without those that show the same packets at another point of the capture: they run side by side for all their time.
fn distinct<'s>(streams: &[&'s MediaStream]) -> Vec<&'s MediaStream> {
    let mut kept: Vec<&MediaStream> = Vec::new();
    for stream in streams {
        let same = |other: &&MediaStream| {
            let apart = |one: Time, other: Time| other.at.since(one.at).micros().abs() > 1_000_000;
            !apart(stream.first_time, other.first_time) && !apart(stream.last_time, other.last_time)
        };
        if !kept.iter().any(same) {
            kept.push(stream);
        }
    }
    kept
}

/// An agent's candidate of a pair, where it sends from if not from there, and the candidate's type.
fn end(pair: &IcePair, agent: usize) -> (Address, Option<Address>, Option<CandidateType>) {
    match agent {
        0 => (pair.local, pair.local_base, pair.local_type),
        _ => (pair.remote, pair.remote_base, pair.remote_type),
    }
}

/// The checks of an agent on a pair, and those of the other.
fn checks(pair: &IcePair, agent: usize) -> [IceChecks; 2] {
    if agent == 0 { [pair.from_local, pair.from_remote] } else { [pair.from_remote, pair.from_local] }
}

/// Chromium writes `SRTP_AES128_CM_HMAC_SHA1_80`; IANA has `SRTP_AES128_CM_HMAC_SHA1_80` as well, and others without the underscores.
fn profile(name: &str) -> String {
    name.replace('_', "").to_ascii_uppercase()
}

fn folder(sample: &Sample) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(&sample.name)
}

#[test]
fn what_the_page_says_of_a_call_is_what_its_packets_tell() {
    let (mut faults, mut files) = (Vec::new(), 0);
    for sample in samples::all() {
        let report = std::cell::LazyCell::new(|| sample.report());
        for name in ["getstats.json", "getstats-peer.json"] {
            let Ok(text) = fs::read_to_string(folder(&sample).join(name)) else { continue };
            files += 1;
            let of = format!("{}/{name}", sample.name);
            let stats = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{of}: {error}"));
            let mut comparison = Comparison { of, stats, report: &report, compared: Vec::new(), faults: Vec::new() };
            comparison.ice();
            comparison.dtls();
            comparison.told();
            comparison.media();
            let Comparison { of, compared, faults: found, .. } = comparison;
            let telling = |what: &&&str| **what != "fingerprint by the descriptions";
            if compared.iter().filter(telling).count() == 0 {
                faults.push(format!("{of}: nothing could be compared with the packets"));
            }
            println!("{of}: {}", compared.join(", "));
            faults.extend(found);
        }
    }
    assert!(files > 20, "{files} files");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_dump_of_webrtc_internals_tells_what_the_descriptions_tell() {
    let mut dumps = 0;
    for mut sample in samples::all() {
        let Ok(dump) = fs::read(folder(&sample).join("webrtc-internals.json")) else { continue };
        dumps += 1;
        let told = signalling::read(&dump, "webrtc-internals.json").expect("a dump");
        for (name, text) in &sample.descriptions {
            for (description, password) in &signalling::read(text, name).expect("SDP").descriptions {
                let of = format!("{}/{name}", sample.name);
                let same = told.descriptions.iter().filter(|(same, _)| same.ufrag == description.ufrag);
                let same: Vec<_> = same.collect();
                assert!(!same.is_empty(), "{of}: the dump does not know the agent {}", description.ufrag);
                for (other, other_password) in same {
                    // of several by different functions Chromium's dump keeps one
                    assert!(!other.fingerprints.is_empty(), "{of}: the dump lacks the fingerprint");
                    for told in &other.fingerprints {
                        assert!(description.fingerprints.contains(told), "{of}: {told:?} is not in the description");
                    }
                    assert_eq!(other.setup, description.setup, "{of}: a=setup");
                    assert_eq!((other.lite, &other.media), (description.lite, &description.media), "{of}");
                    let passwords =
                        [password, other_password].map(|told| told.as_ref().map(|told| told.expose().to_vec()));
                    assert!(passwords[0] == passwords[1], "{of}: the password is another");
                    for candidate in &description.candidates {
                        assert!(other.candidates.contains(candidate), "{of}: the dump lacks {candidate:?}");
                    }
                }
            }
        }
        let by_files = sample.report();
        sample.descriptions = vec![("webrtc-internals.json".to_owned(), dump)];
        let by_dump = sample.report();
        let findings = |report: &Report| -> Vec<(String, turnscope::report::Severity)> {
            report.findings.iter().map(|finding| (finding.id.clone(), finding.severity)).collect()
        };
        assert_eq!(findings(&by_dump), findings(&by_files), "{}", sample.name);
        assert_eq!(by_dump.headline, by_files.headline, "{}", sample.name);
        for (dump, file) in by_dump.ice.iter().zip(&by_files.ice) {
            for (dump, file) in dump.agents.iter().zip(&file.agents) {
                assert_eq!((dump.password, &dump.setup), (file.password, &file.setup), "{}", sample.name);
                assert!(file.password.told && file.password.verified > 0 && file.password.mismatched == 0);
            }
        }
    }
    assert!(dumps > 0);
}
