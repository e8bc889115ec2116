//! DTLS handshakes, built record by record (RFC 6347, RFC 9147): what one end says, with its own counters, and whole stories.

use super::packet::Place;
use super::payload::dtls_record;
use super::scene::{Scene, Sent};

pub const DTLS_1_0: u16 = 0xFEFF;
pub const DTLS_1_2: u16 = 0xFEFD;
pub const DTLS_1_3: u16 = 0xFEFC;

/// What a ClientHello offers.
#[derive(Clone)]
pub struct Offer {
    pub random: u8,
    pub version: u16,
    /// supported_versions, if any.
    pub versions: Vec<u16>,
    pub suites: Vec<u16>,
    pub srtp: Vec<u16>,
    pub cookie: Vec<u8>,
    pub session: Vec<u8>,
    /// Bytes of a key share for X25519MLKEM768; 0 for none.
    pub share: usize,
}

impl Default for Offer {
    fn default() -> Self {
        Offer {
            random: 0x5A,
            version: DTLS_1_2,
            versions: Vec::new(),
            suites: vec![0xC02B, 0xC02F],
            srtp: vec![7, 1],
            cookie: Vec::new(),
            session: Vec::new(),
            share: 0,
        }
    }
}

/// One end: its record and message numbers.
#[derive(Clone, Default)]
pub struct End {
    pub record: u64,
    pub message: u16,
    sealed: u64,
    /// The version in record headers; 0 for DTLS 1.2.
    pub version: u16,
}

pub(super) fn vec8(body: &[u8]) -> Vec<u8> {
    [&[body.len() as u8], body].concat()
}

pub(super) fn vec16(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes(), body].concat()
}

pub(super) fn vec24(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[1..], body].concat()
}

pub(super) fn numbers(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|number| number.to_be_bytes()).collect()
}

pub(super) fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), vec16(body)].concat()
}

impl End {
    fn header_version(&self) -> u16 {
        if self.version == 0 { DTLS_1_2 } else { self.version }
    }

    /// A record in the clear.
    pub fn plain(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        self.record += 1;
        dtls_record(kind, self.header_version(), 0, self.record - 1, body)
    }

    /// A record of epoch 1, with contents of this many bytes.
    pub fn sealed(&mut self, kind: u8, length: usize) -> Vec<u8> {
        self.sealed += 1;
        dtls_record(kind, self.header_version(), 1, self.sealed - 1, &noise(length, self.sealed as u8))
    }

    /// A record of DTLS 1.3 with the unified header, 16-bit sequence and length.
    pub fn unified(&mut self, epoch: u8, length: usize) -> Vec<u8> {
        self.sealed += 1;
        let mut out = vec![0x2C | epoch & 3];
        out.extend((self.sealed as u16).wrapping_mul(0x3D61).to_be_bytes());
        out.extend((length as u16).to_be_bytes());
        out.extend(noise(length, self.sealed as u8));
        out
    }

    /// A fragment of a message with the next number, which stays the next.
    pub fn fragment(&mut self, kind: u8, body: &[u8], part: std::ops::Range<usize>) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend(&(body.len() as u32).to_be_bytes()[1..]);
        out.extend(self.message.to_be_bytes());
        out.extend(&(part.start as u32).to_be_bytes()[1..]);
        out.extend(&(part.len() as u32).to_be_bytes()[1..]);
        out.extend(&body[part]);
        self.plain(22, &out)
    }

    /// A whole message with the next number.
    pub fn message(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let out = self.fragment(kind, body, 0..body.len());
        self.message += 1;
        out
    }

    pub fn client_hello(&mut self, offer: &Offer) -> Vec<u8> {
        let body = client_hello_body(offer);
        self.message(1, &body)
    }

    /// A ServerHello that chooses version, suite and, up to DTLS 1.2, an SRTP profile.
    pub fn server_hello(&mut self, random: u8, version: u16, suite: u16) -> Vec<u8> {
        let extensions = if version == DTLS_1_3 {
            let share = [numbers(&[0x001D]), vec16(&[7; 32])].concat();
            [extension(43, &DTLS_1_3.to_be_bytes()), extension(51, &share)].concat()
        } else {
            extension(14, &[0, 2, 0, 7, 0])
        };
        self.message(2, &server_hello_body(random, version.max(DTLS_1_2), suite, &extensions))
    }

    pub fn hello_verify_request(&mut self, cookie: &[u8]) -> Vec<u8> {
        let body = [DTLS_1_0.to_be_bytes().to_vec(), vec8(cookie)].concat();
        self.message(3, &body)
    }

    /// A Certificate with this chain; empty for none.
    pub fn certificate(&mut self, chain: &[&[u8]]) -> Vec<u8> {
        let body = certificate_body(chain);
        self.message(11, &body)
    }

    pub fn server_key_exchange(&mut self) -> Vec<u8> {
        let body = [&[3, 0, 0x1D][..], &vec8(&[9; 32]), &[4, 3], &vec16(&[8; 70])].concat();
        self.message(12, &body)
    }

    pub fn certificate_request(&mut self) -> Vec<u8> {
        let body = [vec8(&[64]), vec16(&[4, 3]), vec16(&[])].concat();
        self.message(13, &body)
    }

    pub fn server_hello_done(&mut self) -> Vec<u8> {
        self.message(14, &[])
    }

    pub fn client_key_exchange(&mut self) -> Vec<u8> {
        let body = vec8(&[6; 32]);
        self.message(16, &body)
    }

    pub fn certificate_verify(&mut self) -> Vec<u8> {
        let body = [&[4, 3][..], &vec16(&[5; 71])].concat();
        self.message(15, &body)
    }

    pub fn change_cipher(&mut self) -> Vec<u8> {
        self.plain(20, &[1])
    }

    pub fn finished(&mut self) -> Vec<u8> {
        self.message += 1;
        self.sealed(22, 40)
    }

    pub fn alert(&mut self, level: u8, description: u8) -> Vec<u8> {
        self.plain(21, &[level, description])
    }

    /// The server's flight up to DTLS 1.2, in one datagram.
    pub fn server_flight(&mut self, certificate: &[u8]) -> Vec<u8> {
        [
            self.server_hello(0xA5, DTLS_1_2, 0xC02B),
            self.certificate(&[certificate]),
            self.server_key_exchange(),
            self.certificate_request(),
            self.server_hello_done(),
        ]
        .concat()
    }

    /// The client's answer to it.
    pub fn client_flight(&mut self, certificate: &[u8]) -> Vec<u8> {
        [
            self.certificate(&[certificate]),
            self.client_key_exchange(),
            self.certificate_verify(),
            self.change_cipher(),
            self.finished(),
        ]
        .concat()
    }

    /// The server's last flight.
    pub fn last_flight(&mut self) -> Vec<u8> {
        [self.change_cipher(), self.finished()].concat()
    }
}

pub fn client_hello_body(offer: &Offer) -> Vec<u8> {
    let mut body = offer.version.to_be_bytes().to_vec();
    body.extend([offer.random; 32]);
    body.extend(vec8(&offer.session));
    body.extend(vec8(&offer.cookie));
    body.extend(vec16(&numbers(&offer.suites)));
    body.extend([1, 0]);
    let mut extensions = extension(10, &vec16(&numbers(&[0x001D, 0x0017])));
    extensions.extend(extension(13, &vec16(&numbers(&[0x0403, 0x0804]))));
    if !offer.srtp.is_empty() {
        extensions.extend(extension(14, &[vec16(&numbers(&offer.srtp)), vec![0]].concat()));
    }
    if !offer.versions.is_empty() {
        extensions.extend(extension(43, &vec8(&numbers(&offer.versions))));
    }
    if offer.share > 0 {
        let share = [numbers(&[0x11EC]), vec16(&noise(offer.share, 3))].concat();
        extensions.extend(extension(51, &vec16(&share)));
    }
    body.extend(vec16(&extensions));
    body
}

/// A ServerHello with this version in its fixed part, and these extensions.
pub fn server_hello_body(random: u8, version: u16, suite: u16, extensions: &[u8]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([random; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    body.extend(vec16(extensions));
    body
}

pub fn certificate_body(chain: &[&[u8]]) -> Vec<u8> {
    vec24(&chain.iter().flat_map(|der| vec24(der)).collect::<Vec<u8>>())
}

/// A flight once more, as its sender repeats it: the same messages in records with new numbers.
pub fn again(end: &mut End, datagram: &[u8]) -> Vec<u8> {
    let mut out = datagram.to_vec();
    let mut at = 0;
    while at < out.len() {
        let length = usize::from(u16::from_be_bytes([out[at + 11], out[at + 12]]));
        if out[at + 3..at + 5] == [0, 0] {
            out[at + 5..at + 11].copy_from_slice(&end.record.to_be_bytes()[2..]);
            end.record += 1;
        } else {
            out[at + 5..at + 11].copy_from_slice(&end.sealed.to_be_bytes()[2..]);
            end.sealed += 1;
        }
        at += 13 + length;
    }
    out
}

/// A self-signed certificate in DER for this name, valid from the first of December 2025 for a year; neither key nor signature are real.
pub fn certificate(name: &str) -> Vec<u8> {
    certificate_until(name, "261201000000Z")
}

/// The same, valid until another time.
pub fn certificate_until(name: &str, until: &str) -> Vec<u8> {
    let algorithm = der(0x30, &[0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2]);
    let common_name = [&[0x06, 3, 0x55, 4, 3][..], &der(0x0C, name.as_bytes())].concat();
    let name = der(0x30, &der(0x31, &der(0x30, &common_name)));
    let validity = der(0x30, &[der(0x17, b"251201000000Z"), der(0x17, until.as_bytes())].concat());
    let curve = [0x06, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, 0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
    let point = [&[0, 4][..], &[0x11; 64]].concat();
    let key = der(0x30, &[der(0x30, &curve), der(0x03, &point)].concat());
    let body = [&[0x02, 1, 1][..], &algorithm, &name, &validity, &name, &key].concat();
    der(0x30, &[der(0x30, &body), algorithm, der(0x03, &[0, 0x30, 6, 2, 1, 1, 2, 1, 1])].concat())
}

fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..128 => vec![short as u8],
        long @ 128..256 => vec![0x81, long as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag][..], &length, body].concat()
}

/// Bytes that look encrypted.
pub(super) fn noise(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|place| (place as u8).wrapping_mul(149).wrapping_add(seed.wrapping_mul(97)) ^ 0x5C).collect()
}

/// The two ends of a handshake told flight by flight, each 10 ms after the one before it.
pub struct Shake {
    pub client: End,
    pub server: End,
    pub ends: (std::net::SocketAddr, std::net::SocketAddr),
    pub certificates: (Vec<u8>, Vec<u8>),
}

impl Shake {
    pub fn between(client: impl Place, server: impl Place) -> Shake {
        Shake {
            client: End::default(),
            server: End::default(),
            ends: (client.place(), server.place()),
            certificates: (certificate("client"), certificate("server")),
        }
    }

    /// A datagram from the client.
    pub fn up(&self, scene: &mut Scene, payload: Vec<u8>) -> Sent {
        scene.after_ms(10).udp(self.ends.0, self.ends.1, payload)
    }

    /// A datagram from the server.
    pub fn down(&self, scene: &mut Scene, payload: Vec<u8>) -> Sent {
        scene.after_ms(10).udp(self.ends.1, self.ends.0, payload)
    }

    /// What the client says, in a datagram.
    pub fn client_says(&mut self, scene: &mut Scene, what: impl FnOnce(&mut End) -> Vec<u8>) -> Sent {
        let datagram = what(&mut self.client);
        self.up(scene, datagram)
    }

    /// What the server says, in a datagram.
    pub fn server_says(&mut self, scene: &mut Scene, what: impl FnOnce(&mut End) -> Vec<u8>) -> Sent {
        let datagram = what(&mut self.server);
        self.down(scene, datagram)
    }

    pub fn hello(&mut self, scene: &mut Scene) -> Sent {
        let hello = self.client.client_hello(&Offer::default());
        self.up(scene, hello)
    }

    pub fn server_flight(&mut self, scene: &mut Scene) -> Sent {
        let flight = self.server.server_flight(&self.certificates.1);
        self.down(scene, flight)
    }

    /// The server's flight so many times, in three datagrams: ServerHello and the beginning of a large Certificate, the middle of it, which comes only
    /// where `middle` says so, and its end.
    pub fn large_flight(&mut self, scene: &mut Scene, times: u32, middle: bool) {
        let hello = self.hello(scene);
        let body = certificate_body(&[&vec![0x30; 1800]]);
        for time in 0..times {
            if time > 0 {
                scene.after_ms(400 << time);
                self.client_says(scene, |client| again(client, &hello.payload));
            }
            self.server.message = 0;
            let mut datagram = self.server.server_hello(0xA5, 0xFEFD, 0xC02F);
            datagram.extend(self.server.fragment(11, &body, 0..400));
            self.down(scene, datagram);
            let part = self.server.fragment(11, &body, 400..1600);
            if middle {
                self.down(scene, part);
            }
            self.server_says(scene, |server| server.fragment(11, &body, 1600..body.len()));
        }
    }

    pub fn client_flight(&mut self, scene: &mut Scene) -> Sent {
        let flight = self.client.client_flight(&self.certificates.0);
        self.up(scene, flight)
    }

    pub fn last_flight(&mut self, scene: &mut Scene) -> Sent {
        let flight = self.server.last_flight();
        self.down(scene, flight)
    }

    /// The whole of a DTLS 1.2 handshake: four datagrams.
    pub fn complete(&mut self, scene: &mut Scene) {
        self.hello(scene);
        self.server_flight(scene);
        self.client_flight(scene);
        self.last_flight(scene);
    }

    /// Data both ways for some seconds, as of a data channel.
    pub fn talk(&mut self, scene: &mut Scene, seconds: u64) {
        for _ in 0..seconds {
            let (one, other) = (self.client.sealed(23, 60), self.server.sealed(23, 80));
            scene.after_ms(980);
            self.up(scene, one);
            self.down(scene, other);
        }
    }
}
