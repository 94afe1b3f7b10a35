"""Every command of the bank's purse that writes, each on a card that is ready for it."""

from __future__ import annotations

from collections.abc import Callable

from card.bank_teller import (
    AMOUNT_FEN,
    Teller,
    block_application,
    block_card,
    challenged,
    direct_authentication,
    pin_reload,
    pin_unblock,
    unblock_application,
)
from card.banks import ADF, SELECT, VERIFY, rich
from card.cards import Terminal
from kaguan.card_os.image import CardImage, Lifecycle
from properties.scenes import Scene

Ready = Callable[[Terminal], str | bytes]

TRANSACTIONS = ("load", "purchase", "cash", "unload", "overdraft", "composite")


def _transaction(name: str) -> Ready:
    def ready(terminal: Terminal) -> str:
        terminal.go(SELECT, VERIFY)
        return Teller(terminal).last_step(name, AMOUNT_FEN)

    return ready


def _script(command: Callable[[bytes], str], *, wrong: bool = False) -> Ready:
    """An issuer's command with a right MAC, or with its last digit another."""

    def ready(terminal: Terminal) -> str:
        terminal.send(SELECT)
        made = command(challenged(terminal))
        return made[:-1] + f"{int(made[-1], 16) ^ 1:X}" if wrong else made

    return ready


def _lasting(label: str) -> Callable[[], CardImage]:
    """The card with one try left of this key."""

    def made() -> CardImage:
        image = rich()
        keys = {
            at: tuple(key._replace(tries_left=1) if key.usage == label else key for key in versions)
            for at, versions in image.keys.items()
        }
        return image._replace(keys=keys)

    return made


def _blocked() -> CardImage:
    image = rich()
    ended = image.dedicated[ADF]._replace(lifecycle=Lifecycle.DEACTIVATED)
    return image._replace(dedicated={**image.dedicated, ADF: ended})


def _pair(name: str, image: Callable[[], CardImage], command: Callable[[bytes], str], usage: str) -> tuple[Scene, ...]:
    def lasting() -> CardImage:
        tired, plain = _lasting(usage)(), image()
        return plain._replace(keys=tired.keys)

    return (
        Scene(f"{name} right", image, _script(command)),
        Scene(f"{name} wrong", image, _script(command, wrong=True)),
        Scene(f"{name} at last right", lasting, _script(command)),
        Scene(f"{name} at last wrong", lasting, _script(command, wrong=True)),
    )


ISSUER_SCENES = (
    *_pair("RELOAD PIN", rich, pin_reload, "pin-reload"),
    *_pair("PIN UNBLOCK", rich, pin_unblock, "pin-unblock"),
    *_pair("APPLICATION BLOCK", rich, block_application, "application-maintenance"),
    *_pair("APPLICATION UNBLOCK", _blocked, unblock_application, "application-maintenance"),
    *_pair("CARD BLOCK", rich, block_card, "application-maintenance"),
)

AUTHENTICATION_SCENES = (
    Scene("EXTERNAL AUTHENTICATE right", rich, _script(direct_authentication)),
    Scene("EXTERNAL AUTHENTICATE wrong", rich, _script(direct_authentication, wrong=True)),
    Scene("VERIFY right", rich, lambda terminal: _selected(terminal, VERIFY)),
    Scene("VERIFY wrong", rich, lambda terminal: _selected(terminal, "0020000003654321")),
    Scene("CHANGE PIN right", rich, lambda terminal: _selected(terminal, "805E010007123456FF654321")),
    Scene("CHANGE PIN wrong", rich, lambda terminal: _selected(terminal, "805E010007000000FF654321")),
)


def _selected(terminal: Terminal, command: str) -> str:
    terminal.send(SELECT)
    return command


TRANSACTION_SCENES = tuple(Scene(name, rich, _transaction(name)) for name in TRANSACTIONS)

BANK_SCENES = (*TRANSACTION_SCENES, *ISSUER_SCENES, *AUTHENTICATION_SCENES)


def bank_scene(name: str) -> Scene:
    """The scene of that name."""
    return next(one for one in BANK_SCENES if one.name == name)
