"""SSSE_SAFETY ... DF07_SAFETY: who may read and update what, found out with each right alone, with none, and with those
that a rule asks for together.

An update writes what was read before. A cyclic file would turn for good, so there the update has a wrong length: with
the right it is refused for that, without it for the right.
"""

from __future__ import annotations

from collections.abc import Iterator

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.profile import CardProfile, DedicatedSpec, FileKind, FileSpec
from kaguan.card_os.profile.rules import LOCAL, PIN_RIGHT
from kaguan.terminal.conformance.bench import (
    ABSENT,
    Bench,
    enter,
    read_first,
    select_identifier,
)
from kaguan.terminal.conformance.rights import entitle, rights_of, take_all
from kaguan.terminal.script import Script

NO_RIGHTS: frozenset[int] = frozenset()
REFUSED = "6982"
NO_RECORD = b"\x00\x00"
FAR_RECORD = 0xFE
"""A record that no file has: a card that adds a record when the first is updated would keep it."""


def combinations(bench: Bench, spec: DedicatedSpec) -> Iterator[tuple[frozenset[int], str]]:
    """The sets of rights to try, with their names: each right alone, those that a rule asks for together, and none."""
    names = dict(rights_of(bench, spec))
    for right, name in names.items():
        yield frozenset({right}), name
    together = {
        rights
        for file in spec.files
        for rule in (file.read, file.update)
        for rights in rule.alternatives
        if len(rights) > 1
    }
    for rights in sorted(together, key=sorted):
        yield rights, " and ".join(names.get(right, f"{right:02X}") for right in sorted(rights, reverse=True))
    yield NO_RIGHTS, "nothing"


def learn(bench: Bench, name: str) -> Script[None]:
    """The first record, or byte, of every file that can be read is known, and which files are absent."""
    spec = bench.profile.by_name[name]
    if not (yield from enter(bench, spec)):
        bench.absent.update((name, file.name) for file in spec.files)
        return
    for file in spec.files:
        if (yield read_first(file)).sw == ABSENT:
            bench.absent.add((name, file.name))
            continue
        if (yield from entitle(bench, spec, file.read)):
            continue
        response = yield read_first(file)
        if response.sw.ok:
            bench.contents[name, file.name] = response.data
        elif response.sw == 0x6A83:
            bench.contents[name, file.name] = NO_RECORD


def check_rights(bench: Bench, name: str, rights: frozenset[int], shown: str) -> Script[None]:
    """Every file of the dedicated file has been read and updated with these rights, as far as its rules allow it."""
    spec = bench.profile.by_name[name]
    if not (yield from enter(bench, spec)):
        bench.not_covered(f"with {shown}", f"{name} is not selected")
        return
    reason = yield from take_all(bench, spec, rights)
    if reason:
        bench.not_covered(f"with {shown}", reason)
        return
    for file in spec.files:
        yield from _check_file(bench, file, rights, shown)


def check_leaving(bench: Bench, name: str) -> Script[None]:
    """What was shown to an application does not outlast it, nor a local key its dedicated file (LD/T 32.5)."""
    spec = bench.profile.by_name[name]
    for right, shown in tuple(rights_of(bench, spec)):
        file = _opened_by(spec, right)
        if file is None or (name, file.name) in bench.absent:
            continue
        for away in _elsewhere(bench.profile, spec, right):
            yield select_identifier(bench.profile.dedicated[0])
            if not (yield from enter(bench, spec)):
                return
            if (yield from take_all(bench, spec, frozenset({right}))):
                break
            if not (yield select_identifier(away)).sw.ok or not (yield from enter(bench, spec)):
                continue
            title = f"{name}/{file.name}: {shown} is forgotten in {away.name}"
            yield from bench.expect(title, read_first(file), REFUSED, evidence=str(file.rule_confidence))


def check_staying(bench: Bench, name: str) -> Script[None]:
    """The PIN shown to the SSSE counts in the dedicated files below it."""
    spec, above = bench.profile.by_name[name], bench.profile.by_name["SSSE"]
    pin = bench.pin_spec
    file = None if pin is None else _opened_by(spec, PIN_RIGHT | pin.reference)
    if pin is None or file is None or spec is above or (name, file.name) in bench.absent:
        return
    if not (yield from enter(bench, above)):
        return
    reason = yield from take_all(bench, above, frozenset({PIN_RIGHT | pin.reference}))
    if reason:
        bench.not_covered(f"the PIN shown to the SSSE counts in {name}", reason)
        return
    if (yield select_identifier(spec)).sw.ok:
        title = f"{name}/{file.name}: the PIN shown to the SSSE counts"
        yield from bench.expect(title, read_first(file), "9000", "6A83", evidence=str(file.rule_confidence))


def _check_file(bench: Bench, file: FileSpec, rights: frozenset[int], shown: str) -> Script[None]:
    where = f"{file.dedicated}/{file.name}"
    address = file.dedicated, file.name
    if address in bench.absent:
        bench.not_covered(f"{where} with {shown}", "the file is absent")
        return
    evidence = str(file.rule_confidence)
    may = file.read.allows(rights)
    words = ("9000", "6A83") if may else (REFUSED,)
    title = f"{where} {'is' if may else 'is not'} read with {shown}"
    yield from bench.expect(title, read_first(file), *words, evidence=evidence)
    may = file.update.allows(rights)
    command, word = _update(file, bench.contents.get(address))
    if command is None:
        bench.not_covered(f"{where} updated with {shown}", "what stands there is not known, so nothing is written")
        return
    title = f"{where} {'is' if may else 'is not'} updated with {shown}"
    yield from bench.expect(title, command, word if may else REFUSED, evidence=evidence)


def _update(file: FileSpec, content: bytes | None) -> tuple[CommandApdu | None, str]:
    """An update that changes nothing, and the status word it gets when it is allowed; none when nothing is known."""
    by_number = file.sfi << 3 | 0x04
    if file.kind is FileKind.CYCLIC:
        return CommandApdu(0x00, 0xDC, 0x01, by_number, bytes(file.record_size + 1)), "6700"
    if content is None:
        return None, ""
    if file.kind is FileKind.TRANSPARENT:
        return CommandApdu(0x00, 0xD6, 0x80 | file.sfi, 0x00, content), "9000"
    if content == NO_RECORD:
        return CommandApdu(0x00, 0xDC, FAR_RECORD, by_number, content), "6A83"
    return CommandApdu(0x00, 0xDC, 0x01, by_number, content), "9000"


def _opened_by(spec: DedicatedSpec, right: int) -> FileSpec | None:
    """A file that this right alone opens for reading."""
    alone = frozenset({right})
    return next((file for file in spec.files if file.read.allows(alone) and not file.read.allows(NO_RIGHTS)), None)


def _elsewhere(profile: CardProfile, spec: DedicatedSpec, right: int) -> Iterator[DedicatedSpec]:
    """Where the right must not survive: the master file, and for a local key the next dedicated file."""
    yield profile.dedicated[0]
    if not right & PIN_RIGHT and right & LOCAL:
        neighbours = [other for other in profile.dedicated if other.parent == spec.parent and other is not spec]
        yield from neighbours[:1]
