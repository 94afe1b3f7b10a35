"""What every command answers in every state of a card: in each stage of its life, to each who shows something, with
each kind of file current. The answers are the chip's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from card import banks, cards, modules, natives
from card.cards import a_file
from card.order_makers import unsealed
from card.orders import ORDERS
from card.scene import Scene, p1
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS
from kaguan.card_os.access import CARD_CODE
from kaguan.card_os.image import Address, CardImage, Lifecycle, Messaging, Proof, Protection
from kaguan.card_os.profile import FREE, NEVER, FileKind
from kaguan.card_os.profile.model import Authentication, Behaviour
from kaguan.card_os.profile.rules import DF_STATE, PIN_RIGHT, AccessRule
from kaguan.card_os.session import TRANSPORT_RIGHT, earned, start_of

RECORD = bytes.fromhex("0702AABB")
KINDS = {
    "transparent": (b"\x00\x1a", a_file(FileKind.TRANSPARENT, content=bytes(16))),
    "fixed records": (b"\x00\x1b", a_file(FileKind.LINEAR_FIXED, size=4, record_size=4, records=(RECORD,) * 2)),
    "variable records": (b"\x00\x1c", a_file(FileKind.LINEAR_VARIABLE, size=40, records=(RECORD,) * 2)),
    "cyclic": (b"\x00\x1d", a_file(FileKind.CYCLIC, size=4, record_size=4, records=(RECORD,) * 2)),
}
GUARDED = {"transparent, MAC": (b"\x00\x13", "transparent"), "variable records, MAC": (b"\x00\x14", "variable records")}
PROTECTED = Protection(Messaging.MAC, Messaging.MAC)

IN_USE, BLOCKED, ENDED, DEAD, CREATED = (
    "in use",
    "application blocked",
    "application ended",
    "card blocked",
    "being written",
)
LIFECYCLES = {BLOCKED: Lifecycle.DEACTIVATED, ENDED: Lifecycle.TERMINATED}

Shown = frozenset[str]


class Card(NamedTuple):
    """A kind of card: its places (dedicated file, current file) by name, and the rights that showing things gives."""

    name: str
    image: CardImage
    behaviour: Behaviour
    places: Mapping[str, tuple[Address, Address | None]]
    shown: Mapping[Shown, frozenset[int]]
    stages: tuple[str, ...] = (IN_USE, BLOCKED, ENDED, DEAD)


class Cell(NamedTuple):
    """One square of the matrix."""

    command: str
    card: str
    stage: str
    place: str
    shown: Shown


def _fitted(image: CardImage, here: Address, read: AccessRule, update: AccessRule) -> CardImage:
    """The card with a file of every kind, and a proof in its purses."""
    files = dict(image.files)
    for fid, file in KINDS.values():
        files[here + fid] = file._replace(read=read, update=update)
    for fid, kind in GUARDED.values():
        files[here + fid] = KINDS[kind][1]._replace(read=read, update=update, protection=PROTECTED)
    files[CARD_CODE] = a_file(FileKind.TRANSPARENT, content=bytes(9))
    proof = Proof(0x01, 1, b"1234", b"5678")
    purses = {at: purse._replace(proof=proof) for at, purse in image.purses.items()}
    return image._replace(files=files, purses=purses)


def _places(here: Address, **others: tuple[Address, Address | None]) -> dict[str, tuple[Address, Address | None]]:
    kinds = {name: (here, here + fid) for name, (fid, _) in KINDS.items()}
    return {name.replace("_", " "): place for name, place in others.items()} | kinds


def _guarded(here: Address) -> dict[str, tuple[Address, Address | None]]:
    return {name: (here, here + fid) for name, (fid, _) in GUARDED.items()}


def _shown(rights: Mapping[str, int]) -> dict[Shown, frozenset[int]]:
    """Nothing, each thing alone, each with the PIN, and all of them."""
    sets: dict[Shown, frozenset[int]] = {frozenset(): frozenset()}
    for name, right in rights.items():
        sets[frozenset({name})] = frozenset({right})
        sets[frozenset({name, "PIN"})] = frozenset({right, PIN_RIGHT})
    return sets | {frozenset(rights): frozenset(rights.values())}


def _pin_or_and(key: int) -> tuple[AccessRule, AccessRule]:
    pin, other = AccessRule.right(PIN_RIGHT), AccessRule.right(key)
    return pin | other, pin & other


def _social() -> Card:
    read, update = _pin_or_and(0x84)
    image = _fitted(cards.funded(), cards.DF04, read, update)
    keys = (0x04, 0x05, 0x06, 0x83, 0x84)
    return Card(
        "social",
        image,
        cards.PROFILE.behaviour,
        _places(
            cards.DF04,
            master_file=(cards.MF, None),
            environment=(cards.SSSE, None),
            application=(cards.SSSE + b"\xdf\x03", None),
            purse=(cards.DF04, None),
        ),
        _shown({"PIN": PIN_RIGHT} | {f"key {key:02X}": key for key in keys}),
    )


def _unsealed() -> Card:
    card = _social()
    image = _fitted(unsealed(), cards.DF04, FREE, FREE)
    return card._replace(
        name="social, unsealed",
        image=image,
        shown=_shown({"transport key": TRANSPORT_RIGHT}),
        stages=(CREATED,),
    )


def _bank() -> Card:
    read, update = _pin_or_and(0x00)
    places = _places(banks.ADF, master_file=(banks.MF, None), purse=(banks.ADF, None))
    return Card(
        "purse",
        _fitted(banks.rich(), banks.ADF, read, update),
        banks.PROFILE.behaviour,
        places | _guarded(banks.ADF),
        _shown({"PIN": PIN_RIGHT, "key 00": 0x00}),
    )


def _native() -> Card:
    here, behaviour = natives.ADF, natives.PROFILE.behaviour
    read = AccessRule.right(DF_STATE | 1) | AccessRule.right(DF_STATE | 4)
    update = AccessRule.right(DF_STATE | 4)
    image = _fitted(natives.funded(), here, read, update)
    region = image.dedicated[here].region
    assert region is not None
    changed = image.dedicated[here]._replace(region=region._replace(create=update, erase=update))
    image = image._replace(dedicated={**image.dedicated, here: changed})
    start = start_of(behaviour).rights
    states = {
        frozenset(): start,
        frozenset({"PIN"}): earned(start, here, PIN_RIGHT, 1),
        frozenset({"key 00"}): earned(start, here, 0x00, 4),
        frozenset({"PIN", "key 00"}): earned(earned(start, here, PIN_RIGHT, 1), here, 0x00, 4),
    }
    places = _places(here, master_file=(natives.MF, None), purse=(here, None), purse_file=(here, here + b"\x00\x01"))
    return Card("native", image, behaviour, places | _guarded(here), states)


def _module() -> Card:
    image = _fitted(modules.module(), modules.DF01, FREE, NEVER)
    places = _places(modules.DF01, master_file=(cards.MF, None), application=(modules.DF01, None))
    return Card("module", image, modules.MODULE.behaviour, places, {frozenset(): frozenset()})


@cache
def all_cards() -> tuple[Card, ...]:
    """A card of every kind, ready to be asked anything."""
    return _unsealed(), _social(), _bank(), _native(), _module()


def served(name: str, behaviour: Behaviour) -> bool:
    """Whether such a card knows the command."""
    rows = (*INSTRUCTIONS, GET_RESPONSE)
    return any(row.name == name and row.sets & behaviour.commands for row in rows)


@cache
def _scene(name: str, *, direct: bool) -> Scene:
    """The command as it is served, on a card of the first kind that there is."""
    orders = [order for order in ORDERS if order.name == name]
    chosen = next((order for order in orders if order.otherwise and direct and len(orders) > 1), orders[0])
    if name.startswith("WRITE KEY"):
        chosen = orders[0]
    made = chosen.make()
    if name.startswith("UPDATE RECORD"):
        made = p1(1)(made)
    return made


def _aged(card: Card, stage: str, here: Address) -> CardImage:
    """The card in this stage; a blocked application is the current one, or the purse's."""
    image = card.image
    if stage == DEAD:
        return image._replace(lifecycle=Lifecycle.TERMINATED)
    if stage not in LIFECYCLES:
        return image
    at = here if len(here) > 2 else card.places["cyclic"][0]
    changed = image.dedicated[at]._replace(lifecycle=LIFECYCLES[stage])
    return image._replace(dedicated={**image.dedicated, at: changed})


def staged(cell: Cell, card: Card) -> Scene:
    """The scene of a cell, the command in it begun where it needs that, with all rights."""
    direct = card.behaviour.authentication is Authentication.DIRECT
    asked = _scene(cell.command, direct=direct)
    here, file = card.places[cell.place]
    session = asked.session._replace(
        current=here,
        file=file,
        record=1 if file else 0,
        rights=card.shown[cell.shown],
        pending=None,
        module=asked.session.module if here == asked.session.current else None,
    )
    made = replace(asked, image=card.image, behaviour=card.behaviour, session=session)
    if asked.first:
        everything = replace(made, command=asked.first, seal=None)
        rights = frozenset().union(*card.shown.values())
        begun = replace(everything, session=session._replace(rights=rights)).outcome()
        made = replace(made, session=session._replace(pending=begun.session.pending))
    return replace(made, image=_aged(card, cell.stage, here))


def cells() -> Iterator[tuple[Cell, Card]]:
    """Every cell that there is, with its card."""
    for row in (*INSTRUCTIONS, GET_RESPONSE):
        for card in all_cards():
            if not served(row.name, card.behaviour):
                continue
            for stage in card.stages:
                for place in card.places:
                    for shown in card.shown:
                        yield Cell(row.name, card.name, stage, place, shown), card


def computed() -> dict[Cell, int]:
    """The status word in every cell."""
    return {cell: staged(cell, card).outcome().sw for cell, card in cells()}
