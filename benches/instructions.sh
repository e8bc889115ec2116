#!/bin/sh
# Instructions per packet of `turnscope analyze`, by callgrind: the figure that noise on the machine does not touch. It includes
# start-up and the report. Cuts of 50,000 packets, since valgrind runs some fifty times slower.
#
#     benches/instructions.sh [BINARY]
set -eu
cd "$(dirname "$0")/.."
packets=50000
target="${CARGO_TARGET_DIR:-target}"
if [ $# -gt 0 ]; then
    binary="$1"
else
    cargo build --quiet --release --bin turnscope
    binary="$target/release/turnscope"
fi
if [ -z "${GENERATOR:-}" ]; then
    cargo build --quiet --release --example generate
    GENERATOR="$target/release/examples/generate"
fi
mkdir -p target/bench
echo "| shape | instructions per packet |"
echo "|---|---|"
for shape in media signalling mixed; do
    # The start of a large signalling capture is all logins: a small one has whole stays.
    size=1GiB
    [ "$shape" = signalling ] && size=8MiB
    file="target/bench/$shape-$packets-packets.pcapng"
    "$GENERATOR" --shape "$shape" --size "$size" --packets "$packets" --format pcapng -o "$file" >"$file.json"
    log="target/bench/$shape-callgrind.log"
    status=0
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$log" \
        "$binary" analyze "$file" --format json >/dev/null || status=$?
    # 1 means that the capture holds a failure.
    if [ "$status" -gt 1 ]; then
        echo "| $shape | analyze ended with status $status |"
        continue
    fi
    total=$(sed -n 's/.*Collected : *\([0-9]*\).*/\1/p' "$log")
    echo "| $shape | $((total / packets)) |"
done
