#!/usr/bin/env bash
# Makes the Debian package in target/debian: the release build, and what it prints of itself as manual page and completions.
# Needs Debian or Ubuntu with Rust, a C compiler, cargo-deb (`cargo install cargo-deb`) and dpkg-shlibdeps (package dpkg-dev).
set -euo pipefail
cd "$(dirname "$0")/.."
cargo deb --version >/dev/null 2>&1 || { echo "cargo-deb is not there: cargo install cargo-deb" >&2; exit 1; }
for program in cc dpkg-shlibdeps; do
  command -v "$program" >/dev/null || { echo "$program is not there: apt-get install gcc dpkg-dev" >&2; exit 1; }
done
cargo build --release --locked --bin turnscope
mkdir -p target/package
target/release/turnscope man >target/package/turnscope.1
target/release/turnscope completions bash >target/package/turnscope.bash
target/release/turnscope completions zsh >target/package/_turnscope
target/release/turnscope completions fish >target/package/turnscope.fish
cargo deb --no-build --no-strip "$@"
