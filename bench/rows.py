"""Every command of every profile, one at a time: the rate of each row of the instruction table that a profile serves.

`card.py` measures conversations on each profile's own cards. Here are the rows behind them, the rare ones too, each
played once on cards that stand right before it: the tests' card of that family, under the settings of the profile.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS, Stage
from kaguan.card_os import dispatch
from kaguan.card_os.profile import FREE, load_profile
from kaguan.card_os.session import Session
from kaguan.emulator.card import EmulatedCard
from measure import Work, best_rates
from scenes import BANKING, SOCIAL

sys.path[0] = str(Path(__file__).parents[1] / "tests")  # in place of bench, whose card.py would hide the package

from card import matrix, natives, test_native_every_command  # noqa: E402
from card.scene import Scene  # noqa: E402

MANY = 20
TURNS = 25
FAMILIES = (
    dict.fromkeys(SOCIAL, "social") | dict.fromkeys(BANKING, "purse") | {"fmcos-blank": "native", "psam": "module"}
)
DONE = (0x90, 0x61)

NEVER_DONE = {"GET DATA": 0x6A88, "GET DATA (odd)": 0x6A88}
"""A card refuses these whatever they ask for. A module has no PIN and no keys of a holder's, so that there it is the
same with four more. What is measured is the refusal."""

OF_A_HOLDER = {"VERIFY": 0x6A88, "CHANGE PIN": 0x6A88, "INTERNAL AUTHENTICATE": 0x6A88, "EXTERNAL AUTHENTICATE": 0x6A88}


class Row(NamedTuple):
    """A command that the profile serves, and a card right before it."""

    name: str
    scene: Scene
    refused: int | None = None

    def cards(self, session: Session) -> list[EmulatedCard]:
        """So many cards, none of which has heard of the others."""
        made = []
        for _ in range(MANY):
            card = EmulatedCard(self.scene.image, random=bytes)
            card._session = session
            made.append(card)
        return made


def rows_of(profile: str) -> tuple[list[Row], list[str]]:
    """The rows that the profile serves, and the names of those for which there is no scene."""
    commands = load_profile(profile).behaviour.commands
    served = [row for row in (*INSTRUCTIONS, GET_RESPONSE) if row.sets & commands]
    found, missing = [], []
    for row in served:
        refused = (NEVER_DONE | (OF_A_HOLDER if profile == "psam" else {})).get(row.name)
        scenes = _scenes(profile, row.name, in_use=Stage.OPERATIONAL in row.stages)
        scene = next((one for one, sw in scenes if (sw >> 8 in DONE if refused is None else sw == refused)), None)
        if scene is None:
            missing.append(row.name)
        else:
            found.append(Row(row.name, scene, refused))
    return found, missing


def _scenes(profile: str, name: str, *, in_use: bool) -> Iterator[tuple[Scene, int]]:
    """Ways to give the command, everything shown that there is to show, and what each comes to."""
    for card in _cards(FAMILIES[profile] if in_use else "social, unsealed", profile):
        shown = max(card.shown, key=len)
        for stage in card.stages:
            for place in card.places:
                scene = matrix.staged(matrix.Cell(name, card.name, stage, place, shown), card)
                yield scene, scene.outcome().sw


@cache
def _cards(name: str, profile: str) -> list[matrix.Card]:
    """The tests' cards of that family, under the settings of this profile."""
    family = next(card for card in matrix.all_cards() if card.name == name)
    images = [family.image]
    if name == "native":
        built = test_native_every_command.loaded().card.image
        composite = natives.ADF + b"\x00\x17"
        record = built.files[composite]._replace(records=(b"\x01\x2e" + bytes(46),))  # of the tag that the tests bring
        images.append(built._replace(files={**family.image.files, **built.files, composite: record}))
    if name == "module":  # what only its issuer writes, here anybody does
        files = {at: file._replace(update=FREE) for at, file in family.image.files.items()}
        images = [family.image._replace(files=files)]
    behaviour = load_profile(profile).behaviour
    return [family._replace(image=image._replace(profile=profile), behaviour=behaviour) for image in images]


def rates(row: Row, idle: dispatch.Tables) -> tuple[float, float]:
    """The command a second, and its dispatch alone."""
    raw = bytes(row.scene.sent())

    def acting() -> Callable[[], object]:
        cards = row.cards(row.scene.session)
        return lambda: [card.transceive(raw) for card in cards]

    def idling() -> Callable[[], object]:
        run = acting()

        def idled() -> None:
            with patch.object(dispatch, "TABLES", idle):
                run()

        return idled

    acted, idled = best_rates([Work(acting, MANY), Work(idling, MANY)], turns=TURNS)
    return acted, idled


def show(profile: str, idle: dispatch.Tables) -> None:
    """Measure and print every row; one that has no scene is an error."""
    rows, missing = rows_of(profile)
    assert not missing, f"{profile} serves what nothing here measures: {', '.join(missing)}"
    for row in rows:
        rate, dispatched = rates(row, idle)
        word = "" if row.refused is None else f"  refused, {row.refused:04X}"
        print(f"  {row.name:<42}{rate:>10,.0f}{dispatched:>12,.0f}{rate / dispatched:>7.0%}{word}")
