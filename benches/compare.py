#!/usr/bin/env python3
"""Runs turnscope side by side with what one would use instead, and prints the ratios as Markdown.

    benches/compare.py                    everything: three shapes of 1 GiB, five rounds (about 4 GiB of disk, a few minutes)
    benches/compare.py --size 64MiB --rounds 1 --no-tshark      a quick look

Captures are generated once into target/bench and used again as long as the generator is the same. Each round runs every tool
once, so that a busy machine is busy for all. CPU seconds are user + system, the median over the rounds; memory is the peak
resident set, the largest over the rounds. Exit status 1 when turnscope's counts differ from the generator's truth; a missed goal
is only printed, since other work on the machine can cause it.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "target" / "bench"
SHAPES = ["media", "signalling", "mixed"]
# Times `cat`, and MiB of memory: the first goals of the project.
GOALS = {"media": (3, 24), "signalling": (15, 96), "mixed": (3, 24)}
TSHARK_GOAL = 50
TSHARK_FIELDS = ["frame.number", "frame.time_epoch", "ip.src", "ip.dst", "udp.srcport", "udp.dstport", "stun.type", "stun.id"]


def main():
    options = parse_arguments()
    turnscope = options.turnscope or build_turnscope(options)
    problems = []
    print(f"{os.uname().sysname} {os.uname().release}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; "
          f"medians of {options.rounds} rounds, {options.format}\n")
    print("| shape | file | tool | CPU s | × cat | × turnscope | peak MiB |\n|---|---|---|---|---|---|---|")
    goals = []
    for shape in options.shapes:
        file, truth = generate(options, shape, options.size)
        tools = yardsticks(file, turnscope)
        table = run_rounds(tools, options.rounds)
        print_table(shape, options.size, table)
        goals += judge(shape, table)
        if turnscope:
            problems += check_counts(turnscope, shape, file, truth)
        if not options.no_tshark and shutil.which("tshark"):
            goals += against_tshark(options, shape, turnscope)
    if turnscope and not options.no_growth:
        goals += memory_growth(options, turnscope)
    if goals:
        print("\n| goal | measured | wanted | |\n|---|---|---|---|")
        for name, measured, wanted, met in goals:
            print(f"| {name} | {measured} | {wanted} | {'met' if met else '**missed**'} |")
    if turnscope:
        print(f"\ncounts against the generator's truth: {'all equal' if not problems else 'DIFFERENT'}")
    else:
        print("\nturnscope was not measured: there is no binary (see --turnscope)")
    for problem in problems:
        print(f"- {problem}")
    return 1 if problems else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1GiB", help="of each capture (default 1GiB)")
    parser.add_argument("--cut", default="128MiB", help="of the captures that tshark gets (default 128MiB)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tshark-rounds", type=int, default=2)
    parser.add_argument("--format", choices=["pcap", "pcapng"], default="pcapng")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=SHAPES)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--turnscope", help="the binary to measure (default: built here with --release)")
    parser.add_argument("--generator", help="the generator's binary (default: built here with --release)")
    parser.add_argument("--others-only", action="store_true", help="measure the other tools, not turnscope")
    parser.add_argument("--no-tshark", action="store_true")
    parser.add_argument("--no-growth", action="store_true", help="leave out the files twice as long")
    return parser.parse_args()


def build_turnscope(options):
    if options.others_only:
        return None
    cargo("build", "--release", "--bin", "turnscope")
    return str(target_directory() / "release" / "turnscope")


def cargo(*arguments):
    subprocess.run(["cargo", *arguments], cwd=ROOT, check=True)


def target_directory():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


# Captures

def generate(options, shape, size, flows=None):
    """The capture and its truth, made now or kept from an earlier run of the same generator."""
    sources = sorted((ROOT / "benches" / "generate").glob("*.rs"))
    version = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:8]
    name = f"{shape}-{size}-seed{options.seed}" + (f"-flows{flows}" if flows else "") + f"-{version}"
    file, truth = BENCH / f"{name}.{options.format}", BENCH / f"{name}.{options.format}.json"
    if not truth.exists():
        BENCH.mkdir(parents=True, exist_ok=True)
        if not options.generator:
            cargo("build", "--release", "--example", "generate")
            options.generator = str(target_directory() / "release" / "examples" / "generate")
        print(f"making {file.name}", file=sys.stderr)
        command = [options.generator, "--shape", shape, "--size", size, "--format", options.format, "--seed", options.seed]
        command += ["--flows", str(flows)] if flows else []
        made = subprocess.run([*command, "-o", file], check=True, stdout=subprocess.PIPE)
        truth.write_bytes(made.stdout)
    return str(file), json.loads(truth.read_text())


# Measuring

def yardsticks(file, turnscope):
    tools = [("cat", ["cat", file])]
    if turnscope:
        tools.append(("turnscope analyze", [turnscope, "analyze", file, "--format", "json"]))
        tools.append(("turnscope messages", [turnscope, "messages", file, "--format", "csv"]))
    if shutil.which("tcpdump"):
        tools.append(("tcpdump -w udp", ["tcpdump", "-r", file, "-w", "/dev/null", "udp"]))
    return tools


def run_rounds(tools, rounds):
    """Interleaved: every tool once, then again. {name: (median CPU s, largest peak MiB)}; None for a tool that failed,
    and for the peak of one that was too quick to be looked at."""
    table = {name: [] for name, _ in tools}
    for _ in range(rounds):
        for name, command in tools:
            table[name].append(run(command))
    return {name: summary(results) for name, results in table.items()}


def summary(results):
    if any(status not in (0, 1) for _, _, status in results):
        return None
    peaks = [peak for _, peak, _ in results if peak is not None]
    return statistics.median(cpu for cpu, _, _ in results), max(peaks, default=None)


def run(command):
    """CPU seconds, peak MiB and exit status; what it prints is thrown away."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watcher = PeakWatcher(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss
    # The kernel counts this interpreter, which the child was for a moment, into the child's maximum. Below that, what the watcher
    # saw is nearer to the truth.
    if peak <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.05:
        peak = watcher.finish()
    else:
        watcher.finish()
    return usage.ru_utime + usage.ru_stime, peak / 1024 if peak else None, process.returncode


class PeakWatcher(threading.Thread):
    """Reads a process's high-water mark until it has gone."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status, self.peak, self.ended = Path(f"/proc/{pid}/status"), 0, threading.Event()
        self.name_of_this = Path("/proc/self/comm").read_text().strip()
        self.start()

    def run(self):
        while not self.ended.wait(0.003):
            try:
                fields = dict(line.split(":", 1) for line in self.status.read_text().splitlines())
            except (FileNotFoundError, ProcessLookupError):
                return
            if "VmHWM" in fields and fields["Name"].strip() != self.name_of_this:
                self.peak = max(self.peak, int(fields["VmHWM"].split()[0]))

    def finish(self):
        self.ended.set()
        self.join()
        return self.peak


# Judging

def print_table(shape, size, table):
    cat = table["cat"]
    own = table.get("turnscope analyze")
    for name, result in table.items():
        if result is None:
            print(f"| {shape} | {size} | {name} | failed | | | |")
            continue
        cpu, peak = result
        against_own = f"{cpu / own[0]:.2f}" if own and own[0] else ""
        print(f"| {shape} | {size} | {name} | {cpu:.3f} | {cpu / max(cat[0], 1e-3):.2f} | {against_own} | {mebibytes(peak)} |")
    sys.stdout.flush()


def mebibytes(peak):
    return "?" if peak is None else f"{peak:.1f}"


def judge(shape, table):
    own = table.get("turnscope analyze")
    if not own:
        return []
    times, memory = GOALS[shape]
    ratio = own[0] / max(table["cat"][0], 1e-3)
    return [(f"{shape}: analyze against cat", f"{ratio:.2f} ×", f"≤ {times} ×", ratio <= times),
            (f"{shape}: peak memory", f"{mebibytes(own[1])} MiB", f"≤ {memory} MiB", (own[1] or 0) <= memory)]


def against_tshark(options, shape, turnscope):
    """On a smaller capture, since tshark takes minutes for a large one; both get the same."""
    file, _ = generate(options, shape, options.cut)
    fields = [part for field in TSHARK_FIELDS for part in ("-e", field)]
    tools = yardsticks(file, turnscope)
    tools.append(("tshark -Y stun -T fields", ["tshark", "-n", "-r", file, "-Y", "stun", "-T", "fields", *fields]))
    table = run_rounds(tools, options.tshark_rounds)
    print_table(shape, options.cut, table)
    tshark, goals = table["tshark -Y stun -T fields"], []
    for name in ("turnscope analyze", "turnscope messages"):
        if table.get(name) and tshark:
            ratio = tshark[0] / max(table[name][0], 1e-3)
            goals.append((f"{shape}: {name} against tshark", f"{ratio:.0f} × faster", f"≥ {TSHARK_GOAL} ×", ratio >= TSHARK_GOAL))
    return goals


def memory_growth(options, turnscope):
    """Twice the file with the same flows must not take more memory (5 % is noise)."""
    goals = []
    for shape, flows in (("media", 125), ("signalling", 22_000), ("mixed", 1_400)):
        if shape not in options.shapes:
            continue
        peaks = []
        for size in ("128MiB", "256MiB"):
            file, _ = generate(options, shape, size, flows)
            _, peak, status = run([turnscope, "analyze", file, "--format", "json"])
            if status not in (0, 1) or peak is None:
                break
            peaks.append(peak)
        if len(peaks) == 2:
            growth = 100 * (peaks[1] / peaks[0] - 1)
            goals.append((f"{shape}: memory, file twice as long", f"{peaks[0]:.1f} → {peaks[1]:.1f} MiB ({growth:+.0f} %)",
                          "≤ +5 %", growth <= 5))
    return goals


def check_counts(turnscope, shape, file, truth):
    """What differs between turnscope's counts and what is in the file."""
    done = subprocess.run([turnscope, "analyze", file, "--format", "json"], stdout=subprocess.PIPE)
    if done.returncode not in (0, 1):
        return [f"{shape}: analyze ended with status {done.returncode}"]
    try:
        report = json.loads(done.stdout)
    except ValueError as problem:
        return [f"{shape}: analyze did not print JSON ({problem})"]
    counts = report.get("counts", {})
    pairs = [
        ("frames", sum(capture.get("frames", 0) for capture in report.get("captures", [])), truth["packets"]),
        ("channel_data", counts.get("channel_data", 0), truth["channel_data"]),
    ]
    # A relay passes checks on: whether the copy behind it is the same transaction is a matter of view, so not in media.
    if shape != "media":
        pairs.append(("transactions", report.get("transactions", {}).get("total"), truth["transactions"]))
    for key in ("stun", "error_codes"):
        seen, expected = counts.get(key, {}), truth[key]
        for name in sorted(set(seen) | set(expected)):
            pairs.append((f"{key} {name}", seen.get(name, 0), expected.get(name, 0)))
    return [f"{shape}: {name}: {seen} counted, {expected} in the file" for name, seen, expected in pairs if seen != expected]


if __name__ == "__main__":
    started = time.monotonic()
    status = main()
    print(f"({time.monotonic() - started:.0f} s)", file=sys.stderr)
    sys.exit(status)
