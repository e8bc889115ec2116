"""Cases about TURN over TCP: RFC 8656 §3.1, no TLS."""

from catalog import AGREED, ALLOCATED, CHALLENGE, COTURN, UCLIENT, case, credential
from cases_authentication import TALK, WRONG, small_client
from cases_path import PATIENT, first_leg
from lab import Lab

OVER_TCP = "tcp.port == 3478 && "
SYN = "tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == 3478"
RST = "tcp.flags.reset == 1 && tcp.srcport == 3478"


@case(
    "tcp-success",
    UCLIENT,
    "TURN over TCP: allocation, channels, data both ways, with ChannelData padded to four bytes",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [OVER_TCP + ALLOCATED, "stun.channel && tcp.dstport == 3478", "stun.channel && tcp.srcport == 3478"],
    ["udp && stun"],
)
def tcp_success(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            # 61 bytes: each ChannelData needs three bytes of padding
            lab.uclient("-t", *TALK[:-1], "61")


@case(
    "tcp-wrong-password",
    UCLIENT,
    "TURN over TCP with a wrong password: every try gets a second 401",
    "turn-integrity-rejected failure",
    [],
    [credential("client", "client", password=WRONG), credential("coturn", "server")],
    [OVER_TCP + CHALLENGE],
    [ALLOCATED],
)
def tcp_wrong_password(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng", expression="tcp port 3478"):
            lab.uclient("-t", *TALK, password=WRONG, seconds=2)


@case(
    "tcp-refused",
    COTURN + " (--no-tcp), turnutils_uclient",
    "nothing listens on TCP 3478: the SYN is answered by a reset",
    "turn-unreachable failure",
    [],
    AGREED,
    [SYN, RST],
    ["stun"],
)
def tcp_refused(out):
    with Lab("client", "server") as lab:
        lab.coturn("--no-tcp")
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient("-t", *TALK, seconds=4)


@case(
    "tcp-unanswered",
    UCLIENT,
    "a firewall drops TCP 3478: the SYN is sent again and again, and nothing comes back",
    "turn-unreachable failure",
    [],
    AGREED,
    [SYN],
    ["stun", "ip.src == 10.88.246.156"],
)
def tcp_unanswered(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        lab.drop("core", "iifname to-client tcp dport 3478")
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient("-t", *TALK, seconds=10)
            lab.murmur(2)


@case(
    "tcp-fallback",
    "coturn 4.6.1, small client (`record/stun.py`), then turnutils_uclient over TCP",
    "a firewall drops UDP 3478, and TURN over TCP to the same server works",
    "turn-no-response warning",
    ["turn-fallback", "turn-challenge"],
    AGREED,
    ["udp.dstport == 3478 && stun", OVER_TCP + ALLOCATED, "stun.channel && tcp.srcport == 3478"],
    ["udp.srcport == 3478"],
)
def tcp_fallback(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        lab.drop("core", "iifname to-client udp dport 3478")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(first_leg(client), PATIENT[:4])
            lab.uclient("-t", *TALK)


@case(
    "tcp-relay",
    UCLIENT,
    "a relay for TCP (RFC 6062): Connect, ConnectionBind on a connection of its own, then the peer's bytes",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [OVER_TCP + ALLOCATED, "stun.type == 0x010a", "stun.type == 0x010b"],
)
def tcp_relay(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            # without a peer: two of its own allocations connect to each other
            lab.uclient("-T", "-y", "-n", "3", "-m", "2", "-c", "-l", "64", seconds=12)
