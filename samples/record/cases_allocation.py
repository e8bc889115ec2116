"""Cases where the credentials are right and the server's answer says what else is wrong."""

import struct
import time

import stun
from catalog import AGREED, ALLOCATED, CHANNEL_IN, SMALL, UCLIENT, case, code, credential
from cases_authentication import TALK, small_client
from lab import CLIENT, PASSWORD, PEER, REALM, SECOND, SECOND_INSIDE, SERVER, SERVER_INSIDE, USER, Lab
from serving import Server
from stun import Client

SERVER_ITSELF = "small server (`record/serving.py`), small client (`record/stun.py`)"
IPV6_FAMILY = bytes([2, 0, 0, 0])


@case(
    "allocation-mismatch",
    SMALL,
    "the client restarts on the same local port while its allocation still lives: 437",
    "turn-allocation-mismatch failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, code(437)],
)
def allocation_mismatch(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            first = Client(lab.udp("client", CLIENT, 50124), (SERVER, 3478), USER, PASSWORD)
            first.allocate()
            time.sleep(2)
            first.sock.close()
            again = Client(lab.udp("client", CLIENT, 50124), (SERVER, 3478), USER, PASSWORD)
            for _ in range(3):
                again.allocate()
                time.sleep(1)


@case(
    "quota",
    SMALL,
    "the user may have two allocations and asks for a third from a new port: 486",
    "turn-quota failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, code(486)],
)
def quota(out):
    with Lab("client", "server") as lab:
        lab.coturn("--user-quota=2")
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(3):
                small_client(lab).allocate()
                time.sleep(0.5)
            for _ in range(2):
                small_client(lab).allocate()
                time.sleep(0.5)


@case(
    "quota-reached-at-once",
    UCLIENT,
    "quota of one allocation, and a client that needs two: the second gets 486",
    "turn-quota failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, code(486)],
)
def quota_reached_at_once(out):
    with Lab("client", "server") as lab:
        lab.coturn("--user-quota=1")
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK, seconds=8)


@case(
    "quota-call-works",
    SMALL,
    "data flows both ways over the first relay when a second one is refused with 486: the call works",
    "turn-quota warning",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, code(486), CHANNEL_IN],
)
def quota_call_works(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn("--user-quota=1")
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            session(small_client(lab), in_between=lambda: small_client(lab).allocate())


@case(
    "no-ports",
    SMALL,
    "two relay ports in all, both taken: 508",
    "turn-capacity failure",
    ["turn-challenge"],
    AGREED,
    [code(508)],
)
def no_ports(out):
    with Lab("client", "server") as lab:
        lab.coturn(ports=(24000, 24001))
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(5):
                small_client(lab).allocate()
                time.sleep(0.3)


@case(
    "forbidden-peer",
    SMALL,
    "the server's policy denies the peer's network: 403 to CreatePermission and ChannelBind",
    "turn-peer-forbidden failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, code(403)],
)
def forbidden_peer(out):
    with Lab("client", "server") as lab:
        lab.coturn("--denied-peer-ip=172.16.90.0-172.16.90.255")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.allocate()
            client.permission(PEER)
            client.channel(0x4000, PEER, 3480)
            time.sleep(1)
            client.permission(PEER)


@case(
    "forbidden-peer-among-others",
    SMALL,
    "one candidate of the peer is in a denied network and gets 403, the other works: worth a warning",
    "turn-peer-forbidden warning",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, code(403), CHANNEL_IN],
)
def forbidden_peer_among_others(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn("--denied-peer-ip=192.168.7.0-192.168.7.255")
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            session(client, in_between=lambda: client.permission("192.168.7.20"))


@case(
    "transport-unsupported",
    SMALL,
    "the client asks for a TCP relay where TCP relays are switched off: 442",
    "turn-transport-unsupported failure",
    [],
    AGREED,
    [code(442)],
    [ALLOCATED],
)
def transport_unsupported(out):
    with Lab("client", "server") as lab:
        lab.coturn("--no-tcp-relay")
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(2):
                small_client(lab).allocate(transport=stun.TCP)
                time.sleep(0.5)


@case(
    "address-family",
    SMALL,
    "the client asks for an IPv6 relay, the server has IPv4 only: 440",
    "turn-address-family failure",
    [],
    AGREED,
    [code(440)],
    [ALLOCATED],
)
def address_family(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(2):
                small_client(lab).allocate((stun.REQUESTED_ADDRESS_FAMILY, IPV6_FAMILY))
                time.sleep(0.5)


@case(
    "mobility-forbidden",
    SMALL,
    "the client asks for mobility, the server does not allow it: 405",
    "turn-request-rejected failure",
    [],
    AGREED,
    [code(405)],
    [ALLOCATED],
)
def mobility_forbidden(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(2):
                small_client(lab).allocate((stun.MOBILITY_TICKET, b""))
                time.sleep(0.5)


@case(
    "mobility",
    SMALL,
    "a client goes on from another port with its ticket, as after a change of network, and its allocation and channel with it (RFC 8016)",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, "stun.type == 0x0104 && stun.att.type == 0x8030", CHANNEL_IN],
)
def mobility(out):
    def moves():
        client.sock.close()
        client.sock = lab.udp("client", CLIENT)
        client.ask(client.request(stun.REFRESH, (stun.MOBILITY_TICKET, ticket)))

    with Lab("client", "server", "peer") as lab:
        lab.coturn("--mobility")
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            ticket = client.allocate((stun.MOBILITY_TICKET, b"")).get(stun.MOBILITY_TICKET)
            client.channel(0x4000, PEER, 3480)
            talk(client, 0x4000)
            time.sleep(1)
            moves()
            talk(client, 0x4000)
            client.refresh(0)


@case(
    "redirect",
    UCLIENT,
    "the server sends the client on with 300, and the client allocates at the alternate",
    "healthy",
    ["turn-redirect", "turn-challenge"],
    AGREED,
    [code(300), ALLOCATED, f"ip.dst == {SECOND} && stun", CHANNEL_IN],
)
def redirect(out):
    with Lab("client", "server", "second", "peer") as lab:
        lab.coturn(f"--alternate-server={SECOND}:3478")
        lab.coturn(address=SECOND_INSIDE, external=SECOND, name="second")
        time.sleep(1)
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK)


@case(
    "redirect-ignored",
    SMALL,
    "the server answers 300, the client goes on asking the same server",
    "turn-redirect-ignored failure",
    [],
    AGREED,
    [code(300)],
    [ALLOCATED, f"ip.dst == {SECOND}"],
)
def redirect_ignored(out):
    with Lab("client", "server") as lab:
        lab.coturn(f"--alternate-server={SECOND}:3478")
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(4):
                small_client(lab).allocate()
                time.sleep(1)


@case(
    "redirect-loop",
    SMALL,
    "two servers send the client to each other",
    "turn-redirect-loop failure",
    [],
    AGREED,
    [code(300), f"ip.dst == {SECOND} && stun"],
    [ALLOCATED],
)
def redirect_loop(out):
    with Lab("client", "server", "second") as lab:
        lab.coturn(f"--alternate-server={SECOND}:3478")
        lab.coturn(f"--alternate-server={SERVER}:3478", address=SECOND_INSIDE, external=SECOND, name="second")
        time.sleep(1)
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            for _ in range(6):
                answer = client.allocate()
                client.server = answer.get_address(stun.ALTERNATE_SERVER)
                client.nonce = client.realm = None
                time.sleep(0.5)


def small_server(lab, **options):
    return Server(lab.udp("server", SERVER_INSIDE, 3478), lambda: lab.udp("server", SERVER_INSIDE, next_relay_port()), SERVER,
                  {USER: PASSWORD}, REALM, **options)


RELAY_PORTS = iter(range(24310, 30000, 2))


def next_relay_port():
    return next(RELAY_PORTS)


@case(
    "refused",
    SERVER_ITSELF,
    "the server refuses every Allocate with 403: an administrator's decision",
    "turn-refused failure",
    [],
    AGREED,
    [code(403)],
    [ALLOCATED],
)
def refused(out):
    refused_with(out, 403, "Forbidden")


@case(
    "server-error",
    SERVER_ITSELF,
    "the server answers every Allocate with 500",
    "turn-server-error failure",
    [],
    AGREED,
    [code(500)],
    [ALLOCATED],
)
def server_error(out):
    refused_with(out, 500, "Server Error")


def refused_with(out, number, reason):
    with Lab("client", "server") as lab, small_server(lab, refuse=(number, reason)):
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(3):
                small_client(lab).allocate()
                time.sleep(1)


@case(
    "relay-unusable",
    SERVER_ITSELF,
    "the Allocate succeeds with the relayed address 0.0.0.0:0",
    "turn-relay-unusable failure",
    ["turn-challenge"],
    AGREED,
    [ALLOCATED, "stun.att.ipv4-xord == 0.0.0.0 || stun.att.ipv4 == 0.0.0.0"],
)
def relay_unusable(out):
    with Lab("client", "server") as lab, small_server(lab, relayed=("0.0.0.0", 0)):
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.allocate()
            client.permission(PEER)
            time.sleep(1)
            client.refresh(0)


@case(
    "sha256",
    SERVER_ITSELF,
    "RFC 8489: nonce cookie, PASSWORD-ALGORITHMS, MESSAGE-INTEGRITY-SHA256 with SHA-256 keys, data through a channel",
    "healthy",
    ["turn-challenge"],
    AGREED,
    ["stun.att.type == 0x001c", "stun.att.type == 0x8002", "stun.att.type == 0x001d", ALLOCATED, CHANNEL_IN],
    ["stun.att.type == 0x0008"],
)
def sha256(out):
    with Lab("client", "server", "peer") as lab, small_server(lab, sha256=True):
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            session(small_client(lab, sha256=True))


@case(
    "sha256-userhash",
    SERVER_ITSELF,
    "the same with user anonymity: USERHASH in place of USERNAME",
    "healthy",
    ["turn-challenge"],
    AGREED,
    ["stun.att.type == 0x001e", "stun.att.type == 0x001c", ALLOCATED, CHANNEL_IN],
    ["stun.att.username"],
)
def sha256_userhash(out):
    with Lab("client", "server", "peer") as lab, small_server(lab, sha256=True, anonymous=True):
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            session(small_client(lab, sha256=True, anonymous=True))


@case(
    "sha256-wrong-password",
    SERVER_ITSELF,
    "RFC 8489 with a wrong password",
    "turn-integrity-rejected failure",
    [],
    [credential("client", "client", password="green-harbour-42"), credential("server", "server")],
    ["stun.att.type == 0x001c"],
    [ALLOCATED],
)
def sha256_wrong_password(out):
    with Lab("client", "server") as lab, small_server(lab, sha256=True):
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(2):
                small_client(lab, sha256=True, password="green-harbour-42").allocate()
                time.sleep(0.5)


@case(
    "bid-down",
    SERVER_ITSELF,
    "the nonce promises password algorithms, the client signs with MD5 and SHA-1 all the same",
    "turn-bid-down warning",
    ["turn-challenge"],
    AGREED,
    ["stun.att.type == 0x8002", ALLOCATED, "stun.att.type == 0x0008"],
)
def bid_down(out):
    with Lab("client", "server", "peer") as lab, small_server(lab, sha256=True):
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            session(small_client(lab))


def session(client, in_between=lambda: None):
    """An allocation, a permission, a channel, data there and back, and the end. `in_between` is done before the data."""
    client.allocate()
    client.permission(PEER)
    in_between()
    client.channel(0x4001, PEER, 3480)
    talk(client, 0x4001)
    client.refresh(0)


def talk(client, channel):
    """Data there and back over a channel."""
    for number in range(3):
        client.send_channel(channel, struct.pack("!I", number) + b"over the relay")
        client.sock.settimeout(1)
        client.sock.recv(2048)
        time.sleep(0.02)
