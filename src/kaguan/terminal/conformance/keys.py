"""KEY_VER1, KEY_VER2, KEY_VER3: the card holds its keys, in each version that the profile gives them.

A key is proven by what it does and leaves nothing behind: INTERNAL AUTHENTICATE, EXTERNAL AUTHENTICATE, PIN UNBLOCK of
a PIN with all its tries, MAC1 of a load that is not finished. Keys that could only be proven by blocking or paying are
not covered.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.profile import CardProfile, DedicatedSpec, KeySpec
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conformance.bench import Bench, enter
from kaguan.terminal.conformance.rights import (
    LEAST_TRIES,
    give_tries_back,
    irk_fits,
    show_key,
    show_pin,
    tries_question,
)
from kaguan.terminal.conversations.authentication import get_challenge
from kaguan.terminal.conversations.load import begin_load
from kaguan.terminal.refusals import CardRefused, NotGenuine
from kaguan.terminal.script import Script
from kaguan.vault.vault import Usage

TERMINAL = bytes(6)
_WOULD_WRITE = "it could only be proven by a command that writes"


def versions(profile: CardProfile) -> list[int]:
    """The versions that the profile's authentication keys have, in order."""
    usages = (Usage.INTERNAL_AUTHENTICATION, Usage.EXTERNAL_AUTHENTICATION)
    return sorted({key.version for key in profile.keys() if key.usage in usages})  # noqa: SIM118 - no mapping


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
        yield from _check_external(bench, title, key)
    elif key.usage is Usage.MESSAGING and key.master_label == "SSSE.STK":
        yield from _check_messaging(bench, title)
    elif key.usage is Usage.LOAD and any(purse.load.alternatives for purse in spec.purses):
        yield from _check_load(bench, title, bench.keys)
    else:
        bench.not_covered(title, _WOULD_WRITE)


def _check_external(bench: Bench, title: str, key: KeySpec) -> Script[None]:
    response = yield tries_question(key)
    if response.sw == 0x6A88:
        bench.failed(
            title, "the key", "6A88", response.sw.meaning, command=f"EXTERNAL AUTHENTICATE {key.reference:02X}"
        )
        return
    tries = response.sw.tries_left
    reason = yield from show_key(bench, key)
    if reason and (tries is None or tries < LEAST_TRIES):
        bench.not_covered(title, reason)
        return
    bench.judge(
        title, reason or "9000", expected="9000", meaning=reason, good=not reason, command="EXTERNAL AUTHENTICATE"
    )
    if not reason and tries is not None:
        yield from _check_forgery(bench, key)


def _check_forgery(bench: Bench, key: KeySpec) -> Script[None]:
    """A wrong cryptogram costs a try, and the right one gives it back."""
    name = f"{key.master_label} {key.reference:02X}"
    asked = yield tries_question(key)
    tries = asked.sw.tries_left or 0
    if tries <= LEAST_TRIES:
        return
    challenge = yield from get_challenge()
    named = bytes((key.version,)) if key.version else b""
    block = (
        16
        if bench.keys
        and bench.keys.vault.info(bench.keys.ref(key.master_label, key.version)).algorithm.block_size == 16
        else 8
    )
    forged = CommandApdu(0x00, 0x82, 0x00, key.reference, named + challenge.ljust(block, b"\0") + bytes(block))
    yield from bench.expect(f"{name}: a forged cryptogram costs a try", forged, f"63C{tries - 1:X}")
    reason = yield from show_key(bench, key)
    bench.judge(
        f"{name}: the right one gives it back", reason or "9000", expected="9000", meaning=reason, good=not reason
    )


def _check_messaging(bench: Bench, title: str) -> Script[None]:
    pin = bench.pin_spec
    asked = yield CommandApdu(0x00, 0x20, 0x00, 0x00)
    if pin is None or asked.sw.tries_left != pin.tries:
        bench.not_covered(title, "the PIN has not all its tries, and PIN UNBLOCK would change that")
        return
    done = yield from give_tries_back(bench)
    meaning = "PIN UNBLOCK is refused under this key"
    bench.judge(
        title, "9000" if done else "refused", expected="9000", meaning=meaning, good=done, command="PIN UNBLOCK"
    )


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
