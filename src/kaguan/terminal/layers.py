"""What lies between a conversation and its card."""

from __future__ import annotations

from kaguan.apdu.chaining import GetResponse, Layer, RightLe, T0Shape
from kaguan.apdu.link import Link
from kaguan.terminal.pcsc import PcscLink, TransmissionProtocol


def for_conversation(link: Link) -> Link:
    """A link on which every command gets its whole answer, whatever the wire below.

    Only a reader that speaks T=0 has to be spared commands with data both ways; an emulated card takes both shapes,
    and on T=1 a command without Le would get no data at all.
    """
    wire = link
    while isinstance(wire, Layer):
        wire = wire.link
    split = isinstance(wire, PcscLink) and wire.protocol is TransmissionProtocol.T0
    return GetResponse(RightLe(T0Shape(link) if split else link))
