//! What stands before a stream: what a client asks an HTTP proxy with CONNECT (RFC 9110 §9.3.6), or one of SOCKS, and what it is told; the header of the PROXY
//! protocol that a balancer sends first. What follows is a stream of its own. And what a web server says where something else was expected.

use super::entry::Entry;
use super::head;
use super::socks::{NO_METHOD, Socks};
use crate::frame::Seen;
use crate::net::Endpoint;
use crate::packet::Segment;

/// A name and a port are not longer.
const MAX_TARGET: usize = 261;
/// What the binary header of the PROXY protocol begins with, and how long it is without the addresses.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const FIXED: usize = 16;
/// Its version with the command to stand for somebody, and the families of addresses with ports: IPv4 and IPv6, each over streams and datagrams.
const STANDS_FOR: u8 = 0x21;
const IPV4: [u8; 2] = [0x11, 0x12];
const IPV6: [u8; 2] = [0x21, 0x22];
/// The longest header in text, with its end of line.
const MAX_LINE: usize = 107;

/// What a client and a proxy say to each other first.
#[derive(Debug)]
pub(super) enum Talk {
    Http(Asked),
    Socks(Socks),
}

impl Talk {
    /// Whether what follows is the client's and the server's.
    fn is_over(&self) -> bool {
        match self {
            Talk::Http(asked) => asked.answer.is_some_and(Reply::is_yes),
            Talk::Socks(socks) => socks.is_over(),
        }
    }
}

/// A client that asks an HTTP proxy for a connection.
#[derive(Debug)]
pub(super) struct Asked {
    target: Box<str>,
    at: Seen,
    answer: Option<Reply>,
}

/// What a proxy says to a client that wants a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A status code of HTTP (RFC 9110 §15).
    Http(u16),
    /// SOCKS 5: none of the methods of authentication that the client offers will do (RFC 1928 §3).
    NoMethod,
    /// SOCKS 5: user name and password will not do, with this status (RFC 1929 §2).
    Login(u8),
    /// A reply of SOCKS 5 (RFC 1928 §6).
    Socks5(u8),
    /// A reply of SOCKS 4.
    Socks4(u8),
}

impl Reply {
    /// Whether the proxy connects the client.
    #[must_use]
    pub fn is_yes(self) -> bool {
        match self {
            Reply::Http(code) => (200..300).contains(&code),
            Reply::Socks5(code) => code == 0,
            Reply::Socks4(code) => code == 90,
            Reply::NoMethod | Reply::Login(_) => false,
        }
    }

    /// What kind of proxy says so.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        match self {
            Reply::Http(_) => "HTTP",
            Reply::NoMethod | Reply::Login(_) | Reply::Socks5(_) => "SOCKS5",
            Reply::Socks4(_) => "SOCKS4",
        }
    }

    /// The number that says so.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Reply::Http(code) => code,
            Reply::NoMethod => NO_METHOD.into(),
            Reply::Login(code) | Reply::Socks5(code) | Reply::Socks4(code) => code.into(),
        }
    }

    /// What a number of SOCKS means; those of HTTP are known.
    #[must_use]
    pub fn meaning(self) -> Option<&'static str> {
        Some(match self {
            Reply::Http(_) => return None,
            Reply::NoMethod => "no acceptable method of authentication",
            Reply::Login(_) => "user name and password are refused",
            Reply::Socks5(0) | Reply::Socks4(90) => "connected",
            Reply::Socks5(1) => "general failure",
            Reply::Socks5(2) => "not allowed by its rules",
            Reply::Socks5(3) => "network unreachable",
            Reply::Socks5(4) => "host unreachable",
            Reply::Socks5(5) => "connection refused",
            Reply::Socks5(6) => "TTL expired",
            Reply::Socks5(7) => "command not supported",
            Reply::Socks5(8) => "type of address not supported",
            Reply::Socks4(91) => "rejected or failed",
            Reply::Socks4(92) => "no identd on the client",
            Reply::Socks4(93) => "identd knows another user",
            Reply::Socks5(_) | Reply::Socks4(_) => return None,
        })
    }
}

/// What a proxy answered, and whom.
#[derive(Clone, Copy, Debug)]
pub struct Proxied<'a> {
    /// Who asked.
    pub client: Endpoint,
    /// The proxy.
    pub proxy: Endpoint,
    /// To whom it is to connect: host and port as the client wrote them; empty where it was turned away before that.
    pub target: &'a str,
    /// The request.
    pub asked: Seen,
    /// The answer.
    pub answered: Seen,
    /// What it says.
    pub reply: Reply,
}

/// The header of the PROXY protocol, by which a balancer tells whom a connection stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The segment that begins with it.
    pub at: Seen,
    /// The client that it tells; `None` where it tells none, as of a balancer's own connections.
    pub client: Option<Endpoint>,
}

/// What a segment is to such a connection.
pub(super) enum Turn<'a> {
    /// Nothing: it is the client's and the server's.
    Theirs,
    /// Of what client and proxy say to each other.
    Between,
    /// The proxy's answer.
    Answer(Proxied<'a>),
    /// So many bytes of it are the header of the PROXY protocol.
    Header(usize),
}

impl Entry {
    /// Takes what a client and a proxy say to each other before the connection is the client's to use.
    pub(super) fn between(&mut self, seq: u32, at: Seen, segment: &Segment<'_>, side: usize) -> Turn<'_> {
        let end = seq.wrapping_add(segment.length);
        let [client, server] = &mut self.first;
        if side == 0
            && *client == Some(seq)
            && let Some(header) = header_of(segment.payload)
        {
            *client = Some(seq.wrapping_add(header as u32));
            self.connection.proxied.get_or_insert(Header { at, client: client_of(segment.payload) });
            return Turn::Header(header);
        }
        if side == 0
            && (*client == Some(seq) || self.proxy.is_some())
            && let Some(target) = target_of(segment.payload)
        {
            *client = Some(end);
            self.proxy = Some(Box::new(Talk::Http(Asked { target: target.into(), at, answer: None })));
            return Turn::Between;
        }
        if side == 0
            && (*client == Some(seq) && self.proxy.is_none())
            && let Some(socks) = Socks::begin(segment.payload, at)
        {
            *client = Some(end);
            self.proxy = Some(Box::new(Talk::Socks(socks)));
            return Turn::Between;
        }
        let Some(talk) = self.proxy.as_deref_mut().filter(|talk| !talk.is_over()) else { return Turn::Theirs };
        let next = if side == 0 { client } else { server };
        // the capture may lack the proxy's yes
        let begins = head::may_begin(segment.payload);
        let (reply, target, asked) = match talk {
            Talk::Http(asked) => {
                let Some(code) = status_of(segment.payload).filter(|_| side == 1) else {
                    return if begins { Turn::Theirs } else { Turn::Between };
                };
                *next = Some(end);
                let reply = Reply::Http(code);
                asked.answer = Some(reply);
                (reply, &asked.target, asked.at)
            }
            Talk::Socks(_) if begins => return Turn::Theirs,
            // a copy of what was taken
            Talk::Socks(_) if next.is_some_and(|next| seq.wrapping_sub(next) > u32::MAX / 2) => return Turn::Between,
            Talk::Socks(socks) => {
                *next = Some(end);
                let Some(reply) = socks.take(side, segment.payload, at) else { return Turn::Between };
                (reply, &socks.target, socks.at)
            }
        };
        let (client, proxy) = (self.connection.client, self.connection.server);
        Turn::Answer(Proxied { client, proxy, target, asked, answered: at, reply })
    }

    /// Takes note of a web server by its first words, where they answer what the client began with: those of a proxy, which may have been asked by what the
    /// capture lacks, come before that.
    pub(super) fn hear_http(&mut self, seq: u32, at: Seen, payload: &[u8], side: usize) {
        let connected = self.proxy.as_deref().is_none_or(Talk::is_over);
        if side == 1
            && self.first[1] == Some(seq)
            && (self.began && connected)
            && let Some(code) = status_of(payload)
        {
            self.connection.http.get_or_insert((at, code));
        }
    }
}

/// How long the header of the PROXY protocol is that a connection begins with: a line of text, or a binary one that says its length.
fn header_of(payload: &[u8]) -> Option<usize> {
    let length = if payload.starts_with(b"PROXY ") {
        payload.iter().take(MAX_LINE).position(|&byte| byte == b'\n')? + 1
    } else {
        let [_, _, high, low] = payload.strip_prefix(SIGNATURE)?.first_chunk()?;
        FIXED + usize::from(u16::from_be_bytes([*high, *low]))
    };
    (length <= payload.len()).then_some(length)
}

/// The client that a header of the PROXY protocol tells.
fn client_of(header: &[u8]) -> Option<Endpoint> {
    if let Some(line) = header.strip_prefix(b"PROXY ") {
        let line = line.split(|&byte| byte == b'\r' || byte == b'\n').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let (family, client, _, port) = (words.next()?, words.next()?, words.next()?, words.next()?);
        return matches!(family, "TCP4" | "TCP6").then_some(Endpoint::new(client.parse().ok()?, port.parse().ok()?));
    }
    let [command, family, _, _, addresses @ ..] = header.strip_prefix(SIGNATURE)? else { return None };
    // of both ends, then the ports of both
    let told = match (*command, *family) {
        (STANDS_FOR, family) if IPV4.contains(&family) => {
            let (client, [_, _, _, _, high, low, ..]) = addresses.split_first_chunk()? else { return None };
            Endpoint::v4(*client, u16::from_be_bytes([*high, *low]))
        }
        (STANDS_FOR, family) if IPV6.contains(&family) => {
            let (client, rest) = addresses.split_first_chunk::<16>()?;
            let (_, ports) = rest.split_first_chunk::<16>()?;
            Endpoint::v6(*client, u16::from_be_bytes(*ports.first_chunk()?))
        }
        _ => return None,
    };
    Some(told)
}

/// The host and port that a CONNECT request names.
fn target_of(payload: &[u8]) -> Option<&str> {
    let rest = payload.strip_prefix(b"CONNECT ")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_graphic())?;
    let target = std::str::from_utf8(rest.get(..end)?).ok()?;
    let named = rest.get(end..)?.starts_with(b" HTTP/1.");
    (named && target.len() <= MAX_TARGET && target.contains(':')).then_some(target)
}

/// The status code that an HTTP answer begins with.
fn status_of(payload: &[u8]) -> Option<u16> {
    match payload {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', b' ', code @ ..] => {
            let code = std::str::from_utf8(code.get(..3)?).ok()?;
            code.parse().ok().filter(|code| (100..600).contains(code))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_proxy_protocol_are_as_long_as_they_say() {
        let text = b"PROXY TCP4 192.0.2.1 203.0.113.1 40000 3478\r\n";
        assert_eq!(header_of(text), Some(text.len()));
        assert_eq!(header_of(&[&text[..], &[0, 3, 0, 8]].concat()), Some(text.len()));
        let binary = [SIGNATURE, &[0x21, 0x11, 0, 12], &[7; 12], &[0, 3]].concat();
        assert_eq!(header_of(&binary), Some(28));
        for other in
            [&binary[..27], &binary[..14], b"PROXY TCP4 192.0.2.1", &[b"PROXY ", &[b'x'; 200][..]].concat(), b""]
        {
            assert_eq!(header_of(other), None, "{other:?}");
        }
    }

    #[test]
    fn headers_of_the_proxy_protocol_tell_the_client_of_a_balancer() {
        let client = |text: &str| client_of(text.as_bytes()).map(|client| client.to_string());
        let told = Some("192.0.2.1:40000".to_owned());
        assert_eq!(client("PROXY TCP4 192.0.2.1 203.0.113.1 40000 3478\r\n"), told);
        assert_eq!(client("PROXY TCP6 2001:db8::1 2001:db8::2 7 8\r\n").as_deref(), Some("[2001:db8::1]:7"));
        for other in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN 192.0.2.1 203.0.113.1 1 2\r\n", "PROXY TCP4 nobody x 1 2\r\n"]
        {
            assert_eq!(client(other), None, "{other}");
        }
        let binary = |start: [u8; 4], addresses: &[u8]| {
            client_of(&[SIGNATURE, &start, addresses].concat()).map(|client| client.to_string())
        };
        let four = [192, 0, 2, 1, 203, 0, 113, 1, 0x9c, 0x40, 0x0d, 0x96];
        assert_eq!(binary([0x21, 0x11, 0, 12], &four), told);
        assert_eq!(binary([0x20, 0x11, 0, 12], &four), None, "the balancer speaks for itself");
        assert_eq!(binary([0x21, 0x11, 0, 4], &four[..4]), None, "the ports are missing");
        assert_eq!(binary([0x21, 0x31, 0, 12], &four), None, "a path of UNIX");
        let six = [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[1], &[7; 16], &[0, 7, 0, 8]].concat();
        assert_eq!(binary([0x21, 0x21, 0, 36], &six).as_deref(), Some("[2001:db8::1]:7"));
    }

    #[test]
    fn requests_and_answers_of_proxies_are_read_by_their_first_line() {
        let target = |text: &'static str| target_of(text.as_bytes());
        assert_eq!(target("CONNECT turn.example.org:3478 HTTP/1.1\r\nHost: x\r\n\r\n"), Some("turn.example.org:3478"));
        assert_eq!(target("CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n"), Some("[2001:db8::1]:443"));
        for other in ["GET / HTTP/1.1\r\n", "CONNECT turn.example.org:3478", "CONNECT nowhere HTTP/1.1\r\n", "CONNECT "]
        {
            assert_eq!(target(other), None, "{other}");
        }
        let status = |text: &'static str| status_of(text.as_bytes());
        assert_eq!(status("HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status("HTTP/1.0 407 Proxy Authentication Required\r\n"), Some(407));
        for other in ["HTTP/2 200", "HTTP/1.1 2", "HTTP/1.1 abc", "HTTP/1.1 999 x", ""] {
            assert_eq!(status(other), None, "{other}");
        }
    }
}
