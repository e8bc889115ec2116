"""Calls between two parties, each Chromium or aiortc, with the signalling between them in our hands.

A description may be changed on its way. The files that a case leaves are those that arrived: `offer.sdp` and `answer.sdp`; where
one was changed, `offer-sent.sdp` or `answer-sent.sdp` is what its maker had sent.
"""

import contextlib
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from chromium import Chromium
from lab import PASSWORD, SERVER, USER, output

AGENT = Path(__file__).parent / "call_agent.py"
TURN = f"turn:{SERVER}:3478?transport=udp"
STUN = f"stun:{SERVER}:3478"
RELAY = [{"urls": TURN, "username": USER, "credential": PASSWORD}]
REFLECT = [{"urls": STUN}]


def until(true, seconds, what):
    """Waits until something holds, and gives it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise RuntimeError(f"in {seconds} s not: {what}")


class Aiortc:
    """A party on aiortc, a process of its own."""

    def __init__(self, lab, part, **settings):
        self.lab, self.part, self.settings = lab, part, settings
        self.folder = Path(tempfile.mkdtemp(prefix=f"{part}-", dir=lab.scratch))
        self.generation = 1

    def _begin(self, role):
        python = os.environ.get("RECORD_PYTHON", sys.executable)
        self.process = self.lab.spawn(self.part, python, "-B", AGENT, role, self.folder, json.dumps(self.settings))

    def _give(self, description):
        name = f"remote{self.generation if self.generation > 1 else ''}"
        part = self.folder / f"{name}.part"
        part.write_text(json.dumps(description))
        part.rename(self.folder / f"{name}.json")

    def _take(self):
        path = self.folder / f"local{self.generation if self.generation > 1 else ''}.json"
        until(lambda: path.exists() or self.process.poll() is not None, 30, "a description")
        if not path.exists():
            raise RuntimeError(f"aiortc: {output(self.process)}")
        return json.loads(path.read_text())

    def offer(self):
        self._begin("offer")
        return self._take()

    def answer(self, offer):
        if self.generation == 1:
            self._begin("answer")
        self._give(offer)
        answer = self._take()
        self.generation += 1
        return answer

    def accept(self, answer):
        self._give(answer)

    def wait_state(self, state, seconds=20):
        until(lambda: f"connection {state}" in self.said(), seconds, f"aiortc {state}: {self.said()}")

    def said(self):
        return output(self.process)

    def close(self):
        (self.folder / "stop").touch()
        return self.lab.finish(self.process, 10)


PAGE = """
    window.begin = settings => {
        window.connection = new RTCPeerConnection({iceServers: settings.servers, iceTransportPolicy: settings.policy});
        window.received = [];
        window.states = [];
        connection.onconnectionstatechange = () => states.push(connection.connectionState);
        connection.oniceconnectionstatechange = () => states.push("ice " + connection.iceConnectionState);
    };
    window.tracks = async settings => {
        if (settings.permission) {
            window.device = await navigator.mediaDevices.getUserMedia({audio: true});
        }
        if (settings.audio) {
            const context = new AudioContext(), tone = context.createOscillator();
            const made = context.createMediaStreamDestination();
            tone.connect(made);
            tone.start();
            const sender = connection.addTrack(made.stream.getAudioTracks()[0], made.stream);
            window.slow = async () => {
                const parameters = sender.getParameters();
                parameters.encodings[0].maxBitrate = 8000;
                await sender.setParameters(parameters);
            };
        }
    };
    window.gathered = async again => {
        // A restart begins to gather a little later.
        for (let turn = 0; again && turn < 40 && connection.iceGatheringState == "complete"; turn++) {
            await new Promise(later => setTimeout(later, 5));
        }
        await new Promise(done => {
            connection.onicegatheringstatechange = () => connection.iceGatheringState == "complete" && done();
            if (connection.iceGatheringState == "complete") done();
            setTimeout(done, 12000);
        });
        return {type: connection.localDescription.type, sdp: connection.localDescription.sdp};
    };
    window.beat = (channel, pause) => setInterval(
        () => channel.readyState == "open" && channel.send("message " + received.length), pause);
    window.offer = async (settings, options) => {
        const again = Boolean(window.connection);
        if (!again) {
            begin(settings);
            await tracks(settings);
            if (settings.channel) {
                const channel = connection.createDataChannel("sample");
                channel.onmessage = event => received.push(event.data);
                beat(channel, settings.beat);
            }
        }
        await connection.setLocalDescription(await connection.createOffer(options));
        return gathered(again);
    };
    window.answer = async (settings, offer) => {
        const again = Boolean(window.connection);
        if (!again) {
            begin(settings);
            connection.ondatachannel = event => event.channel.onmessage = message => {
                received.push(message.data);
                event.channel.send(message.data);
            };
            await connection.setRemoteDescription(offer);
            await tracks(settings);
        } else {
            await connection.setRemoteDescription(offer);
        }
        await connection.setLocalDescription(await connection.createAnswer());
        if (window.slow) await slow();
        return gathered(again);
    };
    window.accept = async answer => {
        await connection.setRemoteDescription(answer);
        if (window.slow) await slow();
    };
    window.summary = async () => {
        const report = await connection.getStats(), all = [...report.values()];
        const pick = (from, names) => from && Object.fromEntries(
            names.filter(name => from[name] !== undefined).map(name => [name, from[name]]));
        const transport = all.find(entry => entry.type == "transport");
        const candidate = id => pick(report.get(id), ["candidateType", "address", "port", "protocol", "priority", "url",
            "relayProtocol", "relatedAddress", "relatedPort", "usernameFragment", "foundation"]);
        const pair = entry => entry && {
            ...pick(entry, ["state", "nominated", "currentRoundTripTime", "requestsSent", "responsesReceived", "requestsReceived",
                "responsesSent", "consentRequestsSent", "bytesSent", "bytesReceived", "packetsSent", "packetsReceived"]),
            local: candidate(entry.localCandidateId), remote: candidate(entry.remoteCandidateId)};
        const fingerprint = id => pick(report.get(id), ["fingerprint", "fingerprintAlgorithm"]);
        return {
            connectionState: connection.connectionState,
            iceConnectionState: connection.iceConnectionState,
            states,
            messagesReceived: received.length,
            transport: pick(transport, ["dtlsState", "dtlsRole", "dtlsCipher", "tlsVersion", "srtpCipher", "iceState", "iceRole",
                "iceLocalUsernameFragment", "bytesSent", "bytesReceived", "packetsSent", "packetsReceived",
                "selectedCandidatePairChanges"]),
            localCertificate: transport && fingerprint(transport.localCertificateId),
            remoteCertificate: transport && fingerprint(transport.remoteCertificateId),
            selectedPair: transport && pair(report.get(transport.selectedCandidatePairId)),
            pairs: all.filter(entry => entry.type == "candidate-pair").map(pair),
            outbound: all.filter(entry => entry.type == "outbound-rtp").map(entry => pick(entry, ["kind", "ssrc", "packetsSent",
                "bytesSent", "headerBytesSent", "retransmittedPacketsSent"])),
            inbound: all.filter(entry => entry.type == "inbound-rtp").map(entry => pick(entry, ["kind", "ssrc", "packetsReceived",
                "bytesReceived", "headerBytesReceived", "packetsLost", "jitter"])),
            remoteInbound: all.filter(entry => entry.type == "remote-inbound-rtp").map(entry => pick(entry, ["kind", "ssrc",
                "packetsLost", "fractionLost", "roundTripTime", "jitter"])),
        };
    };
"""


class Browser:
    """A party in Chromium."""

    DEFAULTS = {"servers": [], "policy": "all", "channel": True, "beat": 500, "audio": False, "permission": False}

    def __init__(self, lab, part, internals=False, mdns=False, flags=(), **settings):
        self.lab, self.settings = lab, json.dumps(self.DEFAULTS | settings)
        page = lab.scratch / "page.html"
        page.write_text("<title>sample</title>")
        self.chromium = Chromium(lab, part, internals, mdns, f"file://{page}", flags)
        until(lambda: self.run("return document.title;") == "sample", 15, "a page in Chromium")
        self.run(PAGE)

    def offer(self, **options):
        return self.chromium.run(f"return await offer({self.settings}, {json.dumps(options)});", 40)

    def answer(self, offer):
        return self.chromium.run(f"return await answer({self.settings}, {json.dumps(offer)});", 40)

    def accept(self, answer):
        self.chromium.run(f"await accept({json.dumps(answer)});")

    def run(self, script, seconds=30):
        return self.chromium.run(script, seconds)

    def wait_state(self, state, seconds=20):
        until(lambda: self.run(f"return states.includes('{state}');"), seconds, f"Chromium {state}: {self.run('return states')}")

    def summary(self):
        return self.run("return await summary();")

    def dump(self):
        """The dump of chrome://webrtc-internals, without what describes the machine."""
        dump = self.chromium.dump()
        for name in ("cpuPerformance", "deviceMemory", "hardwareConcurrency"):
            dump.pop(name, None)
        for connection in dump["PeerConnections"].values():
            connection["url"], connection["pid"] = "file:///page.html", 1
        return dump

    def close(self):
        """Hangs up as a page does; the browser itself ends with the laboratory."""
        self.run("connection.close(); await new Promise(later => setTimeout(later, 500));")

    def end(self):
        self.chromium.close(self.lab)


@contextlib.contextmanager
def ended(*browsers):
    """Ends the browsers with the block; aiortc ends with the laboratory."""
    try:
        yield browsers
    finally:
        for browser in browsers:
            if isinstance(browser, Browser):
                browser.end()


def leave(out, browser, suffix="", dump=False):
    """Leaves what the page itself says of its call."""
    save(out / f"getstats{suffix}.json", browser.summary())
    if dump:
        (out / f"webrtc-internals{suffix}.json").write_text(json.dumps(browser.dump(), separators=(",", ":")) + "\n")


def call_for(seconds, out, offering, answering, *changes):
    """A call of so many seconds, whatever comes of it; the browser leaves what it says of it, and hangs up first."""
    browser, other = (offering, answering) if isinstance(offering, Browser) else (answering, offering)
    talk(out, offering, answering, *changes)
    time.sleep(seconds)
    leave(out, browser)
    browser.close()
    other.close()


def talk(out, offering, answering, change_offer=None, change_answer=None, generation=""):
    """Offer and answer, changed on the way where that is asked for, and left as files."""
    def deliver(name, description, change):
        arrived = dict(description)
        if change:
            arrived["sdp"] = change(description["sdp"])
            if arrived["sdp"] == description["sdp"]:
                raise RuntimeError(f"the {name} was not changed")
            write(out / f"{name}{generation}-sent.sdp", description["sdp"])
        write(out / f"{name}{generation}.sdp", arrived["sdp"])
        return arrived

    offer = deliver("offer", offering.offer(**({"iceRestart": True} if generation else {})), change_offer)
    answer = deliver("answer", answering.answer(offer), change_answer)
    offering.accept(answer)


def write(path, sdp):
    path.write_bytes(re.sub("\r?\n", "\r\n", sdp).encode())


def save(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


# What signalling may do to a description.

def setup(role):
    return lambda sdp: re.sub(r"a=setup:\w+", f"a=setup:{role}", sdp)


def wrong_password(sdp):
    """The ICE password as another session had it."""
    return re.sub(r"a=ice-pwd:(\S+)", lambda found: f"a=ice-pwd:{found[1][::-1]}", sdp)


def wrong_fingerprint(sdp):
    """The fingerprint of another certificate: its bytes in reverse."""
    return re.sub(r"a=fingerprint:(\S+) (\S+)",
                  lambda found: f"a=fingerprint:{found[1]} {':'.join(reversed(found[2].split(':')))}", sdp)
