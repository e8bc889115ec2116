"""Cases about TURN over TCP: RFC 8656 §3.1, no TLS."""

import struct
import time

import stun
from catalog import AGREED, ALLOCATED, CHALLENGE, COTURN, SMALL, UCLIENT, case, credential
from cases_authentication import TALK, WRONG, small_client
from cases_path import PATIENT, first_leg
from lab import CLIENT, PASSWORD, PEER, SERVER, USER, Lab
from stun import Client, Stream

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


def over_tcp(lab, like=None):
    """A small client on a TCP connection of its own; `like` another one it knows the server's realm and nonce."""
    client = Client(Stream(lab.tcp("client", CLIENT, (SERVER, 3478))), (SERVER, 3478), USER, PASSWORD)
    if like:
        client.realm, client.nonce = like.realm, like.nonce
    return client


def bound(lab, control, connection):
    """A data connection of this client, bound to this CONNECTION-ID, and the answer to ConnectionBind."""
    data = over_tcp(lab, control)
    return data.sock.sock, data.ask(data.request(stun.CONNECTION_BIND, (stun.CONNECTION_ID, connection)), (3,))


def exchange(one, other, text):
    """Some bytes one way and more of them back."""
    for sender, receiver, data in ((one, other, text), (other, one, text * 40)):
        sender.sendall(data)
        receiver.settimeout(5)
        left = len(data)
        while left:
            left -= len(receiver.recv(left)) or left
        time.sleep(0.1)


@case(
    "tcp-relay-peers",
    SMALL,
    "a relay for TCP (RFC 6062): one connection that the client asks for, one that the peer opens (ConnectionAttempt), bytes both ways on both",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [OVER_TCP + ALLOCATED, "stun.type == 0x010a", "stun.type == 0x001c", ("stun.type == 0x010b", 2)],
)
def tcp_relay_peers(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        listener = lab.listen("peer", PEER, 3481)
        with lab.capture("client", out / "capture.pcapng"):
            control = over_tcp(lab)
            relay = control.allocate(transport=stun.TCP).get_address(stun.XOR_RELAYED_ADDRESS)
            control.permission(PEER)
            answer = control.ask(control.request(stun.CONNECT, (stun.XOR_PEER_ADDRESS, PEER, 3481)), (5,))
            outgoing, accepted = bound(lab, control, answer.get(stun.CONNECTION_ID))[0], listener.accept()[0]
            exchange(outgoing, accepted, b"from the client\n")
            calling = lab.tcp("peer", PEER, relay)
            control.sock.settimeout(5)
            attempt = stun.decode(control.sock.recv(2048))
            incoming, _ = bound(lab, control, attempt.get(stun.CONNECTION_ID))
            exchange(calling, incoming, b"from the peer\n")
            for sock in (outgoing, accepted, calling, incoming):
                sock.close()
            control.refresh(0)
            control.sock.sock.close()


@case(
    "tcp-relay-unknown-id",
    SMALL,
    "a relay for TCP (RFC 6062): the ConnectionBind names a connection that the relay does not have, and coturn closes it without an answer",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [OVER_TCP + ALLOCATED, "stun.type == 0x010a", "stun.type == 0x000b"],
)
def tcp_relay_unknown_id(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        listener = lab.listen("peer", PEER, 3481)
        with lab.capture("client", out / "capture.pcapng"):
            control = over_tcp(lab)
            control.allocate(transport=stun.TCP)
            control.permission(PEER)
            answer = control.ask(control.request(stun.CONNECT, (stun.XOR_PEER_ADDRESS, PEER, 3481)), (5,))
            other = bytes(byte ^ 0x55 for byte in answer.get(stun.CONNECTION_ID))
            for _ in range(2):
                bound(lab, control, other)[0].close()
                time.sleep(0.3)
            lab.murmur(2)
            listener.close()
            control.refresh(0)
            control.sock.sock.close()


def talking(lab):
    """A client with a channel over TCP that it talked through."""
    client = over_tcp(lab)
    client.allocate()
    client.channel(0x4001, PEER, 3480)
    for number in range(4):
        client.send_channel(0x4001, struct.pack("!I", number) + bytes(60))
        client.sock.settimeout(1)
        client.sock.recv(2048)
        time.sleep(0.5)
    return client


@case(
    "tcp-connection-closed",
    SMALL,
    "the server is stopped while an allocation lives: coturn resets the connection",
    "turn-connection-closed warning",
    ["turn-challenge"],
    AGREED,
    [OVER_TCP + ALLOCATED, RST, "stun.channel && tcp.srcport == 3478"],
)
def tcp_connection_closed(out):
    with Lab("client", "server", "peer") as lab:
        server = lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            client = talking(lab)
            lab.stop(server)
            lab.murmur(3)
            client.sock.sock.close()


@case(
    "tcp-connection-reset",
    SMALL + ", Linux firewall",
    "a firewall on the way changes its mind about a running connection and resets it in the server's name while the allocation lives",
    "turn-connection-closed warning",
    ["turn-challenge"],
    AGREED,
    [OVER_TCP + ALLOCATED, RST + " && ip.ttl == 255", "stun.channel && tcp.srcport == 3478"],
)
def tcp_connection_reset(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        lab.sysctl("core", "net.ipv4.ip_default_ttl", 255)  # as many network devices have it
        with lab.capture("client", out / "capture.pcapng"):
            client = talking(lab)
            lab.refuse("core", "iifname to-client tcp dport 3478", "tcp reset")
            client.send_channel(0x4001, bytes(64))
            lab.murmur(3)


@case(
    "tcp-prohibited",
    UCLIENT + ", Linux firewall",
    "a router on the way refuses TCP 3478: the SYN is answered by ICMP administratively prohibited, from the router's address",
    "turn-unreachable failure",
    [],
    AGREED,
    [SYN, "icmp.type == 3 && icmp.code == 13 && ip.src == 172.16.84.1"],
    ["stun"],
)
def tcp_prohibited(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        lab.refuse("core", "iifname to-client tcp dport 3478", "icmp type admin-prohibited")
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient("-t", *TALK, seconds=4)


@case(
    "tcp-channel-padding",
    SMALL,
    "the client sends ChannelData over TCP without padding it to four bytes: the server takes the next message's start for padding",
    "turn-channel-padding warning",
    ["turn-challenge"],
    AGREED,
    [OVER_TCP + ALLOCATED, "stun.channel && tcp.srcport == 3478"],
)
def tcp_channel_padding(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            client = talking(lab)
            # as one that was only ever tried with UDP: a call's packets, one after another
            for number in range(30):
                client.send_channel(0x4001, struct.pack("!I", number) + bytes(57))
                time.sleep(0.02)
            lab.murmur(3)
