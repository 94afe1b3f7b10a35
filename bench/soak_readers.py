"""Eight readers busy at once, each with a card and a program of its own: every answer right, for so many seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.readers.service import SOCKET_VARIABLE, private_service
from kaguan.emulator.vpcd import InsertedCard
from kaguan.personalization.specimen import specimen_card

READERS = 8
SECONDS = 60

PROGRAM = """
import sys, time
from contextlib import closing
from kaguan.terminal.pcsc import open_reader, wait_for_card

reader, seconds, serial = sys.argv[1], float(sys.argv[2]), bytes.fromhex(sys.argv[3])
assert wait_for_card(reader, timeout_seconds=30)
rounds, end = 0, time.monotonic() + seconds
with closing(open_reader(reader)) as link:
    while time.monotonic() < end:
        assert link.reset().endswith(serial)
        for _ in range(20):
            assert link.transceive(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")) == b"\\x61\\x18"
            assert link.transceive(bytes.fromhex("00C0000018"))[-2:] == b"\\x90\\x00"
            assert link.transceive(bytes.fromhex("0020000003123456")) == b"\\x90\\x00"
            assert link.transceive(bytes.fromhex("00A4000002EF05")) == b"\\x90\\x00"
            assert link.transceive(bytes.fromhex("00B207000B"))[-2:] == b"\\x90\\x00"
            assert len(link.transceive(bytes.fromhex("0084000008"))) == 10
            rounds += 6
print(rounds)
"""


def main() -> None:
    """Keep all readers busy and print how much they did; end with 1 when one failed."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    profile = load_profile("ssc-v2")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        service = stack.enter_context(private_service(folder, READERS))
        programs = []
        for number, (name, port) in enumerate(zip(service.names, service.ports, strict=True)):
            serial = bytes((38, 17, 1, 1, 1, number))
            stack.enter_context(InsertedCard(EmulatedCard(specimen_card(profile, serial=serial).image), port=port))
            words = [sys.executable, "-c", PROGRAM, name, str(seconds), serial.hex()]
            environment = os.environ | {SOCKET_VARIABLE: str(service.socket)}
            programs.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment))
        commands = [int(program.communicate()[0] or 0) for program in programs]
    failed = sum(program.returncode != 0 for program in programs)
    print(f"{READERS} readers, {seconds:g} s: {sum(commands):,} commands, {failed} programs failed")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
