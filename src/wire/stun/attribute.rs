//! Attributes: type, length, value (RFC 8489 §14), and the walk over them.

use std::fmt;

/// The type of an attribute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeCode(pub u16);

macro_rules! codes {
    ($($name:ident = $code:literal, $doc:literal;)+) => {
        impl AttributeCode {
            $(#[doc = $doc] pub const $name: AttributeCode = AttributeCode($code);)+
        }
    };
}

codes! {
    MAPPED_ADDRESS = 0x0001, "Reflexive address in clear; the relayed address in Allocate answers of MS-TURN.";
    RESPONSE_ADDRESS = 0x0002, "Where to answer (RFC 3489).";
    CHANGE_REQUEST = 0x0003, "Asks for an answer from another address or port (RFC 5780 §7.2).";
    SOURCE_ADDRESS = 0x0004, "Where the answer comes from (RFC 3489).";
    CHANGED_ADDRESS = 0x0005, "The server's other address (RFC 3489).";
    USERNAME = 0x0006, "User name (RFC 8489 §14.3).";
    PASSWORD = 0x0007, "Password of a SharedSecret answer (RFC 3489).";
    MESSAGE_INTEGRITY = 0x0008, "HMAC-SHA1 (RFC 8489 §14.5).";
    ERROR_CODE = 0x0009, "Error code and reason (RFC 8489 §14.8).";
    UNKNOWN_ATTRIBUTES = 0x000a, "What the server did not understand (RFC 8489 §14.13).";
    REFLECTED_FROM = 0x000b, "Who asked for a redirected answer (RFC 3489).";
    CHANNEL_NUMBER = 0x000c, "Channel number (RFC 8656 §18.1).";
    LIFETIME = 0x000d, "Lifetime in seconds (RFC 8656 §18.2).";
    MS_ALTERNATE_SERVER = 0x000e, "Alternate server of MS-TURN.";
    MAGIC_COOKIE = 0x000f, "First attribute of MS-TURN and its relatives.";
    BANDWIDTH = 0x0010, "Bandwidth in kbit/s (drafts, MS-TURN).";
    DESTINATION_ADDRESS = 0x0011, "The peer of an MS-TURN Send.";
    XOR_PEER_ADDRESS = 0x0012, "The peer (RFC 8656 §18.3); plain in MS-TURN and drafts.";
    DATA = 0x0013, "Relayed data (RFC 8656 §18.4).";
    REALM = 0x0014, "Realm (RFC 8489 §14.9); the nonce in messages without cookie.";
    NONCE = 0x0015, "Nonce (RFC 8489 §14.10); the realm in messages without cookie.";
    XOR_RELAYED_ADDRESS = 0x0016, "Relayed address (RFC 8656 §18.5).";
    REQUESTED_ADDRESS_FAMILY = 0x0017, "Family of the relay asked for (RFC 8656 §18.6).";
    EVEN_PORT = 0x0018, "Asks for an even port (RFC 8656 §18.7).";
    REQUESTED_TRANSPORT = 0x0019, "Protocol of the relay asked for (RFC 8656 §18.8).";
    DONT_FRAGMENT = 0x001a, "Asks for the DF bit (RFC 8656 §18.9).";
    ACCESS_TOKEN = 0x001b, "OAuth token (RFC 7635 §6.2).";
    MESSAGE_INTEGRITY_SHA256 = 0x001c, "HMAC-SHA256 (RFC 8489 §14.6).";
    PASSWORD_ALGORITHM = 0x001d, "Algorithm of the key (RFC 8489 §14.12).";
    USERHASH = 0x001e, "Hashed user name (RFC 8489 §14.4).";
    XOR_MAPPED_ADDRESS = 0x0020, "Reflexive address (RFC 8489 §14.2).";
    TIMER_VAL = 0x0021, "Timer of a TURN draft, or XOR-ONLY of a STUN draft.";
    RESERVATION_TOKEN = 0x0022, "Token of a reserved port (RFC 8656 §18.10).";
    CONNECT_STAT = 0x0023, "Connection state of a TURN draft.";
    PRIORITY = 0x0024, "Priority of a peer reflexive candidate (RFC 8445 §16.1).";
    USE_CANDIDATE = 0x0025, "Nominates a pair (RFC 8445 §16.1).";
    PADDING = 0x0026, "Fills a message up to test fragments (RFC 5780 §7.6).";
    RESPONSE_PORT = 0x0027, "Port to answer to (RFC 5780 §7.5).";
    XOR_REFLECTED_FROM = 0x0028, "Who asked for a redirected answer (draft).";
    CONNECTION_ID = 0x002a, "Connection id (RFC 6062 §6.2.1).";
    LEGACY_ICMP = 0x0030, "ICMP of TURN drafts.";
    ADDITIONAL_ADDRESS_FAMILY = 0x8000, "Second family asked for (RFC 8656 §18.11).";
    ADDRESS_ERROR_CODE = 0x8001, "Why one family was not served (RFC 8656 §18.12).";
    PASSWORD_ALGORITHMS = 0x8002, "Algorithms a server offers (RFC 8489 §14.11).";
    ALTERNATE_DOMAIN = 0x8003, "Name of the alternate server (RFC 8489 §14.16).";
    ICMP = 0x8004, "ICMP error about relayed data (RFC 8656 §18.13).";
    MS_VERSION = 0x8008, "MS-TURN version.";
    XOR_MAPPED_ADDRESS_OLD = 0x8020, "XOR-MAPPED-ADDRESS by its number in drafts and MS-TURN.";
    SOFTWARE = 0x8022, "Software (RFC 8489 §14.14).";
    ALTERNATE_SERVER = 0x8023, "Where to go instead (RFC 8489 §14.15).";
    TRANSACTION_TRANSMIT_COUNTER = 0x8025, "Count of copies sent (RFC 7982 §3.1).";
    CACHE_TIMEOUT = 0x8027, "Seconds (RFC 5780 §9.1).";
    FINGERPRINT = 0x8028, "CRC-32 (RFC 8489 §14.7).";
    ICE_CONTROLLED = 0x8029, "Controlled role and tie-breaker (RFC 8445 §16.1).";
    ICE_CONTROLLING = 0x802a, "Controlling role and tie-breaker (RFC 8445 §16.1).";
    RESPONSE_ORIGIN = 0x802b, "Where the answer comes from (RFC 5780 §7.3).";
    OTHER_ADDRESS = 0x802c, "The server's other address (RFC 5780 §7.4).";
    ECN_CHECK = 0x802d, "ECN capability (RFC 6679 §7.2.2).";
    THIRD_PARTY_AUTHORIZATION = 0x802e, "OAuth server name (RFC 7635 §6.1).";
    ORIGIN = 0x802f, "Web origin (expired draft).";
    MOBILITY_TICKET = 0x8030, "Mobility ticket (RFC 8016).";
    MS_SEQUENCE_NUMBER = 0x8050, "Connection id and sequence number of MS-TURN.";
    CANDIDATE_IDENTIFIER = 0x8054, "Foundation in MS-ICE2 checks.";
    IMPLEMENTATION_VERSION = 0x8070, "MS-ICE2 version.";
    ENF_FLOW_DESCRIPTION = 0xc001, "Flow description, or ICE nomination, or TR-111.";
    ENF_NETWORK_STATUS = 0xc002, "Network status, or TR-111.";
    GOOG_NETWORK_INFO = 0xc057, "Network id and cost (libwebrtc).";
    GOOG_LAST_ICE_CHECK_RECEIVED = 0xc058, "Transaction id of the last check (libwebrtc).";
    GOOG_MISC_INFO = 0xc059, "Capabilities (libwebrtc).";
    GOOG_MESSAGE_INTEGRITY_32 = 0xc060, "Four bytes of HMAC-SHA1 (libwebrtc).";
    META_DTLS_IN_STUN = 0xc070, "A DTLS datagram in an ICE check.";
    META_DTLS_IN_STUN_ACKNOWLEDGEMENT = 0xc071, "Which of them arrived.";
}

impl AttributeCode {
    /// The name of the IANA registry, or of the document that used the number.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        super::registry::attribute(self).map(|row| row.name).filter(|name| !name.is_empty())
    }

    /// Whether a receiver must understand it: 0x0000 to 0x7FFF (RFC 8489 §14).
    #[must_use]
    #[inline]
    pub fn is_required(self) -> bool {
        self.0 < 0x8000
    }
}

impl fmt::Display for AttributeCode {
    /// The name, or `0x…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

impl fmt::Debug for AttributeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One attribute as it stands in the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type.
    pub code: AttributeCode,
    /// Bytes from the start of the message to the attribute's header.
    pub offset: usize,
    /// The value without padding. Shorter than `declared` where the capture or the message ends before it; then it is the last.
    pub value: &'a [u8],
    /// The length that its header gives.
    pub declared: u16,
}

impl Attribute<'_> {
    /// Whether the whole value is there.
    #[must_use]
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.value.len() == usize::from(self.declared)
    }
}

impl fmt::Debug for Attribute<'_> {
    /// Type, place and length: a value may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} ({} of {} bytes)", self.code, self.offset, self.value.len(), self.declared)
    }
}

/// The attributes of a message in wire order. Stops where no whole header follows, after an attribute that runs past the end.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Added to the length to find the next header, then cut down by its complement: 3 or 0.
    padding: usize,
}

impl<'a> Attributes<'a> {
    /// Walks from byte 20 of a message.
    #[inline]
    pub(super) fn new(message: &'a [u8], aligned: bool) -> Self {
        Attributes { bytes: message, offset: 20, padding: if aligned { 3 } else { 0 } }
    }

    /// Where the walk stands: the offset of the next header.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<Attribute<'a>> {
        let offset = self.offset;
        let (&[t0, t1, l0, l1], rest) = self.bytes.get(offset..)?.split_first_chunk::<4>()?;
        let declared = u16::from_be_bytes([l0, l1]);
        let length = usize::from(declared);
        let value = rest.get(..length).unwrap_or(rest);
        self.offset = offset + 4 + ((length + self.padding) & !self.padding);
        Some(Attribute { code: AttributeCode(u16::from_be_bytes([t0, t1])), offset, value, declared })
    }
}
