//! What a session needs of a message, gathered in one pass.

use super::attribute::AttributeCode as Code;
use super::header::{Class, Dialect, Method};
use super::{Message, address};
use crate::net::Endpoint;

/// The content of ERROR-CODE (RFC 8489 §14.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode<'a> {
    /// Class times 100 plus number. The wire has room for 0 to 955; only 300 to 699 are in use.
    pub code: u16,
    /// The reason phrase as on the wire, trailing NULs and spaces included; meant to be UTF-8. A capture may have cut it short.
    pub reason: &'a [u8],
}

impl<'a> ErrorCode<'a> {
    /// Reads a value: 21 zero bits, class, number, phrase.
    #[inline]
    pub(super) fn read(value: &'a [u8]) -> Option<Self> {
        let (&[_, _, class, number], reason) = value.split_first_chunk::<4>()?;
        Some(ErrorCode { code: u16::from(class & 0x07) * 100 + u16::from(number), reason })
    }
}

/// The content of ADDRESS-ERROR-CODE: why one family of a dual allocation was not served (RFC 8656 §18.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError<'a> {
    /// 1 for IPv4, 2 for IPv6.
    pub family: u8,
    /// The error of that family.
    pub error: ErrorCode<'a>,
}

impl<'a> AddressError<'a> {
    pub(super) fn read(value: &'a [u8]) -> Option<Self> {
        let &[family, ..] = value else { return None };
        Some(AddressError { family, error: ErrorCode::read(value)? })
    }
}

/// The attributes that sessions and rules ask for. The first of a kind wins, and what follows an integrity attribute is left out, as a receiver has
/// to (RFC 8489 §14, §14.5). A value whose length does not fit its type is left out too; [`Message::problems`] tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // each is the attribute of its name; what differs is said
pub struct Fields<'a> {
    pub username: Option<&'a [u8]>,
    pub userhash: Option<&'a [u8]>,
    /// By its meaning: in messages without the cookie, REALM and NONCE have each other's number.
    pub realm: Option<&'a [u8]>,
    pub nonce: Option<&'a [u8]>,
    pub software: Option<&'a [u8]>,
    /// What there is of it: a capture may have cut it short.
    pub data: Option<&'a [u8]>,
    /// Whether `data` is shorter than its attribute says.
    pub data_truncated: bool,
    pub mobility_ticket: Option<&'a [u8]>,
    pub reservation_token: Option<&'a [u8]>,
    /// The value as on the wire: a list of 16-bit types.
    pub unknown_attributes: Option<&'a [u8]>,
    /// The value as on the wire.
    pub password_algorithms: Option<&'a [u8]>,
    pub access_token: Option<&'a [u8]>,
    pub third_party_authorization: Option<&'a [u8]>,
    pub origin: Option<&'a [u8]>,
    pub error: Option<ErrorCode<'a>>,
    /// Whether the phrase of `error` is shorter than its attribute says.
    pub reason_truncated: bool,
    /// XOR-MAPPED-ADDRESS, else the one with the number of the drafts.
    pub xor_mapped: Option<Endpoint>,
    pub mapped: Option<Endpoint>,
    /// The first peer; [`Message::peers`] has all.
    pub peer: Option<Endpoint>,
    /// How many peers it names.
    pub peers: u16,
    pub alternate_server: Option<Endpoint>,
    /// OTHER-ADDRESS, or CHANGED-ADDRESS of RFC 3489.
    pub other_address: Option<Endpoint>,
    /// DESTINATION-ADDRESS of MS-TURN.
    pub destination: Option<Endpoint>,
    /// One, or two of a dual allocation.
    pub relayed: [Option<Endpoint>; 2],
    /// Seconds.
    pub lifetime: Option<u32>,
    pub channel: Option<u16>,
    /// IP protocol number: 17 UDP, 6 TCP.
    pub requested_transport: Option<u8>,
    /// 1 for IPv4, 2 for IPv6.
    pub requested_family: Option<u8>,
    pub additional_family: Option<u8>,
    /// The byte as on the wire; the top bit asks to reserve the next port.
    pub even_port: Option<u8>,
    /// 4: change IP, 2: change port.
    pub change_request: Option<u32>,
    /// Where the answer shall go instead, of RESPONSE-PORT or the RESPONSE-ADDRESS of RFC 3489 §11.2.2.
    pub response_port: Option<u16>,
    /// Whether there is PADDING (RFC 5780 §7.6).
    pub padding: bool,
    pub priority: Option<u32>,
    pub use_candidate: bool,
    /// NOMINATION of ICE renomination, where ICE attributes stand beside it.
    pub nomination: Option<u32>,
    /// Tie-breakers.
    pub controlling: Option<u64>,
    pub controlled: Option<u64>,
    /// 1 MD5, 2 SHA-256.
    pub password_algorithm: Option<u16>,
    pub connection_id: Option<u32>,
    /// Offset of MESSAGE-INTEGRITY and of MESSAGE-INTEGRITY-SHA256.
    pub integrity: [Option<usize>; 2],
    pub fingerprint: bool,
    /// Type, code and data of an ICMP error.
    pub icmp: Option<(u8, u8, u32)>,
    /// GOOG-NETWORK-INFO: network id and cost.
    pub network_info: Option<(u16, u16)>,
    /// Whether [`Message::problems`] is worth asking: false only where it would find nothing, so that ordinary messages are walked once.
    pub suspect: bool,
    /// META-DTLS-IN-STUN: a DTLS datagram that rides in a check.
    pub dtls: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// Gathers the fields in one pass, without allocation.
    #[must_use]
    #[inline]
    pub fn fields(&self) -> Fields<'a> {
        let mut fields = Fields::default();
        self.gather(&mut fields);
        fields
    }

    /// Fills the fields in place: returned by value from here, they would be copied once more.
    #[inline(never)]
    fn gather(&self, fields: &mut Fields<'a>) {
        let mut icmp = None;
        let mut nomination = None;
        let mut signed = false;
        let declared = usize::from(self.declared_length());
        let mut suspect = self.dialect() != Dialect::Modern
            || declared % 4 != 0
            || self.bytes().len() != declared + 20
            || self.trailing() > 0
            || self.method() == Method::GOOG_PING;
        let mut walk = self.attributes();
        for attribute in walk.by_ref() {
            let value = attribute.value;
            if !attribute.is_whole() {
                if attribute.code == Code::DATA && fields.data.is_none() {
                    fields.data = Some(value);
                    fields.data_truncated = true;
                }
                // the code stands before the phrase
                if attribute.code == Code::ERROR_CODE && self.truncated() && !signed {
                    fields.reason_truncated = fields.error.is_none();
                    first(&mut fields.error, ErrorCode::read(value));
                }
                suspect = true;
                break;
            }
            suspect |= fields.fingerprint;
            if signed && !matches!(attribute.code, Code::MESSAGE_INTEGRITY_SHA256 | Code::FINGERPRINT) {
                suspect = true;
                continue;
            }
            suspect |= match attribute.code {
                Code::USERNAME => text(&mut fields.username, value),
                Code::REALM => text(&mut fields.realm, value),
                Code::NONCE => text(&mut fields.nonce, value),
                Code::SOFTWARE => text(&mut fields.software, value),
                Code::MESSAGE_INTEGRITY => {
                    let [sha1, _] = &mut fields.integrity;
                    signed = true;
                    first(sha1, Some(attribute.offset)) || value.len() != 20
                }
                Code::MESSAGE_INTEGRITY_SHA256 => {
                    let [_, sha256] = &mut fields.integrity;
                    let again = sha256.is_some();
                    signed = true;
                    first(sha256, Some(attribute.offset)) || again || value.len() != 32
                }
                Code::FINGERPRINT => {
                    fields.fingerprint = true;
                    value.len() != 4
                }
                Code::XOR_MAPPED_ADDRESS => address_of(&mut fields.xor_mapped, self.xor_address(value), value),
                Code::XOR_PEER_ADDRESS => {
                    fields.peers = fields.peers.saturating_add(1);
                    address_of(&mut fields.peer, self.relay_address(value), value)
                }
                Code::DATA => first(&mut fields.data, Some(value)),
                Code::XOR_RELAYED_ADDRESS => {
                    let address = self.relay_address(value);
                    relayed(&mut fields.relayed, address);
                    address.is_none() || value.first() != Some(&0)
                }
                Code::LIFETIME => first(&mut fields.lifetime, u32_of(value)),
                Code::ERROR_CODE => {
                    let error = ErrorCode::read(value);
                    first(&mut fields.error, error);
                    !error.is_some_and(|error| is_ordinary(value, error))
                }
                Code::PRIORITY => first(&mut fields.priority, u32_of(value)),
                Code::USE_CANDIDATE => {
                    fields.use_candidate = true;
                    !value.is_empty()
                }
                Code::ICE_CONTROLLING => first(&mut fields.controlling, u64_of(value)),
                Code::ICE_CONTROLLED => first(&mut fields.controlled, u64_of(value)),
                Code::CHANNEL_NUMBER => first(&mut fields.channel, u16_of(value)) || !matches!(value, [_, _, 0, 0]),
                Code::REQUESTED_TRANSPORT => {
                    first(&mut fields.requested_transport, u8_of(value)) || !matches!(value, [_, 0, 0, 0])
                }
                Code::GOOG_NETWORK_INFO => {
                    first(&mut fields.network_info, u32_of(value).map(|word| ((word >> 16) as u16, word as u16)))
                }
                code => {
                    self.rarer(code, value, fields, &mut icmp, &mut nomination);
                    true
                }
            };
        }
        suspect |= walk.offset() != self.bytes().len();
        suspect |= self.class() == Class::Error && fields.error.is_none();
        fields.suspect = suspect;
        if self.dialect() != Dialect::Modern {
            std::mem::swap(&mut fields.realm, &mut fields.nonce);
        }
        if let Some(value) = icmp {
            fields.icmp = self::icmp(value, fields.peer.map(|peer| peer.is_v6()));
        }
        if fields.priority.is_some() || fields.controlling.is_some() || fields.controlled.is_some() {
            fields.nomination = nomination;
        }
    }

    /// Whether MAPPED-ADDRESS holds the relayed address: in Allocate answers of MS-TURN and its relatives.
    pub(super) fn maps_relay(&self) -> bool {
        matches!(self.dialect(), Dialect::Microsoft | Dialect::Draft)
            && self.method() == Method::ALLOCATE
            && self.class() == Class::Success
    }

    #[inline(never)]
    fn rarer(
        &self,
        code: Code,
        value: &'a [u8],
        fields: &mut Fields<'a>,
        icmp: &mut Option<&'a [u8]>,
        nomination: &mut Option<u32>,
    ) {
        match code {
            Code::MAPPED_ADDRESS if self.maps_relay() => relayed(&mut fields.relayed, address::plain(value)),
            Code::MAPPED_ADDRESS => _ = first(&mut fields.mapped, address::plain(value)),
            Code::XOR_MAPPED_ADDRESS_OLD => _ = first(&mut fields.xor_mapped, self.xor_address(value)),
            Code::USERHASH => _ = first(&mut fields.userhash, Some(value)),
            Code::MOBILITY_TICKET => _ = first(&mut fields.mobility_ticket, Some(value)),
            Code::THIRD_PARTY_AUTHORIZATION => _ = first(&mut fields.third_party_authorization, Some(value)),
            Code::RESERVATION_TOKEN => _ = first(&mut fields.reservation_token, Some(value)),
            Code::UNKNOWN_ATTRIBUTES => _ = first(&mut fields.unknown_attributes, Some(value)),
            Code::PASSWORD_ALGORITHMS => _ = first(&mut fields.password_algorithms, Some(value)),
            Code::PASSWORD_ALGORITHM => _ = first(&mut fields.password_algorithm, u16_of(value)),
            Code::ACCESS_TOKEN => _ = first(&mut fields.access_token, Some(value)),
            Code::ORIGIN => _ = first(&mut fields.origin, Some(value)),
            Code::ALTERNATE_SERVER => _ = first(&mut fields.alternate_server, address::plain(value)),
            Code::MS_ALTERNATE_SERVER if self.dialect() != Dialect::Modern => {
                _ = first(&mut fields.alternate_server, address::plain(value));
            }
            Code::OTHER_ADDRESS | Code::CHANGED_ADDRESS => _ = first(&mut fields.other_address, address::plain(value)),
            Code::DESTINATION_ADDRESS => _ = first(&mut fields.destination, address::plain(value)),
            Code::REQUESTED_ADDRESS_FAMILY => _ = first(&mut fields.requested_family, u8_of(value)),
            // Eight bytes are the mapped address of an MSN relay.
            Code::ADDITIONAL_ADDRESS_FAMILY if value.len() == 4 => {
                _ = first(&mut fields.additional_family, u8_of(value))
            }
            Code::EVEN_PORT => _ = first(&mut fields.even_port, even_port(value)),
            Code::CHANGE_REQUEST => _ = first(&mut fields.change_request, u32_of(value)),
            Code::RESPONSE_ADDRESS => _ = first(&mut fields.response_port, address::plain(value).map(|to| to.port())),
            Code::RESPONSE_PORT if value.len() == 4 => _ = first(&mut fields.response_port, u16_of(value)),
            Code::PADDING => fields.padding = true,
            Code::CONNECTION_ID => _ = first(&mut fields.connection_id, u32_of(value)),
            Code::ICMP => _ = first(icmp, Some(value)),
            Code::LEGACY_ICMP => {
                if let [kind, code, _, _] = *value {
                    _ = first(&mut fields.icmp, Some((kind, code, 0)));
                }
            }
            Code::ENF_FLOW_DESCRIPTION => _ = first(nomination, u32_of(value)),
            Code::META_DTLS_IN_STUN => _ = first(&mut fields.dtls, Some(value)),
            _ => {}
        }
    }
}

/// Reads a value of ICMP (RFC 8656 §18.13) in whichever of its layouts gives an error that servers relay: codecs disagree whether type and
/// code have 8 and 8 bits or 7 and 9. `v6` is the family of the peer, where known.
pub(super) fn icmp(value: &[u8], v6: Option<bool>) -> Option<(u8, u8, u32)> {
    let [_, _, b2, b3, d0, d1, d2, d3] = *value else { return None };
    let data = u32::from_be_bytes([d0, d1, d2, d3]);
    let wide = match (v6, b2) {
        (Some(true), 1 | 3) | (Some(false) | None, 3 | 11) => false,
        (Some(true), 4 | 6) | (Some(false) | None, 6 | 22) => true,
        // Too big in one layout, unreachable in the other: only the former has data.
        (Some(true), 2) => data == 0,
        _ => false,
    };
    Some(if wide { (b2 >> 1, b3, data) } else { (b2, b3, data) })
}

/// Keeps the first value; tells whether this one could not be read.
#[inline]
fn first<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let unread = value.is_none();
    if slot.is_none() {
        *slot = value;
    }
    unread
}

/// Keeps the first text; tells whether this one is so long that its characters have to be counted.
#[inline]
fn text<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8]) -> bool {
    first(slot, Some(value)) || value.len() > 127
}

#[inline]
fn address_of(slot: &mut Option<Endpoint>, address: Option<Endpoint>, value: &[u8]) -> bool {
    first(slot, address) || value.first() != Some(&0)
}

fn is_ordinary(value: &[u8], error: ErrorCode<'_>) -> bool {
    let class = value.get(2).copied().unwrap_or_default();
    matches!(value, [0, 0, ..])
        && class & 0xf8 == 0
        && error.code % 100 == u16::from(value.get(3).copied().unwrap_or(255))
        && (300..700).contains(&error.code)
        && error.reason.len() <= 127
}

fn relayed(slots: &mut [Option<Endpoint>; 2], value: Option<Endpoint>) {
    let [one, two] = slots;
    if one.is_none() { *one = value } else { _ = first(two, value) }
}

fn even_port(value: &[u8]) -> Option<u8> {
    match *value {
        [flags] => Some(flags),
        // REQUESTED-PROPS of the drafts: even port in the top bit, then reserve.
        [flags, _, _, _] => Some(if flags & 0x40 != 0 { 0x80 } else { 0 }),
        _ => None,
    }
}

#[inline]
pub(super) fn u8_of(value: &[u8]) -> Option<u8> {
    if let [byte, _, _, _] = *value { Some(byte) } else { None }
}

#[inline]
pub(super) fn u16_of(value: &[u8]) -> Option<u16> {
    if let [a, b, _, _, ..] = *value { Some(u16::from_be_bytes([a, b])) } else { None }
}

#[inline]
pub(super) fn u32_of(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

#[inline]
pub(super) fn u64_of(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}
