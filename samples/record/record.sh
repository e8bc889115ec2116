#!/bin/sh
# Records samples again, with real software in network namespaces that the scripts make and remove themselves.
#
#   record.sh list                 the names of the cases
#   record.sh CASE... | all        record these (as root)
#   record.sh check [CASE...]      check that the captures that are there show what they should (no root needed)
#   record.sh table                write the table of ../README.md
#
# Debian 12 packages: python3 coturn tshark tcpdump iproute2 nftables ethtool procps openssl. For the pion cases also golang-go and
# golang-github-pion-turn.v2-dev; for the browser cases chromium. The cases with aiortc (all WebRTC calls) need a Python that can
# import it: make a virtual environment, `pip install aiortc` there, and name its python in RECORD_PYTHON. libnice-ice-tcp needs
# what gst_agent.py names, libdatachannel-wrong-password the npm package node-datachannel in a folder that NODE_PATH names. The cases that are
# rebuilt frame by frame need python3 only, and tshark for the check.
#
# Recording again gives the same story with other ids, ports, nonces and times; only the rebuilt cases are the same byte for byte.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
export PATH
exec python3 "$here/record.py" "$@"
