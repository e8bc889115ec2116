"""Ethernet frames and a pcapng file, byte by byte, on the standard library: for captures that are rebuilt, not recorded."""

import socket
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Host:
    """One station on the wire: its addresses, and its counter for the IPv4 identification."""

    def __init__(self, address, hardware, ttl=64, identification=1):
        self.address, self.hardware, self.ttl, self.identification = address, hardware, ttl, identification

    def next_identification(self):
        self.identification = (self.identification + 1) & 0xFFFF
        return self.identification


def ethernet(source, target_hardware, kind, payload):
    # The card pads to 60 bytes; captures of received frames show it, and none of these lengths depends on it.
    return (mac(target_hardware) + mac(source.hardware) + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def arp(operation, source, target, target_hardware=BROADCAST):
    asked = "00:00:00:00:00:00" if operation == 1 else target_hardware
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac(source.hardware) + socket.inet_aton(source.address)
    return ethernet(source, target_hardware, 0x0806, body + mac(asked) + socket.inet_aton(target))


def ipv4(source, target, target_hardware, protocol, payload):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), source.next_identification(), 0x4000, source.ttl, protocol, 0)
    head += socket.inet_aton(source.address) + socket.inet_aton(target)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ethernet(source, target_hardware, 0x0800, head + payload)


def pseudo_header(source, target, protocol, length):
    return socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, protocol, length)


def udp(source, source_port, target, target_port, payload, hardware):
    datagram = struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0) + payload
    total = checksum(pseudo_header(source.address, target, 17, len(datagram)) + datagram) or 0xFFFF
    return ipv4(source, target, hardware, 17, datagram[:6] + struct.pack("!H", total) + payload)


class Tcp:
    """A TCP connection told segment by segment; the numbers follow from what was sent."""

    SYN, FIN, PUSH, ACK = 0x02, 0x01, 0x08, 0x10

    def __init__(self, client, client_port, server, server_port, first_numbers):
        self.ends = {client: (client_port, server, server_port), server: (server_port, client, client_port)}
        self.next = dict(zip((client, server), first_numbers))

    def segment(self, source, flags, payload=b""):
        source_port, target, target_port = self.ends[source]
        acknowledged = self.next[target] if flags & self.ACK else 0
        head = struct.pack("!HHIIBBHHH", source_port, target_port, self.next[source], acknowledged, 0x50, flags, 64240, 0, 0)
        total = checksum(pseudo_header(source.address, target.address, 6, len(head) + len(payload)) + head + payload)
        self.next[source] += len(payload) + bool(flags & (self.SYN | self.FIN))
        return ipv4(source, target.address, target.hardware, 6, head[:16] + struct.pack("!H", total) + head[18:] + payload)


def echo(source, target, hardware, kind, number):
    """An ICMP echo request (8) or reply (0)."""
    body = struct.pack("!HH", 1, number) + bytes(range(97, 97 + 23)) + bytes(range(97, 97 + 9))
    head = struct.pack("!BBH", kind, 0, 0)
    return ipv4(source, target, hardware, 1, struct.pack("!BBH", kind, 0, checksum(head + body)) + body)


def dns(identification, name, address=None):
    """A question for one A record, or with the address its answer."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack("!HH", 1, 1)
    if address is None:
        return struct.pack("!HHHHHH", identification, 0x0100, 1, 0, 0, 0) + question
    answer = struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + socket.inet_aton(address)
    return struct.pack("!HHHHHH", identification, 0x8180, 1, 1, 0, 0) + question + answer


def pcapng(frames, comment):
    """A pcapng file of (nanoseconds since 1970, frame) pairs: one Ethernet interface with nanosecond times."""

    def block(kind, body):
        length = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + length + body + length

    def option(code, value):
        return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)

    end = option(0, b"")
    blocks = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(1, comment.encode()) + end),
              block(1, struct.pack("<HHI", 1, 0, 262144) + option(2, b"Ethernet0") + option(9, b"\x09") + end)]
    for time, frame in frames:
        head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame))
        blocks.append(block(6, head + frame + b"\0" * (-len(frame) % 4)))
    return b"".join(blocks)
