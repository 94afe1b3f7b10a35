"""The types that a card profile is made of. All sizes are bytes, all references as they stand in P2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import NamedTuple

from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.errors import ProfileError
from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.profile.keydata import TYPE_OF_USAGE
from kaguan.card_os.profile.rules import AccessRule
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage


class FileKind(IntEnum):
    """Elementary file structures, numbered like the file descriptor byte of ISO/IEC 7816-4, table 12."""

    TRANSPARENT = 0x01
    LINEAR_FIXED = 0x02
    LINEAR_VARIABLE = 0x05  # simple-TLV records
    CYCLIC = 0x06


class LogLayout(StrEnum):
    """How the card writes a transaction into its log."""

    PBOC = "pboc"  # 23 bytes
    MEDICAL = "medical"  # 28 bytes, LD/T 32 DF04/EF08


class LogSequence(StrEnum):
    """Which transaction number the log shows."""

    BEFORE = "before"
    AFTER = "after"


class BlockedSelect(StrEnum):
    """What SELECT of a blocked application answers."""

    NOT_SUPPORTED = "6A81"
    DEACTIVATED = "6283"


class Authentication(StrEnum):
    """How INTERNAL and EXTERNAL AUTHENTICATE use a key."""

    PROCESS_KEY = "process-key"  # through a key made for the occasion (LD/T 32.5)
    DIRECT = "direct"  # the challenge enciphered by the key itself (JR/T 0025.2)


SOCIAL_SECURITY = CommandSet.BASIC | CommandSet.SOCIAL | CommandSet.CREATION | CommandSet.PURSE


class Behaviour(NamedTuple):
    """Where real cards differ, or public evidence ends, and a site chooses."""

    commands: CommandSet = SOCIAL_SECURITY
    authentication: Authentication = Authentication.PROCESS_KEY
    messaging: Scheme = Scheme.SSC
    log_sequence: LogSequence = LogSequence.BEFORE
    blocked_select: BlockedSelect = BlockedSelect.NOT_SUPPORTED
    nothing_waiting: int = 0x6985


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One record of a TLV file: its tag, format (`an`, `cn`, `b`) and width in bytes; `record` counts from 1."""

    tag: int
    name: str
    format: FieldFormat
    width: int
    record: int
    title: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class FileSpec:
    """An elementary file. `record_size` and `record_count` are 0 where the kind has none."""

    dedicated: str
    name: str
    kind: FileKind
    read: AccessRule
    update: AccessRule
    title: str = ""
    size: int = 0
    record_size: int = 0
    record_count: int = 0
    fields: tuple[FieldSpec, ...] = ()
    photo: bool = False

    @property
    def fid(self) -> int:
        """The file identifier; in this card family it is the name."""
        return int(self.name, 16)

    @property
    def sfi(self) -> int:
        """The short file identifier: the low byte of the FID."""
        return self.fid & 0x1F


@dataclass(frozen=True, slots=True)
class KeySpec:
    """A key: `reference` as in P2 or in the key index of a purse command; `psam` and `hsm` are its addresses there."""

    dedicated: str
    reference: int
    label: str
    usage: Usage
    tries: int = 0
    psam: str = ""
    hsm: str = ""

    @property
    def type(self) -> int:
        """The type byte that the chip files the key under."""
        return TYPE_OF_USAGE[self.usage]

    @property
    def master_label(self) -> str:
        """The name of the master key that the card's key is diversified from, such as `DF01.UK1`."""
        return f"{self.dedicated}.{self.label}"


@dataclass(frozen=True, slots=True)
class PinSpec:
    """A PIN: `unblock_key` must be authenticated, `messaging_key` protects the command."""

    dedicated: str
    reference: int
    tries: int
    min_bytes: int
    max_bytes: int
    unblock_key: int
    messaging_key: int


@dataclass(frozen=True, slots=True)
class PurseSpec:
    """A purse: its type byte (01 deposit, 02 purse), the file of its log, and who may use it."""

    dedicated: str
    type: int
    log: str
    log_layout: LogLayout
    load: AccessRule
    purchase: AccessRule
    balance: AccessRule
    max_balance_fen: int


@dataclass(frozen=True, slots=True)
class DedicatedSpec:
    """A dedicated file (application). `proprietary` is the content of A5 in its FCI."""

    name: str
    fid: int
    df_name: bytes
    parent: str = ""
    title: str = ""
    proprietary: bytes = b""
    lock_key: int = 0xFF
    messaging_key: int = 0xFF
    files: tuple[FileSpec, ...] = ()
    keys: tuple[KeySpec, ...] = ()
    pins: tuple[PinSpec, ...] = ()
    purses: tuple[PurseSpec, ...] = ()


@dataclass(frozen=True)
class CardProfile:
    """One generation of cards."""

    name: str
    title: str
    specification: str
    atr_prefix: bytes
    historical_bytes: bytes
    dedicated: tuple[DedicatedSpec, ...]
    behaviour: Behaviour = field(default_factory=Behaviour)
    defaults: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> Mapping[str, DedicatedSpec]:
        """The dedicated files by their names, `SSSE`, `DF01` ..."""
        return {spec.name: spec for spec in self.dedicated}

    @cached_property
    def fields(self) -> Mapping[tuple[str, str, int], tuple[FileSpec, FieldSpec]]:
        """Every field by (DF name, EF name, tag)."""
        return {(file.dedicated, file.name, spec.tag): (file, spec) for file in self.files() for spec in file.fields}

    def files(self) -> Iterator[FileSpec]:
        """Every elementary file, in the order in which they are made."""
        return (file for spec in self.dedicated for file in spec.files)

    def file(self, dedicated: str, name: str) -> FileSpec:
        """The file of that name.

        Raises:
            ProfileError: the profile has no such file.
        """
        for file in self.by_name[dedicated].files if dedicated in self.by_name else ():
            if file.name == name:
                return file
        raise ProfileError(f"profile {self.name} has no file {dedicated}/{name}")

    def key(self, master_label: str) -> KeySpec:
        """The key of that label, such as `SSSE.UK`.

        Raises:
            ProfileError: the profile has no such key.
        """
        for spec in self.dedicated:
            for key in spec.keys:
                if key.master_label == master_label:
                    return key
        raise ProfileError(f"profile {self.name} has no key {master_label}")

    def keys(self) -> Iterator[KeySpec]:
        """Every key, in the order in which they are written."""
        return (key for spec in self.dedicated for key in spec.keys)

    def path(self, name: str) -> bytes:
        """The FIDs from the root to this dedicated file, two bytes each."""
        spec = self.by_name[name]
        return (self.path(spec.parent) if spec.parent else b"") + spec.fid.to_bytes(2, "big")

    def atr(self, serial: bytes) -> bytes:
        """The answer to reset of the chip with this 6-byte serial number."""
        return self.atr_prefix + self.historical_bytes + serial
