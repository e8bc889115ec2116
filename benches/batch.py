#!/usr/bin/env python3
"""Many small captures: a batch beside reading the files, and beside tshark once a file.

    benches/batch.py [--count 10000] [--size 50KiB] [--rounds 3] [--tshark 20] [--keep]

Captures are made in target/bench/batch by the generator. CPU seconds are those of the processes, user and system together; tshark is run on as
many files as asked for, and its time carried over to all. Memory is the largest resident set.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target/release"


def run(command, **options):
    """Wall and CPU seconds, and the largest resident set in MiB."""
    begun = time.monotonic()
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - begun
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        sys.exit(f"{command[0]} ended with {code}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def read_all(paths):
    """What it costs to open and read each file, within one process."""
    before, begun = os.times(), time.monotonic()
    room = bytearray(1 << 20)
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        while os.readv(file, [room]):
            pass
        os.close(file)
    after = os.times()
    return time.monotonic() - begun, after.user + after.system - before.user - before.system, 0.0


def median(rounds):
    return [statistics.median(column) for column in zip(*rounds)]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--size", default="50KiB")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--tshark", type=int, default=20, help="files that tshark reads; 0 for none")
    options.add_argument("--keep", action="store_true", help="keep the results of the last batch")
    chosen = options.parse_args()
    folder = ROOT / "target/bench/batch"
    captures, out = folder / f"{chosen.count}-{chosen.size}", folder / "out"
    if not captures.exists():
        part = captures.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        subprocess.run([RELEASE / "examples/generate", "--files", str(chosen.count), "--size", chosen.size, "-o", part], check=True)
        part.rename(captures)
    paths = sorted(captures.iterdir())
    total = sum(path.stat().st_size for path in paths)
    print(f"{len(paths)} captures, {total / 1e6:.0f} MB, {os.cpu_count()} cores")
    rows = {name: [] for name in ("read", "one thread", "all cores", "resume")}
    for _ in range(chosen.rounds):
        rows["read"].append(read_all(paths))
        for name, more in (("one thread", ["--jobs", "1"]), ("all cores", []), ("resume", ["--resume"])):
            if name != "resume" and out.exists():
                shutil.rmtree(out)
                # ext4 searches long for a place that was not in use within the last seconds
                os.sync()
                time.sleep(6)
            rows[name].append(run([RELEASE / "turnscope", "batch", captures, "--out", out, "--quiet", *more]))
    reading = median(rows["read"])
    for name, rounds in rows.items():
        wall, cpu, memory = median(rounds)
        print(f"{name:10}  {wall:7.2f} s wall  {cpu:7.2f} s CPU  {cpu / reading[1]:5.1f} x reading  {memory:6.0f} MiB")
    print(f"all cores against one thread: {median(rows['one thread'])[0] / median(rows['all cores'])[0]:.2f} x")
    if chosen.tshark and shutil.which("tshark"):
        step = max(1, len(paths) // chosen.tshark)
        sample = paths[::step][: chosen.tshark]
        cpu = sum(run(["tshark", "-r", path, "-q", "-z", "conv,udp"])[1] for path in sample)
        whole = cpu / len(sample) * len(paths)
        print(f"tshark, once a file: {cpu / len(sample):.2f} s CPU each, {whole:.0f} s for all (from {len(sample)} files): "
              f"{whole / median(rows['all cores'])[1]:.0f} x")
    if not chosen.keep:
        shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()
