"""What must never be seen: the keys and PINs that a card holds, in answers, traces and reprs."""

from __future__ import annotations

from kaguan.card_os.image import CardImage

WINDOW = 8
LEAST_DIFFERENT_BYTES = 5
"""A window with fewer is no key that could be told from text, zeros or erased memory."""

SHORTEST_PIN = 5


def windows(key: bytes) -> set[bytes]:
    """Every run of 8 bytes in the key that is nothing by chance."""
    runs = (key[start : start + WINDOW] for start in range(len(key) - WINDOW + 1))
    return {run for run in runs if len(set(run)) >= LEAST_DIFFERENT_BYTES}


class Secrets:
    """The keys and PINs of a card as it is now. What a terminal has told itself, in a command that is not secret, is
    none any more."""

    def __init__(self, image: CardImage) -> None:
        self._told: set[bytes] = set()
        self._values: frozenset[bytes] = frozenset()
        self._windows: frozenset[bytes] = frozenset()
        self._pins: list[bytes] = []
        self.follow(image)

    def follow(self, image: CardImage) -> None:
        """The secrets are those of this memory."""
        keys = frozenset(key.value for versions in image.keys.values() for key in versions)
        pins = frozenset(pin.value for pin in image.pins.values())
        values = keys | pins
        if values == self._values:
            return
        self._values = values
        self._windows = frozenset(run for key in keys for run in windows(key)) - self._told
        self._pins = [pin for pin in pins if len(pin) >= SHORTEST_PIN and len(set(pin)) >= SHORTEST_PIN]

    def forget_told(self, command: bytes) -> None:
        """What this command tells is no secret."""
        if len(command) < SHORTEST_PIN + 4:
            return
        told = self._in(command)
        if told:
            self._told |= told
            self._windows -= told
            self._pins = [pin for pin in self._pins if pin not in command]

    def told_in(self, answer: bytes) -> bool:
        """Whether the answer has a key's window or a PIN in it."""
        return len(answer) >= SHORTEST_PIN and bool(self._in(answer))

    def shown_in(self, text: str) -> bool:
        """Whether the text has one, in hex of either case or as Python writes bytes."""
        if any(run.hex() in text.lower() for run in (*self._windows, *self._pins)):
            return True
        return any(repr(run)[2:-1] in text for run in (*self._windows, *self._pins))

    def _in(self, raw: bytes) -> set[bytes]:
        found = {pin for pin in self._pins if pin in raw}
        if len(raw) >= WINDOW and self._windows:
            found |= {raw[start : start + WINDOW] for start in range(len(raw) - WINDOW + 1)} & self._windows
        return found
