"""Leaves the recording machine out of a pcapng file: its processor and kernel stand in the first block."""

import struct

SECTION_HEADER = 0x0A0D0D0A
HARDWARE, SYSTEM = 2, 3


def tidy(data):
    """The same file without the section header's hardware and operating system options (little-endian files only)."""
    if len(data) < 28 or struct.unpack("<I", data[:4])[0] != SECTION_HEADER or data[8:12] != b"\x4d\x3c\x2b\x1a":
        return data
    total = struct.unpack("<I", data[4:8])[0]
    kept, position = b"", 24
    while position + 4 <= total - 4:
        code, size = struct.unpack("<HH", data[position:position + 4])
        end = position + 4 + size + (-size % 4)
        if code not in (HARDWARE, SYSTEM):
            kept += data[position:end]
        position = end
    length = struct.pack("<I", 24 + len(kept) + 4)
    return data[:4] + length + data[8:24] + kept + length + data[total:]
