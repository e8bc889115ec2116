"""Cases with whole WebRTC calls: ICE, DTLS and a data channel between two aiortc agents."""

import os
import sys
from pathlib import Path

from catalog import AGREED, ALLOCATED, CHALLENGE, COTURN, case, credential
from lab import PASSWORD, SERVER, USER, Lab

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


@case("aiortc-relay-call", AIORTC, "a data channel call that works over the relay only: checks between the hosts go unanswered, and nothing is wrong",
      "healthy", ["turn-challenge"], AGREED, [ALLOCATED, "stun.type == 0x0016 || stun.channel"])
def aiortc_relay_call(out):
    with Lab("client", "server", "peer") as lab:
        no_direct_way(lab)
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            said = call(lab, 20, (TURN, USER, PASSWORD))
        if any(said):
            raise RuntimeError(f"the call did not work: {said}")


@case("aiortc-wrong-password", AIORTC, "a call that needs the relay, and a wrong TURN password: no relay candidate, and ICE fails",
      "turn-integrity-rejected failure", [],
      [credential("browser", "client", password="green-harbour-42"), credential("coturn", "server")], [CHALLENGE], [ALLOCATED])
def aiortc_wrong_password(out):
    with Lab("client", "server", "peer") as lab:
        no_direct_way(lab)
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            call(lab, 25, (TURN, USER, "green-harbour-42"))


@case("static-nat-missing-call", AIORTC, "the relay's address is the server's inside one: the peer cannot reach it, its NAT lets nothing else in, ICE fails",
      "turn-relay-private failure", ["turn-challenge"], AGREED, [ALLOCATED])
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
