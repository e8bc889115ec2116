#!/usr/bin/env python3
"""cookie_server.py ADDRESS PORT: a DTLS server that reads a ClientHello only where it comes in one datagram.

It asks for a cookie by HelloVerifyRequest (RFC 6347 §4.2.1) without looking beyond the first fragment, as a server does that wants to
keep nothing before the cookie; a second ClientHello with the cookie, in fragments again, it cannot read, and says nothing more.
"""

import socket
import sys

COOKIE = bytes(range(20))
HANDSHAKE, CLIENT_HELLO, HELLO_VERIFY_REQUEST = 22, 1, 3


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.bind((address, port))
    asked = set()
    while True:
        datagram, sender = asking.recvfrom(2048)
        if len(datagram) < 25 or datagram[0] != HANDSHAKE or datagram[13] != CLIENT_HELLO or sender in asked:
            continue
        asked.add(sender)
        body = b"\xfe\xff" + bytes([len(COOKIE)]) + COOKIE
        length = len(body).to_bytes(3, "big")
        message = bytes([HELLO_VERIFY_REQUEST]) + length + bytes(2) + bytes(3) + length + body
        asking.sendto(bytes([HANDSHAKE]) + b"\xfe\xff" + bytes(8) + len(message).to_bytes(2, "big") + message, sender)


main()
