//! Values as JSON: a string, a number, `true`, or an object.

use super::{
    AddressError, Hex, PasswordAlgorithm, Text, Value, password_algorithms, unknown_attributes, words16, words32,
};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// An object with these entries, in their order.
macro_rules! object {
    ($serializer:expr, $(($key:literal, $value:expr)),+ $(,)?) => {{
        let mut map = $serializer.serialize_map(None)?;
        $(map.serialize_entry($key, &$value)?;)+
        map.end()
    }};
}

/// A list, made as it is written.
struct List<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// A number as `0x…` with so many digits: what is no quantity must not be rounded by readers of JSON.
struct Word<const DIGITS: usize>(u64);

impl<const DIGITS: usize> Serialize for Word<DIGITS> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("0x{:0width$x}", self.0, width = DIGITS))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Text<'_> {
    /// A string, or `{"hex":"…"}` where it is not UTF-8, so that no byte is lost.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => object!(serializer, ("hex", Hex(self.0))),
        }
    }
}

impl Serialize for PasswordAlgorithm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.name(), self.parameters) {
            (Some(name), []) => object!(serializer, ("algorithm", self.number), ("name", name)),
            (Some(name), parameters) => {
                object!(serializer, ("algorithm", self.number), ("name", name), ("parameters", Hex(parameters)))
            }
            (None, parameters) => object!(serializer, ("algorithm", self.number), ("parameters", Hex(parameters))),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let s = serializer;
        match *self {
            Value::Flag => s.serialize_bool(true),
            Value::Address(address) => s.collect_str(&address),
            Value::Text(text) => Text(text).serialize(s),
            Value::Bytes(bytes) | Value::Opaque(bytes) => Hex(bytes).serialize(s),
            Value::Hidden(length) => {
                object!(s, ("hidden", true), ("length", u32::try_from(length).unwrap_or(u32::MAX)))
            }
            Value::Number(number)
            | Value::Seconds(number)
            | Value::Bandwidth(number)
            | Value::Priority(number)
            | Value::MsVersion(number)
            | Value::ImplementationVersion(number)
            | Value::Nomination(number) => s.serialize_u32(number),
            Value::Word(word) => Word::<8>(word.into()).serialize(s),
            Value::LongWord(word) => Word::<16>(word).serialize(s),
            Value::Transaction(id) => s.collect_str(&id),
            Value::Channel(number) | Value::Port(number) | Value::Admission(number) => s.serialize_u16(number),
            Value::Family(number) | Value::Protocol(number) => s.serialize_u8(number),
            Value::EvenPort { even, reserve_next, preserve } => {
                object!(s, ("even", even), ("reserve_next", reserve_next), ("preserve", preserve))
            }
            Value::ChangeRequest { ip, port } => object!(s, ("change_ip", ip), ("change_port", port)),
            Value::Error(error) => object!(s, ("code", error.code), ("reason", Text(error.reason))),
            Value::AddressError(AddressError { family, error }) => {
                object!(s, ("family", family), ("code", error.code), ("reason", Text(error.reason)))
            }
            Value::Types(list) => {
                let types = unknown_attributes(list).map(|code| Word::<4>(code.0.into()));
                object!(s, ("types", List(types)))
            }
            Value::Algorithm(algorithm) => algorithm.serialize(s),
            Value::Algorithms(list) => object!(s, ("algorithms", List(password_algorithms(list)))),
            Value::AccessToken { nonce, ciphertext, tag } => {
                object!(s, ("nonce", Hex(nonce)), ("ciphertext", Hex(ciphertext)), ("tag", Hex(tag)))
            }
            Value::Icmp { kind, code, data } => object!(s, ("type", kind), ("code", code), ("data", data)),
            Value::EcnCheck { ecf, valid } => object!(s, ("ecf", ecf), ("valid", valid)),
            Value::Counter { requests, responses } => object!(s, ("requests", requests), ("responses", responses)),
            Value::Sequence { connection_id, sequence } => {
                object!(s, ("connection_id", Hex(connection_id)), ("sequence", sequence))
            }
            Value::ServiceQuality { stream, reliable } => object!(s, ("stream", stream), ("reliable", reliable)),
            Value::Reservation([max_send, min_send, max_receive, min_receive]) => object!(
                s,
                ("max_send", max_send),
                ("min_send", min_send),
                ("max_receive", max_receive),
                ("min_receive", min_receive)
            ),
            Value::Site { valid, pstn, max_send, max_receive } => {
                object!(s, ("valid", valid), ("pstn", pstn), ("max_send", max_send), ("max_receive", max_receive))
            }
            Value::Location { peer, own, federation } => {
                object!(s, ("peer", peer), ("self", own), ("federation", federation))
            }
            Value::Flow { kind, bandwidth } => object!(s, ("type", kind), ("max_bandwidth", bandwidth)),
            Value::Network { flags, nodes, up, down } => {
                object!(s, ("flags", flags), ("nodes", nodes), ("up_max", up), ("down_max", down))
            }
            Value::NetworkInfo { id, cost } => object!(s, ("network_id", id), ("cost", cost)),
            Value::MiscInfo(words) => match words16(words).next() {
                Some(version) => {
                    object!(s, ("goog_ping_version", version), ("values", List(words16(words))))
                }
                None => object!(s, ("values", List(words16(words)))),
            },
            Value::Checksums(list) => {
                object!(s, ("crc32", List(words32(list).map(|word| Word::<8>(word.into())))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: Value<'_>) -> String {
        serde_json::to_string(&value).unwrap()
    }

    #[test]
    fn text_that_is_not_utf8_keeps_its_bytes() {
        assert_eq!(json(Value::Text("Łódź\u{7}".as_bytes())), "\"Łódź\\u0007\"");
        assert_eq!(json(Value::Text(&[0x61, 0xff])), r#"{"hex":"61ff"}"#);
    }

    #[test]
    fn numbers_too_long_for_json_readers_are_strings() {
        assert_eq!(json(Value::LongWord(0x932f_f9b1_5126_3b36)), r#""0x932ff9b151263b36""#);
        assert_eq!(json(Value::Word(1)), r#""0x00000001""#);
        assert_eq!(json(Value::Priority(1_845_494_271)), "1845494271");
    }

    #[test]
    fn lists_stand_in_objects() {
        assert_eq!(json(Value::Types(&[0, 0x1a, 0, 0x18])), r#"{"types":["0x001a","0x0018"]}"#);
        assert_eq!(
            json(Value::Algorithms(&[0, 2, 0, 0, 0, 9, 0, 1, 7, 0, 0, 0])),
            r#"{"algorithms":[{"algorithm":2,"name":"SHA-256"},{"algorithm":9,"parameters":"07"}]}"#
        );
        assert_eq!(json(Value::MiscInfo(&[0, 1, 0, 5])), r#"{"goog_ping_version":1,"values":[1,5]}"#);
        assert_eq!(json(Value::Checksums(&[0, 0, 0, 1])), r#"{"crc32":["0x00000001"]}"#);
    }
}
