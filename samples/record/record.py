#!/usr/bin/env python3
"""Records the samples again, checks them, and prints their table. Called by record.sh."""

import importlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

from catalog import CASES, toml  # noqa: E402
from lab import need  # noqa: E402

SAMPLES = Path(__file__).resolve().parent.parent
GROUPS = (
    "rebuilt", "authentication", "allocation", "path", "nat", "capturing", "others", "media", "calls", "ice", "dtls", "tcp", "tls", "keys", "relay", "deployment", "joins", "stacks",
)
LARGEST = 150_000
# For the cases of whole calls: what tshark does not look for by itself.
HEURISTICS = ("--enable-heuristic", "dtls_stun", "--enable-heuristic", "dtls_udp")
# What a recording may leave; anything else in a folder is not its own.
RECORDED = ("*.pcap*", "credentials.toml", "deployment.toml", "*.log", "offer*.sdp", "answer*.sdp", "getstats*.json", "webrtc-internals*.json", "keylog.txt")
TABLE_MARK = "<!-- printed by record.sh table -->"


def matches(capture, display_filter):
    """How many frames of a capture a display filter matches."""
    command = ["tshark", "-r", str(capture), *HEURISTICS, "-Y", display_filter]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return len(done.stdout.splitlines())


def complaints(case, folder):
    """What is wrong with a recorded case: empty when it shows what it should."""
    captures = sorted(folder.glob("*.pcap*"))
    if not any(capture.stem == "capture" for capture in captures):
        return ["no capture"]
    wrong = [f"{capture.name} has {capture.stat().st_size} bytes" for capture in captures if capture.stat().st_size > LARGEST]
    main = next(capture for capture in captures if capture.stem == "capture")
    for wanted in case.present:
        wanted, least = wanted if isinstance(wanted, tuple) else (wanted, 1)
        if (found := matches(main, wanted)) < least:
            wrong.append(f"{found} of at least {least} match: {wanted}")
    wrong += [f"should not be there: {unwanted}" for unwanted in case.absent if matches(main, unwanted)]
    return wrong


def record(case):
    """Records one case beside the old one, and puts it in its place only when it is right."""
    with tempfile.TemporaryDirectory(prefix="record-") as scratch:
        made = Path(scratch)
        case.record(made)
        if case.credentials:
            (made / "credentials.toml").write_text(toml(case.credentials))
        if wrong := complaints(case, made):
            kept = Path(tempfile.mkdtemp(prefix=f"rejected-{case.name}-"))
            shutil.copytree(made, kept, dirs_exist_ok=True)
            return [*wrong, f"kept in {kept}"]
        target = SAMPLES / case.name
        target.mkdir(exist_ok=True)
        for old in (old for pattern in RECORDED for old in target.glob(pattern)):
            old.unlink()
        for file in made.iterdir():
            shutil.copyfile(file, target / file.name)
    return []


def table():
    """The rows of `samples/README.md`."""
    yield "| case | software | shows | headline finding | severity | other findings to expect |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for case in CASES.values():
        finding, severity = case.finding.split(" ", 1) if " " in case.finding else (None, case.finding)
        also = ", ".join(f"`{name}`" for name in case.also) or "none"
        headline = f"`{finding}`" if finding else "none"
        yield f"| `{case.name}` | {case.software} | {case.shows} | {headline} | {severity} | {also} |"


def write_table():
    """Puts the table into `samples/README.md`, below its mark."""
    readme = SAMPLES / "README.md"
    head, mark, _ = readme.read_text().partition(TABLE_MARK)
    readme.write_text(head + mark + "\n\n" + "\n".join(table()) + "\n")


def main(arguments):
    for group in GROUPS:
        importlib.import_module(f"cases_{group}")
    verb, names = (arguments or ["list"])[0], arguments[1:]
    if verb == "list":
        print("\n".join(CASES))
        return 0
    if verb == "table":
        write_table()
        return 0
    need("tshark")
    if verb == "check":
        chosen = names or CASES
    else:
        chosen = CASES if verb == "all" else arguments
    failed = 0
    for name in chosen:
        if name not in CASES:
            sys.exit(f"record: no such case: {name}")
        print(f"{name}: ", end="", flush=True)
        try:
            wrong = complaints(CASES[name], SAMPLES / name) if verb == "check" else record(CASES[name])
        except Exception as error:  # one case that cannot be made here must not stop the others
            wrong = [f"{type(error).__name__}: {error}"]
        failed += bool(wrong)
        print("; ".join(wrong) or "right", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
