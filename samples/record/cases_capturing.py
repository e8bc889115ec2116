"""Cases about how a capture was taken: copies, cuts, one direction, other link types. What they show is healthy."""

import time

from catalog import AGREED, ALLOCATED, CHANNEL_IN, CHANNEL_OUT, SMALL, UCLIENT, case
from cases_authentication import TALK, small_client
from lab import PEER, Lab, merge, run


@case(
    "span-duplicates",
    UCLIENT + "; editcap, mergecap",
    "a mirror port that sees every frame twice, four microseconds apart: no retransmissions",
    "healthy",
    ["capture-duplicates", "turn-challenge"],
    AGREED,
    [ALLOCATED, CHANNEL_IN],
)
def span_duplicates(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        once, again = lab.scratch / "once.pcapng", lab.scratch / "again.pcapng"
        with lab.capture("client", once):
            lab.uclient(*TALK)
        run("editcap", "-t", "0.000004", str(once), str(again))
        merge(out / "capture.pcapng", once, again)


@case(
    "snaplen-96",
    UCLIENT,
    "a healthy session captured with 96 bytes a frame: nothing long can be verified",
    "healthy",
    ["capture-truncated"],
    AGREED,
    ["frame.len > frame.cap_len"],
)
def snaplen(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng", snaplen=96):
            lab.uclient(*TALK)


@case(
    "mid-call",
    SMALL,
    "the capture starts in the middle of a session: no Allocate, no ChannelBind, and nothing is wrong",
    "healthy",
    [],
    AGREED,
    [CHANNEL_OUT, CHANNEL_IN, "stun.type == 0x0104"],
    ["stun.type == 0x0003", "stun.type == 0x0009"],
)
def mid_call(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        client = small_client(lab)
        client.allocate()
        client.permission(PEER)
        client.channel(0x4001, PEER, 3480)
        with lab.capture("client", out / "capture.pcapng"):
            for number in range(6):
                client.send_channel(0x4001, f"message {number}".encode())
                client.sock.settimeout(1)
                client.sock.recv(2048)
                time.sleep(0.1)
            client.refresh(600)
            client.refresh(0)


@case(
    "one-sided-requests",
    UCLIENT,
    "a healthy session of which only the client's side was captured: silence that is none",
    "healthy",
    ["capture-one-sided"],
    AGREED,
    ["stun.att.username", "stun.type == 0x0003"],
    [ALLOCATED],
)
def one_sided_requests(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng", expression="udp dst port 3478"):
            lab.uclient(*TALK)


@case(
    "one-sided-answers",
    UCLIENT,
    "the same from the other side: answers without requests",
    "healthy",
    ["capture-one-sided"],
    AGREED,
    [ALLOCATED],
    ["stun.type == 0x0003"],
)
def one_sided_answers(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng", expression="udp src port 3478"):
            lab.uclient(*TALK)


@case(
    "any-interface",
    UCLIENT + "; tcpdump -i any",
    "a classic pcap file with link type LINUX_SLL2, taken at the server: client's and peer's side in one",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, "sll", "udp.port == 3480 && !stun"],
)
def any_interface(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("server", out / "capture.pcap", device="any", tool="tcpdump"):
            lab.uclient(*TALK)
