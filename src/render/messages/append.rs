//! Numbers, addresses, times and strings, appended to a buffer without a formatter in between.

use crate::net::Endpoint;
use crate::render::escape::is_unsafe;
use crate::time::Timestamp;
use std::io::Write as _;
use std::net::IpAddr;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A number in decimal digits.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

/// A number that may be below zero.
#[inline]
pub(super) fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    number(out, value.unsigned_abs());
}

/// A number in exactly `width` decimal digits, zeros before it; what does not fit is cut.
#[inline]
pub(super) fn padded(out: &mut Vec<u8>, value: u64, width: u8) {
    let mut divisor = 10_u64.saturating_pow(u32::from(width.saturating_sub(1)));
    for _ in 0..width {
        out.push(b'0' + (value / divisor % 10) as u8);
        divisor = (divisor / 10).max(1);
    }
}

/// Bytes in hexadecimal digits.
#[inline]
pub(super) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() * 2);
    for &byte in bytes {
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

/// `0x` and four hexadecimal digits.
#[inline]
pub(super) fn hex16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(b"0x");
    hex(out, &value.to_be_bytes());
}

#[inline]
fn digit(nibble: u8) -> u8 {
    HEX.get(usize::from(nibble)).copied().unwrap_or(b'?')
}

/// `192.0.2.1:3478`, `[2001:db8::1]:3478`.
#[inline]
pub(super) fn endpoint(out: &mut Vec<u8>, endpoint: Endpoint) {
    match endpoint.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            for (octet, end) in [(a, b'.'), (b, b'.'), (c, b'.'), (d, b':')] {
                number(out, u64::from(octet));
                out.push(end);
            }
        }
        IpAddr::V6(ip) => {
            let _ = write!(out, "[{ip}]:"); // writing to a Vec cannot fail
        }
    }
    number(out, u64::from(endpoint.port()));
}

/// A JSON string, quotes included. What could drive a terminal is escaped too, so that looking at the output is safe.
#[inline]
pub(super) fn json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(text.as_bytes());
    } else {
        json_escaped(out, text);
    }
    out.push(b'"');
}

fn json_escaped(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if is_unsafe(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    hex(out, &unit.to_be_bytes());
                }
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Writes times by RFC 3339 in UTC, and remembers date and second of the last one: neighbours mostly share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeWriter {
    day: Option<i64>,
    second: Option<i64>,
    /// `2024-05-01T12:00:00`; years of four digits are all that a timestamp holds.
    text: [u8; 19],
}

impl TimeWriter {
    /// Appends a time with so many digits of the second, and a `Z`.
    #[inline]
    pub(crate) fn append(&mut self, out: &mut Vec<u8>, time: Timestamp, digits: u8) {
        let second = time.seconds();
        if self.second != Some(second) {
            self.turn(second);
        }
        out.extend_from_slice(&self.text);
        let digits = digits.min(9);
        if digits > 0 {
            out.push(b'.');
            let nanos = time.0.rem_euclid(1_000_000_000).unsigned_abs();
            padded(out, nanos / 10_u64.pow(9 - u32::from(digits)), digits);
        }
        out.push(b'Z');
    }

    fn turn(&mut self, second: i64) {
        const DAY: i64 = 86_400;
        let day = second.div_euclid(DAY);
        if self.day != Some(day) {
            let date = jiff::Timestamp::from_second(day.saturating_mul(DAY)).unwrap_or_default();
            let date = jiff::tz::TimeZone::UTC.to_datetime(date).date();
            let mut text = Vec::with_capacity(20);
            padded(&mut text, u64::from(date.year().unsigned_abs()), 4);
            text.push(b'-');
            padded(&mut text, u64::from(date.month().unsigned_abs()), 2);
            text.push(b'-');
            padded(&mut text, u64::from(date.day().unsigned_abs()), 2);
            text.extend_from_slice(b"T00:00:00");
            if let Ok(text) = <[u8; 19]>::try_from(text) {
                self.text = text;
            }
            self.day = Some(day);
        }
        let of_day = second.rem_euclid(DAY);
        let two = |value: i64| [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8];
        let [.., h1, h0, _, m1, m0, _, s1, s0] = &mut self.text;
        [*h1, *h0] = two(of_day / 3600);
        [*m1, *m0] = two(of_day / 60 % 60);
        [*s1, *s0] = two(of_day % 60);
        self.second = Some(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Time;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_does(value: u64, below: i64) {
            prop_assert_eq!(written(|out| number(out, value)), value.to_string());
            prop_assert_eq!(written(|out| signed(out, below)), below.to_string());
        }

        #[test]
        fn times_are_those_of_the_report(mut times: Vec<(i64, u8)>, near: i64) {
            times.extend((0..20).map(|i| (near.saturating_add(i * 700_000_000), 6)));
            let mut writer = TimeWriter::default();
            for (nanos, digits) in times {
                let at = Timestamp(nanos);
                prop_assert_eq!(written(|out| writer.append(out, at, digits)), Time::new(at, digits).to_string());
            }
        }

        #[test]
        fn strings_read_back_as_they_were(text: String) {
            let json = written(|out| json_string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            prop_assert!(!json.chars().any(is_unsafe));
        }

        #[test]
        fn addresses_are_written_as_they_display(v4: [u8; 4], v6: [u8; 16], port: u16) {
            for address in [Endpoint::v4(v4, port), Endpoint::v6(v6, port)] {
                prop_assert_eq!(written(|out| endpoint(out, address)), address.to_string());
            }
        }
    }

    #[test]
    fn hexadecimal_digits_are_lower_case() {
        assert_eq!(written(|out| hex16(out, 0xC057)), "0xc057");
    }
}
