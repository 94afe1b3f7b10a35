"""Rights for a check: a PIN or a key is shown when that risks nothing, and not otherwise.

Law 1. Before a PIN or a key is shown the card is asked how many tries it has left; with one it is left alone.
Law 2. Where the card does not tell, it is shown only when the user risks that (`--risk-tries`); but before a PIN that
cannot be changed back is lost, it is reloaded.
Law 3. What the card has refused once is not shown again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.profile import AccessRule, CardProfile, DedicatedSpec, KeySpec
from kaguan.card_os.profile.rules import PIN_RIGHT
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conformance.bench import Bench
from kaguan.terminal.conversations.authentication import authenticate_as, named, prove_genuine
from kaguan.terminal.conversations.pin import reload_pin, unblock_pin, verify_pin
from kaguan.terminal.refusals import CardRefused, NotGenuine, PinRefused
from kaguan.terminal.script import Script
from kaguan.vault.secret import Pin
from kaguan.vault.vault import KeyAbsent, Usage

LEAST_TRIES = 2
"""With fewer a PIN or a key is left alone."""

SHOWN = ""
UNTOLD = "the card does not tell its tries: --risk-tries shows it all the same"
STK = ("SSSE.STK", 0)


def rights_of(bench: Bench, spec: DedicatedSpec) -> Iterator[tuple[int, str]]:
    """Every right that counts in this dedicated file, with its name: the PIN, its own keys, the keys above it."""
    pin = bench.pin_spec
    if pin is not None:
        yield PIN_RIGHT | pin.reference, "PIN"
    named = set()
    for key in keys_in_reach(bench.profile, spec):
        if key.reference not in named:
            named.add(key.reference)
            yield key.reference, key.master_label


def keys_in_reach(profile: CardProfile, spec: DedicatedSpec) -> Iterator[KeySpec]:
    """The keys for EXTERNAL AUTHENTICATE that the card finds from this dedicated file, the nearest first."""
    here: DedicatedSpec | None = spec
    while here is not None:
        yield from (key for key in here.keys if key.usage is Usage.EXTERNAL_AUTHENTICATION)
        here = profile.by_name.get(here.parent)


def take(bench: Bench, spec: DedicatedSpec, right: int) -> Script[str]:
    """The session holds the right, or the text says why it does not. The card stands in that dedicated file."""
    if right & PIN_RIGHT:
        return (yield from show_pin(bench))
    for key in keys_in_reach(bench.profile, spec):
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
    tries = yield from ask_pin()
    if tries is None and not bench.risk_tries:
        return UNTOLD
    if tries is not None and tries < LEAST_TRIES:
        return _too_few(tries)
    try:
        yield from verify_pin(bench.pin)
    except CardRefused as refusal:
        bench.pin, bench.pin_refused = None, str(refusal.sw)
        bench.no_pin = f"the card does not take the PIN: {refusal.sw}, {refusal.sw.meaning}"
        return bench.no_pin
    return SHOWN


def ask_pin() -> Script[int | None]:
    """The tries that the PIN has left; None when the card does not tell."""
    response = yield CommandApdu(0x00, 0x20, 0x00, 0x00)
    return response.sw.tries_left


def show_key(bench: Bench, key: KeySpec) -> Script[str]:
    """The session holds the key's right, or the text says why it does not."""
    name = key.master_label, key.version
    reason = yield from _risk(bench, key)
    if reason or bench.keys is None:
        return reason
    try:
        yield from authenticate_as(bench.keys, key.master_label, key.version)
    except CardRefused as refusal:
        return _refused(bench, name, refusal)
    except KeyAbsent as absent:
        bench.distrusted[name] = str(absent)
        return bench.distrusted[name]
    return SHOWN


def ask_key(bench: Bench, key: KeySpec) -> Script[int | None]:
    """The tries that the key has left; None when the card does not tell, or had better not be asked.

    The first time a second question makes sure that asking costs nothing.
    """
    name = key.master_label, key.version
    known = name in bench.asked
    if known and bench.asked[name] is None:
        return None
    question = tries_question(bench.profile, key)
    response = yield question
    tries = response.sw.tries_left
    if response.sw in (0x6A88, 0x6983):
        bench.distrusted[name] = f"{key.master_label}: {response.sw}, {response.sw.meaning}"
        bench.refused.add(name)
    elif tries is not None and tries < LEAST_TRIES:
        bench.distrusted[name] = f"{key.master_label}: {_too_few(tries)}"
    elif tries is not None and not known and (yield question).sw != response.sw:
        bench.distrusted[name] = f"{key.master_label}: asking how many tries are left costs one"
        tries = None
    bench.asked[name] = tries
    return tries


def tries_question(profile: CardProfile, key: KeySpec) -> CommandApdu:
    """EXTERNAL AUTHENTICATE without cipher and original: how many tries the key has left (ISO/IEC 7816-4, 11.5.4).

    No challenge has been asked for, so a card that does not know the question has nothing to compare with.
    """
    return CommandApdu(0x00, 0x82, 0x00, key.reference, named(profile, key.version, b""))


def _risk(bench: Bench, key: KeySpec) -> Script[str]:
    """Why the key is better left alone."""
    name = key.master_label, key.version
    if bench.keys is None:
        return bench.no_keys
    if name in bench.distrusted:
        return bench.distrusted[name]
    tries = yield from ask_key(bench, key)
    if name in bench.distrusted:
        return bench.distrusted[name]
    return UNTOLD if tries is None and not bench.risk_tries else SHOWN


def _too_few(tries: int) -> str:
    return "no tries are left" if not tries else "1 try is left, which is not risked"


def _refused(bench: Bench, name: tuple[str, int], refusal: CardRefused) -> str:
    bench.refused.add(name)
    bench.distrusted[name] = f"{name[0]} is refused: {refusal.sw}, {refusal.sw.meaning}"
    return bench.distrusted[name]


def open_card(bench: Bench) -> Script[None]:
    """It is known whether the keys and the PIN that were offered are this card's; nothing is on the bench that is not.

    A PIN that is only a guess is tried when the card's keys may give back the try.
    """
    application = bench.profile.by_name["SSSE"]
    response = yield CommandApdu.of("00A40400", application.df_name, 256)
    if not response.sw.ok:
        bench.keys, bench.pin = None, None
        bench.no_keys = bench.no_pin = f"the SSSE is not selected: {response.sw}, {response.sw.meaning}"
        return
    if bench.keys is not None and not (yield from irk_fits(bench.keys)):
        bench.keys = None
        bench.no_keys = "the card does not hold the IRK of these keys, so no other key of them is tried"
    yield from _try_pin(bench)


def irk_fits(keys: CardKeys) -> Script[bool]:
    """Whether the card's IRK is that of these keys."""
    try:
        yield from prove_genuine(keys, secrets.token_bytes(8), secrets.token_bytes(8))
    except (CardRefused, NotGenuine):
        return False
    return True


def _try_pin(bench: Bench) -> Script[None]:
    bench.pin_tries = yield from ask_pin()
    if bench.pin_tries is not None and bench.pin_tries >= LEAST_TRIES:
        bench.asking_costs = (yield from ask_pin()) != bench.pin_tries
    if bench.pin is None:
        return
    if bench.pin_tries is not None and bench.pin_tries < LEAST_TRIES:
        bench.pin, bench.no_pin = None, f"the PIN: {_too_few(bench.pin_tries)}"
    elif bench.asking_costs:
        bench.pin, bench.no_pin = None, "asking how many tries the PIN has left costs one"
    elif not (bench.pin_known or (bench.keys and bench.risk_tries)):
        bench.pin = None
    else:
        reason = yield from show_pin(bench)
        if reason and bench.pin is None:
            yield from give_tries_back(bench)
        elif reason:
            bench.pin, bench.no_pin = None, f"the PIN: {reason}"


def give_tries_back(bench: Bench, new: Pin | None = None) -> Script[str]:
    """The PIN has all its tries again, by PIN UNBLOCK, or RELOAD PIN when it shall be a new one; or why it has not.

    A wrong MAC may cost a try of the messaging key, which no card tells: that is the user's risk to take. Only a PIN
    that would otherwise be lost is reloaded all the same.
    """
    puk = next((key for key in bench.profile.keys() if key.master_label == "SSSE.PUK"), None)  # noqa: SIM118 - no mapping
    if bench.keys is None or puk is None:
        return bench.no_keys
    if STK in bench.distrusted:
        return bench.distrusted[STK]
    if not bench.risk_tries and new is None:
        return "no card tells the tries of a messaging key: --risk-tries uses it all the same"
    reason = yield from _risk(bench, puk)
    if reason and not (new is not None and reason is UNTOLD):
        return reason
    try:
        yield from unblock_pin(bench.keys) if new is None else reload_pin(bench.keys, new)
    except PinRefused as refusal:
        return _refused(bench, (puk.master_label, puk.version), refusal)
    except CardRefused as refusal:
        return _refused(bench, STK, refusal)
    return SHOWN
