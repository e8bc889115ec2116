"""Cases with whole WebRTC calls: ICE, DTLS and a data channel between two aiortc agents."""

import json
import os
import sys
import time
from pathlib import Path

from catalog import AGREED, ALLOCATED, CHALLENGE, COTURN, case, credential
from chromium import Chromium
from lab import PASSWORD, SERVER, USER, Lab, need

AIORTC = f"aiortc 1.16.0 (aioice 0.13.0), {COTURN}"
AGENT = Path(__file__).parent / "aiortc_agent.py"
TURN = f"turn:{SERVER}:3478?transport=udp"


def agent(lab, part, role, seconds, *server):
    python = os.environ.get("RECORD_PYTHON", sys.executable)
    return lab.spawn(part, python, "-B", AGENT, role, lab.scratch, seconds, *server)


def call(lab, seconds, client_servers, peer="peer", peer_servers=()):
    """A call from the client to the peer. Gives what the two printed."""
    answering = agent(lab, peer, "answer", seconds, *peer_servers)
    offering = agent(lab, "client", "offer", seconds, *client_servers)
    return lab.finish(offering, seconds + 30), lab.finish(answering, 10)


def no_direct_way(lab, other="to-peer"):
    lab.drop("core", f"iifname to-client oifname {other}")
    lab.drop("core", f"iifname {other} oifname to-client")


@case(
    "aiortc-relay-call",
    AIORTC,
    "a data channel call that works over the relay only: checks between the hosts go unanswered, and nothing is wrong",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, "stun.type == 0x0016 || stun.channel"],
)
def aiortc_relay_call(out):
    with Lab("client", "server", "peer") as lab:
        no_direct_way(lab)
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            said = call(lab, 20, (TURN, USER, PASSWORD))
        if any(said):
            raise RuntimeError(f"the call did not work: {said}")


@case(
    "aiortc-wrong-password",
    AIORTC,
    "a call that needs the relay, and a wrong TURN password: no relay candidate, and ICE fails",
    "turn-integrity-rejected failure",
    ["ice-no-relay-candidate", "ice-checks-unanswered"],
    [credential("browser", "client", password="green-harbour-42"), credential("coturn", "server")],
    [CHALLENGE],
    [ALLOCATED],
)
def aiortc_wrong_password(out):
    with Lab("client", "server", "peer") as lab:
        no_direct_way(lab)
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            call(lab, 25, (TURN, USER, "green-harbour-42"))


@case(
    "static-nat-missing-call",
    AIORTC,
    "the relay's address is the server's inside one: the peer cannot reach it, its NAT lets nothing else in, ICE fails",
    "turn-relay-private failure",
    ["turn-challenge", "ice-checks-unanswered"],
    AGREED,
    [ALLOCATED],
)
def static_nat_missing_call(out):
    with Lab("client", "server", "home") as lab:
        lab.masquerade()
        no_direct_way(lab, "to-homenat")
        # The inside network is not to be reached from outside; and a home router drops what nobody asked for.
        lab.nft("core", "add table inet early")
        lab.nft("core", "add chain inet early prerouting { type filter hook prerouting priority -200; }")
        lab.nft("core", "add rule inet early prerouting iifname to-homenat ip daddr 192.168.245.0/24 drop")
        lab.drop("homenat", "iifname eth0", hook="input")
        lab.coturn(external=None)
        with lab.capture("client", out / "capture.pcapng"):
            call(lab, 40, (TURN, USER, PASSWORD), "home", (f"stun:{SERVER}:3478",))


CHROMIUM = f"Chromium 156, aiortc 1.16.0, {COTURN}"
OFFER = """
    window.connection = new RTCPeerConnection({iceServers: [{urls: %s, username: %s, credential: %s}]});
    window.received = [];
    const channel = connection.createDataChannel("sample");
    channel.onopen = async () => {
        for (let number = 0; number < 4; number++) {
            channel.send("message " + number);
            await new Promise(later => setTimeout(later, 100));
        }
    };
    channel.onmessage = event => received.push(event.data);
    await connection.setLocalDescription(await connection.createOffer());
    await new Promise(done => {
        connection.onicegatheringstatechange = () => connection.iceGatheringState == "complete" && done();
        setTimeout(done, 12000);
    });
    return {type: "offer", sdp: connection.localDescription.sdp};
"""
ANSWER = "await connection.setRemoteDescription(%s);"
LISTEN = """
    for (let turn = 0; turn < %d && received.length < 4; turn++) await new Promise(later => setTimeout(later, 100));
    connection.close();
    await new Promise(later => setTimeout(later, 500));
    return received.length;
"""


def chromium_call(out, password, seconds):
    """A call from Chromium in the client's place to aiortc in the peer's. Gives how many messages came back."""
    need("chromium", "bash")
    with Lab("client", "server", "peer") as lab:
        no_direct_way(lab)
        lab.coturn()
        browser = Chromium(lab, "client")
        try:
            with lab.capture("client", out / "capture.pcapng"):
                answering = agent(lab, "peer", "answer", seconds)
                offer = browser.run(OFFER % tuple(map(json.dumps, (TURN, USER, password))))
                (lab.scratch / "offer.part").write_text(json.dumps(offer))
                (lab.scratch / "offer.part").rename(lab.scratch / "offer.json")
                answer = lab.scratch / "answer.json"
                for _ in range(200):
                    if answer.exists():
                        break
                    time.sleep(0.1)
                else:
                    raise RuntimeError(f"no answer: {lab.finish(answering, 1)}")
                browser.run(ANSWER % answer.read_text())
                received = browser.run(LISTEN % (10 * seconds), seconds + 10)
                lab.finish(answering, 10)
        finally:
            browser.close(lab)
    return received


@case(
    "chromium-relay-call",
    CHROMIUM,
    "a browser's call over the relay: first checks in Send and Data, the rest through a channel, DTLS within",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, "stun.type == 0x0016", "stun.type == 0x0009", "stun.channel"],
)
def chromium_relay_call(out):
    received = chromium_call(out, PASSWORD, 15)
    if received != 4:
        raise RuntimeError(f"the call did not work: {received} messages")


@case(
    "chromium-wrong-password",
    CHROMIUM,
    "a browser with a wrong TURN password: how Chromium asks, and that ICE then fails",
    "turn-integrity-rejected failure",
    ["ice-no-relay-candidate", "ice-checks-unanswered"],
    [credential("browser", "client", password="green-harbour-42"), credential("coturn", "server")],
    [CHALLENGE],
    [ALLOCATED],
)
def chromium_wrong_password(out):
    chromium_call(out, "green-harbour-42", 5)
