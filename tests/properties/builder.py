"""Somebody who makes cards: files, keys and PINs for blank chips and for native cards, sensible ones and odd ones."""

from __future__ import annotations

from functools import cache

from kaguan.apdu.errors import KaguanError
from kaguan.apdu.link import Link
from kaguan.card_os.image import CardKey, Lifecycle
from kaguan.card_os.profile import FREE, NEVER, AccessRule, FileKind, load_profile
from kaguan.card_os.profile.fcp import DF_DESCRIPTOR, LOAD, PURSE_DESCRIPTOR, READ, UPDATE, Fcp
from kaguan.card_os.profile.keydata import TYPE_OF_USAGE, KeyHeader, PinHeader
from kaguan.card_os.profile.rules import pin_right
from kaguan.personalization.preparation.record import PersoRecord, prepare
from kaguan.personalization.specimen import specimen_holder, specimen_keys
from kaguan.personalization.station.recipe import make_card
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.script import converse
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.vault import Usage
from properties.insider import Insider

NATIVE_KEYS = (0x39, 0x36, 0x37, 0x38, 0x34, 0x3E, 0x3F, 0x3D, 0x3C, 0x30, 0x31, 0x32, 0x3A)
NATIVE_FILES = (0x28, 0x2A, 0x2C, 0x2E, 0xA8, 0xE8, 0xEC, 0xAE, 0x2F)
OPEN = (0xF0, 0xF0, 0xF0, 0xF1, 0x0F, 0x95, 0xEF)


@cache
def _prepared(profile: str, atr: bytes) -> tuple[CardKeys, PersoRecord]:
    chosen = load_profile(profile)
    return specimen_keys(chosen, atr), prepare(chosen, specimen_holder(chosen), b"")


def make_whole(link: Link, profile: str) -> None:
    """A blank chip becomes a card by the recipe of the personalization line, as far as it gets."""
    keys, record = _prepared(profile, link.atr)
    try:
        converse(link, make_card(keys, record))
    except KaguanError:
        return


class Builder(Insider):
    """Every method is one step of making."""

    def build(self) -> None:
        """One step for the card's kind: a blank chip's or a native card's."""
        image = self._judge.image
        native = self.random.choice(
            (self._native_file, self._native_file, self._native_key, self._native_key, self._erase)
        )
        if image.lifecycle is not Lifecycle.CREATION:
            native()
            return
        if self.random.random() < 0.3 or not self._judge.session.rights:
            self.authenticate()
        step = self.random.choice((self._file,) * 6 + (self._write_key,) * 5 + (self._records,) * 3 + (self._end,))
        step()

    def _rule(self) -> AccessRule:
        random = self.random
        some = [AccessRule.right(random.choice((4, 5, 0x83, 0x84, pin_right(0)))) for _ in range(4)]
        return random.choice(
            (FREE, FREE, NEVER, some[0], some[0] | some[1], some[0] & some[1], (some[0] | some[1]) & some[2])
        )

    def _file(self) -> None:
        random = self.random
        fid = random.choice((0x3F00, 0xDDF1, 0xDF04, 0xEF05, 0xEF08, random.randrange(0x10000)))
        kind = random.choice((DF_DESCRIPTOR, DF_DESCRIPTOR, PURSE_DESCRIPTOR, *FileKind))
        counted = kind in (FileKind.LINEAR_FIXED, FileKind.CYCLIC)
        purse = bytes((random.choice((1, 2)), 0xEF, 0x08, random.choice((0, 1)))) + random.choice(
            (b"\xff" * 4, b"\x05\xf5\xe0\xff")
        )
        fcp = Fcp(
            descriptor=kind,
            fid=0x3F00 if not self._judge.image.dedicated and random.random() < 0.8 else fid,
            df_name=random.randbytes(random.choice((5, 16, 17))) if kind == DF_DESCRIPTOR else b"",
            size=random.choice((0, 1, 3, 10, 255)) if counted else random.choice((0, 1, 20, 512, 0x7FFF, 0xFFFF)),
            record_size=random.choice((4, 23, 28, 1_000)) if counted else 0,
            proprietary=purse if kind == PURSE_DESCRIPTOR else random.choice((b"", b"\x05\x02")),
            rules={READ: self._rule(), UPDATE: self._rule(), LOAD: self._rule()},
        )
        self.ask(0x00, 0xE0, 0, 0, bytes(fcp))

    def _write_key(self) -> None:
        random = self.random
        transport = self._key(Usage.TRANSPORT)
        if transport is None:
            return
        data = b""
        if random.random() < 0.25:
            data = bytes(PinHeader(0, random.choice((3, 3, 0, 255)), 2, 6, 6, 2)) + random.randbytes(
                random.choice((0, 3, 6, 7))
            )
        else:
            for _ in range(random.choice((1, 1, 3, 10))):
                algorithm = random.choice((Algorithm.TDES, Algorithm.TDES, Algorithm.TDES, Algorithm.SM4))
                usage = random.choice([usage for usage in Usage if usage in TYPE_OF_USAGE])
                header = KeyHeader(
                    usage,
                    random.choice((1, 2, 4, 5, 6, 0x83)),
                    random.choice((0, 0, 1)),
                    algorithm,
                    random.choice((0, 3, 8, 255)),
                )
                data += bytes(header) + random.randbytes(16)
        self.guarded(0x84, 0xD4, 0x01, 0, data, None, encrypted=True, key=transport)

    def _records(self) -> None:
        self.wander()
        for _ in range(self.random.choice((1, 3, 20))):
            self.read_and_write()

    def _end(self) -> None:
        if self.random.random() < 0.4:
            self.ask(0x00, 0xE4, 0, 0)
        elif self.random.random() < 0.4:
            self.ask(0x00, 0xA4, 0, 0, b"\x3f\x00", 256)
            self.ask(0x00, 0x44, 0, 0)

    def _native_file(self) -> None:
        random = self.random
        kind, access = random.choice(NATIVE_FILES), bytes((random.choice(OPEN), random.choice(OPEN)))
        which = random.random()
        if which < 0.15:
            fid = random.choice((b"\x3f\x01", b"\x3f\x02", b"\x00\x11", b"\x3f\x00"))
            data = (
                b"\x38"
                + random.choice((b"\x01\x00", b"\x02\x00", b"\xff\xff"))
                + access
                + b"\x95\xff\xff"
                + random.randbytes(5)
            )
            self.ask(0x80, 0xE0, *fid, data)
            self.ask(0x00, 0xA4, 0, 0, fid, 256)
            return
        if which < 0.3:
            self.ask(0x80, 0xE0, 0, 0, b"\x3f" + random.choice((b"\x00\x40", b"\x01\x8f")) + b"\x95\xf0\xff\xff")
            return
        if kind == 0x2F:
            self.ask(
                0x80,
                0xE0,
                0,
                random.choice((1, 2)),
                b"\x2f\x02\x08" + access[:1] + b"\x00\xff" + bytes((random.choice((0x18, 5, 9)),)),
            )
            return
        size = random.choice((b"\x00\x10", b"\x0a\x17", b"\x03\x04", b"\x01\x20", b"\x04\x00"))
        control = random.choice((0xFF, 0x7F, 0xFC))
        self.ask(
            0x80, 0xE0, 0, random.choice((5, 6, 9, 0x15, 0x18)), bytes((kind,)) + size + access + bytes((0xFF, control))
        )

    def _native_key(self) -> None:
        random = self.random
        kind = random.choice(NATIVE_KEYS)
        reference = random.choice((0, 0, 1, 1, 2))
        messaging = random.choice((0, 0, 0, 0x40, 0x80, 0xC0))
        value = random.randbytes(random.choice((8, 16, 16)))
        second = random.choice((0x33, 0x88, 0x1F, 0x00))
        change = random.choice((0xF0, 0xF4, 0xEF))
        if kind == 0x3A:
            value, change = bytes.fromhex("".join(random.choice("0123456789") for _ in range(12))), 0xEF
        record = (
            bytes((kind | messaging, random.choice(OPEN), change, random.choice((0x01, 0x44, 0xFF)), second)) + value
        )
        p1 = random.choice((0x01, 0x01, kind))
        masters = [key for key in self._keys(Usage.EXTERNAL_AUTHENTICATION) if key.reference == 0]
        if random.random() < 0.5 or not masters:
            self.ask(0x80, 0xD4, p1, reference, record)
            return
        master: CardKey = random.choice(masters)
        self.guarded(0x84, 0xD4, p1, reference, record, None, encrypted=random.random() < 0.7, key=master)

    def _erase(self) -> None:
        if self.random.random() < 0.2:
            self.authenticate()
            self.ask(0x80, 0x0E, 0, 0)
