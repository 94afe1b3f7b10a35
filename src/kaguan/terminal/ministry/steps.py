"""The calls that a hardware security module far away helps with: each a generator that yields what a step answers and
receives what the caller brings to the next one.

The card keeps its challenge between two steps, so nothing is said to it there.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.profile import FREE, AccessRule
from kaguan.card_os.profile.medical import MEDICAL_PURCHASE
from kaguan.card_os.profile.rules import PIN_RIGHT
from kaguan.terminal.conversations.authentication import get_challenge
from kaguan.terminal.conversations.identity import READING_KEY
from kaguan.terminal.ministry.admission import Admission
from kaguan.terminal.ministry.debit import PURCHASE_KEY, begin, debited
from kaguan.terminal.ministry.items import Item, read_item, write_item
from kaguan.terminal.ministry.number import CallFailed, Number
from kaguan.terminal.ministry.powered import PoweredCard
from kaguan.terminal.ministry.strings import PayInfo, data_text, fields_text, parse_cryptograms, significant
from kaguan.terminal.script import Script, ask
from kaguan.vault.messaging import MAC_SIZE
from kaguan.vault.secret import Pin

Steps = Generator[str, tuple[str, ...], str]
FACTOR_SIZE = 8
UNBLOCKING_KEY, MESSAGING_KEY, GENUINE_KEY = "SSSE.PUK", "SSSE.STK", "SSSE.IRK"
UNBLOCK, RELOAD = CommandApdu(0x84, 0x24, 0x00, 0x00), CommandApdu(0x84, 0x24, 0x00, 0x01)


class Begun(NamedTuple):
    """A transaction number and MAC1 that came from elsewhere."""

    number: bytes
    mac1: bytes


def read_basic(card: PoweredCard, random: Callable[[int], bytes], answer: Callable[[], str]) -> Steps:
    """iReadCardBas: the card proves itself, and where its holder's data want a key, it sees what the module made."""
    card.require_algorithm()
    block = block_size(card, GENUINE_KEY)
    factor, original = random(FACTOR_SIZE), random(block)
    proof = card.run(_internal(card, factor + original, block))
    keyed = card.profile.file("SSSE", "EF06").read != FREE
    challenge, shown = (card.run(get_challenge()), bytes(block)) if keyed else (b"", b"")
    asked = (factor, original, challenge, shown)
    (results,) = yield fields_text(
        (card.region, card.reset_info, card.mark, card.ident_code, *map(_hex, asked), card.terminal_number)
    )
    digits = significant(results)
    (expected,) = parse_cryptograms(digits[: 2 * block], block)
    external = external_data(digits[2 * block :], shown)
    if not hmac.compare_digest(expected, proof):
        raise CallFailed(Number.NOT_GENUINE)
    if keyed:
        card.run(_external(card, READING_KEY, external))
    return answer()


def read_files(card: PoweredCard, admission: Admission, items: Sequence[Item]) -> Steps:
    """iReadCard, where the files want one key."""
    label = _prepared(admission, [(item, item.file.read) for item in items])
    (cryptogram,) = yield _challenge(card, label)
    _authenticate(card, label, cryptogram)
    text = ""
    for item in items:
        admission.enter(item.file.dedicated)
        text += data_text(item.address, card.run(read_item(item)))
    return text


def write_files(
    card: PoweredCard,
    admission: Admission,
    items: Sequence[Item],
    encode: Callable[[str], Sequence[Sequence[CommandApdu]]],
) -> Steps:
    """iWriteCard, where the files want one key. The data comes with the second step and is judged before it is used."""
    label = _prepared(admission, [(item, item.file.update) for item in items])
    cryptogram, data = yield _challenge(card, label)
    written = encode(data)
    _authenticate(card, label, cryptogram)
    for item, commands in zip(items, written, strict=True):
        admission.enter(item.file.dedicated)
        card.run(write_item(item, commands))
    return ""


def reload_pin(card: PoweredCard, new_pin: Callable[[], Pin]) -> Steps:
    """iReloadPIN: the new PIN goes to the module and comes back inside a command."""
    (cryptogram,) = yield _challenge(card, UNBLOCKING_KEY)
    pin = new_pin()
    _authenticate(card, UNBLOCKING_KEY, cryptogram)
    block = block_size(card, MESSAGING_KEY)
    blocks = (1 + len(pin)) // block + 1  # a length before the PIN, and 80 at least behind it
    return (yield from _protected(card, RELOAD, blocks * block + MAC_SIZE, pin.reveal_digits()))


def unblock_pin(card: PoweredCard) -> Steps:
    """iUnblockPIN: the same without a PIN."""
    (cryptogram,) = yield _challenge(card, UNBLOCKING_KEY)
    _authenticate(card, UNBLOCKING_KEY, cryptogram)
    return (yield from _protected(card, UNBLOCK, MAC_SIZE))


def pay(card: PoweredCard, bill: PayInfo, key_index: int) -> Steps:
    """iDoDebit: the module makes MAC1; nobody here can check MAC2. The PIN is verified.

    What comes back is `number|moment|MAC1|`; pages make the number of the card's own with zeros before it.
    """
    offer = begin(card, bill, key_index)
    when = bill.when.strftime("%Y%m%d%H%M%S")
    address = card.settings.hsm_address(card.profile, PURCHASE_KEY)
    amounts = (f"{amount:08X}" for amount in bill.amounts_fen)
    sold = f"{MEDICAL_PURCHASE:02X}{_hex(offer.terminal)}"
    (text,) = yield fields_text((card.mark, address, _hex(offer.random), f"{offer.sequence:04X}", *amounts, sold, when))
    number, moment, mac1 = parse_cryptograms(text, 4, 7, MAC_SIZE)
    if _hex(moment) != when:
        raise CallFailed(Number.ILLEGAL_INPUT)
    return debited(card, offer, Begun(number, mac1), bill.when, None)


def block_size(card: PoweredCard, label: str) -> int:
    """The size of a block under this key, in bytes."""
    return card.profile.key(label).algorithm.block_size


def external_data(text: str, original: bytes) -> bytes:
    """What EXTERNAL AUTHENTICATE carries: the cryptogram and its original, which the module may have left out.

    Raises:
        CallFailed: -42, -41.
    """
    whole = len(significant(text)) > 2 * len(original)
    (data,) = parse_cryptograms(text, 2 * len(original) if whole else len(original))
    return data if whole else data + original


def _prepared(admission: Admission, wishes: Sequence[tuple[Item, AccessRule]]) -> str:
    """The one key that is wanted; the card stands where the key is, and has seen the PIN where that is wanted too.

    Raises:
        CallFailed: -2204 no key is wanted, -23 more than one is.
    """
    wanted = [(item, right) for item, rule in wishes for right in admission.wanted(rule)]
    labels = {admission.label(item.file, right) for item, right in wanted if right != PIN_RIGHT}
    if not labels:
        raise CallFailed(Number.HSM_NOT_NEEDED)
    if len(labels) > 1:
        raise CallFailed(Number.ILLEGAL_INPUT)
    if any(right == PIN_RIGHT for _, right in wanted):
        admission.verify()
    label = labels.pop()
    admission.enter(label.partition(".")[0])
    return label


def _challenge(card: PoweredCard, label: str) -> str:
    """What an external authentication is made from: algorithm, the key's address, factor, original."""
    card.require_algorithm()
    challenge = card.run(get_challenge())
    address = card.settings.hsm_address(card.profile, label)
    return fields_text((card.mark, address, _hex(challenge), _hex(bytes(block_size(card, label)))))


def _authenticate(card: PoweredCard, label: str, cryptogram: str) -> None:
    card.run(_external(card, label, external_data(cryptogram, bytes(block_size(card, label)))))


def _protected(card: PoweredCard, command: CommandApdu, size: int, *plain: str) -> Steps:
    """The card has done the command, whose data of this size the module has made."""
    challenge = card.run(get_challenge())
    address = card.settings.hsm_address(card.profile, MESSAGING_KEY)
    header = bytes((*command[:4], size))
    (text,) = yield fields_text((card.mark, address, _hex(challenge), _hex(header), *plain))
    head, data = parse_cryptograms(text, len(header), size)
    if head != header:
        raise CallFailed(Number.ILLEGAL_INPUT)
    card.run(ask(command._replace(data=data)))
    return ""


def _internal(card: PoweredCard, data: bytes, block: int) -> Script[bytes]:
    return ask(CommandApdu(0x00, 0x88, 0x00, card.profile.key(GENUINE_KEY).reference, data, block))


def _external(card: PoweredCard, label: str, data: bytes) -> Script[bytes]:
    return ask(CommandApdu(0x00, 0x82, 0x00, card.profile.key(label).reference, data))


def _hex(data: bytes) -> str:
    return data.hex().upper()
