//! What the two sides told each other beside the packets: session descriptions (RFC 8866, 8839, 8842) from files that the user gives.

use std::collections::HashMap;
use std::net::IpAddr;

/// All descriptions that were given.
#[derive(Clone, Debug, Default)]
pub struct Signalling {
    descriptions: Vec<Description>,
    by_ufrag: HashMap<String, usize>,
}

/// What one description says of one transport: of a media section, or of all that are bundled with it. Passwords are not kept here but
/// among the [`Credentials`](super::credentials::Credentials).
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

impl Signalling {
    /// Adds a description.
    pub fn add(&mut self, description: Description) {
        self.by_ufrag.insert(description.ufrag.clone(), self.descriptions.len());
        self.descriptions.push(description);
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

    /// The description of the agent with this user fragment.
    #[must_use]
    pub fn of_agent(&self, ufrag: &[u8]) -> Option<&Description> {
        let ufrag = std::str::from_utf8(ufrag).ok()?;
        self.descriptions.get(*self.by_ufrag.get(ufrag)?)
    }
}
