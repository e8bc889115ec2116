//! Builds capture files byte by byte, in either byte order, and reads them back.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{self, Read};

use turnscope::capture::{Capture, CaptureInfo};

/// 2023-11-14T22:13:20Z.
pub const T0: u32 = 1_700_000_000;

/// A file being built.
#[derive(Clone, Default)]
pub struct Bytes {
    pub bytes: Vec<u8>,
    pub big_endian: bool,
}

impl Bytes {
    pub fn new(big_endian: bool) -> Self {
        Bytes { bytes: Vec::new(), big_endian }
    }

    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() })
    }

    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() })
    }

    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() })
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn padded(&mut self, bytes: &[u8]) -> &mut Self {
        self.raw(bytes);
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        self.raw(&[0; 3][..padding])
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn pcap_header(&mut self, magic: u32, minor: u16, link_type: u32) -> &mut Self {
        self.u32(magic).u16(2).u16(minor).u32(0).u32(0).u32(65535).u32(link_type)
    }

    pub fn record(&mut self, seconds: u32, fraction: u32, original: u32, data: &[u8]) -> &mut Self {
        self.u32(seconds).u32(fraction).u32(data.len() as u32).u32(original).raw(data)
    }

    pub fn block(&mut self, kind: u32, body: impl FnOnce(&mut Bytes)) -> &mut Self {
        let mut inner = Bytes::new(self.big_endian);
        body(&mut inner);
        let len = inner.len() as u32 + 12;
        self.u32(kind).u32(len).raw(&inner.bytes).u32(len)
    }

    pub fn option(&mut self, code: u16, value: &[u8]) -> &mut Self {
        self.u16(code).u16(value.len() as u16).padded(value)
    }

    pub fn section(&mut self) -> &mut Self {
        self.block(0x0a0d_0d0a, |b| {
            b.u32(0x1a2b_3c4d).u16(1).u16(0).u64(u64::MAX).option(4, b"builder").u32(0);
        })
    }

    pub fn interface(&mut self, link_type: u16, snap_len: u32, options: impl FnOnce(&mut Bytes)) -> &mut Self {
        self.block(1, |b| {
            b.u16(link_type).u16(0).u32(snap_len);
            options(b);
        })
    }

    pub fn packet(&mut self, interface: u32, units: u64, data: &[u8], options: impl FnOnce(&mut Bytes)) -> &mut Self {
        self.block(6, |b| {
            b.u32(interface).u32((units >> 32) as u32).u32(units as u32);
            b.u32(data.len() as u32).u32(data.len() as u32).padded(data);
            options(b);
        })
    }
}

/// A frame, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub number: u64,
    pub nanos: Option<i64>,
    pub digits: u8,
    pub link_type: u16,
    pub data: Vec<u8>,
    pub original_len: u32,
    pub fcs_len: u8,
    pub big_endian: bool,
}

pub fn read(input: impl Read) -> (Vec<Kept>, CaptureInfo) {
    let mut capture = Capture::open(input).expect("opens");
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame() {
        frames.push(Kept {
            number: frame.number,
            nanos: frame.time.map(|time| time.0),
            digits: frame.digits,
            link_type: frame.link_type.0,
            data: frame.data.to_vec(),
            original_len: frame.original_len,
            fcs_len: frame.fcs_len,
            big_endian: frame.big_endian,
        });
    }
    assert!(capture.next_frame().is_none(), "the end stays the end");
    (frames, capture.info().clone())
}

/// Data of a packet that is like no other.
pub fn data(index: usize) -> Vec<u8> {
    (0..20 + index * 7 % 60).map(|at| (at * 31 + index * 17) as u8 | 1).collect()
}

/// A pcap file and the offset behind each of its records.
pub fn example_pcap(count: usize) -> (Vec<u8>, Vec<usize>) {
    let mut file = Bytes::new(false);
    file.pcap_header(0xa1b2_c3d4, 4, 1);
    let mut ends = Vec::new();
    for index in 0..count {
        let data = data(index);
        file.record(T0 + index as u32, (1000 * index % 1_000_000) as u32, data.len() as u32, &data);
        ends.push(file.len());
    }
    (file.bytes, ends)
}

/// A pcapng file with one of most blocks, and the offset behind each of its packet blocks.
pub fn example_pcapng(count: usize) -> (Vec<u8>, Vec<usize>) {
    let mut file = Bytes::new(false);
    file.section().interface(1, 0, |b| {
        b.option(2, b"eth0").u32(0);
    });
    let mut ends = Vec::new();
    for index in 0..count {
        file.packet(0, u64::from(T0) * 1_000_000 + index as u64, &data(index), |b| {
            if index % 3 == 0 {
                b.option(1, b"look here").u32(0);
            }
        });
        ends.push(file.len());
    }
    file.block(5, |b| {
        b.u32(0).u64(0).option(4, &[9, 0, 0, 0, 0, 0, 0, 0]).option(5, &[2, 0, 0, 0, 0, 0, 0, 0]).u32(0);
    });
    (file.bytes, ends)
}

/// Gives one byte at a time.
pub struct Trickle<'a>(pub &'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let take = room.len().min(1);
        self.0.read(&mut room[..take])
    }
}

/// Gives bytes and then an error.
pub struct Failing<'a>(pub &'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.0.read(room)? {
            0 => Err(io::Error::other("disk on fire")),
            count => Ok(count),
        }
    }
}
