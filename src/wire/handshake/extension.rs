//! Extensions of the hello messages: the list, and what each says.

use super::Protocol;
use super::reader::Reader;
use super::registry::{ExtensionType, NamedGroup, SignatureScheme, SrtpProfile, Version};
use crate::problem::Problem;
use std::fmt;

/// The message in which an extension stands: some have another form in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hello {
    /// ClientHello.
    Client,
    /// ServerHello, and EncryptedExtensions.
    Server,
    /// HelloRetryRequest.
    Retry,
}

/// The extensions of a message, in wire order.
#[derive(Clone, Copy)]
pub struct Extensions<'a> {
    reader: Reader<'a>,
    hello: Hello,
}

/// One extension.
#[derive(Clone, Copy)]
pub struct Extension<'a> {
    /// Its type.
    pub kind: ExtensionType,
    /// Bytes from the start of the message's body to its contents.
    pub offset: usize,
    /// Its contents.
    pub data: &'a [u8],
    hello: Hello,
    protocol: Protocol,
}

/// What an extension says.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// There and empty: the extension itself is the statement.
    Flag,
    /// server_name: the host name; a server's answer is a [`Value::Flag`].
    HostName(&'a [u8]),
    /// max_fragment_length: bytes of plaintext in a record.
    MaxFragmentLength(u16),
    /// supported_groups.
    Groups(Numbers<'a, NamedGroup>),
    /// ec_point_formats: 0 is uncompressed.
    PointFormats(&'a [u8]),
    /// signature_algorithms, signature_algorithms_cert.
    SignatureSchemes(Numbers<'a, SignatureScheme>),
    /// use_srtp: profiles by preference, or the one chosen, and the MKI.
    Srtp {
        /// The profiles.
        profiles: Numbers<'a, SrtpProfile>,
        /// The master key identifier; mostly empty.
        mki: &'a [u8],
    },
    /// application_layer_protocol_negotiation: names by preference, or the one chosen.
    Alpn(Names<'a>),
    /// record_size_limit: bytes of plaintext in a record.
    RecordSizeLimit(u16),
    /// supported_versions of a client, by preference.
    Versions(Numbers<'a, Version>),
    /// supported_versions of a server.
    SelectedVersion(Version),
    /// cookie of version 1.3.
    Cookie(&'a [u8]),
    /// key_share of a client.
    KeyShares(KeyShares<'a>),
    /// key_share of a server.
    KeyShare(KeyShare<'a>),
    /// key_share of a HelloRetryRequest: the group that the server wants.
    SelectedGroup(NamedGroup),
    /// connection_id: what the peer is to write in its records to the sender of this.
    ConnectionId(&'a [u8]),
    /// renegotiation_info.
    RenegotiationInfo(&'a [u8]),
    /// An extension whose contents are not read here.
    Opaque(&'a [u8]),
}

/// A share of a Diffie-Hellman exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyShare<'a> {
    /// Its group.
    pub group: NamedGroup,
    /// The public value.
    pub key: &'a [u8],
}

impl<'a> Extensions<'a> {
    /// Reads the list up to its end; a message may end without one (RFC 5246 §7.4.1.4). Each extension lies in its list, whatever
    /// it holds.
    pub(super) fn parse(reader: &mut Reader<'a>, hello: Hello) -> Result<Self, Problem> {
        let protocol = reader.protocol();
        if reader.is_empty() {
            return Ok(Extensions { reader: Reader::new(&[], reader.offset(), protocol), hello });
        }
        let offset = reader.offset() + 2;
        let list = Reader::new(reader.vec16()?, offset, protocol);
        let mut walk = list;
        while !walk.is_empty() {
            walk.u16()?;
            walk.vec16()?;
        }
        Ok(Extensions { reader: list, hello })
    }

    /// The first extension of a type.
    #[must_use]
    pub fn find(&self, kind: ExtensionType) -> Option<Extension<'a>> {
        let mut all = *self;
        Iterator::find(&mut all, |extension| extension.kind == kind)
    }

    /// What the first extension of a type says, if it is there and sound.
    #[must_use]
    pub fn value(&self, kind: ExtensionType) -> Option<Value<'a>> {
        Extensions::find(self, kind)?.decode().ok()
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        let kind = ExtensionType(self.reader.u16().ok()?);
        let offset = self.reader.offset() + 2;
        let data = self.reader.vec16().ok()?;
        Some(Extension { kind, offset, data, hello: self.hello, protocol: self.reader.protocol() })
    }
}

impl<'a> Extension<'a> {
    /// What it says.
    ///
    /// # Errors
    /// The first field that does not fit, by its place in the message's body.
    pub fn decode(&self) -> Result<Value<'a>, Problem> {
        use ExtensionType as E;
        let mut reader = Reader::new(self.data, self.offset, self.protocol);
        let client = matches!(self.hello, Hello::Client);
        let value = match self.kind {
            E::ENCRYPT_THEN_MAC | E::EXTENDED_MASTER_SECRET | E::RRC => Value::Flag,
            E::SERVER_NAME if !client => Value::Flag,
            E::SERVER_NAME => host_name(&mut reader)?,
            E::MAX_FRAGMENT_LENGTH => match reader.u8()? {
                code @ 1..=4 => Value::MaxFragmentLength(256 << code),
                code => {
                    let at = Reader::new(self.data, self.offset, self.protocol);
                    return Err(at.problem(4, code.into(), "a maximum fragment length that is not defined"));
                }
            },
            E::SUPPORTED_GROUPS => Value::Groups(Numbers::new(reader.numbers16()?, NamedGroup)),
            E::EC_POINT_FORMATS => Value::PointFormats(reader.vec8()?),
            E::SIGNATURE_ALGORITHMS | E::SIGNATURE_ALGORITHMS_CERT => {
                Value::SignatureSchemes(Numbers::new(reader.numbers16()?, SignatureScheme))
            }
            E::USE_SRTP => {
                let profiles = Numbers::new(reader.numbers16()?, SrtpProfile);
                Value::Srtp { profiles, mki: reader.vec8()? }
            }
            E::ALPN => Value::Alpn(Names::parse(&mut reader)?),
            E::RECORD_SIZE_LIMIT => Value::RecordSizeLimit(reader.u16()?),
            E::SUPPORTED_VERSIONS if client => Value::Versions(Numbers::new(reader.numbers8()?, Version)),
            E::SUPPORTED_VERSIONS => Value::SelectedVersion(Version(reader.u16()?)),
            E::COOKIE => Value::Cookie(reader.vec16()?),
            E::KEY_SHARE => match self.hello {
                Hello::Retry => Value::SelectedGroup(NamedGroup(reader.u16()?)),
                Hello::Server => Value::KeyShare(KeyShare::parse(&mut reader)?),
                Hello::Client => Value::KeyShares(KeyShares::parse(&mut reader)?),
            },
            E::CONNECTION_ID | E::CONNECTION_ID_DRAFT => Value::ConnectionId(reader.vec8()?),
            E::RENEGOTIATION_INFO => Value::RenegotiationInfo(reader.vec8()?),
            _ => return Ok(Value::Opaque(self.data)),
        };
        reader.end()?;
        Ok(value)
    }
}

/// The first host name of a list of names (RFC 6066 §3).
fn host_name<'a>(reader: &mut Reader<'a>) -> Result<Value<'a>, Problem> {
    const HOST_NAME: u8 = 0;
    let offset = reader.offset() + 2;
    let mut list = Reader::new(reader.vec16()?, offset, reader.protocol());
    let mut found = None;
    while !list.is_empty() {
        let kind = list.u8()?;
        let name = list.vec16()?;
        if kind == HOST_NAME {
            found = found.or(Some(name));
        }
    }
    Ok(found.map_or(Value::Opaque(&[]), Value::HostName))
}

impl<'a> KeyShare<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Problem> {
        Ok(KeyShare { group: NamedGroup(reader.u16()?), key: reader.vec16()? })
    }
}

impl fmt::Debug for KeyShare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare({}, {} bytes)", self.group, self.key.len())
    }
}

/// 16-bit numbers of one kind.
#[derive(Clone, Copy)]
pub struct Numbers<'a, N> {
    rest: &'a [[u8; 2]],
    of: fn(u16) -> N,
}

impl<'a, N> Numbers<'a, N> {
    pub(super) fn new(rest: &'a [[u8; 2]], of: fn(u16) -> N) -> Self {
        Numbers { rest, of }
    }
}

impl<N> Iterator for Numbers<'_, N> {
    type Item = N;

    fn next(&mut self) -> Option<N> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some((self.of)(u16::from_be_bytes(first)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len(), Some(self.rest.len()))
    }
}

impl<N> ExactSizeIterator for Numbers<'_, N> {}

/// Protocol names of ALPN (RFC 7301 §3.1).
#[derive(Clone, Copy)]
pub struct Names<'a> {
    reader: Reader<'a>,
}

impl<'a> Names<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Problem> {
        let offset = reader.offset() + 2;
        let list = Reader::new(reader.vec16()?, offset, reader.protocol());
        let mut walk = list;
        while !walk.is_empty() {
            walk.vec8()?;
        }
        Ok(Names { reader: list })
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.reader.vec8().ok()
    }
}

/// The shares that a client offers.
#[derive(Clone, Copy)]
pub struct KeyShares<'a> {
    reader: Reader<'a>,
}

impl<'a> KeyShares<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, Problem> {
        let offset = reader.offset() + 2;
        let list = Reader::new(reader.vec16()?, offset, reader.protocol());
        let mut walk = list;
        while !walk.is_empty() {
            KeyShare::parse(&mut walk)?;
        }
        Ok(KeyShares { reader: list })
    }
}

impl<'a> Iterator for KeyShares<'a> {
    type Item = KeyShare<'a>;

    fn next(&mut self) -> Option<KeyShare<'a>> {
        KeyShare::parse(&mut self.reader).ok()
    }
}

impl fmt::Debug for Extensions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.map(|extension| extension.kind)).finish()
    }
}

impl fmt::Debug for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extension({}, {} bytes)", self.kind, self.data.len())
    }
}

impl<N: fmt::Debug + Copy> fmt::Debug for Numbers<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.map(String::from_utf8_lossy)).finish()
    }
}

impl fmt::Debug for KeyShares<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}
