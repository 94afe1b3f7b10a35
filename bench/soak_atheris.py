"""Sequences of commands that reach new branches of the chip, each answer judged: `soak_atheris.py [SECONDS]`.

Atheris (libFuzzer for Python) chooses the bytes: a kind of card, then commands, resets and power cuts. It begins with
conversations of lives as `soak_card` has them. What breaks a law is left in out/soak, and the program ends with other
than 0. Atheris is not among what this project needs: without it there is nothing to do here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

try:
    import atheris
except ImportError:
    print("soak_atheris: nothing done, atheris is not installed")
    sys.exit(0)

HOME = Path(__file__).parents[1]
sys.path[0] = str(HOME / "tests")  # in place of bench, whose card.py would hide the package of that name

with atheris.instrument_imports(include=["kaguan.card_os", "kaguan.emulator", "kaguan.vault.messaging"]):
    from properties.judge import Judge
    from properties.life import Life
    from properties.population import cards

SECONDS = 120
LEFT = HOME / "out" / "soak"
SEEDS = 200
RESET, TEAR, LONG = 0xFF, 0xFE, 0xFD
"""In place of a command's length: a reset; a number of writes after which the power fails, and a command; a length of
two bytes."""

LONGEST_INPUT = 8_192
KINDS = sorted(cards())


def _luck() -> Random:
    return Random(0)


def judged(data: bytes) -> None:
    """Return when the judge finds nothing in what these bytes say."""
    if not data:
        return
    judge = Judge(cards()[KINDS[data[0] % len(KINDS)]](), _luck().randbytes)
    place = 1
    while place < len(data):
        length, cut = data[place], None
        place += 1
        if length == RESET:
            judge.reset()
            continue
        if length == TEAR:
            cut, length = (
                data[place] & 0x07 if place < len(data) else 0,
                data[place + 1] if place + 1 < len(data) else 0,
            )
            place += 2
        elif length == LONG:
            length = int.from_bytes(data[place : place + 2], "big")
            place += 2
        command = data[place : place + length]
        place += length
        if cut is None:
            judge.transceive(command)
        else:
            judge.torn(command, cut)


def seed(number: int) -> bytes:
    """What a well-meaning life says, as such bytes; its codes are right, for the card's luck is the same."""
    random = Random(number)
    at = random.randrange(len(KINDS))
    life = Life(random, KINDS[at], luck=_luck().randbytes, commands=40, as_delivered=True)
    life.live()
    said = bytes((at,))
    for line in life.judge.told:
        if line == ".reset":
            said += bytes((RESET,))
        elif not line.startswith("#"):
            command = bytes.fromhex(line.partition(" ")[0])
            said += (
                bytes((len(command),)) if len(command) < LONG else bytes((LONG, *len(command).to_bytes(2, "big")[-2:]))
            )
            said += command
    return said


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    corpus = LEFT / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number in range(SEEDS):
        said = seed(number)
        if len(said) <= LONGEST_INPUT:
            (corpus / f"life-{number}").write_bytes(said)
    options = (
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        f"-artifact_prefix={LEFT}/",
        "-print_final_stats=1",
        "-verbosity=0",
    )
    atheris.Setup([sys.argv[0], str(corpus), *options], judged)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
