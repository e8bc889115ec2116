"""Cases with whole calls that come about: which way they take, what they carry, and what happens to them later."""

import time

from calls import REFLECT, RELAY, Aiortc, Browser, ended, leave, talk, until
from cases_media import no_direct_way
from catalog import AGREED, ALLOCATED, COTURN, case
from lab import CLIENT, CLIENT_OTHER, HOME, HOME_NAT, PEER, Lab, need

CHROMIUM, BOTH = "Chromium 156", "Chromium 156 (both ends)"
MIXED = "Chromium 156, aiortc 1.16.0"
AIORTC = "aiortc 1.16.0 (aioice 0.13.0), both ends"
CHECK, CHECK_ANSWER, CHECK_ERROR = "stun.type == 0x0001 && stun.att.username", "stun.type == 0x0101", "stun.type == 0x0111"
NOMINATION = "stun.att.type == 0x0025"
# The first byte of SRTP and SRTCP, of a DTLS record, and of one with application data.
MEDIA = "udp.payload[0] >= 80 && udp.payload[0] <= bf"
DTLS = "udp.payload[0] >= 14 && udp.payload[0] <= 3f"
CLIENT_HELLO, SERVER_HELLO = "dtls.handshake.type == 1", "dtls.handshake.type == 2"
ALERT = "dtls.record.content_type == 21"
FROM, TO = "ip.src == %s", "ip.dst == %s"


def both(*filters):
    return " && ".join(f"({one})" for one in filters)


@case(
    "direct-call-nat",
    f"{MIXED}; {COTURN} as STUN server",
    "a browser behind a home NAT calls a peer outside: the server-reflexive candidate's pair wins, audio and a data channel flow",
    "healthy",
    [],
    [],
    [both("stun.type == 0x0101", FROM % "10.88.246.156"), NOMINATION, CLIENT_HELLO, (both(MEDIA, FROM % HOME), 100),
     (both(MEDIA, FROM % PEER), 100), f"stun.att.ipv4 == {HOME_NAT} || stun.att.ipv4-xord == {HOME_NAT}"],
    ["stun.type == 0x0003"],
)
def direct_call_nat(out):
    need("chromium")
    with Lab("home", "server", "peer") as lab:
        lab.masquerade()
        lab.coturn()
        browser = Browser(lab, "home", internals=True, audio=True, servers=REFLECT)
        peer = Aiortc(lab, "peer", audio=True, servers=REFLECT)
        with ended(browser), lab.capture("home", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(4)
            leave(out, browser, dump=True)
            browser.close()
            peer.close()


@case(
    "chromium-relay-media",
    f"{MIXED}, {COTURN}",
    "a browser that may use the relay only (iceTransportPolicy relay): audio and a data channel through one channel of the relay",
    "healthy",
    ["turn-challenge", "ice-relay-used"],
    AGREED,
    [ALLOCATED, "stun.type == 0x0009", ("stun.channel", 200)],
    [f"{TO % PEER}"],
)
def chromium_relay_media(out):
    need("chromium")
    with Lab("client", "server", "peer") as lab:
        no_direct_way(lab)
        lab.coturn()
        browser = Browser(lab, "client", internals=True, audio=True, servers=RELAY, policy="relay")
        peer = Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(4)
            leave(out, browser, dump=True)
            browser.close()
            peer.close()


@case(
    "chromium-chromium",
    BOTH,
    "two browsers in reach of each other: host candidates, DTLS 1.3 (the certificates travel encrypted), audio both ways",
    "healthy",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, SERVER_HELLO, "dtls.handshake.extensions.supported_version == 0xfefc",
     (both(MEDIA, FROM % CLIENT), 100), (both(MEDIA, FROM % PEER), 100)],
    ["dtls.handshake.type == 11"],
)
def chromium_chromium(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", internals=True, audio=True), Browser(lab, "peer", audio=True)
        with ended(browser, peer), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(4)
            leave(out, browser, dump=True)
            leave(out, peer, "-peer")
            browser.close()
            peer.close()


@case(
    "datachannel-only",
    MIXED,
    "a call without any media: a data channel for eight seconds, and a hang-up; nothing is wrong",
    "healthy",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, (both("dtls.record.content_type == 23", FROM % CLIENT), 8),
     (both("dtls.record.content_type == 23", FROM % PEER), 8)],
    [MEDIA],
)
def datachannel_only(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client"), Aiortc(lab, "peer")
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(8)
            leave(out, browser)
            browser.close()
            peer.close()


@case(
    "ice-lite-call",
    f"{MIXED}, altered to be a lite agent (`record/call_agent.py`)",
    "the peer is a lite agent: it answers checks and never sends one, and nothing is wrong",
    "healthy",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, (both(CHECK, FROM % CLIENT), 3), (both(CHECK_ANSWER, FROM % PEER), 3),
     (both(MEDIA, FROM % CLIENT), 100), (both(MEDIA, FROM % PEER), 100)],
    [both("stun.type == 0x0001", FROM % PEER)],
)
def ice_lite_call(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True, quirks=["lite"])
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(5)
            leave(out, browser)
            browser.close()
            peer.close()


@case(
    "ice-restart",
    BOTH,
    "a call whose page asks for an ICE restart after two seconds: new user names, passwords and ports, the same DTLS, and it "
    "goes on",
    "healthy",
    ["ice-restart"],
    [],
    [(NOMINATION, 2), CLIENT_HELLO, (both(MEDIA, FROM % CLIENT), 100)],
)
def ice_restart(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Browser(lab, "peer", audio=True)
        with ended(browser, peer), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(2)
            talk(out, browser, peer, generation="-2")
            time.sleep(4)
            leave(out, browser)
            browser.close()
            peer.close()


TWO_WAYS = f"{BOTH}, captured at the peer"
FIRST_WIRE, OTHER_WIRE = "to-client", "to-client_other"


def two_interfaces(out, closed_first, other_than):
    """A browser with two interfaces: the way over the first is closed at the beginning, or after three seconds."""
    def close():
        lab.drop("core", f"iifname {FIRST_WIRE}")
        lab.drop("core", f"oifname {FIRST_WIRE}")

    need("chromium")
    with Lab("client", "client_other", "peer") as lab:
        browser = Browser(lab, "client", audio=True, channel=False, permission=True)
        peer = Browser(lab, "peer", audio=True)
        with ended(browser, peer), lab.capture("peer", out / "capture.pcapng"):
            if closed_first:
                close()
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(3)
            lab.nft("core", "flush table inet filter") if closed_first else close()
            until(lambda: browser.summary()["selectedPair"]["local"]["address"] != other_than, 20, "another pair")
            time.sleep(2)
            leave(out, browser)
            browser.close()
            peer.close()


@case(
    "pair-switched",
    TWO_WAYS,
    "the browser has two interfaces; the call comes about over the second, and goes over to the first when that works: "
    "nothing is lost",
    "healthy",
    ["ice-pair-switched"],
    [],
    [NOMINATION, CLIENT_HELLO, (both(MEDIA, FROM % CLIENT), 50), (both(MEDIA, FROM % CLIENT_OTHER), 50),
     (both(MEDIA, TO % CLIENT), 50)],
)
def pair_switched(out):
    two_interfaces(out, True, CLIENT_OTHER)


@case(
    "path-broken",
    TWO_WAYS,
    "the same, and the way over the first interface breaks after three seconds: the call goes on over the second. The seconds of the "
    "browser's audio that are missing between the two pairs belong to neither of their streams",
    "healthy",
    ["ice-pair-switched"],
    [],
    [NOMINATION, CLIENT_HELLO, (both(MEDIA, FROM % CLIENT), 50), (both(MEDIA, FROM % CLIENT_OTHER), 50),
     (both(MEDIA, TO % CLIENT_OTHER), 50)],
)
def path_broken(out):
    two_interfaces(out, False, CLIENT)


@case(
    "media-one-way",
    f"{MIXED}",
    "the call comes about, but a filter lets no media of the peer's through: sixteen seconds of RTP one way",
    "media-one-way failure",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, (both(MEDIA, FROM % CLIENT), 500)],
    [both(MEDIA, FROM % PEER)],
)
def media_one_way(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "iifname to-peer oifname to-client meta l4proto udp @th,64,8 128-191")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(16)
            leave(out, browser)
            browser.close()
            peer.close()


@case(
    "media-lossy",
    MIXED,
    "one in ten of the peer's media packets is lost before the browser",
    "media-lossy warning",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, (both(MEDIA, FROM % PEER), 100)],
)
def media_lossy(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "iifname to-peer oifname to-client meta l4proto udp @th,64,8 128-191 numgen random mod 10 0")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(8)
            leave(out, browser)
            browser.close()
            peer.close()
