"""A small STUN and TURN codec and client on the standard library: for cases that no real client can be talked into."""

import base64
import hashlib
import hmac
import os
import socket
import struct
import time
import zlib

COOKIE = 0x2112A442
REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110
BINDING, ALLOCATE, REFRESH, SEND, DATA_METHOD, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT = 0x00A, 0x00B, 0x00C
MAPPED_ADDRESS, CHANGE_REQUEST, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE = 0x0001, 0x0003, 0x0006, 0x0008, 0x0009
UNKNOWN_ATTRIBUTES, CHANNEL_NUMBER, LIFETIME, XOR_PEER_ADDRESS, DATA = 0x000A, 0x000C, 0x000D, 0x0012, 0x0013
REALM, NONCE, XOR_RELAYED_ADDRESS, REQUESTED_ADDRESS_FAMILY = 0x0014, 0x0015, 0x0016, 0x0017
REQUESTED_TRANSPORT, MESSAGE_INTEGRITY_SHA256, PASSWORD_ALGORITHM, USERHASH = 0x0019, 0x001C, 0x001D, 0x001E
XOR_MAPPED_ADDRESS, PASSWORD_ALGORITHMS, SOFTWARE, ALTERNATE_SERVER, FINGERPRINT = 0x0020, 0x8002, 0x8022, 0x8023, 0x8028
MOBILITY_TICKET, CONNECTION_ID = 0x8030, 0x002A
UDP, TCP = bytes([17, 0, 0, 0]), bytes([6, 0, 0, 0])
MD5_ALGORITHM, SHA256_ALGORITHM = struct.pack("!HH", 1, 0), struct.pack("!HH", 2, 0)


class Message:
    """One STUN message. Attributes keep their order; signing closes over what is there so far."""

    def __init__(self, kind, method, transaction=None, cookie=COOKIE):
        self.kind, self.method, self.cookie = kind, method, cookie
        self.transaction = transaction if transaction is not None else os.urandom(12)
        self.body = b""
        self.attributes = []

    def add(self, code, value=b"", pad=b"\0"):
        if isinstance(value, str):
            value = value.encode()
        self.attributes.append((code, value))
        self.body += struct.pack("!HH", code, len(value)) + value + pad * (-len(value) % 4)
        return self

    def address(self, code, address, port):
        """An address attribute; XORed where the code says so."""
        packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        if code in (XOR_MAPPED_ADDRESS, XOR_RELAYED_ADDRESS, XOR_PEER_ADDRESS):
            port ^= self.cookie >> 16
            packed = bytes(a ^ b for a, b in zip(packed, struct.pack("!I", self.cookie) + self.transaction))
        return self.add(code, struct.pack("!BBH", 0, 1 if len(packed) == 4 else 2, port) + packed)

    def error(self, code, reason):
        return self.add(ERROR_CODE, struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode())

    def sign(self, key, sha256=False):
        code, digest, size = (MESSAGE_INTEGRITY_SHA256, "sha256", 32) if sha256 else (MESSAGE_INTEGRITY, "sha1", 20)
        return self.add(code, hmac.new(key, self._header(len(self.body) + 4 + size) + self.body, digest).digest())

    def fingerprint(self, flip=0):
        crc = zlib.crc32(self._header(len(self.body) + 8) + self.body) ^ 0x5354554E ^ flip
        return self.add(FINGERPRINT, struct.pack("!I", crc))

    def _header(self, length):
        kind = (self.method & 0x0F) | (self.method & 0x70) << 1 | (self.method & 0xF80) << 2 | self.kind
        return struct.pack("!HHI", kind, length, self.cookie) + self.transaction

    def encode(self):
        return self._header(len(self.body)) + self.body

    def get(self, code):
        return next((value for number, value in self.attributes if number == code), None)

    def get_address(self, code):
        value = self.get(code)
        if value is None:
            return None
        family, port, packed = value[1], struct.unpack("!H", value[2:4])[0], value[4:]
        if code in (XOR_MAPPED_ADDRESS, XOR_RELAYED_ADDRESS, XOR_PEER_ADDRESS):
            port ^= self.cookie >> 16
            packed = bytes(a ^ b for a, b in zip(packed, struct.pack("!I", self.cookie) + self.transaction))
        return socket.inet_ntop(socket.AF_INET if family == 1 else socket.AF_INET6, packed), port

    @property
    def code(self):
        value = self.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else None


def decode(data):
    """A message from bytes that are known to be one; None for anything else (ChannelData, say)."""
    if len(data) < 20 or data[0] & 0xC0:
        return None
    kind, length, cookie = struct.unpack("!HHI", data[:8])
    message = Message(kind & 0x110, kind & 0x0F | (kind >> 1) & 0x70 | (kind >> 2) & 0xF80, data[8:20], cookie)
    position = 20
    while position + 4 <= min(20 + length, len(data)):
        code, size = struct.unpack("!HH", data[position:position + 4])
        message.attributes.append((code, data[position + 4:position + 4 + size]))
        position += 4 + size + (-size % 4)
    return message


def long_term_key(user, realm, password, sha256=False):
    text = f"{user}:{realm}:{password}".encode()
    return hashlib.sha256(text).digest() if sha256 else hashlib.md5(text).digest()


def userhash(user, realm):
    return hashlib.sha256(f"{user}:{realm}".encode()).digest()


def rest_password(secret, user):
    return base64.b64encode(hmac.new(secret.encode(), user.encode(), "sha1").digest()).decode()


def integrity_holds(data, key, sha256=False):
    """Whether the message's integrity attribute is that key's."""
    wanted = MESSAGE_INTEGRITY_SHA256 if sha256 else MESSAGE_INTEGRITY
    position = 20
    while position + 4 <= len(data):
        code, size = struct.unpack("!HH", data[position:position + 4])
        if code == wanted:
            text = data[:2] + struct.pack("!H", position + 4 + size - 20) + data[4:position]
            made = hmac.new(key, text, "sha256" if sha256 else "sha1").digest()
            return hmac.compare_digest(made, data[position + 4:position + 4 + size])
        position += 4 + size + (-size % 4)
    return False


class Stream:
    """A TCP connection that looks like a UDP socket to the client: whole messages out and in. Padding of ChannelData is the sender's."""

    def __init__(self, sock):
        self.sock = sock

    def sendto(self, data, _):
        self.sock.sendall(data)

    def settimeout(self, seconds):
        self.sock.settimeout(seconds)

    def recv(self, _):
        head = self._take(4)
        length = struct.unpack("!H", head[2:])[0]
        return head + self._take(length + -length % 4 if head[0] & 0xC0 else 16 + length)

    def _take(self, size):
        data = self.sock.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise ConnectionError("closed")
        return data


class Client:
    """A TURN client that does as it is told, right or wrong."""

    SOFTWARE = "sample client"

    def __init__(self, sock, server, user, password, realm=None, sha256=False, anonymous=False):
        self.sock, self.server, self.anonymous = sock, server, anonymous
        self.user, self.password, self.forced_realm, self.sha256 = user, password, realm, sha256
        self.realm = self.nonce = self.algorithms = None

    def challenged(self, answer):
        """Takes realm and nonce from a 401 or 438."""
        self.realm = answer.get(REALM) or self.realm
        self.nonce = answer.get(NONCE) or self.nonce
        self.algorithms = answer.get(PASSWORD_ALGORITHMS)

    def request(self, method, *attributes, signed=True, user=None, password=None):
        """A request with its attributes, as (code, value) or as (code, address, port)."""
        message = Message(REQUEST, method)
        message.add(SOFTWARE, self.SOFTWARE)
        for attribute in attributes:
            message.address(*attribute) if len(attribute) == 3 else message.add(*attribute)
        if signed and self.nonce is not None:
            user = user or self.user
            realm = self.forced_realm.encode() if self.forced_realm else self.realm
            if self.anonymous:
                message.add(USERHASH, userhash(user, realm.decode()))
            else:
                message.add(USERNAME, user)
            message.add(REALM, realm).add(NONCE, self.nonce)
            if self.sha256:
                message.add(PASSWORD_ALGORITHMS, self.algorithms).add(PASSWORD_ALGORITHM, SHA256_ALGORITHM)
            key = long_term_key(user, realm.decode(), password or self.password, self.sha256)
            message.sign(key, self.sha256)
        return message.fingerprint()

    def ask(self, message, waits=(0.5, 1, 2)):
        """Sends, resends after each wait, and gives the answer with the transaction id of the request, or None."""
        for wait in waits:
            self.sock.sendto(message.encode(), self.server)
            answer = self.wait(message.transaction, wait)
            if answer:
                return answer
        return None

    def wait(self, transaction, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                answer = decode(self.sock.recv(2048))
            except (TimeoutError, ConnectionError):
                continue
            if answer and answer.transaction == transaction:
                return answer
        return None

    def allocate(self, *attributes, transport=UDP):
        """The whole conversation: challenge, retry. Gives the last answer."""
        wanted = ((REQUESTED_TRANSPORT, transport), *attributes)
        answer = self.ask(self.request(ALLOCATE, *wanted, signed=False))
        if answer and answer.code == 401:
            self.challenged(answer)
            answer = self.ask(self.request(ALLOCATE, *wanted))
        return answer

    def permission(self, peer):
        return self.ask(self.request(CREATE_PERMISSION, (XOR_PEER_ADDRESS, peer, 0)))

    def channel(self, number, peer, port):
        return self.ask(self.request(CHANNEL_BIND, (CHANNEL_NUMBER, struct.pack("!HH", number, 0)),
                                     (XOR_PEER_ADDRESS, peer, port)))

    def send_channel(self, number, data):
        self.sock.sendto(struct.pack("!HH", number, len(data)) + data, self.server)

    def refresh(self, lifetime, **who):
        return self.ask(self.request(REFRESH, (LIFETIME, struct.pack("!I", lifetime)), **who))
