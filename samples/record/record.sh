#!/bin/sh
# Records samples again, with real software in network namespaces that the scripts make and remove themselves.
#
#   record.sh list                 the names of the cases
#   record.sh CASE... | all        record these (as root)
#   record.sh check [CASE...]      check that the captures that are there show what they should (no root needed)
#   record.sh table                the table of ../README.md
#
# Debian 12 packages: python3 coturn tshark tcpdump iproute2 nftables iptables ethtool procps; for the pion cases also golang-go
# golang-github-pion-turn.v2-dev. The aiortc cases need a Python that can import aiortc (a virtual environment with
# `pip install aiortc`); name it in RECORD_PYTHON. The two Expressway cases need nothing but python3.
#
# Recording again gives the same story with other ids, ports, nonces and times; only the rebuilt cases are the same byte for byte.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
export PATH
exec python3 "$here/record.py" "$@"
