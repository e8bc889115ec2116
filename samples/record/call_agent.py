#!/usr/bin/env python3
"""One end of a WebRTC call on aiortc, as calls.py asks for it. Run by calls.py, one process for each end.

    call_agent.py offer|answer FOLDER SETTINGS

SETTINGS is a JSON object (see `DEFAULTS`). The description of this end is written to FOLDER/local.json, that of the other is
awaited in FOLDER/remote.json; the call goes on until FOLDER/stop exists. What happens is printed, a line for each event.
"""

import asyncio
import datetime
import json
import random
import sys
import time
from pathlib import Path

import aioice.ice
from aioice import stun
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc import rtcdtlstransport
from aiortc.mediastreams import AudioStreamTrack

DEFAULTS = {
    "servers": [],  # [{"urls": …, "username": …, "credential": …}]
    "channel": True,  # a data channel; its offerer sends `beats` messages, one every `beat` seconds, the other returns them
    "beat": 0.5,
    "beats": 1000,
    "audio": False,  # an audio track that is silent, sent all the same
    "seconds": 90,  # never longer than this
    "quirks": [],  # see QUIRKS
    "keylog": None,  # a file that the keys of DTLS are added to
}
BEGUN = time.monotonic()


def say(*words):
    print(f"{time.monotonic() - BEGUN:.1f}", *words, flush=True)


def both_controlling():
    """Takes the controlling role though the other has it."""
    plain = aioice.Connection.connect

    async def connect(self):
        self.ice_controlling = True
        # Almost surely the smaller one of the two, and it asks first: before a larger one the other would give way without a word.
        self._tie_breaker >>= 16
        return await plain(self)

    aioice.Connection.connect = connect


def never_nominates():
    """Never sends USE-CANDIDATE, and does not take any pair for selected: it checks and checks, every half second."""

    async def check_start(self, pair):
        while True:
            request = self.build_request(pair, nominate=False)
            try:
                await pair.protocol.request(request, pair.remote_addr, integrity_key=self.remote_password.encode())
            except stun.TransactionError:
                pass
            await asyncio.sleep(random.uniform(0.4, 0.6))

    aioice.Connection.check_start = check_start


def lite():
    """An ICE-lite agent (RFC 8445 §2.5): it answers checks, takes the pair that the other nominates, and never sends a check."""
    async def check_start(self, pair):
        while not pair.remote_nominated:
            await asyncio.sleep(0.02)
        pair.nominated = True
        self.check_state(pair, aioice.ice.CandidatePair.State.SUCCEEDED)
        self.check_complete(pair)

    async def query_consent(self):
        pass

    aioice.Connection.check_start = check_start
    aioice.Connection.query_consent = query_consent


def patient():
    """Goes on with its consent checks for longer than it would."""
    aioice.ice.CONSENT_FAILURES = 12


def large_certificate():
    """An RSA certificate of 4096 bits, and the suites for it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa

    def generate(cls):
        key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sample with a large key")])
        now = datetime.datetime.now(tz=datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        return cls(key=key, cert=builder.not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256()))

    def context(self, srtp_profiles):
        made = plain(self, srtp_profiles)
        made.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256")
        return made

    certificate = rtcdtlstransport.RTCCertificate
    plain = certificate._create_ssl_context
    certificate.generateCertificate = classmethod(generate)
    certificate._create_ssl_context = context
    datagrams_of(1200)


def large_datagrams():
    """A whole flight of DTLS in one datagram, whatever the path takes."""
    datagrams_of(8000)


def datagrams_of(mtu):
    """Handshake fragments and datagrams of at most so many bytes (aiortc itself cuts what OpenSSL wrote every 1500 bytes)."""
    async def write(self):
        try:
            data = self._ssl.bio_read(60000)
        except rtcdtlstransport.SSL.Error:
            return
        datagram = b""
        while data:
            length = 13 + int.from_bytes(data[11:13], "big")
            if datagram and len(datagram) + length > mtu:
                await self.transport._send(datagram)
                datagram = b""
            datagram, data = datagram + data[:length], data[length:]
        await self.transport._send(datagram)

    async def handshake(self):
        # The first flight of a server is written by then; the size of its fragments must be known before.
        self._ssl.set_options(rtcdtlstransport.SSL.OP_NO_QUERY_MTU)
        self._ssl.set_ciphertext_mtu(mtu)
        await plain(self)

    transport = rtcdtlstransport.RTCDtlsTransport
    plain = transport._do_handshake
    transport._write_ssl = write
    transport._do_handshake = handshake


def relay_only():
    """Has no candidate but those of its relay."""
    plain = aioice.Connection.__init__

    def begin(self, *arguments, **settings):
        plain(self, *arguments, **settings | {"transport_policy": aioice.ice.TransportPolicy.RELAY})

    aioice.Connection.__init__ = begin


def log_keys(path):
    plain = rtcdtlstransport.RTCCertificate._create_ssl_context

    def create(self, *arguments, **settings):
        made = plain(self, *arguments, **settings)

        def line(_, text):
            with open(path, "ab") as file:
                file.write(text + b"\n")

        made.set_keylog_callback(line)
        return made

    rtcdtlstransport.RTCCertificate._create_ssl_context = create


QUIRKS = {"both-controlling": both_controlling, "lite": lite, "never-nominates": never_nominates, "patient": patient,
          "large-certificate": large_certificate, "large-datagrams": large_datagrams, "relay-only": relay_only}


def describe(path, description, quirks=()):
    sdp = description.sdp
    if "lite" in quirks:
        sdp = sdp.replace("m=", "a=ice-lite\r\nm=", 1)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"type": description.type, "sdp": sdp}))
    part.rename(path)


async def described(path, seconds=60):
    for _ in range(int(seconds * 20)):
        if path.exists():
            return RTCSessionDescription(**json.loads(path.read_text()))
        await asyncio.sleep(0.05)
    raise TimeoutError(path.name)


async def main(role, folder, settings):
    folder, settings = Path(folder), DEFAULTS | json.loads(settings)
    for quirk in settings["quirks"]:
        QUIRKS[quirk]()
    if settings["keylog"]:
        log_keys(settings["keylog"])
    servers = [RTCIceServer(**server) for server in settings["servers"]]
    # Never without a configuration: its default names a server on the Internet.
    connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))

    @connection.on("iceconnectionstatechange")
    def on_ice():
        say("ice", connection.iceConnectionState)

    @connection.on("connectionstatechange")
    def on_state():
        say("connection", connection.connectionState)

    @connection.on("track")
    def on_track(track):
        async def drain():
            try:
                while True:
                    await track.recv()
            except Exception as error:
                say("track ended", type(error).__name__)
        asyncio.ensure_future(drain())

    def talk(channel, first):
        @channel.on("message")
        def on_message(text):
            say("message", text)
            if not first:
                channel.send(text)

    async def beat(channel):
        number = 0
        while number < settings["beats"]:
            if channel.readyState == "open":
                channel.send(f"message {number}")
                number += 1
            await asyncio.sleep(settings["beat"])

    if settings["audio"]:
        connection.addTrack(AudioStreamTrack())
    if role == "offer":
        if settings["channel"]:
            channel = connection.createDataChannel("sample")
            talk(channel, True)
            asyncio.ensure_future(beat(channel))
        await connection.setLocalDescription(await connection.createOffer())
        describe(folder / "local.json", connection.localDescription, settings["quirks"])
        await connection.setRemoteDescription(await described(folder / "remote.json"))
    else:
        connection.on("datachannel", lambda channel: talk(channel, False))
        await connection.setRemoteDescription(await described(folder / "remote.json"))
        await connection.setLocalDescription(await connection.createAnswer())
        describe(folder / "local.json", connection.localDescription, settings["quirks"])
    generation = 2
    while time.monotonic() - BEGUN < settings["seconds"] and not (folder / "stop").exists():
        # A later offer, for an ICE restart, is answered as it comes.
        again = folder / f"remote{generation}.json"
        if role == "answer" and again.exists():
            try:
                await connection.setRemoteDescription(await described(again))
                await connection.setLocalDescription(await connection.createAnswer())
                describe(folder / f"local{generation}.json", connection.localDescription, settings["quirks"])
            except Exception as error:
                say("renegotiation", type(error).__name__, error)
            generation += 1
        await asyncio.sleep(0.05)
    await connection.close()
    say("closed")


try:
    asyncio.run(main(*sys.argv[1:]))
except (TimeoutError, asyncio.TimeoutError, ConnectionError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
