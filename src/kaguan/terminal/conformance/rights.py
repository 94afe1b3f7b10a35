"""Rights for a check: a PIN or a key is shown when that risks nothing, and not otherwise."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.status import StatusWord
from kaguan.card_os.profile import AccessRule, DedicatedSpec, KeySpec
from kaguan.card_os.profile.rules import PIN_RIGHT
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conformance.bench import Bench
from kaguan.terminal.conversations.authentication import authenticate_as, prove_genuine
from kaguan.terminal.conversations.pin import unblock_pin, verify_pin
from kaguan.terminal.refusals import CardRefused, NotGenuine
from kaguan.terminal.script import Script
from kaguan.vault.vault import Usage

LEAST_TRIES = 2
"""With fewer a PIN or a key is left alone."""

SHOWN = ""


def rights_of(bench: Bench, spec: DedicatedSpec) -> Iterator[tuple[int, str]]:
    """Every right that counts in this dedicated file, with its name: the PIN, its own keys, the keys above it."""
    pin = bench.pin_spec
    if pin is not None:
        yield PIN_RIGHT | pin.reference, "PIN"
    named = set()
    for key in keys_in_reach(bench, spec):
        if key.reference not in named:
            named.add(key.reference)
            yield key.reference, key.master_label


def keys_in_reach(bench: Bench, spec: DedicatedSpec) -> Iterator[KeySpec]:
    """The keys for EXTERNAL AUTHENTICATE that the card finds from this dedicated file, the nearest first."""
    here: DedicatedSpec | None = spec
    while here is not None:
        yield from (key for key in here.keys if key.usage is Usage.EXTERNAL_AUTHENTICATION)
        here = bench.profile.by_name.get(here.parent)


def take(bench: Bench, spec: DedicatedSpec, right: int) -> Script[str]:
    """The session holds the right, or the text says why it does not. The card stands in that dedicated file."""
    if right & PIN_RIGHT:
        return (yield from show_pin(bench))
    for key in keys_in_reach(bench, spec):
        if key.reference == right:
            return (yield from show_key(bench, key))
    return "the profile has no such key"


def take_all(bench: Bench, spec: DedicatedSpec, rights: frozenset[int]) -> Script[str]:
    """The session holds all these rights, or the text says why it does not."""
    for right in sorted(rights, reverse=True):
        reason = yield from take(bench, spec, right)
        if reason:
            return reason
    return SHOWN


def entitle(bench: Bench, spec: DedicatedSpec, rule: AccessRule) -> Script[str]:
    """The session holds what the rule asks for, by the PIN alone where that is enough; or the text says why not."""
    if not rule.alternatives:
        return "nobody may"
    reason = SHOWN
    for rights in sorted(rule.alternatives, key=lambda rights: (len(rights), [-right for right in sorted(rights)])):
        reason = yield from take_all(bench, spec, rights)
        if not reason:
            return SHOWN
    return reason


def show_pin(bench: Bench) -> Script[str]:
    """The session holds the PIN's right, or the text says why it does not."""
    if bench.pin is None:
        return bench.no_pin
    try:
        yield from verify_pin(bench.pin)
    except CardRefused as refusal:
        bench.pin = None
        bench.no_pin = f"the card does not take the PIN: {refusal.sw}, {refusal.sw.meaning}"
        return bench.no_pin
    return SHOWN


def show_key(bench: Bench, key: KeySpec) -> Script[str]:
    """The session holds the key's right, or the text says why it does not."""
    if bench.keys is None:
        return bench.no_keys
    name = (key.master_label, key.version)
    if name not in bench.trusted and name not in bench.distrusted:
        tries = yield tries_question(key)
        reason = _risk(bench, tries.sw)
        if reason:
            bench.distrusted[name] = f"{key.master_label}: {reason}"
    if name in bench.distrusted:
        return bench.distrusted[name]
    try:
        yield from authenticate_as(bench.keys, key.master_label, key.version)
    except CardRefused as refusal:
        bench.distrusted[name] = f"{key.master_label} is refused: {refusal.sw}, {refusal.sw.meaning}"
        return bench.distrusted[name]
    bench.trusted.add(name)
    return SHOWN


def tries_question(key: KeySpec) -> CommandApdu:
    """EXTERNAL AUTHENTICATE without data: how many tries the key has left (ISO/IEC 7816-4, 11.5.4)."""
    return CommandApdu(0x00, 0x82, 0x00, key.reference, bytes((key.version,)) if key.version else b"")


def _risk(bench: Bench, sw: StatusWord) -> str:
    """Why the key is better left alone."""
    tries = sw.tries_left
    if sw == 0x6A88:
        return "the card has no such key"
    if tries is None:
        return (
            SHOWN
            if bench.risk_tries
            else f"the card does not tell its tries ({sw}): --risk-tries shows it all the same"
        )
    return SHOWN if tries >= LEAST_TRIES else f"{tries} tries are left, too few to risk one"


def open_card(bench: Bench) -> Script[None]:
    """It is known whether the keys and the PIN that were offered are this card's; nothing is on the bench that is not.

    The PIN is shown only when two tries are left, and a PIN that nobody typed only when its keys could give back the
    try.
    """
    application = bench.profile.by_name["SSSE"]
    response = yield CommandApdu.of("00A40400", application.df_name, 256)
    if not response.sw.ok:
        bench.keys, bench.pin = None, None
        bench.no_keys = bench.no_pin = f"the SSSE is not selected: {response.sw}, {response.sw.meaning}"
        return
    yield from _try_keys(bench)
    yield from _try_pin(bench)


def _try_keys(bench: Bench) -> Script[None]:
    if bench.keys is None:
        return
    bench.genuine = yield from irk_fits(bench.keys)
    if not bench.genuine:
        bench.keys = None
        bench.no_keys = "the card does not hold the IRK of these keys, so no other key of them is tried"


def irk_fits(keys: CardKeys) -> Script[bool]:
    """Whether the card's IRK is that of these keys."""
    try:
        yield from prove_genuine(keys, secrets.token_bytes(8), secrets.token_bytes(8))
    except (CardRefused, NotGenuine):
        return False
    return True


def _try_pin(bench: Bench) -> Script[None]:
    asked = yield CommandApdu(0x00, 0x20, 0x00, 0x00)
    bench.pin_tries = asked.sw.tries_left
    if bench.pin is None:
        return
    if bench.pin_tries is None:
        bench.pin, bench.no_pin = None, f"the card does not tell the PIN's tries: {asked.sw}, {asked.sw.meaning}"
    elif bench.pin_tries < LEAST_TRIES:
        bench.pin, bench.no_pin = None, f"the PIN has {bench.pin_tries} tries left, too few to risk one"
    elif not (bench.pin_typed or bench.keys):
        bench.pin = None
    elif (yield from show_pin(bench)):
        yield from give_tries_back(bench)


def give_tries_back(bench: Bench) -> Script[bool]:
    """The PIN has all its tries again, by PIN UNBLOCK; False when that cannot be done."""
    puk = next((key for key in bench.profile.keys() if key.master_label == "SSSE.PUK"), None)  # noqa: SIM118 - no mapping
    if bench.keys is None or puk is None or (yield from show_key(bench, puk)):
        return False
    try:
        yield from unblock_pin(bench.keys)
    except (CardRefused, NotGenuine):
        return False
    return True
