"""Cases with further stacks, each with its own way of doing things: libnice in GStreamer, libjuice in libdatachannel."""

import json
import os
import time
from pathlib import Path

from calls import Aiortc, talk
from catalog import CHALLENGE, COTURN, case, credential
from lab import SERVER, USER, Lab, need

GST_AGENT = Path(__file__).parent / "gst_agent.py"
LIBDATACHANNEL = Path(__file__).parent / "libdatachannel_agent.js"


class GStreamer(Aiortc):
    """A party on GStreamer's webrtcbin, with the Python that has its bindings."""

    def _begin(self, role):
        python = os.environ.get("RECORD_GST_PYTHON", "/usr/bin/python3")
        home = {**os.environ, "HOME": str(self.lab.scratch)}
        self.process = self.lab.spawn(self.part, python, "-B", GST_AGENT, role, self.folder, json.dumps(self.settings), env=home)


@case(
    "libnice-ice-tcp",
    "GStreamer 1.22 webrtcbin, libnice 0.1.21, both ends",
    "UDP to the peer is dropped: ICE over TCP (RFC 6544) takes the call, checks, DTLS and media in frames of RFC 4571",
    "healthy",
    [],
    [],
    ["tcp && stun.type == 0x0101", "tcp && stun.type == 0x0001"],
)
def libnice_ice_tcp(out):
    with Lab("client", "peer") as lab:
        lab.drop("core", "iifname to-client meta l4proto udp")
        calling, called = GStreamer(lab, "client"), GStreamer(lab, "peer")
        with lab.capture("client", out / "capture.pcapng"):
            talk(out, calling, called)
            calling.wait_state("connected")
            time.sleep(3)
            calling.close()
            called.close()


@case(
    "libdatachannel-wrong-password",
    COTURN + ", libdatachannel (node-datachannel 0.32, libjuice)",
    "a wrong password; the signed Allocate has the transaction id of the one that was challenged",
    "turn-integrity-rejected failure",
    [],
    [credential("client", "client", password="green-harbour-42"), credential("coturn", "server")],
    [(CHALLENGE, 2)],
    ["stun.type == 0x0103"],
)
def libdatachannel_wrong_password(out):
    need("node")
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng", expression="udp port 3478 or udp port 514"):
            lab.spawn("client", "node", LIBDATACHANNEL, SERVER, 3478, USER, "green-harbour-42")
            lab.murmur(6)
