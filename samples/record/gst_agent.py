#!/usr/bin/env python3
"""One end of a WebRTC call with audio on GStreamer's webrtcbin, whose ICE is libnice: as call_agent.py, with its arguments and files.

    gst_agent.py offer|answer FOLDER SETTINGS

SETTINGS is a JSON object: `seconds`, never longer than this. Debian 12: python3-gst-1.0 gir1.2-gst-plugins-bad-1.0 gstreamer1.0-nice
gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad, and the system's own Python.
"""

import json
import sys
import time
from pathlib import Path

import gi

for namespace in ("Gst", "GstWebRTC", "GstSdp"):
    gi.require_version(namespace, "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

SOUND = ("audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample ! opusenc bitrate=8000 frame-size=60 ! rtpopuspay pt=96 ! "
         "capsfilter caps=application/x-rtp,media=audio,encoding-name=OPUS,payload=96,clock-rate=48000")
KINDS = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}
BEGUN = time.monotonic()


class Agent:
    def __init__(self, role, folder, settings):
        self.role, self.folder, self.end = role, Path(folder), BEGUN + settings.get("seconds", 90)
        self.told = False
        # what the bindings would free while webrtcbin still has it
        self.kept = []
        self.pipeline = Gst.Pipeline.new("call")
        self.web = Gst.ElementFactory.make("webrtcbin")
        self.web.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.web)
        self.web.connect("pad-added", self.incoming)
        self.web.connect("notify::ice-gathering-state", self.gathered)
        for name in ("ice-connection-state", "connection-state"):
            self.web.connect(f"notify::{name}", self.changed, name)
        sound = Gst.parse_bin_from_description(SOUND, True)
        self.pipeline.add(sound)
        sound.link(self.web)
        self.pipeline.set_state(Gst.State.PLAYING)
        if role == "offer":
            self.create()
        self.loop = GLib.MainLoop()
        GLib.timeout_add(50, self.tick)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)

    def incoming(self, _, pad):
        if pad.direction == Gst.PadDirection.SRC:
            sink = Gst.ElementFactory.make("fakesink")
            sink.set_property("async", False)
            self.pipeline.add(sink)
            sink.sync_state_with_parent()
            pad.link(sink.get_static_pad("sink"))

    def changed(self, web, _, name):
        state = web.get_property(name).value_nick
        print(f"{time.monotonic() - BEGUN:.1f} {'ice' if name.startswith('ice') else 'connection'} {state}", flush=True)

    def gathered(self, *_):
        local = self.web.get_property("local-description")
        if local and self.web.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            part = self.folder / "local.part"
            part.write_text(json.dumps({"type": self.role, "sdp": local.sdp.as_text()}))
            part.rename(self.folder / "local.json")

    def create(self):
        self.web.emit(f"create-{self.role}", None, Gst.Promise.new_with_change_func(self.created))

    def created(self, promise, *_):
        reply = promise.get_reply()
        description = reply.get_value(self.role)
        self.kept += [promise, reply, description]
        GLib.idle_add(self.describe, "set-local-description", self.role, description.sdp.as_text())

    def describe(self, signal, kind, sdp):
        _, message = GstSdp.SDPMessage.new_from_text(sdp)
        description, promise = GstWebRTC.WebRTCSessionDescription.new(KINDS[kind], message), Gst.Promise.new()
        self.kept += [message, description, promise]
        self.web.emit(signal, description, promise)
        promise.wait()
        return False

    def tick(self):
        remote = self.folder / "remote.json"
        if not self.told and remote.exists():
            self.told = True
            description = json.loads(remote.read_text())
            self.describe("set-remote-description", description["type"], description["sdp"])
            for line in description["sdp"].splitlines():
                if line.startswith("a=candidate:"):
                    self.web.emit("add-ice-candidate", 0, line[2:])
            if self.role == "answer":
                self.create()
        if time.monotonic() > self.end or (self.folder / "stop").exists():
            self.loop.quit()
            return False
        return True


Gst.init(None)
Agent(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
