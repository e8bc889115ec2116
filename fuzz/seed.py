#!/usr/bin/env python3
"""Makes the seed corpus of the fuzz targets from the samples: run it from anywhere, then commit what changed in fuzz/corpus/.

Small on purpose: one sample of each kind, not all. What fuzzing itself finds stays out of the repository (see .gitignore)
unless it broke something: then give it a name that says what, and commit it.
"""
import gzip
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"
CORPUS = HERE / "corpus"

WHOLE = [
    "any-interface", "alg-breaks-integrity", "answer-from-elsewhere", "bid-down", "expressway-431", "expressway-mended",
    "fingerprint-bad", "forbidden-peer", "malformed", "mid-call", "mobility-forbidden", "nat-alg", "nat-discovery",
    "pion-success", "redirect-loop", "sha256-userhash", "snaplen-96", "stale-nonce", "unreachable", "user-changed",
]
# TCP, ICE, hidden candidates and DTLS up to 1.3: for the analysis only
STORIES = [
    "dtls-both-active", "dtls-certificate-rejected-13", "dtls-client-certificate-missing", "dtls-obsolete", "dtls-unreachable",
    "dtls-version", "ice-mdns-no-path", "ice-role-conflict", "tcp-refused", "tcp-relay", "tcp-success",
]
# of what is too large only the beginning, which ends within a record
BEGINNINGS = ["datachannel-only", "ice-mdns-resolved", "ice-one-way", "ice-restart", "media-lossy", "media-one-way"]
TLS = [
    "tls-success", "tls13-success", "tls-certificate-rejected", "tls-no-common-cipher", "tls-reset", "tls-web-beside",
    "tls13-certificate-rejected",
]
STREAMS = ["tcp-success", "tcp-wrong-password", "tcp-relay", "tcp-refused", "tcp-fallback"]
MESSAGES = WHOLE + ["aiortc-relay-call", "chromium-relay-call", "classic-binding", "ipv6", "quota", "wrong-realm"]


def capture(case):
    folder = SAMPLES / case
    return next(path for name in ("capture.pcapng", "capture.pcap") if (path := folder / name).exists())


def frames(data):
    """(link type, original length, bytes) of each frame of a little-endian pcap or pcapng file."""
    if data[:4] != b"\n\r\r\n":
        link = struct.unpack_from("<I", data, 20)[0]
        at = 24
        while at < len(data):
            kept, original = struct.unpack_from("<II", data, at + 8)
            yield link, original, data[at + 16:at + 16 + kept]
            at += 16 + kept
        return
    links, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 1:
            links.append(struct.unpack_from("<H", data, at + 8)[0])
        elif kind == 6:
            interface, _, _, kept, original = struct.unpack_from("<IIIII", data, at + 8)
            yield links[interface], original, data[at + 28:at + 28 + kept]
        at += length


def udp(link, frame):
    """The payload of a frame that is UDP over IP without options or extensions, else nothing."""
    ip = frame[{1: 14, 276: 20, 113: 16}.get(link, 0):]
    if len(ip) > 28 and ip[0] == 0x45 and ip[9] == 17:
        return ip[28:]
    if len(ip) > 48 and ip[0] >> 4 == 6 and ip[6] == 17:
        return ip[48:]
    return b""


def tcp(link, frame):
    """Flags, direction (towards port 3478 or from it) and payload of a frame that is TCP over plain IPv4, else nothing."""
    ip = frame[{1: 14, 276: 20, 113: 16}.get(link, 0):]
    if len(ip) < 40 or ip[0] != 0x45 or ip[9] != 6:
        return None
    segment = ip[20:struct.unpack_from(">H", ip, 2)[0]]
    return segment[13] & 0x3f, segment[:2] == b"\x0d\x96", segment[(segment[12] >> 4) * 4:]


def segments(case):
    """A connection as the target for streams takes it: all segments of a capture as if they were of one."""
    body = b"\0"
    for link, _, frame in frames(capture(case).read_bytes()):
        if found := tcp(link, frame):
            flags, back, payload = found
            body += struct.pack(">BBBBH", flags | (0x80 if back else 0), 0, 1, 0, len(payload)) + payload
    return body


def tls(case):
    """What both ends say in TLS of a capture, as the target for it takes it, all as if of one connection."""
    body = b"\4"
    for link, _, frame in frames(capture(case).read_bytes()):
        ip = frame[14:]
        if link != 1 or len(ip) < 40 or ip[0] != 0x45 or ip[9] != 6:
            continue
        segment = ip[20:struct.unpack_from(">H", ip, 2)[0]]
        source, payload = struct.unpack_from(">H", segment)[0], segment[(segment[12] >> 4) * 4:]
        if payload:
            body += struct.pack(">BH", 1 if source in (443, 5349) else 0, len(payload)) + payload
    return body


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def signalling():
    """Session descriptions in every form that is read: small ones, since a dump of a real call is mostly statistics."""
    offer = "\r\n".join([
        "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1", "a=ice-lite",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=ice-ufrag:HrPv", "a=ice-pwd:0123456789012345678901",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32), "a=setup:actpass", "a=mid:0",
        "a=candidate:1 1 udp 2122260223 192.168.1.10 51905 typ host generation 0 ufrag HrPv network-id 1",
        "a=candidate:2 1 udp 1686052607 2001:db8::1 51905 typ srflx raddr 192.168.1.10 rport 51905",
        "a=candidate:3 1 tcp 1518280447 aa-bb.local 9 typ host tcptype active",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:1", "a=bundle-only", ""])
    answer = offer.replace("HrPv", "mZ4r").replace("actpass", "active")
    candidate = "candidate:4 1 udp 41885439 192.0.2.1 61000 typ relay raddr 0.0.0.0 rport 0 ufrag mZ4r"
    write("sdp", "offer", offer.encode())
    write("sdp", "both-and-trickled", (offer + answer + candidate + "\n").encode())
    write("sdp", "fragment", b"a=ice-ufrag:mZ4r\na=ice-pwd:0123456789012345678901\nm=audio 9 x 0\na=" + candidate.encode())
    write("sdp", "damaged", offer.replace("a=setup:", "setup ").replace("udp 2122260223", "udp").encode())
    write("sdp", "sip", ("INVITE sip:a@example.org SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n" + offer).encode())
    write("sdp", "log", ("12:00 {type: 'answer', sdp: '" + answer.replace("\r\n", "\\r\\n") + "'}\n").encode())
    for name, describe, trickle in (
        ("dump-old", lambda kind, sdp: f"type: {kind}, sdp: {sdp}", lambda text: f"sdpMid: 0, sdpMLineIndex: 0, candidate: {text}"),
        ("dump-new", lambda kind, sdp: json.dumps({"type": kind, "sdp": sdp}), lambda text: json.dumps({"candidate": text})),
    ):
        log = [("setLocalDescription", describe("offer", offer)), ("onicecandidate", trickle(candidate)),
               ("setRemoteDescription", describe("answer", answer)), ("addIceCandidate", trickle(candidate))]
        log = [{"type": kind, "value": value} for kind, value in log]
        write("sdp", name, json.dumps({"PeerConnections": {"8-1": {"updateLog": log, "stats": {"x": 1}}}}).encode())
    write("sdp", "events", json.dumps(["setRemoteDescription", "PC_0", {"sdp": answer, "type": "answer"}]).encode())


def steps(protocol):
    """The hellos and protected records of each connection of the matrix of keys, by the client's port, as the target takes them."""
    matrix = HERE.parent / "tests" / "keys"
    found, waiting = {}, {}

    def step(port, kind, back, contents):
        found.setdefault(port, []).append(struct.pack(">BH", kind | (0x80 if back else 0), len(contents)) + contents)

    for _, _, packet in frames((matrix / f"{protocol}.pcap").read_bytes()):
        source, target = struct.unpack_from(">HH", packet, 20)
        back, port = source == 5349, target if source == 5349 else source
        data = packet[40:] if protocol == "tls" else packet[28:]
        data = waiting.pop((port, back), b"") + data
        while len(data) >= 5:
            unified = protocol != "tls" and data[0] & 0xe0 == 0x20
            if unified:
                header = 2 + (1 if data[0] & 8 else 0) + (2 if data[0] & 4 else 0)
                length = struct.unpack_from(">H", data, header - 2)[0] if data[0] & 4 else len(data) - header
            else:
                header = 5 if protocol == "tls" else 13
                length = struct.unpack_from(">H", data, header - 2)[0]
            if len(data) < header + length:
                waiting[port, back] = data
                break
            head, payload, data = data[:header], data[header:header + length], data[header + length:]
            epoch = 0 if unified or protocol == "tls" else head[4]
            clear = not unified and head[0] == 22 and epoch == 0 and payload[:1] in (b"\1", b"\2")
            hello = payload[(6 if protocol == "tls" else 14):] if clear else b""
            if hello and payload[0] == 1:
                step(port, 0, back, hello[:32])
            elif hello and hello[:4] == b"\xcf\x21\xad\x74":
                step(port, 6, back, b"")
            elif hello:
                modern = {"tls": b"\0\x2b\0\2\3\4"}.get(protocol, b"\0\x2b\0\2\xfe\xfc")
                version = modern[-2:] if modern in hello else payload[(4 if protocol == "tls" else 12):][:2]
                at = 33 + hello[32]
                step(port, 1, back, version + hello[at:at + 2] + bytes([b"\0\x16\0\0" in hello]) + hello[:32])
            elif unified:
                step(port, 5, back, bytes([header]) + head + payload)
            elif protocol != "tls" and epoch:
                step(port, 4, back, head[:3] + bytes([epoch, head[10], 0]) + payload)
            elif protocol == "tls" and (head[0] in (20, 23) or len(payload) < 64):
                step(port, 3, back, head[:3] + payload)
    log = (matrix / f"{protocol}.keylog").read_text().splitlines(keepends=True)
    for port, parts in found.items():
        random = parts[0][3:35].hex()
        own = "".join(line for line in log if random in line).encode()
        yield port, struct.pack(">H", len(own)) + own + b"".join(parts)
def beside():
    """What stands beside packets: the first byte says what it is to be read as."""
    for case in ("dns-nxdomain", "expressway-deployment", "deployment-static-nat"):
        for number, (link, _, frame) in enumerate(frames(capture(case).read_bytes())):
            payload = udp(link, frame)
            if payload and 53 in struct.unpack_from(">HH", frame, 34):
                write("beside", f"dns-{case}-{number:02}", b"\0" + payload)
    deployment = (SAMPLES / "expressway-deployment" / "deployment.toml").read_bytes()
    log = (SAMPLES / "expressway-deployment" / "meeting-server.log").read_bytes()
    coturn = ("realm <turnuser> user <bob>: incoming packet message processed, error 401: Unauthorized\n"
              "session 1: realm <turnuser> user <bob>: incoming packet ALLOCATE processed, success\n")
    stamps = ("3: : ", "2026-11-21T09:10:46+0000: ", "<134>May 20 19:43:21 host turnserver: ", "<134>1 2017-05-20T19:43:21Z h t - - - ")
    write("beside", "log-meeting-server", b"\1" + log)
    for number, stamp in enumerate(stamps):
        write("beside", f"log-{number}", b"\1" + "".join(stamp + line + "\n" for line in coturn.splitlines()).encode())
    write("beside", "log-secrets", b"\1" + b"2017-05-20 19:43:21 nonce=<abc> turn:u:p@h Authorization: Bearer x \"credential\":\"y\"\n")
    conf = b"listening-port=3478\nexternal-ip=192.0.2.1/10.0.0.1\nmin-port=1\nmax-port=9\nrealm=r\nuser=a:b\n"
    xml = (b"<turnServer id='1'>\n<serverAddress>192.0.2.1</serverAddress><username>u</username><password>p</password>\n"
           b"<host><address>192.0.2.1</address><portNumber>3478</portNumber><reachable>true</reachable></host></turnServer>")
    for kind in (2, 3):
        for name, text in (("toml", deployment), ("conf", conf), ("xml", xml)):
            write("beside", f"{'deployment' if kind == 2 else 'credentials'}-{name}", bytes([kind]) + text)


def main():
    signalling()
    write("keys", "lines", struct.pack(">H", 400) + b"# log\r\nCLIENT_RANDOM 00 00\nRSA 00 00\nEXPORTER_SECRET " + b"ab" * 32 + b" " + b"cd" * 32 + b"\n")
    for protocol in ("tls", "dtls", "dtls13"):
        for number, (port, data) in enumerate(steps(protocol)):
            if len(data) < 6000 and number % 3 != 2:
                write("keys", f"{protocol}-{port}", data)
    beside()
    for case in WHOLE:
        path = capture(case)
        data = path.read_bytes()
        for target in ("analyzer", "redact"):
            write(target, case, data)
        if len(data) < 3000 or path.suffix == ".pcap":
            write("capture", case, data)
    for case in STORIES:
        for target in ("analyzer", "redact"):
            write(target, case, capture(case).read_bytes())
    for case in BEGINNINGS:
        for target in ("analyzer", "redact"):
            write(target, case, capture(case).read_bytes()[:9000])
    small = capture("fingerprint-bad").read_bytes()
    write("capture", "gzip", gzip.compress(small, mtime=0))
    write("capture", "cut-in-a-block", small[:-30])

    for case in STREAMS:
        write("stream", case, segments(case))
    for case in TLS:
        write("tls", case, tls(case))
        for target in ("analyzer", "redact"):
            write(target, case, capture(case).read_bytes()[:9000])
    write("stream", "rfc4571", b"\1" + b"".join(struct.pack(">BBBBH", flags, 0, 1, 0, len(data)) + data for flags, data in (
        (0x02, b""), (0x10, b"\0\x14\0\1\0\0\x21\x12\xa4\x42" + b"i" * 12 + b"\0\4\x80\x6f\0\1"), (0x11, b""))))

    kinds = {}
    for case in MESSAGES:
        chosen = []
        for link, original, frame in frames(capture(case).read_bytes()):
            payload = udp(link, frame)
            shape = (link, len(frame) // 64, payload[:2])
            if shape not in [known for known, *_ in chosen] and len(frame) < 700:
                chosen.append((shape, link, original, frame))
            if len(payload) > 4 and len(payload) < 600 and payload[0] < 0x80:
                # one of each message type and set of attributes, which the length stands for
                kinds.setdefault((payload[:2] if payload[0] < 4 else b"", len(payload)), (case, payload))
        link = chosen[0][1]
        header = struct.pack(">HBBBB", link, 0, 0, 0, 1)
        body = b"".join(struct.pack(">H", len(f)) + f for _, own, _, f in chosen[:8] if own == link)
        write("packet", case, header + body)
    for number, (case, payload) in enumerate(kinds.values()):
        if number % 2 == 0:
            write("stun", f"{case}-{number:03}", payload)
        if payload[0] < 4 and number % 3 == 0:
            write("integrity", f"{case}-{number:03}", b"\0" + payload)


if __name__ == "__main__":
    main()
