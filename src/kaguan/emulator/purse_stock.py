"""The bank's test card: made by its profile to the last byte, with the profile's public keys and PIN."""

from __future__ import annotations

from kaguan.card_os.image import (
    Address,
    CardImage,
    CardKey,
    CardPin,
    Dedicated,
    Elementary,
    Lifecycle,
    Messaging,
    Protection,
    Purse,
    PurseRules,
    key_address,
)
from kaguan.card_os.profile import CardProfile, DedicatedSpec, FileKind, FileSpec, KeySpec, PinSpec, PurseSpec

ERASED = b"\xff"


def purse_card(profile: CardProfile, serial: bytes) -> CardImage:
    """The card with this 6-byte serial number: personalised, sealed, without money."""
    dedicated: dict[Address, Dedicated] = {}
    files: dict[Address, Elementary] = {}
    keys: dict[Address, tuple[CardKey, ...]] = {}
    pins: dict[Address, CardPin] = {}
    purses: dict[Address, Purse] = {}
    for spec in profile.dedicated:
        here = profile.path(spec.name)
        dedicated[here] = _dedicated(spec)
        for file in spec.files:
            files[here + file.fid.to_bytes(2, "big")] = _elementary(file)
        for key in spec.keys:
            at = key_address(here, key.usage, key.reference)
            keys[at] = (*keys.get(at, ()), _key(key))
        for pin in spec.pins:
            pins[here + bytes((pin.reference,))] = _pin(pin)
        for purse in spec.purses:
            purses[here + bytes((purse.type,))] = Purse(_rules(here, purse), 0, 0, 0, None)
    return CardImage(profile.name, profile.atr(serial), Lifecycle.ACTIVATED, dedicated, files, keys, pins, purses)


def _dedicated(spec: DedicatedSpec) -> Dedicated:
    return Dedicated(
        spec.df_name,
        spec.proprietary,
        spec.lock_key,
        spec.messaging_key,
        Lifecycle.ACTIVATED,
        shown_sfi=spec.shown_sfi,
        unblock_key=spec.unblock_key,
    )


def _elementary(file: FileSpec) -> Elementary:
    transparent = file.kind is FileKind.TRANSPARENT
    update = Messaging.MAC if file.update_mac else Messaging.NONE
    return Elementary(
        kind=file.kind,
        read=file.read,
        update=file.update,
        size=file.size if transparent else file.record_count,
        record_size=file.record_size,
        content=file.content.ljust(file.size, ERASED) if transparent else b"",
        records=(bytes(file.record_size),) * file.record_count if file.filled else file.records,
        protection=Protection(update=update, update_key=file.update_key),
    )


def _key(spec: KeySpec) -> CardKey:
    return CardKey(spec.usage, spec.reference, spec.version, spec.algorithm, spec.value, spec.tries, spec.tries)


def _pin(spec: PinSpec) -> CardPin:
    limits = (spec.tries, spec.tries, spec.min_bytes, spec.max_bytes)
    return CardPin(spec.reference, spec.value, *limits, spec.unblock_key, spec.messaging_key)


def _rules(here: Address, spec: PurseSpec) -> PurseRules:
    return PurseRules(
        log=_file(here, spec.log),
        log_layout=spec.log_layout,
        load=spec.load,
        purchase=spec.purchase,
        balance=spec.balance,
        max_balance_fen=spec.max_balance_fen,
        unload=spec.unload,
        cash=spec.cash,
        overdraft=spec.overdraft,
        load_log=_file(here, spec.load_log),
        composite=_file(here, spec.composite),
    )


def _file(here: Address, fid: str) -> Address:
    return here + bytes.fromhex(fid) if fid else b""
