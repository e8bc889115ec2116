//! What the hellos offer and choose.

use crate::session::conversations::exchange::Seen;
use crate::wire::handshake::{
    CipherSuite, ClientHello, ExtensionType, Extensions, NamedGroup, ServerHello, SignatureScheme, SrtpProfile, Value,
    Version,
};
use arrayvec::ArrayVec;

/// How many entries of a list are kept.
const MAX_LISTED: usize = 64;
/// How many bytes of a name are kept.
const MAX_NAME: usize = 255;

/// What one hello says: all that a client offers, or what a server chose. GREASE is left out (RFC 8701).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The frame that completed it.
    pub seen: Seen,
    /// The random.
    pub random: [u8; 32],
    /// Versions, by preference.
    pub versions: Vec<Version>,
    /// Suites, by preference, signals left out.
    pub suites: Vec<CipherSuite>,
    /// Groups of supported_groups.
    pub groups: Vec<NamedGroup>,
    /// Groups for which there is a key share.
    pub key_shares: Vec<NamedGroup>,
    /// Signature schemes.
    pub signatures: Vec<SignatureScheme>,
    /// SRTP profiles; `None` without use_srtp (RFC 5764 §4.1.1).
    pub srtp: Option<Vec<SrtpProfile>>,
    /// Protocols of ALPN, as text.
    pub alpn: Vec<String>,
    /// The server name asked for.
    pub server_name: Option<String>,
    /// Whether it has extended_master_secret (RFC 7627).
    pub extended_master: bool,
    /// A session to be resumed: its id, or a pre-shared key of an earlier one.
    pub resumes: bool,
    /// The session id, to see whether the server takes it up.
    pub session_id: Vec<u8>,
    /// Bytes of the connection ids that its sender wants in records to it (RFC 9146).
    pub connection_id: Option<usize>,
    /// Bytes of its body.
    pub length: u32,
    /// In how many fragments it came.
    pub fragments: u32,
}

/// What was agreed on, as far as it is readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The version.
    pub version: Version,
    /// The suite.
    pub suite: CipherSuite,
    /// The group of the key exchange.
    pub group: Option<NamedGroup>,
    /// The SRTP profile; in DTLS 1.3 it is encrypted.
    pub srtp: Option<SrtpProfile>,
    /// The protocol of ALPN; in DTLS 1.3 it is encrypted.
    pub alpn: Option<String>,
    /// The scheme of the server's signature.
    pub signature: Option<SignatureScheme>,
}

impl Offer {
    pub(super) fn of_client(hello: &ClientHello<'_>, seen: Seen, length: u32, fragments: u32) -> Offer {
        let versions = match hello.versions() {
            (Some(versions), _) => listed(versions.filter(|version| !version.is_grease())),
            (None, own) => vec![own],
        };
        let suites = hello.cipher_suites().filter(|suite| !suite.is_signal() && !suite.is_grease());
        Offer {
            versions,
            suites: listed(suites),
            resumes: !hello.session_id.is_empty() || hello.extensions.find(ExtensionType::PRE_SHARED_KEY).is_some(),
            ..Offer::of(hello.random, hello.session_id, &hello.extensions, seen, length, fragments)
        }
    }

    pub(super) fn of_server(hello: &ServerHello<'_>, seen: Seen, length: u32, fragments: u32) -> Offer {
        Offer {
            versions: vec![hello.negotiated()],
            suites: vec![hello.cipher_suite],
            resumes: hello.extensions.find(ExtensionType::PRE_SHARED_KEY).is_some(),
            ..Offer::of(hello.random, hello.session_id, &hello.extensions, seen, length, fragments)
        }
    }

    fn of(
        random: &[u8; 32],
        session_id: &[u8],
        extensions: &Extensions<'_>,
        seen: Seen,
        length: u32,
        fragments: u32,
    ) -> Offer {
        let mut offer =
            Offer { seen, random: *random, session_id: session_id.to_vec(), length, fragments, ..Offer::default() };
        for extension in *extensions {
            match extension.decode() {
                Ok(Value::HostName(name)) => offer.server_name = Some(text(name)),
                Ok(Value::Groups(groups)) => offer.groups = listed(groups.filter(|group| !group.is_grease())),
                Ok(Value::SignatureSchemes(schemes)) if extension.kind == ExtensionType::SIGNATURE_ALGORITHMS => {
                    offer.signatures = listed(schemes.filter(|scheme| !scheme.is_grease()));
                }
                Ok(Value::Srtp { profiles, .. }) => offer.srtp = Some(listed(profiles)),
                Ok(Value::Alpn(names)) => offer.alpn = names.take(MAX_LISTED).map(text).collect(),
                Ok(Value::KeyShares(shares)) => {
                    offer.key_shares = listed(shares.map(|share| share.group).filter(|group| !group.is_grease()));
                }
                Ok(Value::KeyShare(share)) => offer.key_shares = vec![share.group],
                Ok(Value::SelectedGroup(group)) => offer.key_shares = vec![group],
                Ok(Value::Flag) if extension.kind == ExtensionType::EXTENDED_MASTER_SECRET => {
                    offer.extended_master = true
                }
                Ok(Value::ConnectionId(id)) => offer.connection_id = Some(id.len()),
                _ => {}
            }
        }
        offer
    }

    /// What a ServerHello chooses.
    pub(super) fn chosen(&self) -> Option<Chosen> {
        Some(Chosen {
            version: *self.versions.first()?,
            suite: *self.suites.first()?,
            group: self.key_shares.first().copied(),
            srtp: self.srtp.as_ref().and_then(|profiles| profiles.first().copied()),
            alpn: self.alpn.first().cloned(),
            signature: None,
        })
    }
}

/// The first entries, in as much room as they need: most hellos are those of the web, and soon forgotten.
fn listed<T: Copy>(entries: impl Iterator<Item = T>) -> Vec<T> {
    entries.take(MAX_LISTED).collect::<ArrayVec<T, MAX_LISTED>>().to_vec()
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_NAME).unwrap_or(bytes)).into_owned()
}
