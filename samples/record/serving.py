"""A small TURN server on the standard library, for what no real server does: it relays for real, and misbehaves as told."""

import base64
import os
import select
import struct
import threading

import stun
from stun import ERROR, REQUEST, SUCCESS, Message


class Server:
    """Serves in a thread between `with` and its end.

    `sock` is bound where clients ask; `relay_socket()` gives a new bound UDP socket; `public` is the address told for relays.
    What is out of the ordinary: `refuse` = (code, reason) for every authenticated Allocate, `sha256` = the password algorithms of
    RFC 8489, `anonymous` = its USERHASH too, `relayed` = an address and port told instead of the true one.
    """

    SOFTWARE = "sample server"

    def __init__(self, sock, relay_socket, public, users, realm, refuse=None, sha256=False, anonymous=False,
                 relayed=None):
        self.sock, self.relay_socket, self.public = sock, relay_socket, public
        self.users, self.realm, self.refuse, self.sha256, self.relayed = users, realm, refuse, sha256, relayed
        # The nonce cookie of RFC 8489 §9.2: the first bit of the flags promises password algorithms, the second anonymity.
        flags = bytes([0x80 | 0x40 * anonymous, 0, 0])
        self.nonce = ("obMatJos2" + base64.b64encode(flags).decode() if sha256 else "") + os.urandom(8).hex()
        self.allocations = {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(5)
        for allocation in self.allocations.values():
            allocation.relay.close()

    def _serve(self):
        while not self.stopping.is_set():
            relays = {allocation.relay: allocation for allocation in self.allocations.values()}
            ready, _, _ = select.select([self.sock, *relays], [], [], 0.1)
            for sock in ready:
                data, source = sock.recvfrom(2048)
                if sock is self.sock:
                    self._from_client(data, source)
                else:
                    self._from_peer(relays[sock], data, source)

    def _from_peer(self, allocation, data, source):
        if source[0] not in allocation.permissions:
            return
        number = allocation.channel_of(source)
        if number:
            self.sock.sendto(struct.pack("!HH", number, len(data)) + data, allocation.client)
        else:
            message = Message(stun.INDICATION, stun.DATA_METHOD).address(stun.XOR_PEER_ADDRESS, *source[:2])
            self.sock.sendto(message.add(stun.DATA, data).encode(), allocation.client)

    def _from_client(self, data, source):
        allocation = self.allocations.get(source)
        message = stun.decode(data)
        if message is None:
            if allocation and len(data) >= 4:
                number, length = struct.unpack("!HH", data[:4])
                if number in allocation.channels:
                    allocation.relay.sendto(data[4:4 + length], allocation.channels[number])
        elif message.kind == stun.INDICATION:
            peer = message.get_address(stun.XOR_PEER_ADDRESS)
            if allocation and peer and peer[0] in allocation.permissions:
                allocation.relay.sendto(message.get(stun.DATA) or b"", peer)
        elif message.kind == REQUEST:
            self.sock.sendto(self._answer(message, data, source, allocation).encode(), source)

    def _answer(self, message, data, source, allocation):
        if message.method == stun.BINDING:
            return self._success(message).address(stun.XOR_MAPPED_ADDRESS, *source[:2]).fingerprint()
        user = (message.get(stun.USERNAME) or b"").decode()
        if hashed := message.get(stun.USERHASH):
            user = next((name for name in self.users if stun.userhash(name, self.realm) == hashed), "")
        sha256_key = message.get(stun.PASSWORD_ALGORITHM) == stun.SHA256_ALGORITHM
        sha256 = message.get(stun.MESSAGE_INTEGRITY_SHA256) is not None
        key = stun.long_term_key(user, self.realm, self.users.get(user, ""), sha256_key)
        if user not in self.users or not stun.integrity_holds(data, key, sha256):
            return self._challenge(message, 401, "Unauthenticated")
        if message.get(stun.NONCE) != self.nonce.encode():
            return self._challenge(message, 438, "Stale Nonce")
        return self._served(message, source, allocation).sign(key, sha256).fingerprint()

    def _served(self, message, source, allocation):
        """The answer to an authenticated request, without its integrity."""
        if message.method == stun.ALLOCATE:
            if self.refuse:
                return self._error(message, *self.refuse)
            if allocation is None:
                allocation = self.allocations[source] = Allocation(source, self.relay_socket())
            relayed = self.relayed or (self.public, allocation.relay.getsockname()[1])
            answer = self._success(message).address(stun.XOR_RELAYED_ADDRESS, *relayed)
            return answer.address(stun.XOR_MAPPED_ADDRESS, *source[:2]).add(stun.LIFETIME, struct.pack("!I", 600))
        if allocation is None:
            return self._error(message, 437, "Allocation Mismatch")
        if message.method == stun.REFRESH:
            lifetime = message.get(stun.LIFETIME) or struct.pack("!I", 600)
            if lifetime == bytes(4):
                self.allocations.pop(source).relay.close()
            return self._success(message).add(stun.LIFETIME, lifetime)
        peer = message.get_address(stun.XOR_PEER_ADDRESS)
        if message.method in (stun.CREATE_PERMISSION, stun.CHANNEL_BIND) and peer:
            allocation.permissions.add(peer[0])
            if message.method == stun.CHANNEL_BIND:
                allocation.channels[struct.unpack("!H", message.get(stun.CHANNEL_NUMBER)[:2])[0]] = peer
            return self._success(message)
        return self._error(message, 400, "Bad Request")

    def _challenge(self, message, code, reason):
        answer = self._error(message, code, reason).add(stun.REALM, self.realm).add(stun.NONCE, self.nonce)
        if self.sha256:
            answer.add(stun.PASSWORD_ALGORITHMS, stun.SHA256_ALGORITHM + stun.MD5_ALGORITHM)
        return answer.fingerprint()

    def _success(self, message):
        return Message(SUCCESS, message.method, message.transaction).add(stun.SOFTWARE, self.SOFTWARE)

    def _error(self, message, code, reason):
        return Message(ERROR, message.method, message.transaction).add(stun.SOFTWARE, self.SOFTWARE).error(code, reason)


class Allocation:
    def __init__(self, client, relay):
        self.client, self.relay = client, relay
        self.permissions, self.channels = set(), {}

    def channel_of(self, peer):
        return next((number for number, bound in self.channels.items() if bound == peer[:2]), None)
