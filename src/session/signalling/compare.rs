//! What was told, held against what the packets show. Pure functions: rules and reports call them with what they know.

use super::{Description, Fingerprint, Setup, SignalledCandidate, Signalling};
use crate::net::Endpoint;
use crate::wire::handshake::certificate::{Fingerprint as Seen, HashFunction};

/// Whether a certificate is the one that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// One of the fingerprints is its.
    Told,
    /// There are fingerprints by a function that was taken of it, and none is its.
    Another,
    /// One description of the agent tells it, another of the same agent tells another: signalling changed one into the other.
    Contradicted,
    /// Nothing was told that could be compared.
    Untold,
}

/// Compares fingerprints that were told with those of a certificate, by whichever functions they were taken (RFC 8122 §5).
#[must_use]
pub fn certificate(told: &[Fingerprint], seen: &[Seen]) -> Certificate {
    let mut comparable = false;
    for fingerprint in told {
        let Some(told) = fingerprint.digest() else { continue };
        for seen in seen {
            if *seen == told {
                return Certificate::Told;
            }
            comparable |= seen.function() == told.function();
        }
    }
    if comparable { Certificate::Another } else { Certificate::Untold }
}

/// Compares fingerprints that were told with a certificate in DER.
#[must_use]
pub fn certificate_der(told: &[Fingerprint], der: &[u8]) -> Certificate {
    let mut functions: Vec<HashFunction> = told.iter().filter_map(|told| HashFunction::named(&told.hash)).collect();
    functions.sort_unstable();
    functions.dedup();
    let seen: Vec<Seen> = functions.into_iter().map(|function| Seen::with(function, der)).collect();
    certificate(told, &seen)
}

/// Compares a certificate with all that was told of the agent that showed it. Where it is known which descriptions the other side got, those
/// count alone: it is the other side that refuses the certificate.
#[must_use]
pub fn certificate_of(signalling: &Signalling, ufrag: &[u8], seen: &[Seen]) -> Certificate {
    let got = |description: &&Description| description.local == Some(false) && !description.fingerprints.is_empty();
    let any_got = signalling.all_of_agent(ufrag).any(|description| got(&description));
    let mut verdict = Certificate::Untold;
    for description in signalling.all_of_agent(ufrag).filter(|description| !any_got || got(description)) {
        verdict = match (verdict, certificate(&description.fingerprints, seen)) {
            (verdict, Certificate::Untold) => verdict,
            (Certificate::Untold, new) => new,
            (verdict, new) if verdict == new => verdict,
            _ => Certificate::Contradicted,
        };
    }
    verdict
}

/// What an agent is in the DTLS handshake, by what both sides told (RFC 8842 §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sends the ClientHello.
    Client,
    /// It waits for the ClientHello.
    Server,
    /// Both sides were told to do the same: both send, or both wait.
    Conflict,
    /// It was not told.
    Untold,
}

/// The role of the agent that told `own`, whose peer told `other`.
#[must_use]
pub fn role(own: Option<Setup>, other: Option<Setup>) -> Role {
    match (own, other) {
        (Some(Setup::Active), Some(Setup::Active)) | (Some(Setup::Passive), Some(Setup::Passive)) => Role::Conflict,
        (Some(Setup::Active), _) | (Some(Setup::ActPass), Some(Setup::Passive)) => Role::Client,
        (Some(Setup::Passive), _) | (Some(Setup::ActPass), Some(Setup::Active)) => Role::Server,
        (None, Some(Setup::Active)) => Role::Server,
        (None, Some(Setup::Passive)) => Role::Client,
        _ => Role::Untold,
    }
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
