"""A program that is killed while it does one step with a card: `struck.py DATABASE CARD STEP ID HEARD`.

The kill is SIGKILL of its own, before or after the chip has heard the command by which it does the step.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from uuid import UUID

from kaguan.apdu.chaining import Layer
from kaguan.cms.store import open_store


class Striking(Layer):
    """A wire at whose end the program dies."""

    def __init__(self, link, instruction: int, *, heard: bool) -> None:
        super().__init__(link)
        self.instruction, self.heard = instruction, heard

    def transceive(self, command):
        if command[1] != self.instruction:
            return self.link.transceive(command)
        if self.heard:
            self.link.transceive(command)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process goes on")


def strike(database: str, card_file: Path, name: str, request_id: UUID, *, heard: bool) -> None:
    """The step, up to its end."""
    open_store(database)
    from cms.chip_steps import STEPS  # noqa: PLC0415 - Django has to be ready
    from cms.counter import Counter  # noqa: PLC0415 - Django has to be ready
    from cms.town import town_again  # noqa: PLC0415 - Django has to be ready
    from kaguan.emulator.imagefile import FileCard  # noqa: PLC0415 - Django has to be ready

    step = STEPS[name]
    with FileCard(card_file) as card:
        step.act(Counter(town_again()), Striking(card, step.instruction, heard=heard), request_id)


if __name__ == "__main__":
    strike(sys.argv[1], Path(sys.argv[2]), sys.argv[3], UUID(sys.argv[4]), heard=sys.argv[5] == "heard")
