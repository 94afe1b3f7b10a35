"""Emulated cards where other programs look for cards: in virtual PC/SC readers, or on a TCP port.

`VirtualReader` is one of them, `private_service` a pcscd of one's own with as many as one likes; `control` lets other
processes put cards in and take them out.
"""

from kaguan.emulator.readers.reader import State, VirtualReader
from kaguan.emulator.readers.service import Service, ServiceMissing, private_service

__all__ = ["Service", "ServiceMissing", "State", "VirtualReader", "private_service"]
