"""The Expressway story, rebuilt frame by frame: the same bytes at every recording.

A Cisco Meeting Server (172.16.84.124) asks the TURN server of an Expressway-E at its static NAT address 10.88.246.156. The
password that was set for `turnuser` over the Meeting Server's API is not the one in the Expressway's local authentication
database. The server is of the draft family: it answers 431 "Integrity Check Failure", and signs that answer with its own key.
"""

import hashlib
import struct

import frames
import stun
from catalog import ALLOCATED, CHALLENGE, CHANNEL_IN, CHANNEL_OUT, case, code, credential
from frames import Host, Tcp
from stun import ERROR, INDICATION, REQUEST, SUCCESS, Message

API_PASSWORD = "cisco"
DATABASE_PASSWORD = "C1sco-Expw-2017"
USER = REALM = "turnuser"
START = 1_497_433_277_000_000_000  # 2017-06-14 09:41:17 UTC
EXPRESSWAY, EXPRESSWAY_NAME = "10.88.246.156", "expe.example.test"
GUEST, GUEST_PORT = "198.51.100.23", 61512
RELAYED_PORT = 24042
MEETING_ICE, GUEST_ICE = ("mS7k", "kq0Zt1vB8nHc4LwE2sYxRp"), ("gQ3d", "Vd5uJ9oTa6MiF1bWz8KeXr")
RESOLVER = "172.16.84.2"
REBUILT = "rebuilt frame by frame (`record/cases_rebuilt.py`)"


def some(what, size):
    """Bytes that look random and are always the same."""
    return b"".join(hashlib.sha256(f"{what} {part}".encode()).digest() for part in range(size // 32 + 1))[:size]


class Story:
    """The wire at the Meeting Server: what is told is appended, at times that only go on."""

    def __init__(self, server_password):
        self.client = Host("172.16.84.124", "00:50:56:a1:5c:7c", 64, 0x2A10)
        self.router = "00:1b:54:c2:8e:40"
        # What comes through the router carries its hardware address, and has lost hops.
        self.server = Host(EXPRESSWAY, self.router, 62, 0x91C4)
        self.resolver = Host(RESOLVER, "00:50:56:a1:02:02", 128, 0x0411)
        self.admin = Host("172.16.84.30", "00:50:56:a1:30:1e", 128, 0x77F0)
        self.desk = Host("172.16.84.201", "3c:52:82:11:fe:c9", 128, 0x1B00)
        self.server_key = stun.long_term_key(USER, REALM, server_password)
        self.client_key = stun.long_term_key(USER, REALM, API_PASSWORD)
        self.now, self.frames, self.ids = START, [], 0

    def after(self, microseconds, frame):
        # No network keeps time to the microsecond: a tenth more or less, the same at every recording.
        swing = int.from_bytes(some(f"swing {len(self.frames)}", 2), "big") / 65535 * 0.2 + 0.9
        self.now += int(microseconds * swing) * 1000
        self.frames.append((self.now, frame))

    def next_id(self):
        self.ids += 1
        return some(f"transaction {self.ids}", 12)

    # The TURN server and its client.

    def ask(self, microseconds, port, payload):
        self.after(microseconds, frames.udp(self.client, port, EXPRESSWAY, 3478, payload, self.router))

    def answer(self, microseconds, port, payload):
        self.after(microseconds, frames.udp(self.server, 3478, self.client.address, port, payload, self.client.hardware))

    def allocate_request(self):
        return Message(REQUEST, stun.ALLOCATE, self.next_id()).add(stun.REQUESTED_TRANSPORT, stun.UDP)

    def signed(self, message, nonce):
        return message.add(stun.USERNAME, USER).add(stun.REALM, REALM).add(stun.NONCE, nonce).sign(self.client_key)

    def challenge(self, port):
        """The first leg: no credentials, and the challenge. Gives the nonce."""
        nonce = some(f"nonce {self.ids}", 16).hex()
        asked = self.allocate_request()
        self.ask(1_400, port, asked.encode())
        answer = Message(ERROR, stun.ALLOCATE, asked.transaction).error(401, "Unauthorized")
        self.answer(9_830, port, answer.add(stun.REALM, REALM).add(stun.NONCE, nonce).encode())
        return nonce

    def refused_attempt(self, port, number=431, reason="Integrity Check Failure"):
        nonce = self.challenge(port)
        asked = self.signed(self.allocate_request(), nonce)
        self.ask(310, port, asked.encode())
        answer = Message(ERROR, stun.ALLOCATE, asked.transaction).error(number, reason)
        answer.add(stun.USERNAME, USER).add(stun.REALM, REALM).add(stun.NONCE, nonce)
        if number == 431:
            answer.sign(self.server_key)
        self.answer(10_120, port, answer.encode())

    def granted_session(self, port):
        nonce = self.challenge(port)
        asked = self.signed(self.allocate_request(), nonce)
        self.ask(310, port, asked.encode())
        answer = Message(SUCCESS, stun.ALLOCATE, asked.transaction).address(stun.XOR_RELAYED_ADDRESS, EXPRESSWAY, RELAYED_PORT)
        answer.address(stun.XOR_MAPPED_ADDRESS, self.client.address, port).add(stun.LIFETIME, struct.pack("!I", 600))
        self.answer(10_470, port, answer.sign(self.server_key).encode())

        self.transact(2_000_000, port, nonce, stun.CREATE_PERMISSION, lambda message: message.address(
            stun.XOR_PEER_ADDRESS, GUEST, 0))
        self.connectivity_checks(port)
        self.transact(8_000, port, nonce, stun.CHANNEL_BIND, lambda message: message.add(
            stun.CHANNEL_NUMBER, struct.pack("!HH", 0x4000, 0)).address(stun.XOR_PEER_ADDRESS, GUEST, GUEST_PORT))
        for number in range(8):
            self.ask(12_000, port, channel(self.voice("meeting", number)))
            self.answer(8_000, port, channel(self.voice("guest", number)))
        self.transact(900_000, port, nonce, stun.REFRESH, lambda message: message.add(stun.LIFETIME, bytes(4)), bytes(4))

    def transact(self, microseconds, port, nonce, method, fill, lifetime=None):
        """One authenticated request and its success."""
        asked = Message(REQUEST, method, self.next_id())
        fill(asked)
        self.ask(microseconds, port, self.signed(asked, nonce).encode())
        answer = Message(SUCCESS, method, asked.transaction)
        if lifetime is not None:
            answer.add(stun.LIFETIME, lifetime)
        self.answer(9_900, port, answer.sign(self.server_key).encode())

    def connectivity_checks(self, port):
        """ICE through the relay, a check each way: each signed with the receiver's password, and so is its answer."""
        out = self.check(GUEST_ICE, MEETING_ICE, controlling=True)
        self.ask(14_000, port, self.relayed(stun.SEND, out.encode()))
        self.answer(31_000, port, self.relayed(stun.DATA_METHOD, checked(out, GUEST_ICE, EXPRESSWAY, RELAYED_PORT)))
        back = self.check(MEETING_ICE, GUEST_ICE, controlling=False)
        self.answer(2_200, port, self.relayed(stun.DATA_METHOD, back.encode()))
        self.ask(400, port, self.relayed(stun.SEND, checked(back, MEETING_ICE, GUEST, GUEST_PORT)))

    def check(self, receiver, sender, controlling):
        role = 0x802A if controlling else 0x8029
        message = Message(REQUEST, stun.BINDING, self.next_id()).add(stun.USERNAME, f"{receiver[0]}:{sender[0]}")
        message.add(0x0024, struct.pack("!I", 0x6EFFFFFF if controlling else 0x6E7FFFFF)).add(role, some(f"role {role}", 8))
        if controlling:
            message.add(0x0025)
        return message.sign(receiver[1].encode()).fingerprint()

    def relayed(self, method, data):
        message = Message(INDICATION, method, self.next_id()).address(stun.XOR_PEER_ADDRESS, GUEST, GUEST_PORT)
        return message.add(stun.DATA, data).encode()

    def voice(self, who, number):
        ssrc = some(who, 4)
        return struct.pack("!BBHI", 0x80, 0, 4100 + number, 160 * (77 + number)) + ssrc + b"\xff" * 160

    # Whatever else is on the wire of a server room.

    def address_of(self, target, target_hardware, microseconds):
        self.after(microseconds, frames.arp(1, self.client, target))
        self.after(420, frames.arp(2, Host(target, target_hardware), self.client.address, self.client.hardware))

    def name_lookup(self):
        self.after(2_100, frames.udp(self.client, 42117, RESOLVER, 53, frames.dns(0x5D21, EXPRESSWAY_NAME), self.resolver.hardware))
        self.after(730, frames.udp(self.resolver, 53, self.client.address, 42117, frames.dns(0x5D21, EXPRESSWAY_NAME, EXPRESSWAY),
                                   self.client.hardware))

    def time_of_day(self):
        asked = b"\x23\x00\x06\xec" + bytes(36) + some("ntp", 8)
        self.after(61_000, frames.udp(self.client, 123, RESOLVER, 123, asked, self.resolver.hardware))
        answer = b"\x24\x03\x06\xe9" + some("ntp answer", 36) + some("ntp", 8)
        self.after(810, frames.udp(self.resolver, 123, self.client.address, 123, answer, self.client.hardware))

    def discovery(self):
        lines = ("M-SEARCH * HTTP/1.1", "HOST: 239.255.255.250:1900", 'MAN: "ssdp:discover"', "MX: 1", "ST: upnp:rootdevice", "", "")
        text = "\r\n".join(lines).encode()
        self.after(140_000, frames.udp(self.desk, 54301, "239.255.255.250", 1900, text, "01:00:5e:7f:ff:fa"))

    def admin_page(self, port, requests):
        """Somebody looks at the web page of the Meeting Server: TLS application data of no meaning."""
        wire = Tcp(self.admin, port, self.client, 443, (0x31B0_0000 + port, 0x90AA_0000 + port))
        self.after(23_000, wire.segment(self.admin, Tcp.SYN))
        self.after(40, wire.segment(self.client, Tcp.SYN | Tcp.ACK))
        self.after(350, wire.segment(self.admin, Tcp.ACK))
        for number in range(requests):
            request = record(some(f"request {port} {number}", 120 + 31 * number))
            page = record(some(f"page {port} {number}", 512 + 77 * number))
            self.after(5_000, wire.segment(self.admin, Tcp.PUSH | Tcp.ACK, request))
            self.after(90, wire.segment(self.client, Tcp.ACK))
            self.after(2_300, wire.segment(self.client, Tcp.PUSH | Tcp.ACK, page))
            self.after(400, wire.segment(self.admin, Tcp.ACK))
        self.after(7_000, wire.segment(self.admin, Tcp.FIN | Tcp.ACK))
        self.after(60, wire.segment(self.client, Tcp.FIN | Tcp.ACK))
        self.after(380, wire.segment(self.admin, Tcp.ACK))

    def is_it_there(self, number):
        self.after(300_000, frames.echo(self.client, EXPRESSWAY, self.router, 8, number))
        self.after(9_700, frames.echo(self.server, self.client.address, self.client.hardware, 0, number))

    def before(self):
        self.discovery()
        self.address_of(RESOLVER, self.resolver.hardware, 33_000)
        self.name_lookup()
        self.admin_page(50211, 2)
        self.address_of("172.16.84.1", self.router, 80_000)
        self.is_it_there(1)

    def save(self, path):
        path.write_bytes(frames.pcapng(self.frames, "Rebuilt frame by frame from the description of a case, not recorded"))


def channel(data):
    return struct.pack("!HH", 0x4000, len(data)) + data


def record(data):
    """One TLS 1.2 application data record."""
    return b"\x17\x03\x03" + struct.pack("!H", len(data)) + data


def checked(check, receiver, address, port):
    answer = Message(SUCCESS, stun.BINDING, check.transaction).address(stun.XOR_MAPPED_ADDRESS, address, port)
    return answer.sign(receiver[1].encode()).fingerprint().encode()


@case(
    "expressway-431",
    REBUILT,
    "the password set over the Meeting Server's API is not the Expressway's: 431, and both directions are signed, each "
    "with its own",
    "turn-integrity-rejected failure",
    [],
    [
        credential("Meeting Server API", "client", password=API_PASSWORD),
        credential("Expressway local database", "server", password=DATABASE_PASSWORD),
    ],
    [CHALLENGE, f"{code(431)} && stun.att.username && stun.att.hmac"],
    [ALLOCATED],
)
def expressway_431(out):
    story = Story(DATABASE_PASSWORD)
    story.before()
    story.refused_attempt(41022)
    story.time_of_day()
    story.discovery()
    story.after(1_900_000, frames.arp(1, story.desk, "172.16.84.30"))
    story.refused_attempt(41022)
    story.admin_page(50213, 1)
    story.is_it_there(2)
    story.after(3_100_000, frames.arp(1, story.desk, "172.16.84.7"))
    story.refused_attempt(41025)
    story.time_of_day()
    story.admin_page(50214, 1)
    story.is_it_there(3)
    story.save(out / "capture.pcapng")


@case(
    "expressway-mended",
    REBUILT,
    "the same two with one password: allocation, permission, ICE through the relay, channel, voice, Refresh 0",
    "healthy",
    ["turn-challenge"],
    [
        credential("Meeting Server API", "client", password=API_PASSWORD),
        credential("Expressway local database", "server", password=API_PASSWORD),
        {"label": "guest's answer", "ice_ufrag": GUEST_ICE[0], "ice_pwd": GUEST_ICE[1]},
        {"label": "Meeting Server's offer", "ice_ufrag": MEETING_ICE[0], "ice_pwd": MEETING_ICE[1]},
    ],
    [CHALLENGE, ALLOCATED, CHANNEL_OUT, CHANNEL_IN, "stun.type == 0x0104", "stun.type == 0x0108"],
    [code(431)],
)
def expressway_mended(out):
    story = Story(API_PASSWORD)
    story.before()
    story.granted_session(41022)
    story.time_of_day()
    story.is_it_there(2)
    story.save(out / "capture.pcapng")


@case(
    "expressway-unknown-user",
    REBUILT,
    "the user does not exist in the Expressway's database: 436, which a server without its key cannot sign",
    "turn-unknown-user failure",
    [],
    [credential("Meeting Server API", "client", password=API_PASSWORD)],
    [CHALLENGE, code(436)],
    [ALLOCATED],
)
def expressway_unknown_user(out):
    story = Story(DATABASE_PASSWORD)
    story.before()
    for port in (41022, 41023):
        story.refused_attempt(port, 436, "Unknown User")
        story.is_it_there(2)
        story.discovery()
    story.save(out / "capture.pcapng")


@case(
    "no-stun",
    REBUILT,
    "names, time, a web page and pings, but no STUN at all",
    "nothing-found",
    [],
    [],
    ["dns", "tls", "icmp"],
    ["stun"],
)
def no_stun(out):
    story = Story(DATABASE_PASSWORD)
    story.before()
    story.time_of_day()
    story.admin_page(50213, 1)
    story.discovery()
    story.save(out / "capture.pcapng")
