"""Cases about NATs between the client and the world, and about messages that something damaged."""

import os
import threading
import time

import stun
from catalog import AGREED, ALLOCATED, CHANNEL_IN, COTURN, SMALL, UCLIENT, case, code
from cases_authentication import TALK, small_client
from lab import HOME, HOME_NAT, PASSWORD, SECOND, SECOND_INSIDE, SERVER, USER, Lab, merge
from stun import Client, Message

BOTH_ADDRESSES = (f"--listening-ip={SECOND_INSIDE}", f"--external-ip={SECOND}/{SECOND_INSIDE}")


def home_client(lab):
    return Client(lab.udp("home", HOME), (SERVER, 3478), USER, PASSWORD)


@case(
    "home-nat",
    UCLIENT,
    "a client behind a home NAT: the server tells it its outside address 203.0.113.50",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, f"stun.att.ipv4 == {HOME_NAT} || stun.att.ipv4-xord == {HOME_NAT}", CHANNEL_IN],
)
def home_nat(out):
    with Lab("home", "server", "peer") as lab:
        lab.masquerade()
        lab.coturn()
        lab.echo_peer()
        with lab.capture("home", out / "capture.pcapng"):
            lab.uclient(*TALK, part="home")


@case(
    "nat-both-sides",
    UCLIENT + "; mergecap",
    "one file with the wire before and behind the home NAT: the same transactions twice, from two addresses",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [f"stun && ip.src == {HOME}", f"stun && ip.src == {HOME_NAT}", ALLOCATED],
)
def nat_both_sides(out):
    with Lab("home", "server", "peer") as lab:
        # The router takes other ports outside, so that the mapping can be seen.
        lab.masquerade("random,fully-random")
        lab.coturn()
        lab.echo_peer()
        inside, outside = lab.scratch / "inside.pcapng", lab.scratch / "outside.pcapng"
        with lab.capture("home", inside), lab.capture("homenat", outside):
            lab.uclient(*TALK, part="home")
        merge(out / "capture.pcapng", inside, outside)


@case(
    "classic-binding",
    SMALL,
    "Binding in the manner of RFC 3489: no cookie, 16 bytes of transaction id",
    "healthy",
    [],
    [],
    ["classicstun"],
    ["stun"],
)
def classic_binding(out):
    with Lab("home", "server") as lab:
        lab.masquerade()
        lab.coturn()
        with lab.capture("home", out / "capture.pcapng"):
            client = home_client(lab)
            for _ in range(3):
                # The place of the cookie is the start of a longer transaction id here.
                asked = Message(stun.REQUEST, stun.BINDING, cookie=int.from_bytes(os.urandom(4), "big"))
                client.ask(asked)
                time.sleep(0.3)


@case(
    "nat-discovery",
    f"{COTURN} on two addresses, turnutils_natdiscovery",
    "NAT behaviour discovery (RFC 5780): filtering tests go unanswered by design",
    "healthy",
    [],
    [],
    ["stun.att.type == 0x0003", "stun.type == 0x0101"],
)
def nat_discovery(out):
    with Lab("home", "server", "second") as lab:
        lab.masquerade()
        lab.coturn(*BOTH_ADDRESSES)
        with lab.capture("home", out / "capture.pcapng"):
            discovery = lab.spawn("home", "turnutils_natdiscovery", "-m", "-f", "-L", HOME, SERVER)
            lab.finish(discovery, 40)


@case(
    "nat-symmetric",
    f"{COTURN} on two addresses, turnutils_natdiscovery, nft masquerade fully-random",
    "one local port, and another outside port for every server: endpoint-dependent mapping",
    "nat-symmetric warning",
    [],
    [],
    ["stun.type == 0x0101"],
)
def nat_symmetric(out):
    with Lab("home", "server", "second") as lab:
        lab.masquerade("random,fully-random")
        lab.coturn(*BOTH_ADDRESSES)
        with lab.capture("home", out / "capture.pcapng"):
            discovery = lab.spawn("home", "turnutils_natdiscovery", "-m", "-L", HOME, SERVER)
            lab.finish(discovery, 20)
            # And with nothing else than two questions from one port.
            client = home_client(lab)
            for server in (SERVER, SECOND):
                client.server = (server, 3478)
                client.ask(client.request(stun.BINDING))


@case(
    "nat-rebinding",
    SMALL + ", captured at the server",
    "the NAT forgets the mapping after two idle seconds: the Refresh comes from a new port and gets 437, a new Allocate "
    "heals it",
    "nat-rebinding warning",
    ["turn-challenge", "turn-stale-nonce", "turn-allocation-gone"],
    AGREED,
    [ALLOCATED, code(437), f"ip.src == {HOME_NAT} && stun"],
)
def nat_rebinding(out):
    with Lab("home", "server") as lab:
        lab.masquerade("random,fully-random")
        lab.sysctl("homenat", "net.netfilter.nf_conntrack_udp_timeout", 2)
        lab.sysctl("homenat", "net.netfilter.nf_conntrack_udp_timeout_stream", 2)
        lab.coturn()
        with lab.capture("server", out / "capture.pcapng"):
            client = home_client(lab)
            client.allocate()
            for _ in range(2):
                time.sleep(1)
                client.refresh(600)
            time.sleep(6)
            answer = client.refresh(600)
            if answer and answer.code == 438:
                client.challenged(answer)
                client.refresh(600)
            client.nonce = None
            client.allocate()
            client.refresh(600)
            time.sleep(1)
            client.refresh(0)


class Gateway:
    """An application layer gateway in the home router that means well: it rewrites addresses inside the answers."""

    def __init__(self, lab, rewrite):
        lab.nft("homenat", "add chain ip nat pre { type nat hook prerouting priority -100; }")
        lab.nft("homenat", "add rule ip nat pre iifname to-home udp dport 3478 redirect to :3478")
        self.lab, self.rewrite = lab, rewrite
        self.inside = lab.udp("homenat", "192.168.1.1", 3478)
        self.stopping = False
        self.threads = [threading.Thread(target=self._outward, daemon=True)]
        self.ways = {}

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join(3)

    def _outward(self):
        self.inside.settimeout(0.2)
        while not self.stopping:
            try:
                data, client = self.inside.recvfrom(2048)
            except TimeoutError:
                continue
            if client not in self.ways:
                self.ways[client] = self.lab.udp("homenat", HOME_NAT)
                self.threads.append(threading.Thread(target=self._inward, args=(client,), daemon=True))
                self.threads[-1].start()
            self.ways[client].sendto(data, (SERVER, 3478))

    def _inward(self, client):
        way = self.ways[client]
        way.settimeout(0.2)
        while not self.stopping:
            try:
                data = way.recv(2048)
            except TimeoutError:
                continue
            self.inside.sendto(self.rewrite(data), client)


def address_bytes(address, cookie=0):
    return bytes(int(part) ^ cookie >> (24 - 8 * index) & 0xFF for index, part in enumerate(address.split(".")))


def in_clear(data):
    return data.replace(address_bytes(HOME_NAT), address_bytes(HOME))


def under_xor(data):
    return data.replace(address_bytes(HOME_NAT, stun.COOKIE), address_bytes(HOME, stun.COOKIE))


@case(
    "nat-alg",
    SMALL + ", a rewriting gateway (`record/cases_nat.py`)",
    "a gateway replaces the outside address wherever it stands in clear: MAPPED-ADDRESS and XOR-MAPPED-ADDRESS differ, "
    "the FINGERPRINT is wrong",
    "nat-alg-rewrite warning",
    ["stun-fingerprint-bad"],
    [],
    ["stun.type == 0x0101", "stun.att.type == 0x0001"],
)
def nat_alg(out):
    with Lab("home", "server") as lab:
        lab.masquerade()
        lab.coturn()
        with Gateway(lab, in_clear), lab.capture("home", out / "capture.pcapng"):
            for _ in range(3):
                client = home_client(lab)
                client.ask(client.request(stun.BINDING))
                time.sleep(0.3)


@case(
    "alg-breaks-integrity",
    SMALL + ", a rewriting gateway (`record/cases_nat.py`)",
    "a gateway that knows XOR rewrites the address in a signed answer: the requests verify, the success responses do not",
    "nat-alg-rewrite warning",
    ["turn-response-integrity-bad", "stun-fingerprint-bad", "turn-challenge"],
    AGREED,
    [ALLOCATED, f"stun.att.ipv4 == {HOME} || stun.att.ipv4-xord == {HOME}"],
)
def alg_breaks_integrity(out):
    with Lab("home", "server") as lab:
        lab.masquerade()
        lab.coturn()
        with Gateway(lab, under_xor), lab.capture("home", out / "capture.pcapng"):
            client = home_client(lab)
            client.allocate()
            client.refresh(600)
            client.refresh(0)


@case(
    "fingerprint-bad",
    SMALL,
    "requests whose FINGERPRINT is wrong by one bit, among good ones: the server ignores them",
    "stun-fingerprint-bad warning",
    [],
    [],
    ["stun.type == 0x0101"],
)
def fingerprint_bad(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            for _ in range(2):
                client.ask(client.request(stun.BINDING))
                bad = Message(stun.REQUEST, stun.BINDING).add(stun.SOFTWARE, Client.SOFTWARE).fingerprint(flip=1)
                client.ask(bad, (0.5,))


@case(
    "malformed",
    SMALL,
    "on a working STUN flow: an attribute that runs past the message, a length past the datagram, a message cut in an "
    "attribute",
    "stun-malformed warning",
    [],
    [],
    ["stun.type == 0x0101"],
)
def malformed(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(client.request(stun.BINDING))
            good = Message(stun.REQUEST, stun.BINDING).add(stun.SOFTWARE, Client.SOFTWARE).encode()
            for bad in (good[:22] + b"\x00\x40" + good[24:], good[:2] + b"\x00\x40" + good[4:], good[:-6]):
                client.sock.sendto(bad, client.server)
                time.sleep(0.2)
            client.ask(client.request(stun.BINDING))
