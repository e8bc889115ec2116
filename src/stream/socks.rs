//! What a client and a SOCKS proxy say to each other before the connection is the client's to use: SOCKS 5 (RFC 1928), with user name and password
//! (RFC 1929), and SOCKS 4 with the names of its extension 4A. The credentials in it are passed over, and nowhere kept.

use super::proxy::Reply;
use crate::frame::Seen;
use crate::net::Endpoint;
use std::net::{Ipv4Addr, Ipv6Addr};

const V4: u8 = 4;
const V5: u8 = 5;
const CONNECT: u8 = 1;
/// The version of the exchange of user name and password.
const LOGIN: u8 = 1;
/// No method of authentication that the client offers will do.
pub(super) const NO_METHOD: u8 = 0xff;
/// Types of addresses.
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Such a conversation, as far as it went.
#[derive(Debug)]
pub(super) struct Socks {
    /// To whom the proxy is to connect; empty until the client says it.
    pub target: Box<str>,
    /// What the client said last that is to be answered.
    pub at: Seen,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client has offered methods of authentication.
    Offered,
    /// The proxy has chosen one: what it takes goes to and fro, until the client asks.
    Chosen,
    /// The client has asked for a connection, by this version.
    Asked(u8),
    /// The proxy has connected the client.
    Connected,
    /// The proxy has turned the client away.
    Refused,
}

impl Socks {
    /// What the client's first words begin, if they are of SOCKS.
    pub(super) fn begin(payload: &[u8], at: Seen) -> Option<Socks> {
        let (target, stage) = match payload {
            [V5, count, methods @ ..] if *count > 0 && methods.len() == usize::from(*count) => {
                (String::new(), Stage::Offered)
            }
            [V4, CONNECT, ..] => (target_of_4(payload)?, Stage::Asked(V4)),
            _ => return None,
        };
        Some(Socks { target: target.into(), at, stage })
    }

    /// Whether what follows is the client's and the server's.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Connected
    }

    /// Takes what one end says next; gives what the proxy answers, where that lets the client through or turns it away.
    pub(super) fn take(&mut self, side: usize, payload: &[u8], at: Seen) -> Option<Reply> {
        let reply = match (self.stage, side, payload) {
            (Stage::Chosen, 0, [V5, CONNECT, 0, address @ ..]) => {
                self.target = target_of_5(address)?.into();
                (self.at, self.stage) = (at, Stage::Asked(V5));
                return None;
            }
            (Stage::Chosen, 0, [LOGIN, ..]) => {
                self.at = at;
                return None;
            }
            (Stage::Offered, 1, [V5, NO_METHOD]) => Reply::NoMethod,
            (Stage::Offered, 1, [V5, _]) => {
                self.stage = Stage::Chosen;
                return None;
            }
            (Stage::Chosen, 1, &[LOGIN, status]) if status != 0 => Reply::Login(status),
            (Stage::Asked(V5), 1, &[V5, code, 0, ..]) => Reply::Socks5(code),
            (Stage::Asked(V4), 1, &[0, code @ 90..=93, _, _, _, _, _, _]) => Reply::Socks4(code),
            _ => return None,
        };
        self.stage = if reply.is_yes() { Stage::Connected } else { Stage::Refused };
        Some(reply)
    }
}

/// Host and port of a request of SOCKS 5, from the type of its address on.
fn target_of_5(address: &[u8]) -> Option<String> {
    match address {
        [IPV4, a, b, c, d, high, low] => {
            Some(Endpoint::v4([*a, *b, *c, *d], u16::from_be_bytes([*high, *low])).to_string())
        }
        [IPV6, rest @ ..] => {
            let (ip, port) = rest.split_first_chunk::<16>()?;
            let port = u16::from_be_bytes(port.try_into().ok()?);
            Some(Endpoint::new(Ipv6Addr::from(*ip).into(), port).to_string())
        }
        [NAME, length, rest @ ..] => {
            let (name, port) = rest.split_at_checked(usize::from(*length))?;
            named(name, port.try_into().ok()?)
        }
        _ => None,
    }
}

/// Host and port of a request of SOCKS 4; an address that begins with three zeros stands for the name at the end.
fn target_of_4(request: &[u8]) -> Option<String> {
    let [V4, CONNECT, high, low, a, b, c, d, rest @ ..] = request else { return None };
    let port = [*high, *low];
    let user = rest.iter().position(|&byte| byte == 0)?;
    let after = rest.get(user + 1..)?;
    match (a, b, c, after) {
        (0, 0, 0, [name @ .., 0]) => named(name, port),
        (0, 0, 0, _) => None,
        (.., []) => Some(Endpoint::new(Ipv4Addr::new(*a, *b, *c, *d).into(), u16::from_be_bytes(port)).to_string()),
        _ => None,
    }
}

fn named(name: &[u8], port: [u8; 2]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| format!("{name}:{}", u16::from_be_bytes(port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const AT: Seen = Seen { frame: 1, time: Timestamp(0) };

    /// What comes of words to and fro, and for what the proxy was asked.
    fn told(words: &[(usize, &[u8])]) -> (Option<Reply>, String) {
        let (_, first) = words[0];
        let mut socks = Socks::begin(first, AT).unwrap();
        let reply = words[1..].iter().find_map(|(side, payload)| socks.take(*side, payload, AT));
        assert_eq!(socks.is_over(), reply.is_some_and(Reply::is_yes));
        (reply, socks.target.to_string())
    }

    #[test]
    fn what_a_proxy_of_socks_5_answers_is_read_through_its_login() {
        let name = [&[5, 1, 0, 3, 16][..], b"turn.example.org", &[0x0d, 0x96]].concat();
        let target = "turn.example.org:3478".to_owned();
        let login: [(usize, &[u8]); 4] =
            [(0, &[5, 2, 0, 2]), (1, &[5, 2]), (0, b"\x01\x05alice\x06secret"), (1, &[1, 0])];
        for (answer, reply) in [(0, Reply::Socks5(0)), (2, Reply::Socks5(2))] {
            let answer = [5, answer, 0, 1, 0, 0, 0, 0, 0, 0];
            let words = [&login[..], &[(0, &name), (1, &answer)]].concat();
            assert_eq!(told(&words), (Some(reply), target.clone()));
        }
        let refused = [&login[..3], &[(1, &[1, 1])]].concat();
        assert_eq!(told(&refused), (Some(Reply::Login(1)), String::new()));
        assert_eq!(told(&[(0, &[5, 1, 0]), (1, &[5, 0xff])]), (Some(Reply::NoMethod), String::new()));
    }

    #[test]
    fn targets_are_read_as_addresses_and_names() {
        assert_eq!(target_of_5(&[1, 192, 0, 2, 1, 0, 80]).as_deref(), Some("192.0.2.1:80"));
        let six = [&[4, 0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[1, 0, 80]].concat();
        assert_eq!(target_of_5(&six).as_deref(), Some("[2001:db8::1]:80"));
        for cut in [&[1, 192, 0, 2, 1, 0][..], &[3, 9, b'x', 0, 80], &[3, 1, b'\n', 0, 80], &[2, 0, 80], &[]] {
            assert_eq!(target_of_5(cut), None, "{cut:?}");
        }
        assert_eq!(target_of_4(b"\x04\x01\x00\x50\xc0\x00\x02\x01me\0").as_deref(), Some("192.0.2.1:80"));
        assert_eq!(target_of_4(b"\x04\x01\x00\x50\0\0\0\x01me\0turn.test\0").as_deref(), Some("turn.test:80"));
        for other in [&b"\x04\x01\x00\x50\xc0\x00\x02\x01me"[..], b"\x04\x01\x00\x50\0\0\0\x01me\0x", b"\x04\x01"] {
            assert_eq!(target_of_4(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_a_proxy_of_socks_4_answers_is_read() {
        let asked: (usize, &[u8]) = (0, b"\x04\x01\x0d\x96\xc0\x00\x02\x01\0");
        for (code, reply) in [(90, Reply::Socks4(90)), (91, Reply::Socks4(91))] {
            let answer = [0, code, 0, 0, 0, 0, 0, 0];
            assert_eq!(told(&[asked, (1, &answer)]), (Some(reply), "192.0.2.1:3478".to_owned()));
        }
    }

    #[test]
    fn what_begins_with_other_words_is_not_of_socks() {
        for other in [&[5, 1, 0, 0][..], &[5, 0], &[5], &[4, 2, 0, 80, 1, 2, 3, 4, 0], b"GET /", &[]] {
            assert!(Socks::begin(other, AT).is_none(), "{other:?}");
        }
    }
}
