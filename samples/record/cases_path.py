"""Cases about the way between client and server: filters, routing, static NAT, loss."""

import time

import stun
from catalog import AGREED, ALLOCATED, CHALLENGE, CHANNEL_IN, CHANNEL_OUT, SMALL, UCLIENT, case
from cases_allocation import session
from cases_authentication import TALK, small_call, small_client
from lab import CLIENT, PASSWORD, PEER, PEER6, SECOND, SECOND_INSIDE, SERVER, SERVER6, SERVER_INSIDE, USER, Lab
from stun import Client

# RFC 8489 §6.2.1: seven sends, each wait twice the last, and 16 times the first wait at the end.
PATIENT = (0.5, 1, 2, 4, 8, 16, 8)
REQUESTED = (stun.REQUESTED_TRANSPORT, stun.UDP)
ASKS = "stun.type == 0x0003"


def first_leg(client):
    return client.request(stun.ALLOCATE, REQUESTED, signed=False)


@case(
    "no-answer",
    SMALL,
    "a firewall drops UDP 3478: seven sends with growing gaps, then a new try, and nothing comes back",
    "turn-no-response failure",
    [],
    AGREED,
    [ASKS],
    ["ip.src == 10.88.246.156"],
)
def no_answer(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        lab.drop("core", "iifname to-client udp dport 3478")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(first_leg(client), PATIENT)
            client = small_client(lab)
            client.ask(first_leg(client), (0.5, 1, 2))


@case(
    "no-answer-any-more",
    SMALL + ", Linux firewall",
    "a call's relay works until a firewall begins to drop what the server sends: neither data nor answers to Refresh come any more",
    "turn-no-response failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, CHANNEL_IN, CHANNEL_OUT, "stun.type == 0x0004"],
    ["stun.type == 0x0104"],
)
def no_answer_any_more(out):
    with small_call(out) as (lab, client):
        client.channel(0x4001, PEER, 3480)
        for number in range(10):
            client.send_channel(0x4001, bytes([number]) * 60)
            client.sock.settimeout(1)
            client.sock.recv(2048)
            time.sleep(0.2)
        lab.drop("core", "iifname to-server udp sport 3478")
        for number in range(10):
            client.send_channel(0x4001, bytes([number]) * 60)
            time.sleep(0.2)
        client.refresh(600)
        lab.murmur(2)


@case(
    "binding-no-answer",
    "small client (`record/stun.py`)",
    "plain STUN Binding requests to a server that does not answer",
    "turn-no-response failure",
    [],
    [],
    ["stun.type == 0x0001"],
    ["ip.src == 10.88.246.156"],
)
def binding_no_answer(out):
    with Lab("client", "server") as lab:
        lab.drop("core", "iifname to-client udp dport 3478")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(client.request(stun.BINDING), PATIENT)
            client.ask(client.request(stun.BINDING), (0.5,))


@case(
    "second-server-answers",
    SMALL,
    "the first server is silent, the second gives a relay that works: worth a warning, no failure",
    "turn-no-response warning",
    ["turn-challenge"],
    AGREED,
    [f"ip.dst == {SERVER} && stun", ALLOCATED, CHANNEL_IN],
    [f"ip.src == {SERVER}"],
)
def second_server_answers(out):
    with Lab("client", "server", "second", "peer") as lab:
        lab.coturn(address=SECOND_INSIDE, external=SECOND)
        lab.echo_peer()
        lab.drop("core", f"iifname to-client ip daddr {SERVER_INSIDE} udp dport 3478")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(first_leg(client), PATIENT[:5])
            client = small_client(lab)
            client.server = (SECOND, 3478)
            session(client)


@case(
    "fragmented-data",
    UCLIENT,
    "data larger than the path takes: IPv4 fragments in both directions, all of them arriving",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, "ip.flags.mf == 1 && ip.dst == 10.88.246.156", "ip.flags.mf == 1 && ip.src == 10.88.246.156"],
)
def fragmented_data(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient("-e", PEER, "-r", "3480", "-n", "2", "-m", "1", "-c", "-l", "1900")


@case(
    "unreachable",
    "turnutils_uclient of coturn 4.6.1, small client (`record/stun.py`); no server runs",
    "nothing listens on the server's port: ICMP port unreachable quotes the request",
    "turn-unreachable failure",
    [],
    [],
    ["icmp.type == 3 && icmp.code == 3"],
    ["stun.type == 0x0113"],
)
def unreachable(out):
    with Lab("client", "server") as lab:
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK, seconds=6)
            client = small_client(lab)
            client.ask(first_leg(client))


@case(
    "prohibited",
    "Linux router with a prohibit route, small client (`record/stun.py`)",
    "a router on the way refuses: ICMP administratively prohibited, from the router's address",
    "turn-unreachable failure",
    [],
    [],
    ["icmp.type == 3 && icmp.code == 13 && ip.src == 172.16.84.1"],
    ["stun.type == 0x0113"],
)
def prohibited(out):
    with Lab("client") as lab:
        lab.ip("core", "route", "add", "prohibit", SERVER)
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(first_leg(client), (0.5, 1, 2, 4))


@case(
    "answer-lost",
    SMALL + ", captured at the server",
    "the server's answers leave and never reach the client, which goes on with the same request",
    "turn-answer-lost failure",
    [],
    [],
    [CHALLENGE],
    ["stun.att.username"],
)
def answer_lost(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        lab.drop("core", f"oifname to-client ip protocol udp ip daddr {CLIENT}")
        with lab.capture("server", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(first_leg(client), PATIENT)


@case(
    "answer-from-elsewhere",
    SMALL,
    "the NAT before the server translates on the way in and not on the way out: answers come from 192.168.245.61",
    "turn-answer-from-elsewhere failure",
    [],
    [],
    [f"stun && ip.src == {SERVER_INSIDE}", ASKS],
    [f"ip.src == {SERVER}"],
)
def answer_from_elsewhere(out):
    with Lab("client", "server") as lab:
        lab.nft("core", "flush table ip nat")
        lab.nft("core", "add table ip stateless")
        lab.nft("core", "add chain ip stateless pre { type filter hook prerouting priority -300; }")
        lab.nft("core", f"add rule ip stateless pre ip daddr {SERVER} ip daddr set {SERVER_INSIDE} notrack")
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            # As most clients do, this one takes answers only from where it asked.
            client.sock.connect((SERVER, 3478))
            client.ask(first_leg(client), (0.5, 1, 2, 4))
            client.ask(first_leg(client), (0.5, 1))


@case(
    "static-nat-missing",
    UCLIENT,
    "the server does not know its outside address and gives its inside one, 192.168.245.61, for the relay",
    "turn-relay-private warning",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, CHANNEL_IN],
)
def static_nat_missing(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn(external=None)
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK)


@case(
    "server-side",
    UCLIENT,
    "a healthy session behind static NAT captured at the server (and at the client: `client.pcapng`): the relayed "
    "address is not the server's own",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, f"ip.addr == {SERVER_INSIDE} && stun", CHANNEL_IN, CHANNEL_OUT],
)
def server_side(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("server", out / "capture.pcapng"), lab.capture("client", out / "client.pcapng"):
            lab.uclient(*TALK)


@case(
    "ipv6",
    UCLIENT,
    "client, server, relay and peer all on IPv6",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [f"ipv6.dst == {SERVER6} && stun", ALLOCATED, CHANNEL_IN],
    ["ip && stun"],
)
def ipv6(out):
    with Lab("client", "server", "peer", "ipv6") as lab:
        lab.coturn(address=SERVER6, external=None)
        lab.echo_peer(address=PEER6)
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient("-x", "-e", PEER6, *TALK[2:], server=SERVER6)


@case(
    "retransmissions",
    SMALL,
    "every third datagram to the server is lost, its answers too at times; retransmission heals it all (the answer to "
    "Refresh 0 is lost as well: the repeat gets 438, the allocation being gone)",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, CHANNEL_IN],
)
def retransmissions(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        # Data is let through: only the requests and their answers are retransmitted.
        lab.drop("core", "iifname to-client udp dport 3478 @th,64,8 < 0x40 numgen inc mod 3 0")
        lab.drop("core", "oifname to-client udp sport 3478 @th,64,8 < 0x40 numgen inc mod 4 1")
        with lab.capture("client", out / "capture.pcapng"):
            session(Client(lab.udp("client", CLIENT), (SERVER, 3478), USER, PASSWORD))
            time.sleep(0.5)
