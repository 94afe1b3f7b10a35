"""Read a card profile from TOML; whatever it does not understand, it refuses."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from kaguan.apdu.errors import ProfileError
from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.profile.inherit import VARIANT_MARK, inherited, removed_fields, with_variants
from kaguan.card_os.profile.medical import parse_medical_rules
from kaguan.card_os.profile.model import (
    Authentication,
    Behaviour,
    BlockedSelect,
    CardProfile,
    Confidence,
    DedicatedSpec,
    FileKind,
    FilesMade,
    FileSpec,
    KeySpec,
    LogLayout,
    LogSequence,
    PinSpec,
    PurseSpec,
    Unasked,
    VersionByte,
)
from kaguan.card_os.profile.module import parse_module_rules
from kaguan.card_os.profile.native import parse_native
from kaguan.card_os.profile.parts import check_fields, parse_codes, parse_fields, parse_variants
from kaguan.card_os.profile.purse import AfterTransaction, CompositeSuffix, OverdraftLog, parse_purse_settings
from kaguan.card_os.profile.rules import LOCAL, parse_rule
from kaguan.card_os.profile.settings import settings_of
from kaguan.card_os.profile.shape import check_names
from kaguan.card_os.profile.wire import parse_wire
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage

Table = Mapping[str, Any]

SHOWN_ALGORITHM = bytes.fromhex("9F0C038601")  # and the algorithm's mark (LD/T 32, third specification)
ALGORITHM_MARKS = {Algorithm.TDES: 0x01, Algorithm.SM4: 0x03}  # 02 is SSF33
_APPLICATION_USAGES = (Usage.INTERNAL_AUTHENTICATION, Usage.EXTERNAL_AUTHENTICATION, Usage.MESSAGING)
_PURSE_USAGES = (
    *(Usage.LOAD, Usage.PURCHASE, Usage.UNLOAD, Usage.OVERDRAFT, Usage.TAC),
    *(Usage.APPLICATION_MAINTENANCE, Usage.PIN_UNBLOCK),
)

KEY_TRIES = 8
"""How often a key may be presented wrongly where a profile does not say."""

_NAMES = ("ssc-v1", "ssc-v2", "ssc-v3", "fmcos-blank", "pboc-purse", "cjt-purse", "psam")


def profile_names() -> tuple[str, ...]:
    """The profiles that come with Kaguan."""
    return _NAMES


@cache
def load_profile(name: str) -> CardProfile:
    """The profile of that name that comes with Kaguan, with the variants named after it: `ssc-v2+pin-tries-6`.

    Raises:
        ProfileError: there is none, or it contradicts itself.
    """
    base, *variants = name.split(VARIANT_MARK)
    return parse_profile(_text(base), file=f"{base}.toml", variants=tuple(variants))


def parse_profile(text: str, *, file: str = "", variants: tuple[str, ...] = ()) -> CardProfile:
    """The profile that this TOML text describes, with these variants of it in force.

    It may be the difference from one that comes with Kaguan: `extends = "ssc-v2"`.

    Raises:
        ProfileError: no TOML, an unknown or missing name, a wrong value, a reference to nothing.
    """
    try:
        own = _table(text, file)
        whole = inherited(own, _shipped)
        base = whole_table(own["extends"]) if "extends" in own else whole
        top = with_variants(whole, variants)
        profile = _profile(top, removed_fields(base, whole))
        _check(profile, top)
    except KeyError as error:
        raise ProfileError(f"{error.args[0]} is missing", file=file) from None
    except (ValueError, TypeError) as error:
        raise ProfileError(str(error), file=file) from None
    except ProfileError as error:
        raise ProfileError(error.message, file=error.file or file, line=error.line) from None
    return profile


def _text(name: str) -> str:
    if name not in _NAMES:
        raise ProfileError(f"there is no profile '{name}': choose one of {', '.join(_NAMES)}", file=name)
    raw = pkgutil.get_data(__package__, f"{name}.toml")
    if raw is None:
        raise ProfileError("the profile's file is missing from the installation", file=name)
    return raw.decode()


def whole_table(name: str) -> Table:
    """The TOML of a profile that comes with Kaguan, with all that it extends.

    Raises:
        ProfileError: there is none of that name.
    """
    return inherited(_shipped(name), _shipped)


@cache
def _shipped(name: str) -> Table:
    # whoever joins tables makes new ones: what is read once serves every profile that extends it
    return _table(_text(name), f"{name}.toml")


def _table(text: str, file: str) -> Table:
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(str(error), file=file) from None
    check_names(top, text, file)
    return top


def _profile(top: Table, absent: frozenset[tuple[str, str, int]]) -> CardProfile:
    reset = top["answer_to_reset"]
    security = _Security.parse(top.get("security", {}))
    return CardProfile(
        name=top["name"],
        title=top["title"],
        specification=top["specification"],
        atr_prefix=bytes.fromhex(reset["prefix"]),
        historical_bytes=bytes.fromhex(reset["chip_maker"] + reset["cos"] + reset["card_maker"]),
        dedicated=tuple(_dedicated(table, security) for table in top["df"]),
        behaviour=_behaviour(top.get("behaviour", {})),
        defaults=dict(top.get("defaults", {})),
        algorithm=security.algorithm,
        files_made=FilesMade(top.get("personalization", {}).get("files", FilesMade.ALL)),
        codes=parse_codes(top.get("codes", {})),
        variants=parse_variants(top.get("variant", [])),
        confidence={name: Confidence(value) for name, value in top.get("confidence", {}).items()},
        absent=absent,
    )


def _behaviour(table: Table) -> Behaviour:
    _refuse_unknown(table, Behaviour._field_defaults, "behaviour")
    default = Behaviour()
    commands = CommandSet(0)
    for name in table.get("commands", ()):
        commands |= CommandSet[name.upper().replace("-", "_")]
    return Behaviour(
        commands=commands or default.commands,
        authentication=Authentication(table.get("authentication", default.authentication)),
        messaging=Scheme(table.get("messaging", default.messaging)),
        log_sequence=LogSequence(table.get("log_sequence", default.log_sequence)),
        blocked_select=BlockedSelect(table.get("blocked_select", default.blocked_select)),
        nothing_waiting=int(table.get("nothing_waiting", f"{default.nothing_waiting:04X}"), 16),
        medical=parse_medical_rules(table.get("medical", {})),
        module=parse_module_rules(table.get("module", {})),
        unasked=Unasked(table.get("unasked", default.unasked)),
        local_references=table.get("local_references", default.local_references),
        native=parse_native(table.get("native", {})),
        not_begun=int(table.get("not_begun", f"{default.not_begun:04X}"), 16),
        after_transaction=AfterTransaction(table.get("after_transaction", default.after_transaction)),
        composite_suffix=CompositeSuffix(table.get("composite_suffix", default.composite_suffix)),
        overdraft_log=OverdraftLog(table.get("overdraft_log", default.overdraft_log)),
        sm4=table.get("sm4", default.sm4),
        key_tries_told=table.get("key_tries_told", default.key_tries_told),
        version_byte=VersionByte(table.get("version_byte", default.version_byte)),
        one_internal_key=table.get("one_internal_key", default.one_internal_key),
        purse=parse_purse_settings(table.get("purse", {})),
        wire=parse_wire(table.get("wire", {})),
        internal_select=int(table.get("internal_select", f"{default.internal_select:04X}"), 16),
    )


def _refuse_unknown(table: Table, known: Mapping[str, object], where: str) -> None:
    for name in table:
        if name not in known:
            raise ProfileError(f"{where} has no setting '{name}': it has {', '.join(known)}")


def _dedicated(table: Table, security: _Security) -> DedicatedSpec:
    name = table["name"]
    shown = SHOWN_ALGORITHM + bytes((ALGORITHM_MARKS[security.algorithm],)) if table.get("algorithm_shown") else b""
    return DedicatedSpec(
        name=name,
        fid=int(table["fid"], 16),
        df_name=bytes.fromhex(table["df_name"]),
        parent=table.get("parent", ""),
        title=table.get("title", ""),
        proprietary=bytes.fromhex(table.get("proprietary", "")) + shown,
        lock_key=table.get("lock_key", 0xFF),
        messaging_key=table.get("messaging_key", 0xFF),
        files=tuple(_file(name, entry) for entry in table.get("file", ())),
        keys=tuple(key for entry in table.get("key", ()) for key in _keys(name, entry, security)),
        pins=tuple(
            PinSpec(
                name,
                entry["id"],
                entry["tries"],
                entry["min_bytes"],
                entry["max_bytes"],
                entry["unblock_key"],
                entry["messaging_key"],
                bytes.fromhex(entry.get("value", "")),
                Confidence(entry.get("confidence", Confidence.INFERRED)),
                entry.get("note", ""),
            )
            for entry in table.get("pin", ())
        ),
        purses=tuple(_purse(name, entry) for entry in table.get("purse", ())),
        shown_sfi=table.get("shown_sfi", 0),
        unblock_key=table.get("unblock_key", 0xFF),
        label=table.get("label", ""),
        confidence=Confidence(table.get("confidence", Confidence.INFERRED)),
        note=table.get("note", ""),
    )


class _Security(NamedTuple):
    """What keys are where they do not say it themselves: `purse` those of money and of the issuer's scripts."""

    algorithm: Algorithm
    purse: Algorithm
    key_tries: int

    @classmethod
    def parse(cls, table: Table) -> _Security:
        return cls(
            Algorithm(table.get("algorithm", Algorithm.TDES)),
            Algorithm(table.get("purse", Algorithm.TDES)),
            table.get("key_tries", KEY_TRIES),
        )

    def of(self, usage: Usage) -> Algorithm:
        """The algorithm of keys with this usage; how others work under another than 3DES is not public."""
        if usage in _APPLICATION_USAGES:
            return self.algorithm
        return self.purse if usage in _PURSE_USAGES else Algorithm.TDES


def _keys(dedicated: str, entry: Table, security: _Security) -> Iterator[KeySpec]:
    """The key in each of its versions."""
    usage = Usage(entry["usage"])
    for version in entry.get("versions", (entry.get("version", 0),)):
        yield KeySpec(
            dedicated,
            entry["id"],
            entry["label"],
            usage,
            entry.get("tries", security.key_tries),
            entry.get("psam", ""),
            entry.get("hsm", ""),
            version,
            bytes.fromhex(entry.get("value", "")),
            Algorithm(entry.get("algorithm", security.of(usage))),
            Confidence(entry.get("confidence", Confidence.INFERRED)),
            entry.get("note", ""),
        )


def _file(dedicated: str, table: Table) -> FileSpec:
    confidence = Confidence(table.get("confidence", Confidence.INFERRED))
    return FileSpec(
        dedicated=dedicated,
        name=table["name"],
        kind=FileKind[table["kind"].upper().replace("-", "_")],
        read=parse_rule(table["read"]),
        update=parse_rule(table["update"]),
        title=table.get("title", ""),
        size=table.get("size", 0),
        record_size=table.get("record_size", 0),
        record_count=table.get("record_count", 0),
        fields=parse_fields(table.get("fields", []), confidence),
        photo=table.get("photo", False),
        content=bytes.fromhex(table.get("content", "")),
        records=tuple(map(bytes.fromhex, table.get("records", ()))),
        filled=table.get("filled", False),
        update_mac=table.get("update_mac", False),
        update_key=table.get("update_key", 0),
        layout=parse_fields(table.get("layout", []), confidence),
        directory=table.get("directory", False),
        optional=table.get("optional", False),
        confidence=confidence,
        rule_confidence=Confidence(table.get("rule_confidence", confidence)),
        note=table.get("note", ""),
    )


def _purse(dedicated: str, table: Table) -> PurseSpec:
    return PurseSpec(
        dedicated=dedicated,
        type=table["type"],
        log=table["log"],
        log_layout=LogLayout(table["log_layout"]),
        load=parse_rule(table["load"]),
        purchase=parse_rule(table["purchase"]),
        balance=parse_rule(table["balance"]),
        max_balance_fen=table["max_balance_fen"],
        unload=parse_rule(table.get("unload", "never")),
        cash=parse_rule(table.get("cash", "never")),
        overdraft=parse_rule(table.get("overdraft", "never")),
        load_log=table.get("load_log", ""),
        composite=table.get("composite", ""),
        confidence=Confidence(table.get("confidence", Confidence.INFERRED)),
        note=table.get("note", ""),
    )


def _check(profile: CardProfile, top: Table) -> None:
    known = dict(settings_of(top))
    for setting in profile.confidence:
        if setting not in known:
            raise ProfileError(f"confidence speaks of the setting '{setting}', which the profile does not have")
    for spec in profile.dedicated:
        if spec.parent and spec.parent not in profile.by_name:
            raise ProfileError(f"{spec.name} lies in {spec.parent}, which the profile does not have")
        names = [file.name for file in spec.files]
        if len(set(names)) != len(names):
            raise ProfileError(f"{spec.name} has two files of one name")
        for purse in spec.purses:
            for log in filter(None, (purse.log, purse.load_log, purse.composite)):
                profile.file(spec.name, log)
        _check_references(profile, spec)
        _check_algorithms(profile, spec)
        for file in spec.files:
            check_fields(profile, file)


def _check_references(profile: CardProfile, spec: DedicatedSpec) -> None:
    """A global reference is one right in a whole application, so no file below may give it to another key."""
    above = profile.by_name.get(spec.parent)
    while above is not None:
        taken = {key.reference for key in above.keys if key.usage is Usage.EXTERNAL_AUTHENTICATION}
        for key in spec.keys:
            if key.usage is Usage.EXTERNAL_AUTHENTICATION and not key.reference & LOCAL and key.reference in taken:
                raise ProfileError(
                    f"{spec.name} has a key {key.reference:02X} of its own, and {above.name} has one too"
                )
        above = profile.by_name.get(above.parent)


def _check_algorithms(profile: CardProfile, spec: DedicatedSpec) -> None:
    """Where no public text says how a key works under SM4, nothing is guessed."""
    silent = {Usage.PIN_RELOAD, Usage.DECIPHERMENT}
    if profile.behaviour.authentication is Authentication.DIRECT:
        silent |= set(_APPLICATION_USAGES)
    for key in spec.keys:
        if key.algorithm is Algorithm.SM4 and key.usage in silent:
            raise ProfileError(f"{key.master_label}: nothing public says how a key for {key.usage} works under SM4")
