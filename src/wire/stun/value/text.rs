//! Values as text for a person.

use super::{PasswordAlgorithm, Value, password_algorithms, unknown_attributes, words16, words32};
use std::fmt::{self, Write};

/// Bytes as lower-case hexadecimal digits, as text and as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        for byte in self.0 {
            for digit in [byte >> 4, byte & 15] {
                f.write_char(DIGITS.get(usize::from(digit)).copied().unwrap_or('?'))?;
            }
        }
        Ok(())
    }
}

/// Whether a terminal may obey the character, or hide it: control characters, and the marks that turn the direction of writing or are not seen.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text of the wire, displayed without anything that drives a terminal or turns its writing direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if is_unsafe(character) {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    f.write_char(character)?;
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

/// A text without the zeros that some senders count into its length: padding that is no part of what it says.
fn unpadded(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

impl fmt::Display for PasswordAlgorithm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "algorithm {}", self.number),
        }
    }
}

/// A number with its meaning, or bare where it has none.
struct Meaning(u32, Option<&'static str>);

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Meaning(_, Some(meaning)) => f.write_str(meaning),
            Meaning(number, None) => write!(f, "{number}"),
        }
    }
}

fn meaning(number: impl Into<u32>, meanings: &[&'static str]) -> Meaning {
    let number = number.into();
    let found =
        usize::try_from(number).ok().and_then(|index| meanings.get(index)).filter(|meaning| !meaning.is_empty());
    Meaning(number, found.copied())
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = T>) -> fmt::Result {
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::Flag => f.write_str("yes"),
            Value::Address(address) => write!(f, "{address}"),
            Value::Text(text) => write!(f, "{}", Text(unpadded(text))),
            Value::Bytes(bytes) | Value::Opaque(bytes) => write!(f, "{}", Hex(bytes)),
            Value::Hidden(length) => write!(f, "({length} bytes, not shown)"),
            Value::Number(number) | Value::Nomination(number) => write!(f, "{number}"),
            Value::Seconds(seconds) => write!(f, "{seconds} s"),
            Value::Bandwidth(rate) => write!(f, "{rate} kbit/s"),
            Value::Word(word) => write!(f, "0x{word:08x}"),
            Value::LongWord(word) => write!(f, "0x{word:016x}"),
            Value::Transaction(id) => write!(f, "{id}"),
            Value::Channel(channel) => write!(f, "0x{channel:04x}"),
            Value::Port(port) => write!(f, "{port}"),
            Value::Family(family) => write!(f, "{}", meaning(family, &["", "IPv4", "IPv6"])),
            Value::Protocol(17) => f.write_str("UDP"),
            Value::Protocol(6) => f.write_str("TCP"),
            Value::Protocol(protocol) => write!(f, "IP protocol {protocol}"),
            Value::Priority(priority) => write!(
                f,
                "{priority} (type {}, local {}, component {})",
                priority >> 24,
                priority >> 8 & 0xffff,
                256 - (priority & 0xff)
            ),
            Value::EvenPort { even, reserve_next, preserve } => {
                let wishes = [(even, "even port"), (reserve_next, "reserve the next"), (preserve, "preserve")];
                list(f, wishes.into_iter().filter_map(|(asked, wish)| asked.then_some(wish)))
            }
            Value::ChangeRequest { ip, port } => f.write_str(match (ip, port) {
                (true, true) => "other IP and port",
                (true, false) => "other IP",
                (false, true) => "other port",
                (false, false) => "no change",
            }),
            Value::Error(error) => write!(f, "{} {}", error.code, Text(unpadded(error.reason))),
            Value::AddressError(error) => {
                let family = Value::Family(error.family);
                write!(f, "{family}: {} {}", error.error.code, Text(unpadded(error.error.reason)))
            }
            Value::Types(types) => list(f, unknown_attributes(types)),
            Value::Algorithm(algorithm) => write!(f, "{algorithm}"),
            Value::Algorithms(algorithms) => list(f, password_algorithms(algorithms)),
            Value::AccessToken { nonce, ciphertext, tag } => {
                write!(f, "nonce {}, {} bytes encrypted, tag {}", Hex(nonce), ciphertext.len(), Hex(tag))
            }
            Value::Icmp { kind, code, data: 0 } => write!(f, "type {kind}, code {code}"),
            Value::Icmp { kind, code, data } => write!(f, "type {kind}, code {code}, data {data}"),
            Value::EcnCheck { ecf, valid } => write!(f, "ECN {ecf}, {}", if valid { "valid" } else { "not valid" }),
            Value::Counter { requests, responses } => {
                write!(f, "copy {requests} of the request, copy {responses} of the response")
            }
            Value::MsVersion(version) => {
                let names = [
                    "",
                    "ICE",
                    "MS-ICE2",
                    "MS-ICE2 with SHA-256",
                    "MS-ICE2 with SHA-256 and IPv6",
                    "multiplexed TURN over UDP",
                    "multiplexed TURN over UDP and TCP",
                ];
                write!(f, "{version} ({})", meaning(version, &names))
            }
            Value::ImplementationVersion(version) => {
                write!(f, "{version} ({})", if version < 3 { "RFC 3489bis-02 formats" } else { "RFC 5389 formats" })
            }
            Value::Sequence { connection_id, sequence } => {
                write!(f, "connection {}, number {sequence}", Hex(connection_id))
            }
            Value::ServiceQuality { stream, reliable } => {
                let streams = ["", "audio", "video", "supplemental video", "data"];
                write!(f, "{}, {}", meaning(stream, &streams), meaning(reliable, &["best effort", "reliable"]))
            }
            Value::Admission(message) => write!(f, "{}", meaning(message, &["check", "commit", "update"])),
            Value::Reservation([max_send, min_send, max_receive, min_receive]) => {
                write!(f, "send {min_send} to {max_send} kbit/s, receive {min_receive} to {max_receive} kbit/s")
            }
            Value::Site { valid, pstn, max_send, max_receive } => {
                let (valid, pstn) = (if valid { "valid" } else { "not valid" }, if pstn { ", PSTN" } else { "" });
                write!(f, "{valid}{pstn}, send up to {max_send} kbit/s, receive up to {max_receive} kbit/s")
            }
            Value::Location { peer, own, federation } => {
                let places = ["unknown", "Internet", "intranet"];
                let federations = ["none", "enterprise", "public cloud"];
                let (peer, own) = (meaning(peer, &places), meaning(own, &places));
                write!(f, "peer {peer}, self {own}, federation {}", meaning(federation, &federations))
            }
            Value::Flow { kind, bandwidth } => write!(f, "type {kind}, at most {bandwidth}"),
            Value::Network { flags, nodes, up, down } => {
                write!(f, "flags 0x{flags:02x}, {nodes} nodes, up {up}, down {down}")
            }
            Value::NetworkInfo { id, cost } => write!(f, "network {id}, cost {cost}{}", network(cost)),
            Value::MiscInfo(words) => list(f, words16(words)),
            Value::Checksums(words) => list(f, words32(words).map(Value::Word)),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What libwebrtc means by a network cost.
fn network(cost: u16) -> &'static str {
    match cost {
        10 => " (Wi-Fi or wired)",
        50 => " (unknown kind)",
        250 => " (5G)",
        500 => " (4G)",
        900 => " (cellular)",
        910 => " (3G)",
        980 => " (2G)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stun::ErrorCode;

    #[test]
    fn a_hostile_realm_cannot_drive_the_terminal() {
        let shown = Text("a\u{1b}[31m\r\n\u{9b}2J\u{202e}b\0".as_bytes()).to_string();
        let hidden = Text("\u{61c}\u{200b}\u{2060}\u{e0041}".as_bytes()).to_string();
        assert_eq!(hidden, r"\u{61c}\u{200b}\u{2060}\u{e0041}");
        assert_eq!(shown, r"a\u{1b}[31m\r\n\u{9b}2J\u{202e}b\u{0}");
        assert_eq!(Text(&[b'x', 0xff, 0x9b]).to_string(), r"x\xff\x9b");
    }

    #[test]
    fn zeros_that_a_sender_counts_into_a_text_are_not_shown() {
        assert_eq!(Value::Text(b"Coturn-4.6.1 'Gorst'\0\0\0").to_string(), "Coturn-4.6.1 'Gorst'");
        assert_eq!(Value::Text(b"a\0b\0").to_string(), r"a\u{0}b");
        assert_eq!(Value::Text(b"\0\0").to_string(), "");
        let error = ErrorCode { code: 401, reason: b"Unauthorized\0" };
        assert_eq!(Value::Error(error).to_string(), "401 Unauthorized");
    }

    #[test]
    fn priorities_are_taken_apart() {
        let priority = Value::Priority(0x6e00_01ff).to_string();
        assert_eq!(priority, "1845494271 (type 110, local 1, component 1)");
        assert_eq!(Value::Priority(0).to_string(), "0 (type 0, local 0, component 256)");
    }

    #[test]
    fn numbers_without_meaning_stay_numbers() {
        assert_eq!(Value::Family(1).to_string(), "IPv4");
        assert_eq!(Value::Family(0).to_string(), "0");
        assert_eq!(Value::Admission(9).to_string(), "9");
        assert_eq!(Value::Protocol(132).to_string(), "IP protocol 132");
    }
}
