//! TCP connections in a scene: who says what, with the sequence numbers that belong to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::degrade::{self, Shot};
use super::packet::{self, ACK, FIN, Ip, PSH, RST, SYN};
use super::scene::Scene;
use super::stun::{Login, Stun, method};
use turnscope::frame::Seen;
use turnscope::net::Endpoint;
use turnscope::packet::{Segment, TcpFlags};
use turnscope::stream::{Connection, Counts, Framing, Item, Limits, Streams};
use turnscope::time::Timestamp;

/// One connection. It keeps the sequence numbers; the scene keeps the clock.
#[derive(Clone, Debug)]
pub struct Tcp {
    pub client: String,
    pub server: String,
    /// The next sequence number of the client, and of the server.
    pub seq: [u32; 2],
}

impl Tcp {
    /// A connection that was opened before the scene.
    pub fn running(client: &str, server: &str) -> Self {
        Tcp { client: client.to_owned(), server: server.to_owned(), seq: [1000, 9000] }
    }

    /// A connection that is opened, 10 ms for each of the three segments.
    pub fn open(scene: &mut Scene, client: &str, server: &str) -> Self {
        let mut connection = Tcp::running(client, server);
        connection.syn(scene);
        let [of_client, of_server] = connection.seq;
        scene.after_ms(10).tcp(server, client, (of_server, of_client), SYN | ACK, &[]);
        connection.seq[1] = of_server.wrapping_add(1);
        scene.after_ms(10).tcp(client, server, (of_client, connection.seq[1]), ACK, &[]);
        connection
    }

    /// The client's SYN; gives its frame.
    pub fn syn(&mut self, scene: &mut Scene) -> u64 {
        let frame = self.syn_again(scene);
        self.seq[0] = self.seq[0].wrapping_add(1);
        frame
    }

    /// A SYN with the client's number as it stands.
    fn syn_again(&self, scene: &mut Scene) -> u64 {
        scene.tcp(self.client.as_str(), self.server.as_str(), (self.seq[0], 0), SYN, &[])
    }

    /// A SYN that is repeated as Linux does, after 1, 3 and 7 seconds, and never answered.
    pub fn knock(scene: &mut Scene, client: &str, server: &str) -> Vec<u64> {
        let connection = Tcp::running(client, server);
        let mut frames = vec![connection.syn_again(scene)];
        for pause in [1000, 2000, 4000] {
            frames.push(connection.syn_again(scene.after_ms(pause)));
        }
        frames
    }

    /// A SYN that is answered by a reset; gives the frames of both.
    pub fn refused(scene: &mut Scene, client: &str, server: &str) -> [u64; 2] {
        let mut connection = Tcp::running(client, server);
        let syn = connection.syn(scene);
        [syn, scene.after_ms(5).tcp(server, client, (0, connection.seq[0]), RST | ACK, &[])]
    }

    /// A segment of the client (0) or of the server (1); gives its frame.
    pub fn say(&mut self, scene: &mut Scene, side: usize, bytes: &[u8]) -> u64 {
        self.segment(scene, side, PSH | ACK, bytes)
    }

    /// A request of the client and, 10 ms later, its answer.
    pub fn ask(&mut self, scene: &mut Scene, request: &Stun, answer: impl FnOnce(&[u8]) -> Stun) -> [u64; 2] {
        let request = request.bytes();
        let asked = self.say(scene, 0, &request);
        [asked, self.say(scene.after_ms(10), 1, &answer(&request).bytes())]
    }

    /// Challenge, retry and success: an allocation for this transport, for 600 seconds.
    pub fn allocate(&mut self, scene: &mut Scene, login: &Login, relayed: &str, transport: u8) {
        let request = || Stun::request(method::ALLOCATE).requested_transport(transport);
        let first = self.port() as u8;
        self.ask(scene, &request().tid([first; 12]), |asked| {
            Stun::error_to(asked, 401, "Unauthorized").realm(&login.realm).nonce("n")
        });
        let mapped = self.client.clone();
        self.ask(scene.after_ms(10), &request().tid([first ^ 0x80; 12]).signed(login, "n"), |asked| {
            Stun::success_to(asked)
                .xor_relayed(relayed)
                .xor_mapped(mapped.as_str())
                .lifetime(600)
                .integrity(login.key())
        });
    }

    fn port(&self) -> u16 {
        self.client.parse::<SocketAddr>().unwrap().port()
    }

    /// Both ends close, the one on this side first.
    pub fn close(&mut self, scene: &mut Scene, side: usize) {
        for side in [side, 1 - side] {
            self.fin(scene, side);
        }
    }

    /// The end on this side closes its direction.
    pub fn fin(&mut self, scene: &mut Scene, side: usize) {
        self.segment(scene, side, FIN | ACK, &[]);
        self.seq[side] = self.seq[side].wrapping_add(1);
    }

    /// The end on this side resets the connection.
    pub fn reset(&mut self, scene: &mut Scene, side: usize) -> u64 {
        self.segment(scene, side, RST | ACK, &[])
    }

    /// The end on this side resets the connection, or else closes it and the other end follows.
    pub fn end(&mut self, scene: &mut Scene, side: usize, reset: bool) {
        if reset {
            self.reset(scene, side);
        } else {
            self.close(scene, side);
        }
    }

    fn segment(&mut self, scene: &mut Scene, side: usize, flags: u8, bytes: &[u8]) -> u64 {
        let (from, to) = if side == 0 { (&self.client, &self.server) } else { (&self.server, &self.client) };
        let numbers = (self.seq[side], self.seq[1 - side]);
        self.seq[side] = self.seq[side].wrapping_add(u32::try_from(bytes.len()).unwrap());
        scene.tcp(from.as_str(), to.as_str(), numbers, flags, bytes)
    }
}

/// The same shots with every UDP datagram to or from port 3478 as a TCP segment, ChannelData padded, behind a handshake of a connection that opens
/// with its first message. What is repeated over UDP is left out: TCP does that itself.
pub fn over_tcp(shots: &[Shot]) -> Vec<Shot> {
    let of_server = |from: SocketAddr, to: SocketAddr| from.port() == 3478 || to.port() == 3478;
    over(shots, of_server, |mut payload| {
        if payload.first().is_some_and(|first| first & 0xc0 == 0x40) {
            payload.resize(payload.len().next_multiple_of(4), 0);
        }
        payload
    })
}

/// The same shots with every UDP datagram in a frame of RFC 4571 over TCP, as between ICE agents (RFC 6544).
pub fn over_ice_tcp(shots: &[Shot]) -> Vec<Shot> {
    over(shots, |_, _| true, |payload| framed(&payload))
}

/// A message behind its length (RFC 4571).
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

fn over(
    shots: &[Shot],
    wanted: impl Fn(SocketAddr, SocketAddr) -> bool,
    frame: impl Fn(Vec<u8>) -> Vec<u8>,
) -> Vec<Shot> {
    let mut connections: BTreeMap<(SocketAddr, SocketAddr), [u32; 2]> = BTreeMap::new();
    let mut said: BTreeSet<(SocketAddr, SocketAddr, Vec<u8>)> = BTreeSet::new();
    let mut out = Vec::new();
    let mut id = 0;
    for shot in shots {
        let Some((from, to)) = degrade::ends(shot).filter(|(from, to)| wanted(*from, *to)) else {
            out.push(shot.clone());
            continue;
        };
        let payload = shot.bytes[42..].to_vec();
        let is_stun = payload.first().is_some_and(|first| *first < 4);
        if is_stun && !said.insert((from, to, payload.clone())) {
            continue;
        }
        let payload = frame(payload);
        let mut push = |from: SocketAddr, to: SocketAddr, seq, ack, flags, payload: &[u8], after: i64| {
            id += 1;
            let packet = packet::tcp(from, to, Ip { id, ..Ip::default() }, seq, ack, flags, payload);
            let bytes = packet::ethernet(&packet, &[]);
            out.push(Shot { ns: shot.ns.saturating_add_signed(after), whole: bytes.len(), bytes });
        };
        let ends = (from.min(to), from.max(to));
        let side = usize::from(from != ends.0);
        let seq = connections.entry(ends).or_insert_with(|| {
            push(from, to, 999, 0, SYN, &[], -3000);
            push(to, from, 999, 1000, SYN | ACK, &[], -2000);
            push(from, to, 1000, 1000, ACK, &[], -1000);
            [1000; 2]
        });
        push(from, to, seq[side], seq[1 - side], PSH | ACK, &payload, 0);
        seq[side] += u32::try_from(payload.len()).unwrap();
        push(to, from, seq[1 - side], seq[side], ACK, &[], 40_000);
    }
    out.sort_by_key(|shot| shot.ns);
    out
}

/// A segment on its way into [`read_streams`].
#[derive(Clone, Debug)]
pub struct Piece {
    pub time: Timestamp,
    pub src: Endpoint,
    pub dst: Endpoint,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub bytes: Vec<u8>,
    /// Bytes on the wire, if more than were captured.
    pub length: usize,
}

/// A message as it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    pub src: Endpoint,
    pub dst: Endpoint,
    pub frame: u64,
    pub bytes: Vec<u8>,
    pub truncated: bool,
    pub framing: Framing,
    pub unpadded: bool,
}

/// What came out of segments.
#[derive(Debug, Default)]
pub struct Read {
    pub out: Vec<Out>,
    pub connections: Vec<Connection>,
    pub counts: Counts,
}

impl Read {
    /// Whether nothing is said to be missing.
    pub fn whole(&self) -> bool {
        self.counts.gaps + self.counts.incomplete + self.counts.dropped == 0
    }
}

/// Puts segments together: frame `n` is the n-th of them. What waits stays within `limits`, and nothing stays at the end.
pub fn read_streams(pieces: &[Piece], limits: Limits) -> Read {
    let mut streams = Streams::new(limits);
    let mut read = Read::default();
    let mut each = |item: Item<'_>| match item {
        Item::Payload(payload) => read.out.push(Out {
            src: payload.src,
            dst: payload.dst,
            frame: payload.at.frame,
            bytes: payload.message.bytes.to_vec(),
            truncated: payload.message.truncated,
            framing: payload.message.framing,
            unpadded: payload.message.unpadded_before,
        }),
        Item::Connection(connection) => read.connections.push(*connection),
        Item::Secured(_) | Item::Proxied(_) => {}
    };
    for (number, piece) in (1u64..).zip(pieces) {
        let segment = Segment {
            src: piece.src,
            dst: piece.dst,
            seq: piece.seq,
            ack: piece.ack,
            flags: TcpFlags(piece.flags),
            window: 0,
            payload: &piece.bytes,
            length: u32::try_from(piece.length).unwrap(),
            truncated: piece.length > piece.bytes.len(),
            ip_id: 0,
            ttl: 64,
        };
        let at = Seen { frame: number, time: piece.time };
        streams.advance(at, &mut each);
        streams.segment(at, &segment, &mut each);
        let (_, held) = streams.size();
        assert!(held <= limits.total + (256 << 10), "{held} bytes wait");
    }
    streams.finish(&mut each);
    assert_eq!(streams.size(), (0, 0), "nothing stays");
    read.counts = *streams.counts();
    read
}
