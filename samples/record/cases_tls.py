"""Cases about TURN over TLS and DTLS (RFC 8656 §3.1): certificates, versions, and what can be read with the keys beside the capture."""

import contextlib
import socket
import ssl
import subprocess
import time
from pathlib import Path

import stun
from catalog import AGREED, ALLOCATED, COTURN, UCLIENT, case
from cases_authentication import TALK, small_client
from cases_path import PATIENT, first_leg
from lab import CLIENT, PASSWORD, PEER, SERVER, SERVER_INSIDE, USER, Lab, need

PYTHON = "Python's ssl over OpenSSL 3.0 as client"
NAME = "turn.example.org"
TURNS = 5349
HELLO, SERVER_HELLO = "tls.handshake.type == 1", "tls.handshake.type == 2"
CERTIFICATE, DATA = "tls.handshake.type == 11", "tls.record.content_type == 23 || tls.record.opaque_type == 23"


def alert(number):
    return f"tls.alert_message.desc == {number}"


class Certificates:
    """An authority of its own, and a server's certificate from it."""

    def __init__(self, lab, names=(f"DNS:{NAME}",), start=None, end=None):
        need("openssl")
        self.folder = Path(lab.scratch)
        self.authority, self.certificate, self.key = (self.folder / name for name in ("ca.pem", "server.pem", "server.key"))
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        self._openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=sample authority")
        (self.folder / "ca.conf").write_text(
            "[ca]\ndefault_ca=here\n[here]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key\n"
            "default_md=sha256\npolicy=any\nx509_extensions=names\nunique_subject=no\n[any]\ncommonName=supplied\n"
            f"[names]\nsubjectAltName={','.join(names)}\n")
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("1001\n")
        common = names[0].split(":", 1)[1]
        self._openssl("req", *ec, "-keyout", "server.key", "-out", "server.csr", "-subj", f"/CN={common}")
        validity = ("-startdate", start, "-enddate", end) if start else ("-days", "365")
        self._openssl("ca", "-config", "ca.conf", "-batch", "-notext", "-in", "server.csr", "-out", "server.pem", *validity)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30, cwd=self.folder)

    def coturn(self):
        return ("--cert", self.certificate, "--pkey", self.key)


class TlsClient(stun.Client):
    """A TURN client over TLS. What it sends is sent once; what it gets is cut by the lengths in it."""

    def __init__(self, sock):
        super().__init__(sock, None, USER, PASSWORD)
        self.buffer = b""

    def ask(self, message, waits=(3,)):
        self.sock.sendall(message.encode())
        return self.wait(message.transaction, sum(waits))

    def wait(self, transaction, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = stun.decode(self.take(left) or b"")
            if message and message.transaction == transaction:
                return message
        return None

    def take(self, seconds):
        """The next message, whatever it is."""
        while True:
            if len(self.buffer) >= 4:
                length = int.from_bytes(self.buffer[2:4], "big")
                length = 4 + length + (-length % 4) if self.buffer[0] & 0xC0 else 20 + length
                if len(self.buffer) >= length:
                    taken, self.buffer = self.buffer[:length], self.buffer[length:]
                    return taken
            self.sock.settimeout(max(seconds, 0.01))
            try:
                data = self.sock.recv(4096)
            except TimeoutError:
                return None
            if not data:
                return None
            self.buffer += data

    def send_channel(self, number, data):
        self.sock.sendall(number.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data + bytes(-len(data) % 4))


def context(out, trusted=None, **settings):
    """How the client speaks TLS; its keys go beside the capture."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusted:
        made.load_verify_locations(trusted)
    made.keylog_filename = str(out / "keylog.txt")
    for name, value in settings.items():
        getattr(made, name)(value) if callable(getattr(made, name)) else setattr(made, name, value)
    return made


def connect(lab, how, name=NAME, port=TURNS):
    """A connection of the client's to the server; `None` where it comes to nothing."""
    with lab.inside("client"):
        plain = socket.socket()
        plain.bind((CLIENT, 0))
    plain.settimeout(5)
    plain.connect((SERVER, port))
    try:
        return how.wrap_socket(plain, server_hostname=name)
    except OSError:
        plain.close()
        return None


def talk(sock):
    """A whole session: allocation, channel, data there and back, Refresh 0."""
    client = TlsClient(sock)
    assert client.allocate().kind == stun.SUCCESS
    client.permission(PEER)
    assert client.channel(0x4000, PEER, 3480).kind == stun.SUCCESS
    for number in range(3):
        client.send_channel(0x4000, b"sample data %02d" % number)
        assert client.take(3)
    client.refresh(0)
    with contextlib.suppress(OSError):  # the front end closes without a word
        sock.unwrap()
    sock.close()


def refused(lab, out, how, name=NAME, times=2):
    """The client tries, and gives up."""
    with lab.capture("client", out / "capture.pcapng", expression="tcp or udp port 514"):
        for _ in range(times):
            assert connect(lab, how, name) is None
            time.sleep(1)
        lab.murmur(2)
    # where no keys were agreed on there is only the heading
    if all(line.startswith("#") for line in (out / "keylog.txt").read_text().splitlines()):
        (out / "keylog.txt").unlink()


@case(
    "tls-success",
    f"{COTURN}, {PYTHON}",
    "TURN over TLS 1.2: allocation, channel, data both ways; the keys are beside the capture",
    "healthy",
    [],
    AGREED,
    [HELLO, CERTIFICATE, DATA],
    ["stun", "tls.alert_message.level == 2"],
)
def tls_success(out):
    with Lab("client", "server", "peer") as lab:
        made = Certificates(lab)
        lab.coturn(secure=made.coturn())
        lab.echo_peer()
        how = context(out, made.authority)
        with lab.capture("client", out / "capture.pcapng"):
            talk(connect(lab, how))


@case(
    "tls13-success",
    f"{COTURN} behind a small TLS front end (`record/tls_front.py`), {PYTHON}",
    "TURN over TLS 1.3: all but the hellos is encrypted; the keys are beside the capture",
    "healthy",
    [],
    AGREED,
    [HELLO, SERVER_HELLO, DATA],
    ["stun", CERTIFICATE],
)
def tls13_success(out):
    with Lab("client", "server", "peer") as lab:
        made = Certificates(lab)
        lab.coturn()
        lab.echo_peer()
        front(lab, made)
        with lab.capture("client", out / "capture.pcapng"):
            talk(connect(lab, context(out, made.authority)))


def front(lab, made, port=TURNS, *alpn):
    script = Path(__file__).parent / "tls_front.py"
    lab.spawn("server", "python3", script, SERVER_INSIDE, port, SERVER_INSIDE, 3478, made.certificate, made.key, *alpn)
    time.sleep(1)


@case(
    "tls-certificate-rejected",
    f"{COTURN}, {PYTHON}",
    "the client does not know the authority that signed the TURN server's certificate: unknown_ca",
    "tls-certificate-rejected failure",
    [],
    [],
    [HELLO, CERTIFICATE, alert(48)],
    ["stun"],
)
def tls_certificate_rejected(out):
    with Lab("client", "server") as lab:
        made = Certificates(lab)
        lab.coturn(secure=made.coturn())
        refused(lab, out, context(out))


@case(
    "tls13-certificate-rejected",
    f"small TLS front end (`record/tls_front.py`), {PYTHON}",
    "the same under TLS 1.3, where the certificate is encrypted: OpenSSL's alert is not",
    "tls-certificate-rejected failure",
    [],
    [],
    [HELLO, SERVER_HELLO, DATA, alert(48)],
    ["stun", CERTIFICATE],
)
def tls13_certificate_rejected(out):
    with Lab("client", "server") as lab:
        made = Certificates(lab)
        front(lab, made)
        refused(lab, out, context(out))


@case(
    "tls-certificate-name",
    f"{COTURN}, {PYTHON}",
    "the certificate is for another name than the one in the client's TURN URL: bad_certificate",
    "tls-certificate-name failure",
    ["tls-certificate-rejected"],
    [],
    [HELLO, CERTIFICATE, alert(42)],
    ["stun"],
)
def tls_certificate_name(out):
    with Lab("client", "server") as lab:
        made = Certificates(lab, ("DNS:relay.example.net", "DNS:*.relay.example.net"))
        lab.coturn(secure=made.coturn())
        refused(lab, out, context(out, made.authority))


@case(
    "tls-certificate-expired",
    f"{COTURN}, {PYTHON}",
    "the TURN server's certificate has expired: certificate_expired",
    "tls-certificate-expired failure",
    [],
    [],
    [HELLO, CERTIFICATE, alert(45)],
    ["stun"],
)
def tls_certificate_expired(out):
    with Lab("client", "server") as lab:
        made = Certificates(lab, start="20240101000000Z", end="20250101000000Z")
        lab.coturn(secure=made.coturn())
        refused(lab, out, context(out, made.authority))


@case(
    "tls-version",
    f"small TLS front end (`record/tls_front.py`), {PYTHON}",
    "the client speaks TLS 1.2 at most, the server TLS 1.3 only: protocol_version",
    "tls-handshake-failure failure",
    [],
    [],
    [HELLO, alert(70)],
    ["stun", SERVER_HELLO],
)
def tls_version(out):
    with Lab("client", "server") as lab:
        made = Certificates(lab)
        front(lab, made, TURNS, "only-tls1.3")
        refused(lab, out, context(out, made.authority, maximum_version=ssl.TLSVersion.TLSv1_2))


@case(
    "tls-version-13-only",
    f"{COTURN}, {PYTHON}",
    "the client speaks TLS 1.3 only, the server TLS 1.2 at most: it says handshake_failure",
    "tls-handshake-failure failure",
    [],
    [],
    [HELLO, alert(40)],
    ["stun", SERVER_HELLO],
)
def tls_version_13_only(out):
    with Lab("client", "server") as lab:
        made = Certificates(lab)
        lab.coturn(secure=made.coturn())
        refused(lab, out, context(out, made.authority, minimum_version=ssl.TLSVersion.TLSv1_3))


@case(
    "tls-no-common-cipher",
    f"{COTURN}, {PYTHON}",
    "the client offers no suite that the server allows: handshake_failure",
    "tls-handshake-failure failure",
    [],
    [],
    [HELLO, alert(40)],
    ["stun", SERVER_HELLO],
)
def tls_no_common_cipher(out):
    with Lab("client", "server") as lab:
        made = Certificates(lab)
        lab.coturn("--cipher-list", "ECDHE-ECDSA-AES256-GCM-SHA384", secure=made.coturn())
        how = context(out, made.authority, maximum_version=ssl.TLSVersion.TLSv1_2, set_ciphers="ECDHE-RSA-AES128-GCM-SHA256")
        refused(lab, out, how)


@case(
    "tls-reset",
    f"{COTURN}, {PYTHON}",
    "a filter on the way answers the ClientHello by a TCP reset",
    "tls-handshake-failure failure",
    [],
    [],
    [HELLO, "tcp.flags.reset == 1 && tcp.srcport == 5349"],
    ["stun", SERVER_HELLO],
)
def tls_reset(out):
    with Lab("client", "server") as lab:
        made = Certificates(lab)
        lab.coturn(secure=made.coturn())
        # behind a TCP header of 32 bytes: a handshake record
        lab.nft("core", "add table inet filter")
        lab.nft("core", "add chain inet filter forward { type filter hook forward priority 0; }")
        lab.nft("core", "add rule inet filter forward iifname to-client tcp dport 5349 @th,256,8 0x16 reject with tcp reset")
        refused(lab, out, context(out, made.authority))


@case(
    "tls-fallback",
    f"{COTURN}, small client (`record/stun.py`), {PYTHON}",
    "a firewall drops UDP 3478, and TURN over TLS to the same server works",
    "turn-no-response warning",
    ["turn-fallback"],
    AGREED,
    ["udp.dstport == 3478 && stun", HELLO, DATA],
    ["udp.srcport == 3478"],
)
def tls_fallback(out):
    with Lab("client", "server", "peer") as lab:
        made = Certificates(lab)
        lab.coturn(secure=made.coturn())
        lab.echo_peer()
        lab.drop("core", "iifname to-client udp dport 3478")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(first_leg(client), PATIENT[:4])
            talk(connect(lab, context(out, made.authority)))


@case(
    "tls-web-beside",
    f"{UCLIENT}; web server (`record/tls_front.py`), {PYTHON}",
    "a page of the web on the TURN server's host, whose certificate the browser does not take: not TURN's, and TURN over UDP works",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [HELLO, ALLOCATED, "tcp.dstport == 443"],
    [],
)
def tls_web_beside(out):
    with Lab("client", "server", "peer") as lab:
        made = Certificates(lab, ("DNS:other.example.net",))
        lab.coturn()
        lab.echo_peer()
        front(lab, made, 443, "http/1.1")
        how = context(out, set_alpn_protocols=["h2", "http/1.1"])
        with lab.capture("client", out / "capture.pcapng"):
            assert connect(lab, how, "meet.example.org", 443) is None
            lab.uclient(*TALK)
    (out / "keylog.txt").unlink()


@case(
    "turn-over-dtls",
    UCLIENT + " -S",
    "TURN over DTLS 1.2: the DTLS of the client with the TURN server itself, not of a call",
    "healthy",
    [],
    [],
    ["dtls.handshake.type == 1", "dtls.record.content_type == 23 && udp.srcport == 5349"],
    ["stun"],
)
def turn_over_dtls(out):
    with Lab("client", "server", "peer") as lab:
        made = Certificates(lab)
        lab.coturn(secure=made.coturn())
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient("-S", "-p", TURNS, *TALK)
