"""Cases in which ICE fails, or finds something wrong: paths, passwords, roles, relays, names."""

import time

from calls import RELAY, Aiortc, Browser, call_for, ended, leave, talk, wrong_password
from cases_calls import AIORTC, CHECK, CHECK_ANSWER, CHECK_ERROR, CLIENT_HELLO, FROM, MIXED, NOMINATION, TO, both
from cases_media import no_direct_way
from catalog import AGREED, ALLOCATED, CHALLENGE, COTURN, case, code, credential
from lab import CLIENT, LAN_CLIENT, LAN_PEER, PEER, Lab, need


@case(
    "ice-one-way",
    f"{MIXED}, captured at the peer",
    "nothing of the peer's arrives at the browser: its checks to the peer are answered here, the peer's own never",
    "ice-one-way failure",
    [],
    [],
    [(both(CHECK, FROM % CLIENT), 5), (both(CHECK_ANSWER, FROM % PEER), 5), (both(CHECK, FROM % PEER), 4)],
    [both(CHECK_ANSWER, FROM % CLIENT), CLIENT_HELLO],
)
def ice_one_way(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "iifname to-peer oifname to-client")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("peer", out / "capture.pcapng"):
            call_for(20, out, browser, peer)


@case(
    "ice-wrong-password",
    MIXED,
    "signalling altered both ICE passwords: the checks of both sides are refused",
    "ice-check-unauthorized failure",
    [],
    [],
    [(both(CHECK, FROM % CLIENT), 3), (both(CHECK, FROM % PEER), 1), CHECK_ERROR],
    [CHECK_ANSWER, CLIENT_HELLO],
)
def ice_wrong_password(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(12, out, browser, peer, wrong_password, wrong_password)


@case(
    "ice-wrong-password-offer",
    MIXED,
    "signalling altered the ICE password of the browser's offer alone: the peer's checks are refused, the browser's are answered",
    "ice-check-unauthorized failure",
    [],
    [],
    [both(CHECK, FROM % PEER), both(CHECK_ERROR, FROM % CLIENT), both(CHECK_ANSWER, FROM % PEER)],
    [both(CHECK_ANSWER, FROM % CLIENT)],
)
def ice_wrong_password_offer(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(12, out, browser, peer, wrong_password)


@case(
    "ice-no-path",
    f"{MIXED}, captured at the client",
    "no packet passes between the two, and there is no relay: every check goes unanswered",
    "ice-checks-unanswered failure",
    [],
    [],
    [(both(CHECK, FROM % CLIENT), 8)],
    [CHECK_ANSWER, FROM % PEER, CLIENT_HELLO],
)
def ice_no_path(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        no_direct_way(lab)
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(20, out, browser, peer)


@case(
    "ice-consent-lost",
    f"{AIORTC}; altered to go on for longer (`record/call_agent.py`)",
    "a data channel call that works for twelve seconds; then nothing passes any more, and the consent checks of forty seconds "
    "go unanswered",
    "ice-consent-lost failure",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, (both(CHECK_ANSWER, FROM % PEER), 3),
     (both(CHECK, FROM % CLIENT, "frame.time_relative > 44"), 1)],
    [both(FROM % PEER, "frame.time_relative > 16")],
)
def ice_consent_lost(out):
    with Lab("client", "peer") as lab:
        client, peer = (Aiortc(lab, part, quirks=["patient"], beats=12) for part in ("client", "peer"))
        with lab.capture("client", out / "capture.pcapng"):
            talk(out, client, peer)
            client.wait_state("connected")
            time.sleep(12)
            no_direct_way(lab)
            time.sleep(44)
    # Nobody hangs up: the two are ended with the laboratory.


@case(
    "ice-consent-lost-chromium",
    MIXED,
    "the same with a browser: sixteen checks a second for fifteen seconds, unanswered, and then it is silent",
    "ice-consent-lost warning",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, (both(CHECK_ANSWER, FROM % PEER), 3), (both(CHECK, FROM % CLIENT, "frame.time_relative > 12"), 50)],
    [both(FROM % PEER, "frame.time_relative > 12")],
)
def ice_consent_lost_chromium(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client"), Aiortc(lab, "peer", quirks=["patient"])
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected")
            time.sleep(5)
            no_direct_way(lab)
            time.sleep(35)
            leave(out, browser)


@case(
    "ice-role-conflict",
    f"{AIORTC}; one altered (`record/call_agent.py`)",
    "both agents take themselves for controlling: 487, the smaller tie-breaker gives way, and the call works",
    "healthy",
    ["ice-role-conflict"],
    [],
    [code(487), "stun.att.type == 0x802a", "stun.att.type == 0x8029", NOMINATION, CLIENT_HELLO],
)
def ice_role_conflict(out):
    with Lab("client", "peer") as lab:
        client, peer = Aiortc(lab, "client"), Aiortc(lab, "peer", quirks=["both-controlling"])
        with lab.capture("client", out / "capture.pcapng"):
            talk(out, client, peer)
            client.wait_state("connected")
            time.sleep(4)
            client.close()
            peer.close()


@case(
    "ice-not-nominated",
    f"{AIORTC}; the controlling one altered (`record/call_agent.py`)",
    "checks are answered both ways, and the controlling side never nominates a pair",
    "ice-not-nominated failure",
    [],
    [],
    [(both(CHECK_ANSWER, FROM % CLIENT), 1), (both(CHECK_ANSWER, FROM % PEER), 10)],
    [NOMINATION, CLIENT_HELLO],
)
def ice_not_nominated(out):
    with Lab("client", "peer") as lab:
        client, peer = Aiortc(lab, "client", quirks=["never-nominates"]), Aiortc(lab, "peer")
        with lab.capture("client", out / "capture.pcapng"):
            talk(out, client, peer)
            time.sleep(15)
            client.close()
            peer.close()


@case(
    "peer-denied",
    f"{MIXED}, {COTURN} (denied-peer-ip)",
    "a call that may use the relay only, and the server's policy denies the peer: 403, and ICE fails",
    "turn-peer-forbidden failure",
    ["turn-challenge", "ice-checks-unanswered"],
    AGREED,
    [ALLOCATED, code(403)],
    ["stun.type == 0x0017", "stun.channel", CLIENT_HELLO],
)
def peer_denied(out):
    need("chromium")
    with Lab("client", "server", "peer") as lab:
        no_direct_way(lab)
        lab.coturn("--denied-peer-ip=172.16.90.0-172.16.90.255")
        browser = Browser(lab, "client", audio=True, servers=RELAY, policy="relay")
        peer = Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(20, out, browser, peer)


@case(
    "ice-no-relay-candidate",
    f"{MIXED}, {COTURN}",
    "hosts out of each other's reach and a wrong TURN password: no relay candidate, every check unanswered, ICE fails",
    "turn-integrity-rejected failure",
    ["ice-no-relay-candidate", "ice-checks-unanswered"],
    [credential("browser", "client", password="green-harbour-42"), credential("coturn", "server")],
    [CHALLENGE, (both(CHECK, FROM % CLIENT, TO % PEER), 8)],
    [ALLOCATED, both(CHECK_ANSWER, FROM % PEER)],
)
def ice_no_relay_candidate(out):
    need("chromium")
    with Lab("client", "server", "peer") as lab:
        no_direct_way(lab)
        lab.coturn()
        wrong = [{**RELAY[0], "credential": "green-harbour-42"}]
        browser, peer = Browser(lab, "client", audio=True, servers=wrong), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(20, out, browser, peer)


@case(
    "ice-mdns",
    f"{MIXED}, captured at the peer",
    "the browser hides its address behind a .local name that nobody answers for here; its checks make a peer-reflexive "
    "candidate, and the call works",
    "ice-mdns-unresolved warning",
    [],
    [],
    ['mdns && dns.flags.response == 0 && dns.qry.name contains ".local"', NOMINATION, CLIENT_HELLO],
    ["mdns && dns.flags.response == 1"],
)
def ice_mdns(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", mdns=True, audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("peer", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected", 40)
            time.sleep(3)
            leave(out, browser)
            browser.close()
            peer.close()


@case(
    "ice-mdns-no-path",
    f"{MIXED}, captured at the peer",
    "the same, and the browser's way to the peer is closed too: the peer has no candidate to check, and ICE fails",
    "ice-mdns-unresolved warning",
    [],
    [],
    ['mdns && dns.flags.response == 0 && dns.qry.name contains ".local"'],
    ["mdns && dns.flags.response == 1", CHECK, CLIENT_HELLO],
)
def ice_mdns_no_path(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "iifname to-client oifname to-peer")
        browser, peer = Browser(lab, "client", mdns=True, audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("peer", out / "capture.pcapng"):
            call_for(15, out, browser, peer)


@case(
    "ice-mdns-resolved",
    f"{MIXED}, captured at the peer",
    "two hosts on one network: the browser answers for its .local name, and nothing is wrong",
    "healthy",
    [],
    [],
    ['mdns && dns.flags.response == 0 && dns.qry.name contains ".local"', "mdns && dns.flags.response == 1", NOMINATION,
     CLIENT_HELLO, both(CHECK, FROM % LAN_PEER, TO % LAN_CLIENT)],
)
def ice_mdns_resolved(out):
    need("chromium")
    with Lab("lan") as lab:
        browser, peer = Browser(lab, "client", mdns=True, audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("peer", out / "capture.pcapng"):
            talk(out, browser, peer)
            browser.wait_state("connected", 40)
            time.sleep(3)
            leave(out, browser)
            browser.close()
            peer.close()
