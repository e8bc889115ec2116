//! The other messages, and all of them by type.

use super::Protocol;
use super::extension::{Extensions, Hello, Numbers};
use super::hello::{ClientHello, HelloVerifyRequest, ServerHello};
use super::reader::Reader;
use super::registry::{CipherSuite, HandshakeType, NamedGroup, SignatureScheme, Version};
use crate::problem::Problem;
use std::fmt;

/// A handshake message in the clear.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// HelloRequest.
    HelloRequest,
    /// ClientHello.
    ClientHello(ClientHello<'a>),
    /// ServerHello, HelloRetryRequest among them.
    ServerHello(ServerHello<'a>),
    /// HelloVerifyRequest.
    HelloVerifyRequest(HelloVerifyRequest<'a>),
    /// EncryptedExtensions of version 1.3, opened.
    EncryptedExtensions(Extensions<'a>),
    /// NewSessionTicket.
    NewSessionTicket(NewSessionTicket<'a>),
    /// Certificate.
    Certificate(Certificates<'a>),
    /// ServerKeyExchange.
    ServerKeyExchange(ServerKeyExchange<'a>),
    /// CertificateRequest.
    CertificateRequest(CertificateRequest<'a>),
    /// ServerHelloDone.
    ServerHelloDone,
    /// CertificateVerify.
    CertificateVerify(CertificateVerify<'a>),
    /// ClientKeyExchange.
    ClientKeyExchange(ClientKeyExchange<'a>),
    /// Finished: a checksum over the handshake, which only the keys can test.
    Finished(&'a [u8]),
    /// A message whose body is not read here.
    Other(HandshakeType, &'a [u8]),
}

impl<'a> Message<'a> {
    /// Reads the body of a message in the clear, by the rules of DTLS 1.0 and 1.2, TLS 1.0 to 1.2; the hellos are the same in 1.3,
    /// of which EncryptedExtensions and Certificate are read too, where somebody opened them.
    ///
    /// Some bodies say less than it takes to read them: the suite that was chosen tells a ServerKeyExchange or ClientKeyExchange, and up to
    /// version 1.1 signatures name no scheme. Give what the ServerHello of the handshake said, where it was seen.
    ///
    /// # Errors
    /// The first field that does not fit in the body.
    pub fn parse(
        kind: HandshakeType,
        body: &'a [u8],
        protocol: Protocol,
        chosen: Option<(Version, CipherSuite)>,
    ) -> Result<Self, Problem> {
        use HandshakeType as H;
        let reader = Reader::new(body, 0, protocol);
        let schemes = chosen.is_none_or(|(version, _)| names_schemes(version));
        let is_1_3 = chosen.is_some_and(|(version, _)| matches!(version, Version::TLS_1_3 | Version::DTLS_1_3));
        Ok(match kind {
            H::HELLO_REQUEST => {
                reader.end()?;
                Message::HelloRequest
            }
            H::CLIENT_HELLO => Message::ClientHello(ClientHello::parse(body, protocol)?),
            H::SERVER_HELLO => Message::ServerHello(ServerHello::parse(body, protocol)?),
            H::HELLO_VERIFY_REQUEST if protocol == Protocol::Dtls => {
                Message::HelloVerifyRequest(HelloVerifyRequest::parse(body)?)
            }
            H::NEW_SESSION_TICKET | H::CERTIFICATE_REQUEST if is_1_3 => Message::Other(kind, body),
            H::NEW_SESSION_TICKET => Message::NewSessionTicket(NewSessionTicket::parse(reader)?),
            H::ENCRYPTED_EXTENSIONS => {
                let mut reader = reader;
                Message::EncryptedExtensions(Extensions::parse(&mut reader, Hello::Server)?)
            }
            H::CERTIFICATE => Message::Certificate(Certificates::parse(reader, is_1_3)?),
            H::SERVER_KEY_EXCHANGE => {
                Message::ServerKeyExchange(ServerKeyExchange::parse(reader, chosen.map(|(_, suite)| suite), schemes)?)
            }
            H::CERTIFICATE_REQUEST => Message::CertificateRequest(CertificateRequest::parse(reader, schemes)?),
            H::SERVER_HELLO_DONE => {
                reader.end()?;
                Message::ServerHelloDone
            }
            H::CERTIFICATE_VERIFY => Message::CertificateVerify(CertificateVerify::parse(reader, schemes)?),
            H::CLIENT_KEY_EXCHANGE => {
                Message::ClientKeyExchange(ClientKeyExchange::parse(reader, chosen.map(|(_, suite)| suite))?)
            }
            H::FINISHED => Message::Finished(body),
            _ => Message::Other(kind, body),
        })
    }
}

/// Whether signatures are preceded by their scheme: since TLS 1.2 and DTLS 1.2.
fn names_schemes(version: Version) -> bool {
    matches!(version, Version::TLS_1_2 | Version::TLS_1_3 | Version::DTLS_1_2 | Version::DTLS_1_3)
}

/// A chain of certificates, the owner's first (RFC 5246 §7.4.2); a client that has none sends an empty one.
#[derive(Clone, Copy)]
pub struct Certificates<'a> {
    reader: Reader<'a>,
    /// Whether extensions follow each: in version 1.3 (RFC 8446 §4.4.2).
    extended: bool,
}

impl<'a> Certificates<'a> {
    fn parse(mut reader: Reader<'a>, extended: bool) -> Result<Self, Problem> {
        if extended {
            reader.vec8()?; // the context of the request
        }
        let offset = reader.offset() + 3;
        let list = Reader::new(reader.vec24()?, offset, reader.protocol());
        reader.end()?;
        let mut walk = list;
        while !walk.is_empty() {
            walk.vec24()?;
            if extended {
                walk.vec16()?;
            }
        }
        Ok(Certificates { reader: list, extended })
    }
}

impl<'a> Iterator for Certificates<'a> {
    /// One certificate in DER; [`certificate`](super::certificate) reads it.
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let certificate = self.reader.vec24().ok()?;
        if self.extended {
            self.reader.vec16().ok()?;
        }
        Some(certificate)
    }
}

/// A signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DigitallySigned<'a> {
    /// How it was made; up to version 1.1 the certificate alone tells.
    pub scheme: Option<SignatureScheme>,
    /// The signature itself.
    pub signature: &'a [u8],
}

impl<'a> DigitallySigned<'a> {
    fn parse(reader: &mut Reader<'a>, schemes: bool) -> Result<Self, Problem> {
        let scheme = if schemes { Some(SignatureScheme(reader.u16()?)) } else { None };
        Ok(DigitallySigned { scheme, signature: reader.vec16()? })
    }
}

/// The server's part of the key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKeyExchange<'a> {
    /// On a named group (RFC 8422 §5.4).
    Ecdhe {
        /// The group.
        group: NamedGroup,
        /// The public value.
        key: &'a [u8],
        /// The signature over both randoms and this; none where a pre-shared key authenticates.
        signed: Option<DigitallySigned<'a>>,
    },
    /// In a finite field of the server's choice (RFC 5246 §7.4.3).
    Dhe {
        /// Bits of the modulus, by its length.
        bits: u32,
        /// The public value.
        key: &'a [u8],
        /// The signature.
        signed: Option<DigitallySigned<'a>>,
    },
    /// A hint which pre-shared key to use (RFC 4279 §2).
    PskHint(&'a [u8]),
    /// Of a form that is not read here.
    Other(&'a [u8]),
}

impl<'a> ServerKeyExchange<'a> {
    /// Without the suite, the form of a named group is tried, which all WebRTC agents use.
    fn parse(mut reader: Reader<'a>, suite: Option<CipherSuite>, schemes: bool) -> Result<Self, Problem> {
        const NAMED_CURVE: u8 = 3;
        let whole = reader.rest();
        let exchange = suite.map(|suite| suite.parts().map_or("", |parts| parts.key_exchange));
        let read = match exchange {
            Some("ECDHE_PSK") => {
                reader.vec16()?;
                ServerKeyExchange::on_group(&mut reader, None)?
            }
            Some("ECDHE") | None => match whole.first() {
                Some(&NAMED_CURVE) => ServerKeyExchange::on_group(&mut reader, Some(schemes))?,
                _ => return Ok(ServerKeyExchange::Other(whole)),
            },
            Some("DHE") => {
                let modulus = reader.vec16()?;
                let bits = u32::try_from(modulus.len()).unwrap_or(0) * 8;
                reader.vec16()?; // generator
                let key = reader.vec16()?;
                ServerKeyExchange::Dhe { bits, key, signed: Some(DigitallySigned::parse(&mut reader, schemes)?) }
            }
            Some("PSK") => ServerKeyExchange::PskHint(reader.vec16()?),
            Some(_) => return Ok(ServerKeyExchange::Other(whole)),
        };
        reader.end()?;
        Ok(read)
    }

    /// `schemes`: whether the signature names its scheme; `None` where there is no signature.
    fn on_group(reader: &mut Reader<'a>, schemes: Option<bool>) -> Result<Self, Problem> {
        reader.u8()?; // the form: a named curve
        let group = NamedGroup(reader.u16()?);
        let key = reader.vec8()?;
        let signed = schemes.map(|schemes| DigitallySigned::parse(reader, schemes)).transpose()?;
        Ok(ServerKeyExchange::Ecdhe { group, key, signed })
    }
}

/// The server asks for the client's certificate (RFC 5246 §7.4.4).
#[derive(Clone, Copy, Debug)]
pub struct CertificateRequest<'a> {
    /// Kinds of certificate: 1 RSA, 64 ECDSA.
    pub types: &'a [u8],
    /// Acceptable signature schemes; none up to version 1.1.
    pub schemes: Option<Numbers<'a, SignatureScheme>>,
    /// Names of acceptable authorities in DER, each after a length of two bytes; empty for any.
    pub authorities: &'a [u8],
}

impl<'a> CertificateRequest<'a> {
    fn parse(mut reader: Reader<'a>, schemes: bool) -> Result<Self, Problem> {
        let types = reader.vec8()?;
        let schemes =
            if schemes { Some(Numbers::new(reader.numbers16()?, SignatureScheme as fn(u16) -> _)) } else { None };
        let authorities = reader.vec16()?;
        reader.end()?;
        Ok(CertificateRequest { types, schemes, authorities })
    }
}

/// The client proves that it has the key of its certificate (RFC 5246 §7.4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateVerify<'a> {
    /// The signature over the handshake so far.
    pub signed: DigitallySigned<'a>,
}

impl<'a> CertificateVerify<'a> {
    fn parse(mut reader: Reader<'a>, schemes: bool) -> Result<Self, Problem> {
        let signed = DigitallySigned::parse(&mut reader, schemes)?;
        reader.end()?;
        Ok(CertificateVerify { signed })
    }
}

/// The client's part of the key exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ClientKeyExchange<'a> {
    /// A public value on the server's group (RFC 8422 §5.7).
    Ecdhe(&'a [u8]),
    /// A public value in the server's field.
    Dhe(&'a [u8]),
    /// A secret encrypted to the server's RSA key.
    Rsa(&'a [u8]),
    /// The name of a pre-shared key, and the client's public value where there is an exchange besides.
    Psk {
        /// The name of the key.
        identity: &'a [u8],
        /// What follows it.
        key: &'a [u8],
    },
    /// Of a form that is not read here, or of a suite that is not known.
    Other(&'a [u8]),
}

impl<'a> ClientKeyExchange<'a> {
    fn parse(mut reader: Reader<'a>, suite: Option<CipherSuite>) -> Result<Self, Problem> {
        let whole = reader.rest();
        let exchange = suite.and_then(CipherSuite::parts).map_or("", |parts| parts.key_exchange);
        let read = match exchange {
            "ECDHE" => ClientKeyExchange::Ecdhe(reader.vec8()?),
            "DHE" => ClientKeyExchange::Dhe(reader.vec16()?),
            "RSA" => ClientKeyExchange::Rsa(reader.vec16()?),
            "PSK" | "ECDHE_PSK" => {
                let identity = reader.vec16()?;
                let key = reader.rest();
                return Ok(ClientKeyExchange::Psk { identity, key });
            }
            _ => return Ok(ClientKeyExchange::Other(whole)),
        };
        reader.end()?;
        Ok(read)
    }
}

/// A ticket to resume the session with (RFC 5077 §3.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NewSessionTicket<'a> {
    /// Seconds for which it is good; 0 for not said.
    pub lifetime: u32,
    /// The ticket, which only the server can read.
    pub ticket: &'a [u8],
}

impl<'a> NewSessionTicket<'a> {
    fn parse(mut reader: Reader<'a>) -> Result<Self, Problem> {
        let lifetime = reader.u32()?;
        let ticket = reader.vec16()?;
        reader.end()?;
        Ok(NewSessionTicket { lifetime, ticket })
    }
}

impl fmt::Debug for Certificates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.map(<[u8]>::len)).finish()
    }
}

impl fmt::Debug for DigitallySigned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DigitallySigned({:?}, {} bytes)", self.scheme, self.signature.len())
    }
}

impl fmt::Debug for ClientKeyExchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (form, length) = match self {
            ClientKeyExchange::Ecdhe(key) => ("Ecdhe", key.len()),
            ClientKeyExchange::Dhe(key) => ("Dhe", key.len()),
            ClientKeyExchange::Rsa(key) => ("Rsa", key.len()),
            ClientKeyExchange::Psk { identity, .. } => ("Psk", identity.len()),
            ClientKeyExchange::Other(body) => ("Other", body.len()),
        };
        write!(f, "{form}({length} bytes)")
    }
}

impl fmt::Debug for NewSessionTicket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewSessionTicket({} s, {} bytes)", self.lifetime, self.ticket.len())
    }
}
