"""Faults that a chip could have: each is planted by a function that takes pytest's monkeypatch."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kaguan.apdu.command import CommandApdu
from kaguan.card_os import dispatch
from kaguan.card_os.access import find_pin
from kaguan.card_os.commands import (
    authenticate,
    binary,
    native_files,
    native_keys,
    pin,
    purse,
    purse_load,
    purse_purchase,
    purse_query,
    select,
)
from kaguan.card_os.image import MASTER_FILE, CardPin
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.session import FRESH, NO_RIGHTS, Session
from kaguan.card_os.writes import DropTree, PutDedicated, PutPin, PutPurse
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.nvm import Nvm
from kaguan.vault import messaging

Patch = pytest.MonkeyPatch
Handler = Callable[[View, CommandApdu], Outcome]


def _alter(patch: Patch, handler: Handler, alter: Callable[[Outcome, View, CommandApdu], Outcome]) -> None:
    """Every row of the dispatch tables that leads to the handler leads to its altered outcome."""

    def altered(view: View, command: CommandApdu) -> Outcome:
        return alter(handler(view, command), view, command)

    _replace(patch, handler, altered)


def _replace(patch: Patch, handler: Handler, other: Handler) -> None:
    for name, old in list(dispatch.HANDLERS.items()):
        if old is handler:
            patch.setitem(dispatch.HANDLERS, name, other)
    patch.setattr(dispatch, "TABLES", dispatch.Tables())


def _two_groups(outcome: Outcome, *_: object) -> Outcome:
    (group,) = outcome.groups
    return outcome._replace(groups=(group[:1], group[1:]))


def debit_split_over_two_groups(patch: Patch) -> None:
    _alter(patch, purse_purchase.debit_for_purchase, _two_groups)


def load_split_over_two_groups(patch: Patch) -> None:
    _alter(patch, purse_load.credit_for_load, _two_groups)


def log_forgotten(patch: Patch) -> None:
    _alter(
        patch, purse_purchase.debit_for_purchase, lambda outcome, *_: outcome._replace(groups=(outcome.groups[0][:1],))
    )


def proof_not_kept(patch: Patch) -> None:
    def unproven(*args: Any) -> Any:
        put, *others = purse.committed(*args)
        assert isinstance(put, PutPurse)
        return (put._replace(purse=put.purse._replace(proof=None)), *others)

    patch.setattr(purse_purchase, "committed", unproven)


def counter_stands_still(patch: Patch) -> None:
    def still(view: View, pending: Any, paid: Any, sequence: int, *rest: Any) -> Any:
        return purse.committed(view, pending, paid._replace(offline_sequence=sequence), sequence, *rest)

    patch.setattr(purse_purchase, "committed", still)


def funds_not_asked(patch: Patch) -> None:
    def rich(view: View, command: CommandApdu) -> Outcome:
        address, found = purse.find_purse(view, command.p2)
        purses = {**view.image.purses, address: found._replace(balance_fen=found.balance_fen + 1_000_000)}
        return purse_purchase.initialize_for_purchase(view._replace(image=view.image._replace(purses=purses)), command)

    _replace(patch, purse_purchase.initialize_for_purchase, rich)


def pending_kept(patch: Patch) -> None:
    _alter(
        patch,
        purse_load.credit_for_load,
        lambda outcome, view, _: outcome._replace(session=outcome.session._replace(pending=view.pending)),
    )


def try_spent_after_the_compare(patch: Patch) -> None:
    def late(outcome: Outcome, *_: object) -> Outcome:
        return outcome._replace(groups=outcome.groups[1:]) if outcome.sw == 0x9000 else outcome

    _alter(patch, pin.verify, late)


def right_pin_writes_nothing(patch: Patch) -> None:
    _alter(patch, pin.verify, lambda outcome, *_: outcome._replace(groups=()) if outcome.sw == 0x9000 else outcome)


def key_try_spent_after_the_compare(patch: Patch) -> None:
    def late(outcome: Outcome, *_: object) -> Outcome:
        return outcome._replace(groups=outcome.groups[1:]) if outcome.sw == 0x9000 else outcome

    _alter(patch, authenticate.external_authenticate, late)


def wrong_pin_costs_nothing(patch: Patch) -> None:
    _alter(patch, pin.verify, lambda outcome, *_: outcome._replace(groups=()) if outcome.sw != 0x9000 else outcome)


def right_pin_always_opens(patch: Patch) -> None:
    def found(view: View, reference: int) -> tuple[bytes, CardPin]:
        address, card_pin = find_pin(view, reference)
        return address, card_pin._replace(tries_left=max(card_pin.tries_left, 1))

    patch.setattr(pin, "find_pin", found)


def _short_compare(patch: Patch, module: Any) -> None:
    patch.setattr(module, "hmac", SimpleNamespace(compare_digest=lambda one, other: one[:2] == other[:2]))


def mac1_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, purse_purchase)


def mac2_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, purse_load)


def messaging_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, messaging)


def cryptogram_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, authenticate)


def challenge_reusable(patch: Patch) -> None:
    patch.setattr(dispatch, "settled", lambda session: session)


def malformed_command_keeps_the_challenge(patch: Patch) -> None:
    patch.setattr("kaguan.emulator.card.settled", lambda session: session)


def challenge_half_zero(patch: Patch) -> None:
    def lazy(outcome: Outcome, view: View, command: CommandApdu) -> Outcome:
        known = outcome.data[:4] + bytes(len(outcome.data) - 4)
        return outcome._replace(session=outcome.session._replace(challenge=known))

    _alter(patch, authenticate.get_challenge, lazy)


def rights_kept_across_applications(patch: Patch) -> None:
    patch.setattr(select, "rights_after_move", lambda rights, here, there: rights)


def local_rights_kept_inside_the_application(patch: Patch) -> None:
    def lax(rights: frozenset[int], here: bytes, there: bytes) -> frozenset[int]:
        return rights if here[:4] == there[:4] else NO_RIGHTS

    patch.setattr(select, "rights_after_move", lax)


def reset_keeps_the_session(patch: Patch) -> None:
    def reset(card: EmulatedCard) -> bytes:
        card.nvm.recover()
        card._powered = True
        return card.atr

    patch.setattr(EmulatedCard, "reset", reset)


def tear_keeps_the_session(patch: Patch) -> None:
    def lose(card: EmulatedCard) -> None:
        card._powered = False
        card._session = Session(rights=frozenset({0x100}), current=bytes.fromhex("3F00DDF1"))

    def reset(card: EmulatedCard) -> bytes:
        card.nvm.recover()
        card._powered = True
        return card.atr

    patch.setattr(EmulatedCard, "_lose_power", lose)
    patch.setattr(EmulatedCard, "reset", reset)


def recovery_ignores_the_mark(patch: Patch) -> None:
    def recover(nvm: Nvm) -> None:
        nvm._clear()

    patch.setattr(Nvm, "recover", recover)


def recovery_finishes_what_was_not_marked(patch: Patch) -> None:
    def recover(nvm: Nvm) -> None:
        nvm._apply()
        nvm._clear()

    patch.setattr(Nvm, "recover", recover)


def recovery_clears_before_it_applies(patch: Patch) -> None:
    def recover(nvm: Nvm) -> None:
        journal, marked = list(nvm._journal), nvm._marked
        nvm._clear()
        for write in journal if marked else ():
            nvm.power.spend()
            nvm.image = write.put(nvm.image)

    patch.setattr(Nvm, "recover", recover)


def journal_never_cleared(patch: Patch) -> None:
    def recover(nvm: Nvm) -> None:
        if nvm._marked:
            nvm._apply()

    patch.setattr(Nvm, "recover", recover)


def mark_left_behind(patch: Patch) -> None:
    def recover(nvm: Nvm) -> None:
        if nvm._marked:
            nvm._apply()
        nvm._journal.clear()

    patch.setattr(Nvm, "recover", recover)


def answered_before_it_is_written(patch: Patch) -> None:
    commit = Nvm.commit

    def early(nvm: Nvm, group: Any) -> None:
        if nvm.power.steady:
            commit(nvm, group)

    patch.setattr(Nvm, "commit", early)


def short_way_skips_the_storage(patch: Patch) -> None:
    commit = Nvm.commit

    def forgetful(nvm: Nvm, group: Any) -> None:
        storage, nvm._storage = nvm._storage, None if nvm.power.steady else nvm._storage
        try:
            commit(nvm, group)
        finally:
            nvm._storage = storage

    patch.setattr(Nvm, "commit", forgetful)


def refusal_writes(patch: Patch) -> None:
    def guilty(view: View, command: CommandApdu) -> Outcome:
        try:
            return pin.change_pin(view, command)
        except Refuse as refusal:
            address, found = find_pin(view, 0)
            spent = PutPin(address, found._replace(tries_left=found.tries_left - 1))
            return Outcome(b"", refusal.sw, view.session, ((spent,),))

    _replace(patch, pin.change_pin, guilty)


def wrong_pin_changes_the_pin(patch: Patch) -> None:
    def helpful(outcome: Outcome, view: View, command: CommandApdu) -> Outcome:
        if outcome.sw == 0x9000 or not outcome.groups:
            return outcome
        (put,) = outcome.groups[0]
        assert isinstance(put, PutPin)
        return outcome._replace(groups=((put._replace(pin=put.pin._replace(value=command.data)),),))

    _alter(patch, pin.verify, helpful)


def verify_echoes(patch: Patch) -> None:
    _alter(patch, pin.verify, lambda outcome, _, command: outcome._replace(data=command.data))


def proof_of_any_number(patch: Patch) -> None:
    def any_number(view: View, command: CommandApdu) -> Outcome:
        _, found = purse.find_purse(view, 1)
        if found.proof is None:
            return Outcome(bytes(8), 0x9000, view.session)
        return Outcome(found.proof.mac + found.proof.tac, 0x9000, view.session)

    _replace(patch, purse_query.get_transaction_prove, any_number)


# A native card's


def native_key_try_spent_after_the_compare(patch: Patch) -> None:
    key_try_spent_after_the_compare(patch)


def erasing_split_over_two_groups(patch: Patch) -> None:
    _alter(patch, native_files.erase_dedicated, _two_groups)


def key_replaced_in_two_groups(patch: Patch) -> None:
    _alter(patch, native_keys.write_key, _two_groups)


def native_rights_not_asked(patch: Patch) -> None:
    for module in (native_files, native_keys):
        patch.setattr(module, "require", lambda *_: None)


def line_protection_forgotten(patch: Patch) -> None:
    patch.setattr(binary, "require_access", lambda *_, **__: None)


def fresh_for_ever(patch: Patch) -> None:
    moved = select.rights_after_move
    patch.setattr(
        select, "rights_after_move", lambda rights, here, there: moved(rights, here, there) | (rights & {FRESH})
    )


def _erased(patch: Patch, group: Callable[[View, PutDedicated], tuple[Any, ...]]) -> None:
    def altered(outcome: Outcome, view: View, _: CommandApdu) -> Outcome:
        put = outcome.groups[0][-1]
        assert isinstance(put, PutDedicated)
        return outcome._replace(groups=(group(view, put),))

    _alter(patch, native_files.erase_dedicated, altered)


def erasing_takes_the_neighbours(patch: Patch) -> None:
    _erased(
        patch,
        lambda view, put: (DropTree(MASTER_FILE), PutDedicated(MASTER_FILE, view.image.dedicated[MASTER_FILE]), put),
    )


def erasing_leaves_the_keys(patch: Patch) -> None:
    _erased(patch, lambda _, put: (put,))


def erasing_leaves_the_key_file(patch: Patch) -> None:
    _erased(
        patch,
        lambda view, put: (DropTree(put.address), put._replace(dedicated=view.image.dedicated[put.address])),
    )


def file_room_not_counted(patch: Patch) -> None:
    patch.setattr(native_files, "room_left", lambda *_: 1_000_000)


def key_room_not_counted(patch: Patch) -> None:
    patch.setattr(native_keys, "key_room_left", lambda *_: 1_000_000)


def pin_written_over(patch: Patch) -> None:
    patch.setattr(native_keys, "_require_change", lambda *_: None)


def pin_that_guards_no_purse(patch: Patch) -> None:
    patch.setattr(native_keys, "with_pin", lambda _, found: found)


def written_key_answered(patch: Patch) -> None:
    _alter(patch, native_keys.write_key, lambda outcome, _, command: outcome._replace(data=command.data))
