"""The bank's purse keeps its laws; and every law finds the fault that it forbids."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kaguan.apdu.command import CommandApdu
from kaguan.card_os import dispatch
from kaguan.card_os.commands import authenticate_direct, issuer, purse_composite, purse_overdraft, purse_unload
from kaguan.card_os.commands import purse as shared
from kaguan.card_os.image import CardKey
from kaguan.card_os.outcome import Outcome, View
from kaguan.emulator.nvm import Nvm
from kaguan.vault import messaging
from properties import bank_laws
from properties.bank_laws import BANK_LAWS, scenes_write
from properties.bank_scenes import BANK_SCENES
from properties.faults import answered_before_it_is_written, challenge_reusable, short_way_skips_the_storage
from properties.scenes import Scene

Patch = pytest.MonkeyPatch
Handler = Callable[[View, CommandApdu], Outcome]


@pytest.mark.parametrize("law", BANK_LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[[], None]) -> None:
    law()


@pytest.mark.parametrize("scene", BANK_SCENES, ids=lambda scene: scene.name)
def test_every_scene_writes(scene: Scene) -> None:
    scenes_write(scene)


def _alter(patch: Patch, name: str, alter: Callable[[Outcome, View, CommandApdu], Outcome]) -> None:
    handler: Handler = dispatch.HANDLERS[name]
    patch.setitem(dispatch.HANDLERS, name, lambda view, command: alter(handler(view, command), view, command))
    patch.setattr(dispatch, "TABLES", dispatch.Tables())


def _short_compare(patch: Patch, module: Any) -> None:
    patch.setattr(module, "hmac", SimpleNamespace(compare_digest=lambda one, other: one[:2] == other[:2]))


def mac_try_spent_after_the_compare(patch: Patch) -> None:
    patch.setattr(issuer, "_done", lambda view, scope, key, effect: Outcome(b"", 0x9000, view.session, ((effect,),)))


def wrong_mac_costs_nothing(patch: Patch) -> None:
    _alter(patch, "RELOAD PIN", lambda outcome, *_: outcome if outcome.sw == 0x9000 else outcome._replace(groups=()))


def used_up_key_still_serves(patch: Patch) -> None:
    def found(view: View, usage: Any, reference: int = 0xFF) -> tuple[bytes, CardKey]:
        scope, key = issuer.first_key(view, usage)
        return scope, key._replace(tries_left=max(key.tries_left, 1))

    patch.setattr(issuer, "_issuer_key", found)


def unload_split_over_two_groups(patch: Patch) -> None:
    def split(outcome: Outcome, *_: object) -> Outcome:
        (group,) = outcome.groups
        return outcome._replace(groups=(group[:1], group[1:]))

    _alter(patch, "DEBIT FOR UNLOAD", split)


def limit_forgotten(patch: Patch) -> None:
    def forgetful(view: View, pending: Any, purse: Any, *rest: Any) -> Any:
        return shared.committed(view, pending, purse._replace(overdraft_limit_fen=0), *rest)

    patch.setattr(purse_overdraft, "committed", forgetful)


def record_written_at_once(patch: Patch) -> None:
    def eager(outcome: Outcome, *_: object) -> Outcome:
        pending = outcome.session.pending
        return outcome._replace(groups=(pending.cache,)) if pending and pending.cache else outcome

    _alter(patch, "UPDATE COMPOSITE CACHE", eager)


def record_lost(patch: Patch) -> None:
    update = purse_composite.update_composite_cache

    def lost(view: View, command: CommandApdu) -> Outcome:
        outcome = update(view, command)
        pending = outcome.session.pending
        assert pending is not None
        return outcome._replace(session=outcome.session._replace(pending=pending._replace(cache=())))

    patch.setitem(dispatch.HANDLERS, "UPDATE COMPOSITE CACHE", lost)
    patch.setattr(dispatch, "TABLES", dispatch.Tables())


def unload_not_proven(patch: Patch) -> None:
    def unproven(view: View, pending: Any, purse: Any, sequence: int, *rest: Any) -> Any:
        another = purse.proof._replace(sequence=sequence + 7)
        return shared.committed(view, pending, purse._replace(proof=another), sequence, *rest)

    patch.setattr(purse_unload, "committed", unproven)


def unload_counter_stands_still(patch: Patch) -> None:
    def still(view: View, pending: Any, purse: Any, sequence: int, *rest: Any) -> Any:
        return shared.committed(view, pending, purse._replace(online_sequence=sequence), sequence, *rest)

    patch.setattr(purse_unload, "committed", still)


def reload_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, issuer)


def unload_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, purse_unload)


def limit_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, purse_overdraft)


def messaging_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, messaging)


def cryptogram_compared_on_two_bytes(patch: Patch) -> None:
    _short_compare(patch, authenticate_direct)


def refused_block_blocks(patch: Patch) -> None:
    def guilty(view: View, scope: bytes, key: CardKey, sw: int) -> Outcome:
        ended = issuer._lifecycle(view, issuer.Lifecycle.DEACTIVATED)
        return Outcome(b"", sw, view.session, ((issuer._spent(scope, key),), (ended,)))

    patch.setattr(issuer, "_refused", guilty)


def short_reload_is_half_done(patch: Patch) -> None:
    def lax(view: View, command: CommandApdu) -> Outcome:
        if len(command.data) == 6:
            address, pin = issuer.find_pin(view, 0)
            return Outcome(b"", 0x6700, view.session, ((issuer._restored(address, pin, command.data[:2]),),))
        return issuer.reload_pin(view, command)

    patch.setitem(dispatch.HANDLERS, "RELOAD PIN", lax)
    patch.setattr(dispatch, "TABLES", dispatch.Tables())


def group_applied_by_halves(patch: Patch) -> None:
    def recover(nvm: Nvm) -> None:
        nvm._journal[:] = nvm._journal[:1]
        if nvm._marked:
            nvm._apply()
        nvm._clear()

    patch.setattr(Nvm, "recover", recover)


def pin_answered(patch: Patch) -> None:
    _alter(patch, "RELOAD PIN", lambda outcome, _, command: outcome._replace(data=command.data))


TABLE: tuple[tuple[Callable[[Patch], None], Callable[[], None]], ...] = (
    (mac_try_spent_after_the_compare, bank_laws.a_try_is_spent_before_a_mac_is_compared),
    (wrong_mac_costs_nothing, bank_laws.a_try_is_spent_before_a_mac_is_compared),
    (wrong_mac_costs_nothing, bank_laws.pulling_the_plug_gives_no_free_guess_at_a_mac),
    (used_up_key_still_serves, bank_laws.a_used_up_key_serves_nothing),
    (unload_split_over_two_groups, bank_laws.a_bank_transaction_is_one_group),
    (limit_forgotten, bank_laws.a_bank_transaction_is_one_group),
    (record_written_at_once, bank_laws.a_cached_record_is_written_with_the_debit_or_not_at_all),
    (record_lost, bank_laws.a_cached_record_is_written_with_the_debit_or_not_at_all),
    (unload_not_proven, bank_laws.a_lost_bank_answer_can_be_proven),
    (unload_counter_stands_still, bank_laws.bank_money_is_never_made),
    (reload_compared_on_two_bytes, bank_laws.a_forged_bank_code_moves_nothing),
    (unload_compared_on_two_bytes, bank_laws.a_forged_bank_code_moves_nothing),
    (limit_compared_on_two_bytes, bank_laws.a_forged_bank_code_moves_nothing),
    (messaging_compared_on_two_bytes, bank_laws.a_forged_bank_code_moves_nothing),
    (cryptogram_compared_on_two_bytes, bank_laws.a_forged_bank_code_moves_nothing),
    (refused_block_blocks, bank_laws.a_forged_bank_code_moves_nothing),
    (challenge_reusable, bank_laws.a_bank_challenge_serves_the_next_command_only),
    (short_reload_is_half_done, bank_laws.refused_bank_writes_change_nothing),
    (group_applied_by_halves, bank_laws.every_tear_of_every_bank_command_is_clean),
    (answered_before_it_is_written, bank_laws.every_tear_of_every_bank_command_is_clean),
    (short_way_skips_the_storage, bank_laws.the_short_way_of_a_bank_command_is_the_long_way),
    (pin_answered, bank_laws.no_bank_secret_is_answered),
)


@pytest.mark.parametrize(("plant", "law"), TABLE, ids=[f"{plant.__name__}-{law.__name__}" for plant, law in TABLE])
def test_the_law_finds_the_fault(plant: Callable[[Patch], None], law: Callable[[], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        law()


def test_every_law_has_found_a_fault() -> None:
    assert {law for _, law in TABLE} == set(BANK_LAWS)
