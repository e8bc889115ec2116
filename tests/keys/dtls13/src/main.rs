//! Makes `../dtls13.pcap` and its key log: STUN inside DTLS 1.3, both ends dimpl, joined in memory. `cargo run` here; needs openssl for a certificate.
//!
//! dimpl keeps no key log: what it derives is taken from the HMAC that its keys come out of.

use dimpl::crypto::{CryptoProvider, Dtls13CipherSuite, HashAlgorithm, HmacProvider, rust_crypto};
use dimpl::{Config, CryptoError, Dtls, DtlsCertificate, Output};
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

static SECRETS: Mutex<Vec<(&'static str, String)>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Listening(&'static dyn HmacProvider);

impl HmacProvider for Listening {
    fn hmac(&self, hash: HashAlgorithm, key: &[u8], data: &[u8], out: &mut [u8]) -> Result<usize, CryptoError> {
        let length = self.0.hmac(hash, key, data, out)?;
        for (label, name) in [
            ("dtls13c hs traffic", "CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
            ("dtls13s hs traffic", "SERVER_HANDSHAKE_TRAFFIC_SECRET"),
            ("dtls13c ap traffic", "CLIENT_TRAFFIC_SECRET_0"),
            ("dtls13s ap traffic", "SERVER_TRAFFIC_SECRET_0"),
        ] {
            if data.windows(label.len()).any(|part| part == label.as_bytes()) {
                SECRETS.lock().unwrap().push((name, hex(&out[..length])));
            }
        }
        Ok(length)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
struct Capture {
    out: Vec<u8>,
    frames: u32,
}

impl Capture {
    fn udp(&mut self, ports: [u16; 2], addresses: [[u8; 4]; 2], data: &[u8]) {
        let udp = u16::try_from(8 + data.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend((20 + udp).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        packet.extend(addresses.concat());
        packet.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
        packet.extend(udp.to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(data);
        let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
        self.out.extend((1_700_000_000_u32 + self.frames / 1000).to_le_bytes());
        self.out.extend((self.frames % 1000 * 1000).to_le_bytes());
        self.out.extend(length);
        self.out.extend(length);
        self.out.extend(packet);
        self.frames += 1;
    }
}

struct Pair {
    ends: [Dtls; 2],
    port: u16,
    random: Option<String>,
    heard: usize,
    connected: usize,
}

impl Pair {
    /// Hands packets over until nobody has any more to say.
    fn pump(&mut self, capture: &mut Capture) {
        let mut silent = 0;
        let mut side = 0;
        while silent < 2 {
            let mut packets = Vec::new();
            let mut buffer = vec![0; 4096];
            loop {
                match self.ends[side].poll_output(&mut buffer) {
                    Output::Packet(packet) => packets.push(packet.to_vec()),
                    Output::Timeout(_) => break,
                    Output::ApplicationData(_) => self.heard += 1,
                    Output::Connected => self.connected += 1,
                    _ => {}
                }
            }
            silent = if packets.is_empty() { silent + 1 } else { 0 };
            for packet in packets {
                self.random.get_or_insert_with(|| hex(&packet[27..59]));
                let (client, server) = ((self.port, [192, 0, 2, 10]), (5349, [203, 0, 113, 1]));
                let (from, to) = if side == 0 { (client, server) } else { (server, client) };
                capture.udp([from.0, to.0], [from.1, to.1], &packet);
                self.ends[1 - side].handle_packet(&packet).unwrap();
            }
            side = 1 - side;
        }
    }

    fn say(&mut self, side: usize, kind: u16, number: u64, capture: &mut Capture) {
        let body: &[u8] = if side == 0 { b"\x80\x22\0\x04test" } else { b"\0\x20\0\x08\0\x01\x11\x2b\xe1\x12\xa6\x48" };
        let mut message = kind.to_be_bytes().to_vec();
        message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        message.extend([0x21, 0x12, 0xa4, 0x42]);
        message.extend(self.port.to_be_bytes());
        message.extend([0, 0]);
        message.extend(number.to_be_bytes());
        message.extend(body);
        self.ends[side].send_application_data(&message).unwrap();
        self.pump(capture);
    }
}

fn certificate() -> DtlsCertificate {
    let folder = std::env::temp_dir().join("dtls13-certificate");
    fs::create_dir_all(&folder).unwrap();
    let run = |arguments: &[&str]| assert!(Command::new("openssl").args(arguments).current_dir(&folder).output().unwrap().status.success());
    run(&["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj", "/CN=turn.example.org", "-keyout", "key.pem", "-outform", "DER", "-out", "cert.der"]);
    run(&["pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.der"]);
    let made = DtlsCertificate { certificate: fs::read(folder.join("cert.der")).unwrap(), private_key: fs::read(folder.join("key.der")).unwrap() };
    fs::remove_dir_all(folder).unwrap();
    made
}

fn main() {
    let plain = rust_crypto::default_provider();
    let listening: &'static Listening = Box::leak(Box::new(Listening(plain.hmac_provider)));
    let provider = CryptoProvider { hmac_provider: listening, ..plain };
    let mut capture = Capture::default();
    let mut log = String::new();
    let suites = [Dtls13CipherSuite::AES_128_GCM_SHA256, Dtls13CipherSuite::AES_256_GCM_SHA384, Dtls13CipherSuite::CHACHA20_POLY1305_SHA256];
    for (port, (suite, limit, cookie, rounds)) in (40000..).step_by(10).zip([
        (suites[0], 1 << 23, false, 3),
        (suites[1], 1 << 23, true, 3),
        (suites[2], 1 << 23, false, 3),
        // keys are changed after a few records, and numbers wrap in eight bits
        (suites[0], 8, false, 20),
        (suites[2], 40, true, 150),
    ]) {
        SECRETS.lock().unwrap().clear();
        let config = Config::builder().with_crypto_provider(provider.clone()).dtls13_cipher_suites(&[suite]).aead_encryption_limit(limit);
        let config = Arc::new(config.use_server_cookie(cookie).mtu(1200).build().unwrap());
        let now = Instant::now();
        let mut ends = [(); 2].map(|()| Dtls::new_13(config.clone(), certificate(), now));
        ends[0].set_active(true);
        for end in &mut ends {
            end.handle_timeout(now).unwrap();
        }
        let mut pair = Pair { ends, port, random: None, heard: 0, connected: 0 };
        pair.pump(&mut capture);
        assert_eq!(pair.connected, 2);
        for number in 1..=rounds {
            pair.say(0, 0x0001, number, &mut capture);
            pair.say(1, 0x0101, number, &mut capture);
        }
        for end in 0..2 {
            let _ = pair.ends[end].close();
            pair.pump(&mut capture);
        }
        assert_eq!(pair.heard as u64, 2 * rounds);
        let mut known = Vec::new();
        for (name, secret) in SECRETS.lock().unwrap().iter() {
            let line = format!("{name} {} {secret}\n", pair.random.as_ref().unwrap());
            if !known.contains(&line) {
                log += &line;
                known.push(line);
            }
        }
    }
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0]);
    out.extend(capture.out);
    fs::write("../dtls13.pcap", out).unwrap();
    fs::write("../dtls13.keylog", log).unwrap();
    println!("{} frames", capture.frames);
}
