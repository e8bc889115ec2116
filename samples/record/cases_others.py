"""Cases with a second real server, pion/turn, which words things differently from coturn."""

import os
from pathlib import Path

import stun
from catalog import AGREED, ALLOCATED, CHALLENGE, CHANNEL_IN, case, code, credential
from lab import CLIENT, PASSWORD, PEER, REALM, SERVER, SERVER_INSIDE, USER, Lab, need, run

PION = "pion/turn 2.1.0, server and client (`record/pion/main.go`)"
EXPIRED_USER = "1767225600"


def built(lab):
    """The sample program, built in the laboratory's scratch directory."""
    need("go")
    program = lab.scratch / "pion-sample"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "CGO_ENABLED": "0"}
    source = Path(__file__).parent / "pion" / "main.go"
    settings = (f"{key}={value}" for key, value in environment.items())
    run("env", *settings, "go", "build", "-o", str(program), str(source), timeout=300)
    return program


def pion_server(lab, program, *arguments, kind="server"):
    lab.spawn("server", program, kind, SERVER_INSIDE, SERVER, REALM, *arguments)
    lab.wait_bound("server", 3478)


def pion_client(lab, program, user, password):
    return lab.finish(lab.spawn("client", program, "client", CLIENT, f"{SERVER}:3478", user, password, f"{PEER}:3480"), 20)


@case(
    "pion-success",
    PION,
    "another real server and client, data both ways",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [CHALLENGE, ALLOCATED, "stun.type == 0x0016", CHANNEL_IN],
)
def pion_success(out):
    with Lab("client", "server", "peer") as lab:
        program = built(lab)
        pion_server(lab, program, USER, PASSWORD)
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            pion_client(lab, program, USER, PASSWORD)


@case(
    "pion-wrong-password",
    PION,
    "a wrong password is a bare 400 there, without reason, REALM or NONCE",
    "turn-integrity-rejected failure",
    [],
    [credential("client", "client", password="green-harbour-42"), credential("pion", "server")],
    [CHALLENGE, code(400)],
    [ALLOCATED],
)
def pion_wrong_password(out):
    with Lab("client", "server", "peer") as lab:
        program = built(lab)
        pion_server(lab, program, USER, PASSWORD)
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(2):
                pion_client(lab, program, USER, "green-harbour-42")


@case(
    "rest-expired-accepted",
    PION,
    "a server that checks a time-limited credential's HMAC and never its time: an expired one allocates",
    "turn-expired-credential-accepted warning",
    ["turn-challenge"],
    [{"label": "REST secret", "shared_secret": "north"}],
    [ALLOCATED, f'stun.att.username == "{EXPIRED_USER}"'],
)
def rest_expired_accepted(out):
    with Lab("client", "server", "peer") as lab:
        program = built(lab)
        pion_server(lab, program, "north", kind="rest-server")
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            pion_client(lab, program, EXPIRED_USER, stun.rest_password("north", EXPIRED_USER))
