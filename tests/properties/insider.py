"""Somebody who knows every key of a card and means it well: conversations that come to something, whatever the card.

He looks into the memory for keys and files, and into the session for where he stands. Others then spoil what he says.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.commands.purse import folded_cipher
from kaguan.card_os.image import CardKey, Elementary
from kaguan.card_os.profile.medical import MedicalItem, composed, shares
from kaguan.card_os.profile.model import Authentication, FileKind
from kaguan.card_os.profile.module import PURCHASE_TYPE
from kaguan.vault.ciphers import BlockCipher, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, session_algorithm, session_key
from kaguan.vault.mac import mac4
from kaguan.vault.messaging import MessagingError, Scheme, protect
from kaguan.vault.vault import Usage
from properties.judge import Judge

TERMINAL = bytes.fromhex("112233445566")
WHEN = bytes.fromhex("20240101120000")
NUMBER = bytes.fromhex("00000007")
ONLINE = {"load": (0x00, 0x52, 0x00), "unload": (0x05, 0x54, 0x03), "overdraft": (0x04, 0x58, 0x00)}
OFFLINE = {"purchase": 0x01, "cash": 0x02, "composite": 0x03}
GUARDED = ((0x24, 0), (0x24, 1), (0x1E, 0), (0x18, 0), (0x16, 0), (0x1E, 1))
GUARDED_WEIGHTS = (8, 8, 4, 8, 1, 1)

Say = Callable[[bytes], bytes]


class Insider:
    """Speaks through `say`, which may spoil what it is given; every method is one conversation."""

    def __init__(self, judge: Judge, say: Say, random: Random) -> None:
        self._judge = judge
        self._say = say
        self.random = random

    def ask(self, cla: int, ins: int, p1: int, p2: int, data: bytes = b"", ne: int | None = None) -> bytes:
        """The answer's data, and what waits behind it, as far as the card gives it."""
        response = self._say(bytes(CommandApdu(cla, ins, p1, p2, data, ne)))
        answer = response[:-2]
        while response[-2] == 0x61 and self.random.random() < 0.9:
            response = self._say(bytes((0x00, 0xC0, 0x00, 0x00, response[-1])))
            answer += response[:-2]
            if len(response) == 2:
                break
        return answer

    def challenge(self, *sizes: int) -> bytes:
        """A new challenge."""
        return self.ask(0x00, 0x84, 0, 0, ne=self.random.choice(sizes or (8, 8, 8, 4, 16)))

    def _keys(self, *usages: Usage) -> list[CardKey]:
        """The keys of these usages that lie where the session stands, or above; all of them when there are none."""
        here, keys = self._judge.session.current, self._judge.image.keys
        found = [
            key for at, versions in keys.items() for key in versions if key.usage in usages and here.startswith(at[:-2])
        ]
        return found or [key for versions in keys.values() for key in versions if key.usage in usages]

    def _key(self, *usages: Usage) -> CardKey | None:
        found = self._keys(*usages)
        return self.random.choice(found) if found else None

    def wander(self) -> None:
        """Somewhere else in the tree."""
        image, random = self._judge.image, self.random
        if not image.dedicated:
            self.ask(0x00, 0xA4, 0, 0, b"\x3f\x00", 256)
            return
        at = random.choice(list(image.dedicated))
        p2 = random.choice((0, 0, 0, 4, 0x0C))
        way = random.randrange(4)
        if way == 0:
            self.ask(0x00, 0xA4, 4, p2, image.dedicated[at].name, random.choice((None, 256)))
        elif way == 1 and len(at) > 2:
            self.ask(0x00, 0xA4, 8, p2, at[2:], 256)
        elif way == 2 and image.files:
            file = random.choice(list(image.files))
            self.ask(0x00, 0xA4, 8, p2, file[2:], 256)
        else:
            for start in range(0, len(at), 2):
                self.ask(0x00, 0xA4, 0, p2, at[start : start + 2], random.choice((None, 256)))

    def enter(self) -> None:
        """Into an application that has a purse, or else anywhere; its PIN verified."""
        image = self._judge.image
        homes = [at[:-1] for at in image.purses] or list(image.dedicated)
        if homes:
            at = self.random.choice(homes)
            for start in range(0, len(at), 2):
                self.ask(0x00, 0xA4, 0, 0, at[start : start + 2], 256)
        self.verify(wrong=0.0)

    def verify(self, wrong: float = 0.2) -> None:
        """A PIN, mostly right."""
        for at, pin in self._judge.image.pins.items():
            value = self.random.randbytes(3) if self.random.random() < wrong else pin.value
            self.ask(0x00, 0x20, 0, at[-1], value)

    def change_pin(self) -> None:
        """Another PIN, at times an odd or a long one."""
        for at, pin in self._judge.image.pins.items():
            digits = "".join(
                self.random.choice("0123456789") for _ in range(self.random.choice((12, 12, 12, 11, 4, 14)))
            )
            new = bytes.fromhex(digits + "f" * (len(digits) % 2))
            self.ask(0x80, 0x5E, 1, at[-1], pin.value + b"\xff" + new)

    def authenticate(self) -> None:
        """A key of the card shown to it."""
        key = self._key(Usage.EXTERNAL_AUTHENTICATION, Usage.TRANSPORT)
        if key is None:
            return
        challenge = self.challenge(8, 8, 8, 4)
        size = key.algorithm.block_size
        if self._judge.behaviour.authentication is Authentication.DIRECT:
            data = cipher(key.value, key.algorithm).encrypt(challenge.ljust(size, b"\0")[:size])
        else:
            original = self.random.randbytes(size)
            worker = _session(key, challenge[:8].ljust(8, b"\0"))
            data = worker.encrypt(original) + original
            if key.version or self.random.random() < 0.1:
                data = bytes((key.version,)) + data
        self.ask(0x00, 0x82, 0, key.reference, data)

    def prove_genuine(self) -> None:
        """INTERNAL AUTHENTICATE with a key that is there."""
        key = self._key(Usage.INTERNAL_AUTHENTICATION, Usage.DECIPHERMENT, Usage.MESSAGING)
        if key is not None:
            size = self.random.choice((8, 16, 24, 32))
            self.ask(0x00, 0x88, self.random.choice((0, 0, 1, 2)), key.reference, self.random.randbytes(size), 256)

    def read_and_write(self) -> None:
        """Every way to read or write a file that is near."""
        image, random = self._judge.image, self.random
        here = self._judge.session.current
        near = [at for at in image.files if at[:-2] == here] or list(image.files)
        if not near:
            return
        at = random.choice(near)
        file = image.files[at]
        sfi = at[-1] & 0x1F
        if random.random() < 0.4:
            self.ask(0x00, 0xA4, 0, 0, at[-2:], 256)
            sfi = 0
        guarded = bool(file.protection.update) and random.random() < 0.8
        for cla, ins, p1, p2, data, ne in self._accesses(file, sfi):
            if guarded:
                self.guarded(0x04, ins, p1, p2, data, ne, encrypted=file.protection.update == 2)
            else:
                self.ask(cla, ins, p1, p2, data, ne)

    def _accesses(self, file: Elementary, sfi: int) -> list[tuple[int, int, int, int, bytes, int | None]]:
        random = self.random
        if file.kind is FileKind.TRANSPARENT:
            offset = random.choice((0, 0, 1, max(file.size - 1, 0), file.size, random.randrange(file.size + 2)))
            p1, p2 = (0x80 | sfi, offset & 0xFF) if sfi else (offset >> 8 & 0x7F, offset & 0xFF)
            data = random.randbytes(random.choice((1, 4, max(file.size - offset, 1), 300)))
            ne = random.choice((None, 1, 256, 256, 65_536, max(file.size - offset, 1)))
            return [(0x00, 0xB0, p1, p2, b"", ne), (0x00, 0xD6, p1, p2, data, None)]
        size = file.record_size or random.choice((0, 1, 20))
        value = random.randbytes(size)
        number = random.choice((0, 1, 1, 2, len(file.records), len(file.records) + 1, 255)) & 0xFF
        if not file.record_size:
            old = file.records[number - 1] if 0 < number <= len(file.records) else b"\xc0\x14" + bytes(20)
            value = random.choice((old[:2] + random.randbytes(len(old) - 2), bytes((0xC0, size)) + value))
        mode = random.choice((4, 4, 4, 5, 0, 3))
        ne = random.choice((256, 256, None, len(value), 65_536))
        return [
            (0x00, 0xB2, number, sfi << 3 | mode, b"", ne or 256),
            (0x00, 0xDC, random.choice((number, 0, 1)), sfi << 3 | random.choice((4, 3, 0)), value, None),
            (0x00, 0xE2, 0, sfi << 3, value, None),
        ]

    def guarded(
        self,
        cla: int,
        ins: int,
        p1: int,
        p2: int,
        data: bytes,
        ne: int | None,
        *,
        encrypted: bool,
        key: CardKey | None = None,
    ) -> None:
        """A command with a MAC, and enciphered at will."""
        key = key or self._key(Usage.APPLICATION_MAINTENANCE, Usage.MESSAGING, Usage.PIN_UNBLOCK)
        if key is None:
            return
        scheme = Scheme.PBOC if key.usage is Usage.TRANSPORT else self._judge.behaviour.messaging
        challenge = self.challenge(8, 8, 8, 4)
        try:
            command = protect(
                cipher(key.value, key.algorithm),
                scheme,
                CommandApdu(cla, ins, p1, p2, data, ne),
                challenge,
                encrypted=encrypted,
            )
        except MessagingError:
            return
        self.ask(*command)

    def maintain(self) -> None:
        """The issuer's commands, each with the key it needs, at times with another."""
        random = self.random
        ((ins, p2),) = random.choices(GUARDED, GUARDED_WEIGHTS)
        here = self._judge.image.dedicated.get(self._judge.session.current)
        usages = {0x24: (Usage.PIN_UNBLOCK, Usage.MESSAGING)}.get(ins, (Usage.APPLICATION_MAINTENANCE, Usage.MESSAGING))
        wanted = {here.messaging_key, here.unblock_key} if here else set()
        fitting = [key for key in self._keys(*usages) if key.reference in wanted or ins == 0x24]
        pin = (
            b""
            if random.random() < 0.3 or ins != 0x24
            else bytes.fromhex("".join(random.choice("0123456789") for _ in range(12)))
        )
        self.guarded(0x84, ins, 0, p2, pin, None, encrypted=bool(pin), key=random.choice(fitting) if fitting else None)

    def reload_pin(self) -> None:
        """RELOAD PIN of a bank."""
        key = self._key(Usage.PIN_RELOAD)
        if key is not None:
            pin = bytes.fromhex("".join(self.random.choice("0123456789") for _ in range(12)))
            self.ask(0x80, 0x5E, 0, 0, pin + mac4(folded_cipher(key), pin))

    def transact(self) -> None:
        """A transaction from the first command to the proof."""
        random = self.random
        purse = random.choice((1, 1, 2))
        amount = random.choice((0, 1, 700, 10_000, 0x7FFF_FFFF, 0xFFFF_FFFF, random.randrange(100_000)))
        sets = self._judge.behaviour.commands
        names = [*ONLINE, *OFFLINE] if CommandSet.BANKING in sets else ["load", "purchase", "medical"]
        name = random.choice(names)
        if name == "medical":
            self._medical(amount)
        elif name in ONLINE:
            self._online(name, purse, amount)
        else:
            self._offline(name, purse, amount)
        number = random.choice((0, 0, 1, 0x7FFF, 0xFFFE))
        self.ask(0x80, 0x5A, 0, random.choice((1, 2, 3, 4, 5, 6, 7, 9, 0x32)), number.to_bytes(2, "big"), 8)
        self.ask(0x80, 0x5C, 0, purse, ne=4)

    def _online(self, name: str, purse: int, amount: int) -> None:
        usage = {"load": Usage.LOAD, "unload": Usage.UNLOAD, "overdraft": Usage.OVERDRAFT}[name]
        key = self._key(usage)
        if key is None:
            return
        p1, ins, end = ONLINE[name]
        money = amount.to_bytes(4, "big")
        body = money if name != "overdraft" else b""
        header = (0xB0, 0x28) if name == "load" and self.random.random() < 0.2 else (0x80, 0x50)
        offer = self.ask(*header, p1, purse, bytes((key.reference,)) + body + TERMINAL, 256)
        if len(offer) < 16:
            return
        worker = _session(key, offer[-8:-4] + offer[4:6] + b"\x80\x00")
        money = money[1:] if name == "overdraft" else money
        code = {"load": purse, "unload": 3, "overdraft": 7}[name]
        fields = money + bytes((code,)) + TERMINAL + WHEN
        data = (money if name == "overdraft" else b"") + WHEN + mac4(worker, fields)
        self.ask(0x80, ins, end, 0, data, self.random.choice((4, 4, None, 256)))

    def _offline(self, name: str, purse: int, amount: int) -> None:
        key = self._key(Usage.PURCHASE)
        if key is None:
            return
        purse = {"cash": 1, "composite": 2}.get(name, purse)
        body = bytes((key.reference,)) + amount.to_bytes(4, "big") + TERMINAL
        offer = self.ask(0x80, 0x50, OFFLINE[name], purse, body, 256)
        if len(offer) < 15:
            return
        code = {"cash": 4, "composite": 9}.get(name, 4 + purse)
        if name == "composite":
            self._cache()
        worker = _session(key, offer[11:15] + offer[4:6] + NUMBER[2:])
        mac1 = mac4(worker, amount.to_bytes(4, "big") + bytes((code,)) + TERMINAL + WHEN)
        self.ask(0x80, 0x54, 1, 0, NUMBER + WHEN + mac1, self.random.choice((8, 8, None)))

    def _cache(self) -> None:
        here = self._judge.session.current
        for at, file in self._judge.image.files.items():
            if at[:-2] == here and file.records and file.kind is not FileKind.CYCLIC:
                number = self.random.randrange(len(file.records))
                record = file.records[number]
                new = record[:2] + self.random.randbytes(len(record) - 2)
                self.ask(0x80, 0xDC, number + 1, (at[-1] & 0x1F) << 3 | 4, new)

    def _medical(self, amount: int) -> None:
        key = self._key(Usage.PURCHASE)
        if key is None:
            return
        amounts = b"".join((fen % 100_000_000).to_bytes(4, "big") for fen in (amount, 5, 9))
        offer = self.ask(0xB0, 0x28, 1, 1, bytes((key.reference,)) + amounts + TERMINAL, 256)
        if len(offer) < 22:
            return
        values = shares(amounts) | {
            MedicalItem.SEQUENCE: offer[14:16],
            MedicalItem.TYPE: b"\x32",
            MedicalItem.TERMINAL: TERMINAL,
            MedicalItem.TERMINAL_NUMBER: NUMBER,
            MedicalItem.WHEN: WHEN,
        }
        worker = _session(key, offer[18:22] + offer[14:16] + NUMBER[2:])
        mac1 = mac4(worker, composed(self._judge.behaviour.medical.mac1, values))
        self.ask(0xB0, 0x2C, 1, 0, NUMBER + WHEN + mac1, 8)

    def use_module(self) -> None:
        """What a terminal asks of its security module."""
        key = self._key(Usage.SECURITY_MODULE)
        if key is None:
            return
        random = self.random
        factors = random.randbytes(8 * (key.version >> 5))
        if key.version & 0x1F == PURCHASE_TYPE or random.random() < 0.3:
            self._sign(key, factors)
            return
        process = random.random() < 0.5
        header = (0xBF, 0xDE) if process else (0x80, 0x1A)
        self.ask(*header, key.version, key.reference, factors + (random.randbytes(8) if process else b""))
        for p1 in random.choice(((0,), (5,), (7,), (3, 1), (7, 7), (3, 3, 1), (0, 0))):
            self.ask(0x80, 0xFA, p1, 0, random.randbytes(random.choice((8, 16, 24, 16, 7))), 256)

    def _sign(self, key: CardKey, factors: bytes) -> None:
        random = self.random
        buying = [one for one in self._keys(Usage.SECURITY_MODULE) if one.version & 0x1F == PURCHASE_TYPE]
        if buying and random.random() < 0.9:
            key = random.choice(buying)
            factors = random.randbytes(8 * (key.version >> 5))
        medical = random.random() < 0.5
        amounts = random.randbytes(12 if medical else 4)
        head = random.randbytes(4) + b"\x00\x07" + amounts + b"\x06" + WHEN + bytes((key.reference, 0))
        answer = self.ask(0x80, 0x70, int(medical), 0, head + factors, 8)
        value = key.value
        for start in range(len(factors) - 8, -1, -8):
            value = diversify(value, factors[start : start + 8])
        mac2 = random.randbytes(4)
        if len(answer) == 8 and random.random() < 0.6:
            worker = _session(key._replace(value=value), head[:6] + answer[2:4])
            mac2 = mac4(worker, amounts)
        self.ask(0x80, 0x72, 0, 0, mac2)


def _session(key: CardKey, block: bytes) -> BlockCipher:
    return fresh_cipher(
        session_key(key.value, block.ljust(8, b"\0")[:8], key.algorithm), session_algorithm(key.algorithm)
    )
