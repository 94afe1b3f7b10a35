"""The types that a card profile is made of. All sizes are bytes, all references as they stand in P2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import NamedTuple

from kaguan.apdu import textcodec
from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.errors import ProfileError
from kaguan.apdu.instruction import CommandSet
from kaguan.apdu.tlv import record
from kaguan.card_os.profile.keydata import TYPE_OF_USAGE
from kaguan.card_os.profile.medical import MedicalRules
from kaguan.card_os.profile.module import ModuleRules
from kaguan.card_os.profile.native import Native
from kaguan.card_os.profile.purse import AfterTransaction, CompositeSuffix, OverdraftLog, PurseSettings
from kaguan.card_os.profile.reset import with_check_byte
from kaguan.card_os.profile.rules import NEVER, AccessRule
from kaguan.card_os.profile.wire import Wire
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage


class FileKind(IntEnum):
    """Elementary file structures, numbered like the file descriptor byte of ISO/IEC 7816-4, table 12."""

    TRANSPARENT = 0x01
    LINEAR_FIXED = 0x02
    LINEAR_VARIABLE = 0x05  # simple-TLV records
    CYCLIC = 0x06


class Confidence(StrEnum):
    """What kind of evidence there is for a part of a profile."""

    STANDARD = "A"  # the standard's own text
    DRIVERS = "B"  # shipping drivers, scripts or traces, usually two or more that do not know each other
    ONE_SOURCE = "C"
    INFERRED = "INF"
    GUESS = "GUESS"  # nothing public says anything
    MEASURED = "MEAS"  # recomputed from published figures


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
    DEACTIVATED = "6283"  # with the FCI
    SHOWN = "fci-6A81"  # with the FCI


class Authentication(StrEnum):
    """How INTERNAL and EXTERNAL AUTHENTICATE use a key."""

    PROCESS_KEY = "process-key"  # through a key made for the occasion (LD/T 32.5)
    DIRECT = "direct"  # the challenge enciphered by the key itself (JR/T 0025.2)


class VersionByte(StrEnum):
    """Where EXTERNAL AUTHENTICATE names the version of its key."""

    FIRST = "first"  # in front of the cryptogram
    LAST = "last"  # behind the original


class Unasked(StrEnum):
    """What comes of an answer that the command asked for with no Le."""

    WAITS = "61xx"  # for GET RESPONSE, as T=0 has it
    GIVEN = "given"  # at once, as T=1 and contactless cards do


SOCIAL_SECURITY = CommandSet.BASIC | CommandSet.SOCIAL | CommandSet.CREATION | CommandSet.PURSE


class Behaviour(NamedTuple):
    """Where real cards differ, or public evidence ends, and a site chooses."""

    commands: CommandSet = SOCIAL_SECURITY
    authentication: Authentication = Authentication.PROCESS_KEY
    messaging: Scheme = Scheme.SSC
    log_sequence: LogSequence = LogSequence.BEFORE
    blocked_select: BlockedSelect = BlockedSelect.NOT_SUPPORTED
    nothing_waiting: int = 0x6985
    unasked: Unasked = Unasked.WAITS
    local_references: bool = False
    native: Native = Native()
    medical: MedicalRules = MedicalRules()
    module: ModuleRules = ModuleRules()
    not_begun: int = 0x6901
    after_transaction: AfterTransaction = AfterTransaction.KEPT
    composite_suffix: CompositeSuffix = CompositeSuffix.NONE
    overdraft_log: OverdraftLog = OverdraftLog.ZERO
    sm4: bool = False
    key_tries_told: bool = False  # EXTERNAL AUTHENTICATE without data answers 63Cx
    version_byte: VersionByte = VersionByte.FIRST
    one_internal_key: bool = True  # it deciphers and makes MACs where there is no key for that
    purse: PurseSettings = PurseSettings()
    wire: Wire = Wire()
    internal_select: int = 0x6A82  # SELECT of a purse or a key file


@dataclass(frozen=True, slots=True)
class CodeList:
    """The values of a field. `closed`: no other value is good; without values it is kept by its standard."""

    name: str
    title: str
    standard: str
    values: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False
    confidence: Confidence = Confidence.INFERRED


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field: its tag, format and width in bytes; `record` is its first record, from 1, `count` how many it fills.

    A nested field (format `tlv`) has `inner` fields. The fields of a record without tags have the tag 0.
    """

    tag: int
    name: str
    format: FieldFormat
    width: int
    record: int
    title: str = ""
    example: str = ""
    count: int = 1
    codes: str = ""
    inner: tuple[FieldSpec, ...] = ()
    confidence: Confidence = Confidence.INFERRED
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)  # a profile is loaded once: identity is quick, and right
class FileSpec:
    """An elementary file. `record_size` and `record_count` are 0 where the kind has none; `content` and `records` are
    those of the test card, `filled` says that a cyclic file begins with records of zeros. `layout` is that of a record
    without tags; a `directory` lists the applications below; an `optional` file may be made without records.
    `update_mac` says that it is updated with a MAC under the maintenance key `update_key`."""

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
    content: bytes = b""
    records: tuple[bytes, ...] = ()
    filled: bool = False
    update_mac: bool = False
    update_key: int = 0
    layout: tuple[FieldSpec, ...] = ()
    directory: bool = False
    optional: bool = False
    confidence: Confidence = Confidence.INFERRED
    rule_confidence: Confidence = Confidence.INFERRED
    note: str = ""

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
    """A key: `reference` as in P2 or in the key index of a purse command; `psam` and `hsm` are its addresses there;
    `value` is that of the test card, published, where it is not diversified from a test master."""

    dedicated: str
    reference: int
    label: str
    usage: Usage
    tries: int = 0
    psam: str = ""
    hsm: str = ""
    version: int = 0
    value: bytes = field(default=b"", repr=False)
    algorithm: Algorithm = Algorithm.TDES
    confidence: Confidence = Confidence.INFERRED
    note: str = ""

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
    value: bytes = field(default=b"", repr=False)
    confidence: Confidence = Confidence.INFERRED
    note: str = ""


@dataclass(frozen=True, slots=True)
class PurseSpec:
    """A purse: its type byte (01 deposit, 02 purse), the file of its log, and who may use it.

    `load_log` is the log of loads, when they have their own; `composite` the file of composite purchases.
    """

    dedicated: str
    type: int
    log: str
    log_layout: LogLayout
    load: AccessRule
    purchase: AccessRule
    balance: AccessRule
    max_balance_fen: int
    unload: AccessRule = NEVER
    cash: AccessRule = NEVER
    overdraft: AccessRule = NEVER
    load_log: str = ""
    composite: str = ""
    confidence: Confidence = Confidence.INFERRED
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class DedicatedSpec:
    """A dedicated file (application). `proprietary` is the content of A5 in its FCI, after which the file `shown_sfi`
    stands as 9F0C."""

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
    shown_sfi: int = 0
    unblock_key: int = 0xFF
    label: str = ""
    confidence: Confidence = Confidence.INFERRED
    note: str = ""


class FilesMade(StrEnum):
    """Which files get records when a card is made."""

    ALL = "all"
    ORDERED = "ordered"  # optional ones only when the order brings something for them


@dataclass(frozen=True, slots=True)
class Variant:
    """What one region or maker does otherwise, chosen with the profile: `ssc-v2+pin-tries-6`."""

    name: str
    title: str
    confidence: Confidence


@dataclass(frozen=True, eq=False)
class CardProfile:
    """One generation of cards.

    `confidence` is that of each setting by its dotted name; `absent` are the fields, by (DF, EF, tag), that the
    generation it is described from has and it has not.
    """

    name: str
    title: str
    specification: str
    atr_prefix: bytes
    historical_bytes: bytes
    dedicated: tuple[DedicatedSpec, ...]
    behaviour: Behaviour = field(default_factory=Behaviour)
    defaults: Mapping[str, str] = field(default_factory=dict)
    algorithm: Algorithm = Algorithm.TDES
    files_made: FilesMade = FilesMade.ALL
    codes: Mapping[str, CodeList] = field(default_factory=dict)
    variants: tuple[Variant, ...] = ()
    confidence: Mapping[str, Confidence] = field(default_factory=dict)
    absent: frozenset[tuple[str, str, int]] = frozenset()

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
        key = self._first_keys.get(master_label)
        if key is None:
            raise ProfileError(f"profile {self.name} has no key {master_label}")
        return key

    @cached_property
    def _first_keys(self) -> Mapping[str, KeySpec]:
        return {key.master_label: key for key in reversed([*self.keys()])}

    def keys(self) -> Iterator[KeySpec]:
        """Every key, in the order in which they are written."""
        return (key for spec in self.dedicated for key in spec.keys)

    def path(self, name: str) -> bytes:
        """The FIDs from the root to this dedicated file, two bytes each."""
        spec = self.by_name[name]
        return (self.path(spec.parent) if spec.parent else b"") + spec.fid.to_bytes(2, "big")

    @cached_property
    def directories(self) -> Mapping[str, tuple[bytes, ...]]:
        """The records of each dedicated file's directory, one an application right below it: 70 { 61 { 4F the
        application's name, 50 its label } }."""
        listed: dict[str, tuple[bytes, ...]] = {spec.name: () for spec in self.dedicated}
        for spec in self.dedicated:
            if spec.parent:
                entry = record(0x4F, spec.df_name) + record(0x50, textcodec.encode(spec.label))
                listed[spec.parent] += (record(0x70, record(0x61, entry)),)
        return listed

    def atr(self, serial: bytes) -> bytes:
        """The answer to reset of the chip with this serial number, of 6 bytes or, native, 8; TCK where it has one."""
        return with_check_byte(self.atr_prefix + self.historical_bytes + serial)
