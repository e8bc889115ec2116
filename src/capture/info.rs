//! What a capture tells beside its frames.

use super::Limits;
use crate::frame::LinkType;
use crate::secret::Secret;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// Everything that a capture file says beside its frames. Lists are bounded by [`Limits`](super::Limits).
#[derive(Clone, Debug, Default)]
pub struct CaptureInfo {
    /// File format and compression.
    pub format: Format,
    /// Link types of its interfaces, in order of appearance, each once.
    pub link_types: Vec<LinkType>,
    /// Frames delivered.
    pub frames: u64,
    /// Bytes read, counted after unpacking.
    pub bytes: u64,
    /// The earliest time of a frame.
    pub first_time: Option<Timestamp>,
    /// The latest time of a frame.
    pub last_time: Option<Timestamp>,
    /// Comments of sections, interfaces, packets and other blocks, in file order.
    pub comments: Vec<Comment>,
    /// Comments that were not kept.
    pub comments_dropped: u64,
    /// Addresses and the names that the file gives them.
    pub names: Vec<(IpAddr, String)>,
    /// Names that were not kept.
    pub names_dropped: u64,
    /// Embedded decryption secrets.
    pub secrets: Vec<Secrets>,
    /// Decryption Secrets Blocks that were not kept.
    pub secrets_dropped: u64,
    /// How many key logs for TLS among these stand behind the last frame, and were given with none since nothing was known of them beforehand.
    pub secrets_behind: u64,
    /// Interfaces in order of appearance, over all sections; a pcap file has none.
    pub interfaces: Vec<Interface>,
    /// Programs that wrote the sections, each once.
    pub applications: Vec<String>,
    /// Well-formed blocks whose type says nothing to this reader.
    pub blocks_skipped: u64,
    /// The first places of damage, in file order.
    pub damage: Vec<Damage>,
    /// How many places of damage there were; more than are listed if the list is full.
    pub damage_total: u64,
    /// Whether a packed file was left where it unpacked to more than [`Limits::unpacked`].
    pub is_too_much: bool,
}

impl CaptureInfo {
    /// Packets that were lost while capturing, by the count of the program that wrote the file; 0 where it says nothing.
    #[must_use]
    pub fn lost_packets(&self) -> u64 {
        self.interfaces.iter().filter_map(|known| known.dropped).fold(0, u64::saturating_add)
    }

    /// Whether the times of its frames tell nothing: there are none, all are the same, or they count the frames, as times that a converter makes up do.
    #[must_use]
    pub fn is_timeless(&self) -> bool {
        const FEW: u64 = 3;
        const MICROSECOND: u64 = 1000;
        let times = self.first_time.zip(self.last_time);
        let passed = times.map_or(0, |(first, last)| last.since(first).0.unsigned_abs());
        self.frames >= FEW && passed <= (self.frames - 1).saturating_mul(MICROSECOND)
    }

    /// Adds what the next file of the same capture says, its frames counted on from here.
    pub fn follow(&mut self, next: &CaptureInfo) {
        let Limits { comments, comment_bytes, names, secret_bytes, interfaces, damage, .. } = Limits::default();
        let frames = self.frames;
        let mut said: usize = self.comments.iter().map(|comment| comment.text.len()).sum();
        for comment in &next.comments {
            let kept = said.saturating_add(comment.text.len());
            if self.comments.len() < comments && kept <= comment_bytes {
                said = kept;
                let frame = comment.frame.map(|frame| frame.saturating_add(frames));
                self.comments.push(Comment { frame, text: comment.text.clone() });
            } else {
                self.comments_dropped += 1;
            }
        }
        for name in &next.names {
            if self.names.len() < names {
                self.names.push(name.clone());
            } else {
                self.names_dropped += 1;
            }
        }
        let mut held: usize = self.secrets.iter().map(|secrets| secrets.data.expose().len()).sum();
        for secrets in &next.secrets {
            held = held.saturating_add(secrets.data.expose().len());
            if held <= secret_bytes {
                self.secrets.push(secrets.clone());
            } else {
                self.secrets_dropped += 1;
            }
        }
        for place in next.damage.iter().take(damage.saturating_sub(self.damage.len())) {
            // places are counted over all files
            let on = |offset: u64| offset.saturating_add(self.bytes);
            self.damage.push(Damage {
                offset: on(place.offset),
                after_frame: place.after_frame.saturating_add(frames),
                what: place.what.clone(),
                resumed_at: place.resumed_at.map(on),
            });
        }
        for link_type in &next.link_types {
            if !self.link_types.contains(link_type) {
                self.link_types.push(*link_type);
            }
        }
        for application in &next.applications {
            if !self.applications.contains(application) {
                self.applications.push(application.clone());
            }
        }
        let room = interfaces.saturating_sub(self.interfaces.len());
        self.interfaces.extend(
            next.interfaces
                .iter()
                .filter(|known| !self.interfaces.contains(known))
                .take(room)
                .cloned()
                .collect::<Vec<_>>(),
        );
        self.frames += next.frames;
        self.bytes += next.bytes;
        self.first_time = self.first_time.into_iter().chain(next.first_time).min();
        self.last_time = self.last_time.into_iter().chain(next.last_time).max();
        self.comments_dropped += next.comments_dropped;
        self.names_dropped += next.names_dropped;
        self.secrets_dropped += next.secrets_dropped;
        self.secrets_behind += next.secrets_behind;
        self.blocks_skipped += next.blocks_skipped;
        self.damage_total += next.damage_total;
        self.is_too_much |= next.is_too_much;
    }
}

/// File format and compression. Displays as `pcap`, or `pcapng (gzip)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// The format once unpacked.
    pub file: FileFormat,
    /// How it was packed, if so.
    pub compression: Option<Compression>,
}

/// The format of a capture file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileFormat {
    /// pcap, in any of its variants.
    #[default]
    Pcap,
    /// pcapng.
    Pcapng,
}

/// How a capture file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip (RFC 1952), one or several members.
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// LZ4 frames.
    Lz4,
    /// xz.
    Xz,
}

/// A comment of a pcapng file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Comment {
    /// The frame that it is on; `null` for one on the whole file.
    pub frame: Option<u64>, // none of one about a section, an interface or another block
    /// Its text.
    pub text: String,
}

/// An interface that a pcapng section describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its link type.
    pub link_type: LinkType,
    /// Its snap length; 0 for none.
    pub snap_len: u32,
    /// Its name, empty if not given.
    pub name: String,
    /// Its description, empty if not given.
    pub description: String,
    /// Packets that it received, by its last statistics.
    pub received: Option<u64>,
    /// Packets lost while capturing (for want of buffers, by interface and operating system), by its last statistics.
    pub dropped: Option<u64>,
}

/// Decryption secrets embedded in the file.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// What they are.
    pub kind: SecretsKind,
    /// The bytes; for [`SecretsKind::TLS_KEY_LOG`] the lines of a key log.
    pub data: Secret,
}

/// The type of a Decryption Secrets Block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretsKind(pub u32);

impl SecretsKind {
    /// `TLSK`: an NSS key log for TLS and DTLS.
    pub const TLS_KEY_LOG: SecretsKind = SecretsKind(0x544c_534b);
    /// `SSHK`: an SSH key log.
    pub const SSH_KEY_LOG: SecretsKind = SecretsKind(0x5353_484b);
    /// `WGKL`: a WireGuard key log.
    pub const WIREGUARD_KEY_LOG: SecretsKind = SecretsKind(0x5747_4b4c);
    /// `ZNWK`: a ZigBee network key.
    pub const ZIGBEE_NETWORK_KEY: SecretsKind = SecretsKind(0x5a4e_574b);
    /// `ZAPS`: a ZigBee APS key.
    pub const ZIGBEE_APS_KEY: SecretsKind = SecretsKind(0x5a41_5053);
    /// `UALK`: an OPC UA key log.
    pub const OPC_UA_KEY_LOG: SecretsKind = SecretsKind(0x5541_4c4b);
    /// `ESPS`: IPsec ESP security associations.
    pub const ESP: SecretsKind = SecretsKind(0x4553_5053);
}

impl fmt::Display for SecretsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::TLS_KEY_LOG => "TLS key log",
            Self::SSH_KEY_LOG => "SSH key log",
            Self::WIREGUARD_KEY_LOG => "WireGuard key log",
            Self::ZIGBEE_NETWORK_KEY => "ZigBee network key",
            Self::ZIGBEE_APS_KEY => "ZigBee APS key",
            Self::OPC_UA_KEY_LOG => "OPC UA key log",
            Self::ESP => "ESP security associations",
            SecretsKind(other) => return write!(f, "secrets of type {other:#010x}"),
        })
    }
}

/// A place of the file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Damage {
    /// Byte of the unpacked file.
    pub offset: u64, // at which the record or block at fault starts
    /// The last frame before it, 0 for none.
    pub after_frame: u64,
    /// What is wrong there.
    pub what: String,
    /// The byte from which reading went on; `null` where it ended.
    pub resumed_at: Option<u64>,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compression {
            Some(compression) => write!(f, "{} ({compression})", self.file),
            None => write!(f, "{}", self.file),
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileFormat::Pcap => "pcap",
            FileFormat::Pcapng => "pcapng",
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Lz4 => "lz4",
            Compression::Xz => "xz",
        })
    }
}
