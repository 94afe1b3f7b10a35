"""From a command to its outcome: the one place that finds the handler, shapes the answer and turns refusals into words.

Before any handler. Refuses, in this order: 6A81 card blocked, 6E00 class, 6881 (`wire.channel`) another logical channel
than the basic one, 6884 (`wire.chaining`) command chaining, 6882 (`wire.messaging`) secure messaging that the command
does not have, 6D00 instruction, 6A86 P1, 6985 not in this stage of the chip's life, 6A81 application blocked.
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
    module_keys,
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
from kaguan.card_os.image import ACTIVATED, IN_CREATION, CardImage, Lifecycle
from kaguan.card_os.outcome import Chip, Outcome, Refuse, View
from kaguan.card_os.profile.model import Unasked
from kaguan.card_os.profile.wire import Wire
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
    "WRITE KEY (security module)": module_keys.write_key,
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
    "WRITE KEY (native, protected)": native_keys.write_protected_key,
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


class _Row(NamedTuple):
    """A handler, the stages in which it serves, and whether a blocked application is one of them."""

    handler: Handler
    stages: Stage
    while_blocked: bool


class _Table(NamedTuple):
    """Rows by CLA and INS as one number, and which classes there are at all."""

    creating: dict[int, _Row]  # what a chip serves until it is sealed, a P1 that chooses before CLA and INS
    in_use: dict[int, _Row]  # and what afterwards
    plain: dict[int, _Row]
    by_p1: dict[int, dict[int, _Row]]
    classes: frozenset[int]


_NOTHING: dict[int, _Row] = {}


class Tables(dict[CommandSet, _Table]):
    """The table of each combination of command sets, made when a card first asks for it."""

    def __missing__(self, commands: CommandSet) -> _Table:
        rows = [row for row in INSTRUCTIONS if row.sets & commands]
        table = _Table({}, {}, {}, {}, frozenset(row.cla for row in rows))
        for row in rows:
            header = row.cla << 8 | row.ins
            entry = _Row(HANDLERS[row.name], row.stages, Stage.APPLICATION_BLOCKED in row.stages)
            if row.p1 is None:
                table.plain[header] = entry
            else:
                table.by_p1.setdefault(header, {})[row.p1] = entry
            place = header if row.p1 is None else 1 << 24 | row.p1 << 16 | header
            if Stage.CREATION in row.stages:
                table.creating[place] = entry
            if Stage.OPERATIONAL in row.stages:
                table.in_use[place] = entry
        self[commands] = table
        return table


CHANNEL, MESSAGING, CHAINED = 0x03, 0x0C, 0x10
"""What the bits of an interindustry class byte ask for (ISO/IEC 7816-4, table 2)."""


TABLES = Tables()
_new = tuple.__new__  # as in `apdu.command`
_GET_RESPONSE = GET_RESPONSE.cla << 8 | GET_RESPONSE.ins


def execute(image: CardImage, session: Session, command: CommandApdu, chip: Chip) -> Outcome:
    """What the command comes to. Nothing is changed by calling this: commit the groups in order, then answer.

    Never raises for any command that parses.
    """
    header = command.cla << 8 | command.ins
    if header == _GET_RESPONSE:
        return get_response(image, session, command, chip)
    rest = settled(session)
    view = _new(View, (image, rest, session.challenge, session.pending, chip, session.module))
    try:
        table, lifecycle = TABLES[chip.behaviour.commands], image.lifecycle
        in_use = lifecycle is ACTIVATED
        served = table.in_use if in_use else table.creating if lifecycle is IN_CREATION else _NOTHING
        row = served.get(header) or served.get(1 << 24 | command.p1 << 16 | header)
        if row is None:
            row = _admitted(view, command, header, table)
        handler, _, while_blocked = row
        if in_use and not while_blocked and blocked(view):
            raise Refuse(0x6A81)
        outcome = handler(view, command)
    except Refuse as refusal:
        return Outcome(b"", refusal.sw, rest)
    data, ne = outcome.data, command.ne
    if not data or (ne is not None and len(data) <= ne):
        return outcome  # as it is: nobody can tell the two ways to carry it apart
    return _shaped(outcome, command, chip)


def _admitted(view: View, command: CommandApdu, header: int, table: _Table) -> _Row:
    """The row for this command in this stage of the chip's life."""
    lifecycle = view.image.lifecycle
    if lifecycle is Lifecycle.TERMINATED:
        raise Refuse(0x6A81)
    row = table.plain.get(header) or table.by_p1.get(header, {}).get(command.p1)
    if row is None:
        if header in table.by_p1:
            raise Refuse(0x6A86)
        raise Refuse(_unknown(command.cla, command.ins, table, view.chip.behaviour.wire))
    stage = Stage.CREATION if lifecycle is IN_CREATION else Stage.OPERATIONAL
    if stage not in row.stages:
        raise Refuse(0x6985)
    return row


def _unknown(cla: int, ins: int, table: _Table, wire: Wire) -> int:
    """Why no row has this class and instruction (ISO/IEC 7816-4, 5.4.1): what the class byte asks for, or either."""
    if cla & 0xE0:
        further = cla & 0xC0 == 0x40  # the further interindustry classes are those of channels 4 to 19
        return wire.channel if further else 0x6D00 if cla in table.classes else 0x6E00
    if cla & CHANNEL:
        return wire.channel
    if cla & CHAINED:
        return wire.chaining
    plain = ins in table.plain or ins in table.by_p1 or ins == GET_RESPONSE.ins  # class 00
    if cla & MESSAGING and (plain or cla not in table.classes):
        return wire.messaging
    return 0x6D00


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
    rest = data[ne:]
    return Outcome(data[:ne], 0x6100 | min(len(rest), 0xFF), session._replace(waiting=rest, waiting_sw=sw), groups)


def get_response(image: CardImage, session: Session, command: CommandApdu, chip: Chip) -> Outcome:
    """The bytes that wait. While there are any, a challenge or a begun transaction stays good: GET RESPONSE belongs to
    the command before.

    Refuses, in this order: 6A81 card blocked, 6A86 P1 or P2, 6985 (`nothing_waiting`) nothing waits, 6700 no Le,
    or data, 6Cxx an Le longer than what waits.
    """
    waiting = session.waiting
    sw = 0x9000
    if image.lifecycle is Lifecycle.TERMINATED:
        sw = 0x6A81
    elif command.p1 or command.p2:
        sw, session = 0x6A86, session if waiting else settled(session)
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
