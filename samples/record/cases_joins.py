"""Cases captured at several points at once: what only several captures together can tell."""

import struct
import sys
import time
from pathlib import Path

import stun
from calls import Aiortc, Browser, call_for, ended
from cases_calls import CHECK, CHECK_ANSWER, CLIENT_HELLO, FROM, MEDIA, MIXED, NOMINATION, both
from catalog import AGREED, ALLOCATED, CHALLENGE, CHANNEL_IN, CHANNEL_OUT, SMALL, UCLIENT, case
from cases_authentication import small_client
from cases_dtls import LARGE
from cases_nat import Gateway, home_client, under_xor
from cases_path import ASKS, PATIENT, first_leg
from lab import CLIENT, HOME_NAT, PEER, Lab, need


def set_clock(path, ahead, ppm):
    """Gives a capture the times of a clock that is so many seconds ahead and gains so many parts per million. Its times are in nanoseconds, as
    dumpcap writes them."""
    data, out, at, start = Path(path).read_bytes(), bytearray(), 0, None
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        block = bytearray(data[at:at + length])
        if kind == 6:
            high, low = struct.unpack_from("<II", block, 12)
            stamp = high << 32 | low
            start = stamp if start is None else start
            stamp += round(ahead * 1e9) + (stamp - start) * ppm // 1_000_000
            struct.pack_into("<II", block, 12, stamp >> 32, stamp & 0xFFFFFFFF)
        out += block
        at += length
    Path(path).write_bytes(bytes(out))


def binding(client):
    client.ask(client.request(stun.BINDING))


@case(
    "points-healthy",
    UCLIENT,
    "a healthy session captured at the client, outside its home NAT (`nat-outside.pcapng`), at the server behind static NAT, whose clock is 7 s ahead "
    "and gains 80 ppm (`server.pcapng`), and at the peer (`peer.pcapng`)",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, CHANNEL_IN, CHANNEL_OUT],
)
def points_healthy(out):
    with Lab("home", "server", "peer") as lab:
        lab.masquerade("random,fully-random")
        lab.coturn()
        lab.echo_peer()
        with (
            lab.capture("home", out / "capture.pcapng"),
            lab.capture("homenat", out / "nat-outside.pcapng"),
            lab.capture("server", out / "server.pcapng"),
            lab.capture("peer", out / "peer.pcapng"),
        ):
            lab.uclient("-e", PEER, "-r", "3480", "-n", "12", "-m", "1", "-c", "-l", "64", part="home", seconds=40)
    set_clock(out / "server.pcapng", 7.25, 80)


@case(
    "points-request-lost",
    SMALL,
    "a firewall drops requests between the client and the server (`server.pcapng`), which shows what came before and after them, and nothing of them",
    "turn-no-response failure",
    [],
    AGREED,
    [(ASKS, 7)],
    [],
)
def points_request_lost(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"), lab.capture("server", out / "server.pcapng"):
            binding(small_client(lab))
            lab.drop("core", "iifname to-client udp dport 3478")
            client = small_client(lab)
            client.ask(first_leg(client), PATIENT)
            lab.nft("core", "flush chain inet filter forward")
            binding(small_client(lab))
            time.sleep(1)
            binding(small_client(lab))


@case(
    "points-answer-lost",
    SMALL,
    "the server answers every copy of a request (`server.pcapng`), and at the client nothing arrives: only both captures tell that from a silent server",
    "turn-no-response failure",
    [],
    AGREED,
    [(ASKS, 7)],
    [CHALLENGE],
)
def points_answer_lost(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"), lab.capture("server", out / "server.pcapng"):
            binding(small_client(lab))
            lab.drop("core", f"oifname to-client ip protocol udp ip daddr {CLIENT}")
            client = small_client(lab)
            client.ask(first_leg(client), PATIENT)
            lab.nft("core", "flush chain inet filter forward")
            binding(small_client(lab))
            time.sleep(1)
            binding(small_client(lab))


@case(
    "points-alg",
    SMALL + ", a rewriting gateway (`record/cases_nat.py`)",
    "a gateway rewrites the address in signed answers: the same message differs between the server (`server.pcapng`) and the client",
    "nat-alg-rewrite warning",
    ["turn-response-integrity-bad", "stun-fingerprint-bad", "turn-challenge"],
    AGREED,
    [ALLOCATED],
    [f"stun.att.ipv4-xord == {HOME_NAT}"],
)
def points_alg(out):
    with Lab("home", "server") as lab:
        lab.masquerade()
        lab.coturn()
        with (
            Gateway(lab, under_xor),
            lab.capture("home", out / "capture.pcapng"),
            lab.capture("server", out / "server.pcapng"),
        ):
            client = home_client(lab)
            client.allocate()
            client.refresh(600)
            client.refresh(0)


@case(
    "points-fragment-lost",
    LARGE,
    "the path drops datagrams of more than 1000 bytes on the way to the browser: at the peer all fragments of its certificate leave, and at the browser "
    "(`client.pcapng`) some never arrive",
    "dtls-incomplete failure",
    [],
    [],
    [NOMINATION, (both(CLIENT_HELLO, FROM % CLIENT), 2), both("ip.len > 1000", FROM % PEER)],
    [MEDIA],
)
def points_fragment_lost(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "iifname to-peer oifname to-client ip length > 1000")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True, quirks=["large-certificate"])
        with (
            ended(browser),
            lab.capture("peer", out / "capture.pcapng"),
            lab.capture("client", out / "client.pcapng"),
        ):
            call_for(20, out, peer, browser)


@case(
    "points-one-way",
    f"{MIXED}, captured at both",
    "nothing of the peer's arrives at the browser: its checks and answers leave the peer (`peer.pcapng`) and are not seen at the browser",
    "ice-checks-unanswered failure",
    [],
    [],
    [(both(CHECK, FROM % CLIENT), 5)],
    [CHECK_ANSWER, CLIENT_HELLO],
)
def points_one_way(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "iifname to-peer oifname to-client ip protocol udp")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with (
            ended(browser),
            lab.capture("client", out / "capture.pcapng"),
            lab.capture("peer", out / "peer.pcapng"),
        ):
            # something that does come back, so that the capture shows that it holds both directions
            lab.spawn("client", sys.executable, "-c", f"import socket; socket.socket().connect_ex(('{PEER}', 9))")
            call_for(20, out, browser, peer)


@case(
    "points-tcp",
    UCLIENT,
    "a healthy session over TCP, captured at the client, outside its home NAT (`nat-outside.pcapng`) and at the server behind static NAT "
    "(`server.pcapng`), whose clock is 3 s behind: one connection, whatever its addresses are",
    "healthy",
    ["turn-challenge"],
    AGREED,
    ["tcp && " + ALLOCATED, "stun.channel && tcp.dstport == 3478", "stun.channel && tcp.srcport == 3478"],
)
def points_tcp(out):
    with Lab("home", "server", "peer") as lab:
        lab.masquerade("random,fully-random")
        lab.coturn()
        lab.echo_peer()
        with (
            lab.capture("home", out / "capture.pcapng"),
            lab.capture("homenat", out / "nat-outside.pcapng"),
            lab.capture("server", out / "server.pcapng"),
        ):
            lab.uclient("-t", "-e", PEER, "-r", "3480", "-n", "12", "-m", "1", "-c", "-l", "64", part="home", seconds=40)
    set_clock(out / "server.pcapng", -3.5, 40)
