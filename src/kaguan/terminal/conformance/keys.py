"""KEY_VER1, KEY_VER2, KEY_VER3: the card holds its keys, in each version that the profile gives them.

A key is proven by what it does and leaves nothing behind: INTERNAL AUTHENTICATE, EXTERNAL AUTHENTICATE, PIN UNBLOCK of
a PIN with all its tries, MAC1 of a load that is not finished. Keys that could only be proven by blocking or paying are
not covered.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.profile import DedicatedSpec, KeySpec
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conformance.bench import Bench, enter
from kaguan.terminal.conformance.rights import (
    LEAST_TRIES,
    STK,
    ask_key,
    ask_pin,
    give_tries_back,
    irk_fits,
    show_key,
    show_pin,
)
from kaguan.terminal.conversations.authentication import get_challenge, named
from kaguan.terminal.conversations.load import begin_load
from kaguan.terminal.refusals import CardRefused, NotGenuine
from kaguan.terminal.script import Script
from kaguan.vault.vault import Usage

TERMINAL = bytes(6)
MOST_TOLD = 15
"""A status word cannot tell of more tries."""

_WOULD_WRITE = "it could only be proven by a command that writes"


def check_keys(bench: Bench, name: str, version: int) -> Script[None]:
    """The keys of this version in this dedicated file have been judged."""
    spec = bench.profile.by_name[name]
    keys = [key for key in spec.keys if key.version == version]
    if bench.offered_keys is None:
        bench.not_covered(f"the keys of {name}", bench.no_keys)
        return
    if not (yield from enter(bench, spec)):
        bench.not_covered(f"the keys of {name}", f"{name} is not selected")
        return
    for key in keys:
        yield from _check_key(bench, spec, key, bench.offered_keys)


def _check_key(bench: Bench, spec: DedicatedSpec, key: KeySpec, offered: CardKeys) -> Script[None]:
    title = f"{key.master_label} {key.reference:02X} version {key.version}: {key.usage}"
    if key.usage is Usage.INTERNAL_AUTHENTICATION:
        fits = yield from irk_fits(offered)
        meaning = "INTERNAL AUTHENTICATE does not give what this key makes: another key, region or card"
        bench.judge(title, "fits" if fits else "differs", expected="fits", meaning=meaning, good=fits)
    elif bench.keys is None:
        bench.not_covered(title, bench.no_keys)
    elif key.usage is Usage.EXTERNAL_AUTHENTICATION:
        yield from _check_external(bench, title, key, bench.keys)
    elif key.usage is Usage.MESSAGING and key.master_label == "SSSE.STK":
        yield from _check_messaging(bench, title)
    elif key.usage is Usage.LOAD and any(purse.load.alternatives for purse in spec.purses):
        yield from _check_load(bench, title, bench.keys)
    else:
        bench.not_covered(title, _WOULD_WRITE)


def _check_external(bench: Bench, title: str, key: KeySpec, keys: CardKeys) -> Script[None]:
    reason = yield from show_key(bench, key)
    if reason and (key.master_label, key.version) not in bench.refused:
        bench.not_covered(title, reason)
        return
    command = f"EXTERNAL AUTHENTICATE {key.reference:02X}"
    bench.judge(title, reason or "9000", expected="9000", meaning=reason, good=not reason, command=command)
    if not reason:
        yield from _check_forgery(bench, key, keys)


def _check_forgery(bench: Bench, key: KeySpec, keys: CardKeys) -> Script[None]:
    """A wrong cryptogram costs a try, and the right one gives it back."""
    name = f"{key.master_label} {key.reference:02X} version {key.version}"
    title = f"{name}: a forged cryptogram costs a try"
    tries = yield from ask_key(bench, key)
    if tries is not None and tries <= LEAST_TRIES:
        bench.not_covered(title, f"{tries} tries are left, too few to lose one")
        return
    challenge = yield from get_challenge()
    block = keys.vault.info(keys.ref(key.master_label, key.version)).algorithm.block_size
    data = named(bench.profile, key.version, challenge.ljust(block, b"\0") + bytes(block))
    words = ("63CX",) if tries is None else (f"63C{tries - 1:X}",) if tries < MOST_TOLD else ("63CE", "63CF")
    yield from bench.expect(title, CommandApdu(0x00, 0x82, 0x00, key.reference, data), *words)
    reason = yield from show_key(bench, key)
    title = f"{name}: the right one gives it back"
    back = yield from ask_key(bench, key)
    good = not reason and back == tries
    received = reason or ("9000" if tries is None else f"9000, {back} tries")
    expected = "9000" if tries is None else f"9000, {tries} tries"
    bench.judge(title, received, expected=expected, meaning=reason or "the tries are others than before", good=good)


def _check_messaging(bench: Bench, title: str) -> Script[None]:
    pin = bench.pin_spec
    asked = (bench.pin_tries or 0) >= LEAST_TRIES and not bench.asking_costs
    if pin is None or not asked or (yield from ask_pin()) != pin.tries:
        bench.not_covered(title, "the PIN has not all its tries, and PIN UNBLOCK would change that")
        return
    reason = yield from give_tries_back(bench)
    if reason and STK not in bench.refused:
        bench.not_covered(title, reason)
        return
    bench.judge(title, reason or "9000", expected="9000", meaning=reason, good=not reason, command="PIN UNBLOCK")


def _check_load(bench: Bench, title: str, keys: CardKeys) -> Script[None]:
    reason = yield from show_pin(bench)
    if reason:
        bench.not_covered(title, reason)
        return
    try:
        yield from begin_load(keys, 1, TERMINAL)
    except (CardRefused, NotGenuine) as error:
        bench.failed(title, "a right MAC1", "none", str(error), command="INITIALIZE FOR LOAD")
    else:
        bench.passed(title, received="a right MAC1")
