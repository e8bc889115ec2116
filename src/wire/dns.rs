//! DNS (RFC 1035) as far as finding servers needs it: names asked for, and the addresses and hosts that were answered.
//!
//! The only user of the crate `domain`, which reads messages in place and follows no pointer twice. What else is in a message is passed over;
//! a message is read as far as it goes.

use domain::base::iana::{Class, Rtype};
use domain::base::name::ParsedName;
use domain::base::{Message, ParsedRecord};
use domain::rdata::{A, Aaaa, Cname, Naptr, Srv};
use std::fmt::{self, Write};
use std::net::IpAddr;

/// The port of DNS.
pub const PORT: u16 = 53;

/// More room than nearly all names need.
const USUAL_NAME: usize = 64;
/// How many records of a message are read.
const MAX_RECORDS: usize = 64;
/// A message with more questions than this is none: servers answer one (RFC 9619).
const MAX_QUESTIONS: u16 = 4;

/// What is asked of a name. Kinds that say nothing about where servers are, are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Its IPv4 addresses.
    A,
    /// Its IPv6 addresses (RFC 3596).
    Aaaa,
    /// The hosts and ports of a service (RFC 2782): `_turn._udp.example.org`.
    Srv,
    /// The services of a domain (RFC 5928 §3).
    Naptr,
}

impl Kind {
    fn of(rtype: Rtype) -> Option<Kind> {
        match rtype {
            Rtype::A => Some(Kind::A),
            Rtype::AAAA => Some(Kind::Aaaa),
            Rtype::SRV => Some(Kind::Srv),
            Rtype::NAPTR => Some(Kind::Naptr),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Srv => "SRV",
            Kind::Naptr => "NAPTR",
        })
    }
}

/// How an answer went (RFC 1035 §4.1.1, RFC 6895 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rcode(pub u8);

impl Rcode {
    /// There is an answer, though perhaps an empty one.
    pub const NOERROR: Rcode = Rcode(0);
    /// There is no such name.
    pub const NXDOMAIN: Rcode = Rcode(3);
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("NOERROR"),
            1 => f.write_str("FORMERR"),
            2 => f.write_str("SERVFAIL"),
            3 => f.write_str("NXDOMAIN"),
            4 => f.write_str("NOTIMP"),
            5 => f.write_str("REFUSED"),
            other => write!(f, "RCODE {other}"),
        }
    }
}

/// One thing that an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// An address of the name, or of what it is an alias of.
    Address(IpAddr),
    /// A host and port of a service.
    Host(Name<'a>, u16),
    /// The name is an alias of another.
    Alias(Name<'a>),
    /// A service of the domain, under this name.
    Service(Name<'a>),
}

/// A name as it stands in a message. Displays without the dot at its end, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'a>(ParsedName<&'a [u8]>);

impl Name<'_> {
    /// In lower case, without the dot at its end: how names are compared (RFC 4343). At most 1,020 bytes.
    #[must_use]
    pub fn lower(&self) -> String {
        let mut text = String::with_capacity(USUAL_NAME);
        for label in self.0.iter().filter(|label| !label.is_root()) {
            if !text.is_empty() {
                text.push('.');
            }
            // of hosts, whose names need no escapes
            if label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
                text.extend(label.iter().map(char::from));
            } else {
                let _ = write!(text, "{label}"); // a string takes all
            }
        }
        text.make_ascii_lowercase();
        text
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A question and, in an answer, how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The id that joins answer and question.
    pub id: u16,
    /// What is asked for.
    pub name: Name<'a>,
    /// What is wanted of it.
    pub kind: Kind,
    /// In an answer, how it went.
    pub rcode: Option<Rcode>,
    /// Whether the answer was cut short to fit a datagram (TC): it comes again over TCP.
    pub cut: bool,
}

/// Whether a datagram on the port of DNS can be DNS: a standard query or its answer, of few questions. A STUN message is not: where its cookie
/// stands, DNS counts thousands of questions.
#[must_use]
pub fn is_one(payload: &[u8]) -> bool {
    let Some(&[_, _, flags, _, q0, q1, ..]) = payload.first_chunk::<12>() else { return false };
    flags & 0x78 == 0 && (1..=MAX_QUESTIONS).contains(&u16::from_be_bytes([q0, q1]))
}

/// Reads a message: `asked` gets its question, if it is one about where servers are, and says whether `told` is to get what the answer holds.
pub fn read<'a>(message: &'a [u8], asked: impl FnOnce(&Asked<'a>) -> bool, mut told: impl FnMut(Told<'a>)) {
    if is_one(message) {
        let _ = walk(message, asked, &mut told); // a message that ends early has said what it said
    }
}

fn walk<'a>(message: &'a [u8], asked: impl FnOnce(&Asked<'a>) -> bool, told: &mut impl FnMut(Told<'a>)) -> Option<()> {
    let message: &'a Message<[u8]> = Message::from_slice(message).ok()?;
    let header = message.header();
    let mut questions = message.question();
    let question = questions.next()?.ok()?;
    let kind = Kind::of(question.qtype()).filter(|_| question.qclass() == Class::IN)?;
    let rcode = header.qr().then(|| Rcode(header.rcode().to_int()));
    let name = Name(*question.qname());
    let wanted = asked(&Asked { id: header.id(), name, kind, rcode, cut: header.tc() });
    if rcode.is_none() || !wanted {
        return Some(());
    }
    for record in message.answer().ok()?.take(MAX_RECORDS) {
        record_of(record.ok()?, told);
    }
    Some(())
}

fn record_of<'a>(record: ParsedRecord<'a, [u8]>, told: &mut impl FnMut(Told<'a>)) {
    match record.rtype() {
        Rtype::A => {
            if let Ok(Some(record)) = record.into_record::<A>() {
                told(Told::Address(record.data().addr().into()));
            }
        }
        Rtype::AAAA => {
            if let Ok(Some(record)) = record.into_record::<Aaaa>() {
                told(Told::Address(record.data().addr().into()));
            }
        }
        Rtype::CNAME => {
            if let Ok(Some(record)) = record.into_record::<Cname<_>>() {
                told(Told::Alias(Name(*record.data().cname())));
            }
        }
        Rtype::SRV => {
            if let Ok(Some(record)) = record.into_record::<Srv<_>>() {
                told(Told::Host(Name(*record.data().target()), record.data().port()));
            }
        }
        Rtype::NAPTR => {
            if let Ok(Some(record)) = record.into_record::<Naptr<_, _>>() {
                told(Told::Service(Name(*record.data().replacement())));
            }
        }
        _ => {}
    }
}

/// Reads any bytes as a message and gives how many things it told. For fuzzing.
///
/// # Panics
/// Where a bound does not hold.
#[doc(hidden)]
#[must_use]
pub fn exercise(bytes: &[u8]) -> usize {
    let mut found = 0;
    let asked = |asked: &Asked<'_>| {
        // each of 127 labels of 255 bytes at most takes four characters a byte where it is escaped
        assert!(asked.name.lower().len() <= 4 * 255);
        true
    };
    read(bytes, asked, |told| {
        if let Told::Host(name, _) | Told::Alias(name) | Told::Service(name) = &told {
            assert!(name.lower().len() <= 4 * 255);
        }
        found += 1;
    });
    assert!(found <= MAX_RECORDS);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(name: &str) -> Vec<u8> {
        let labels = name.split('.').flat_map(|label| {
            let length = u8::try_from(label.len()).unwrap_or(63);
            std::iter::once(length).chain(label.bytes())
        });
        labels.chain([0]).collect()
    }

    fn message(flags: [u8; 2], answers: u8, name: &str, kind: u8, records: &[u8]) -> Vec<u8> {
        let head = vec![0x12, 0x34, flags[0], flags[1], 0, 1, 0, answers, 0, 0, 0, 0];
        [head, encoded(name), vec![0, kind, 0, 1], records.to_vec()].concat()
    }

    /// The question and the answers, as text.
    fn said(message: &[u8]) -> Vec<String> {
        let all = std::cell::RefCell::new(Vec::new());
        let asked = |asked: &Asked<'_>| {
            let rcode = asked.rcode.map_or_else(|| "?".to_owned(), |rcode| rcode.to_string());
            all.borrow_mut().push(format!("{} {} {rcode}", asked.name.lower(), asked.kind));
            true
        };
        read(message, asked, |told| {
            all.borrow_mut().push(match told {
                Told::Address(ip) => ip.to_string(),
                Told::Host(name, port) => format!("{name}:{port}"),
                Told::Alias(name) => format!("alias {name}"),
                Told::Service(name) => format!("service {name}"),
            });
        });
        all.into_inner()
    }

    #[test]
    fn questions_name_what_is_wanted_in_any_case() {
        assert_eq!(said(&message([1, 0], 0, "TURN.example.ORG", 1, &[])), ["turn.example.org A ?"]);
        assert_eq!(said(&message([1, 0], 0, "_turn._udp.example.org", 33, &[])), ["_turn._udp.example.org SRV ?"]);
        assert!(said(&message([1, 0], 0, "example.org", 15, &[])).is_empty(), "MX says nothing of TURN servers");
    }

    #[test]
    fn answers_give_addresses_aliases_and_hosts() {
        let mut records = vec![0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 6, 3, b't', b'w', b'o', 0xc0, 17];
        records.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        let answer = message([0x81, 0x80], 2, "turn.example.org", 1, &records);
        assert_eq!(said(&answer), ["turn.example.org A NOERROR", "alias two.example.org", "192.0.2.1"]);
        let mut service = vec![0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 11, 0, 1, 0, 1, 0x0d, 0x96];
        service.extend([2, b't', b'1', 0xc0, 23]);
        let answer = message([0x81, 0x80], 1, "_turn._udp.example.org", 33, &service);
        assert_eq!(said(&answer), ["_turn._udp.example.org SRV NOERROR", "t1.example.org:3478"]);
        assert_eq!(said(&message([0x81, 0x83], 0, "no.example", 28, &[])), ["no.example AAAA NXDOMAIN"]);
    }

    #[test]
    fn names_of_any_bytes_are_compared_as_they_are_shown() {
        let labels: [&[u8]; 7] = [b"TURN", b"_turns", b"a b.c", b"\\", b"\x00\xff~", b"xn--Bcher-KVA", b"9"];
        for labels in labels.windows(2).chain([&[] as &[&[u8]], &labels]) {
            let encoded: Vec<u8> =
                labels.iter().flat_map(|label| [&[label.len() as u8], *label].concat()).chain([0]).collect();
            let head = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            let question = [&head[..], &encoded, &[0, 1, 0, 1]].concat();
            let mut seen = None;
            read(&question, |asked| seen.insert((asked.name.lower(), asked.name.to_string())).0.is_empty(), |_| {});
            let (lower, shown) = seen.unwrap();
            assert_eq!(lower, shown.to_ascii_lowercase());
        }
    }

    #[test]
    fn stun_and_circles_are_no_names() {
        let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        assert!(!is_one(&stun));
        let circle = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1];
        assert!(said(&circle).is_empty());
    }

    #[test]
    fn a_message_cut_anywhere_is_read_as_far_as_it_goes() {
        let answer = message([0x81, 0x80], 1, "a.example", 1, &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        let counts: Vec<usize> = (0..=answer.len()).map(|end| said(&answer[..end]).len()).collect();
        assert!(counts.is_sorted() && counts.last() == Some(&2), "{counts:?}");
    }
}
