//! Typed values of attributes.

mod decode;
mod json;
mod text;

pub use text::{Hex, Text, is_unsafe};

use super::TransactionId;
use super::attribute::AttributeCode;
use super::fields::{AddressError, ErrorCode};
use crate::net::Endpoint;

/// What an attribute says, by the table row of its type.
///
/// As JSON it is a string (addresses, text, hexadecimal), a number, `true` for a flag, or an object; as text one line in which no byte of the capture can
/// drive a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// There and empty: the attribute itself is the statement.
    Flag,
    /// An address; XOR undone.
    Address(Endpoint),
    /// Text, UTF-8 where the sender kept to the rules.
    Text(&'a [u8]),
    /// Bytes that are meant to be bytes.
    Bytes(&'a [u8]),
    /// Of no known type, cut short, or of a length that its type does not allow.
    Opaque(&'a [u8]),
    /// A password of this many bytes, which is not shown.
    Hidden(usize),
    /// A number without unit.
    Number(u32),
    /// Seconds.
    Seconds(u32),
    /// Kilobits per second.
    Bandwidth(u32),
    /// 32 bits that are no quantity: a checksum, a cookie, an id.
    Word(u32),
    /// 64 bits that are no quantity: a tie-breaker, an id.
    LongWord(u64),
    /// A transaction id in a value.
    Transaction(TransactionId),
    /// CHANNEL-NUMBER.
    Channel(u16),
    /// RESPONSE-PORT.
    Port(u16),
    /// 1 IPv4, 2 IPv6.
    Family(u8),
    /// An IP protocol number: 17 UDP, 6 TCP.
    Protocol(u8),
    /// PRIORITY: type preference, local preference, 256 minus component (RFC 8445 §5.1.2).
    Priority(u32),
    /// EVEN-PORT and the REQUESTED-PROPS of the drafts.
    EvenPort {
        /// Asks for an even port.
        even: bool,
        /// Asks to reserve the next port.
        reserve_next: bool,
        /// Asks for the port that the draft called preserved.
        preserve: bool,
    },
    /// CHANGE-REQUEST.
    ChangeRequest {
        /// Answer from the other address.
        ip: bool,
        /// Answer from the other port.
        port: bool,
    },
    /// ERROR-CODE.
    Error(ErrorCode<'a>),
    /// ADDRESS-ERROR-CODE.
    AddressError(AddressError<'a>),
    /// UNKNOWN-ATTRIBUTES: types, two bytes each.
    Types(&'a [u8]),
    /// PASSWORD-ALGORITHM.
    Algorithm(PasswordAlgorithm<'a>),
    /// PASSWORD-ALGORITHMS, as on the wire; [`password_algorithms`] reads it.
    Algorithms(&'a [u8]),
    /// ACCESS-TOKEN (RFC 7635 §6.2): the parts around what the server's key opens.
    AccessToken {
        /// The AEAD nonce.
        nonce: &'a [u8],
        /// The encrypted block.
        ciphertext: &'a [u8],
        /// The authentication tag, 16 bytes.
        tag: &'a [u8],
    },
    /// ICMP and the LEGACY-ICMP of the drafts.
    Icmp {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
        /// The MTU of a "too big", else 0.
        data: u32,
    },
    /// ECN-CHECK.
    EcnCheck {
        /// The ECN field seen, 0 to 3.
        ecf: u8,
        /// Whether `ecf` is valid.
        valid: bool,
    },
    /// TRANSACTION-TRANSMIT-COUNTER.
    Counter {
        /// Copies of the request sent so far.
        requests: u8,
        /// Copies of the response sent so far.
        responses: u8,
    },
    /// MS-VERSION.
    MsVersion(u32),
    /// IMPLEMENTATION-VERSION.
    ImplementationVersion(u32),
    /// MS-SEQUENCE-NUMBER.
    Sequence {
        /// 20 bytes.
        connection_id: &'a [u8],
        /// Counts the requests of the connection.
        sequence: u32,
    },
    /// MS-SERVICE-QUALITY.
    ServiceQuality {
        /// 1 audio, 2 video, 3 supplemental video, 4 data.
        stream: u16,
        /// 0 best effort, 1 reliable.
        reliable: u16,
    },
    /// BANDWIDTH-ADMISSION-CONTROL-MESSAGE: 0 check, 1 commit, 2 update.
    Admission(u16),
    /// BANDWIDTH-RESERVATION-AMOUNT, kbit/s: maximum and minimum to send, maximum and minimum to receive.
    Reservation([u32; 4]),
    /// A site's answer about bandwidth.
    Site {
        /// Whether the figures hold.
        valid: bool,
        /// Whether the way leads over the telephone network.
        pstn: bool,
        /// kbit/s.
        max_send: u32,
        /// kbit/s.
        max_receive: u32,
    },
    /// LOCATION-PROFILE.
    Location {
        /// 0 unknown, 1 Internet, 2 intranet.
        peer: u8,
        /// As `peer`, of the sender.
        own: u8,
        /// 0 none, 1 enterprise, 2 public cloud.
        federation: u8,
    },
    /// ENF-FLOW-DESCRIPTION.
    Flow {
        /// Kind of flow, 4 bits.
        kind: u8,
        /// Maximum bandwidth.
        bandwidth: u16,
    },
    /// ENF-NETWORK-STATUS.
    Network {
        /// Flags.
        flags: u8,
        /// Nodes on the way.
        nodes: u8,
        /// Maximum upwards.
        up: u16,
        /// Maximum downwards.
        down: u16,
    },
    /// NOMINATION of ICE renomination.
    Nomination(u32),
    /// GOOG-NETWORK-INFO.
    NetworkInfo {
        /// Number of the network.
        id: u16,
        /// What it costs to use it: 0 least, 999 most.
        cost: u16,
    },
    /// GOOG-MISC-INFO: 16-bit words, the first being the version of GOOG-PING.
    MiscInfo(&'a [u8]),
    /// META-DTLS-IN-STUN-ACKNOWLEDGEMENT: CRC-32 of the DTLS datagrams that arrived, four bytes each.
    Checksums(&'a [u8]),
}

/// An entry of PASSWORD-ALGORITHMS, or PASSWORD-ALGORITHM itself (RFC 8489 §14.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordAlgorithm<'a> {
    /// 1 MD5, 2 SHA-256.
    pub number: u16,
    /// Parameters; none are defined yet.
    pub parameters: &'a [u8],
}

impl PasswordAlgorithm<'_> {
    /// The name in the IANA registry.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        match self.number {
            1 => Some("MD5"),
            2 => Some("SHA-256"),
            _ => None,
        }
    }
}

/// Reads the list of PASSWORD-ALGORITHMS; ends where an entry runs past the end.
pub fn password_algorithms(value: &[u8]) -> impl Iterator<Item = PasswordAlgorithm<'_>> + Clone {
    let mut rest = value;
    std::iter::from_fn(move || {
        let (&[n0, n1, l0, l1], after) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let parameters = after.get(..length)?;
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(PasswordAlgorithm { number: u16::from_be_bytes([n0, n1]), parameters })
    })
}

/// Reads the list of UNKNOWN-ATTRIBUTES.
pub fn unknown_attributes(value: &[u8]) -> impl Iterator<Item = AttributeCode> + Clone + '_ {
    words16(value).map(AttributeCode)
}

fn words16(value: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    let (words, _) = value.as_chunks::<2>();
    words.iter().map(|&word| u16::from_be_bytes(word))
}

fn words32(value: &[u8]) -> impl Iterator<Item = u32> + Clone + '_ {
    let (words, _) = value.as_chunks::<4>();
    words.iter().map(|&word| u32::from_be_bytes(word))
}
