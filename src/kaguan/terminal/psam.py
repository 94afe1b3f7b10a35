"""A terminal's security module (PSAM) behind a link: it signs purchases and works with card keys that it never shows.

`SecurityModule` speaks its commands. `ModuleVault` is a vault to the conversations, so that what they do with the keys
of a back office they do with the keys of the module in the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import CodecError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.card_os.profile.module import ModuleAddress
from kaguan.terminal.cardkeys import LEVELS
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.refusals import CardRefused, NotGenuine
from kaguan.terminal.script import ask, converse
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.mac import pad80
from kaguan.vault.messaging import MAC_SIZE, Scheme
from kaguan.vault.secret import CheckValue
from kaguan.vault.vault import Appendix, KeyAbsent, KeyInfo, KeyRef, KeyVault, StepKind, UsageForbidden

BLOCK = 8
CHUNK = 0xF0
_ABSENT = 0x6A88
_MAC_WRONG = (0x9302, 0x9303)


class Signature(NamedTuple):
    """What a module answers to the head of a purchase: its transaction number and MAC1, 4 bytes each."""

    number: bytes
    mac1: bytes


class SecurityModule:
    """A powered module; its application is selected when it is first needed."""

    def __init__(self, link: Link, profile: CardProfile | None = None) -> None:
        self._link = for_conversation(link)
        self._profile = profile or load_profile("psam")
        self._open = False

    @cached_property
    def terminal(self) -> bytes:
        """The number of the terminal, 6 bytes."""
        return self._read("MF", "0016")

    @cached_property
    def serial(self) -> bytes:
        """The module's own serial number, 10 bytes."""
        return self._read("MF", "0015")[:10]

    @property
    def key_index(self) -> int:
        """The index of the purchase key that the card is to use."""
        return self._read("DF01", "001C")[0]

    @property
    def transaction_number(self) -> int:
        """The number that the module keeps, read from its file."""
        return int.from_bytes(self._read("DF01", "0019"), "big")

    def begin_purchase(self, head: bytes, *factors: bytes) -> Signature:
        """The number and MAC1 of a purchase. The head is random, number, amount, type, date and time, key version and
        algorithm; the factors lead from the module's key to the card's, the card's own last.

        Raises:
            CardRefused: 9403 the module has no such key, 9402 its numbers are used up, 9303 it is blocked.
        """
        return self._begin(0x00, head, factors)

    def begin_medical_purchase(self, head: bytes, *factors: bytes) -> Signature:
        """The number and MAC1 of a medical purchase, whose head has three amounts in the place of one."""
        return self._begin(0x01, head, factors)

    def check(self, mac2: bytes) -> None:
        """The module has seen that the card paid; nothing may be sent to it since `begin_purchase`.

        Raises:
            NotGenuine: MAC2 is wrong; so many times and the module is blocked for ever.
        """
        try:
            converse(self._link, ask(CommandApdu(0x80, 0x72, 0x00, 0x00, mac2)))
        except CardRefused as refusal:
            if refusal.sw in _MAC_WRONG:
                raise NotGenuine("MAC2 of the purchase is wrong: the card does not hold its purchase key") from refusal
            raise

    def lend(self, usage: int, key: int, factors: tuple[bytes, ...], block: bytes | None) -> None:
        """The module holds the card's key ready, or the process key that the block makes of it.

        Raises:
            CardRefused: 6A88 it has no such key.
        """
        self._application()
        data = b"".join(reversed(factors))
        command = CommandApdu(0x80, 0x1A, usage, key, data)
        if block is not None:
            command = CommandApdu(0xBF, 0xDE, usage, key, data + block)
        converse(self._link, ask(command))

    def encipher(self, data: bytes) -> bytes:
        """Whole blocks enciphered with the key that is ready."""
        return converse(self._link, ask(CommandApdu(0x80, 0xFA, 0x00, 0x00, data, len(data))))

    def mac(self, data: bytes, iv: bytes = b"") -> bytes:
        """The 4-byte MAC of the data, which is padded here, with the key that is ready."""
        whole = iv.ljust(BLOCK, b"\0") + pad80(data, BLOCK)
        answer = b""
        for start in range(0, len(whole), CHUNK):
            first, last = start == 0, start + CHUNK >= len(whole)
            mode = 0x01 | (0x04 if first else 0) | (0 if last else 0x02)
            part = whole[start : start + CHUNK]
            answer = converse(self._link, ask(CommandApdu(0x80, 0xFA, mode, 0x00, part, MAC_SIZE if last else None)))
        return answer

    def reset(self) -> None:
        """The module has forgotten its session."""
        self._open = False
        self._link.reset()

    def _begin(self, p1: int, head: bytes, factors: tuple[bytes, ...]) -> Signature:
        self._application()
        data = head + b"".join(reversed(factors))
        answer = converse(self._link, ask(CommandApdu(0x80, 0x70, p1, 0x00, data, 8)))
        return Signature(answer[:4], answer[4:8])

    def _application(self) -> None:
        if not self._open:
            converse(self._link, select_dedicated(self._profile.by_name["DF01"]))
            self._open = True

    def _read(self, dedicated: str, name: str) -> bytes:
        file = self._profile.file(dedicated, name)
        converse(self._link, select_dedicated(self._profile.by_name[dedicated]))
        self._open = dedicated == "DF01"
        content = converse(self._link, ask(CommandApdu(0x00, 0xB0, 0x80 | file.sfi, 0x00, b"", file.size)))
        if len(content) != file.size:
            raise CodecError(f"the security module answers {len(content)} bytes of {name}, which has {file.size}")
        return content


@dataclass(frozen=True)
class ModuleVault(KeyVault):
    """The keys of cards of this profile, as a security module holds them.

    It works with a card's own keys alone: it has no masters to show, and no key ever leaves it.
    """

    module: SecurityModule
    profile: CardProfile

    def infos(self) -> Iterator[KeyInfo]:
        """Nothing: a module does not list its keys."""
        return iter(())

    def info(self, ref: KeyRef) -> KeyInfo:
        """What the profile says of the key; its check value, which a module does not tell, is zeros.

        Raises:
            ProfileError: the profile has no such key.
        """
        key = self.profile.key(ref.label)
        return KeyInfo(ref.label, ref.version, key.algorithm, key.usage, CheckValue(bytes(3)), LEVELS)

    def check_value(self, ref: KeyRef) -> CheckValue:
        """Raises: UsageForbidden, always."""
        raise UsageForbidden(f"{ref}: a security module tells no check values")

    def encipher(self, ref: KeyRef, data: bytes) -> bytes:
        """Whole blocks enciphered, each on its own.

        Raises:
            KeyAbsent: the module has no such key, or the profile no address for it.
        """
        self._lend(ref)
        return self.module.encipher(data)

    def mac(self, ref: KeyRef, data: bytes, iv: bytes = b"") -> bytes:
        """The 4-byte MAC of the data."""
        self._lend(ref)
        return self.module.mac(data, iv)

    def protect(
        self,
        ref: KeyRef,
        scheme: Scheme,
        command: CommandApdu,
        challenge: bytes,
        *,
        encrypted: bool,
        append: Appendix = None,
    ) -> CommandApdu:
        """The command under the secure messaging of the social security card.

        Raises:
            UsageForbidden: another scheme, or a key to be appended: a module gives none away.
        """
        if scheme is not Scheme.SSC or isinstance(append, KeyRef | tuple) or (append is not None and not encrypted):
            raise UsageForbidden(f"{ref}: a security module protects {Scheme.SSC} commands, and sends no keys")
        data = command.data + (append.reveal() if append is not None else b"")
        self._lend(ref.session(challenge))
        if encrypted and data:
            data = self.module.encipher(pad80(bytes((len(data),)) + data, BLOCK))
        head = bytes((*command[:4], len(data) + MAC_SIZE))
        return command._replace(data=data + self.module.mac(head + data))

    def _lend(self, ref: KeyRef) -> None:
        """The module holds this key ready, found where the profile says or nearer to the card."""
        kinds = [step.kind for step in ref.steps]
        if StepKind.FOLD in kinds or StepKind.SESSION in kinds[:-1]:
            raise UsageForbidden(f"{ref}: a security module lends card keys and process keys alone")
        factors = tuple(step.data for step in ref.steps if step.kind is StepKind.DIVERSIFY)
        block = ref.steps[-1].data if kinds and kinds[-1] is StepKind.SESSION else None
        key = self.profile.key(ref.label)
        if not key.psam:
            raise KeyAbsent(f"the profile says of no security module that it holds {ref.label!r}")
        if key.algorithm is Algorithm.SM4:
            raise KeyAbsent(f"a security module works with DES and 3DES; {ref.label!r} is a key of SM4")
        address = ModuleAddress.parse(key.psam)
        for usage, levels in address.candidates:
            if levels > len(factors):
                continue
            try:
                self.module.lend(usage, address.key, factors[len(factors) - levels :], block)
            except CardRefused as refusal:
                if refusal.sw != _ABSENT:
                    raise
                continue
            return
        raise KeyAbsent(f"the security module holds no key {ref.label!r} at {key.psam}")
