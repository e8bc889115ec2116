#!/usr/bin/env bash
# Makes the Debian package in target/debian: the release build, and what it prints of itself as manual page and completions.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --bin turnscope
mkdir -p target/package
target/release/turnscope man >target/package/turnscope.1
target/release/turnscope completions bash >target/package/turnscope.bash
target/release/turnscope completions zsh >target/package/_turnscope
target/release/turnscope completions fish >target/package/turnscope.fish
cargo deb --no-build --no-strip "$@"
