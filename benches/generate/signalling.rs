//! Nothing but STUN: many clients that log in at TURN servers, keep their allocations for a while and leave. Some lose packets,
//! some have the password wrong, some get no answer at all, some are told that their nonce is stale or their peer forbidden.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::options::Options;
use super::output::{Output, Path};
use super::random::{Random, mix};
use super::stun::{self, Class, Id, Message, User};

const FLOWS_PER_GIB: u64 = 178_000;
const USERS: u32 = 1000;
/// What a packet costs in a pcap file and how many a transaction takes, both on average: they size the clients' stay.
const PCAP_BYTES_PER_PACKET: u64 = 146;
const PACKETS_PER_100_TRANSACTIONS: u64 = 203;
/// One client more every 4 ms, one operation of each every 6 s: some 10,000 packets a second.
const ARRIVAL_US: u64 = 4_000;
const PAUSE_MS: (u64, u64) = (2_000, 10_000);
/// RFC 8489 §6.2.1: first wait and number of transmissions.
const FIRST_WAIT_MS: u64 = 500;
const TRANSMISSIONS: u8 = 7;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Operation {
    Bind,
    AllocateBare,
    Allocate,
    Permit,
    Channel,
    Refresh,
    Release,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    Granted,
    Challenged,
    Stale,
    Forbidden,
    Silent,
}

/// One transaction and where it stands; ordered by time, then by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time_us: u64,
    order: u64,
    client: u32,
    answer: bool,
    attempt: u8,
    /// Copies of the request that do not reach the server.
    lost: u8,
    /// The first answer is lost behind the point of capture: the client asks again and is answered again.
    unheard: bool,
    operation: Operation,
    fate: Fate,
    id: Id,
}

struct Client {
    nonce: u64,
    operations_left: u32,
    steps: u32,
    refusals: u8,
}

struct Signalling {
    random: Random,
    users: Vec<User>,
    clients: Vec<Client>,
    events: BinaryHeap<Reverse<Event>>,
    order: u64,
    live: u32,
    flows: u32,
    mean_operations: u64,
    message: Message,
}

pub(crate) fn generate(options: &Options, output: &mut Output) {
    let flows = options.flows_or_scaled(FLOWS_PER_GIB);
    let packets = options.size / PCAP_BYTES_PER_PACKET;
    let mut scene = Signalling {
        random: Random::new(options.seed),
        users: (0..USERS).map(User::numbered).collect(),
        clients: Vec::with_capacity(flows as usize),
        events: BinaryHeap::new(),
        order: 0,
        live: 0,
        flows,
        // A little more than fits, so that the file is full before everyone has left.
        mean_operations: (packets * 102 / PACKETS_PER_100_TRANSACTIONS / u64::from(flows)).max(6),
        message: Message::new(),
    };
    while !output.full() {
        let arrival = scene.clients.len() as u64 * ARRIVAL_US;
        let next = scene.events.peek().map(|event| event.0.time_us);
        if scene.clients.len() < flows as usize && next.is_none_or(|time| arrival <= time) {
            scene.arrive(arrival);
        } else if let Some(Reverse(event)) = scene.events.pop() {
            output.now_us = event.time_us;
            if event.answer { scene.answer(output, event) } else { scene.request(output, event) }
        } else {
            // Everyone left before the size was reached (tiny files): the last client takes up again.
            let last = flows - 1;
            scene.live += 1;
            scene.begin(output.now_us + 1000, last, Operation::Bind);
        }
    }
}

impl Signalling {
    fn arrive(&mut self, time_us: u64) {
        let operations_left = self.random.between(self.mean_operations * 7 / 10, self.mean_operations * 13 / 10) as u32;
        let client = self.clients.len() as u32;
        self.clients.push(Client { nonce: self.random.next(), operations_left, steps: 0, refusals: 0 });
        self.live += 1;
        self.begin(time_us, client, Operation::Bind);
    }

    /// A new transaction: its id and its fate are cast at once.
    fn begin(&mut self, time_us: u64, client: u32, operation: Operation) {
        let random = &mut self.random;
        let fate = match operation {
            _ if is_blocked(client) => Fate::Silent,
            Operation::Bind => Fate::Granted,
            Operation::AllocateBare => Fate::Challenged,
            Operation::Allocate if is_mistaken(client) => Fate::Challenged,
            Operation::Allocate | Operation::Release => Fate::Granted,
            _ if random.chance(4, 100) => Fate::Stale,
            Operation::Permit if random.chance(2, 100) => Fate::Forbidden,
            _ => Fate::Granted,
        };
        let lost = if random.chance(15, 1000) { random.between(1, 2) as u8 } else { 0 };
        let unheard = lost == 0 && random.chance(5, 1000);
        let id = random.bytes();
        let event = Event { time_us, order: 0, client, answer: false, attempt: 0, lost, unheard, operation, fate, id };
        self.schedule(event);
    }

    fn schedule(&mut self, event: Event) {
        self.order += 1;
        self.events.push(Reverse(Event { order: self.order, ..event }));
    }

    fn request(&mut self, output: &mut Output, event: Event) {
        self.write_request(&event);
        if !output.stun(path(event.client), &self.message, None) {
            return;
        }
        if event.attempt == 0 {
            output.truth.transactions += 1;
            output.truth.udp_flows +=
                u64::from(event.operation == Operation::Bind && self.clients[event.client as usize].steps == 0);
        } else {
            output.truth.retransmissions += 1;
        }
        let again = Event {
            time_us: event.time_us + ((FIRST_WAIT_MS * 1000) << event.attempt),
            attempt: event.attempt + 1,
            ..event
        };
        if event.fate == Fate::Silent {
            if again.attempt < TRANSMISSIONS {
                self.schedule(again);
            } else {
                self.clients[event.client as usize].steps += 1;
                self.live -= 1;
            }
        } else if event.attempt < event.lost {
            self.schedule(again);
        } else {
            let round_trip = self.random.between(800, 60_000);
            self.schedule(Event { time_us: event.time_us + round_trip, answer: true, ..event });
        }
    }

    fn answer(&mut self, output: &mut Output, event: Event) {
        self.write_answer(&event);
        if !output.stun(path(event.client).back(), &self.message, None) {
            return;
        }
        output.truth.answered += u64::from(event.attempt == event.lost);
        if event.unheard && event.attempt == 0 {
            let time_us = event.time_us + FIRST_WAIT_MS * 1000;
            self.schedule(Event { time_us, answer: false, attempt: 1, ..event });
        } else {
            self.advance(event);
        }
    }

    /// What the client does after an answer.
    fn advance(&mut self, event: Event) {
        let everyone_came = self.clients.len() == self.flows as usize;
        let few_left = self.live <= (self.flows / 50).max(8);
        let client = &mut self.clients[event.client as usize];
        client.steps += 1;
        client.operations_left = client.operations_left.saturating_sub(1);
        let soon = event.time_us + self.random.between(1_000, 50_000);
        let later = event.time_us + self.random.between(PAUSE_MS.0, PAUSE_MS.1) * 1000;
        let next = match (event.operation, event.fate) {
            (Operation::Release, _) => None,
            (Operation::Allocate, Fate::Challenged) => {
                client.refusals += 1;
                (client.refusals < 3).then_some((later, Operation::Allocate))
            }
            (operation, Fate::Stale) => {
                client.nonce = mix(client.nonce);
                Some((soon, operation))
            }
            (Operation::Bind, _) if client.steps == 1 => Some((soon, Operation::AllocateBare)),
            (Operation::AllocateBare, _) => Some((soon, Operation::Allocate)),
            (Operation::Allocate, _) => Some((soon, Operation::Permit)),
            (Operation::Permit, _) if client.steps <= 4 => Some((soon, Operation::Channel)),
            // The last ones stay until the file is full.
            _ if client.operations_left == 0 && !(everyone_came && few_left) => Some((later, Operation::Release)),
            _ => Some((
                later,
                match self.random.below(100) {
                    0..35 => Operation::Refresh,
                    35..70 => Operation::Permit,
                    70..90 => Operation::Channel,
                    _ => Operation::Bind,
                },
            )),
        };
        match next {
            Some((time_us, operation)) => self.begin(time_us, event.client, operation),
            None => self.live -= 1,
        }
    }

    fn write_request(&mut self, event: &Event) {
        let client = &self.clients[event.client as usize];
        let user = &self.users[event.client as usize % self.users.len()];
        let message = self.message.start(Class::Request, method(event.operation), event.id);
        match event.operation {
            Operation::Bind => {}
            Operation::AllocateBare | Operation::Allocate => {
                message.attribute(stun::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
            }
            Operation::Permit => {
                message.xor_address(stun::XOR_PEER_ADDRESS, peer(event.client));
            }
            Operation::Channel => {
                message.attribute(stun::CHANNEL_NUMBER, &[0x40, 0, 0, 0]);
                message.xor_address(stun::XOR_PEER_ADDRESS, peer(event.client));
            }
            Operation::Refresh | Operation::Release => {
                message.attribute(stun::LIFETIME, &lifetime(event.operation));
            }
        }
        if !matches!(event.operation, Operation::Bind | Operation::AllocateBare) {
            let key = if is_mistaken(event.client) { &user.wrong } else { &user.key };
            message.login(user, &hex(client.nonce), key);
        }
        if event.client.is_multiple_of(2) {
            message.fingerprint();
        }
    }

    fn write_answer(&mut self, event: &Event) {
        let client = &self.clients[event.client as usize];
        let user = &self.users[event.client as usize % self.users.len()];
        let class = if event.fate == Fate::Granted { Class::Success } else { Class::Error };
        let message = self.message.start(class, method(event.operation), event.id);
        message.attribute(stun::SOFTWARE, b"Generated server 1.0.0");
        match event.fate {
            Fate::Challenged => {
                message.error_code(401, "Unauthorized").attribute(stun::REALM_ATTRIBUTE, stun::REALM.as_bytes());
                message.attribute(stun::NONCE, &hex(client.nonce));
            }
            Fate::Stale => {
                message.error_code(438, "Stale Nonce").attribute(stun::REALM_ATTRIBUTE, stun::REALM.as_bytes());
                message.attribute(stun::NONCE, &hex(mix(client.nonce)));
            }
            Fate::Forbidden => {
                message.error_code(403, "Forbidden IP").integrity(&user.key);
            }
            _ => match event.operation {
                Operation::Bind => {
                    message.xor_address(stun::XOR_MAPPED_ADDRESS, path(event.client).from);
                }
                Operation::AllocateBare | Operation::Allocate => {
                    message.xor_address(stun::XOR_RELAYED_ADDRESS, relayed(event.client));
                    message.xor_address(stun::XOR_MAPPED_ADDRESS, path(event.client).from);
                    message.attribute(stun::LIFETIME, &600u32.to_be_bytes()).integrity(&user.key);
                }
                Operation::Refresh | Operation::Release => {
                    message.attribute(stun::LIFETIME, &lifetime(event.operation)).integrity(&user.key);
                }
                Operation::Permit | Operation::Channel => {
                    message.integrity(&user.key);
                }
            },
        }
        if event.client.is_multiple_of(3) {
            message.fingerprint();
        }
    }
}

fn method(operation: Operation) -> u16 {
    match operation {
        Operation::Bind => stun::BINDING,
        Operation::AllocateBare | Operation::Allocate => stun::ALLOCATE,
        Operation::Permit => stun::CREATE_PERMISSION,
        Operation::Channel => stun::CHANNEL_BIND,
        Operation::Refresh | Operation::Release => stun::REFRESH,
    }
}

fn lifetime(operation: Operation) -> [u8; 4] {
    if operation == Operation::Release { [0; 4] } else { 600u32.to_be_bytes() }
}

/// One client in 200 gets no answer to anything.
fn is_blocked(client: u32) -> bool {
    client % 200 == 77
}

/// One client in 50 has the password wrong.
fn is_mistaken(client: u32) -> bool {
    client % 50 == 13
}

/// Four clients behind each address; one in 33 by IPv6, one in ten with a VLAN tag.
fn path(client: u32) -> Path {
    let port = 49_152 + (mix(u64::from(client)) % 4096) as u16 * 4 + (client % 4) as u16;
    let (host, server) = (client / 4, client % 4 + 1);
    let vlan = (client % 10 == 1).then_some(100);
    let (from, to) = if client.is_multiple_of(33) {
        let network = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, (host >> 16) as u16, host as u16);
        ((network, port).into(), (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, server as u16), 3478).into())
    } else {
        ((Ipv4Addr::from(0x0A00_0100 + host), port).into(), (Ipv4Addr::new(192, 0, 2, server as u8), 3478).into())
    };
    Path { from, to, vlan }
}

fn relayed(client: u32) -> SocketAddr {
    SocketAddr::new(path(client).to.ip(), 49_152 + (client % 16_384) as u16)
}

fn peer(client: u32) -> SocketAddr {
    (Ipv4Addr::new(198, 51, 100, (client % 250) as u8 + 1), 40_000 + (client % 20_000) as u16).into()
}

fn hex(number: u64) -> [u8; 16] {
    let mut out = [0; 16];
    for (place, digit) in out.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (60 - 4 * place)) as usize & 15];
    }
    out
}
