//! TLS connections in a scene, built record by record (RFC 5246, RFC 8446).

use super::dtls::{certificate, certificate_body, extension, noise, numbers, vec8, vec16};
use super::scene::Scene;
use super::tcp::Tcp;

pub const TLS_1_0: u16 = 0x0301;
pub const TLS_1_2: u16 = 0x0303;
pub const TLS_1_3: u16 = 0x0304;
pub const CHANGE_CIPHER: u8 = 20;
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const DATA: u8 = 23;

/// What a ClientHello offers.
#[derive(Clone)]
pub struct Offer {
    pub random: u8,
    pub name: Option<String>,
    pub alpn: Vec<&'static str>,
    pub versions: Vec<u16>,
    pub suites: Vec<u16>,
    /// Bytes of padding before its other extensions: a hello of browsers is longer than what small snap lengths keep.
    pub padding: usize,
}

impl Default for Offer {
    fn default() -> Self {
        let name = Some("turn.example.org".to_owned());
        Offer { random: 0x5A, name, alpn: Vec::new(), versions: Vec::new(), suites: vec![0xC02B, 0xC02F], padding: 0 }
    }
}

impl Offer {
    pub fn named(name: &str) -> Offer {
        Offer { name: Some(name.to_owned()), ..Offer::default() }
    }

    pub fn nameless() -> Offer {
        Offer { name: None, ..Offer::default() }
    }

    /// As long as browsers make it.
    pub fn long() -> Offer {
        Offer { padding: 400, ..Offer::default() }
    }

    /// As a browser opens a page.
    pub fn of_web(name: &str) -> Offer {
        Offer { alpn: vec!["h2", "http/1.1"], ..Offer::named(name) }
    }
}

pub fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

pub fn client_hello(offer: &Offer) -> Vec<u8> {
    let mut body = TLS_1_2.to_be_bytes().to_vec();
    body.extend([offer.random; 32]);
    body.push(0);
    body.extend(vec16(&numbers(&offer.suites)));
    body.extend([1, 0]);
    let mut extensions = extension(10, &vec16(&numbers(&[0x001D, 0x0017])));
    if offer.padding > 0 {
        extensions.extend(extension(21, &vec![0; offer.padding]));
    }
    if let Some(name) = &offer.name {
        extensions.extend(extension(0, &vec16(&[&[0][..], &vec16(name.as_bytes())].concat())));
    }
    if !offer.alpn.is_empty() {
        let names: Vec<u8> = offer.alpn.iter().flat_map(|name| vec8(name.as_bytes())).collect();
        extensions.extend(extension(16, &vec16(&names)));
    }
    if !offer.versions.is_empty() {
        extensions.extend(extension(43, &vec8(&numbers(&offer.versions))));
    }
    body.extend(vec16(&extensions));
    message(1, &body)
}

pub fn server_hello(random: u8, version: u16) -> Vec<u8> {
    let mut body = TLS_1_2.to_be_bytes().to_vec();
    body.extend([random; 32]);
    body.push(0);
    body.extend(if version == TLS_1_3 { [0x13, 0x01] } else { [0xC0, 0x2B] });
    body.push(0);
    if version == TLS_1_3 {
        let share = [&numbers(&[0x001D])[..], &vec16(&noise(32, 9))].concat();
        let extensions = [extension(43, &version.to_be_bytes()), extension(51, &share)].concat();
        body.extend(vec16(&extensions));
    }
    message(2, &body)
}

/// One connection: who says what over TCP.
pub struct Tls {
    pub tcp: Tcp,
    pub certificate: Vec<u8>,
    seed: u8,
}

impl Tls {
    pub fn open(scene: &mut Scene, client: &str, server: &str) -> Tls {
        Tls { tcp: Tcp::open(scene, client, server), certificate: certificate("turn.example.org"), seed: 0 }
    }

    /// One that was opened before the scene.
    pub fn running(client: &str, server: &str) -> Tls {
        Tls { tcp: Tcp::running(client, server), certificate: certificate("turn.example.org"), seed: 0 }
    }

    pub fn with(self, certificate: Vec<u8>) -> Tls {
        Tls { certificate, ..self }
    }

    pub fn say(&mut self, scene: &mut Scene, side: usize, bytes: &[u8]) -> u64 {
        self.tcp.say(scene.after_ms(10), side, bytes)
    }

    /// Bytes that look encrypted, as a record of this type.
    pub fn sealed(&mut self, kind: u8, length: usize) -> Vec<u8> {
        self.seed = self.seed.wrapping_add(1);
        record(kind, &noise(length, self.seed))
    }

    pub fn hello(&mut self, scene: &mut Scene, offer: &Offer) -> u64 {
        self.say(scene, 0, &record(HANDSHAKE, &client_hello(offer)))
    }

    /// ServerHello, Certificate, ServerKeyExchange, ServerHelloDone.
    pub fn server_flight(&mut self, scene: &mut Scene) -> u64 {
        let exchange = [&[3, 0, 0x1D][..], &vec8(&noise(32, 4)), &[4, 3], &vec16(&noise(70, 5))].concat();
        let flight = [
            record(HANDSHAKE, &server_hello(0xA5, TLS_1_2)),
            record(HANDSHAKE, &message(11, &certificate_body(&[&self.certificate]))),
            record(HANDSHAKE, &message(12, &exchange)),
            record(HANDSHAKE, &message(14, &[])),
        ]
        .concat();
        self.say(scene, 1, &flight)
    }

    /// ServerHello of TLS 1.3 and the encrypted rest.
    pub fn server_flight_1_3(&mut self, scene: &mut Scene) -> u64 {
        let sealed = self.sealed(DATA, 900);
        let flight = [record(HANDSHAKE, &server_hello(0xA5, TLS_1_3)), record(CHANGE_CIPHER, &[1]), sealed].concat();
        self.say(scene, 1, &flight)
    }

    /// ClientKeyExchange, ChangeCipherSpec, Finished.
    pub fn client_flight(&mut self, scene: &mut Scene) -> u64 {
        let flight = [
            record(HANDSHAKE, &message(16, &vec8(&noise(32, 6)))),
            record(CHANGE_CIPHER, &[1]),
            self.sealed(HANDSHAKE, 40),
        ]
        .concat();
        self.say(scene, 0, &flight)
    }

    /// ChangeCipherSpec, Finished.
    pub fn last_flight(&mut self, scene: &mut Scene) -> u64 {
        let flight = [record(CHANGE_CIPHER, &[1]), self.sealed(HANDSHAKE, 40)].concat();
        self.say(scene, 1, &flight)
    }

    pub fn alert(&mut self, scene: &mut Scene, side: usize, description: u8) -> u64 {
        self.say(scene, side, &record(ALERT, &[2, description]))
    }

    /// The whole of a TLS 1.2 handshake.
    pub fn complete(&mut self, scene: &mut Scene, offer: &Offer) {
        self.hello(scene, offer);
        self.server_flight(scene);
        self.client_flight(scene);
        self.last_flight(scene);
    }

    /// The whole of a TLS 1.3 handshake, and the ticket that servers give at once.
    pub fn complete_1_3(&mut self, scene: &mut Scene, offer: &Offer) {
        self.hello(scene, offer);
        self.server_flight_1_3(scene);
        let finished = [record(CHANGE_CIPHER, &[1]), self.sealed(DATA, 53)].concat();
        self.say(scene, 0, &finished);
        let ticket = self.sealed(DATA, 250);
        self.say(scene, 1, &ticket);
    }

    /// Requests and answers, as many of each.
    pub fn talk(&mut self, scene: &mut Scene, times: usize) {
        for _ in 0..times {
            for side in [0, 1] {
                let data = self.sealed(DATA, 120);
                self.say(scene, side, &data);
            }
        }
    }
}
