//! A capture under construction, with a clock: what is said on the wire, in order, in sentences.

use std::net::{IpAddr, SocketAddr};

use super::packet::{self, Ip, Place, TcpFlags};
use super::payload;
use super::stun::{Login, Stun, method};

/// 2026-01-01T00:00:00Z, the start of every scene unless it says otherwise.
pub const NEW_YEAR: u64 = 1_767_225_600;

/// A capture under construction. Times are milliseconds (or microseconds) since its start; frames are numbered from 1, as
/// Wireshark counts them. Each address has its own IPv4 identifications, as a host would.
pub struct Scene {
    start_s: u64,
    now_us: u64,
    vlans: Vec<u16>,
    snap: usize,
    frames: Vec<Captured>,
    identifications: Vec<(IpAddr, u16)>,
    far: Vec<IpAddr>,
    transactions: u64,
}

struct Captured {
    time_us: u64,
    bytes: Vec<u8>,
    whole: usize,
}

/// A datagram that was sent: what answers, retransmissions and ICMP errors are made from.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The frame's number, from 1.
    pub frame: u64,
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// The UDP payload.
    pub payload: Vec<u8>,
    /// The whole IP packet, for quoting.
    pub packet: Vec<u8>,
}

impl Sent {
    /// The transaction id as lower-case hex, for a payload that is a STUN message with cookie.
    pub fn transaction_id(&self) -> String {
        self.payload[8..20].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Why a router or host did not pass a packet on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icmp {
    PortUnreachable,
    HostUnreachable,
    NetworkUnreachable,
    Prohibited,
    /// Fragmentation needed (packet too big), with the MTU.
    TooBig(u16),
    TimeExceeded,
}

impl Icmp {
    /// Type, code and the header's second word, for IPv4 (RFC 792, 1812) or IPv6 (RFC 4443).
    fn numbers(self, v4: bool) -> (u8, u8, u32) {
        match (self, v4) {
            (Self::PortUnreachable, true) => (3, 3, 0),
            (Self::HostUnreachable, true) => (3, 1, 0),
            (Self::NetworkUnreachable, true) => (3, 0, 0),
            (Self::Prohibited, true) => (3, 13, 0),
            (Self::TooBig(mtu), true) => (3, 4, mtu.into()),
            (Self::TimeExceeded, true) => (11, 0, 0),
            (Self::PortUnreachable, false) => (1, 4, 0),
            (Self::HostUnreachable, false) => (1, 3, 0),
            (Self::NetworkUnreachable, false) => (1, 0, 0),
            (Self::Prohibited, false) => (1, 1, 0),
            (Self::TooBig(mtu), false) => (2, 0, mtu.into()),
            (Self::TimeExceeded, false) => (3, 0, 0),
        }
    }
}

/// One ICE agent's credentials and tie-breaker.
#[derive(Clone, Debug)]
pub struct IceSide {
    pub ufrag: String,
    pub password: String,
    pub tie_breaker: u64,
}

impl IceSide {
    pub fn new(ufrag: &str, password: &str, tie_breaker: u64) -> Self {
        Self { ufrag: ufrag.into(), password: password.into(), tie_breaker }
    }
}

/// The clock, and what is captured how.
impl Scene {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            start_s: NEW_YEAR,
            now_us: 0,
            vlans: Vec::new(),
            snap: 262_144,
            frames: Vec::new(),
            identifications: Vec::new(),
            far: Vec::new(),
            transactions: 0,
        }
    }

    /// A scene that starts at `seconds` since 1970.
    pub fn starting_at(seconds: u64) -> Self {
        Self { start_s: seconds, ..Self::new() }
    }

    /// From now on frames bear these VLAN tags, the outermost first.
    pub fn on_vlans(&mut self, ids: &[u16]) -> &mut Self {
        self.vlans = ids.to_vec();
        self
    }

    /// From now on only the first `length` bytes of a frame are kept.
    pub fn snap_length(&mut self, length: usize) -> &mut Self {
        self.snap = length;
        self
    }

    /// From now on the packets of a host have passed routers when they are captured: their TTL is lower than any host sends with.
    pub fn far_away(&mut self, host: impl Place) -> &mut Self {
        self.far.push(host.place().ip());
        self
    }

    /// Sets the clock; it may go back.
    pub fn at_ms(&mut self, milliseconds: u64) -> &mut Self {
        self.at_us(milliseconds * 1000)
    }

    /// Lets the transaction ids begin elsewhere, for a scene that is to be merged with another.
    pub fn with_other_ids(&mut self) -> &mut Self {
        self.transactions += 1 << 32;
        self
    }

    pub fn at_us(&mut self, microseconds: u64) -> &mut Self {
        self.now_us = microseconds;
        self
    }

    pub fn after_ms(&mut self, milliseconds: u64) -> &mut Self {
        self.after_us(milliseconds * 1000)
    }

    pub fn after_us(&mut self, microseconds: u64) -> &mut Self {
        self.now_us += microseconds;
        self
    }

    /// Puts all frames so far in the order of their times, for stories that were told one after the other and go on at once.
    pub fn in_order(&mut self) -> &mut Self {
        self.frames.sort_by_key(|frame| frame.time_us);
        self
    }

    /// The number of the last frame, which is also how many there are.
    pub fn last_frame(&self) -> u64 {
        self.frames.len() as u64
    }
}

/// Any packet.
impl Scene {
    /// A frame as it is.
    pub fn frame(&mut self, bytes: &[u8]) -> u64 {
        let kept = &bytes[..bytes.len().min(self.snap)];
        self.frames.push(Captured { time_us: self.now_us, bytes: kept.to_vec(), whole: bytes.len() });
        self.last_frame()
    }

    /// An IP packet, in Ethernet.
    pub fn packet(&mut self, packet: &[u8]) -> u64 {
        let frame = packet::ethernet(packet, &self.vlans);
        self.frame(&frame)
    }

    pub fn udp(&mut self, from: impl Place, to: impl Place, payload: impl Into<Vec<u8>>) -> Sent {
        let (from, to, payload) = (from.place(), to.place(), payload.into());
        let packet = packet::udp(from, to, self.ip(from.ip()), &payload);
        let frame = self.packet(&packet);
        Sent { frame, from, to, payload, packet }
    }

    /// A UDP datagram in IPv4 fragments of `size` bytes, of which `keep` says which arrive; the first frame's number.
    pub fn udp_in_fragments(
        &mut self,
        from: impl Place,
        to: impl Place,
        payload: &[u8],
        size: usize,
        keep: impl Fn(usize) -> bool,
    ) -> u64 {
        let (from, to) = (from.place(), to.place());
        let whole = packet::udp(from, to, self.ip(from.ip()), payload);
        let first = self.last_frame() + 1;
        for (place, fragment) in packet::fragments(&whole, size).iter().enumerate() {
            if keep(place) {
                self.packet(fragment);
            }
        }
        first
    }

    pub fn tcp(
        &mut self,
        from: impl Place,
        to: impl Place,
        (seq, ack): (u32, u32),
        flags: TcpFlags,
        payload: &[u8],
    ) -> u64 {
        let (from, to) = (from.place(), to.place());
        let packet = packet::tcp(from, to, self.ip(from.ip()), seq, ack, flags, payload);
        self.packet(&packet)
    }

    /// An ICMP error by `router` to the sender of `about`, quoting it as seen at `about`'s capture point.
    pub fn icmp(&mut self, router: &str, kind: Icmp, about: &Sent) -> u64 {
        let router: IpAddr = router.parse().expect("an IP address");
        let (kind, code, rest) = kind.numbers(router.is_ipv4());
        let packet = packet::icmp_error(router, self.ip(router), kind, code, rest, &about.packet);
        self.packet(&packet)
    }

    /// Port unreachable, the commonest of them.
    pub fn icmp_unreachable(&mut self, router: &str, about: &Sent) -> u64 {
        self.icmp(router, Icmp::PortUnreachable, about)
    }

    /// The router answers a host that asked for its hardware address (ARP): the capture holds what is sent to this host.
    pub fn resolved(&mut self, host: impl Place) -> u64 {
        let IpAddr::V4(host) = host.place().ip() else { panic!("ARP is of IPv4") };
        let mut frame = vec![0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2];
        frame.extend([0x02, 0, 0, 0, 0, 0x02, 192, 0, 2, 254, 0x02, 0, 0, 0, 0, 0x01]);
        frame.extend(host.octets());
        self.frame(&frame)
    }

    /// The frame of `sent` once more, the same to the byte, as a mirror port that copies both directions shows it.
    pub fn mirrored_copy(&mut self, sent: &Sent) -> u64 {
        self.packet(&sent.packet)
    }

    /// The same payload sent again by the same sender: a new IP packet.
    pub fn retransmit(&mut self, sent: &Sent) -> Sent {
        self.udp(sent.from, sent.to, sent.payload.clone())
    }

    /// The same payload as a NAT or relay passes it on, between other addresses.
    pub fn forwarded(&mut self, sent: &Sent, from: impl Place, to: impl Place) -> Sent {
        self.udp(from, to, sent.payload.clone())
    }

    fn ip(&mut self, sender: IpAddr) -> Ip {
        let place = match self.identifications.iter().position(|(address, _)| *address == sender) {
            Some(place) => place,
            None => {
                self.identifications.push((sender, (self.identifications.len() as u16).wrapping_mul(1000)));
                self.identifications.len() - 1
            }
        };
        self.identifications[place].1 += 1;
        let ttl = if self.far.contains(&sender) { 57 } else { Ip::default().ttl };
        Ip { id: self.identifications[place].1, ttl }
    }
}

/// STUN.
impl Scene {
    /// A message; one without a transaction id gets the scene's next.
    pub fn send(&mut self, from: impl Place, to: impl Place, message: Stun) -> Sent {
        let message = if message.has_transaction() { message } else { message.tid(self.next_transaction()) };
        self.udp(from, to, message.bytes())
    }

    /// A success response to `request`, back the way it came.
    pub fn succeed(&mut self, request: &Sent, fill: impl FnOnce(Stun) -> Stun) -> Sent {
        self.udp(request.to, request.from, fill(Stun::success_to(&request.payload)).bytes())
    }

    /// An error response to `request`, back the way it came.
    pub fn refuse(&mut self, request: &Sent, code: u16, reason: &str) -> Sent {
        self.refuse_with(request, code, reason, |error| error)
    }

    /// The same with more in it.
    pub fn refuse_with(&mut self, request: &Sent, code: u16, reason: &str, fill: impl FnOnce(Stun) -> Stun) -> Sent {
        self.udp(request.to, request.from, fill(Stun::error_to(&request.payload, code, reason)).bytes())
    }

    /// An error response with REALM and NONCE: 401 or 438.
    pub fn challenge(&mut self, request: &Sent, code: u16, reason: &str, realm: &str, nonce: &str) -> Sent {
        self.refuse_with(request, code, reason, |error| error.realm(realm).nonce(nonce))
    }

    /// `request` sent `copies` times in all by RFC 8489 §6.2.1 (500 ms, doubled each time); the clock stands at the last.
    pub fn send_repeatedly(&mut self, from: impl Place, to: impl Place, message: Stun, copies: u32) -> Vec<Sent> {
        let first = self.send(from, to, message);
        let mut sent = vec![first];
        for copy in 1..copies {
            self.after_ms(500 << (copy - 1));
            let again = self.retransmit(&sent[0]);
            sent.push(again);
        }
        sent
    }

    fn next_transaction(&mut self) -> [u8; 12] {
        self.transactions += 1;
        let mut id = *b"scene\0\0\0\0\0\0\0";
        id[4..].copy_from_slice(&self.transactions.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        id
    }
}

/// TURN, told in sentences. A server answers 10 ms after each request, and signs with the login that it is given.
impl Scene {
    /// A client asks for an allocation without credentials; the request.
    pub fn allocate(&mut self, client: impl Place, server: impl Place) -> Sent {
        self.send(client, server, Stun::request(method::ALLOCATE).requested_transport(17))
    }

    /// A client asks without credentials and is challenged with 401: the request and the challenge.
    pub fn allocate_challenge(
        &mut self,
        client: impl Place,
        server: impl Place,
        realm: &str,
        nonce: &str,
    ) -> (Sent, Sent) {
        let request = self.allocate(client, server);
        let challenge = self.after_ms(10).challenge(&request, 401, "Unauthorized", realm, nonce);
        (request, challenge)
    }

    /// A client asks for an allocation with credentials; the request.
    pub fn allocate_as(&mut self, client: impl Place, server: impl Place, login: &Login, nonce: &str) -> Sent {
        self.send(client, server, Stun::request(method::ALLOCATE).requested_transport(17).signed(login, nonce))
    }

    /// The server grants an allocation: mapped is the address that it saw, unless a NAT is played by answering by hand.
    pub fn allocate_granted(&mut self, request: &Sent, relayed: impl Place, seconds: u32, login: &Login) -> Sent {
        let mapped = request.from;
        self.succeed(request, |success| {
            success.xor_relayed(relayed).xor_mapped(mapped).lifetime(seconds).integrity(login.key())
        })
    }

    /// Challenge, retry and success; the retry and the success.
    pub fn allocation(
        &mut self,
        client: impl Place,
        server: impl Place,
        login: &Login,
        nonce: &str,
        relayed: impl Place,
    ) -> (Sent, Sent) {
        let (client, server) = (client.place(), server.place());
        self.allocate_challenge(client, server, &login.realm, nonce);
        let retry = self.after_ms(10).allocate_as(client, server, login, nonce);
        let success = self.after_ms(10).allocate_granted(&retry, relayed, 600, login);
        (retry, success)
    }

    /// A client asks for a permission for `peer`; the request.
    pub fn create_permission(
        &mut self,
        client: impl Place,
        server: impl Place,
        login: &Login,
        nonce: &str,
        peer: impl Place,
    ) -> Sent {
        self.send(client, server, Stun::request(method::CREATE_PERMISSION).xor_peer(peer).signed(login, nonce))
    }

    /// A client binds `channel` to `peer`; the request.
    pub fn channel_bind(
        &mut self,
        client: impl Place,
        server: impl Place,
        login: &Login,
        nonce: &str,
        (channel, peer): (u16, &str),
    ) -> Sent {
        let request = Stun::request(method::CHANNEL_BIND).channel_number(channel).xor_peer(peer);
        self.send(client, server, request.signed(login, nonce))
    }

    /// A client asks to keep its allocation `seconds` longer, or with 0 gives it up; the request.
    pub fn refresh(
        &mut self,
        client: impl Place,
        server: impl Place,
        login: &Login,
        nonce: &str,
        seconds: u32,
    ) -> Sent {
        self.send(client, server, Stun::request(method::REFRESH).lifetime(seconds).signed(login, nonce))
    }

    /// The server says yes to a permission, a channel or (with `lifetime`) a refresh.
    pub fn granted(&mut self, request: &Sent, lifetime: Option<u32>, login: &Login) -> Sent {
        self.succeed(request, |success| match lifetime {
            Some(seconds) => success.lifetime(seconds).integrity(login.key()),
            None => success.integrity(login.key()),
        })
    }

    /// What a client sends to `peer` before it has a channel.
    pub fn send_indication(
        &mut self,
        client: impl Place,
        server: impl Place,
        peer: impl Place,
        data: impl AsRef<[u8]>,
    ) -> Sent {
        self.send(client, server, Stun::indication(method::SEND).xor_peer(peer).data(data))
    }

    /// What comes from `peer` before the client has a channel.
    pub fn data_indication(
        &mut self,
        server: impl Place,
        client: impl Place,
        peer: impl Place,
        data: impl AsRef<[u8]>,
    ) -> Sent {
        self.send(server, client, Stun::indication(method::DATA).xor_peer(peer).data(data))
    }

    pub fn channel_data(&mut self, from: impl Place, to: impl Place, channel: u16, data: impl AsRef<[u8]>) -> Sent {
        self.udp(from, to, payload::channel_data(channel, data))
    }
}

/// ICE.
impl Scene {
    /// A connectivity check by `asker`, who is controlling or not, on `answerer`; the request. `dress` may add USE-CANDIDATE
    /// or more, before integrity and fingerprint.
    pub fn ice_check(
        &mut self,
        from: impl Place,
        to: impl Place,
        (asker, answerer): (&IceSide, &IceSide),
        controlling: bool,
        dress: impl FnOnce(Stun) -> Stun,
    ) -> Sent {
        let check = ice_check(asker, answerer, controlling, dress);
        self.send(from, to, check)
    }

    /// The answer to a check, by the agent that was asked.
    pub fn ice_answer(&mut self, check: &Sent, answerer: &IceSide) -> Sent {
        let mapped = check.from;
        self.succeed(check, |success| success.xor_mapped(mapped).integrity_short_term(&answerer.password).fingerprint())
    }
}

/// A connectivity check as a message, for wrapping into ChannelData or a Send indication.
pub fn ice_check(asker: &IceSide, answerer: &IceSide, controlling: bool, dress: impl FnOnce(Stun) -> Stun) -> Stun {
    let check =
        Stun::request(method::BINDING).username(format!("{}:{}", answerer.ufrag, asker.ufrag)).priority(0x6E00_01FF);
    let check = if controlling { check.controlling(asker.tie_breaker) } else { check.controlled(asker.tie_breaker) };
    dress(check).integrity_short_term(&answerer.password).fingerprint()
}

/// The capture.
impl Scene {
    /// Each frame: nanoseconds since 1970, the bytes kept, and how long it was on the wire.
    pub fn frames(&self) -> impl Iterator<Item = (u64, &[u8], usize)> {
        self.frames.iter().map(|frame| {
            let nanoseconds = self.start_s * 1_000_000_000 + frame.time_us * 1000;
            (nanoseconds, frame.bytes.as_slice(), frame.whole)
        })
    }

    /// A pcap file: little-endian, microseconds, Ethernet.
    pub fn pcap(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(0xA1B2_C3D4_u32.to_le_bytes());
        out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend((self.snap as u32).to_le_bytes());
        out.extend(1u32.to_le_bytes());
        for (nanoseconds, bytes, whole) in self.frames() {
            out.extend(((nanoseconds / 1_000_000_000) as u32).to_le_bytes());
            out.extend(((nanoseconds % 1_000_000_000 / 1000) as u32).to_le_bytes());
            out.extend((bytes.len() as u32).to_le_bytes());
            out.extend((whole as u32).to_le_bytes());
            out.extend(bytes);
        }
        out
    }

    /// A pcapng file: one little-endian section, one Ethernet interface, nanoseconds.
    pub fn pcapng(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut header = 0x1A2B_3C4D_u32.to_le_bytes().to_vec();
        header.extend([1, 0, 0, 0]);
        header.extend([0xFF; 8]);
        block(&mut out, 0x0A0D_0D0A, &header);
        let mut interface = vec![1, 0, 0, 0];
        interface.extend((self.snap as u32).to_le_bytes());
        interface.extend([9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]); // if_tsresol 9, end of options
        block(&mut out, 1, &interface);
        for (nanoseconds, bytes, whole) in self.frames() {
            let mut body = vec![0, 0, 0, 0];
            body.extend(((nanoseconds >> 32) as u32).to_le_bytes());
            body.extend((nanoseconds as u32).to_le_bytes());
            body.extend((bytes.len() as u32).to_le_bytes());
            body.extend((whole as u32).to_le_bytes());
            body.extend(bytes);
            body.resize(body.len().next_multiple_of(4), 0);
            block(&mut out, 6, &body);
        }
        out
    }
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() as u32 + 12).to_le_bytes();
    out.extend(kind.to_le_bytes());
    out.extend(length);
    out.extend(body);
    out.extend(length);
}
