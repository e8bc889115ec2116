"""Cases about what a relay passes on and what it does not, and about allocations that nobody ends."""

import struct
import time

import frames
import stun
from cases_authentication import small_call, small_client
from cases_rebuilt import REBUILT, some
from catalog import AGREED, ALLOCATED, CHANNEL_IN, SMALL, case, code
from frames import Host
from lab import CLIENT, PASSWORD, PEER, SERVER, USER, Lab
from stun import ERROR, INDICATION, REQUEST, SUCCESS, Client, Message, Stream

SEND_OUT = "stun.type == 0x0016 && udp.dstport == 3478"


def send(client, peer, port, number):
    message = Message(INDICATION, stun.SEND).address(stun.XOR_PEER_ADDRESS, peer, port)
    client.sock.sendto(message.add(stun.DATA, struct.pack("!I", number) + b"to the peer").encode(), client.server)


@case(
    "relay-silent",
    SMALL,
    "a firewall lets nothing through to the relay's ports: data leaves through the relay, and nothing ever comes back",
    "turn-relay-silent failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, (SEND_OUT, 12)],
    ["stun.type == 0x0017"],
)
def relay_silent(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        lab.drop("core", "udp dport 24000-29999")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.allocate()
            client.permission(PEER)
            for number in range(12):
                send(client, PEER, 3480, number)
                time.sleep(0.5)
            lab.murmur(2)


@case(
    "permission-missing",
    SMALL,
    "the client sends to its peer without ever asking for a permission: the server drops it all without a word",
    "turn-permission-missing failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, (SEND_OUT, 12)],
    ["stun.type == 0x0008", "stun.type == 0x0017"],
)
def permission_missing(out):
    with small_call(out) as (lab, client):
        for number in range(12):
            send(client, PEER, 3480, number)
            time.sleep(0.3)
        lab.murmur(2)


@case(
    "permission-missing-peer",
    SMALL,
    "captured at the server: the client asks for a permission for an address that its peer no longer has, and the peer's checks reach the relay in vain",
    "turn-permission-missing failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, "stun.type == 0x0108", (f"stun.type == 0x0001 && ip.src == {PEER}", 12)],
    ["stun.type == 0x0017", f"ip.dst == {PEER}"],
)
def permission_missing_peer(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        with lab.capture("server", out / "capture.pcapng"):
            client = small_client(lab)
            relay = client.allocate().get_address(stun.XOR_RELAYED_ADDRESS)
            client.permission("172.16.91.20")
            peer = lab.udp("peer", PEER)
            for number in range(12):
                check = Message(REQUEST, stun.BINDING, some(f"check {number}", 12)).add(stun.USERNAME, "bX7q:kP2s")
                check.add(0x0024, struct.pack("!I", 0x6E0001FF)).add(0x8029, some("tie-breaker", 8))  # PRIORITY, ICE-CONTROLLED
                peer.sendto(check.sign(b"w0rqKpYxT3sVfJm8LzAe1uHd").fingerprint().encode(), relay)
                time.sleep(0.5)
            client.refresh(0)
            time.sleep(0.2)


@case(
    "channel-mismatch",
    SMALL,
    "the client binds one channel and sends on the next: the server knows no such channel",
    "turn-channel-mismatch failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, "stun.type == 0x0109", ("stun.channel == 0x4002", 12)],
    ["stun.type == 0x0017", CHANNEL_IN],
)
def channel_mismatch(out):
    with small_call(out) as (lab, client):
        client.channel(0x4001, PEER, 3480)
        for number in range(12):
            client.send_channel(0x4002, struct.pack("!I", number) + b"to nobody")
            time.sleep(0.3)
        lab.murmur(2)


@case(
    "data-after-expiry",
    SMALL,
    "the client gives its allocation up with Refresh 0, and goes on sending through it for five seconds",
    "turn-data-after-expiry warning",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, CHANNEL_IN, "stun.type == 0x0104"],
)
def data_after_expiry(out):
    with small_call(out) as (lab, client):
        client.channel(0x4001, PEER, 3480)
        for number in range(3):
            client.send_channel(0x4001, struct.pack("!I", number) + b"over the relay")
            client.sock.settimeout(1)
            client.sock.recv(2048)
            time.sleep(0.05)
        client.refresh(0)
        time.sleep(1)
        for number in range(20):
            client.send_channel(0x4001, struct.pack("!I", number) + b"over nothing")
            time.sleep(0.25)
        lab.murmur(1)


@case(
    "allocation-leaked",
    SMALL,
    "the client talks through its relay and then falls silent without giving it up: it stays on the server for its ten minutes",
    "healthy",
    ["turn-challenge", "turn-allocation-leaked"],
    AGREED,
    [ALLOCATED, CHANNEL_IN],
    ["stun.type == 0x0004"],
)
def allocation_leaked(out):
    with small_call(out) as (lab, client):
        client.permission(PEER)
        client.channel(0x4001, PEER, 3480)
        client.send_channel(0x4001, b"over the relay")
        client.sock.settimeout(1)
        client.sock.recv(2048)
        lab.murmur(55)


@case(
    "peer-connect-failed",
    SMALL,
    "a relay for TCP (RFC 6062): nothing listens at the peer's port, and the Connect gets 447",
    "turn-peer-connect-failed failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, code(447)],
    ["stun.type == 0x010a"],
)
def peer_connect_failed(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            client = Client(Stream(lab.tcp("client", CLIENT, (SERVER, 3478))), (SERVER, 3478), USER, PASSWORD)
            client.allocate(transport=stun.TCP)
            client.ask(client.request(stun.CONNECT, (stun.XOR_PEER_ADDRESS, PEER, 3481)), (40,))
            lab.murmur(2)


class Wire:
    """Client and server with a router between them, told frame by frame: the same bytes at every recording."""

    def __init__(self, name, client, server, start=1_767_225_600_000_000_000):
        self.name, self.now, self.frames, self.ids = name, start, [], 0
        self.router = "00:1b:54:c2:8e:40"
        self.client = Host(client, "02:00:00:00:00:0a", 64, 0x2A10)
        self.server = Host(server, self.router, 57, 0x91C4)

    def out(self, after, port, message):
        self.now += after * 1_000_000
        payload = message if isinstance(message, bytes) else message.encode()
        self.frames.append((self.now, frames.udp(self.client, port, self.server.address, 3478, payload, self.router)))

    def back(self, after, port, message):
        self.now += after * 1_000_000
        self.frames.append((self.now, frames.udp(self.server, 3478, self.client.address, port, message.encode(), self.client.hardware)))

    def request(self, method, key=None, nonce=None):
        self.ids += 1
        message = Message(REQUEST, method, some(f"{self.name} {self.ids}", 12))
        if method == stun.ALLOCATE:
            message.add(stun.REQUESTED_TRANSPORT, stun.UDP)
        if key:
            message.add(stun.USERNAME, USER).add(stun.REALM, "example.org").add(stun.NONCE, nonce).sign(key)
        return message

    def challenged(self, port):
        asked = self.request(stun.ALLOCATE)
        self.out(1, port, asked)
        answer = Message(ERROR, stun.ALLOCATE, asked.transaction).error(401, "Unauthenticated")
        self.back(20, port, answer.add(stun.REALM, "example.org").add(stun.NONCE, "f3a1"))

    def granted(self, asked, relayed, mapped, key):
        answer = Message(SUCCESS, stun.ALLOCATE, asked.transaction).address(stun.XOR_RELAYED_ADDRESS, *relayed)
        return answer.address(stun.XOR_MAPPED_ADDRESS, *mapped).add(stun.LIFETIME, struct.pack("!I", 600)).sign(key)

    def ended(self, port, key):
        asked = self.request(stun.REFRESH).add(stun.LIFETIME, bytes(4))
        self.out(50, port, asked.add(stun.USERNAME, USER).add(stun.REALM, "example.org").add(stun.NONCE, "f3a1").sign(key))
        self.back(20, port, Message(SUCCESS, stun.REFRESH, asked.transaction).add(stun.LIFETIME, bytes(4)).sign(key))

    def save(self, out):
        (out / "capture.pcapng").write_bytes(frames.pcapng(self.frames, "Rebuilt frame by frame from the description of a case, not recorded"))


REBUILT_HERE = REBUILT.replace("cases_rebuilt", "cases_relay")
KEY = stun.long_term_key(USER, "example.org", PASSWORD)


@case(
    "mapped-private",
    REBUILT_HERE,
    "a proxy before the server hides its clients: a server in the open sees the client at 10.20.0.7",
    "turn-mapped-private warning",
    ["turn-challenge"],
    [{"label": "turnuser", "username": USER, "password": PASSWORD}],
    [ALLOCATED, "stun.att.ipv4 == 10.20.0.7"],
)
def mapped_private(out):
    wire = Wire("mapped", "198.51.100.23", "203.0.113.1")
    wire.challenged(50612)
    asked = wire.request(stun.ALLOCATE, KEY, "f3a1")
    wire.out(1, 50612, asked)
    wire.back(20, 50612, wire.granted(asked, ("203.0.113.1", 49170), ("10.20.0.7", 33102), KEY))
    wire.ended(50612, KEY)
    wire.save(out)


@case(
    "retransmission-rejected",
    REBUILT_HERE,
    "captured at the server: its success is lost on the way to the client, and the repeated request, the same byte for byte, gets 437",
    "turn-retransmission-rejected failure",
    ["turn-challenge"],
    [{"label": "turnuser", "username": USER, "password": PASSWORD}],
    [code(437), ALLOCATED],
)
def retransmission_rejected(out):
    wire = Wire("again", "198.51.100.23", "203.0.113.1")
    for port in (50620, 50621):
        wire.challenged(port)
        asked = wire.request(stun.ALLOCATE, KEY, "f3a1")
        wire.out(1, port, asked)
        # this answer is lost beyond the capture
        wire.back(20, port, wire.granted(asked, ("203.0.113.1", port), ("198.51.100.23", port), KEY))
        wire.out(500, port, asked)
        wire.back(20, port, Message(ERROR, stun.ALLOCATE, asked.transaction).error(437, "Allocation Mismatch").sign(KEY))
        wire.now += 2_000_000_000
    wire.save(out)
