//! Addresses and the roles they play.
//!
//! A client, a server, a peer, a mapped and a relayed address are all an [`Endpoint`], and mixing them up is the classic mistake
//! of TURN code. Each role is therefore a type of its own.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

/// What IP carries, by the numbers of IANA.
pub mod protocol {
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
}

/// An IP address and a port, in 24 bytes, `Option` included, that hash as one word for IPv4.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    high: u64,
    low: u64,
    /// Bit 0 is set, bit 1 says IPv6, the port follows from bit 8 on.
    tail: NonZeroU32,
}

const V6: u32 = 2;

/// 0.0.0.0:0, where there is no address yet.
impl Default for Endpoint {
    fn default() -> Self {
        Endpoint::v4([0; 4], 0)
    }
}

fn tail(v6: bool, port: u16) -> NonZeroU32 {
    NonZeroU32::MIN | (u32::from(port) << 8 | if v6 { V6 } else { 0 })
}

impl Endpoint {
    /// The endpoint of an IPv4 address.
    #[must_use]
    #[inline]
    pub fn v4(ip: [u8; 4], port: u16) -> Self {
        Endpoint { high: 0, low: u64::from(u32::from_be_bytes(ip)), tail: tail(false, port) }
    }

    /// The endpoint of an IPv6 address.
    #[must_use]
    #[inline]
    pub fn v6(ip: [u8; 16], port: u16) -> Self {
        let bits = u128::from_be_bytes(ip);
        #[allow(clippy::cast_possible_truncation)] // the two halves
        Endpoint { high: (bits >> 64) as u64, low: bits as u64, tail: tail(true, port) }
    }

    /// The endpoint of any address.
    #[must_use]
    #[inline]
    pub fn new(ip: IpAddr, port: u16) -> Self {
        match ip {
            IpAddr::V4(ip) => Endpoint::v4(ip.octets(), port),
            IpAddr::V6(ip) => Endpoint::v6(ip.octets(), port),
        }
    }

    /// The address without the port.
    #[must_use]
    #[inline]
    pub fn ip(&self) -> IpAddr {
        if self.is_v6() {
            IpAddr::V6(Ipv6Addr::from_bits(u128::from(self.high) << 64 | u128::from(self.low)))
        } else {
            #[allow(clippy::cast_possible_truncation)] // an IPv4 endpoint is built from 32 bits
            IpAddr::V4(Ipv4Addr::from_bits(self.low as u32))
        }
    }

    /// The port; 0 where the protocol has none.
    #[must_use]
    #[inline]
    pub fn port(&self) -> u16 {
        (self.tail.get() >> 8) as u16
    }

    /// The same address with another port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Endpoint { tail: tail(self.is_v6(), port), ..self }
    }

    /// Whether the address is an IPv6 one.
    #[must_use]
    #[inline]
    pub fn is_v6(&self) -> bool {
        self.tail.get() & V6 != 0
    }

    /// An IPv4 address and its port in one word, no two the same; `None` for an IPv6 address, which does not fit.
    #[must_use]
    #[inline]
    pub fn word(&self) -> Option<u64> {
        (!self.is_v6()).then_some(self.low | u64::from(self.tail.get()) << 32)
    }

    /// A few bits that depend on address and port, to pass over by a table what is not in it; not fit for a hash table by itself.
    #[must_use]
    #[inline]
    pub fn mixed(&self) -> u64 {
        (self.high ^ self.low.rotate_left(16) ^ u64::from(self.tail.get())).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// How far the address reaches.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of(self.ip())
    }
}

impl Ord for Endpoint {
    /// IPv4 sorts before IPv6, then by address, then by port.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |end: &Endpoint| (end.is_v6(), end.high, end.low, end.tail);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Endpoint {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    /// Every packet asks which of its ends is the lower one: for IPv4 that is one comparison.
    #[inline]
    fn le(&self, other: &Self) -> bool {
        if self.is_v6() || other.is_v6() {
            return self.cmp(other) != Ordering::Greater;
        }
        let key = |end: &Endpoint| end.low << 32 | u64::from(end.tail.get());
        key(self) <= key(other)
    }
}

impl Hash for Endpoint {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.is_v6() {
            state.write_u64(self.high);
            state.write_u64(self.low);
            state.write_u32(self.tail.get());
        } else {
            state.write_u64(self.low | u64::from(self.tail.get()) << 32);
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Endpoint::new(address.ip(), address.port())
    }
}

impl fmt::Display for Endpoint {
    /// `192.0.2.1:3478`, `[2001:db8::1]:3478`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpAddr::V4(ip) = self.ip() else { return fmt::Display::fmt(&SocketAddr::new(self.ip(), self.port()), f) };
        // a report holds thousands of addresses: written from the last digit to the first, without a formatter for each number
        let (mut text, mut free) = ([0; 21], 21);
        let mut put = |byte: u8| {
            free -= 1;
            if let Some(slot) = text.get_mut(free) {
                *slot = byte;
            }
        };
        let [a, b, c, d] = ip.octets().map(u16::from);
        for (mut number, before) in
            [(self.port(), Some(b':')), (d, Some(b'.')), (c, Some(b'.')), (b, Some(b'.')), (a, None)]
        {
            while {
                put(b'0' + (number % 10) as u8);
                number /= 10;
                number > 0
            } {}
            before.into_iter().for_each(&mut put);
        }
        f.pad(text.get(free..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far an address reaches (IANA special-purpose address registries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Reachable from the Internet at large, as far as the number tells.
    Public,
    /// RFC 1918, and unique local addresses of RFC 4193.
    Private,
    /// 100.64.0.0/10, between a provider and its customers (RFC 6598).
    Shared,
    /// 127.0.0.0/8 and ::1.
    Loopback,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// 0.0.0.0 and ::.
    Unspecified,
}

/// Whether a time to live or hop limit is one that systems send with: a packet that still has it was captured next to its sender.
#[must_use]
pub fn is_unrouted(ttl: u8) -> bool {
    matches!(ttl, 64 | 128 | 255)
}

impl Scope {
    /// The scope of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Scope {
        match without_nat64(ip) {
            IpAddr::V4(ip) => Scope::of_v4(ip),
            IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => Scope::of_v4(ip),
                None if ip.is_unspecified() => Scope::Unspecified,
                None if ip.is_loopback() => Scope::Loopback,
                None if ip.is_multicast() => Scope::Multicast,
                None if ip.is_unicast_link_local() => Scope::LinkLocal,
                None if ip.is_unique_local() => Scope::Private,
                None => Scope::Public,
            },
        }
    }

    /// Whether an address of this scope names no host that another one could reach.
    #[must_use]
    pub fn leads_nowhere(self) -> bool {
        !matches!(self, Scope::Public | Scope::Private | Scope::Shared)
    }

    fn of_v4(ip: Ipv4Addr) -> Scope {
        let [a, b, _, _] = ip.octets();
        match () {
            () if ip.is_unspecified() => Scope::Unspecified,
            () if ip.is_loopback() => Scope::Loopback,
            () if ip.is_private() => Scope::Private,
            () if a == 100 && b & 0xc0 == 64 => Scope::Shared,
            () if ip.is_link_local() => Scope::LinkLocal,
            () if ip.is_multicast() => Scope::Multicast,
            () if ip.is_broadcast() => Scope::Broadcast,
            () => Scope::Public,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Public => "public",
            Scope::Private => "private",
            Scope::Shared => "shared (100.64/10)",
            Scope::Loopback => "loopback",
            Scope::LinkLocal => "link-local",
            Scope::Multicast => "multicast",
            Scope::Broadcast => "broadcast",
            Scope::Unspecified => "unspecified",
        })
    }
}

macro_rules! role {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Endpoint);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+};
}

role! {
    /// Where a client sends from, as seen at the capture point (host transport address or what a NAT made of it).
    ClientAddress,
    /// Where a STUN or TURN server was asked.
    ServerAddress,
    /// What a server says a client's address is: XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
    MappedAddress,
    /// What a TURN server lent a client: XOR-RELAYED-ADDRESS (RFC 8656 §18.5).
    RelayedAddress,
    /// Whom a client talks to through a relay: XOR-PEER-ADDRESS (RFC 8656 §18.3).
    PeerAddress,
}

impl RelayedAddress {
    /// Whether anything can be sent to it at all: it names one host and a port.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.0.port() != 0 && !matches!(self.0.scope(), Scope::Unspecified | Scope::Multicast | Scope::Broadcast)
    }
}

/// Addresses that share their leading bits; also a single one, of which all bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    ip: IpAddr,
    /// Leading bits that count: up to 32 or 128.
    prefix: u8,
}

impl Network {
    /// This address alone.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        Network { ip, prefix: if ip.is_ipv4() { 32 } else { 128 } }
    }

    /// The network of a host as networks of hosts mostly are: a /24, or a /64.
    #[must_use]
    pub fn around(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Network { ip: Ipv4Addr::from_bits(ip.to_bits() >> 8 << 8).into(), prefix: 24 },
            IpAddr::V6(ip) => Network { ip: Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(), prefix: 64 },
        }
    }

    /// Reads `172.16.0.0/12`, `2001:db8::/32` or a single address; `None` where it is neither, or where more bits are to count than there are.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let whole = Network::of(ip.parse().ok()?);
        let prefix = prefix.map_or(Some(whole.prefix), |prefix| prefix.parse().ok())?;
        (prefix <= whole.prefix).then_some(Network { prefix, ..whole })
    }

    /// Whether an address is in it. One of the other version of IP never is.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
            IpAddr::V6(ip) => ip.to_bits(),
        };
        // of no bits at all the shift has no result
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
        self.ip.is_ipv4() == ip.is_ipv4() && bits(self.ip) & mask == bits(ip) & mask
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// Whether two hosts are in one network as far as their addresses tell.
#[must_use]
pub fn are_neighbours(one: IpAddr, other: IpAddr) -> bool {
    Network::around(without_nat64(one)) == Network::around(without_nat64(other))
}

/// The IPv4 address that one of the prefix which all NAT64s may use stands for (64:ff9b::/96, RFC 6052 §2.1); any other as it is.
#[must_use]
pub fn without_nat64(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(whole) = ip else { return ip };
    let [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] = whole.octets() else { return ip };
    Ipv4Addr::new(a, b, c, d).into()
}

/// What carries messages between a client and its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Plain UDP.
    #[default]
    Udp,
    /// Plain TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// DTLS over UDP.
    Dtls,
}

impl Transport {
    /// Whether messages follow each other in a stream of bytes, over TCP, instead of coming in datagrams of their own.
    #[must_use]
    #[inline]
    pub fn is_stream(self) -> bool {
        matches!(self, Transport::Tcp | Transport::Tls)
    }

    /// As sentences write it: `UDP`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Dtls => "DTLS",
        }
    }

    /// The word for it in JSON, tables and text: `udp`, `tcp`, `tls`, `dtls`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Dtls => "dtls",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_print_as_socket_addresses() {
        assert_eq!(Endpoint::v4([192, 0, 2, 1], 3478).to_string(), "192.0.2.1:3478");
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(Endpoint::new(v6, 3478).to_string(), "[2001:db8::1]:3478");
        assert_eq!(Endpoint::new(v6, 1).ip(), v6);
    }

    #[test]
    fn the_quick_comparison_of_ends_agrees_with_the_order() {
        let v6 = |last: u8| Endpoint::v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last], 3478);
        let v4 = |last: u8, port: u16| Endpoint::v4([10, 0, 0, last], port);
        let ends = [v4(1, 1), v4(1, 2), v4(1, 65_535), v4(2, 0), v4(255, 1), Endpoint::v4([255; 4], 9), v6(1), v6(2)];
        for one in &ends {
            for other in &ends {
                assert_eq!(one <= other, one.cmp(other) != Ordering::Greater, "{one} {other}");
            }
        }
    }

    #[test]
    fn addresses_of_all_lengths_print_as_the_standard_library_does() {
        for number in (0..=u32::MAX).step_by(16_777_259) {
            let address = SocketAddr::new(IpAddr::from(number.to_be_bytes()), (number >> 7) as u16 >> (number % 16));
            assert_eq!(Endpoint::from(address).to_string(), address.to_string());
            assert_eq!(format!("{:>24}|", Endpoint::from(address)), format!("{address:>24}|"));
        }
    }

    #[test]
    fn a_network_holds_what_shares_its_leading_bits() {
        let holds = |network: &str, ip: &str| Network::parse(network).unwrap().contains(ip.parse().unwrap());
        assert!(holds("172.16.0.0/12", "172.31.255.255") && !holds("172.16.0.0/12", "172.32.0.0"));
        assert!(holds("2001:db8::/33", "2001:db8:7fff::1") && !holds("2001:db8::/33", "2001:db8:8000::1"));
        assert!(holds("192.0.2.1", "192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        assert!(holds("2001:db8::1/128", "2001:db8::1") && !holds("2001:db8::1", "2001:db8::2"));
        assert!(holds("0.0.0.0/0", "203.0.113.1") && !holds("0.0.0.0/0", "::1"), "of one version of IP");
        for no in ["", "/8", "192.0.2.0/", "192.0.2.0/33", "::/129", "192.0.2.0/-1", "192.0.2.0/8/8", "example.org"] {
            assert_eq!(Network::parse(no), None, "{no}");
        }
    }

    #[test]
    fn scopes_follow_the_special_purpose_registries() {
        for (ip, scope) in [
            ("8.8.8.8", Scope::Public),
            ("172.31.0.1", Scope::Private),
            ("172.32.0.1", Scope::Public),
            ("100.64.0.1", Scope::Shared),
            ("100.128.0.1", Scope::Public),
            ("127.1.2.3", Scope::Loopback),
            ("0.0.0.0", Scope::Unspecified),
            ("224.0.0.251", Scope::Multicast),
            ("fe80::1", Scope::LinkLocal),
            ("fd00::1", Scope::Private),
            ("::ffff:10.0.0.1", Scope::Private),
            ("2001:db8::1", Scope::Public),
        ] {
            assert_eq!(Scope::of(ip.parse().unwrap()), scope, "{ip}");
        }
    }
}
