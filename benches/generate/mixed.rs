//! A mirror port: mostly TCP that has nothing to do with anything, names being looked up, QUIC, and a few relayed calls.

use std::net::{Ipv4Addr, SocketAddr};

use super::call::{Call, Route};
use super::options::Options;
use super::output::{Output, Path, Tcp};
use super::random::Random;

const TCP_FLOWS_PER_GIB: u64 = 11_350;
const PCAP_BYTES_PER_PACKET: u64 = 908;
const OPEN_CONNECTIONS: usize = 128;
const CALLS: u32 = 20;
const QUIC_FLOWS: u32 = 60;
const DNS_FLOWS: u32 = 120;
/// Segments of a record of TLS.
const RECORD: u32 = 11;
const PACKET_US: u64 = 25;

const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;

pub(crate) fn generate(options: &Options, output: &mut Output) {
    let mut random = Random::new(options.seed ^ 0x313ED);
    let connections = options.flows_or_scaled(TCP_FLOWS_PER_GIB);
    let each = (options.size / PCAP_BYTES_PER_PACKET * 95 / 100 / u64::from(connections)).max(8);
    let mut begun = 0;
    let mut open: Vec<Connection> = Vec::new();
    let mut calls: Vec<Call> = (0..CALLS).map(|call| Call::new(call, Route::RelayedClientSide, options.seed)).collect();
    let mut seen_quic = [false; QUIC_FLOWS as usize];
    let mut seen_dns = [false; DNS_FLOWS as usize];
    while !output.full() {
        output.now_us += random.between(1, 2 * PACKET_US - 1);
        match random.below(10_000) {
            0..9_500 => {
                while open.len() < OPEN_CONNECTIONS && begun < connections {
                    open.push(Connection::new(begun, random.between(each / 2, each * 3 / 2), &mut random));
                    begun += 1;
                }
                let place = random.below(open.len() as u64) as usize;
                let last_ones = begun == connections;
                if !open[place].step(output, &mut random, last_ones) {
                    open.swap_remove(place);
                }
            }
            9_500..9_612 => {
                let call = random.below(CALLS.into()) as usize;
                calls[call].tick(output);
            }
            9_612..9_614 => {
                let call = random.below(CALLS.into()) as usize;
                if calls[call].is_running() {
                    calls[call].consent(output);
                }
            }
            9_614..9_900 => {
                let flow = random.below(QUIC_FLOWS.into()) as u32;
                quic(output, &mut random, flow, &mut seen_quic[flow as usize]);
            }
            _ => {
                let flow = random.below(DNS_FLOWS.into()) as u32;
                dns(output, &mut random, flow, &mut seen_dns[flow as usize]);
            }
        }
    }
}

struct Connection {
    path: Path,
    sequences: [u32; 2],
    /// How many segments of the record are still to come that each side sends.
    rest: [u32; 2],
    sent: u64,
    planned: u64,
}

impl Connection {
    fn new(number: u32, planned: u64, random: &mut Random) -> Self {
        let from =
            SocketAddr::from((Ipv4Addr::from(0x0A40_0000 + number % 20_000), 32_768 + (number / 7 % 28_000) as u16));
        let to = SocketAddr::from((
            Ipv4Addr::from(0xCB00_7100 + number % 200),
            if number.is_multiple_of(5) { 80 } else { 443 },
        ));
        let vlan = (number % 10 == 3).then_some(300);
        let sequences = [random.next() as u32, random.next() as u32];
        Self { path: Path { from, to, vlan }, sequences, rest: [0; 2], sent: 0, planned: planned.max(8) }
    }

    /// The connection's next segment; false after its last. The last connections of a file go on until it is full.
    fn step(&mut self, output: &mut Output, random: &mut Random, endless: bool) -> bool {
        let step = self.sent;
        self.sent += 1;
        match step {
            0 => {
                let written = self.segment(output, 0, SYN, &[], 0);
                output.truth.tcp_flows += u64::from(written);
            }
            1 => {
                self.segment(output, 1, SYN | ACK, &[], 0);
            }
            2 => {
                self.segment(output, 0, ACK, &[], 0);
            }
            3 => {
                self.segment(output, 0, PSH | ACK, &client_hello(random), 0);
            }
            4 => {
                self.segment(output, 1, PSH | ACK, &server_flight(random), 1200);
            }
            5 => {
                // Finished, and what is asked for
                let said = [&[20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 69][..], &[0xA5; 69], &[23, 3, 3, 0x01, 0x90]].concat();
                self.segment(output, 0, PSH | ACK, &said, 400);
            }
            _ if step + 2 == self.planned && !endless => {
                self.segment(output, 0, FIN | ACK, &[], 0);
            }
            _ if step + 1 >= self.planned && !endless => {
                self.segment(output, 1, FIN | ACK, &[], 0);
                return false;
            }
            _ if random.chance(61, 100) => {
                let side = usize::from(random.chance(8, 10));
                // 15,923 bytes under keys, in eleven segments
                let head: &[u8] = if self.rest[side] == 0 { &[23, 3, 3, 0x3E, 0x33] } else { &[] };
                self.rest[side] = (self.rest[side] + RECORD - 1) % RECORD;
                self.segment(output, side, ACK, head, 1448 - head.len());
            }
            _ => {
                let side = usize::from(random.chance(2, 10));
                self.segment(output, side, ACK, &[], 0);
            }
        }
        true
    }

    fn segment(&mut self, output: &mut Output, side: usize, flags: u8, head: &[u8], filler: usize) -> bool {
        let path = if side == 0 { self.path } else { self.path.back() };
        let ack = if flags & ACK == 0 { 0 } else { self.sequences[1 - side] };
        let written = output.tcp(path, &Tcp { seq: self.sequences[side], ack, flags }, head, filler);
        let taken = (head.len() + filler) as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.sequences[side] = self.sequences[side].wrapping_add(taken);
        written
    }
}

/// TLS 1.3, with its usual extensions and padded as browsers do.
fn client_hello(random: &mut Random) -> Vec<u8> {
    let name = format!("host{}.example.com", random.below(1000));
    let name_list = [&[0][..], &(name.len() as u16).to_be_bytes(), name.as_bytes()].concat();
    let share = [&[0, 0x1D][..], &[0, 32], &bytes(random, 32)].concat();
    let mut extensions = Vec::new();
    extension(&mut extensions, 0, &[&(name_list.len() as u16).to_be_bytes()[..], &name_list].concat());
    extension(&mut extensions, 10, &[0, 2, 0, 0x1D]);
    extension(&mut extensions, 16, b"\x00\x0c\x02h2\x08http/1.1");
    extension(&mut extensions, 43, &[2, 3, 4]);
    extension(&mut extensions, 51, &[&(share.len() as u16).to_be_bytes()[..], &share].concat());
    let before = 2 + 32 + 33 + 2 + 6 + 2 + 2 + extensions.len() + 4;
    extension(&mut extensions, 21, &vec![0; 508 - before]);
    let body = [
        &[3, 3][..],
        &bytes(random, 32),
        &[32],
        &bytes(random, 32),
        &[0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0],
        &(extensions.len() as u16).to_be_bytes(),
        &extensions,
    ]
    .concat();
    handshake(1, &body)
}

/// ServerHello, ChangeCipherSpec, and the head of a record under keys whose 1,200 bytes follow.
fn server_flight(random: &mut Random) -> Vec<u8> {
    let mut extensions = Vec::new();
    extension(&mut extensions, 43, &[3, 4]);
    extension(&mut extensions, 51, &[&[0, 0x1D, 0, 32][..], &bytes(random, 32)].concat());
    let body = [
        &[3, 3][..],
        &bytes(random, 32),
        &[32],
        &bytes(random, 32),
        &[0x13, 1, 0],
        &(extensions.len() as u16).to_be_bytes(),
        &extensions,
    ]
    .concat();
    [&handshake(2, &body)[..], &[20, 3, 3, 0, 1, 1], &[23, 3, 3, 0x04, 0xB0]].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len() as u16;
    let [record, message] = [length + 4, length].map(u16::to_be_bytes);
    [&[22, 3, 1][..], &record, &[kind, 0], &message, body].concat()
}

fn extension(to: &mut Vec<u8>, kind: u16, body: &[u8]) {
    to.extend_from_slice(&kind.to_be_bytes());
    to.extend_from_slice(&(body.len() as u16).to_be_bytes());
    to.extend_from_slice(body);
}

fn bytes(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.next() as u8).collect()
}

fn quic(output: &mut Output, random: &mut Random, flow: u32, seen: &mut bool) {
    let from = SocketAddr::from((Ipv4Addr::new(10, 80, 0, flow as u8 + 1), 60_000 + flow as u16));
    let path = Path { from, to: (Ipv4Addr::new(203, 0, 113, 250), 443).into(), vlan: None };
    let written = if *seen {
        let size = if random.chance(6, 10) { 1200 } else { random.between(30, 700) as usize };
        // The connection id's second byte keeps the first four bytes from being a ChannelData header by accident: the length that
        // it would declare is longer than any packet here. The file's truth must not hang on luck.
        let head = [0x40 | random.below(0x40) as u8, flow as u8, 0xF0 | flow as u8, 0x55, 1, 2, 3, 4, 5];
        let path = if random.chance(7, 10) { path.back() } else { path };
        output.udp(path, &head, size)
    } else {
        output.udp(path, &[0xC3, 0, 0, 0, 1, 8, flow as u8, 0xF0, 1, 2, 3, 4, 5, 6, 0, 0], 1184)
    };
    output.truth.quic += u64::from(written);
    output.truth.udp_flows += u64::from(written && !*seen);
    *seen |= written;
}

/// A query and its answer.
fn dns(output: &mut Output, random: &mut Random, flow: u32, seen: &mut bool) {
    let from = SocketAddr::from((Ipv4Addr::new(10, 81, 0, flow as u8 + 1), 40_000 + flow as u16));
    let path = Path { from, to: (Ipv4Addr::new(10, 81, 1, 53), 53).into(), vlan: None };
    let id = (random.next() as u16).to_be_bytes();
    let question = format!("\x06host{:02}\x07example\x03org\0\0\x01\0\x01", random.below(100));
    let query = [&id[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], question.as_bytes()].concat();
    let record = [0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 203, 0, 113, 7];
    let answer = [&id[..], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], question.as_bytes(), &record].concat();
    let written = output.udp(path, &query, 0);
    output.truth.dns += u64::from(written);
    output.truth.udp_flows += u64::from(written && !*seen);
    *seen |= written;
    output.now_us += 15;
    output.truth.dns += u64::from(output.udp(path.back(), &answer, 0));
}
