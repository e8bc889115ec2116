//! One call: its login at the TURN server, its ICE checks, its DTLS hellos and its media, through a relay or directly.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::output::{Output, Path};
use super::random::Random;
use super::stun::{self, Class, Id, Key, Message, User};

const CONSENT_US: u64 = 5_000_000;
const REFRESH_US: u64 = 240_000_000;
/// Between two packets of one exchange.
const HOP_US: u64 = 180;

/// Which way the media of a call go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Through a relay, seen at the server: the client's side (ChannelData) and the peer's (bare).
    Relayed,
    /// Through a relay, seen at the client: ChannelData only.
    RelayedClientSide,
    Direct,
}

pub(crate) struct Call {
    route: Route,
    /// Client to TURN server, or to the peer where direct.
    near: Path,
    /// Relayed address to peer.
    far: Path,
    channel: u16,
    user: User,
    nonce: [u8; 16],
    /// Of the client's checks, and of the peer's.
    ice_users: [String; 2],
    ice_keys: [Key; 2],
    /// Whether the near and the far flow are in the file yet.
    seen: [bool; 2],
    random: Random,
    stage: u8,
    not_before_us: u64,
    lost_check: Option<Id>,
    next_consent_us: u64,
    next_refresh_us: u64,
    streams: [Stream; 2],
    message: Message,
}

#[derive(Clone, Copy, Default)]
struct Stream {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Call {
    pub(crate) fn new(number: u32, route: Route, seed: u64) -> Self {
        let mut random = Random::new(seed ^ (u64::from(number) << 20) ^ ((route as u64) << 60));
        let (near, far) = paths(number, route);
        let ufrags = [random.next(), random.next()].map(|word| format!("{:04x}", word as u16));
        let passwords = [random.next(), random.next()].map(|word| format!("{word:016x}{word:08x}"));
        let mut stream =
            || Stream { ssrc: random.next() as u32, sequence: random.next() as u16, timestamp: random.next() as u32 };
        let streams = [stream(), stream()];
        Self {
            route,
            near,
            far,
            channel: 0x4000 + (number % 16) as u16,
            user: User::numbered(number),
            nonce: format!("{:016x}", random.next()).into_bytes().try_into().unwrap(),
            // A request bears the other's ufrag first and is keyed by the other's password (RFC 8445 §7.2.2).
            ice_users: [format!("{}:{}", ufrags[1], ufrags[0]), format!("{}:{}", ufrags[0], ufrags[1])],
            ice_keys: [stun::short_term(passwords[1].as_bytes()), stun::short_term(passwords[0].as_bytes())],
            seen: [false; 2],
            random,
            stage: 0,
            not_before_us: 0,
            lost_check: None,
            next_consent_us: 0,
            next_refresh_us: 0,
            streams,
            message: Message::new(),
        }
    }

    /// True once the setup is done and media flow.
    pub(crate) fn is_running(&self) -> bool {
        self.stage >= 10
    }

    /// The call's next packets: one exchange of its setup, then media, with consent checks and refreshes in their time.
    pub(crate) fn tick(&mut self, output: &mut Output) {
        if output.now_us < self.not_before_us {
            return;
        }
        if !self.is_running() {
            self.set_up(output);
            return;
        }
        if output.now_us >= self.next_consent_us {
            self.next_consent_us = output.now_us + CONSENT_US + self.random.below(500_000);
            self.consent(output);
        }
        if output.now_us >= self.next_refresh_us {
            self.next_refresh_us = output.now_us + REFRESH_US;
            if self.route != Route::Direct {
                self.turn_exchange(output, stun::REFRESH);
            }
        }
        self.media(output, 0);
        self.media(output, 1);
    }

    /// A consent check each way (RFC 7675); one in 50 goes unanswered.
    pub(crate) fn consent(&mut self, output: &mut Output) {
        for side in [0, 1] {
            let id = self.random.bytes();
            self.check(output, side, id);
            if !self.random.chance(1, 50) {
                self.check_answer(output, side, id);
            }
        }
    }

    /// One packet of media from the client (0) or the peer (1), on each side of the relay that is seen.
    pub(crate) fn media(&mut self, output: &mut Output, from: usize) {
        let stream = &mut self.streams[from];
        let control = self.random.chance(1, 100);
        let video = self.random.chance(64, 100);
        let size = match (control, video) {
            (true, _) => self.random.between(60, 120),
            (_, true) => self.random.between(800, 1150),
            _ => self.random.between(90, 180),
        } as usize;
        let mut head = [0; 16];
        let kind = if control {
            200
        } else if video {
            96
        } else {
            111
        };
        head[4..6].copy_from_slice(&[0x80, kind]);
        if control {
            head[6..8].copy_from_slice(&((size / 4) as u16).to_be_bytes());
            head[8..12].copy_from_slice(&stream.ssrc.to_be_bytes());
        } else {
            stream.sequence = stream.sequence.wrapping_add(1);
            stream.timestamp = stream.timestamp.wrapping_add(960);
            head[6..8].copy_from_slice(&stream.sequence.to_be_bytes());
            head[8..12].copy_from_slice(&stream.timestamp.to_be_bytes());
            head[12..16].copy_from_slice(&stream.ssrc.to_be_bytes());
        }
        let copies = self.carry(output, from, &mut head, size);
        if control {
            output.truth.rtcp += copies.0 + copies.1;
        } else {
            output.truth.rtp += copies.0 + copies.1;
            output.truth.rtp_in_channel_data += copies.0;
        }
    }

    fn set_up(&mut self, output: &mut Output) {
        let stage = self.stage;
        self.stage += 1;
        self.not_before_us = output.now_us + 15_000;
        match stage {
            0 if self.route != Route::Direct => self.stun_exchange(output),
            1 if self.route != Route::Direct => self.challenge(output),
            2 if self.route != Route::Direct => self.turn_exchange(output, stun::ALLOCATE),
            3 if self.route != Route::Direct => self.turn_exchange(output, stun::CREATE_PERMISSION),
            4 if self.route != Route::Direct => self.turn_exchange(output, stun::CHANNEL_BIND),
            5 => self.first_check(output),
            6 => {
                let lost = self.lost_check.take();
                let id = lost.unwrap_or_else(|| self.random.bytes());
                let written = self.check(output, 0, id);
                if written && lost.is_some() {
                    output.truth.retransmissions += 1;
                    output.truth.transactions -= 1;
                }
                self.check_answer(output, 0, id);
            }
            7 => {
                let id = self.random.bytes();
                self.check(output, 1, id);
                self.check_answer(output, 1, id);
            }
            8 => self.dtls_hellos(output),
            9 => {
                self.dtls_filler(output, 0, 620);
                self.dtls_filler(output, 1, 560);
                self.next_consent_us = output.now_us + CONSENT_US;
                self.next_refresh_us = output.now_us + REFRESH_US;
            }
            _ => {}
        }
    }

    /// On one direct call in five the first check meets a closed firewall and is sent again.
    fn first_check(&mut self, output: &mut Output) {
        if self.route == Route::Direct && self.random.chance(1, 5) {
            let id = self.random.bytes();
            self.check(output, 0, id);
            self.lost_check = Some(id);
            self.not_before_us = output.now_us + 500_000;
        }
    }
}

/// STUN and TURN with the server.
impl Call {
    fn stun_exchange(&mut self, output: &mut Output) {
        let id = self.random.bytes();
        self.message.start(Class::Request, stun::BINDING, id);
        self.ask(output);
        self.message.start(Class::Success, stun::BINDING, id).xor_address(stun::XOR_MAPPED_ADDRESS, self.near.from);
        self.reply(output);
    }

    fn challenge(&mut self, output: &mut Output) {
        let id = self.random.bytes();
        self.message.start(Class::Request, stun::ALLOCATE, id).attribute(stun::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        self.ask(output);
        self.message
            .start(Class::Error, stun::ALLOCATE, id)
            .error_code(401, "Unauthorized")
            .attribute(stun::REALM_ATTRIBUTE, stun::REALM.as_bytes())
            .attribute(stun::NONCE, &self.nonce)
            .attribute(stun::SOFTWARE, b"Generated");
        self.reply(output);
    }

    fn turn_exchange(&mut self, output: &mut Output, method: u16) {
        let id = self.random.bytes();
        let message = self.message.start(Class::Request, method, id);
        match method {
            stun::ALLOCATE => message.attribute(stun::REQUESTED_TRANSPORT, &[17, 0, 0, 0]),
            stun::REFRESH => message.attribute(stun::LIFETIME, &600u32.to_be_bytes()),
            stun::CREATE_PERMISSION => message.xor_address(stun::XOR_PEER_ADDRESS, self.far.to),
            _ => {
                let [high, low] = self.channel.to_be_bytes();
                message
                    .attribute(stun::CHANNEL_NUMBER, &[high, low, 0, 0])
                    .xor_address(stun::XOR_PEER_ADDRESS, self.far.to)
            }
        };
        message.login(&self.user, &self.nonce, &self.user.key);
        self.ask(output);
        let message = self.message.start(Class::Success, method, id);
        if method == stun::ALLOCATE {
            message.xor_address(stun::XOR_RELAYED_ADDRESS, self.far.from);
            message.xor_address(stun::XOR_MAPPED_ADDRESS, self.near.from);
        }
        if matches!(method, stun::ALLOCATE | stun::REFRESH) {
            message.attribute(stun::LIFETIME, &600u32.to_be_bytes());
        }
        message.integrity(&self.user.key);
        self.reply(output);
    }

    fn ask(&mut self, output: &mut Output) {
        output.now_us += HOP_US;
        let written = output.stun(self.near, &self.message, None);
        output.truth.transactions += u64::from(written);
        self.count_flow(output, 0, written);
    }

    fn reply(&mut self, output: &mut Output) {
        output.now_us += HOP_US;
        output.truth.answered += u64::from(output.stun(self.near.back(), &self.message, None));
    }
}

/// ICE, DTLS and the way through the relay.
impl Call {
    /// A check by the client (0) or the peer (1).
    fn check(&mut self, output: &mut Output, side: usize, id: Id) -> bool {
        self.message
            .start(Class::Request, stun::BINDING, id)
            .attribute(stun::USERNAME, self.ice_users[side].as_bytes())
            .attribute(stun::PRIORITY, &0x6E00_01FFu32.to_be_bytes());
        if side == 0 {
            self.message.attribute(stun::ICE_CONTROLLING, &[7; 8]).attribute(stun::USE_CANDIDATE, &[]);
        } else {
            self.message.attribute(0x8029, &[9; 8]);
        }
        self.message.integrity(&self.ice_keys[side]).fingerprint();
        let written = self.relay_message(output, side);
        output.truth.transactions += u64::from(written);
        written
    }

    /// The answer to a check by `asker`.
    fn check_answer(&mut self, output: &mut Output, asker: usize, id: Id) {
        // Each sees the other where the relay stands, if there is one.
        let mapped = match (self.route, asker) {
            (Route::Direct, 0) => self.near.from,
            (Route::Direct, _) => self.near.to,
            (_, 0) => self.far.from,
            _ => self.far.to,
        };
        self.message.start(Class::Success, stun::BINDING, id).xor_address(stun::XOR_MAPPED_ADDRESS, mapped);
        self.message.integrity(&self.ice_keys[asker]).fingerprint();
        output.truth.answered += u64::from(self.relay_message(output, 1 - asker));
    }

    /// The message from the client (0) or the peer (1) on each side of the relay that is seen, in the order of its way.
    /// True when it was written at least once.
    fn relay_message(&mut self, output: &mut Output, from: usize) -> bool {
        output.now_us += HOP_US;
        let near = if from == 0 { self.near } else { self.near.back() };
        let far = if from == 0 { self.far } else { self.far.back() };
        let channel = (self.route != Route::Direct).then_some(self.channel);
        let mut copies = [(0, near, channel), (1, far, None)];
        copies.rotate_left(from);
        let seen_far = self.route == Route::Relayed;
        let mut any = false;
        for (flow, path, channel) in copies.into_iter().filter(|copy| copy.0 == 0 || seen_far) {
            let written = output.stun(path, &self.message, channel);
            self.count_flow(output, flow, written);
            any |= written;
            output.now_us += 20;
        }
        any
    }

    fn count_flow(&mut self, output: &mut Output, flow: usize, written: bool) {
        output.truth.udp_flows += u64::from(written && !self.seen[flow]);
        self.seen[flow] |= written;
    }

    /// A payload of `head[4..]` and filler, as [`Self::relay_message`] does it; `head` has room for the ChannelData header.
    /// How many were written as ChannelData, and how many bare.
    fn carry(&mut self, output: &mut Output, from: usize, head: &mut [u8], filler: usize) -> (u64, u64) {
        head[..2].copy_from_slice(&self.channel.to_be_bytes());
        let length = (head.len() - 4 + filler) as u16;
        head[2..4].copy_from_slice(&length.to_be_bytes());
        let near = if from == 0 { self.near } else { self.near.back() };
        let far = if from == 0 { self.far } else { self.far.back() };
        output.now_us += 30;
        if self.route == Route::Direct {
            return (0, u64::from(output.udp(near, &head[4..], filler)));
        }
        let mut bare = 0;
        if self.route == Route::Relayed && from == 1 {
            bare += u64::from(output.udp(far, &head[4..], filler));
            output.now_us += 20;
        }
        let wrapped = u64::from(output.udp(near, head, filler));
        output.truth.channel_data += wrapped;
        if self.route == Route::Relayed && from == 0 {
            output.now_us += 20;
            bare += u64::from(output.udp(far, &head[4..], filler));
        }
        (wrapped, bare)
    }

    fn dtls_hellos(&mut self, output: &mut Output) {
        let random: [u8; 32] = self.random.bytes();
        let mut hello = vec![0; 4];
        let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 14, 0, 5, 0, 2, 0, 1, 0];
        let body =
            [&[0xFE, 0xFD][..], &random, &[0, 0, 0, 4, 0xC0, 0x2B, 0xC0, 0x2F, 1, 0, 0, 17], &extensions].concat();
        hello.extend(handshake_record(1, 0xFEFF, &body));
        let copies = self.carry(output, 0, &mut hello, 0);
        output.truth.dtls_datagrams += copies.0 + copies.1;
        output.truth.dtls_client_hellos += copies.0 + copies.1;
        let random: [u8; 32] = self.random.bytes();
        let mut hello = vec![0; 4];
        let body = [&[0xFE, 0xFD][..], &random, &[0, 0xC0, 0x2B, 0, 0, 9], &extensions[8..]].concat();
        hello.extend(handshake_record(2, 0xFEFD, &body));
        let copies = self.carry(output, 1, &mut hello, 0);
        output.truth.dtls_datagrams += copies.0 + copies.1;
        output.truth.dtls_server_hellos += copies.0 + copies.1;
    }

    /// The rest of the handshake: one record of the next epoch each way, unreadable as it would be.
    fn dtls_filler(&mut self, output: &mut Output, from: usize, size: u16) {
        let mut head = vec![0, 0, 0, 0, 22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 1];
        head.extend(size.to_be_bytes());
        let copies = self.carry(output, from, &mut head, size.into());
        output.truth.dtls_datagrams += copies.0 + copies.1;
    }
}

fn handshake_record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    let mut out = vec![22];
    out.extend(version.to_be_bytes());
    out.extend([0; 8]);
    out.extend((body.len() as u16 + 12).to_be_bytes());
    out.extend([kind, 0, length[0], length[1], 0, 0, 0, 0, 0, 0, length[0], length[1]]);
    out.extend(body);
    out
}

/// One call in 20 by IPv6, one in ten with a VLAN tag.
fn paths(number: u32, route: Route) -> (Path, Path) {
    let vlan = (number % 10 == 3).then_some(200);
    let (low, port) = ((number % 250) as u16 + 1, 50_000 + (number % 10_000) as u16);
    let (client, server, peer) = if number % 20 == 7 {
        let host =
            |network: u16, low: u16| std::net::IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, low));
        (host(10 + route as u16, low), host(0, 9), host(20 + route as u16, low))
    } else {
        let third = (number / 250) as u8;
        let client = Ipv4Addr::new(10, 1 + route as u8, third, low as u8);
        let peer = Ipv4Addr::new(198, 18 + route as u8 % 2, third, low as u8);
        (client.into(), Ipv4Addr::new(192, 0, 2, 9).into(), peer.into())
    };
    let (client, peer) = (SocketAddr::new(client, port), SocketAddr::new(peer, port + 1));
    let relayed = SocketAddr::new(server, 24_000 + (number % 6_000) as u16);
    let to = if route == Route::Direct { peer } else { SocketAddr::new(server, 3478) };
    (Path { from: client, to, vlan }, Path { from: relayed, to: peer, vlan })
}
