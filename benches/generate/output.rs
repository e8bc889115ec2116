//! The file: frames with right checksums, records of either format, and the truth about what went in.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::options::Options;
use super::random::Random;
use super::stun::Message;
use super::truth::Truth;

/// 2026-01-01T00:00:00Z in microseconds since 1970.
const START_US: u64 = 1_767_225_600_000_000;
/// Small enough to stay in the cache, large enough to make system calls rare.
const BUFFER: usize = 256 << 10;
/// Random bytes that payloads are cut from.
const FILLER: usize = 1 << 20;

pub(crate) struct Output {
    file: File,
    buffer: Vec<u8>,
    pcapng: bool,
    /// How much more there may be, counted as pcap.
    left: u64,
    packets_left: u64,
    frame: Vec<u8>,
    filler: Vec<u8>,
    filler_at: usize,
    identification: u16,
    /// The clock, in microseconds since the start.
    pub(crate) now_us: u64,
    pub(crate) truth: Truth,
}

/// Which way a datagram goes: addresses and VLAN.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) vlan: Option<u16>,
}

impl Path {
    pub(crate) fn back(self) -> Self {
        Self { from: self.to, to: self.from, ..self }
    }
}

/// A TCP segment's own header fields.
pub(crate) struct Tcp {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
}

impl Output {
    pub(crate) fn create(options: &Options) -> Self {
        let file = File::create(&options.file)
            .unwrap_or_else(|problem| panic!("cannot write {}: {problem}", options.file.display()));
        let mut random = Random::new(options.seed ^ 0xF111);
        let mut filler = Vec::with_capacity(FILLER);
        while filler.len() < FILLER {
            filler.extend_from_slice(&random.next().to_le_bytes());
        }
        let mut output = Self {
            file,
            buffer: Vec::with_capacity(BUFFER + 4096),
            pcapng: options.pcapng,
            left: options.size - 24,
            packets_left: options.packets,
            frame: Vec::with_capacity(2048),
            filler,
            filler_at: 0,
            identification: 0,
            now_us: 0,
            truth: Truth::default(),
        };
        output.file_header();
        output
    }

    /// True when the size is reached; what is written afterwards is not (nor counted).
    pub(crate) fn full(&self) -> bool {
        self.left == 0
    }

    /// A datagram whose payload is `head`, then `filler` bytes that look random. False when it did not fit any more.
    pub(crate) fn udp(&mut self, path: Path, head: &[u8], filler: usize) -> bool {
        self.headers(path, 17, 8 + head.len() + filler);
        let start = self.frame.len();
        self.frame.extend_from_slice(&path.from.port().to_be_bytes());
        self.frame.extend_from_slice(&path.to.port().to_be_bytes());
        self.frame.extend_from_slice(&((8 + head.len() + filler) as u16).to_be_bytes());
        self.frame.extend_from_slice(&[0, 0]);
        self.payload(head, filler);
        let sum = match transport_checksum(path, 17, &self.frame[start..]) {
            0 => 0xFFFF,
            sum => sum,
        };
        self.frame[start + 6..start + 8].copy_from_slice(&sum.to_be_bytes());
        self.record()
    }

    /// A STUN message by itself, or as the data of `channel`.
    pub(crate) fn stun(&mut self, path: Path, message: &Message, channel: Option<u16>) -> bool {
        let written = match channel {
            None => self.udp(path, &message.bytes, 0),
            Some(number) => {
                let mut wrapped = [0; 600];
                wrapped[..2].copy_from_slice(&number.to_be_bytes());
                wrapped[2..4].copy_from_slice(&(message.bytes.len() as u16).to_be_bytes());
                wrapped[4..4 + message.bytes.len()].copy_from_slice(&message.bytes);
                self.udp(path, &wrapped[..4 + message.bytes.len()], 0)
            }
        };
        if written {
            self.truth.channel_data += u64::from(channel.is_some());
            self.truth.message(message.class, message.method, channel.is_some());
            self.truth.protected += u64::from(message.protected);
            self.truth.fingerprints += u64::from(message.fingerprint);
            if let Some(code) = message.error {
                self.truth.error(code);
            }
        }
        written
    }

    /// A TCP segment; SYNs bear the usual options.
    pub(crate) fn tcp(&mut self, path: Path, tcp: &Tcp, head: &[u8], filler: usize) -> bool {
        const SYN_OPTIONS: [u8; 12] = [2, 4, 5, 0xB4, 1, 3, 3, 7, 4, 2, 1, 1];
        const TIMESTAMPS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0x10, 0, 0, 0, 0x20, 0];
        let options = if tcp.flags & 2 != 0 { SYN_OPTIONS } else { TIMESTAMPS };
        self.headers(path, 6, 32 + head.len() + filler);
        let start = self.frame.len();
        self.frame.extend_from_slice(&path.from.port().to_be_bytes());
        self.frame.extend_from_slice(&path.to.port().to_be_bytes());
        self.frame.extend_from_slice(&tcp.seq.to_be_bytes());
        self.frame.extend_from_slice(&tcp.ack.to_be_bytes());
        self.frame.extend_from_slice(&[0x80, tcp.flags, 0x01, 0xF6, 0, 0, 0, 0]);
        self.frame.extend_from_slice(&options);
        self.payload(head, filler);
        let sum = transport_checksum(path, 6, &self.frame[start..]);
        self.frame[start + 16..start + 18].copy_from_slice(&sum.to_be_bytes());
        let written = self.record();
        self.truth.tcp_segments += u64::from(written);
        written
    }

    pub(crate) fn finish(mut self) -> Truth {
        self.flush();
        self.truth
    }

    fn payload(&mut self, head: &[u8], filler: usize) {
        self.frame.extend_from_slice(head);
        if filler > 0 {
            self.filler_at = (self.filler_at + 4099) % (FILLER - 65536);
            self.frame.extend_from_slice(&self.filler[self.filler_at..self.filler_at + filler]);
        }
    }

    /// Ethernet, VLAN and IP headers for `length` bytes more.
    fn headers(&mut self, path: Path, protocol: u8, length: usize) {
        let frame = &mut self.frame;
        frame.clear();
        frame.extend_from_slice(&[0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1]);
        if let Some(vlan) = path.vlan {
            frame.extend_from_slice(&[0x81, 0]);
            frame.extend_from_slice(&vlan.to_be_bytes());
        }
        match (path.from.ip(), path.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                self.identification = self.identification.wrapping_add(1);
                frame.extend_from_slice(&[0x08, 0]);
                let start = frame.len();
                frame.extend_from_slice(&[0x45, 0]);
                frame.extend_from_slice(&((20 + length) as u16).to_be_bytes());
                frame.extend_from_slice(&self.identification.to_be_bytes());
                frame.extend_from_slice(&[0x40, 0, 64, protocol, 0, 0]);
                frame.extend_from_slice(&from.octets());
                frame.extend_from_slice(&to.octets());
                let sum = fold(add_words(0, &frame[start..]));
                frame[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend_from_slice(&[0x86, 0xDD, 0x60, 0, 0, 0]);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
                frame.extend_from_slice(&[protocol, 64]);
                frame.extend_from_slice(&from.octets());
                frame.extend_from_slice(&to.octets());
            }
            _ => unreachable!("a path has one family"),
        }
    }

    /// The finished frame into the file, if the size allows.
    fn record(&mut self) -> bool {
        let length = self.frame.len();
        let cost = 16 + length as u64;
        if cost > self.left || self.packets_left == 0 {
            self.left = 0;
            return false;
        }
        self.left -= cost;
        self.packets_left -= 1;
        let time = START_US + self.now_us;
        let captured = (length as u32).to_le_bytes();
        if self.pcapng {
            let padded = length.next_multiple_of(4);
            let total = (32 + padded as u32).to_le_bytes();
            self.buffer.extend_from_slice(&6u32.to_le_bytes());
            self.buffer.extend_from_slice(&total);
            self.buffer.extend_from_slice(&[0; 4]);
            self.buffer.extend_from_slice(&((time >> 32) as u32).to_le_bytes());
            self.buffer.extend_from_slice(&(time as u32).to_le_bytes());
            self.buffer.extend_from_slice(&captured);
            self.buffer.extend_from_slice(&captured);
            self.buffer.extend_from_slice(&self.frame);
            self.buffer.extend_from_slice(&[0; 3][..padded - length]);
            self.buffer.extend_from_slice(&total);
        } else {
            self.buffer.extend_from_slice(&((time / 1_000_000) as u32).to_le_bytes());
            self.buffer.extend_from_slice(&((time % 1_000_000) as u32).to_le_bytes());
            self.buffer.extend_from_slice(&captured);
            self.buffer.extend_from_slice(&captured);
            self.buffer.extend_from_slice(&self.frame);
        }
        let truth = &mut self.truth;
        if truth.packets == 0 {
            truth.first_us = time;
        }
        truth.last_us = time;
        truth.packets += 1;
        truth.bytes += length as u64;
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
        true
    }

    fn file_header(&mut self) {
        let header: Vec<u32> = if self.pcapng {
            // Section header of unknown length; Ethernet interface in microseconds.
            vec![0x0A0D_0D0A, 28, 0x1A2B_3C4D, 1, u32::MAX, u32::MAX, 28, 1, 20, 1, 262_144, 20]
        } else {
            vec![0xA1B2_C3D4, 0x0004_0002, 0, 0, 262_144, 1]
        };
        for word in header {
            self.buffer.extend_from_slice(&word.to_le_bytes());
        }
    }

    fn flush(&mut self) {
        self.file.write_all(&self.buffer).unwrap_or_else(|problem| panic!("cannot write: {problem}"));
        self.truth.file_bytes += self.buffer.len() as u64;
        self.buffer.clear();
    }
}

fn transport_checksum(path: Path, protocol: u8, body: &[u8]) -> u16 {
    let mut sum = u64::from(protocol) + body.len() as u64;
    for address in [path.from.ip(), path.to.ip()] {
        sum = match address {
            IpAddr::V4(v4) => add_words(sum, &v4.octets()),
            IpAddr::V6(v6) => add_words(sum, &v6.octets()),
        };
    }
    fold(add_words(sum, body))
}

/// RFC 1071 over 32-bit words: folding at the end makes it the same as over 16-bit ones.
fn add_words(mut sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        sum += u64::from(u32::from_be_bytes(*word));
    }
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    sum + u64::from(u32::from_be_bytes(last))
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}
