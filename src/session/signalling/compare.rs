//! What was told, held against what the packets show. Pure functions: rules and reports call them with what they know.

use super::{Description, Fingerprint, Setup, SignalledCandidate, Signalling};
use crate::net::Endpoint;
use crate::wire::handshake::certificate::Fingerprint as Seen;
use schemars::JsonSchema;
use serde::Serialize;

/// Whether a certificate is the one that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate<'s> {
    /// One of the fingerprints is its.
    Told,
    /// This description has fingerprints by functions that were taken of it, and none is its.
    Another(&'s Description),
    /// `wrong` tells another, and `right`, of the same agent, tells it: signalling changed one into the other.
    Contradicted {
        /// The description that tells another.
        wrong: &'s Description,
        /// The one that tells it.
        right: &'s Description,
    },
    /// Nothing was told that could be compared.
    Untold,
}

/// Compares the fingerprints that a description tells with those of a certificate, by whichever functions they were taken (RFC 8122 §5).
#[must_use]
pub fn certificate<'s>(description: &'s Description, seen: &[Seen]) -> Certificate<'s> {
    let mut comparable = false;
    for told in description.fingerprints.iter().filter_map(Fingerprint::digest) {
        if seen.contains(&told) {
            return Certificate::Told;
        }
        comparable |= seen.iter().any(|seen| seen.function() == told.function());
    }
    if comparable { Certificate::Another(description) } else { Certificate::Untold }
}

/// Compares a certificate with all that was told of the agent that showed it. Where it is known which descriptions the other side got, those
/// count alone: it is the other side that refuses the certificate.
#[must_use]
pub fn certificate_of<'s>(signalling: &'s Signalling, ufrag: &[u8], seen: &[Seen]) -> Certificate<'s> {
    let got = |description: &&Description| description.local == Some(false) && !description.fingerprints.is_empty();
    let any_got = signalling.all_of_agent(ufrag).any(|description| got(&description));
    let (mut right, mut wrong) = (None, None);
    for description in signalling.all_of_agent(ufrag).filter(|description| !any_got || got(description)) {
        match certificate(description, seen) {
            Certificate::Told => right = right.or(Some(description)),
            Certificate::Another(_) => wrong = wrong.or(Some(description)),
            _ => {}
        }
    }
    match (right, wrong) {
        (Some(right), Some(wrong)) => Certificate::Contradicted { wrong, right },
        (None, Some(wrong)) => Certificate::Another(wrong),
        (Some(_), None) => Certificate::Told,
        (None, None) => Certificate::Untold,
    }
}

/// What an agent is in the DTLS handshake by a=setup of both descriptions (RFC 8842 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "IceDtlsRole")]
pub enum Role {
    /// It sends the ClientHello.
    Client,
    /// It waits for the ClientHello.
    Server,
    /// Both were told to do the same, or one of them to do the one thing by one description and the other by another.
    Conflict,
}

/// The role of the agent that told `own`, whose peer told `other`; `None` where that leaves it open.
#[must_use]
pub fn role(own: Option<Setup>, other: Option<Setup>) -> Option<Role> {
    Some(match (own, other) {
        (Some(Setup::Active), Some(Setup::Active)) | (Some(Setup::Passive), Some(Setup::Passive)) => Role::Conflict,
        (Some(Setup::Active), _) | (Some(Setup::ActPass), Some(Setup::Passive)) => Role::Client,
        (Some(Setup::Passive), _) | (Some(Setup::ActPass), Some(Setup::Active)) => Role::Server,
        (None, Some(Setup::Active)) => Role::Server,
        (None, Some(Setup::Passive)) => Role::Client,
        _ => return None,
    })
}

/// The candidates of an agent that were told with this address; several where one address stands for several components or types.
pub fn told_as(description: &Description, address: Endpoint) -> impl Iterator<Item = &SignalledCandidate> {
    description.candidates.iter().filter(move |candidate| candidate.endpoint() == Some(address))
}

impl Fingerprint {
    /// The digest by a function that is known; `None` for another one, or a digest of another length.
    #[must_use]
    pub fn digest(&self) -> Option<Seen> {
        format!("{} {}", self.hash, self.value).parse().ok()
    }
}

impl SignalledCandidate {
    /// Where it is; `None` where only a name was told.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.address.as_ref().ok().map(|&ip| Endpoint::new(ip, self.port))
    }
}
