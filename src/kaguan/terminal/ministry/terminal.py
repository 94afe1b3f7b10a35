"""The ministry's terminal calls (LD/T 6001.5), as outlets and hospitals call them: a number, and a text in `pOut`.

Law 1. Every call but a later step powers the card on anew: no right outlives the call that won it.
Law 2. Nothing is written before all that is to be written has been judged.
Law 3. No PIN stands in a parameter, nor in an answer but that of iReloadPIN_HSM_Step2, which the module is to get.

iType says through which contacts; what iAuthType says is a setting. No state is kept but that between two steps.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import LinkError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import FREE
from kaguan.terminal.conversations.authentication import prove_genuine
from kaguan.terminal.conversations.files import read_fields, select_file
from kaguan.terminal.conversations.identity import READING_KEY
from kaguan.terminal.conversations.medical_purchase import KEY_INDEX
from kaguan.terminal.conversations.pin import change_pin, reload_pin, unblock_pin
from kaguan.terminal.ministry import steps
from kaguan.terminal.ministry.admission import Admission
from kaguan.terminal.ministry.calls import STEP, ministry_call
from kaguan.terminal.ministry.debit import pay_with_module, read_debits
from kaguan.terminal.ministry.items import encoded_item, found_items, read_item, write_item
from kaguan.terminal.ministry.number import CallFailed, Number
from kaguan.terminal.ministry.pinpad import NoPinPad, PinPad, PinPurpose
from kaguan.terminal.ministry.powered import CARD_NO, ISSUE_DATE, SPECIFICATION, VALID_UNTIL, PoweredCard, power_on
from kaguan.terminal.ministry.settings import Contacts, Genuine, Settings, Shown, default_settings
from kaguan.terminal.ministry.strings import (
    data_text,
    fields_text,
    parse_card_info,
    parse_data,
    parse_file_addresses,
    parse_pay_info,
)
from kaguan.terminal.refusals import PinBlocked, PinRefused
from kaguan.vault.secret import Pin


class Open(NamedTuple):
    """A call whose next step is awaited, and the card that it is about."""

    step: str
    steps: steps.Steps
    card: PoweredCard


class MinistryTerminal:
    """A terminal: a reader with a card, perhaps a security module, perhaps a PIN pad.

    `device` is 终端设备号, `random` gives what the card is challenged with.
    """

    def __init__(
        self,
        card: Link,
        psam: Link | None = None,
        pin_pad: PinPad | None = None,
        *,
        settings: Settings | None = None,
        contacts: Contacts = Contacts.CONTACT,
        device: str = "",
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._card = card
        self._psam = psam
        self._pin_pad = pin_pad or NoPinPad()
        self._settings = settings or default_settings()
        self._contacts = contacts
        self._device = device
        self._random = random
        self._open: Open | None = None

    @ministry_call
    def iReadCardBas(self, iType: int) -> str:
        """Card and holder.

        `行政区划|社会保障号码|卡号|卡识别码|姓名|卡复位信息|规范版本|发卡日期|有效期|终端机编号|终端设备号|`
        """
        card = self._powered(iType)
        genuine = self._settings.genuine
        if genuine is Genuine.ALWAYS or (genuine is Genuine.WITH_MODULE and card.module is not None):
            factor, original = self._random(steps.FACTOR_SIZE), self._random(steps.FACTOR_SIZE)
            card.with_module(steps.GENUINE_KEY, lambda keys: prove_genuine(keys, factor, original))
        if card.profile.file("SSSE", "EF06").read != FREE:
            card.authenticate(READING_KEY)
        return self._basic(card)

    @ministry_call
    def iReadCardBas_HSM_Step1(self, iType: int) -> str:
        """What the security module needs to know.

        `行政区划|卡复位信息|算法|卡识别码|内认证过程因子|内认证原始信息|外认证过程因子|外认证原始信息|终端机编号|`
        """
        card = self._powered(iType)
        return self._first("iReadCardBas", card, steps.read_basic(card, self._random, lambda: self._basic(card)))

    @ministry_call
    def iReadCardBas_HSM_Step2(self, pKey: str) -> str:
        """As iReadCardBas; `pKey` is the internal result and, where the card wants it, the external one."""
        return self._next("iReadCardBas", 2, pKey)

    @ministry_call
    def iReadCard(self, iType: int, iAuthType: int, pCardInfo: str, pFileAddr: str) -> str:
        """The data in the form of the address."""
        info, addresses = parse_card_info(pCardInfo), parse_file_addresses(pFileAddr)
        first = self._settings.authentications.get(iAuthType)
        if first is None:
            raise CallFailed(Number.ILLEGAL_INPUT)
        card = self._powered(iType)
        card.require(info)
        admission = Admission(card, self._pin_pad, first)
        text = ""
        for item in found_items(card.profile, self._settings, addresses):
            admission.admit(item.file, item.file.read)
            text += data_text(item.address, card.run(read_item(item)))
        return text

    @ministry_call
    def iReadCard_HSM_Step1(self, iType: int, pCardInfo: str, pFileAddr: str) -> str:
        """Of the key that the files want: `算法|密钥地址|因子|原始信息|`."""
        info, addresses = parse_card_info(pCardInfo), parse_file_addresses(pFileAddr)
        card = self._powered(iType)
        card.require(info)
        items = found_items(card.profile, self._settings, addresses)
        admission = Admission(card, self._pin_pad, Shown.KEY)
        return self._first("iReadCard", card, steps.read_files(card, admission, items))

    @ministry_call
    def iReadCard_HSM_Step2(self, pKey: str) -> str:
        """As iReadCard."""
        return self._next("iReadCard", 2, pKey)

    @ministry_call
    def iWriteCard(self, iType: int, pCardInfo: str, pFileAddr: str, pWriteData: str) -> str:
        """The fields hold the data; nothing is answered."""
        info, addresses = parse_card_info(pCardInfo), parse_file_addresses(pFileAddr)
        data = parse_data(pWriteData, addresses)
        card = self._powered(iType)
        card.require(info)
        items = found_items(card.profile, self._settings, addresses)
        written = [encoded_item(item, values) for item, values in zip(items, data, strict=True)]
        admission = Admission(card, self._pin_pad, Shown.KEY)
        for item, commands in zip(items, written, strict=True):
            admission.admit(item.file, item.file.update)
            card.run(write_item(item, commands))
        return ""

    @ministry_call
    def iWriteCard_HSM_Step1(self, iType: int, pCardInfo: str, pFileAddr: str) -> str:
        """Of the key that the files want: `算法|密钥地址|因子|原始信息|`."""
        info, addresses = parse_card_info(pCardInfo), parse_file_addresses(pFileAddr)
        card = self._powered(iType)
        card.require(info)
        items = found_items(card.profile, self._settings, addresses)

        def encode(text: str) -> Sequence[Sequence[CommandApdu]]:
            data = parse_data(text, addresses)
            return [encoded_item(item, values) for item, values in zip(items, data, strict=True)]

        admission = Admission(card, self._pin_pad, Shown.KEY)
        return self._first("iWriteCard", card, steps.write_files(card, admission, items, encode))

    @ministry_call
    def iWriteCard_HSM_Step2(self, pKey: str, pWriteData: str) -> str:
        """As iWriteCard."""
        return self._next("iWriteCard", 2, pKey, pWriteData)

    @ministry_call
    def iVerifyPIN(self, iType: int) -> str:
        """The holder's PIN is right; nothing is answered."""
        Admission(self._powered(iType), self._pin_pad, Shown.PIN).verify()
        return ""

    @ministry_call
    def iChangePIN(self, iType: int) -> str:
        """The PIN is another one; nothing is answered."""
        card = self._powered(iType)
        old, new = self._pin_pad.ask(PinPurpose.CURRENT), self._new_pin()
        if new == self._initial_pin(card) and not self._settings.may_become_initial:
            raise CallFailed(Number.BECOMES_INITIAL_PIN)
        try:
            card.run(change_pin(old, new))
        except PinRefused:
            raise CallFailed(Number.PIN_WRONG) from None
        except PinBlocked:
            raise CallFailed(Number.PIN_BLOCKED) from None
        return ""

    @ministry_call
    def iReloadPIN(self, iType: int, pCardInfo: str) -> str:
        """The PIN is a new one with all its tries; nothing is answered."""
        card = self._meant(iType, pCardInfo)
        card.require_module()
        new = self._new_pin()
        card.with_module(steps.UNBLOCKING_KEY, lambda keys: reload_pin(keys, new))
        return ""

    @ministry_call
    def iReloadPIN_HSM_Step1(self, iType: int, pCardInfo: str) -> str:
        """Of the key that unblocks: `算法|密钥地址|因子|原始信息|`."""
        card = self._meant(iType, pCardInfo)
        return self._first("iReloadPIN", card, steps.reload_pin(card, self._new_pin))

    @ministry_call
    def iReloadPIN_HSM_Step2(self, pKey: str) -> str:
        """Of the key that protects the command.

        `算法|密钥地址|过程因子|842400010C|新密码|`; under SM4 8424000114.
        """
        return self._next("iReloadPIN", 2, pKey)

    @ministry_call
    def iReloadPIN_HSM_Step3(self, pKey: str) -> str:
        """As iReloadPIN; `pKey` is the whole command."""
        return self._next("iReloadPIN", 3, pKey)

    @ministry_call
    def iUnblockPIN(self, iType: int, pCardInfo: str) -> str:
        """The PIN has all its tries; nothing is answered."""
        self._meant(iType, pCardInfo).with_module(steps.UNBLOCKING_KEY, unblock_pin)
        return ""

    @ministry_call
    def iUnblockPIN_HSM_Step1(self, iType: int, pCardInfo: str) -> str:
        """Of the key that unblocks: `算法|密钥地址|因子|原始信息|`."""
        card = self._meant(iType, pCardInfo)
        return self._first("iUnblockPIN", card, steps.unblock_pin(card))

    @ministry_call
    def iUnblockPIN_HSM_Step2(self, pKey: str) -> str:
        """Of the key that protects the command: `算法|密钥地址|过程因子|8424000004|`."""
        return self._next("iUnblockPIN", 2, pKey)

    @ministry_call
    def iUnblockPIN_HSM_Step3(self, pKey: str) -> str:
        """As iUnblockPIN; `pKey` is the whole command."""
        return self._next("iUnblockPIN", 3, pKey)

    @ministry_call
    def iDoDebit(self, iType: int, pCardInfo: str, pPayInfo: str) -> str:
        """The card has paid; what is answered is a setting, the TAC in it."""
        bill = parse_pay_info(pPayInfo)
        card = self._meant(iType, pCardInfo)
        card.require_module()
        self._verify_payer(card)
        return pay_with_module(card, bill)

    @ministry_call
    def iDoDebit_HSM_Step1(self, iType: int, pCardInfo: str, pPayInfo: str) -> str:
        """What MAC1 is made from.

        `算法|密钥地址|随机数|脱机交易序号|金额|金额|交易类型和终端机编号|日期时间|`
        """
        bill = parse_pay_info(pPayInfo)
        card = self._meant(iType, pCardInfo)
        self._verify_payer(card)
        return self._first("iDoDebit", card, steps.pay(card, bill, KEY_INDEX))

    @ministry_call
    def iDoDebit_HSM_Step2(self, pKey: str) -> str:
        """As iDoDebit; `pKey` is `终端交易序号|日期时间|MAC1|`."""
        return self._next("iDoDebit", 2, pKey)

    @ministry_call
    def iReadDebitRecord(self, iType: int) -> str:
        """The purchases that the card remembers, the newest first.

        `脱机交易序号|交易类型|终端机编号|日期时间|金额|金额|金额|$` for each.
        """
        card = self._powered(iType)
        file = card.profile.file("DF04", "EF08")
        Admission(card, self._pin_pad, Shown.PIN).admit(file, file.read)
        return card.run(read_debits(card.profile))

    def _powered(self, interface: int) -> PoweredCard:
        """The card, powered on through what iType says.

        Raises:
            CallFailed: -1 no such type, -2 this terminal has no such contacts; as `power_on`.
        """
        self._open = None
        types = self._settings.types
        if not any(interface in numbers for numbers in types.values()):
            raise CallFailed(Number.WRONG_TYPE)
        if interface not in types[self._contacts]:
            raise CallFailed(Number.NO_CARD)
        return power_on(self._card, self._psam, self._settings)

    def _meant(self, interface: int, card_info: str) -> PoweredCard:
        info = parse_card_info(card_info)
        card = self._powered(interface)
        card.require(info)
        return card

    def _basic(self, card: PoweredCard) -> str:
        file = card.profile.file("SSSE", "EF06")
        card.run(select_file(file.fid))
        holder, issuer = card.run(read_fields(file)), card.issuer
        return fields_text(
            (
                card.region,
                holder[0x08],
                issuer[CARD_NO],
                card.ident_code,
                holder[0x09] + holder.get(0x4E, ""),
                card.reset_info,
                issuer[SPECIFICATION],
                issuer[ISSUE_DATE],
                issuer[VALID_UNTIL],
                card.terminal_number,
                self._device,
            )
        )

    def _initial_pin(self, card: PoweredCard) -> Pin:
        return Pin.of(self._settings.initial_pin or card.profile.defaults["initial_pin"])

    def _new_pin(self) -> Pin:
        """Raises: CallFailed: -34 the second entry is another one."""
        new = self._pin_pad.ask(PinPurpose.NEW)
        if self._pin_pad.ask(PinPurpose.NEW_AGAIN) != new:
            raise CallFailed(Number.PINS_DIFFER)
        return new

    def _verify_payer(self, card: PoweredCard) -> None:
        """Raises: CallFailed: -35 the PIN is right, and still the initial one."""
        pin = Admission(card, self._pin_pad, Shown.PIN).verify()
        if pin == self._initial_pin(card) and not self._settings.may_pay_with_initial:
            raise CallFailed(Number.INITIAL_PIN)

    def _first(self, call: str, card: PoweredCard, begun: steps.Steps) -> str:
        out = next(begun)
        self._open = Open(f"{call}{STEP}2", begun, card)
        return out

    def _next(self, call: str, step: int, *given: str) -> str:
        """What the step answers.

        Raises:
            CallFailed: -12 it is not its turn, -22 another card lies in the reader.
        """
        awaited, self._open = self._open, None
        if awaited is None or awaited.step != f"{call}{STEP}{step}":
            raise CallFailed(Number.NOT_CONNECTED)
        if self._card.atr not in (awaited.card.atr, b""):
            raise CallFailed(Number.OTHER_CARD)
        try:
            out = awaited.steps.send(given)
        except StopIteration as end:
            done: str = end.value
            return done
        except LinkError:
            self._require_same(awaited.card)
            raise
        self._open = Open(f"{call}{STEP}{step + 1}", awaited.steps, awaited.card)
        return out

    def _require_same(self, before: PoweredCard) -> None:
        """Nothing happens when the card was lost and no other has come.

        Raises:
            CallFailed: -22 another one has.
        """
        try:
            now = power_on(self._card, self._psam, self._settings)
        except (LinkError, CallFailed):
            return
        if now.ident_code != before.ident_code:
            raise CallFailed(Number.OTHER_CARD)
