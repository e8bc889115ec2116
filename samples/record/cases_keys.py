"""Cases with the keys beside the capture, or in it: what TLS and DTLS hide is read all the same."""

import subprocess
import time
from pathlib import Path

import stun
from calls import RELAY, Aiortc, Browser, ended, leave, talk
from cases_authentication import TALK
from cases_tcp import exchange
from cases_tls import DATA, HELLO, TURNS, Certificates, TlsClient, connect, context
from cases_tls import talk as session
from catalog import AGREED, COTURN, UCLIENT, case
from lab import PASSWORD, PEER, SERVER, USER, Lab, need


def preload(lab):
    """The library that has OpenSSL log its keys."""
    need("cc")
    made = Path(lab.scratch) / "keylog.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", made, Path(__file__).parent / "keylog.c", "-ldl"], check=True, timeout=60)
    return made


def distinct(path):
    """Each end logs the same lines: once is enough."""
    lines = dict.fromkeys(path.read_text().splitlines())
    path.write_text("".join(f"{line}\n" for line in lines))


@case(
    "turn-over-dtls-keys",
    UCLIENT + " -S, with OpenSSL's keys logged (`record/keylog.c`)",
    "TURN over DTLS 1.2 with the keys beside the capture: allocation, channels, data both ways",
    "healthy",
    ["turn-challenge"],
    AGREED,
    ["dtls.handshake.type == 1", "dtls.record.content_type == 23 && udp.srcport == 5349"],
    ["stun"],
)
def turn_over_dtls_keys(out):
    with Lab("client", "server", "peer") as lab:
        made, library = Certificates(lab), preload(lab)
        lab.coturn(secure=made.coturn())
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            with_keys = ("env", f"LD_PRELOAD={library}", f"SSLKEYLOGFILE={out / 'keylog.txt'}")
            client = lab.spawn("client", *with_keys, "turnutils_uclient", "-S", "-p", TURNS, "-u", USER, "-w", PASSWORD, *TALK, SERVER)
            lab.finish(client, 20)
        distinct(out / "keylog.txt")


@case(
    "tls-embedded-keys",
    f"{COTURN} and Python's ssl; the keys put into the capture by editcap",
    "TURN over TLS 1.2 with the keys in the pcapng file itself: a decryption secrets block",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [HELLO, DATA],
    ["tls.alert_message.level == 2"],
)
def tls_embedded_keys(out):
    with Lab("client", "server", "peer") as lab:
        made = Certificates(lab)
        lab.coturn(secure=made.coturn())
        lab.echo_peer()
        bare, keys = Path(lab.scratch) / "bare.pcapng", out / "keylog.txt"
        with lab.capture("client", bare):
            session(connect(lab, context(out, made.authority)))
        subprocess.run(["editcap", "--inject-secrets", f"tls,{keys}", bare, out / "capture.pcapng"], check=True, timeout=30)
        keys.unlink()


@case(
    "aiortc-relay-keys",
    "coturn 4.6.1, aiortc 1.x with its keys logged",
    "a call with a data channel through the relay, and the keys of its DTLS 1.2: Finished and the closing alert are readable",
    "healthy",
    ["turn-challenge", "dtls-closed"],
    AGREED,
    ["dtls.handshake.type == 1"],
)
def aiortc_relay_keys(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        keys = str(out / "keylog.txt")
        with lab.capture("client", out / "capture.pcapng"):
            offering = Aiortc(lab, "client", servers=RELAY, keylog=keys, quirks=["relay-only"])
            answering = Aiortc(lab, "peer", keylog=keys)
            talk(out, offering, answering)
            offering.wait_state("connected")
            time.sleep(3)
            offering.close()
            answering.close()
        distinct(out / "keylog.txt")


@case(
    "chromium-turns",
    "coturn 4.6.1, Chromium 156 with `--ssl-key-log-file`",
    "a call of Chromium's over turns: TURN over TLS, with DTLS 1.3 and data inside its channels; the keys of TLS are beside the capture",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [HELLO, DATA],
)
def chromium_turns(out):
    with Lab("client", "server", "peer") as lab:
        made = Certificates(lab, names=(f"IP:{SERVER}",))
        lab.coturn(secure=made.coturn())
        servers = [{"urls": f"turns:{SERVER}:{TURNS}?transport=tcp", "username": USER, "credential": PASSWORD}]
        keys = out / "keylog.txt"
        flags = (f"--ssl-key-log-file={keys}", "--ignore-certificate-errors")
        calling = Browser(lab, "client", flags=flags, servers=servers, policy="relay")
        called = Browser(lab, "peer")
        with ended(calling, called):
            with lab.capture("client", out / "capture.pcapng"):
                talk(out, calling, called)
                calling.wait_state("connected")
                time.sleep(3)
                leave(out, calling)
                calling.close()
        # what the browser says to others is none of the sample's
        distinct(keys)


@case(
    "tls-tcp-relay",
    f"{COTURN} and Python's ssl, its keys logged",
    "a relay for TCP (RFC 6062) inside TLS 1.2: Connect on one connection, ConnectionBind and the peer's bytes on another, read with the keys",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [(HELLO, 2), DATA],
    ["tls.alert_message.level == 2", "stun"],
)
def tls_tcp_relay(out):
    with Lab("client", "server", "peer") as lab:
        made = Certificates(lab)
        lab.coturn(secure=made.coturn())
        listener = lab.listen("peer", PEER, 3481)
        with lab.capture("client", out / "capture.pcapng"):
            how = context(out, made.authority)
            control = TlsClient(connect(lab, how))
            control.allocate(transport=stun.TCP)
            control.permission(PEER)
            answer = control.ask(control.request(stun.CONNECT, (stun.XOR_PEER_ADDRESS, PEER, 3481)), (5,))
            data = TlsClient(connect(lab, how))
            data.realm, data.nonce = control.realm, control.nonce
            data.ask(data.request(stun.CONNECTION_BIND, (stun.CONNECTION_ID, answer.get(stun.CONNECTION_ID))))
            accepted = listener.accept()[0]
            exchange(data.sock, accepted, b"from the client\n")
            for sock in (data.sock, accepted):
                sock.close()
            control.refresh(0)
            control.sock.close()
        distinct(out / "keylog.txt")
