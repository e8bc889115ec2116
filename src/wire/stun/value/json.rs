//! Values as JSON: a string, a number, `true`, or an object.

use super::{Hex, PasswordAlgorithm, Text, Value, password_algorithms, unknown_attributes, words16, words32};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What an entry of an object holds.
enum Field<'a> {
    Bool(bool),
    Number(u32),
    Name(&'a str),
    Hex(&'a [u8]),
    Text(&'a [u8]),
    /// Attribute types, as `0x…` strings.
    Types(&'a [u8]),
    Words16(&'a [u8]),
    /// Checksums, as `0x…` strings.
    Words32(&'a [u8]),
    Algorithms(&'a [u8]),
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Field::Bool(value) => serializer.serialize_bool(value),
            Field::Number(value) => serializer.serialize_u32(value),
            Field::Name(value) => serializer.serialize_str(value),
            Field::Hex(value) => Hex(value).serialize(serializer),
            Field::Text(value) => Text(value).serialize(serializer),
            Field::Types(value) => {
                serializer.collect_seq(unknown_attributes(value).map(|code| Word::<4>(code.0.into())))
            }
            Field::Words16(value) => serializer.collect_seq(words16(value)),
            Field::Words32(value) => serializer.collect_seq(words32(value).map(|word| Word::<8>(word.into()))),
            Field::Algorithms(value) => serializer.collect_seq(password_algorithms(value)),
        }
    }
}

fn object<S: Serializer>(serializer: S, entries: &[(&'static str, Field<'_>)]) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for (key, value) in entries {
        map.serialize_entry(key, value)?;
    }
    map.end()
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
            Err(_) => object(serializer, &[("hex", Field::Hex(self.0))]),
        }
    }
}

impl Serialize for PasswordAlgorithm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = ("algorithm", Field::Number(self.number.into()));
        match (self.name(), self.parameters) {
            (Some(name), []) => object(serializer, &[number, ("name", Field::Name(name))]),
            (Some(name), parameters) => {
                object(serializer, &[number, ("name", Field::Name(name)), ("parameters", Field::Hex(parameters))])
            }
            (None, parameters) => object(serializer, &[number, ("parameters", Field::Hex(parameters))]),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use Field::{Algorithms, Bool, Number, Types, Words16, Words32};
        let s = serializer;
        match *self {
            Value::Flag => s.serialize_bool(true),
            Value::Address(address) => s.collect_str(&address),
            Value::Text(text) => Text(text).serialize(s),
            Value::Bytes(bytes) | Value::Opaque(bytes) => Hex(bytes).serialize(s),
            Value::Hidden(length) => {
                object(s, &[("hidden", Bool(true)), ("length", Number(u32::try_from(length).unwrap_or(u32::MAX)))])
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
                object(s, &[("even", Bool(even)), ("reserve_next", Bool(reserve_next)), ("preserve", Bool(preserve))])
            }
            Value::ChangeRequest { ip, port } => object(s, &[("change_ip", Bool(ip)), ("change_port", Bool(port))]),
            Value::Error(error) => {
                object(s, &[("code", Number(error.code.into())), ("reason", Field::Text(error.reason))])
            }
            Value::AddressError(error) => object(
                s,
                &[
                    ("family", Number(error.family.into())),
                    ("code", Number(error.error.code.into())),
                    ("reason", Field::Text(error.error.reason)),
                ],
            ),
            Value::Types(list) => object(s, &[("types", Types(list))]),
            Value::Algorithm(algorithm) => algorithm.serialize(s),
            Value::Algorithms(list) => object(s, &[("algorithms", Algorithms(list))]),
            Value::AccessToken { nonce, ciphertext, tag } => object(
                s,
                &[("nonce", Field::Hex(nonce)), ("ciphertext", Field::Hex(ciphertext)), ("tag", Field::Hex(tag))],
            ),
            Value::Icmp { kind, code, data } => {
                object(s, &[("type", Number(kind.into())), ("code", Number(code.into())), ("data", Number(data))])
            }
            Value::EcnCheck { ecf, valid } => object(s, &[("ecf", Number(ecf.into())), ("valid", Bool(valid))]),
            Value::Counter { requests, responses } => {
                object(s, &[("requests", Number(requests.into())), ("responses", Number(responses.into()))])
            }
            Value::Sequence { connection_id, sequence } => {
                object(s, &[("connection_id", Field::Hex(connection_id)), ("sequence", Number(sequence))])
            }
            Value::ServiceQuality { stream, reliable } => {
                object(s, &[("stream", Number(stream.into())), ("reliable", Number(reliable.into()))])
            }
            Value::Reservation([max_send, min_send, max_receive, min_receive]) => object(
                s,
                &[
                    ("max_send", Number(max_send)),
                    ("min_send", Number(min_send)),
                    ("max_receive", Number(max_receive)),
                    ("min_receive", Number(min_receive)),
                ],
            ),
            Value::Site { valid, pstn, max_send, max_receive } => object(
                s,
                &[
                    ("valid", Bool(valid)),
                    ("pstn", Bool(pstn)),
                    ("max_send", Number(max_send)),
                    ("max_receive", Number(max_receive)),
                ],
            ),
            Value::Location { peer, own, federation } => object(
                s,
                &[
                    ("peer", Number(peer.into())),
                    ("self", Number(own.into())),
                    ("federation", Number(federation.into())),
                ],
            ),
            Value::Flow { kind, bandwidth } => {
                object(s, &[("type", Number(kind.into())), ("max_bandwidth", Number(bandwidth.into()))])
            }
            Value::Network { flags, nodes, up, down } => object(
                s,
                &[
                    ("flags", Number(flags.into())),
                    ("nodes", Number(nodes.into())),
                    ("up_max", Number(up.into())),
                    ("down_max", Number(down.into())),
                ],
            ),
            Value::NetworkInfo { id, cost } => {
                object(s, &[("network_id", Number(id.into())), ("cost", Number(cost.into()))])
            }
            Value::MiscInfo(words) => match words16(words).next() {
                Some(version) => {
                    object(s, &[("goog_ping_version", Number(version.into())), ("values", Words16(words))])
                }
                None => object(s, &[("values", Words16(words))]),
            },
            Value::Checksums(list) => object(s, &[("crc32", Words32(list))]),
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
