"""The hardware security module (加密机) of the authority, for which a vault with the ministry's masters stands.

It answers what the steps of a terminal ask, in the strings that go to the authority's web service and come back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kaguan.apdu.codecs import decode_amount
from kaguan.apdu.errors import CodecError, InputError
from kaguan.card_os.profile import load_profile
from kaguan.card_os.profile.medical import MEDICAL_PURCHASE, MedicalItem, composed, shares
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.identity import READING_KEY
from kaguan.terminal.ministry.calls import STEP, Answer
from kaguan.terminal.ministry.debit import bill_of
from kaguan.terminal.ministry.number import FALLBACK
from kaguan.terminal.ministry.settings import Settings, default_settings
from kaguan.terminal.ministry.steps import GENUINE_KEY, RELOAD, UNBLOCK
from kaguan.terminal.ministry.strings import FIELD_END
from kaguan.terminal.ministry.terminal import MinistryTerminal
from kaguan.vault.secret import Pin
from kaguan.vault.vault import KeyVault

_NEWEST = "3"


class UnknownRequest(InputError):
    """What was asked of the module is no step's answer, or about a key that it does not know."""


class CardName(NamedTuple):
    """What the authority is told of the card: 行政区划 and 卡复位信息."""

    region: str
    reset_info: str


class Hsm:
    """The masters of the ministry, at the addresses that the settings give them."""

    def __init__(self, vault: KeyVault, settings: Settings | None = None) -> None:
        self._vault = vault
        self._settings = settings or default_settings()

    def basic(self, asked: str) -> str:
        """What iReadCardBas_HSM_Step2 wants for what its first step said.

        Raises:
            UnknownRequest: it said something else.
        """
        region, reset_info, mark, _, factor, original, challenge, shown, _ = _split(asked, 9)
        keys = self._keys(CardName(region, reset_info), mark)
        results = [self._enciphered(keys, GENUINE_KEY, factor, original)]
        if challenge:
            results += (self._enciphered(keys, READING_KEY, challenge, shown), shown)
        return "".join(results) + FIELD_END

    def external(self, card: CardName, asked: str) -> str:
        """The result of an external authentication, for `算法|密钥地址|因子|原始信息|`.

        Raises:
            UnknownRequest: anything else, or an address where no key is.
        """
        mark, address, factor, original = _split(asked, 4)
        keys = self._keys(card, mark)
        return self._enciphered(keys, self._label(keys, address), factor, original) + original + FIELD_END

    def command(self, card: CardName, asked: str) -> str:
        """The whole command in hex, for `算法|密钥地址|过程因子|命令头|` and, where the PIN is new, the PIN.

        Raises:
            UnknownRequest: anything else.
        """
        mark, address, factor, header, *plain = _split(asked, 4, 5)
        keys = self._keys(card, mark)
        ref = keys.ref(self._label(keys, address))
        head = _bytes(header)
        command = RELOAD._replace(data=_pin(plain[0]).reveal()) if plain else UNBLOCK
        if head[:4] != bytes(command[:4]):
            raise UnknownRequest("the header is none of RELOAD PIN or PIN UNBLOCK")
        scheme = keys.profile.behaviour.messaging
        protected = self._vault.protect(ref, scheme, command, _bytes(factor), encrypted=bool(plain))
        return bytes(protected).hex().upper()

    def purchase(self, card: CardName, asked: str) -> str:
        """`终端交易序号|日期时间|MAC1|`, for what iDoDebit_HSM_Step1 said.

        Raises:
            UnknownRequest: it said something else.
        """
        mark, address, random, sequence, first, second, sold, when = _split(asked, 8)
        keys = self._keys(card, mark)
        number = _bytes("0000" + sequence)
        amounts = (decode_amount(_bytes(first)), decode_amount(_bytes(second)))
        values = shares(bytes(bill_of(self._settings, amounts))) | {
            MedicalItem.SEQUENCE: number[2:],
            MedicalItem.TYPE: bytes((MEDICAL_PURCHASE,)),
            MedicalItem.TERMINAL: _bytes(sold)[1:],
            MedicalItem.TERMINAL_NUMBER: number,
            MedicalItem.WHEN: _bytes(when),
        }
        session = keys.ref(self._label(keys, address)).session(_bytes(random) + number[2:] + number[2:])
        mac1 = self._vault.mac(session, composed(keys.profile.behaviour.medical.mac1, values))
        return FIELD_END.join((_hex(number), when, _hex(mac1), ""))

    def _keys(self, card: CardName, mark: str) -> CardKeys:
        """The card's keys. All generations keep theirs at the same addresses, and the newest has the most."""
        suffix = self._settings.algorithms.get(mark)
        if suffix is None:
            raise UnknownRequest(f"no algorithm is known by the mark '{mark}'")
        profile = load_profile(self._settings.profiles[_NEWEST] + suffix)
        return CardKeys(self._vault, profile, card.region, _bytes(card.reset_info))

    def _label(self, keys: CardKeys, address: str) -> str:
        label = self._settings.hsm_label(keys.profile, address)
        if label is None:
            raise UnknownRequest(f"no key is at the address '{address}'")
        return label

    def _enciphered(self, keys: CardKeys, label: str, factor: str, data: str) -> str:
        return _hex(self._vault.encipher(keys.ref(label).session(_bytes(factor)), _bytes(data)))


def call_with_hsm(terminal: MinistryTerminal, hsm: Hsm, name: str, *given: Any) -> Answer:
    """The call's answer; where it fails for want of a security module, that of its steps with the module far away.

    So do the pages of outlets, after the numbers in FALLBACK.
    """
    answer: Answer = getattr(terminal, name)(*given)
    follow = _FOLLOW.get(name)
    if follow is None or answer.number not in FALLBACK:
        return answer
    introduced: Answer = terminal.iReadCardBas_HSM_Step1(given[0])
    if introduced.number:
        return introduced
    card = CardName(*introduced.out.split(FIELD_END)[:2])
    first, *rest = follow(given)
    answer = getattr(terminal, f"{name}{STEP}1")(*first)
    for step, (serve, more) in enumerate(rest, 2):
        if answer.number:
            return answer
        answer = getattr(terminal, f"{name}{STEP}{step}")(serve(hsm, card, answer.out), *more)
    return answer


_Served = tuple[Callable[[Hsm, CardName, str], str], tuple[str, ...]]
_EXTERNAL: _Served = (Hsm.external, ())
_COMMAND: _Served = (Hsm.command, ())
_FOLLOW: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "iReadCardBas": lambda given: (given, (lambda hsm, _card, asked: hsm.basic(asked), ())),
    "iReadCard": lambda given: ((given[0], *given[2:]), _EXTERNAL),
    "iWriteCard": lambda given: (given[:3], (Hsm.external, given[3:])),
    "iReloadPIN": lambda given: (given, _EXTERNAL, _COMMAND),
    "iUnblockPIN": lambda given: (given, _EXTERNAL, _COMMAND),
    "iDoDebit": lambda given: (given, (Hsm.purchase, ())),
}
"""For each call with steps: what its first step is given, and who serves the others, with what the caller adds."""


def _split(text: str, *counts: int) -> list[str]:
    parts = text.split(FIELD_END)
    if len(parts) - 1 not in counts or parts[-1]:
        raise UnknownRequest(f"{len(parts) - 1} fields came, not {' or '.join(map(str, counts))}")
    return parts[:-1]


def _pin(digits: str) -> Pin:
    try:
        return Pin.of(digits)
    except CodecError:
        raise UnknownRequest("the last field is no PIN") from None


def _bytes(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise UnknownRequest("a field that should be hex digits is none") from None


def _hex(data: bytes) -> str:
    return data.hex().upper()
