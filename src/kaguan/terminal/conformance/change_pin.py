"""CHANGE_PIN: the PIN is verified, counted and changed, and is at the end what it was."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.profile import PinSpec
from kaguan.terminal.conformance.bench import Bench, enter
from kaguan.terminal.conformance.report import Verdict
from kaguan.terminal.conformance.rights import LEAST_TRIES, ask_pin, give_tries_back
from kaguan.terminal.script import Script
from kaguan.vault.secret import Pin

UNTOLD_PIN = "the card does not tell the PIN's tries, and without that no PIN is changed"
_WANTED = ("135790", "246801", "975310")
"""PINs to change to and to guess wrongly with; one of them is never the card's own."""


def check_change(bench: Bench) -> Script[None]:
    """CHANGE PIN does what LD/T 32.5 says; the PIN is the old one, with all its tries."""
    spec, limits = bench.profile.by_name["SSSE"], bench.pin_spec
    if limits is None or not (yield from enter(bench, spec)):
        bench.not_covered("CHANGE PIN", "the profile has no PIN" if limits is None else "the SSSE is not selected")
        return
    if bench.asking_costs:
        title, meaning = "asking how many tries are left costs none", "the second answer was another one"
        bench.failed(title, "the same answer", "another one", meaning, command="VERIFY 00200000")
    pin = bench.pin
    if pin is None or bench.pin_tries is None:
        bench.not_covered("CHANGE PIN", bench.no_pin if pin is None else UNTOLD_PIN)
        return
    other, wrong = _others(pin)
    full = f"63C{limits.tries:X}"
    yield from bench.expect("all tries are told", _verify(None), full)
    yield from _expect_wrong(bench, "a wrong PIN costs a try", _verify(wrong))
    yield from _offer(bench, "the right one gives it back", _verify(pin), "9000")
    yield from bench.expect("all tries are told again", _verify(None), full)
    yield from _expect_wrong(bench, "a change with a wrong old PIN costs a try", _change(wrong, other))
    yield from _offer(bench, "the right one gives it back again", _verify(pin), "9000")
    yield from _check_lengths(bench, pin, limits)
    yield from _check_there_and_back(bench, pin, other)
    yield from _put_back(bench, pin)


def _offer(bench: Bench, title: str, command: CommandApdu, *words: str) -> Script[bool]:
    """The check on a command that may cost a try, made when there is one to lose besides the last; whether it was
    answered 9000."""
    tries = yield from ask_pin()
    if tries is None or tries < LEAST_TRIES:
        bench.not_covered(title, f"{tries or 'no'} tries are left, too few to risk one")
        return False
    response = yield from bench.expect(title, command, *words)
    return response.sw.ok


def _expect_wrong(bench: Bench, title: str, command: CommandApdu) -> Script[None]:
    """The check on a wrong PIN: the card says that a try is gone, and it is."""
    tries = yield from ask_pin()
    left = f"63C{(tries or 1) - 1:X}"
    counted = len(bench.checks)
    yield from _offer(bench, title, command, left)
    if bench.checks[counted].verdict is Verdict.PASSED:
        yield from bench.expect(f"{title}: it is gone", _verify(None), left)


def _check_lengths(bench: Bench, pin: Pin, limits: PinSpec) -> Script[None]:
    """PINs that are shorter or longer than the card takes are refused; one that was taken is changed back."""
    for size in (limits.min_bytes - 1, limits.max_bytes + 1):
        strange = b"\x11" * size
        command = CommandApdu(0x80, 0x5E, 0x01, 0x00, pin.reveal() + b"\xff" + strange)
        if (yield from _offer(bench, f"a PIN of {size} bytes is refused", command, "6700", "6A80")):
            back = CommandApdu(0x80, 0x5E, 0x01, 0x00, strange + b"\xff" + pin.reveal())
            yield from _offer(bench, "it is changed back", back, "9000")
    yield from _offer(bench, "no PIN was changed", _verify(pin), "9000")


def _check_there_and_back(bench: Bench, pin: Pin, other: Pin) -> Script[None]:
    if not (yield from _offer(bench, "the PIN is changed", _change(pin, other), "9000")):
        return
    # The new one is shown before the old one is tried, so that no try is missing when that is refused.
    if (yield from _offer(bench, "the new PIN is right", _verify(other), "9000")):
        yield from _expect_wrong(bench, "the old PIN is wrong", _verify(pin))
        yield from _offer(bench, "it is changed back", _change(other, pin), "9000")


def _put_back(bench: Bench, pin: Pin) -> Script[None]:
    """The PIN is the card's own, by RELOAD PIN when nothing else brought it back."""
    if (yield from _offer(bench, "the PIN is what it was", _verify(pin), "9000")):
        return
    reason = yield from give_tries_back(bench, pin)
    title = "RELOAD PIN brings the PIN back"
    bench.judge(title, reason or "9000", expected="9000", meaning=reason, good=not reason, command="RELOAD PIN")
    if reason:
        bench.pin, bench.no_pin = None, "the PIN could not be put back"


def _others(pin: Pin) -> tuple[Pin, Pin]:
    first, second, *_ = (other for digits in _WANTED if (other := Pin.of(digits)) != pin)
    return first, second


def _verify(pin: Pin | None) -> CommandApdu:
    return CommandApdu(0x00, 0x20, 0x00, 0x00, b"" if pin is None else pin.reveal())


def _change(old: Pin, new: Pin) -> CommandApdu:
    return CommandApdu(0x80, 0x5E, 0x01, 0x00, old.reveal() + b"\xff" + new.reveal())
