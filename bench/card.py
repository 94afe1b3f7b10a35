"""Commands per second in process, of every profile's cards, beside two floors measured in the same run.

`dispatch` is the same commands on the same card with handlers that do nothing: parse, look up, an empty outcome.
`crypto` is what the card has to work out for them, with the same cipher objects and nothing around it. First come
conversations on the profile's own cards, then every row of the instruction table that the profile serves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from unittest.mock import patch

from kaguan.apdu.command import CommandApdu
from kaguan.card_os import dispatch
from kaguan.card_os.outcome import Outcome, View
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from measure import Work, best_rates
from rows import show
from scenes import BANKING, SOCIAL, Scene, accepted, scenes_of

PROFILES = (*SOCIAL, *BANKING, "fmcos-blank", "psam")


def nothing(view: View, command: CommandApdu) -> Outcome:
    """A handler that thinks of nothing."""
    return Outcome(b"", 0x9000, view.session)


def idle_tables(name: str) -> dispatch.Tables:
    """The profile's table of commands with a handler for all of them that does nothing."""
    with patch.dict(dispatch.HANDLERS, dict.fromkeys(dispatch.HANDLERS, nothing)):
        tables = dispatch.Tables()
        assert tables[load_profile(name).behaviour.commands].plain
    return tables


def play(card: EmulatedCard, scene: Scene) -> None:
    """Every command of the scene has been sent."""
    transceive = card.transceive
    for commands in scene.commands:
        for command in commands:
            transceive(command)


def rates(scene: Scene, idle: dispatch.Tables) -> tuple[float, float, float | None]:
    """The scene a second, the dispatch of its commands, and their crypto where there is any."""

    def acting() -> Callable[[], object]:
        card = scene.opened()
        return lambda: play(card, scene)

    def idling() -> Callable[[], object]:
        card = scene.opened()

        def run() -> None:
            with patch.object(dispatch, "TABLES", idle):
                play(card, scene)

        return run

    def computing() -> Callable[[], object]:
        return lambda: [crypto() for _ in scene.commands] if (crypto := scene.crypto) else None

    card = scene.opened()
    for commands in scene.commands:
        for command in commands:
            accepted(card, command)
    count = len(scene.commands)
    works = [Work(acting, count), Work(idling, count)] + ([Work(computing, count)] if scene.crypto else [])
    found = best_rates(works)
    return found[0], found[1], found[2] if scene.crypto else None


def verdict(share: float, aim: float | None) -> str:
    """What of an aim was reached, when there is one."""
    return "" if aim is None else f"  aim {aim:.0%}: {'met' if share >= aim else 'MISSED'}"


def main(profiles: tuple[str, ...]) -> None:
    """Measure and print."""
    print(f"{'':<44}{'a second':>10}{'dispatch':>12}{'of it':>7}{'crypto':>12}{'of it':>7}")
    for name in profiles:
        print(name)
        idle = idle_tables(name)
        for scene in scenes_of(name):
            rate, dispatched, crypto = rates(scene, idle)
            line = f"  {scene.name:<42}{rate:>10,.0f}{dispatched:>12,.0f}{rate / dispatched:>7.0%}"
            if crypto:
                line += f"{crypto:>12,.0f}{rate / crypto:>7.0%}{verdict(rate / crypto, scene.crypto_aim)}"
            print(line + verdict(rate / dispatched, scene.dispatch_aim))
        print("  each command by itself")
        show(name, idle)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or PROFILES)
