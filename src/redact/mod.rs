//! A capture made fit to be passed on: who it is about goes, what happened stays.
//!
//! Every replacement is as long as what it replaces, so that no length, sequence number or offset in the capture changes, and the same everywhere.
//! A capture is read twice: in the first pass what comes in pieces (IP fragments, TCP streams, fragmented handshakes) is put together and
//! rewritten as a whole, in the second everything is written. What is not understood, or not surely, is cut or zeroed.
//!
//! ```text
//! frame ──packet──▶ addresses, checksums
//!            └──▶ payload ──▶ stun · handshake · dns · nothing     names, addresses, stand-ins: from one key
//! TCP ──stream──▶ payload
//! TLS, DTLS ──keys──▶ payload, handshake ──▶ sealed anew
//! ```

mod address;
mod bytes;
mod dns;
mod handshake;
mod names;
mod opened;
mod packet;
mod parts;
mod payload;
mod prf;
mod sdp;
mod standin;
mod stream;
mod stun;
mod tls;
mod tunnel;

use crate::bounded::BoundedList;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Read, Write};
use std::net::IpAddr;

pub use prf::Key;

use crate::capture::{Record, Records, SecretsKind, Writer};
use crate::frame::Frame;
use crate::net::Endpoint;
use crate::secret::Secret;
use crate::session::credentials::Credentials;
use crate::wire::stun::AttributeCode;
use address::Addresses;
use handshake::{Fragments, Rewriter};
use names::Names;
use opened::Opener;
use parts::Parts;
use standin::StandIns;
use stream::Streams;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames written.
    pub frames: u64,
    /// Messages with an integrity attribute that was kept, since no given credential made it.
    pub unsigned: u64,
    /// Certificates left out.
    pub certificates: u64,
    /// Places where something was zeroed since it could not be read as a whole.
    pub zeroed: u64,
    /// Records that keys opened, and that are sealed anew with what is redacted in them.
    pub resealed: u64,
    /// Records that keys opened and of which nothing is left, since they could not be sealed.
    pub unsealed: u64,
    /// Frames of link types that are not known here, of which nothing is left.
    pub unknown: u64,
}

/// What was replaced by what, for whoever may know both.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replaced {
    /// IP addresses.
    pub addresses: BTreeMap<IpAddr, IpAddr>,
    /// Words of names, in lower case.
    pub words: BTreeMap<String, String>,
}

/// Which way something goes, and how deep it lies in what relays carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Flow {
    src: Endpoint,
    dst: Endpoint,
    depth: u8,
    /// Who is at the other end of the relay, or a channel of which that is not known.
    peer: Option<Endpoint>,
}

impl Flow {
    fn inside(self, peer: Option<Endpoint>) -> Self {
        Flow { depth: self.depth.saturating_add(1), peer, ..self }
    }
}

/// Rewrites captures.
pub struct Redactor {
    key: Key,
    addresses: Addresses,
    names: Names,
    standins: StandIns,
    rewriter: Rewriter,
    fragments: Fragments,
    parts: Parts,
    streams: Streams,
    opened: Opener,
    dtls_flows: HashSet<Flow>,
    /// Peers by client, server and channel number, as far as they were bound.
    channels: HashMap<(Endpoint, Endpoint, u16), Endpoint>,
    /// Types of attributes that messages have.
    types: BTreeSet<AttributeCode>,
    /// Whether this is the first pass.
    learning: bool,
    /// Number of the frame at hand.
    frame: u64,
    comments: Vec<String>,
    counts: Counts,
}

impl Redactor {
    /// Prepares to rewrite one capture. `credentials` are those that messages may have been signed with.
    #[must_use]
    pub fn new(key: &Key, credentials: Credentials, keep_certificates: bool) -> Self {
        Redactor {
            key: key.clone(),
            addresses: Addresses::new(key.clone()),
            names: Names::new(key.clone()),
            standins: StandIns::new(key.clone(), credentials),
            rewriter: Rewriter { keep_certificates },
            fragments: Fragments::default(),
            parts: Parts::default(),
            streams: Streams::default(),
            opened: Opener::default(),
            dtls_flows: HashSet::new(),
            channels: HashMap::new(),
            types: BTreeSet::new(),
            learning: true,
            frame: 0,
            comments: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The first pass: looks at a frame.
    pub fn learn(&mut self, frame: &Frame<'_>) {
        let mut data = frame.data.to_vec();
        self.frame = frame.number;
        self.link(frame.link_type.0, &mut data);
        self.comments.clear();
    }

    /// The second pass: writes the capture anew as pcapng, without anything but its frames and what they need to be read.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write<R: Read, W: Write>(&mut self, records: &mut Records<R>, out: W) -> io::Result<Counts> {
        self.finish_streams();
        self.learning = false;
        self.opened.forget();
        self.channels.clear();
        self.counts = self.streams.counts;
        let application = concat!("turnscope ", env!("CARGO_PKG_VERSION"));
        let mut writer = Writer::new(out);
        // in the second pass it is the same, since what is found is the same
        let mut stand_ins = self.stand_ins();
        let comments = if stand_ins.is_some() { vec![SEALED.to_owned()] } else { Vec::new() };
        if let Some(implied) = records.implied() {
            writer.section(false, [Writer::<W>::application(application)].into_iter(), &comments)?;
            write_keys(&mut writer, stand_ins.take())?;
            writer.interface(implied)?;
        }
        while let Some(record) = records.next_record() {
            match record {
                Record::Other(block) if block.is_section() => {
                    let comments = if stand_ins.is_some() { comments.as_slice() } else { &[] };
                    writer.section(block.big_endian, [Writer::<W>::application(application)].into_iter(), comments)?;
                    write_keys(&mut writer, stand_ins.take())?;
                }
                Record::Other(block) => {
                    if let Some((link_type, snap_len, options)) = block.bare_interface() {
                        writer.bare_interface(link_type, snap_len, &options)?;
                    }
                }
                Record::Packet(packet) => {
                    let frame = packet.frame;
                    let mut data = frame.data.to_vec();
                    self.frame = frame.number;
                    let kept = self.link(frame.link_type.0, &mut data);
                    data.truncate(kept);
                    let comments = std::mem::take(&mut self.comments);
                    match packet.units {
                        Some(units) => {
                            let none = std::iter::empty();
                            writer.packet(packet.interface, units, &data, frame.original_len, none, &comments)?;
                        }
                        None => {
                            // such a record says how long the frame was, and nothing of how much is there
                            data.resize(frame.data.len(), 0);
                            writer.simple_packet(&data, frame.original_len)?;
                        }
                    }
                    self.counts.frames += 1;
                }
            }
        }
        writer.finish()?;
        Ok(self.counts)
    }

    /// The credentials that stand in for those given, as a TOML file that turnscope reads.
    pub fn credentials(&mut self) -> Secret {
        self.standins.toml(&mut self.names)
    }

    /// What was replaced by what.
    #[must_use]
    pub fn replaced(&self) -> Replaced {
        Replaced { addresses: self.addresses.replaced(), words: self.names.words() }
    }

    /// The key log that opens what was sealed anew.
    fn stand_ins(&self) -> Option<Secret> {
        self.opened.stand_ins()
    }

    fn comment(&mut self, comment: String) {
        self.comments.push_new_up_to(16, comment);
    }
}

/// What is said of a capture with records that were sealed anew.
const SEALED: &str =
    "turnscope: what keys opened is redacted and encrypted anew with stand-in keys, which this file holds";

fn write_keys<W: Write>(writer: &mut Writer<W>, log: Option<Secret>) -> io::Result<()> {
    log.map_or(Ok(()), |log| writer.secrets(SecretsKind::TLS_KEY_LOG, log.expose()))
}

/// Redacts any bytes as a capture and gives what was written. For fuzzing.
#[doc(hidden)]
#[must_use]
pub fn exercise(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut redactor = Redactor::new(&Key::new([1; 32]), Credentials::default(), false);
    redactor.gather(&mut Records::open(bytes).ok()?);
    let mut first = Records::open(bytes).ok()?;
    while let Some(record) = first.next_record() {
        if let Record::Packet(packet) = record {
            redactor.learn(&packet.frame);
        }
    }
    let mut out = Vec::new();
    redactor.write(&mut Records::open(bytes).ok()?, &mut out).ok()?;
    Some(out)
}
