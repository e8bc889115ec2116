"""Chromium in a namespace, told what to do over its debugging pipe: no port, no window, no network of its own."""

import base64
import contextlib
import gzip
import json
import os
import select
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
         "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,DialMediaRouteProvider",
         "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 10.88.246.156",
         "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
# A page that may use the microphone gets the addresses of all interfaces, in clear.
ALLOWED = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
# Reads the file that the page chrome://webrtc-internals makes at its button that downloads the dump.
DUMP = """
    let made = null;
    const plain = URL.createObjectURL;
    URL.createObjectURL = blob => { made = made || blob; return plain.call(URL, blob); };
    const buttons = [...document.querySelectorAll("button, a")];
    const wanted = buttons.find(button => button.textContent.includes("webrtc-internals dump"));
    if (!wanted) return {error: buttons.map(button => button.textContent)};
    wanted.click();
    for (let turn = 0; turn < 50 && !made; turn++) await new Promise(later => setTimeout(later, 100));
    URL.createObjectURL = plain;
    if (!made) return {error: "no file"};
    const bytes = new Uint8Array(await made.arrayBuffer());
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return {data: btoa(text)};
"""


class Chromium:
    """One browser with one empty page. With `internals`, chrome://webrtc-internals is open from before the page; with `mdns`,
    host candidates bear .local names."""

    def __init__(self, lab, part, internals=False, mdns=False, page="about:blank", more=()):
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()
        # The pipe is descriptors 3 and 4 of the browser.
        redirect = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        profile = lab.scratch / f"profile-{part}"
        flags = [flag.replace("WebRtcHideLocalIpsWithMdns,", "") for flag in FLAGS] if mdns else FLAGS + ALLOWED
        flags = [*flags, *more]
        command = ("chromium", *flags, f"--user-data-dir={profile}", "about:blank")
        self.process = lab.spawn(part, "bash", "-c", redirect, "bash", *command,
                                 pass_fds=(theirs_in, theirs_out), env={**os.environ, "HOME": str(lab.scratch)})
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.pending, self.session = 0, b"", None
        self.internals = self._open("chrome://webrtc-internals") if internals else None
        self.session = self._open(page)

    def _open(self, page):
        target = self.tell("Target.createTarget", url=page)["targetId"]
        return self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def dump(self):
        """The dump of chrome://webrtc-internals, as its own page makes it."""
        page, self.session = self.session, self.internals
        try:
            made = self.run(DUMP)
        finally:
            self.session = page
        if "data" not in made:
            raise RuntimeError(f"webrtc-internals: {made}")
        data = base64.b64decode(made["data"])
        return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)

    def tell(self, method, seconds=30, **parameters):
        """One command and its result."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.to, json.dumps(command).encode() + b"\0")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while b"\0" in self.pending:
                line, self.pending = self.pending.split(b"\0", 1)
                answer = json.loads(line)
                if answer.get("id") == self.number:
                    if "error" in answer:
                        raise RuntimeError(answer["error"])
                    return answer["result"]
            if select.select([self.back], [], [], 0.2)[0]:
                more = os.read(self.back, 65536)
                if not more:
                    break
                self.pending += more
        raise RuntimeError(f"chromium: no answer to {method}")

    def run(self, script, seconds=30):
        """Runs the body of an async function in the page and gives what it returns."""
        expression = f"(async () => {{ {script} }})()"
        done = self.tell("Runtime.evaluate", seconds, expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"])
        return done["result"].get("value")

    def close(self, lab):
        with contextlib.suppress(RuntimeError, OSError):
            self.tell("Browser.close", 5)
        lab.stop(self.process)
        os.close(self.to)
        os.close(self.back)
