#!/usr/bin/env python3
"""Makes tls.pcap and dtls.pcap, with a key log each: STUN under every suite, version and turn of events that can be opened.

Both ends are OpenSSL's libssl (3.x, Debian's libssl3), joined in memory; the frames around what they say are made here. Run it in this folder:
  python3 matrix.py
What comes out has the same story with other keys each time.
"""

import ctypes
import ctypes.util
import os
import struct
import subprocess
import tempfile

SSL = ctypes.CDLL(ctypes.util.find_library("ssl"))
CRYPTO = ctypes.CDLL(ctypes.util.find_library("crypto"))
P, I, L, S = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_size_t
U = ctypes.c_uint64
B = ctypes.c_char_p
for name, result, *arguments in [
    ("TLS_method", P), ("DTLS_method", P), ("SSL_CTX_new", P, P), ("SSL_new", P, P), ("SSL_set_bio", None, P, P, P),
    ("SSL_CTX_ctrl", L, P, I, L, P), ("SSL_ctrl", L, P, I, L, P), ("SSL_CTX_set_cipher_list", I, P, B),
    ("SSL_CTX_set_ciphersuites", I, P, B), ("SSL_CTX_use_certificate_chain_file", I, P, B),
    ("SSL_CTX_use_PrivateKey_file", I, P, B, I), ("SSL_CTX_set_options", U, P, U), ("SSL_set_connect_state", None, P),
    ("SSL_set_accept_state", None, P), ("SSL_do_handshake", I, P), ("SSL_read", I, P, P, I), ("SSL_write", I, P, B, I),
    ("SSL_renegotiate", I, P), ("SSL_key_update", I, P, I), ("SSL_shutdown", I, P), ("SSL_get1_session", P, P),
    ("SSL_set_session", I, P, P), ("SSL_write_early_data", I, P, B, S, P), ("SSL_read_early_data", I, P, P, S, P),
    ("SSL_CTX_set_max_early_data", I, P, ctypes.c_uint32), ("SSL_CTX_set_keylog_callback", None, P, P),
    ("SSL_CTX_set_verify", None, P, I, P), ("SSL_set_options", U, P, U), ("SSL_get_error", I, P, I),
    ("SSL_set_block_padding", I, P, S),
]:
    function = getattr(SSL, name)
    function.restype, function.argtypes = result, arguments
for name, result, *arguments in [("BIO_s_mem", P), ("BIO_new", P, P), ("BIO_read", I, P, P, I), ("BIO_write", I, P, B, I),
                                 ("BIO_ctrl", L, P, I, L, P)]:
    function = getattr(CRYPTO, name)
    function.restype, function.argtypes = result, arguments

KEYLOG = ctypes.CFUNCTYPE(None, P, B)
VERIFY = ctypes.CFUNCTYPE(I, I, P)
VERSIONS = {"1.0": 0x301, "1.1": 0x302, "1.2": 0x303, "1.3": 0x304, "d1.0": 0xFEFF, "d1.2": 0xFEFD}
NO_ETM, NO_TICKET, NO_QUERY_MTU, ALLOW_RENEGOTIATION = 1 << 19, 1 << 14, 1 << 12, 1 << 8
NO_EXTENDED_MASTER_SECRET, NO_COMPRESSION = 1 << 0, 1 << 17
SERVER = ("203.0.113.1", 5349)

keys = []
keep = [KEYLOG(lambda _, line: keys.append(line.decode())), VERIFY(lambda *_: 1)]


def certificates(folder):
    for name, key in [("rsa", ["rsa:2048"]), ("ec", ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])]:
        subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-days", "3650", "-subj", "/CN=turn.example.org",
                        "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"], check=True, capture_output=True)


def context(folder, version, ciphers, options, of_client, client_certificate):
    datagrams = version.startswith("d")
    made = SSL.SSL_CTX_new(SSL.DTLS_method() if datagrams else SSL.TLS_method())
    for which in (123, 124):
        assert SSL.SSL_CTX_ctrl(made, which, VERSIONS[version], None)
    if version == "1.3":
        assert SSL.SSL_CTX_set_ciphersuites(made, ciphers.encode())
    else:
        assert SSL.SSL_CTX_set_cipher_list(made, f"{ciphers}:@SECLEVEL=0".encode()), ciphers
    if not of_client or client_certificate:
        for name in ("rsa", "ec"):
            assert SSL.SSL_CTX_use_certificate_chain_file(made, f"{folder}/{name}.pem".encode()) == 1
            assert SSL.SSL_CTX_use_PrivateKey_file(made, f"{folder}/{name}.key".encode(), 1) == 1
    SSL.SSL_CTX_set_options(made, options | ALLOW_RENEGOTIATION | NO_COMPRESSION)
    SSL.SSL_CTX_set_keylog_callback(made, ctypes.cast(keep[0], P))
    if client_certificate and not of_client:
        SSL.SSL_CTX_set_verify(made, 3, ctypes.cast(keep[1], P))
    return made


class Capture:
    """Frames of raw IPv4, a millisecond apart."""

    def __init__(self):
        self.frames, self.time, self.seq = [], 1_700_000_000_000_000, {}

    def packet(self, src, dst, protocol, payload):
        address = lambda end: bytes(map(int, end[0].split(".")))
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), len(self.frames) & 0xFFFF, 0, 64, protocol, 0, address(src), address(dst))
        total = sum(struct.unpack("!10H", header))
        total = (total & 0xFFFF) + (total >> 16)
        header = header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + header[12:]
        self.frames.append((self.time, header + payload))
        self.time += 1000

    def udp(self, src, dst, data):
        self.packet(src, dst, 17, struct.pack("!HHHH", src[1], dst[1], 8 + len(data), 0) + data)

    def tcp(self, src, dst, data, flags=0x18):
        at, other = self.seq.get((src, dst), 1000), self.seq.get((dst, src), 0)
        header = struct.pack("!HHIIBBHHH", src[1], dst[1], at, other, 0x50, flags, 65535, 0, 0)
        self.packet(src, dst, 6, header + data)
        self.seq[src, dst] = at + len(data) + (1 if flags & 3 else 0)

    def open(self, client, server):
        self.tcp(client, server, b"", 2)
        self.tcp(server, client, b"", 0x12)
        self.tcp(client, server, b"", 0x10)

    def write(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
            for time, data in self.frames:
                file.write(struct.pack("<IIII", time // 1_000_000, time % 1_000_000, len(data), len(data)) + data)


class Pair:
    """A client and a server that talk, and the capture between them."""

    def __init__(self, capture, contexts, client, datagrams, session=None):
        self.capture, self.datagrams, self.count = capture, datagrams, 0
        self.ends = {"client": client, "server": SERVER}
        self.ssl, self.bios = {}, {}
        for role, made in zip(("client", "server"), contexts):
            ssl = SSL.SSL_new(made)
            bios = [CRYPTO.BIO_new(CRYPTO.BIO_s_mem()) for _ in range(2)]
            for bio in bios:
                CRYPTO.BIO_ctrl(bio, 130, -1, None)
            SSL.SSL_set_bio(ssl, *bios)
            if datagrams:
                SSL.SSL_set_options(ssl, NO_QUERY_MTU)
                SSL.SSL_ctrl(ssl, 17, 1200, None)
            (SSL.SSL_set_connect_state if role == "client" else SSL.SSL_set_accept_state)(ssl)
            self.ssl[role], self.bios[role] = ssl, bios
        if session:
            assert SSL.SSL_set_session(self.ssl["client"], session) == 1
        if not datagrams:
            capture.open(client, SERVER)

    def flush(self, role):
        """Puts what an end wants to send into the capture and to the other end."""
        other = "server" if role == "client" else "client"
        buffer = ctypes.create_string_buffer(1 << 16)
        count = CRYPTO.BIO_read(self.bios[role][1], buffer, len(buffer))
        if count <= 0:
            return False
        data, sends = buffer.raw[:count], []
        if self.datagrams:
            rest = data
            while rest:  # each record in its own datagram, but for the small ones of a flight
                length = 13 + int.from_bytes(rest[11:13], "big")
                if sends and len(sends[-1]) + length <= 1200:
                    sends[-1] += rest[:length]
                else:
                    sends.append(rest[:length])
                rest = rest[length:]
        else:
            sends = [data[at:at + 1400] for at in range(0, len(data), 1400)]
        for part in sends:
            (self.capture.udp if self.datagrams else self.capture.tcp)(self.ends[role], self.ends[other], part)
            CRYPTO.BIO_write(self.bios[other][0], part, len(part))
        return True

    def pump(self):
        buffer = ctypes.create_string_buffer(1 << 16)
        going = True
        while going:
            going = False
            for role in ("client", "server"):
                SSL.SSL_do_handshake(self.ssl[role])
                while SSL.SSL_read(self.ssl[role], buffer, len(buffer)) > 0:
                    pass
                going |= self.flush(role)

    def stun(self, kind):
        self.count += 1
        port = self.ends["client"][1]
        body = b"\x80\x22\x00\x04test" if kind == 1 else b"\x00\x20\x00\x08\x00\x01\x11\x2b\xe1\x12\xa6\x48"
        identity = struct.pack("!HHQ", port, 0, self.count)
        return struct.pack("!HHI", kind, len(body), 0x2112A442) + identity + body

    def say(self, role, data):
        assert SSL.SSL_write(self.ssl[role], data, len(data)) == len(data), SSL.SSL_get_error(self.ssl[role], -1)
        self.pump()

    def talk(self, rounds=2):
        for _ in range(rounds):
            request = self.stun(1)
            answer = b"\x01\x01" + struct.pack("!H", 12) + request[4:20] + b"\x00\x20\x00\x08\x00\x01\x11\x2b\xe1\x12\xa6\x48"
            self.say("client", request)
            self.say("server", answer)

    def close(self):
        for role in ("client", "server"):
            SSL.SSL_shutdown(self.ssl[role])
            self.flush(role)
        if not self.datagrams:
            self.capture.tcp(self.ends["client"], SERVER, b"", 0x11)
            self.capture.tcp(SERVER, self.ends["client"], b"", 0x11)


def run(folder, capture, port, version, ciphers, what="", options=0, client_certificate=False):
    datagrams = version.startswith("d")
    contexts = [context(folder, version, ciphers, options, role == "client", client_certificate) for role in ("client", "server")]
    if what == "retry":
        SSL.SSL_CTX_ctrl(contexts[0], 92, 0, b"X25519:P-384")
        SSL.SSL_CTX_ctrl(contexts[1], 92, 0, b"P-384")
    if what == "early":
        for made in contexts:
            SSL.SSL_CTX_set_max_early_data(made, 16384)
    pair = Pair(capture, contexts, ("192.0.2.10", port), datagrams)
    if what == "padding":
        for ssl in pair.ssl.values():
            SSL.SSL_set_block_padding(ssl, 64)
    pair.pump()
    pair.talk()
    if what == "renegotiation":
        for _ in range(2):
            assert SSL.SSL_renegotiate(pair.ssl["client"]) == 1
            pair.pump()
            pair.talk()
    if what == "update":
        for role, both in (("client", 0), ("server", 1), ("client", 1)):
            assert SSL.SSL_key_update(pair.ssl[role], both) == 1
            pair.talk()
    if what == "split":
        # several messages in a record, and one over several records
        pair.say("client", pair.stun(1) + pair.stun(1) + pair.stun(1))
        message = pair.stun(1)
        pair.say("client", message[:3])
        pair.say("client", message[3:])
    if what == "early":
        session = SSL.SSL_get1_session(pair.ssl["client"])
        pair.close()
        pair = Pair(capture, contexts, ("192.0.2.10", port + 1), datagrams, session)
        pair.count = 1000
        request, written = pair.stun(1), S(0)
        assert SSL.SSL_write_early_data(pair.ssl["client"], request, len(request), ctypes.byref(written)) == 1
        pair.flush("client")
        buffer = ctypes.create_string_buffer(1 << 14)
        assert SSL.SSL_read_early_data(pair.ssl["server"], buffer, len(buffer), ctypes.byref(written)) == 1
        assert written.value == len(request)
        for _ in range(3):
            SSL.SSL_read_early_data(pair.ssl["server"], buffer, len(buffer), ctypes.byref(written))
            pair.flush("server")
            SSL.SSL_do_handshake(pair.ssl["client"])
            pair.flush("client")
        pair.pump()
        pair.talk()
    if what == "resumption":
        session = SSL.SSL_get1_session(pair.ssl["client"])
        pair.close()
        pair = Pair(capture, contexts, ("192.0.2.10", port + 1), datagrams, session)
        pair.pump()
        pair.talk()
    pair.close()


CBC = ["ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA256", "AES256-SHA256", "ECDHE-ECDSA-AES256-SHA384"]
AEAD = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM", "ECDHE-ECDSA-AES256-CCM",
        "ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES256-CCM8", "ECDHE-RSA-CHACHA20-POLY1305"]
MODERN = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        certificates(folder)
        for protocol in ("tls", "dtls"):
            d = "d" if protocol == "dtls" else ""
            capture = Capture()
            keys.clear()
            stories = [(f"{d}1.2", suite) for suite in AEAD + CBC]
            stories += [(f"{d}1.2", suite, "", NO_ETM) for suite in CBC]
            stories += [(f"{d}1.2", suite, "renegotiation") for suite in (AEAD[0], AEAD[7], CBC[1])]
            stories += [(f"{d}1.2", AEAD[1], "resumption"), (f"{d}1.2", AEAD[0], "", 0, True), (f"{d}1.2", AEAD[0], "", NO_EXTENDED_MASTER_SECRET)]
            stories += [(f"{d}1.0", CBC[0]), (f"{d}1.0", CBC[1], "", NO_ETM)]
            if not d:
                stories += [("1.1", CBC[0]), ("1.1", CBC[1], "", NO_ETM), ("1.0", CBC[0], "renegotiation", NO_ETM)]
                stories += [("1.3", suite) for suite in MODERN]
                stories += [("1.3", suite, "update") for suite in MODERN[:3]]
                stories += [("1.3", MODERN[0], "retry"), ("1.3", MODERN[1], "early"), ("1.3", MODERN[2], "early")]
                stories += [("1.3", MODERN[0], "resumption"), ("1.3", MODERN[1], "", 0, True), ("1.3", MODERN[0], "padding")]
                stories += [("1.3", MODERN[0], "split"), ("1.2", AEAD[0], "split"), ("1.2", CBC[2], "split"), ("1.0", CBC[0], "split")]
            for port, story in enumerate(stories):
                run(folder, capture, 40000 + 10 * port, *story)
            capture.write(f"{protocol}.pcap")
            # a secret is logged by each end
            with open(f"{protocol}.keylog", "w") as file:
                file.writelines(f"{line}\n" for line in dict.fromkeys(keys))
            print(protocol, len(stories), "connections,", len(capture.frames), "frames,", os.path.getsize(f"{protocol}.pcap"), "bytes")


main()
