"""Cases in which ICE works and DTLS does not, and of DTLS by itself."""

import subprocess
import sys
import time
from pathlib import Path

from calls import Aiortc, Browser, call_for, ended, leave, setup, talk, wrong_fingerprint
from cases_calls import ALERT, BOTH, CHECK_ANSWER, CLIENT_HELLO, DTLS, FROM, MEDIA, MIXED, NOMINATION, SERVER_HELLO, both
from catalog import case
from lab import CLIENT, PEER, Lab, need

OPENSSL = "OpenSSL 3.0.19 (s_client, s_server)"
PORT = 5684


@case(
    "dtls-both-active",
    MIXED,
    "signalling made both sides active (a=setup): each sends its ClientHello and none answers one",
    "dtls-role-conflict failure",
    ["dtls-alert"],
    [],
    [NOMINATION, both(CLIENT_HELLO, FROM % CLIENT), both(CLIENT_HELLO, FROM % PEER)],
    [SERVER_HELLO, MEDIA],
)
def dtls_both_active(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(10, out, browser, peer, setup("passive"), setup("passive"))


@case(
    "dtls-both-passive",
    MIXED,
    "signalling made both sides passive (a=setup): ICE selects a pair, checks go on, no ClientHello ever",
    "dtls-never-started failure",
    [],
    [],
    [NOMINATION, (both(CHECK_ANSWER, "frame.time_relative > 8"), 1)],
    [DTLS, MEDIA],
)
def dtls_both_passive(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(15, out, browser, peer, setup("active"), setup("active"))


@case(
    "dtls-fingerprint-mismatch",
    MIXED,
    "signalling altered the fingerprint of the browser's offer: the peer finishes the handshake, and gives up without an alert",
    "dtls-fingerprint-mismatch failure",
    ["dtls-closed-early"],
    [],
    [NOMINATION, CLIENT_HELLO, SERVER_HELLO, "dtls.handshake.type == 11", "dtls.record.content_type == 20"],
    ["dtls.alert_message.level == 2"],
)
def dtls_fingerprint_mismatch(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(6, out, browser, peer, wrong_fingerprint)


@case(
    "dtls-certificate-rejected",
    MIXED,
    "signalling altered the fingerprint of the peer's answer: the browser refuses the certificate with an alert",
    "dtls-fingerprint-mismatch failure",
    ["dtls-certificate-rejected"],
    [],
    [NOMINATION, CLIENT_HELLO, SERVER_HELLO, "dtls.handshake.type == 11", both(ALERT, FROM % CLIENT)],
    [MEDIA],
)
def dtls_certificate_rejected(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(6, out, browser, peer, None, wrong_fingerprint)


@case(
    "dtls-certificate-rejected-13",
    BOTH,
    "the same between two browsers on DTLS 1.3: the certificate and the alert about it travel encrypted",
    "dtls-closed-early warning",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, SERVER_HELLO],
    ["dtls.handshake.type == 11", MEDIA],
)
def dtls_certificate_rejected_13(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Browser(lab, "peer", audio=True)
        with ended(browser, peer), lab.capture("client", out / "capture.pcapng"):
            call_for(8, out, browser, peer, None, wrong_fingerprint)


LARGE = f"{MIXED} with an RSA certificate of 4096 bits (`record/call_agent.py`)"


def lost_fragments(out, match, *quirks):
    """A browser calls a peer whose certificate is large, over a path that drops what matches on the way to the browser."""
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", f"iifname to-peer oifname to-client {match}")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True, quirks=["large-certificate", *quirks])
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            # The peer offers, so that the browser is the DTLS client.
            call_for(20, out, peer, browser)


@case(
    "dtls-fragment-lost",
    LARGE,
    "the path drops datagrams of more than 1000 bytes on the way to the browser: the first fragments of its certificate never "
    "arrive, the last ones do, with every new try",
    "dtls-fragment-lost failure",
    [],
    [],
    [NOMINATION, (both(CLIENT_HELLO, FROM % CLIENT), 2), (both(DTLS, FROM % PEER), 3)],
    [MEDIA, both("ip.len > 1000", FROM % PEER)],
)
def dtls_fragment_lost(out):
    lost_fragments(out, "ip length > 1000")


@case(
    "dtls-ip-fragment-lost",
    LARGE,
    "the peer puts its flight into one datagram of more than 1500 bytes, and the path drops all but the first of its IP fragments",
    "dtls-fragment-lost failure",
    [],
    [],
    [NOMINATION, (both(CLIENT_HELLO, FROM % CLIENT), 2), (both("ip.flags.mf == 1", FROM % PEER), 3)],
    [MEDIA, "ip.frag_offset > 0"],
)
def dtls_ip_fragment_lost(out):
    lost_fragments(out, "ip frag-off & 0x1fff != 0", "large-datagrams")


@case(
    "dtls-large-certificate",
    LARGE,
    "the same certificate over a path that takes it: fragments in several datagrams, all arriving; nothing is wrong",
    "healthy",
    [],
    [],
    [NOMINATION, CLIENT_HELLO, SERVER_HELLO, (both("dtls.handshake.type == 11", FROM % PEER), 2), (both(MEDIA, FROM % PEER), 50)],
)
def dtls_large_certificate(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True, quirks=["large-certificate"])
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            talk(out, peer, browser)
            browser.wait_state("connected")
            time.sleep(3)
            leave(out, browser)
            browser.close()
            peer.close()


@case(
    "dtls-blocked",
    MIXED,
    "a filter lets STUN through and no DTLS: ICE works, and the browser sends its ClientHello again and again",
    "dtls-no-answer failure",
    [],
    [],
    [NOMINATION, (both(CLIENT_HELLO, FROM % CLIENT), 5)],
    [both(DTLS, FROM % PEER), MEDIA],
)
def dtls_blocked(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "meta l4proto udp @th,64,8 20-63")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            call_for(20, out, peer, browser)


@case(
    "dtls-blocked-aiortc",
    f"{MIXED}, captured at the peer",
    "the same with the peer as DTLS client: its ClientHello is one small datagram",
    "dtls-no-answer failure",
    [],
    [],
    [NOMINATION, (both(CLIENT_HELLO, FROM % PEER), 4)],
    [both(DTLS, FROM % CLIENT), MEDIA],
)
def dtls_blocked_aiortc(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "meta l4proto udp @th,64,8 20-63")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("peer", out / "capture.pcapng"):
            call_for(20, out, browser, peer)


@case(
    "dtls-hello-lost",
    f"{MIXED}, captured at the peer",
    "the path drops datagrams of more than 1000 bytes: of the browser's ClientHello, with its post-quantum key share, only the "
    "second fragment arrives, and the peer has nothing to answer",
    "dtls-fragment-lost failure",
    [],
    [],
    [NOMINATION, (both("dtls.handshake.fragment_offset > 0", FROM % CLIENT), 5)],
    [both(DTLS, FROM % PEER), MEDIA, both("ip.len > 1000", FROM % CLIENT)],
)
def dtls_hello_lost(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "ip length > 1000")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("peer", out / "capture.pcapng"):
            call_for(20, out, peer, browser)


@case(
    "dtls-blocked-chromium",
    BOTH + ", captured at the server's side",
    "the same between two browsers, seen where nothing arrives: ICE selects a pair, and no ClientHello for twenty seconds",
    "dtls-never-started failure",
    [],
    [],
    [NOMINATION, (CHECK_ANSWER, 10)],
    [DTLS, MEDIA],
)
def dtls_blocked_chromium(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        lab.drop("core", "meta l4proto udp @th,64,8 20-63")
        browser, peer = Browser(lab, "client", audio=True), Browser(lab, "peer", audio=True)
        with ended(browser, peer), lab.capture("client", out / "capture.pcapng"):
            talk(out, browser, peer)
            time.sleep(20)
            leave(out, browser)
            browser.close()


@case(
    "dtls-incomplete",
    MIXED,
    "the browser, as DTLS client, sends its certificate's flight again and again: a filter drops it, and the handshake stops half-way",
    "dtls-incomplete failure",
    [],
    [],
    [NOMINATION, SERVER_HELLO, (both("dtls.handshake.type == 11", FROM % CLIENT), 3)],
    [MEDIA, "dtls.record.content_type == 23"],
)
def dtls_incomplete(out):
    need("chromium")
    with Lab("client", "peer") as lab:
        # A record of the handshake, and in it a Certificate.
        lab.drop("core", "iifname to-client oifname to-peer meta l4proto udp @th,64,8 22 @th,168,8 11")
        browser, peer = Browser(lab, "client", audio=True), Aiortc(lab, "peer", audio=True)
        with ended(browser), lab.capture("client", out / "capture.pcapng"):
            # The peer offers, so that the browser is the DTLS client.
            call_for(15, out, peer, browser)


def certificate(lab, *key):
    made = lab.scratch / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-nodes", *key, "-keyout", lab.scratch / "key.pem", "-out", made, "-days", "30",
                    "-subj", "/CN=sample server"], check=True, capture_output=True, timeout=30)
    return ("-cert", made, "-key", lab.scratch / "key.pem")


RSA, ECDSA = ("-newkey", "rsa:2048"), ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def handshake(out, server, client, key=ECDSA, seconds=4):
    """One DTLS handshake between OpenSSL's programs. `server` None: none is there."""
    need("openssl")
    with Lab("client", "peer") as lab:
        if server is not None:
            # Both programs close at the end of their input.
            lab.spawn("peer", "bash", "-c", f'sleep {seconds + 5} | exec "$@"', "bash",
                      "openssl", "s_server", "-accept", f"{PEER}:{PORT}", "-quiet", *certificate(lab, *key), *server)
            lab.wait_bound("peer", PORT)
        with lab.capture("client", out / "capture.pcapng"):
            asking = lab.spawn("client", "bash", "-c", f'(echo hello; sleep {seconds}) | exec "$@"', "bash",
                               "openssl", "s_client", "-connect", f"{PEER}:{PORT}", *client)
            return lab.finish(asking, seconds + 3)


@case(
    "dtls-unreachable",
    OPENSSL.replace(", s_server", ""),
    "nothing listens on the server's port: ICMP port unreachable quotes the ClientHello",
    "dtls-unreachable failure",
    [],
    [],
    [CLIENT_HELLO, "icmp.type == 3 && icmp.code == 3"],
    [SERVER_HELLO],
)
def dtls_unreachable(out):
    handshake(out, None, ("-dtls1_2",))


@case(
    "dtls-hello-fragmented",
    f"{OPENSSL.replace(', s_server', '')}; `record/cookie_server.py`",
    "the client's hello does not fit one datagram of its small MTU: the server asks for a cookie, and cannot read the hello that brings it",
    "dtls-hello-fragmented failure",
    [],
    [],
    [("dtls.handshake.fragment_offset > 0", 4), "dtls.handshake.type == 3"],
    [SERVER_HELLO],
)
def dtls_hello_fragmented(out):
    need("openssl")
    with Lab("client", "peer") as lab:
        lab.spawn("peer", sys.executable, "-B", Path(__file__).parent / "cookie_server.py", PEER, str(PORT))
        lab.wait_bound("peer", PORT)
        with lab.capture("client", out / "capture.pcapng"):
            protocols = ",".join(f"sample-protocol-{number}" for number in range(12))
            asking = lab.spawn("client", "bash", "-c", '(sleep 18) | exec "$@"', "bash", "openssl", "s_client", "-connect", f"{PEER}:{PORT}",
                               "-dtls1_2", "-mtu", "256", "-alpn", protocols)
            lab.finish(asking, 22)


@case(
    "dtls-version",
    OPENSSL,
    "a client that knows DTLS 1.0 only asks a server that wants 1.2: alert protocol_version",
    "dtls-version failure",
    [],
    [],
    [CLIENT_HELLO, "dtls.alert_message.desc == 70"],
    [SERVER_HELLO],
)
def dtls_version(out):
    handshake(out, ("-dtls1_2",), ("-dtls1", "-cipher", "ALL:@SECLEVEL=0"))


@case(
    "dtls-no-common-cipher",
    OPENSSL,
    "the server has an ECDSA certificate, the client takes RSA suites only: alert handshake_failure",
    "dtls-handshake-failure failure",
    [],
    [],
    [CLIENT_HELLO, "dtls.alert_message.desc == 40"],
    [SERVER_HELLO],
)
def dtls_no_common_cipher(out):
    handshake(out, ("-dtls1_2",), ("-dtls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256"))


@case(
    "dtls-client-certificate-missing",
    OPENSSL,
    "the server wants a certificate of the client, which has none: alert handshake_failure after the empty Certificate",
    "dtls-handshake-failure failure",
    [],
    [],
    [CLIENT_HELLO, SERVER_HELLO, "dtls.handshake.type == 13", both("dtls.alert_message.desc == 40", FROM % PEER)],
)
def dtls_client_certificate_missing(out):
    handshake(out, ("-dtls1_2", "-Verify", "1"), ("-dtls1_2",))


@case(
    "dtls-unknown-ca",
    OPENSSL,
    "the client checks the server's self-signed certificate against its authorities: alert unknown_ca",
    "dtls-certificate-rejected failure",
    [],
    [],
    [CLIENT_HELLO, SERVER_HELLO, "dtls.handshake.type == 11", both("dtls.alert_message.desc == 48", FROM % CLIENT)],
)
def dtls_unknown_ca(out):
    handshake(out, ("-dtls1_2",), ("-dtls1_2", "-verify_return_error"))


@case(
    "dtls-obsolete",
    OPENSSL,
    "a handshake of DTLS 1.0 that completes",
    "dtls-obsolete warning",
    [],
    [],
    [CLIENT_HELLO, SERVER_HELLO, "dtls.record.version == 0xfeff", (both("dtls.record.content_type == 23"), 1)],
)
def dtls_obsolete(out):
    old = ("-dtls1", "-cipher", "ALL:@SECLEVEL=0")
    handshake(out, old, old)
