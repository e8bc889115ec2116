//! Multicast DNS (RFC 6762) as far as ICE uses it: the names of hidden host candidates, who asks for them, and the addresses that they get.
//!
//! Browsers put a random name in the place of a host candidate's address, `0a1b2c3d-….local`, and answer for it on the local network
//! (draft-ietf-mmusic-mdns-ice-candidates). Everything else in a message is passed over; a message is read as far as it goes.

use std::fmt;
use std::net::IpAddr;

/// The port that all multicast DNS uses (RFC 6762 §3).
pub const PORT: u16 = 5353;

/// How many records of a message are read.
const MAX_RECORDS: usize = 256;
/// How many labels and pointers of a name are followed.
const MAX_LABELS: usize = 32;
/// Letters of a UUID.
const LENGTH: usize = 36;

const A: u16 = 1;
const AAAA: u16 = 28;

/// The name of a hidden candidate, in lower case. Displays with its `.local`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HiddenName([u8; LENGTH]);

impl HiddenName {
    /// The name that a text is, `.local` and perhaps a dot at its end; `None` where it is not that of a hidden candidate.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim_end_matches('.');
        let (uuid, domain) = name.split_once('.')?;
        HiddenName::of(uuid.as_bytes(), domain.as_bytes())
    }

    fn of(label: &[u8], domain: &[u8]) -> Option<Self> {
        let mut name: [u8; LENGTH] = label.try_into().ok()?;
        name.make_ascii_lowercase();
        let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
        let fits = |(at, &byte): (usize, &u8)| if is_dash(at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
        (domain.eq_ignore_ascii_case(b"local") && name.iter().enumerate().all(fits)).then_some(HiddenName(name))
    }
}

impl fmt::Display for HiddenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.local", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for HiddenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a message says of a hidden candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Somebody wants its address.
    Asked {
        /// The candidate's name.
        name: HiddenName,
        /// Whether the answer may come to the asker alone (RFC 6762 §5.4), where others do not see it.
        unicast: bool,
    },
    /// It has this address: an answer, an announcement, or what the asker knows already.
    Address {
        /// The candidate's name.
        name: HiddenName,
        /// Its address.
        address: IpAddr,
    },
}

/// Reads a message; `each` gets what it says of hidden candidates. Tells whether it was read to its end: one that ends early has said what it said.
pub fn read(message: &[u8], mut each: impl FnMut(Said)) -> bool {
    walk(message, &mut each).is_some()
}

/// Whether it is an answer.
#[must_use]
pub fn is_answer(message: &[u8]) -> bool {
    message.get(2).is_some_and(|flags| flags & 0x80 != 0)
}

/// The names of hidden candidates whose addresses a message asks for, or that it answers.
pub fn asked(message: &[u8], mut each: impl FnMut(HiddenName)) {
    let questions = message.get(4..).and_then(|rest| rest.first_chunk()).map_or(0, |&count| u16::from_be_bytes(count));
    let mut at = 12;
    for _ in 0..usize::from(questions).min(MAX_RECORDS) {
        let Some((name, after)) = name(message, at) else { return };
        if let (Some(A | AAAA), Some(name)) = (u16_at(message, after), name) {
            each(name);
        }
        at = after + 4;
    }
}

fn walk(message: &[u8], each: &mut impl FnMut(Said)) -> Option<()> {
    let header: &[u8; 12] = message.first_chunk()?;
    let [_, _, flags, _, q0, q1, an0, an1, ns0, ns1, ar0, ar1] = *header;
    if flags & 0x78 != 0 {
        return None; // not a query, nor the answer to one (RFC 6762 §18.3)
    }
    let is_query = flags & 0x80 == 0;
    let count = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]));
    let questions = count(q0, q1);
    let records = count(an0, an1) + count(ns0, ns1) + count(ar0, ar1);
    let mut at = 12;
    for _ in 0..questions.min(MAX_RECORDS) {
        let (name, after) = name(message, at)?;
        let kind = u16_at(message, after)?;
        let class = u16_at(message, after + 2)?;
        at = after + 4;
        // a probe for a name of one's own asks for ANY (RFC 6762 §8.1)
        if let (true, A | AAAA, Some(name)) = (is_query, kind, name) {
            each(Said::Asked { name, unicast: class & 0x8000 != 0 });
        }
    }
    for _ in 0..records.min(MAX_RECORDS) {
        let (name, after) = name(message, at)?;
        let kind = u16_at(message, after)?;
        let lives = u16_at(message, after + 4)? | u16_at(message, after + 6)? != 0;
        let length = usize::from(u16_at(message, after + 8)?);
        let data = message.get(after + 10..(after + 10).checked_add(length)?)?;
        at = after + 10 + length;
        let address = match (kind, data.len()) {
            (A, 4) => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            (AAAA, 16) => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => None,
        };
        // what lives no longer is a goodbye (RFC 6762 §10.1)
        if let (true, Some(name), Some(address)) = (lives, name, address) {
            each(Said::Address { name, address });
        }
    }
    Some(())
}

fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    message.get(at..)?.first_chunk().map(|&bytes| u16::from_be_bytes(bytes))
}

/// The name at an offset, if it is that of a hidden candidate, and where what follows it begins (RFC 1035 §4.1.4).
fn name(message: &[u8], mut at: usize) -> Option<(Option<HiddenName>, usize)> {
    let mut labels: [&[u8]; 2] = [&[]; 2];
    let (mut count, mut after) = (0, None);
    for _ in 0..MAX_LABELS {
        let length = *message.get(at)?;
        match length {
            0 => {
                let hidden = if count == 2 { HiddenName::of(labels[0], labels[1]) } else { None };
                return Some((hidden, after.unwrap_or(at + 1)));
            }
            1..=63 => {
                let end = at + 1 + usize::from(length);
                let label = message.get(at + 1..end)?;
                if let Some(slot) = labels.get_mut(count) {
                    *slot = label;
                }
                count += 1;
                at = end;
            }
            0xc0.. => {
                let to = usize::from(u16_at(message, at)? & 0x3fff);
                after = after.or(Some(at + 2));
                // a pointer to what comes after it could go round in circles
                at = if to < at { to } else { return None };
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "0a1b2c3d-0000-4000-8000-0123456789ab.local";

    fn said(message: &[u8]) -> Vec<Said> {
        let mut all = Vec::new();
        read(message, |said| all.push(said));
        all
    }

    fn encoded(name: &str) -> Vec<u8> {
        let labels = name.split('.').flat_map(|label| {
            let length = u8::try_from(label.len()).unwrap_or(63);
            std::iter::once(length).chain(label.bytes())
        });
        labels.chain([0]).collect()
    }

    #[test]
    fn a_question_names_a_hidden_candidate_in_any_case() {
        let mut message = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
        message.extend(encoded(&NAME.to_uppercase()));
        message.extend([0, 1, 0, 1, 0xc0, 12, 0, 28, 0x80, 1]);
        let name = HiddenName::parse(NAME).expect("a name");
        assert_eq!(said(&message), [Said::Asked { name, unicast: false }, Said::Asked { name, unicast: true }]);
        assert_eq!(name.to_string(), NAME);
    }

    #[test]
    fn records_give_addresses_while_they_live() {
        let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 1];
        message.extend(encoded(NAME));
        message.extend([0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 1]);
        message.extend([0xc0, 12, 0, 1, 0x80, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 2]);
        message.extend([0xc0, 12, 0, 28, 0x80, 1, 0, 1, 0, 0, 0, 16]);
        message.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let addresses: Vec<String> = said(&message)
            .iter()
            .map(|said| match said {
                Said::Address { address, .. } => address.to_string(),
                Said::Asked { .. } => String::new(),
            })
            .collect();
        assert_eq!(addresses, ["192.0.2.1", "2001:db8::1"]);
    }

    #[test]
    fn probes_services_and_loops_say_nothing() {
        let mut probe = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        probe.extend(encoded(NAME));
        probe.extend([0, 255, 0, 1]);
        assert_eq!(said(&probe), []);
        let mut service = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        service.extend(encoded("_ipp._tcp.local"));
        service.extend([0, 1, 0, 1]);
        assert_eq!(said(&service), []);
        let circle = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1];
        assert_eq!(said(&circle), []);
        for name in
            ["0a1b2c3d-0000-4000-8000-0123456789ag.local", "printer.local", "0a1b2c3d-0000-4000-8000-0123456789ab.com"]
        {
            assert_eq!(HiddenName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_message_cut_anywhere_is_read_as_far_as_it_goes() {
        let mut message = vec![0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        message.extend(encoded(NAME));
        message.extend([0, 1, 0, 1, 0xc0, 12, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 1]);
        let counts: Vec<usize> = (0..=message.len()).map(|end| said(&message[..end]).len()).collect();
        assert!(counts.is_sorted() && counts.last() == Some(&2));
    }
}
