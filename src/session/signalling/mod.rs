//! What the two sides told each other beside the packets: session descriptions (RFC 8866, 8839, 8842) from files that the user gives.
//!
//! `read` takes a file as it is: an SDP file, several after one another, SDP within SIP or a log, JSON with descriptions in it, Chromium's
//! webrtc-internals dump. `compare` holds what was told against what the packets show.

pub mod compare;
mod drafts;
mod json;
mod sdp;
mod sightings;
mod text;

pub use sightings::Sightings;

use super::credentials::{Credentials, FileError, base_name};
use crate::secret::Secret;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

/// Files larger than this are not read, unpacked as a rule: no description is, but the statistics of a long call's dump may come near it.
pub const MAX_FILE: usize = 256 << 20;
/// How many descriptions are kept of all files.
const MAX_DESCRIPTIONS: usize = 4096;

/// All descriptions that were given.
#[derive(Clone, Debug, Default)]
pub struct Signalling {
    descriptions: Vec<Description>,
    by_ufrag: HashMap<String, Vec<usize>>,
    dropped: u64,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Read {
    /// The descriptions, each with the password of its agent where that was told.
    pub descriptions: Vec<(Description, Option<Secret>)>,
    /// What was passed over.
    pub warnings: Vec<Warning>,
    /// How many descriptions, candidates and warnings there was no room for.
    pub omitted: u64,
}

/// A place of a file that was passed over. It displays as `answer.sdp, line 7: …` and quotes nothing of the file, which holds passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub origin: String,
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.origin, self.line, self.what)
    }
}

/// Reads a file; `origin` is its path, for labels and warnings.
///
/// # Errors
/// No description in it, or too large.
pub fn read(bytes: &[u8], origin: &str) -> Result<Read, FileError> {
    if bytes.len() > MAX_FILE {
        return Err(FileError::new(origin, None, "too large for a session description"));
    }
    let read = json::read(bytes, origin).unwrap_or_else(|| text::read(bytes, origin));
    if read.descriptions.is_empty() {
        let what = "no session description with a=ice-ufrag in it; expected SDP, or a webrtc-internals dump";
        return Err(FileError::new(origin, None, what));
    }
    Ok(read)
}

/// Whether a file is SDP or JSON with SDP in it rather than something else, such as a file of credentials.
#[must_use]
pub fn looks_like_one(bytes: &[u8]) -> bool {
    let has = |word: &[u8]| memmem(bytes, word);
    has(b"ice-ufrag") && (has(b"v=0") || has(b"a=ice-ufrag:"))
}

/// Whether `word` stands in `bytes`.
fn memmem(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// What one description says of one transport: of a media section, or of all that are bundled with it. Passwords are not kept here but
/// among the [`Credentials`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Where it was read, for people: file name, and the peer connection and line in it.
    pub origin: String,
    /// Offer or answer, where that was told.
    pub kind: Option<DescriptionKind>,
    /// Whether the side that wrote the file gave (`true`) or got (`false`) it, where that was told.
    pub local: Option<bool>,
    /// `a=ice-ufrag`: the user fragment of the agent that this describes.
    pub ufrag: String,
    /// Whether a password came with it.
    pub has_password: bool,
    /// `a=ice-lite`.
    pub lite: bool,
    /// `a=setup`.
    pub setup: Option<Setup>,
    /// `a=fingerprint`, all of them.
    pub fingerprints: Vec<Fingerprint>,
    /// `a=candidate`, all of them, trickled ones too.
    pub candidates: Vec<SignalledCandidate>,
    /// The media of the sections: `audio`, `video`, `application`.
    pub media: Vec<String>,
    /// Which way audio and video go by any of the sections.
    pub directions: Directions,
}

/// Which way media goes, as who describes itself says it (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directions {
    /// `a=sendrecv`, which is meant where nothing is said, or `a=sendonly`.
    pub sends: bool,
    /// `a=sendrecv`, which is meant where nothing is said, or `a=recvonly`.
    pub receives: bool,
}

impl Directions {
    /// What an attribute says.
    fn named(name: &str) -> Option<Directions> {
        let (sends, receives) = match name {
            "sendrecv" => (true, true),
            "sendonly" => (true, false),
            "recvonly" => (false, true),
            "inactive" => (false, false),
            _ => return None,
        };
        Some(Directions { sends, receives })
    }

    fn add(&mut self, other: Directions) {
        self.sends |= other.sends;
        self.receives |= other.receives;
    }
}

/// Whether a description offers or answers (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescriptionKind {
    /// `offer`.
    Offer,
    /// `answer` or `pranswer`.
    Answer,
}

/// Who begins the DTLS handshake (RFC 8842 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// `actpass`: the answer decides.
    ActPass,
    /// `active`: sends the ClientHello.
    Active,
    /// `passive`: waits for it.
    Passive,
    /// `holdconn`: nothing for now.
    HoldConn,
}

/// A certificate's fingerprint (RFC 8122 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The hash function in lower case: `sha-256`.
    pub hash: String,
    /// Upper-case hex digits with colons: `AB:CD:…`.
    pub value: String,
}

/// A candidate as a description tells it (RFC 8839 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalledCandidate {
    /// The address; `Err` holds the name where it is one (`….local`, RFC 8828).
    pub address: Result<IpAddr, String>,
    /// The port.
    pub port: u16,
    /// `udp` or `tcp`, in lower case.
    pub transport: String,
    /// `host`, `srflx`, `prflx`, `relay`, or another word.
    pub kind: String,
    /// The component, 1 to 256.
    pub component: u16,
    /// The priority.
    pub priority: u32,
    /// `raddr` and `rport`.
    pub related: Option<(IpAddr, u16)>,
}

impl DescriptionKind {
    /// `offer`, `answer`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DescriptionKind::Offer => "offer",
            DescriptionKind::Answer => "answer",
        }
    }

    /// The kind of a word, `pranswer` among them.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "offer" => Some(DescriptionKind::Offer),
            "answer" | "pranswer" => Some(DescriptionKind::Answer),
            _ => None,
        }
    }
}

impl Setup {
    /// `actpass`, `active`, `passive`, `holdconn`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Setup::ActPass => "actpass",
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::HoldConn => "holdconn",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Setup::ActPass, Setup::Active, Setup::Passive, Setup::HoldConn];
        all.into_iter().find(|known| known.name().eq_ignore_ascii_case(name.trim()))
    }

    /// Whether it says who is client.
    #[must_use]
    pub fn is_decided(self) -> bool {
        matches!(self, Setup::Active | Setup::Passive)
    }
}

impl Description {
    /// Where it was read, without the folders of the file.
    #[must_use]
    pub fn short_origin(&self) -> &str {
        base_name(&self.origin)
    }

    /// What it is called as the source of a password: `answer.sdp (ufrag mZ4r)`, `dump.json, local offer (ufrag mZ4r)`.
    #[must_use]
    pub fn label(&self) -> String {
        let file = self.short_origin();
        let side = self.local.map(|local| if local { "local" } else { "remote" });
        let kind = self.kind.map(DescriptionKind::name);
        let words: Vec<&str> = [side, kind].into_iter().flatten().collect();
        let comma = if words.is_empty() { "" } else { ", " };
        format!("{file}{comma}{} (ufrag {})", words.join(" "), self.ufrag)
    }
}

impl Signalling {
    /// Adds a description. Several of one agent stand beside each other, since they may contradict each other: what one side sent is not always
    /// what the other got.
    pub fn add(&mut self, description: Description) {
        if self.descriptions.len() >= MAX_DESCRIPTIONS {
            self.dropped += 1;
            return;
        }
        self.by_ufrag.entry(description.ufrag.clone()).or_default().push(self.descriptions.len());
        self.descriptions.push(description);
    }

    /// Adds what a file holds; the passwords go to the credentials, where they verify the checks of their agents.
    pub fn take(&mut self, read: &Read, credentials: &mut Credentials) {
        for (description, password) in &read.descriptions {
            self.add(description.clone());
            if let Some(password) = password {
                credentials.add_ice(&description.label(), &description.ufrag, password);
            }
        }
        self.dropped += read.omitted;
    }

    /// How many descriptions and candidates there was no room for.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether none was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.descriptions.is_empty()
    }

    /// All of them, in the order in which they were given.
    #[must_use]
    pub fn descriptions(&self) -> &[Description] {
        &self.descriptions
    }

    /// The description of the agent with this user fragment: of several the first that was given, see [`Signalling::all_of_agent`].
    #[must_use]
    pub fn of_agent(&self, ufrag: &[u8]) -> Option<&Description> {
        self.all_of_agent(ufrag).next()
    }

    /// All descriptions of the agent with this user fragment, in the order in which they were given.
    pub fn all_of_agent(&self, ufrag: &[u8]) -> impl Iterator<Item = &Description> {
        let known = std::str::from_utf8(ufrag).ok().and_then(|ufrag| self.by_ufrag.get(ufrag));
        known.into_iter().flatten().filter_map(|&at| self.descriptions.get(at))
    }
}
