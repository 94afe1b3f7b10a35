"""From a command to its outcome: the one place that finds the handler, shapes the answer and turns refusals into words.

Order of refusals before any handler: 6A81 card blocked, 6E00 class, 6881 logical channel, 6D00 instruction, 6A86 P1,
6985 not in this stage of the chip's life, 6A81 application blocked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS, CommandSet, Stage
from kaguan.card_os.access import PROTECTED, blocked
from kaguan.card_os.commands import (
    authenticate,
    binary,
    blocking,
    creation,
    data,
    issuer,
    medical,
    module,
    native_files,
    native_keys,
    pin,
    protection,
    purse_composite,
    purse_load,
    purse_overdraft,
    purse_purchase,
    purse_query,
    purse_unload,
    records,
    select,
)
from kaguan.card_os.image import CardImage, Lifecycle
from kaguan.card_os.outcome import Chip, Outcome, Refuse, View
from kaguan.card_os.profile.model import Unasked
from kaguan.card_os.session import Session, settled

Handler = Callable[[View, CommandApdu], Outcome]

HANDLERS: dict[str, Handler] = {
    "SELECT": select.select,
    "READ BINARY": binary.read_binary,
    "UPDATE BINARY": binary.update_binary,
    "READ RECORD": records.read_record,
    "UPDATE RECORD": records.update_record,
    "APPEND RECORD": records.append_record,
    "GET DATA": data.get_data,
    "GET DATA (odd)": data.get_data,
    "VERIFY": pin.verify,
    "CHANGE PIN": pin.change_pin,
    "PIN UNBLOCK": pin.unblock_pin,
    "GET CHALLENGE": authenticate.get_challenge,
    "INTERNAL AUTHENTICATE": authenticate.internal_authenticate,
    "EXTERNAL AUTHENTICATE": authenticate.external_authenticate,
    "APPLICATION BLOCK": blocking.block_application,
    "APPLICATION UNBLOCK": blocking.unblock_application,
    "CARD BLOCK": blocking.block_card,
    "INITIALIZE FOR LOAD": purse_load.initialize_for_load,
    "INITIALIZE FOR LOAD (medical)": purse_load.initialize_for_load,
    "INITIALIZE FOR PURCHASE (medical)": medical.initialize_for_purchase,
    "DEBIT FOR PURCHASE (medical)": medical.debit_for_purchase,
    "INITIALIZE SAM FOR PURCHASE": module.initialize_for_purchase,
    "INITIALIZE SAM FOR PURCHASE (medical)": module.initialize_for_medical_purchase,
    "CREDIT SAM FOR PURCHASE": module.credit_for_purchase,
    "INITIALIZE FOR DESCRYPT": module.lend_key,
    "INITIALIZE FOR DESCRYPT (process key)": module.lend_process_key,
    "DESCRYPT": module.descrypt,
    "INITIALIZE FOR PURCHASE": purse_purchase.initialize_for_purchase,
    "CREDIT FOR LOAD": purse_load.credit_for_load,
    "DEBIT FOR PURCHASE": purse_purchase.debit_for_purchase,
    "GET BALANCE": purse_query.get_balance,
    "GET TRANSACTION PROVE": purse_query.get_transaction_prove,
    "INITIALIZE FOR CASH WITHDRAW": purse_purchase.initialize_for_cash_withdraw,
    "INITIALIZE FOR COMPOSITE PURCHASE": purse_purchase.initialize_for_composite_purchase,
    "UPDATE COMPOSITE CACHE": purse_composite.update_composite_cache,
    "INITIALIZE FOR UPDATE": purse_overdraft.initialize_for_update,
    "UPDATE OVERDRAW LIMIT": purse_overdraft.update_overdraw_limit,
    "INITIALIZE FOR UNLOAD": purse_unload.initialize_for_unload,
    "DEBIT FOR UNLOAD": purse_unload.debit_for_unload,
    "RELOAD PIN": issuer.reload_pin,
    "PIN UNBLOCK (purse)": issuer.unblock_pin,
    "APPLICATION BLOCK (purse)": issuer.block_application,
    "APPLICATION UNBLOCK (purse)": issuer.unblock_application,
    "CARD BLOCK (purse)": issuer.block_card,
    "GET DATA (card code)": data.get_card_code,
    "WRITE KEY (native, protected)": native_keys.write_key,
    "WRITE KEY (native)": native_keys.write_key,
    "CREATE FILE (native)": native_files.create_file,
    "ERASE DF": native_files.erase_dedicated,
    "READ BINARY (protected)": protection.read_binary,
    "UPDATE BINARY (protected)": protection.update_binary,
    "READ RECORD (protected)": protection.read_record,
    "UPDATE RECORD (protected)": protection.update_record,
    "APPEND RECORD (protected)": protection.append_record,
    "CREATE FILE": creation.create_file,
    "DELETE FILE": creation.delete_file,
    "ACTIVATE FILE": creation.activate_file,
    "WRITE KEY": creation.write_key,
}

_Row = tuple[Handler, Stage]


class _Table(NamedTuple):
    """Rows by CLA and INS as one number, and which classes there are at all."""

    plain: dict[int, _Row]
    in_use: dict[int, _Row]  # those of them that a sealed card serves: the short way
    by_p1: dict[int, dict[int, _Row]]
    classes: frozenset[int]


class _Tables(dict[CommandSet, _Table]):
    """The table of each combination of command sets, made when a card first asks for it."""

    def __missing__(self, commands: CommandSet) -> _Table:
        rows = [row for row in INSTRUCTIONS if row.sets & commands]
        table = _Table({}, {}, {}, frozenset(row.cla for row in rows))
        for row in rows:
            header, entry = row.cla << 8 | row.ins, (HANDLERS[row.name], row.stages)
            if row.p1 is not None:
                table.by_p1.setdefault(header, {})[row.p1] = entry
                continue
            table.plain[header] = entry
            if Stage.OPERATIONAL in row.stages:
                table.in_use[header] = entry
        self[commands] = table
        return table


_TABLES = _Tables()
_GET_RESPONSE = GET_RESPONSE.cla << 8 | GET_RESPONSE.ins


def execute(image: CardImage, session: Session, command: CommandApdu, chip: Chip) -> Outcome:
    """What the command comes to. Nothing is changed by calling this: commit the groups in order, then answer.

    Never raises for any command that parses.
    """
    header = command.cla << 8 | command.ins
    if header == _GET_RESPONSE:
        return _get_response(image, session, command, chip)
    rest = settled(session)
    view = View(image, rest, session.challenge, session.pending, chip, session.module)
    try:
        table = _TABLES[chip.behaviour.commands]
        row = table.in_use.get(header)
        if row is None or image.lifecycle is not Lifecycle.ACTIVATED:
            row = _admitted(view, command, header, table)
        handler, stages = row
        in_use = image.lifecycle is Lifecycle.ACTIVATED
        if in_use and Stage.APPLICATION_BLOCKED not in stages and blocked(view):
            raise Refuse(0x6A81)
        outcome = handler(view, command)
    except Refuse as refusal:
        return Outcome(b"", refusal.sw, rest)
    return _shaped(outcome, command, chip) if outcome.data else outcome


def _admitted(view: View, command: CommandApdu, header: int, table: _Table) -> _Row:
    """The row for this command in this stage of the chip's life."""
    lifecycle = view.image.lifecycle
    if lifecycle is Lifecycle.TERMINATED:
        raise Refuse(0x6A81)
    row = table.plain.get(header) or table.by_p1.get(header, {}).get(command.p1)
    if row is None:
        if header in table.by_p1:
            raise Refuse(0x6A86)
        if command.cla in table.classes:
            raise Refuse(0x6D00)
        raise Refuse(0x6881 if command.cla & 0xFC == 0 else 0x6E00)
    stage = Stage.CREATION if lifecycle is Lifecycle.CREATION else Stage.OPERATIONAL
    if stage not in row[1]:
        raise Refuse(0x6985)
    return row


def _shaped(outcome: Outcome, command: CommandApdu, chip: Chip) -> Outcome:
    """The outcome as T=0 carries it: an answer that was not asked for, or not wholly, waits for GET RESPONSE,
    and so does its status word. Le does not count what protects an answer, and contactless cards ask for none."""
    data, sw, session, groups = outcome
    ne = command.ne
    if command.cla & PROTECTED and ne is not None:
        return outcome
    if ne is None:
        if chip.behaviour.unasked is Unasked.GIVEN:
            return outcome
        kept = session._replace(waiting=data, waiting_sw=sw)
        return Outcome(b"", 0x6100 | (len(data) & 0xFF if len(data) < 256 else 0), kept, groups)
    if len(data) <= ne:
        return outcome
    rest = data[ne:]
    return Outcome(data[:ne], 0x6100 | min(len(rest), 0xFF), session._replace(waiting=rest, waiting_sw=sw), groups)


def _get_response(image: CardImage, session: Session, command: CommandApdu, chip: Chip) -> Outcome:
    """The bytes that wait. While there are any, a challenge or a begun transaction stays good: GET RESPONSE belongs to
    the command before.

    Refuses, in this order: 6A81 card blocked, 6A86 P1 or P2, the profile's word when nothing waits, 6700 no Le,
    6Cxx an Le longer than what waits.
    """
    waiting = session.waiting
    sw = 0x9000
    if image.lifecycle is Lifecycle.TERMINATED:
        sw = 0x6A81
    elif command.p1 or command.p2:
        sw = 0x6A86
    elif not waiting:
        sw, session = chip.behaviour.nothing_waiting, settled(session)
    elif command.ne is None or command.data:
        sw = 0x6700
    elif len(waiting) < command.ne < 256:
        sw = 0x6C00 | len(waiting)
    if sw != 0x9000 or command.ne is None:
        return Outcome(b"", sw, session)
    given, left = waiting[: command.ne], waiting[command.ne :]
    if left:
        return Outcome(given, 0x6100 | min(len(left), 0xFF), session._replace(waiting=left))
    return Outcome(given, session.waiting_sw, session._replace(waiting=b"", waiting_sw=0x9000))
