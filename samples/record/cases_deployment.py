"""The deployment of the Expressway story beside the packets: names inside and outside, open ports, relay ports, a log.

A Cisco Meeting Server 172.16.85.180 with a web bridge, an Expressway-C 172.16.85.167, an Expressway-E 172.16.85.168 inside and 192.168.245.61
outside, behind the static NAT address 10.88.246.156. Rebuilt frame by frame: the same bytes at every recording. The capture is one of
the outside firewall's span ports, where both the Meeting Server and a guest pass.
"""

import socket
import struct

import frames
import stun
from cases_rebuilt import DATABASE_PASSWORD, API_PASSWORD, EXPRESSWAY, REBUILT, Story, record, some
from catalog import ALLOCATED, CHALLENGE, case, code, credential
from frames import Host, Tcp

MEETING, INSIDE_RESOLVER = "172.16.85.180", "172.16.85.10"
GUEST, OUTSIDE_RESOLVER = "198.51.100.23", "10.88.246.150"
START = 1_495_309_398_000_000_000  # 2017-05-20 19:43:18 UTC
REBUILT_HERE = REBUILT.replace("cases_rebuilt", "cases_deployment")
NXDOMAIN, NOERROR = 3, 0
RELAYED_PORT = 31042

DEPLOYMENT = """\
# The example of a deployment: Cisco Meeting Server and Expressway, WebRTC through the Expressway-E's TURN server.

# who asks from here is inside; everybody else is outside
inside = ["172.16.85.0/24"]

[[server]]
name = "Meeting Server"
addresses = ["172.16.85.180"]
open = ["443/tcp", "5222/tcp", "7001/tcp"]

[[server]]
name = "Expressway-C"
addresses = ["172.16.85.167"]
open = ["2222/tcp", "5269/tcp"]

[[server]]
name = "Expressway-E"
addresses = ["172.16.85.168", "192.168.245.61"]   # inside, outside
external = "10.88.246.156"                        # static NAT
listen = ["3478/udp", "3478/tcp"]                 # TURN
open = ["443/tcp", "2222/tcp", "5222/tcp", "5269/tcp", "7001/tcp", "relay"]
relay_ports = "24000-29999"
realm = "turnuser"
users = ["turnuser"]
certificate_names = ["cmsweb.octavio.com"]

[[dns]]
name = "cmsweb.octavio.com"
inside = ["172.16.85.180"]
outside = ["10.88.246.156"]

[[dns]]
name = "cms.octavio.local"
inside = ["172.16.85.180"]

[[dns]]
name = "vcsc.octavio.local"
inside = ["172.16.85.167"]

[[dns]]
name = "vcse.octavio.local"
inside = ["172.16.85.168"]

[[dns]]
name = "vcse.octavio.com"
outside = ["10.88.246.156"]
"""

# As the Meeting Server's event log has it; its last line is of another day.
LOG = """\
2017-05-20 19:43:17.402 Info call 6: incoming WebRTC call from guest "Octavio" to space "octavio.space"
2017-05-20 19:43:18.355 Info call 6: setting up UDP relay with TURN server 10.88.246.156:3478
2017-05-20 19:43:18.356 Info call 6: TURN username=turnuser, password=cisco
2017-05-20 19:43:19.120 Info web bridge link up
2017-05-20 19:43:21.805 Warning call 6: ICE failure; relay candidate creation timeout
2017-05-20 19:43:21.806 Info call 6: ending; local teardown, ICE failure
2017-05-21 08:02:11.250 Info call 7: incoming SIP call from "desk@octavio.com"
"""


def question(identification, name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", identification, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def answer(identification, name, rcode=NOERROR, addresses=(), kind=1):
    asked = question(identification, name, kind)
    records = b"".join(struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + socket.inet_aton(address) for address in addresses)
    return struct.pack("!HHHHHH", identification, 0x8180 | rcode, 1, len(addresses), 0, 0) + asked[12:] + records


class Deployment(Story):
    """The same two as in the Expressway story, with the addresses of the whole deployment."""

    def __init__(self, server_password):
        super().__init__(server_password)
        self.now = START
        self.client = Host(MEETING, "00:50:56:a1:5c:7c", 64, 0x2A10)
        self.inside_resolver = Host(INSIDE_RESOLVER, "00:50:56:a1:02:0a", 128, 0x0A11)
        self.guest = Host(GUEST, self.router, 52, 0x6611)
        self.outside_resolver = Host(OUTSIDE_RESOLVER, self.router, 63, 0x0F02)
        self.questions = 0

    def look_up(self, who, resolver, name, rcode=NOERROR, addresses=(), port=None, answered=True, kind=1):
        self.questions += 1
        identification = int.from_bytes(some(f"question {self.questions}", 2), "big")
        port = port or 40_000 + self.questions
        asked = question(identification, name, kind)
        self.after(2_100, frames.udp(who, port, resolver.address, 53, asked, resolver.hardware))
        if answered:
            told = answer(identification, name, rcode, addresses, kind)
            self.after(1_300, frames.udp(resolver, 53, who.address, port, told, who.hardware))

    def web_page(self, who, port, server, requests=1):
        """A TLS connection of which nothing but application data shows."""
        wire = Tcp(who, port, server, 443, (0x51B0_0000 + port, 0xA0AA_0000 + port))
        self.after(23_000, wire.segment(who, Tcp.SYN))
        self.after(9_000, wire.segment(server, Tcp.SYN | Tcp.ACK))
        self.after(350, wire.segment(who, Tcp.ACK))
        for number in range(requests):
            self.after(5_000, wire.segment(who, Tcp.PUSH | Tcp.ACK, record(some(f"ask {port} {number}", 140))))
            self.after(9_300, wire.segment(server, Tcp.PUSH | Tcp.ACK, record(some(f"told {port} {number}", 610))))
            self.after(400, wire.segment(who, Tcp.ACK))
        self.after(7_000, wire.segment(who, Tcp.FIN | Tcp.ACK))
        self.after(9_060, wire.segment(server, Tcp.FIN | Tcp.ACK))
        self.after(380, wire.segment(who, Tcp.ACK))

    def names_and_web(self):
        self.look_up(self.guest, self.outside_resolver, "cmsweb.octavio.com", addresses=[EXPRESSWAY])
        self.web_page(self.guest, 51022, self.server)
        self.look_up(self.client, self.inside_resolver, "cmsweb.octavio.com", addresses=[MEETING])
        self.look_up(self.client, self.inside_resolver, "vcsc.octavio.local", addresses=["172.16.85.167"])

    def beside(self, out, deployment=DEPLOYMENT, log=None):
        (out / "deployment.toml").write_text(deployment)
        if log:
            (out / "meeting-server.log").write_text(log)


@case(
    "expressway-deployment",
    REBUILT_HERE,
    "the Expressway story with its deployment and the Meeting Server's log beside it: names, ports, realm and user are as they should be, the "
    "password is not",
    "turn-integrity-rejected failure",
    [],
    [
        credential("Meeting Server API", "client", password=API_PASSWORD),
        credential("Expressway local database", "server", password=DATABASE_PASSWORD),
    ],
    [CHALLENGE, f"{code(431)} && stun.att.hmac", ("dns.a == 10.88.246.156", 1), ("dns.a == 172.16.85.180", 1)],
    [ALLOCATED],
)
def expressway_deployment(out):
    story = Deployment(DATABASE_PASSWORD)
    story.names_and_web()
    for port in (41022, 41022, 41025):
        story.refused_attempt(port)
        story.after(900_000, frames.arp(1, story.desk, "172.16.84.30"))
    story.is_it_there(2)
    story.save(out / "capture.pcapng")
    story.beside(out, log=LOG)


@case(
    "relay-port-out-of-range",
    REBUILT_HERE,
    "everything works, through a relay port that the deployment's range, and so perhaps a firewall, does not include",
    "turn-relay-port-out-of-range warning",
    ["turn-challenge"],
    [credential("turnuser", password=API_PASSWORD)],
    [CHALLENGE, ALLOCATED],
)
def relay_port_out_of_range(out):
    import cases_rebuilt
    story = Deployment(API_PASSWORD)
    story.names_and_web()
    usual, cases_rebuilt.RELAYED_PORT = cases_rebuilt.RELAYED_PORT, RELAYED_PORT
    story.granted_session(41022)
    cases_rebuilt.RELAYED_PORT = usual
    story.is_it_there(2)
    story.save(out / "capture.pcapng")
    story.beside(out)


@case(
    "deployment-static-nat",
    REBUILT_HERE,
    "the Expressway-E lends its own address 192.168.245.61 instead of the static NAT's: the deployment says which line is not so, and nothing "
    "comes back through the relay",
    "deployment-mismatch failure",
    ["turn-relay-private", "turn-challenge"],
    [credential("turnuser", password=API_PASSWORD)],
    [CHALLENGE, ALLOCATED],
)
def deployment_static_nat(out):
    story = Deployment(API_PASSWORD)
    story.names_and_web()
    port = 41022
    nonce = story.challenge(port)
    asked = story.signed(story.allocate_request(), nonce)
    story.ask(310, port, asked.encode())
    granted = stun.Message(stun.SUCCESS, stun.ALLOCATE, asked.transaction).address(stun.XOR_RELAYED_ADDRESS, "192.168.245.61", 24042)
    granted.address(stun.XOR_MAPPED_ADDRESS, MEETING, port).add(stun.LIFETIME, struct.pack("!I", 600))
    story.answer(10_470, port, granted.sign(story.server_key).encode())
    story.transact(80_000, port, nonce, stun.CREATE_PERMISSION, lambda message: message.address(stun.XOR_PEER_ADDRESS, GUEST, 0))
    for pause in (50_000, 100_000, 200_000, 400_000, 800_000, 1_600_000, 1_600_000):
        message = stun.Message(stun.INDICATION, stun.SEND, story.next_id()).address(stun.XOR_PEER_ADDRESS, GUEST, 61512)
        story.ask(pause, port, message.add(stun.DATA, some(f"data {pause}", 60)).encode())
    story.transact(900_000, port, nonce, stun.REFRESH, lambda message: message.add(stun.LIFETIME, bytes(4)), bytes(4))
    story.is_it_there(2)
    story.save(out / "capture.pcapng")
    story.beside(out)


@case(
    "dns-nxdomain",
    REBUILT_HERE,
    "the client's resolver does not know the TURN server's name: NXDOMAIN for A and AAAA, and no STUN follows",
    "dns-failed failure",
    [],
    [],
    ["dns.flags.rcode == 3"],
    ["stun"],
)
def dns_nxdomain(out):
    story = Deployment(API_PASSWORD)
    story.look_up(story.guest, story.outside_resolver, "cmsweb.octavio.com", addresses=[EXPRESSWAY])
    story.web_page(story.guest, 51022, story.server)
    for _ in range(2):
        story.look_up(story.guest, story.outside_resolver, "turn.octavio.com", NXDOMAIN)
        story.look_up(story.guest, story.outside_resolver, "turn.octavio.com", NXDOMAIN, kind=28)
        story.after(1_500_000, frames.arp(1, story.desk, "172.16.84.30"))
    story.web_page(story.guest, 51040, story.server)
    story.after(6_000_000, frames.arp(1, story.desk, "172.16.84.30"))
    story.save(out / "capture.pcapng")


@case(
    "dns-no-answer",
    REBUILT_HERE,
    "the resolver that the client asks for the TURN server's name keeps silent, though it answered for another before; and no STUN follows",
    "dns-failed failure",
    [],
    [],
    [("dns.qry.name == \"turn.octavio.com\"", 6)],
    ["stun", "dns.qry.name == \"turn.octavio.com\" && dns.flags.response == 1"],
)
def dns_no_answer(out):
    story = Deployment(API_PASSWORD)
    story.look_up(story.guest, story.outside_resolver, "cmsweb.octavio.com", addresses=[EXPRESSWAY])
    story.web_page(story.guest, 51022, story.server)
    for number in range(3):
        for kind in (1, 28):
            story.look_up(story.guest, story.outside_resolver, "turn.octavio.com", port=40_100 + kind, answered=False, kind=kind)
        story.after(5_000_000, frames.arp(1, story.desk, "172.16.84.30"))
    story.web_page(story.guest, 51040, story.server)
    story.after(6_000_000, frames.arp(1, story.desk, "172.16.84.30"))
    story.save(out / "capture.pcapng")
