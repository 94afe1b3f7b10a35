"""CHANGE_PIN: the PIN is verified, counted and changed, and is at the end what it was."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.terminal.conformance.bench import Bench, enter
from kaguan.terminal.conformance.rights import LEAST_TRIES, give_tries_back
from kaguan.terminal.conversations.pin import reload_pin
from kaguan.terminal.refusals import CardRefused
from kaguan.terminal.script import Script
from kaguan.vault.secret import Pin

_WANTED = ("135790", "246801", "975310")
"""PINs to change to and to guess wrongly with; one of them is never the card's own."""


def check_change(bench: Bench) -> Script[None]:
    """CHANGE PIN does what LD/T 32.5 says; the PIN is the old one, with all its tries."""
    spec = bench.profile.by_name["SSSE"]
    if not (yield from enter(bench, spec)):
        bench.not_covered("CHANGE PIN", "the SSSE is not selected")
        return
    pin = bench.pin
    if pin is None or bench.pin_spec is None:
        bench.not_covered("CHANGE PIN", bench.no_pin)
        return
    other, wrong = _others(pin)
    full = bench.pin_spec.tries
    yield from bench.expect("all tries are told", _verify(None), f"63C{full:X}")
    if full > LEAST_TRIES:
        yield from bench.expect("a wrong PIN costs a try", _verify(wrong), f"63C{full - 1:X}")
        yield from bench.expect("the right one gives it back", _verify(pin), "9000")
        yield from bench.expect("all tries are told again", _verify(None), f"63C{full:X}")
        yield from bench.expect("a change with a wrong old PIN costs a try", _change(wrong, other), f"63C{full - 1:X}")
        yield from bench.expect("the right one gives it back again", _verify(pin), "9000")
    yield from _check_lengths(bench, pin)
    yield from _check_there_and_back(bench, pin, other)


def _check_lengths(bench: Bench, pin: Pin) -> Script[None]:
    """PINs that are shorter or longer than the card takes are refused; one that was taken is changed back."""
    limits = bench.pin_spec
    assert limits is not None  # noqa: S101 - the caller has looked
    for size in (limits.min_bytes - 1, limits.max_bytes + 1):
        strange = b"\x11" * size
        command = CommandApdu(0x80, 0x5E, 0x01, 0x00, pin.reveal() + b"\xff" + strange)
        response = yield from bench.expect(f"a PIN of {size} bytes is refused", command, "6700", "6A80")
        if response.sw.ok:
            back = CommandApdu(0x80, 0x5E, 0x01, 0x00, strange + b"\xff" + pin.reveal())
            yield from bench.expect("it is changed back", back, "9000")
    yield from bench.expect("no PIN was changed", _verify(pin), "9000")


def _check_there_and_back(bench: Bench, pin: Pin, other: Pin) -> Script[None]:
    changed = yield from bench.expect("the PIN is changed", _change(pin, other), "9000")
    if changed.sw.ok:
        # The new one is shown before the old one is tried, so that no try is missing when that is refused.
        shown = yield from bench.expect("the new PIN is right", _verify(other), "9000")
        if shown.sw.ok:
            asked = yield _verify(None)
            if (asked.sw.tries_left or 0) >= LEAST_TRIES:
                yield from bench.expect("the old PIN is wrong", _verify(pin), "63CX")
            yield from bench.expect("it is changed back", _change(other, pin), "9000")
    yield from _put_back(bench, pin)


def _put_back(bench: Bench, pin: Pin) -> Script[None]:
    """The PIN is the card's own, by RELOAD PIN when nothing else brought it back."""
    asked = yield _verify(None)
    if (asked.sw.tries_left or 0) >= LEAST_TRIES:
        response = yield from bench.expect("the PIN is what it was", _verify(pin), "9000")
        if response.sw.ok:
            return
    if bench.keys is not None and (yield from give_tries_back(bench)):
        try:
            yield from reload_pin(bench.keys, pin)
        except CardRefused as refusal:
            bench.failed("RELOAD PIN brings the PIN back", "9000", str(refusal.sw), refusal.sw.meaning)
            bench.pin, bench.no_pin = None, "the PIN could not be put back"


def _others(pin: Pin) -> tuple[Pin, Pin]:
    first, second, *_ = (other for digits in _WANTED if (other := Pin.of(digits)) != pin)
    return first, second


def _verify(pin: Pin | None) -> CommandApdu:
    return CommandApdu(0x00, 0x20, 0x00, 0x00, b"" if pin is None else pin.reveal())


def _change(old: Pin, new: Pin) -> CommandApdu:
    return CommandApdu(0x80, 0x5E, 0x01, 0x00, old.reveal() + b"\xff" + new.reveal())
