//! From bytes to a [`Value`], by the format that the registry gives for the attribute's type.

use super::Value;
use crate::net::Endpoint;
use crate::wire::stun::attribute::{Attribute, AttributeCode};
use crate::wire::stun::fields::{AddressError, ErrorCode, icmp, u8_of, u16_of, u32_of, u64_of};
use crate::wire::stun::header::{Class, Dialect, TransactionId};
use crate::wire::stun::registry::{self, Format};
use crate::wire::stun::value::PasswordAlgorithm;
use crate::wire::stun::{Message, address};
use nom::bytes::complete::take;
use nom::combinator::all_consuming;
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{IResult, Parser};

/// What CONNECTION-REQUEST-BINDING of TR-111 holds.
const TR_111: &[u8] = b"dslforum.org/TR-111";

impl<'a> Attribute<'a> {
    /// Its value by its type, and by the dialect of its message where numbers changed their meaning. A value that is cut short, whose
    /// length does not fit, or whose type is not known is [`Value::Opaque`].
    #[must_use]
    pub fn decode(&self, message: &Message<'a>) -> Value<'a> {
        if !self.is_whole() {
            // What is there of a text, of data or of a reason phrase is still worth reading; half a password is still one.
            return match registry::attribute(self.code).map(|row| row.format) {
                Some(Format::Text) => Value::Text(self.value),
                Some(Format::Bytes { .. }) => Value::Bytes(self.value),
                Some(Format::Hidden) => Value::Hidden(self.value.len()),
                Some(Format::Error) if message.truncated() => {
                    ErrorCode::read(self.value).map_or(Value::Opaque(self.value), Value::Error)
                }
                _ => Value::Opaque(self.value),
            };
        }
        registry::attribute(self.code)
            .and_then(|row| self.typed(row.format, message))
            .unwrap_or(Value::Opaque(self.value))
    }

    /// Its name as its message means it: drafts and dialects gave some numbers another meaning, which the dialect or the length of the value tells.
    #[must_use]
    pub fn name(&self, message: &Message<'_>) -> Option<&'static str> {
        let early = message.dialect() != Dialect::Modern;
        Some(match (self.code, self.declared) {
            (AttributeCode::REALM, _) if early => "NONCE",
            (AttributeCode::NONCE, _) if early => "REALM",
            (AttributeCode::XOR_PEER_ADDRESS, _) if early => "REMOTE-ADDRESS",
            (AttributeCode::XOR_RELAYED_ADDRESS, 4) => "REQUESTED-ADDRESS-TYPE",
            (AttributeCode::EVEN_PORT, 4) => "REQUESTED-PROPS",
            (AttributeCode::TIMER_VAL, 0) => "XOR-ONLY",
            (AttributeCode::RESERVATION_TOKEN, _) if requested_ip(self.value, message).is_some() => "REQUESTED-IP",
            (AttributeCode::RESPONSE_PORT, 8 | 20) => "XOR-RESPONSE-TARGET",
            (AttributeCode::ADDRESS_ERROR_CODE, _) if message.is_classic() => "OPTIONS",
            (AttributeCode::THIRD_PARTY_AUTHORIZATION, _) if !names_a_server(message) => "MOBILITY-TICKET",
            (AttributeCode::ENF_FLOW_DESCRIPTION, _) if self.value.starts_with(TR_111) => "CONNECTION-REQUEST-BINDING",
            (AttributeCode::ENF_FLOW_DESCRIPTION, _) if is_nomination(self.value, message) => "NOMINATION",
            (AttributeCode::ENF_NETWORK_STATUS, 0) => "BINDING-CHANGE",
            (code, _) => return code.name(),
        })
    }

    /// Whether the type is known and the value does not fit it.
    #[inline]
    pub(in crate::wire::stun) fn is_malformed(&self, message: &Message<'a>) -> bool {
        match self.code {
            // The types that nearly every message has, without asking the table.
            AttributeCode::USERNAME
            | AttributeCode::REALM
            | AttributeCode::NONCE
            | AttributeCode::DATA
            | AttributeCode::SOFTWARE => false,
            AttributeCode::XOR_MAPPED_ADDRESS | AttributeCode::XOR_PEER_ADDRESS => address::plain(self.value).is_none(),
            AttributeCode::FINGERPRINT | AttributeCode::PRIORITY | AttributeCode::LIFETIME => self.value.len() != 4,
            AttributeCode::ICE_CONTROLLED | AttributeCode::ICE_CONTROLLING => self.value.len() != 8,
            AttributeCode::USE_CANDIDATE => !self.value.is_empty(),
            _ => registry::attribute(self.code).is_some_and(|row| self.typed(row.format, message).is_none()),
        }
    }

    /// The value of a whole attribute in this format, unless its length or form does not fit.
    fn typed(&self, format: Format, message: &Message<'a>) -> Option<Value<'a>> {
        let value = self.value;
        match format {
            Format::Flag => value.is_empty().then_some(Value::Flag),
            Format::Address => address::plain(value).map(Value::Address),
            Format::Xor => message.xor_address(value).map(Value::Address),
            Format::Relay => message.relay_address(value).map(Value::Address),
            Format::Relayed => match u32_of(value) {
                Some(kind) => Some(Value::Number(kind)), // REQUESTED-ADDRESS-TYPE of rfc3489bis-00
                None => message.relay_address(value).map(Value::Address),
            },
            Format::Text => Some(Value::Text(value)),
            Format::PaddedText => Some(Value::Text(trim_zeros(value))),
            Format::Bytes { least, most, unit } => {
                let fits = value.len() >= usize::from(least)
                    && value.len() <= usize::from(most)
                    && value.len().is_multiple_of(usize::from(unit.max(1)));
                fits.then_some(Value::Bytes(value))
            }
            Format::Integrity => matches!(value.len(), 20 | 32 | 48 | 64).then_some(Value::Bytes(value)),
            Format::Hidden => Some(Value::Hidden(value.len())),
            Format::Number => u32_of(value).map(Value::Number),
            Format::NumberOrBytes => Some(u32_of(value).map_or(Value::Bytes(value), Value::Number)),
            Format::Seconds => u32_of(value).map(Value::Seconds),
            Format::Bandwidth => u32_of(value).map(Value::Bandwidth),
            Format::Word => u32_of(value).map(Value::Word),
            Format::LongWord => u64_of(value).map(Value::LongWord),
            Format::LongWordOrBytes => Some(u64_of(value).map_or(Value::Bytes(value), Value::LongWord)),
            Format::Transaction => Some(transaction(value)),
            Format::Channel => (value.len() == 4).then(|| u16_of(value))?.map(Value::Channel),
            Format::Family => u8_of(value).map(Value::Family),
            Format::AdditionalFamily => match u8_of(value) {
                Some(family) => Some(Value::Family(family)),
                None => address::plain(value).map(Value::Address), // mapped address of an MSN relay
            },
            Format::Protocol => u8_of(value).map(Value::Protocol),
            Format::Priority => u32_of(value).map(Value::Priority),
            Format::EvenPort => even_port(value),
            Format::ChangeRequest => {
                u32_of(value).map(|flags| Value::ChangeRequest { ip: flags & 4 != 0, port: flags & 2 != 0 })
            }
            Format::Error => ErrorCode::read(value).map(Value::Error),
            Format::AddressError if message.is_classic() => u32_of(value).map(Value::Word), // OPTIONS of libjingle's relay
            Format::AddressError => AddressError::read(value).map(Value::AddressError),
            Format::Types => value.len().is_multiple_of(2).then_some(Value::Types(value)),
            Format::Algorithm => whole(algorithm, value).map(Value::Algorithm),
            Format::Algorithms => are_algorithms(value).then_some(Value::Algorithms(value)),
            Format::AccessToken => whole(access_token, value),
            Format::Icmp => {
                let peer = message.peers().next();
                icmp(value, peer.map(|peer| peer.is_v6())).map(|(kind, code, data)| Value::Icmp { kind, code, data })
            }
            Format::LegacyIcmp => match *value {
                [kind, code, _, _] => Some(Value::Icmp { kind, code, data: 0 }),
                _ => None,
            },
            Format::EcnCheck => {
                u32_of(value).map(|word| Value::EcnCheck { ecf: (word >> 1 & 3) as u8, valid: word & 1 != 0 })
            }
            Format::Counter => match *value {
                [_, _, requests, responses] => Some(Value::Counter { requests, responses }),
                _ => None,
            },
            Format::Timer if value.is_empty() => Some(Value::Flag), // XOR-ONLY of rfc3489bis-00
            Format::Timer => u32_of(value).map(Value::Number),
            Format::Token => reservation(value, message),
            Format::ResponsePort => match *value {
                [a, b, _, _] => Some(Value::Port(u16::from_be_bytes([a, b]))),
                _ => message.xor_address(value).map(Value::Address), // XOR-RESPONSE-TARGET of the draft
            },
            Format::ThirdParty if names_a_server(message) => Some(Value::Text(value)),
            Format::ThirdParty => Some(Value::Bytes(value)), // MOBILITY-TICKET of its draft
            Format::MsVersion => u32_of(value).map(Value::MsVersion),
            Format::ImplementationVersion => u32_of(value).map(Value::ImplementationVersion),
            Format::Sequence => whole(sequence, value),
            Format::ServiceQuality => whole(service_quality, value).or(Some(Value::Bytes(value))),
            Format::Admission => match *value {
                [_, _, a, b] => Some(Value::Admission(u16::from_be_bytes([a, b]))),
                _ => None,
            },
            Format::Reservation => whole(reservation_amounts, value),
            Format::Site => whole(|value| site(value, true), value),
            Format::RelaySite => whole(|value| site(value, false), value),
            Format::Location => match *value {
                [peer, own, federation, _] => Some(Value::Location { peer, own, federation }),
                _ => None,
            },
            Format::FlowDescription => Some(flow_description(value, message)),
            Format::NetworkStatus => network_status(value),
            Format::NetworkInfo => whole(network_info, value),
            Format::MiscInfo => value.len().is_multiple_of(2).then_some(Value::MiscInfo(value)),
            Format::Checksums => value.len().is_multiple_of(4).then_some(Value::Checksums(value)),
        }
    }
}

/// Runs a parser that has to use up the value.
fn whole<'a, T>(parser: impl FnMut(&'a [u8]) -> IResult<&'a [u8], T>, value: &'a [u8]) -> Option<T> {
    all_consuming(parser).parse(value).ok().map(|(_, value)| value)
}

fn trim_zeros(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    value.get(..end).unwrap_or(value)
}

fn transaction(value: &[u8]) -> Value<'_> {
    match value.first_chunk::<12>() {
        Some(&id) if value.len() == 12 => {
            let [a, b, c, d, e, f, g, h, i, j, k, l] = id;
            let bytes = [0x21, 0x12, 0xa4, 0x42, a, b, c, d, e, f, g, h, i, j, k, l];
            Value::Transaction(TransactionId::from_header(bytes))
        }
        _ => Value::Bytes(value),
    }
}

/// One byte since TURN-10; before, four with one more flag (REQUESTED-PROPS).
fn even_port<'a>(value: &[u8]) -> Option<Value<'a>> {
    match *value {
        [flags] => Some(Value::EvenPort { even: true, reserve_next: flags & 0x80 != 0, preserve: false }),
        [flags, _, _, _] => Some(Value::EvenPort {
            even: flags & 0x80 != 0,
            reserve_next: flags & 0x40 != 0,
            preserve: flags & 0x20 != 0,
        }),
        _ => None,
    }
}

fn reservation<'a>(value: &'a [u8], message: &Message<'_>) -> Option<Value<'a>> {
    match requested_ip(value, message) {
        Some(address) => Some(Value::Address(address)),
        None => (value.len() == 8).then_some(Value::Bytes(value)),
    }
}

/// REQUESTED-IP of TURN-04 in place of a token: a request of a dialect without the cookie that holds an address.
fn requested_ip(value: &[u8], message: &Message<'_>) -> Option<Endpoint> {
    let early = message.dialect() != Dialect::Modern && message.class() == Class::Request;
    address::plain(value).filter(|_| early)
}

/// THIRD-PARTY-AUTHORIZATION comes with a refusal; MOBILITY-TICKET of the mobility draft, in requests and grants.
fn names_a_server(message: &Message<'_>) -> bool {
    matches!(message.class(), Class::Error | Class::Indication)
}

fn algorithm(value: &[u8]) -> IResult<&[u8], PasswordAlgorithm<'_>> {
    let (rest, number) = be_u16(value)?;
    let (rest, parameters) = length_data(be_u16).parse(rest)?;
    // The padding of the parameters may be left out at the end.
    let (rest, _) = take((parameters.len().next_multiple_of(4) - parameters.len()).min(rest.len()))(rest)?;
    Ok((rest, PasswordAlgorithm { number, parameters }))
}

fn are_algorithms(mut value: &[u8]) -> bool {
    while !value.is_empty() {
        match algorithm(value) {
            Ok((rest, _)) => value = rest,
            Err(_) => return false,
        }
    }
    true
}

/// Nonce length, nonce, ciphertext, tag of 16 bytes.
fn access_token(value: &[u8]) -> IResult<&[u8], Value<'_>> {
    let (rest, nonce) = length_data(be_u16).parse(value)?;
    let (tag, ciphertext) = take(rest.len().saturating_sub(16))(rest)?;
    let (rest, tag) = take(16usize)(tag)?;
    Ok((rest, Value::AccessToken { nonce, ciphertext, tag }))
}

fn sequence(value: &[u8]) -> IResult<&[u8], Value<'_>> {
    let (rest, (connection_id, sequence)) = (take(20usize), be_u32).parse(value)?;
    Ok((rest, Value::Sequence { connection_id, sequence }))
}

/// The number is also the TTL of a traceroute experiment, so the values must make sense.
fn service_quality(value: &[u8]) -> IResult<&[u8], Value<'_>> {
    let sensible = |&(stream, reliable): &(u16, u16)| (1..=4).contains(&stream) && reliable <= 1;
    let (rest, (stream, reliable)) = nom::combinator::verify((be_u16, be_u16), sensible).parse(value)?;
    Ok((rest, Value::ServiceQuality { stream, reliable }))
}

fn reservation_amounts(value: &[u8]) -> IResult<&[u8], Value<'_>> {
    let (rest, (a, b, c, d)) = (be_u32, be_u32, be_u32, be_u32).parse(value)?;
    Ok((rest, Value::Reservation([a, b, c, d])))
}

/// Flags, then two rates. Only the sites themselves, not their relays, have the telephone flag.
fn site(value: &[u8], with_pstn: bool) -> IResult<&[u8], Value<'_>> {
    let (rest, (flags, max_send, max_receive)) = (be_u32, be_u32, be_u32).parse(value)?;
    let pstn = with_pstn && flags & 0x4000_0000 != 0;
    Ok((rest, Value::Site { valid: flags & 0x8000_0000 != 0, pstn, max_send, max_receive }))
}

fn network_info(value: &[u8]) -> IResult<&[u8], Value<'_>> {
    let (rest, (id, cost)) = (be_u16, be_u16).parse(value)?;
    Ok((rest, Value::NetworkInfo { id, cost }))
}

/// 0xC001 has three owners: ICE renomination, TR-111 (CONNECTION-REQUEST-BINDING) and network feedback.
fn flow_description<'a>(value: &'a [u8], message: &Message<'_>) -> Value<'a> {
    if value.starts_with(TR_111) {
        return Value::Text(value);
    }
    if is_nomination(value, message) {
        return u32_of(value).map_or(Value::Bytes(value), Value::Nomination);
    }
    match *value {
        [kind, a, b, _] => Value::Flow { kind: kind >> 4, bandwidth: u16::from_be_bytes([a, b]) },
        _ => Value::Bytes(value),
    }
}

/// A nomination stands beside the attributes of an ICE check.
fn is_nomination(value: &[u8], message: &Message<'_>) -> bool {
    value.len() == 4
        && message.attributes().any(|attribute| {
            matches!(
                attribute.code,
                AttributeCode::PRIORITY | AttributeCode::ICE_CONTROLLING | AttributeCode::ICE_CONTROLLED
            )
        })
}

/// Empty, it is BINDING-CHANGE of TR-111.
fn network_status(value: &[u8]) -> Option<Value<'_>> {
    if value.is_empty() {
        return Some(Value::Flag);
    }
    let status = |value| -> IResult<&[u8], Value<'_>> {
        let (rest, (flags, nodes, _, up, down)) = (be_u8, be_u8, be_u16, be_u16, be_u16).parse(value)?;
        Ok((rest, Value::Network { flags, nodes, up, down }))
    };
    whole(status, value)
}
