//! Small values that appear all over a report: addresses, times, places, verdicts on integrity.

pub use crate::frame::Place;
pub use crate::net::Transport;
pub use crate::session::credentials::Side;

use crate::net::{ClientAddress, Endpoint, MappedAddress, PeerAddress, RelayedAddress, ServerAddress};
use crate::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A transport address, serialised as `192.0.2.1:3478` or `[2001:db8::1]:3478`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub Endpoint);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "IP address and port; IPv6 in brackets" })
    }
}

macro_rules! from_role {
    ($($role:ty),+) => {$(
        impl From<$role> for Address {
            fn from(address: $role) -> Self {
                Address(address.0)
            }
        }
    )+};
}

from_role!(ClientAddress, ServerAddress, MappedAddress, RelayedAddress, PeerAddress);

impl From<Endpoint> for Address {
    fn from(endpoint: Endpoint) -> Self {
        Address(endpoint)
    }
}

/// A point in time with the precision that its capture has, serialised by RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// The time.
    pub at: Timestamp,
    /// Decimal digits of the second: 0 to 9.
    pub digits: u8,
}

impl Time {
    /// A time of a frame, with the digits that the frame has.
    #[must_use]
    pub fn new(at: Timestamp, digits: u8) -> Self {
        Time { at, digits }
    }
}

impl fmt::Display for Time {
    /// `2024-05-01T12:00:00.123456Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(instant) = jiff::Timestamp::from_nanosecond(i128::from(self.at.0)) else {
            return Err(fmt::Error); // no i64 of nanoseconds is out of jiff's range
        };
        let date = instant.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        // a report holds thousands of times: digit by digit this takes a fifth of what a formatter takes
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let mut put = |at: usize, width: usize, mut value: u32| {
            for digit in text.iter_mut().skip(at).take(width).rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, u32::from(date.year().unsigned_abs()));
        put(5, 2, u32::from(date.month().unsigned_abs()));
        put(8, 2, u32::from(date.day().unsigned_abs()));
        put(11, 2, u32::from(date.hour().unsigned_abs()));
        put(14, 2, u32::from(date.minute().unsigned_abs()));
        put(17, 2, u32::from(date.second().unsigned_abs()));
        put(20, 9, date.subsec_nanosecond().unsigned_abs());
        let end = match usize::from(self.digits.min(9)) {
            0 => 19,
            digits => 20 + digits,
        };
        f.write_str(text.get(..end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default())?;
        f.write_str("Z")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339, UTC, with as many digits as the capture has"
        })
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = serializer.serialize_struct("Place", 2)?;
        place.serialize_field("capture", &self.capture)?;
        place.serialize_field("frame", &self.frame)?;
        place.end()
    }
}

impl JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let capture = generator.subschema_for::<u32>();
        let frame = generator.subschema_for::<u64>();
        json_schema!({
            "type": "object",
            "description": "A frame: index of the capture, number of the frame within it as Wireshark counts",
            "properties": { "capture": capture, "frame": frame },
            "required": ["capture", "frame"]
        })
    }
}

impl Serialize for Transport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl JsonSchema for Transport {
    fn schema_name() -> Cow<'static, str> {
        "Transport".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": ["udp", "tcp", "tls", "dtls"] })
    }
}

/// What an error response says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct ProtocolError {
    /// 300 to 699; 100 to 699 in old dialects.
    pub code: u16,
    /// The reason phrase as sent; empty where there is none.
    pub reason: String,
}

/// The verdict on one integrity attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Integrity {
    /// Hash function of the HMAC: `sha1`, `sha256`, and of dialects `sha384`, `sha512`.
    pub algorithm: String,
    /// The verdict.
    pub status: IntegrityStatus,
    /// Label of the credential that verifies it.
    pub credential: Option<String>,
    /// Where it took another rule or derivation than the standard's: which, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Of a mismatch: how many credentials were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<u32>,
}

/// Whether an integrity value verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IntegrityStatus {
    /// With the credential named beside it.
    Verified,
    /// With none of the credentials that apply.
    Mismatch,
    /// No credential was given that applies.
    Untested,
    /// The capture holds too little of the message.
    Truncated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_digits_of_their_capture() {
        let at = Timestamp(1_714_564_800_123_456_789);
        assert_eq!(Time::new(at, 9).to_string(), "2024-05-01T12:00:00.123456789Z");
        assert_eq!(Time::new(at, 6).to_string(), "2024-05-01T12:00:00.123456Z");
        assert_eq!(Time::new(at, 0).to_string(), "2024-05-01T12:00:00Z");
        assert_eq!(Time::new(Timestamp(-1), 3).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_ends_of_the_range_are_printed_too() {
        assert!(Time::new(Timestamp(i64::MIN), 9).to_string().starts_with("1677-"));
        assert!(Time::new(Timestamp(i64::MAX), 200).to_string().starts_with("2262-"));
    }

    #[test]
    fn a_place_is_an_object_of_capture_and_frame() {
        let place = Place { capture: 0, frame: 1458 };
        assert_eq!(serde_json::to_string(&place).unwrap(), r#"{"capture":0,"frame":1458}"#);
    }
}
