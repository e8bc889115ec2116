"""Leaves the recording machine out of a pcapng file: its processor and kernel stand in the section and interface blocks."""

import struct

SECTION_HEADER, INTERFACE = 0x0A0D0D0A, 1
# The block's fixed part after its first eight bytes, and its options that name hardware and operating system.
TIDIED = {SECTION_HEADER: (16, (2, 3)), INTERFACE: (8, (12, 15))}


def tidy(data):
    """The same file without those options (little-endian files only; anything else is given back as it is)."""
    if len(data) < 28 or struct.unpack("<I", data[:4])[0] != SECTION_HEADER or data[8:12] != b"\x4d\x3c\x2b\x1a":
        return data
    tidied, position = [], 0
    while position + 12 <= len(data):
        kind, length = struct.unpack("<II", data[position:position + 8])
        block = data[position:position + length]
        tidied.append(without(block, *TIDIED[kind]) if kind in TIDIED else block)
        position += length
    return b"".join(tidied)


def without(block, fixed, unwanted):
    """One block without some of its options."""
    kept, position = block[8:8 + fixed], 8 + fixed
    while position + 4 <= len(block) - 4:
        code, size = struct.unpack("<HH", block[position:position + 4])
        end = position + 4 + size + (-size % 4)
        if code not in unwanted:
            kept += block[position:end]
        position = end
    length = struct.pack("<I", 8 + len(kept) + 4)
    return block[:4] + length + kept + length
