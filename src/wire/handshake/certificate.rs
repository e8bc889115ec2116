//! What a certificate says of itself, and its fingerprint as session descriptions write it (RFC 8122 §5).

use crate::time::Timestamp;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;
use x509_cert::der::asn1::{ObjectIdentifier, Uint};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Time;

/// How many names of a certificate are kept.
const MAX_NAMES: usize = 64;
/// How many bytes of one name are kept.
const MAX_NAME: usize = 512;

/// What a certificate says. The texts are its maker's: escape them before they reach a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whom it names, by RFC 4514: `CN=WebRTC`.
    pub subject: String,
    /// Who made it.
    pub issuer: String,
    /// The names and addresses of subjectAltName: `turn.example.org`, `192.0.2.1`; the first 64.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// The kind of its key.
    pub key: KeyType,
    /// The algorithm of the signature on it: `ecdsa-with-SHA256`, else the number of the algorithm.
    pub signature: String,
    /// Whether issuer and subject are the same, as in all certificates that WebRTC agents make for themselves. The signature is not tested.
    pub self_signed: bool,
    /// Its serial number, hexadecimal digits.
    pub serial: String,
}

impl Summary {
    /// Reads a certificate in DER. Serial numbers and times that RFC 5280 would not have are taken as they are.
    ///
    /// # Errors
    /// The bytes are no certificate; the fingerprint can be taken all the same.
    pub fn of(der: &[u8]) -> Result<Summary, NotACertificate> {
        let certificate = CertificateInner::<Raw>::from_der(der).map_err(|_| NotACertificate)?;
        let body = certificate.tbs_certificate();
        let (subject, issuer) = (body.subject(), body.issuer());
        let names = match body.get_extension::<SubjectAltName>() {
            Ok(Some((_, names))) => names.0.iter().filter_map(name).take(MAX_NAMES).collect(),
            _ => Vec::new(),
        };
        let serial = body.serial_number().as_bytes().iter().take(32).map(|byte| format!("{byte:02x}")).collect();
        Ok(Summary {
            subject: cut(subject.to_string()),
            issuer: cut(issuer.to_string()),
            names,
            not_before: timestamp(&body.validity().not_before),
            not_after: timestamp(&body.validity().not_after),
            key: KeyType::of(body.subject_public_key_info()),
            signature: signature_name(certificate.signature_algorithm().oid),
            self_signed: subject == issuer,
            serial,
        })
    }

    /// Whether a time lies within the validity.
    #[must_use]
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }
}

/// Whether a name of a certificate is the one that is asked for (RFC 9525 §6): the same address, the same name in whatever case, or one more label
/// where it begins with `*.`.
#[must_use]
pub fn covers(name: &str, asked: &str) -> bool {
    if let (Ok(one), Ok(other)) = (name.parse::<IpAddr>(), asked.trim_matches(['[', ']']).parse::<IpAddr>()) {
        return one == other;
    }
    let (name, asked) = (name.trim_end_matches('.'), asked.trim_end_matches('.'));
    match name.strip_prefix("*.") {
        Some(domain) => asked.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(asked),
    }
}

/// Bytes that are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate")]
pub struct NotACertificate;

/// The kind of a public key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// RSA with a modulus of so many bits.
    Rsa(u32),
    /// A named elliptic curve: `secp256r1`, else the number of the curve.
    Ec(String),
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// Another algorithm, by its number.
    Other(String),
}

impl KeyType {
    fn of(key: &SubjectPublicKeyInfoOwned) -> KeyType {
        match key.algorithm.oid.to_string().as_str() {
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
                KeyType::Rsa(rsa_bits(key.subject_public_key.raw_bytes()))
            }
            "1.2.840.10045.2.1" => {
                let curve = key.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
                KeyType::Ec(curve.map_or_else(|| "explicit curve".to_owned(), curve_name))
            }
            "1.3.101.112" => KeyType::Ed25519,
            "1.3.101.113" => KeyType::Ed448,
            other => KeyType::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyType::Rsa(bits) => write!(f, "RSA {bits}"),
            KeyType::Ec(curve) => write!(f, "EC {curve}"),
            KeyType::Ed25519 => f.write_str("Ed25519"),
            KeyType::Ed448 => f.write_str("Ed448"),
            KeyType::Other(number) => write!(f, "key of type {number}"),
        }
    }
}

/// Bits of the modulus, the first number of the sequence that an RSA key is (RFC 8017 §A.1.1); 0 where it is none.
fn rsa_bits(key: &[u8]) -> u32 {
    let Ok(numbers) = Vec::<Uint>::from_der(key) else { return 0 };
    let bytes = numbers.first().map_or(&[][..], Uint::as_bytes);
    let unused = bytes.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX).saturating_sub(unused)
}

fn curve_name(curve: ObjectIdentifier) -> String {
    let number = curve.to_string();
    match number.as_str() {
        "1.2.840.10045.3.1.7" => "secp256r1".to_owned(),
        "1.3.132.0.34" => "secp384r1".to_owned(),
        "1.3.132.0.35" => "secp521r1".to_owned(),
        "1.3.132.0.10" => "secp256k1".to_owned(),
        "1.3.132.0.33" => "secp224r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1".to_owned(),
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1".to_owned(),
        _ => number,
    }
}

fn signature_name(algorithm: ObjectIdentifier) -> String {
    let number = algorithm.to_string();
    match number.as_str() {
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption".to_owned(),
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption".to_owned(),
        "1.2.840.113549.1.1.10" => "RSASSA-PSS".to_owned(),
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption".to_owned(),
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption".to_owned(),
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption".to_owned(),
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1".to_owned(),
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256".to_owned(),
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384".to_owned(),
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512".to_owned(),
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        _ => number,
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(text) | GeneralName::Rfc822Name(text) | GeneralName::UniformResourceIdentifier(text) => {
            Some(cut(text.as_str().to_owned()))
        }
        GeneralName::IpAddress(bytes) => match bytes.as_bytes().len() {
            4 => <[u8; 4]>::try_from(bytes.as_bytes()).ok().map(|ip| IpAddr::from(ip).to_string()),
            16 => <[u8; 16]>::try_from(bytes.as_bytes()).ok().map(|ip| IpAddr::from(ip).to_string()),
            _ => None,
        },
        GeneralName::DirectoryName(name) => Some(cut(name.to_string())),
        _ => None,
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_NAME {
        let end = (0..=MAX_NAME).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn timestamp(time: &Time) -> Timestamp {
    let nanos = time.to_unix_duration().as_nanos();
    Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// A hash function of session descriptions (RFC 8122 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256, which WebRTC agents use.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashFunction {
    /// Its name in session descriptions: `sha-256`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            HashFunction::Sha1 => "sha-1",
            HashFunction::Sha224 => "sha-224",
            HashFunction::Sha256 => "sha-256",
            HashFunction::Sha384 => "sha-384",
            HashFunction::Sha512 => "sha-512",
        }
    }

    /// The function of a name, whatever its case.
    #[must_use]
    pub fn named(name: &str) -> Option<HashFunction> {
        use HashFunction as H;
        [H::Sha1, H::Sha224, H::Sha256, H::Sha384, H::Sha512]
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of a digest.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            HashFunction::Sha1 => 20,
            HashFunction::Sha224 => 28,
            HashFunction::Sha256 => 32,
            HashFunction::Sha384 => 48,
            HashFunction::Sha512 => 64,
        }
    }
}

/// The fingerprint of a certificate. Displays as session descriptions have it: `sha-256 AB:CD:…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    function: HashFunction,
    /// The digest, zeros after it.
    digest: [u8; 64],
}

impl Fingerprint {
    /// The SHA-256 fingerprint of a certificate in DER, readable or not.
    #[must_use]
    pub fn of(der: &[u8]) -> Fingerprint {
        Fingerprint::with(HashFunction::Sha256, der)
    }

    /// The fingerprint by another function, to compare it with a session description.
    #[must_use]
    pub fn with(function: HashFunction, der: &[u8]) -> Fingerprint {
        match function {
            HashFunction::Sha1 => Fingerprint::new(function, &Sha1::digest(der)),
            HashFunction::Sha224 => Fingerprint::new(function, &Sha224::digest(der)),
            HashFunction::Sha256 => Fingerprint::new(function, &Sha256::digest(der)),
            HashFunction::Sha384 => Fingerprint::new(function, &Sha384::digest(der)),
            HashFunction::Sha512 => Fingerprint::new(function, &Sha512::digest(der)),
        }
    }

    fn new(function: HashFunction, bytes: &[u8]) -> Fingerprint {
        let mut digest = [0; 64];
        for (slot, &byte) in digest.iter_mut().zip(bytes) {
            *slot = byte;
        }
        Fingerprint { function, digest }
    }

    /// The function.
    #[must_use]
    pub fn function(&self) -> HashFunction {
        self.function
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        self.digest.get(..self.function.length()).unwrap_or_default()
    }
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint: a hash function and its digest as hexadecimal pairs with colons between them")]
pub struct NotAFingerprint;

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// Reads `sha-256 AB:CD:…`, digits in any case.
    fn from_str(text: &str) -> Result<Fingerprint, NotAFingerprint> {
        let (function, digits) = text.trim().split_once(' ').ok_or(NotAFingerprint)?;
        let function = HashFunction::named(function).ok_or(NotAFingerprint)?;
        let byte = |pair: &str| {
            let hex = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            if hex { u8::from_str_radix(pair, 16).ok() } else { None }
        };
        let bytes: Option<Vec<u8>> = digits.trim().split(':').take(65).map(byte).collect();
        let bytes = bytes.filter(|bytes| bytes.len() == function.length()).ok_or(NotAFingerprint)?;
        Ok(Fingerprint::new(function, &bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name())?;
        for (i, byte) in self.digest().iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_for_itself_and_a_wildcard_for_one_label() {
        for (name, asked, expected) in [
            ("turn.example.org", "TURN.example.org.", true),
            ("turn.example.org", "turn.example.com", false),
            ("*.example.org", "turn.example.org", true),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", "example.org", false),
            ("example.org", "turn.example.org", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.10", false),
            ("2001:db8::1", "[2001:DB8:0::1]", true),
        ] {
            assert_eq!(covers(name, asked), expected, "{name} {asked}");
        }
    }
}
