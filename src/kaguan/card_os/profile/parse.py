"""Read a card profile from TOML; whatever it does not understand, it refuses."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.errors import ProfileError
from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.profile.model import (
    Authentication,
    Behaviour,
    BlockedSelect,
    CardProfile,
    DedicatedSpec,
    FieldSpec,
    FileKind,
    FileSpec,
    KeySpec,
    LogLayout,
    LogSequence,
    PinSpec,
    PurseSpec,
)
from kaguan.card_os.profile.rules import LOCAL, parse_rule
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage

Table = Mapping[str, Any]

KEY_TRIES = 8  # INF: how often a key may be presented wrongly is not public

_NAMES = ("ssc-v2",)


def profile_names() -> tuple[str, ...]:
    """The profiles that come with Kaguan."""
    return _NAMES


@cache
def load_profile(name: str) -> CardProfile:
    """The profile of that name that comes with Kaguan.

    Raises:
        ProfileError: there is none, or it contradicts itself.
    """
    if name not in _NAMES:
        raise ProfileError(f"there is no profile '{name}': choose one of {', '.join(_NAMES)}", file=name)
    raw = pkgutil.get_data(__package__, f"{name}.toml")
    if raw is None:
        raise ProfileError("the profile's file is missing from the installation", file=name)
    return parse_profile(raw.decode(), file=f"{name}.toml")


def parse_profile(text: str, *, file: str = "") -> CardProfile:
    """The profile that this TOML text describes.

    Raises:
        ProfileError: no TOML, an unknown or missing name, a wrong value, a reference to nothing.
    """
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(str(error), file=file) from None
    try:
        profile = _profile(top)
        _check(profile)
    except KeyError as error:
        raise ProfileError(f"{error.args[0]} is missing", file=file) from None
    except (ValueError, TypeError) as error:
        raise ProfileError(str(error), file=file) from None
    except ProfileError as error:
        raise ProfileError(error.message, file=file) from None
    return profile


def _profile(top: Table) -> CardProfile:
    reset = top["answer_to_reset"]
    return CardProfile(
        name=top["name"],
        title=top["title"],
        specification=top["specification"],
        atr_prefix=bytes.fromhex(reset["prefix"]),
        historical_bytes=bytes.fromhex(reset["chip_maker"] + reset["cos"] + reset["card_maker"]),
        dedicated=tuple(_dedicated(table) for table in top["df"]),
        behaviour=_behaviour(top.get("behaviour", {})),
        defaults=dict(top.get("defaults", {})),
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
    )


def _refuse_unknown(table: Table, known: Mapping[str, object], where: str) -> None:
    for name in table:
        if name not in known:
            raise ProfileError(f"{where} has no setting '{name}': it has {', '.join(known)}")


def _dedicated(table: Table) -> DedicatedSpec:
    name = table["name"]
    return DedicatedSpec(
        name=name,
        fid=int(table["fid"], 16),
        df_name=bytes.fromhex(table["df_name"]),
        parent=table.get("parent", ""),
        title=table.get("title", ""),
        proprietary=bytes.fromhex(table.get("proprietary", "")),
        lock_key=table.get("lock_key", 0xFF),
        messaging_key=table.get("messaging_key", 0xFF),
        files=tuple(_file(name, entry) for entry in table.get("file", ())),
        keys=tuple(
            KeySpec(
                name,
                entry["id"],
                entry["label"],
                Usage(entry["usage"]),
                entry.get("tries", KEY_TRIES),
                entry.get("psam", ""),
                entry.get("hsm", ""),
            )
            for entry in table.get("key", ())
        ),
        pins=tuple(
            PinSpec(
                name,
                entry["id"],
                entry["tries"],
                entry["min_bytes"],
                entry["max_bytes"],
                entry["unblock_key"],
                entry["messaging_key"],
            )
            for entry in table.get("pin", ())
        ),
        purses=tuple(_purse(name, entry) for entry in table.get("purse", ())),
    )


def _file(dedicated: str, table: Table) -> FileSpec:
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
        fields=tuple(
            FieldSpec(
                tag=entry["tag"],
                name=entry["name"],
                format=FieldFormat(entry["format"]),
                width=entry["width"],
                record=number,
                title=entry.get("title", ""),
                example=entry.get("example", ""),
            )
            for number, entry in enumerate(table.get("fields", ()), 1)
        ),
        photo=table.get("photo", False),
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
    )


def _check(profile: CardProfile) -> None:
    for spec in profile.dedicated:
        if spec.parent and spec.parent not in profile.by_name:
            raise ProfileError(f"{spec.name} lies in {spec.parent}, which the profile does not have")
        names = [file.name for file in spec.files]
        if len(set(names)) != len(names):
            raise ProfileError(f"{spec.name} has two files of one name")
        for purse in spec.purses:
            profile.file(spec.name, purse.log)
        _check_references(profile, spec)
        for file in spec.files:
            tags = [entry.tag for entry in file.fields]
            if len(set(tags)) != len(tags):
                raise ProfileError(f"{spec.name}/{file.name} has one tag twice")


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
