"""The recipe: every command that turns a blank chip into a sealed card, in order.

Law 1. What a torn run left is told by the chip alone: no files: blank; files and life cycle 01: torn, wiped and begun
anew; anything else is not blank stock and is not touched.
Law 2. Nothing of the card serves before the seal, and the seal is one command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from functools import cache

from kaguan.apdu.command import SHORT_DATA, SHORT_NE, CommandApdu
from kaguan.apdu.errors import RuleBroken
from kaguan.apdu.tlv import record
from kaguan.card_os.profile import CardProfile, DedicatedSpec, FileKind, FileSpec, PurseSpec
from kaguan.card_os.profile.fcp import DF_DESCRIPTOR, LOAD, PURSE_DESCRIPTOR, READ, UPDATE, Fcp
from kaguan.card_os.profile.keydata import KeyHeader, PinHeader
from kaguan.card_os.profile.model import LogLayout
from kaguan.personalization.preparation.record import IDENT_CODE, PersoRecord
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.authentication import authenticate, get_challenge
from kaguan.terminal.conversations.files import CHUNK, select_dedicated
from kaguan.terminal.refusals import CardRefused, FileAbsent
from kaguan.terminal.script import Script, ask
from kaguan.vault.messaging import Scheme
from kaguan.vault.secret import Secret
from kaguan.vault.vault import KeyRef

MASTER_FILE = 0x3F00
TRANSPORT_REFERENCE = 0x00
KEYS_AT_ONCE = 10
"""Keys in one WRITE KEY: what fits into a short command with its padding and MAC."""
ISSUER_CODE = bytes.fromhex("D156000005")
_CREATING = 0x01
Values = Mapping[tuple[str, str, int], tuple[bytes, ...]]
_LAYOUTS = {LogLayout.PBOC: 0, LogLayout.MEDICAL: 1}


class ChipState(Enum):
    """What the chip says of itself before the first write."""

    BLANK = auto()
    TORN = auto()
    USED = auto()


class NotBlank(RuleBroken):
    """The chip is not blank stock: it is somebody's card, or no card of ours."""


def chip_state() -> Script[ChipState]:
    """How far the chip is."""
    select = CommandApdu.of("00A40004", MASTER_FILE.to_bytes(2, "big"), SHORT_NE)
    try:
        fcp = Fcp.parse((yield from ask(select)))
    except FileAbsent:
        return ChipState.BLANK
    except CardRefused:
        return ChipState.USED
    return ChipState.TORN if fcp.lifecycle == _CREATING else ChipState.USED


def make_card(keys: CardKeys, card: PersoRecord) -> Script[bytes]:
    """The blank chip is a sealed card; its card identification code, 16 bytes.

    Raises:
        NotBlank: the chip is neither blank nor a torn run of ours.
        CardRefused: it refuses a command; it is then torn, and `make_card` may be run again.
    """
    state = yield from open_chip(keys)
    ident_code = yield from write_card(keys, card, state)
    yield from seal_card(keys.profile)
    return ident_code


def open_chip(keys: CardKeys) -> Script[ChipState]:
    """The chip takes what we write, and nothing is written yet; whether it is blank or torn.

    Raises:
        NotBlank: it is neither.
        CardRefused: its transport key is another one, or it is no chip of this kind.
    """
    state = yield from chip_state()
    if state is ChipState.USED:
        raise NotBlank("the chip is not blank: take it out, it may be somebody's card")
    keys.vault.prepare(written_keys(keys))  # a vault that is gone is found out before anything is written
    yield from authenticate(keys, keys.transport(), TRANSPORT_REFERENCE)
    return state


def write_card(keys: CardKeys, card: PersoRecord, state: ChipState) -> Script[bytes]:
    """All but the seal is on the chip that `open_chip` has opened; its card identification code, 16 bytes."""
    if state is ChipState.TORN:
        yield from ask(CommandApdu.of("00A40000", MASTER_FILE.to_bytes(2, "big"), SHORT_NE))
        yield from ask(CommandApdu.of("00E40000"))
    ident_code = card_ident_code(keys)
    values = {**card.values, IDENT_CODE: (ident_code,)}
    for spec in keys.profile.dedicated:
        yield from _make_dedicated(keys, spec, values, card)
    return ident_code


def seal_card(profile: CardProfile) -> Script[None]:
    """The card lives: ACTIVATE FILE at its master file, one command."""
    yield from select_dedicated(profile.dedicated[0])
    yield from ask(CommandApdu.of("00440000"))


def written_keys(keys: CardKeys) -> Iterator[KeyRef]:
    """Every key that the recipe writes to this card. Where many chips are known beforehand, a vault prepares all."""
    batches = (batch for spec in keys.profile.dedicated for batch in _key_batches(spec))
    return (keys.ref(master_label, version) for batch in batches for _, master_label, version in batch)


def card_ident_code(keys: CardKeys) -> bytes:
    """卡识别码: city, issuer code, the last 4 bytes of the ATR, and the IRK's MAC over these 12 bytes."""
    city = bytes.fromhex(keys.region)
    body = city + ISSUER_CODE + keys.atr[-4:]
    return body + keys.vault.mac(keys.ref("SSSE.IRK"), body)


def _make_dedicated(keys: CardKeys, spec: DedicatedSpec, values: Values, card: PersoRecord) -> Script[None]:
    if spec.parent:
        yield from select_dedicated(keys.profile.by_name[spec.parent])
    yield from ask(_dedicated_creation(spec))
    for file in spec.files:
        yield from _make_file(keys.profile, file, values, card.photo)
    for purse in spec.purses:
        yield from ask(_purse_creation(purse))
    for batch in _key_batches(spec):
        pieces: list[bytes | KeyRef | Secret] = []
        for header, master_label, version in batch:
            pieces += (header, keys.ref(master_label, version))
        yield from _write_keys(keys, tuple(pieces))
    for pin in spec.pins:
        limits = (pin.tries, pin.min_bytes, pin.max_bytes)
        pin_header = PinHeader(pin.reference, *limits, pin.unblock_key, pin.messaging_key)
        yield from _write_keys(keys, (bytes(pin_header), card.pin))


def _make_file(profile: CardProfile, file: FileSpec, values: Values, photo: bytes) -> Script[None]:
    yield from ask(_file_creation(file))
    entries = [record(address[2], value) for address in _addresses(file) for value in values.get(address, ())]
    if file.directory:
        entries += profile.directories[file.dedicated]
    for batch in _batches(entries):
        yield from ask(CommandApdu(0x00, 0xE2, 0x00, 0x00, batch))
    if file.photo:
        for offset, chunk in _chunks(photo):
            yield from ask(CommandApdu(0x00, 0xD6, offset >> 8, offset & 0xFF, chunk))


@cache
def _key_batches(spec: DedicatedSpec) -> tuple[tuple[tuple[bytes, str, int], ...], ...]:
    """Header, master's label and version of each key, as many together as a command brings."""
    entries = [
        (
            bytes(KeyHeader(key.usage, key.reference, key.version, key.algorithm, key.tries)),
            key.master_label,
            key.version,
        )
        for key in spec.keys
    ]
    return tuple(tuple(entries[start : start + KEYS_AT_ONCE]) for start in range(0, len(entries), KEYS_AT_ONCE))


@cache
def _addresses(file: FileSpec) -> tuple[tuple[str, str, int], ...]:
    """Where the values of the file's fields stand, by (DF, EF, tag)."""
    return tuple((file.dedicated, file.name, spec.tag) for spec in file.fields)


@cache
def _dedicated_creation(spec: DedicatedSpec) -> CommandApdu:
    return _creation(
        Fcp(
            descriptor=DF_DESCRIPTOR,
            fid=spec.fid,
            df_name=spec.df_name,
            proprietary=bytes((spec.lock_key, spec.messaging_key)),
            shown=spec.proprietary,
        )
    )


@cache
def _file_creation(file: FileSpec) -> CommandApdu:
    counted = file.kind in (FileKind.CYCLIC, FileKind.LINEAR_FIXED)
    return _creation(
        Fcp(
            descriptor=file.kind,
            fid=file.fid,
            size=file.record_count if counted else file.size,
            record_size=file.record_size,
            rules={READ: file.read, UPDATE: file.update},
        )
    )


@cache
def _purse_creation(purse: PurseSpec) -> CommandApdu:
    parameters = (
        bytes((purse.type,))
        + bytes.fromhex(purse.log)
        + bytes((_LAYOUTS[purse.log_layout],))
        + purse.max_balance_fen.to_bytes(4, "big")
    )
    return _creation(
        Fcp(
            descriptor=PURSE_DESCRIPTOR,
            fid=purse.type,
            proprietary=parameters,
            rules={READ: purse.balance, UPDATE: purse.purchase, LOAD: purse.load},
        )
    )


def _creation(fcp: Fcp) -> CommandApdu:
    """CREATE FILE: the same on every card of a profile, so whoever calls this remembers it."""
    return CommandApdu(0x00, 0xE0, 0x00, 0x00, bytes(fcp))


def _batches(entries: list[bytes]) -> Iterator[bytes]:
    """The records, as many together as a command holds."""
    batch = b""
    for entry in entries:
        if len(batch) + len(entry) > SHORT_DATA:
            yield batch
            batch = b""
        batch += entry
    if batch:
        yield batch


def _write_keys(keys: CardKeys, pieces: tuple[bytes | KeyRef | Secret, ...]) -> Script[None]:
    """Headers and values in turn are the card's, under the transport key."""
    challenge = yield from get_challenge()
    first, *rest = pieces
    assert isinstance(first, bytes)  # noqa: S101 - the first header
    command = CommandApdu(0x84, 0xD4, 0x01, 0x00, first)
    transport, appendix = keys.transport(), tuple(rest)
    yield from ask(keys.vault.protect(transport, Scheme.PBOC, command, challenge, encrypted=True, append=appendix))


def _chunks(content: bytes) -> Iterator[tuple[int, bytes]]:
    for offset in range(0, len(content), CHUNK):
        yield offset, content[offset : offset + CHUNK]
