"""A trace as a capture file that stock tshark and Wireshark read: GSMTAP in UDP in IPv4, one packet an exchange.

The file is classic pcap with raw IP packets (link type 101). A packet holds a command and its response, one after the
other. Hidden bytes are zeros. Resets have no packet, because the dissector would read an ATR as a command; nor has
what got no answer.
Source: libpcap's file format; GSMTAP version 2, type 4 (SIM).
"""

from __future__ import annotations

import struct
from typing import Final

from kaguan.apdu.trace.event import EventKind, TraceEvent

GSMTAP_PORT: Final = 4729
LINK_TYPE_RAW: Final = 101

_FILE = struct.Struct("<IHHiIII")
_PACKET = struct.Struct("<IIII")
_IP = struct.Struct(">BBHHHBBHII")
_UDP = struct.Struct(">HHHH")
_GSMTAP = struct.Struct(">BBBBHBBIBBBB")

_MAGIC, _LONGEST = 0xA1B2C3D4, 0xFFFF
_LOOPBACK = 0x7F000001
_DON_T_FRAGMENT, _TIME_TO_LIVE, _PROTOCOL_UDP = 0x4000, 64, 17
_TYPE_SIM = 4
_STATUS_SIZE = 2
_SECOND_US = 1_000_000

MOST_BYTES: Final = _LONGEST - _IP.size - _UDP.size - _GSMTAP.size
"""Of a longer exchange the packet has so many bytes: an IPv4 packet holds no more."""


def capture_header() -> bytes:
    """What a capture file begins with."""
    return _FILE.pack(_MAGIC, 2, 4, 0, 0, _LONGEST, LINK_TYPE_RAW)


def gsmtap_packet(event: TraceEvent) -> bytes:
    """The event's packet with its header in the file; nothing for events that no packet shows."""
    if event.kind is not EventKind.EXCHANGE or len(event.response.value) < _STATUS_SIZE:
        return b""
    content = (event.command.value + event.response.value)[:MOST_BYTES]
    gsmtap = _GSMTAP.pack(2, _GSMTAP.size // 4, _TYPE_SIM, event.card & 0xFF, 0, 0, 0, 0, 0, 0, 0, 0) + content
    udp = _UDP.pack(GSMTAP_PORT, GSMTAP_PORT, _UDP.size + len(gsmtap), 0) + gsmtap
    packet = _addressed(len(udp)) + udp
    return _PACKET.pack(*divmod(event.at_us, _SECOND_US), len(packet), len(packet)) + packet


def _addressed(size: int) -> bytes:
    """The IPv4 header, from loopback to loopback, with its checksum."""
    parts = [0x45, 0, _IP.size + size, 0, _DON_T_FRAGMENT, _TIME_TO_LIVE, _PROTOCOL_UDP, 0, _LOOPBACK, _LOOPBACK]
    total = sum(struct.unpack(">10H", _IP.pack(*parts)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    parts[7] = ~total & 0xFFFF
    return _IP.pack(*parts)
