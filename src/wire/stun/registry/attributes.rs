//! Attributes (IANA "STUN Parameters", the RFCs, drafts and vendors that used a number).

use super::Era;
use crate::wire::stun::AttributeCode;

/// How the value of an attribute is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// No value.
    Flag,
    /// Family, port, address in clear.
    Address,
    /// The same, XORed with the cookie and the transaction id.
    Xor,
    /// XORed in messages with the cookie, plain in the dialects without.
    Relay,
    /// As `Relay`; four bytes are REQUESTED-ADDRESS-TYPE of an early draft.
    Relayed,
    /// UTF-8.
    Text,
    /// ASCII with zeros up to a multiple of 4.
    PaddedText,
    /// So many bytes, in multiples of `unit`.
    Bytes {
        /// Fewest bytes.
        least: u16,
        /// Most bytes.
        most: u16,
        /// The length is a multiple of it.
        unit: u8,
    },
    /// 20 bytes of HMAC-SHA1, or the 32, 48, 64 of a pre-standard variant with SHA-2.
    Integrity,
    /// A password.
    Hidden,
    /// 32 bits.
    Number,
    /// 32 bits, where the number is not official anything else.
    NumberOrBytes,
    /// 32 bits of seconds.
    Seconds,
    /// 32 bits of kbit/s.
    Bandwidth,
    /// 32 bits that are no quantity.
    Word,
    /// 64 bits that are no quantity.
    LongWord,
    /// The same, or anything else.
    LongWordOrBytes,
    /// 12 bytes of transaction id.
    Transaction,
    /// Channel number and 16 bits of zero.
    Channel,
    /// Address family and 24 bits of zero.
    Family,
    /// As `Family`; eight bytes are an address of an MSN relay.
    AdditionalFamily,
    /// IP protocol and 24 bits of zero.
    Protocol,
    /// Candidate priority.
    Priority,
    /// One byte of flags, four in the drafts.
    EvenPort,
    /// Flags 4 and 2.
    ChangeRequest,
    /// Code and reason.
    Error,
    /// Family, code and reason.
    AddressError,
    /// List of attribute types.
    Types,
    /// One password algorithm.
    Algorithm,
    /// List of password algorithms.
    Algorithms,
    /// Nonce, ciphertext, tag.
    AccessToken,
    /// Type, code and data in one of two layouts.
    Icmp,
    /// Type, code and 16 bits of zero.
    LegacyIcmp,
    /// ECN field and validity.
    EcnCheck,
    /// Copies of requests and of responses.
    Counter,
    /// 32 bits, or empty in another draft.
    Timer,
    /// Eight bytes, or an address in a draft.
    Token,
    /// Port and 16 bits of zero, or an XORed address in a draft.
    ResponsePort,
    /// Server name, or a ticket in a draft.
    ThirdParty,
    /// Version of MS-TURN.
    MsVersion,
    /// Version of MS-ICE2.
    ImplementationVersion,
    /// 20 bytes and 32 bits.
    Sequence,
    /// Stream and reliability.
    ServiceQuality,
    /// 16 bits of zero, 16 bits of message.
    Admission,
    /// Four rates.
    Reservation,
    /// Flags with PSTN and two rates.
    Site,
    /// Flags and two rates.
    RelaySite,
    /// Three bytes of place.
    Location,
    /// Flow description, nomination or TR-111.
    FlowDescription,
    /// Network status or TR-111.
    NetworkStatus,
    /// Network id and cost.
    NetworkInfo,
    /// 16-bit words.
    MiscInfo,
    /// 32-bit words.
    Checksums,
}

impl Format {
    /// How many bytes a value of this format must have at least, for saying what was missing.
    #[must_use]
    pub(in crate::wire::stun) fn least(self) -> u16 {
        match self {
            Format::Flag
            | Format::Text
            | Format::PaddedText
            | Format::Hidden
            | Format::NumberOrBytes
            | Format::LongWordOrBytes
            | Format::Transaction
            | Format::Types
            | Format::Algorithms
            | Format::Timer
            | Format::ThirdParty
            | Format::FlowDescription
            | Format::NetworkStatus
            | Format::MiscInfo
            | Format::Checksums
            | Format::ServiceQuality => 0,
            Format::Bytes { least, .. } => least,
            Format::EvenPort => 1,
            Format::Address | Format::Xor | Format::Relay | Format::Relayed | Format::Token => 8,
            Format::LongWord | Format::Icmp => 8,
            Format::Site | Format::RelaySite => 12,
            Format::Reservation => 16,
            Format::AccessToken => 18,
            Format::Integrity => 20,
            Format::Sequence => 24,
            _ => 4,
        }
    }
}

/// What is known of an attribute type.
#[derive(Clone, Copy, Debug)]
pub struct AttributeRow {
    /// Its number.
    pub code: AttributeCode,
    /// Its name as IANA, Wireshark or its document spell it; empty where its owner never told one.
    pub name: &'static str,
    /// How its value is laid out.
    pub format: Format,
    /// Whose it is.
    pub era: Era,
    /// What it says and where it appears, in one line.
    pub meaning: &'static str,
    /// Where it is described.
    pub source: &'static str,
}

/// The row of an attribute type.
#[must_use]
pub fn attribute(code: AttributeCode) -> Option<&'static AttributeRow> {
    let index = ATTRIBUTES.binary_search_by_key(&code, |row| row.code).ok()?;
    ATTRIBUTES.get(index)
}

impl AttributeRow {
    /// Its name, then those that its number had elsewhere.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.other_names())
    }

    /// What drafts, dialects and others who used the number called it.
    pub fn other_names(&self) -> impl Iterator<Item = &'static str> {
        let code = self.code.0;
        OTHER_NAMES.iter().filter(move |row| row.0 == code).map(|row| row.1)
    }
}

const OTHER_NAMES: &[(u16, &str)] = &[
    (0x0003, "CHANGE-ADDRESS"),
    (0x0012, "PEER-ADDRESS"),
    (0x0012, "REMOTE-ADDRESS"),
    (0x0016, "RELAY-ADDRESS"),
    (0x0016, "REQUESTED-ADDRESS-TYPE"),
    (0x0017, "REQUESTED-ADDRESS-TYPE"),
    (0x0018, "REQUESTED-PORT-PROPS"),
    (0x0018, "REQUESTED-PROPS"),
    (0x0021, "XOR-ONLY"),
    (0x0022, "REQUESTED-IP"),
    (0x0027, "XOR-RESPONSE-TARGET"),
    (0x8001, "OPTIONS"),
    (0x8022, "SERVER"),
    (0xC001, "CONNECTION-REQUEST-BINDING"),
    (0xC001, "NOMINATION"),
    (0xC002, "BINDING-CHANGE"),
];

const fn row(
    code: u16,
    name: &'static str,
    format: Format,
    era: Era,
    meaning: &'static str,
    source: &'static str,
) -> AttributeRow {
    AttributeRow { code: AttributeCode(code), name, format, era, meaning, source }
}

const ANY: Format = Format::Bytes { least: 0, most: u16::MAX, unit: 1 };

const fn exactly(bytes: u16) -> Format {
    Format::Bytes { least: bytes, most: bytes, unit: 1 }
}

use Era::{Classic as C, Draft as D, Google as G, Microsoft as MS, Modern as M, Private as P};

/// All attribute types that are known, by number.
#[rustfmt::skip]
pub static ATTRIBUTES: &[AttributeRow] = &[
    row(0x0000, "", ANY, M, "Reserved; no message should have it.", "IANA"),
    row(0x0001, "MAPPED-ADDRESS", Format::Address, M, "The address a request came from, as the server saw it, in clear; in Allocate answers of MS-TURN and its relatives the relayed address.", "RFC 8489 §14.1"),
    row(0x0002, "RESPONSE-ADDRESS", Format::Address, C, "Where a classic Binding request wants its answer sent; ignored today, since it could be abused.", "RFC 3489 §11.2.2"),
    row(0x0003, "CHANGE-REQUEST", Format::ChangeRequest, M, "Asks the server to answer from its other address or port, for NAT tests.", "RFC 5780 §7.2"),
    row(0x0004, "SOURCE-ADDRESS", Format::Address, C, "The address that a classic answer was sent from.", "RFC 3489 §11.2.5"),
    row(0x0005, "CHANGED-ADDRESS", Format::Address, C, "The server's other address and port, for NAT tests; OTHER-ADDRESS today.", "RFC 3489 §11.2.3"),
    row(0x0006, "USERNAME", Format::Text, M, "Who signs the message. In ICE the receiver's fragment, a colon, the sender's fragment.", "RFC 8489 §14.3"),
    row(0x0007, "PASSWORD", Format::Hidden, C, "The password that a classic SharedSecret answer hands out; never shown here.", "RFC 3489 §11.2.7"),
    row(0x0008, "MESSAGE-INTEGRITY", Format::Integrity, M, "HMAC-SHA1 over the message up to here, keyed with the password: proves who sent it. A server once put longer hashes here.", "RFC 8489 §14.5"),
    row(0x0009, "ERROR-CODE", Format::Error, M, "Why the request failed: a code of three digits and a phrase. The phrase often holds the real cause.", "RFC 8489 §14.8"),
    row(0x000A, "UNKNOWN-ATTRIBUTES", Format::Types, M, "The attribute types that made the server answer 420.", "RFC 8489 §14.13"),
    row(0x000B, "REFLECTED-FROM", Format::Address, C, "Who asked for a redirected classic answer.", "RFC 3489 §11.2.11"),
    row(0x000C, "CHANNEL-NUMBER", Format::Channel, M, "The channel to bind to a peer, 0x4000 to 0x4FFF (to 0x7FFE under RFC 5766).", "RFC 8656 §18.1"),
    row(0x000D, "LIFETIME", Format::Seconds, M, "How long an allocation is asked for or given; 0 in a Refresh ends it.", "RFC 8656 §18.2"),
    row(0x000E, "MS-ALTERNATE-SERVER", Format::Address, MS, "The server to ask instead, in Allocate errors of MS-TURN.", "MS-TURN"),
    row(0x000F, "MAGIC-COOKIE", Format::Word, D, "0x72C64BC6 as the first attribute marks MS-TURN and the Google and MSN relays.", "MS-TURN, TURN drafts"),
    row(0x0010, "BANDWIDTH", Format::Bandwidth, D, "Bandwidth asked for or granted; dropped from TURN before it became a standard.", "TURN drafts, MS-TURN"),
    row(0x0011, "DESTINATION-ADDRESS", Format::Address, MS, "The peer that an MS-TURN Send or Set Active Destination means.", "MS-TURN"),
    row(0x0012, "XOR-PEER-ADDRESS", Format::Relay, M, "The peer at the far side of the relay. In clear, as REMOTE-ADDRESS, in MS-TURN and early drafts.", "RFC 8656 §18.3"),
    row(0x0013, "DATA", ANY, M, "What is relayed: a Send carries it to the peer, a Data indication from it.", "RFC 8656 §18.4"),
    row(0x0014, "REALM", Format::Text, M, "The domain whose user names the server knows; part of the long-term key, so both sides must use it to the letter. The nonce in messages without the cookie.", "RFC 8489 §14.9"),
    row(0x0015, "NONCE", Format::Text, M, "A value the server gives out and the client repeats, against replay. The realm in messages without the cookie.", "RFC 8489 §14.10"),
    row(0x0016, "XOR-RELAYED-ADDRESS", Format::Relayed, M, "The address that the server lends the client; twice in a dual allocation.", "RFC 8656 §18.5"),
    row(0x0017, "REQUESTED-ADDRESS-FAMILY", Format::Family, M, "Asks for a relayed address of IPv4 or of IPv6.", "RFC 8656 §18.6"),
    row(0x0018, "EVEN-PORT", Format::EvenPort, M, "Asks for an even port, and whether to keep the next one (for RTCP).", "RFC 8656 §18.7"),
    row(0x0019, "REQUESTED-TRANSPORT", Format::Protocol, M, "Whether the relay speaks UDP or TCP to peers; every Allocate request must say.", "RFC 8656 §18.8"),
    row(0x001A, "DONT-FRAGMENT", Format::Flag, M, "Asks the server to set the DF bit on what it relays; servers that cannot answer 420.", "RFC 8656 §18.9"),
    row(0x001B, "ACCESS-TOKEN", Format::AccessToken, M, "An OAuth token that only the server can open; holds the key of the integrity attribute.", "RFC 7635 §6.2"),
    row(0x001C, "MESSAGE-INTEGRITY-SHA256", Format::Bytes { least: 16, most: 32, unit: 4 }, M, "HMAC-SHA256 over the message up to here.", "RFC 8489 §14.6"),
    row(0x001D, "PASSWORD-ALGORITHM", Format::Algorithm, M, "How the client hashed the long-term key, chosen from the server's list.", "RFC 8489 §14.12"),
    row(0x001E, "USERHASH", exactly(32), M, "SHA-256 of user name and realm, in place of USERNAME for privacy.", "RFC 8489 §14.4"),
    row(0x001F, "", ANY, M, "Reserved; no message should have it.", "IANA"),
    row(0x0020, "XOR-MAPPED-ADDRESS", Format::Xor, M, "The address a request came from as the server saw it: beyond a NAT, its outside. XORed so that no gateway rewrites it.", "RFC 8489 §14.2"),
    row(0x0021, "TIMER-VAL", Format::Timer, D, "Seconds of a timer in an early TURN draft; as a flag, XOR-ONLY of an early STUN draft.", "TURN-04, rfc3489bis-00"),
    row(0x0022, "RESERVATION-TOKEN", Format::Token, M, "Claims the port that an earlier EVEN-PORT kept. An address, as REQUESTED-IP, in an early draft.", "RFC 8656 §18.10"),
    row(0x0023, "CONNECT-STAT", Format::Number, D, "State of a TCP connection in an early TURN draft.", "TURN-04"),
    row(0x0024, "PRIORITY", Format::Priority, M, "The priority that a peer-reflexive candidate learned from this check would have.", "RFC 8445 §16.1"),
    row(0x0025, "USE-CANDIDATE", Format::Flag, M, "The controlling agent nominates the pair of this check.", "RFC 8445 §16.1"),
    row(0x0026, "PADDING", ANY, M, "Fills a message up, to test whether fragments come through.", "RFC 5780 §7.6"),
    row(0x0027, "RESPONSE-PORT", Format::ResponsePort, M, "The port to which the answer shall go. An address, as XOR-RESPONSE-TARGET, in the draft.", "RFC 5780 §7.5"),
    row(0x0028, "XOR-REFLECTED-FROM", Format::Xor, D, "Who asked for a redirected answer.", "nat-behavior-discovery draft"),
    row(0x0029, "", ANY, D, "Reserved; early proposals for ICMP had it.", "IANA"),
    row(0x002A, "CONNECTION-ID", Format::Word, M, "Which TCP connection to a peer is meant.", "RFC 6062 §6.2.1"),
    row(0x0030, "LEGACY-ICMP", Format::LegacyIcmp, D, "ICMP error about relayed data, by its number in drafts.", "TURN drafts"),
    row(0x0101, "", ANY, P, "Zoom, undocumented.", "seen in traffic"),
    row(0x0103, "", ANY, P, "Zoom, undocumented.", "seen in traffic"),
    row(0x0800, "", ANY, P, "Skype, undocumented.", "seen in traffic"),
    row(0x24DF, "", ANY, P, "Skype, undocumented.", "seen in traffic"),
    row(0x3802, "", ANY, P, "Skype, undocumented.", "seen in traffic"),
    row(0x4000, "", ANY, P, "WhatsApp calls, undocumented.", "seen in traffic"),
    row(0x4001, "", ANY, P, "WhatsApp calls, undocumented.", "seen in traffic"),
    row(0x4002, "", ANY, P, "WhatsApp calls, undocumented.", "seen in traffic"),
    row(0x4003, "", ANY, P, "WhatsApp calls, undocumented.", "seen in traffic"),
    row(0x4004, "", ANY, P, "WhatsApp calls, undocumented.", "seen in traffic"),
    row(0x4007, "", ANY, P, "WhatsApp calls, undocumented.", "seen in traffic"),
    row(0x8000, "ADDITIONAL-ADDRESS-FAMILY", Format::AdditionalFamily, M, "Asks for a second relayed address, of IPv6.", "RFC 8656 §18.11"),
    row(0x8001, "ADDRESS-ERROR-CODE", Format::AddressError, M, "Why one of two address families was not served. OPTIONS of an early Google relay in messages without the cookie.", "RFC 8656 §18.12"),
    row(0x8002, "PASSWORD-ALGORITHMS", Format::Algorithms, M, "The ways to hash the long-term key that the server takes, best first; the client repeats the list.", "RFC 8489 §14.11"),
    row(0x8003, "ALTERNATE-DOMAIN", Format::Text, M, "The name that the certificate of the alternate server must have.", "RFC 8489 §14.16"),
    row(0x8004, "ICMP", Format::Icmp, M, "An ICMP error that came back for relayed data.", "RFC 8656 §18.13"),
    row(0x8006, "", ANY, MS, "Skype and Teams, undocumented.", "seen in traffic"),
    row(0x8008, "MS-VERSION", Format::MsVersion, MS, "What the sender can do of MS-TURN.", "MS-TURN"),
    row(0x8010, "BANDWIDTH", Format::Bandwidth, P, "Bandwidth, by the number of a coturn experiment.", "coturn"),
    row(0x8020, "XOR-MAPPED-ADDRESS", Format::Xor, D, "XOR-MAPPED-ADDRESS by its number in drafts and MS-TURN.", "rfc3489bis drafts, MS-TURN"),
    row(0x8022, "SOFTWARE", Format::Text, M, "The sender's product and version.", "RFC 8489 §14.14"),
    row(0x8023, "ALTERNATE-SERVER", Format::Address, M, "The server to ask instead, with error 300.", "RFC 8489 §14.15"),
    row(0x8024, "", ANY, M, "Reserved; no message should have it.", "IANA"),
    row(0x8025, "TRANSACTION-TRANSMIT-COUNTER", Format::Counter, M, "Which copy of the request and of the response this is: tells which way packets are lost.", "RFC 7982 §3.1"),
    row(0x8026, "", ANY, M, "Reserved; no message should have it.", "IANA"),
    row(0x8027, "CACHE-TIMEOUT", Format::Seconds, M, "How long the server remembers, in NAT tests.", "RFC 5780 §9.1"),
    row(0x8028, "FINGERPRINT", Format::Word, M, "CRC-32 of the message, to tell STUN from what shares its port; always last.", "RFC 8489 §14.7"),
    row(0x8029, "ICE-CONTROLLED", Format::LongWord, M, "The sender is the controlled agent; the number decides a role conflict.", "RFC 8445 §16.1"),
    row(0x802A, "ICE-CONTROLLING", Format::LongWord, M, "The sender is the controlling agent; the number decides a role conflict.", "RFC 8445 §16.1"),
    row(0x802B, "RESPONSE-ORIGIN", Format::Address, M, "The address that the answer was sent from, in NAT tests.", "RFC 5780 §7.3"),
    row(0x802C, "OTHER-ADDRESS", Format::Address, M, "The server's other address and port, for NAT tests.", "RFC 5780 §7.4"),
    row(0x802D, "ECN-CHECK", Format::EcnCheck, M, "Tests whether ECN marks survive the path.", "RFC 6679 §7.2.2"),
    row(0x802E, "THIRD-PARTY-AUTHORIZATION", Format::ThirdParty, M, "The server takes OAuth tokens; its name for the authorisation server. MOBILITY-TICKET in the mobility draft.", "RFC 7635 §6.1"),
    row(0x802F, "ORIGIN", Format::Text, D, "The web origin that the client's page came from.", "expired draft, coturn"),
    row(0x8030, "MOBILITY-TICKET", ANY, M, "Lets an allocation follow a client to a new address; empty in the request for one.", "RFC 8016"),
    row(0x8032, "MS-ALTERNATE-HOST-NAME", Format::Text, MS, "Name of the alternate server.", "MS-TURN"),
    row(0x8036, "", ANY, MS, "Skype and Teams, undocumented.", "seen in traffic"),
    row(0x8037, "MS-APP-ID", ANY, MS, "Which application asks.", "MS-TURN"),
    row(0x8039, "MS-SECURE-TAG", ANY, MS, "Undocumented.", "MS-TURN"),
    row(0x8041, "PD", ANY, P, "Path discovery experiment.", "NATTools"),
    row(0x8050, "MS-SEQUENCE-NUMBER", Format::Sequence, MS, "Connection id and running number of authenticated requests.", "MS-TURN"),
    row(0x8054, "CANDIDATE-IDENTIFIER", Format::PaddedText, MS, "Foundation of the candidate that the check is for.", "MS-ICE2"),
    row(0x8055, "MS-SERVICE-QUALITY", Format::ServiceQuality, MS, "Kind of media and delivery wanted.", "MS-TURN"),
    row(0x8056, "BANDWIDTH-ADMISSION-CONTROL-MESSAGE", Format::Admission, MS, "Check, commit or update of a bandwidth reservation.", "MS-TURNBWM"),
    row(0x8057, "BANDWIDTH-RESERVATION-IDENTIFIER", exactly(16), MS, "Which reservation is meant.", "MS-TURNBWM"),
    row(0x8058, "BANDWIDTH-RESERVATION-AMOUNT", Format::Reservation, MS, "Rates to reserve each way.", "MS-TURNBWM"),
    row(0x8059, "REMOTE-SITE-ADDRESS", Format::Xor, MS, "Address that tells the remote site.", "MS-TURNBWM"),
    row(0x805A, "REMOTE-RELAY-SITE-ADDRESS", Format::Xor, MS, "Address that tells the site of the remote relay.", "MS-TURNBWM"),
    row(0x805B, "LOCAL-SITE-ADDRESS", Format::Xor, MS, "Address that tells the local site.", "MS-TURNBWM"),
    row(0x805C, "LOCAL-RELAY-SITE-ADDRESS", Format::Xor, MS, "Address that tells the site of the local relay.", "MS-TURNBWM"),
    row(0x805D, "REMOTE-SITE-ADDRESS-RESPONSE", Format::Site, MS, "Rates that the remote site allows.", "MS-TURNBWM"),
    row(0x805E, "REMOTE-RELAY-SITE-ADDRESS-RESPONSE", Format::RelaySite, MS, "Rates that the site of the remote relay allows.", "MS-TURNBWM"),
    row(0x805F, "LOCAL-SITE-ADDRESS-RESPONSE", Format::Site, MS, "Rates that the local site allows.", "MS-TURNBWM"),
    row(0x8060, "LOCAL-RELAY-SITE-ADDRESS-RESPONSE", Format::RelaySite, MS, "Rates that the site of the local relay allows.", "MS-TURNBWM"),
    row(0x8061, "SIP-DIALOG-IDENTIFIER", ANY, MS, "Ties a reservation to a SIP dialog.", "MS-TURNBWM"),
    row(0x8062, "SIP-CALL-IDENTIFIER", ANY, MS, "Ties a reservation to a call.", "MS-TURNBWM"),
    row(0x8068, "LOCATION-PROFILE", Format::Location, MS, "Where sender and peer stand: Internet, intranet, federation.", "MS-TURNBWM"),
    row(0x8070, "IMPLEMENTATION-VERSION", Format::ImplementationVersion, MS, "Which message formats an MS-ICE2 agent uses.", "MS-ICE2"),
    row(0x8072, "TRANSACTION-TRANSMIT-COUNTER", Format::Counter, D, "TRANSACTION-TRANSMIT-COUNTER by the number of its draft.", "NATTools"),
    row(0x8090, "MS-ALTERNATE-MAPPED-ADDRESS", Format::Address, MS, "A second address that the request may have come from.", "MS-TURN"),
    row(0x8095, "MS-MULTIPLEXED-TURN-SESSION-ID", Format::LongWord, MS, "Session that the 0xFF10 framing names.", "MS-TURN"),
    row(0xC000, "CISCO-STUN-FLOWDATA", ANY, P, "Cisco MediaNet flow metadata, undocumented.", "IANA"),
    row(0xC001, "ENF-FLOW-DESCRIPTION", Format::FlowDescription, P, "Explicit network feedback; in ICE checks NOMINATION of the renomination draft; CONNECTION-REQUEST-BINDING of TR-111.", "IANA, drafts"),
    row(0xC002, "ENF-NETWORK-STATUS", Format::NetworkStatus, P, "Explicit network feedback; empty, BINDING-CHANGE of TR-111.", "IANA, drafts"),
    row(0xC003, "CISCO-WEBEX-FLOW-INFO", ANY, P, "Webex flow information, undocumented.", "IANA"),
    row(0xC056, "CITRIX-TRANSACTION-ID", ANY, P, "Citrix, undocumented.", "IANA"),
    row(0xC057, "GOOG-NETWORK-INFO", Format::NetworkInfo, G, "Which of its networks the sender uses, and what it costs: 0 least, 10 Wi-Fi, 900 cellular, 999 most.", "libwebrtc"),
    row(0xC058, "GOOG-LAST-ICE-CHECK-RECEIVED", Format::Transaction, G, "Transaction id of the last check that arrived: an answer by the way.", "libwebrtc"),
    row(0xC059, "GOOG-MISC-INFO", Format::MiscInfo, G, "What the sender can do; the first word is its version of GOOG-PING.", "libwebrtc"),
    row(0xC05A, "GOOG-OBSOLETE-1", ANY, G, "No longer used.", "libwebrtc"),
    row(0xC05B, "GOOG-CONNECTION-ID", Format::NumberOrBytes, G, "Declared, never used.", "libwebrtc"),
    row(0xC05C, "GOOG-DELTA", ANY, G, "Declared, never used.", "libwebrtc"),
    row(0xC05D, "GOOG-DELTA-ACK", Format::LongWordOrBytes, G, "Declared, never used.", "libwebrtc"),
    row(0xC05E, "GOOG-DELTA-SYNC-REQ", ANY, G, "Declared, never used.", "libwebrtc"),
    row(0xC060, "GOOG-MESSAGE-INTEGRITY-32", exactly(4), G, "The first four bytes of HMAC-SHA1, on GOOG-PING.", "libwebrtc"),
    row(0xC070, "META-DTLS-IN-STUN", ANY, G, "A DTLS datagram that rides in an ICE check, to save a round trip.", "IANA, libwebrtc"),
    row(0xC071, "META-DTLS-IN-STUN-ACKNOWLEDGEMENT", Format::Checksums, G, "CRC-32 of the DTLS datagrams that arrived that way.", "IANA, libwebrtc"),
    row(0xFF00, "RETRANSMIT-COUNT", Format::Number, G, "How many checks the sender still has out.", "libwebrtc"),
    row(0xFF03, "", ANY, G, "Google calls, undocumented.", "seen in traffic"),
    row(0xFF04, "GOOG-MULTI-MAPPING", ANY, G, "Google TURN, undocumented.", "Wireshark"),
    row(0xFF05, "GOOG-LOGGING-ID", Format::Text, G, "Ties a Google TURN session to its log.", "Wireshark"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_row_is_found() {
        assert!(ATTRIBUTES.is_sorted_by_key(|row| row.code));
        for row in ATTRIBUTES {
            assert_eq!(attribute(row.code).map(|found| found.code), Some(row.code));
        }
        assert!(attribute(AttributeCode(0x002b)).is_none());
    }
}
