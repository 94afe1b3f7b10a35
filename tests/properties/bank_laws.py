"""The laws of the bank's purse: each returns when its law holds and raises AssertionError when it does not."""

from __future__ import annotations

from itertools import count

from card.bank_teller import KINDS, RECORD, Teller, initialize
from card.banks import ADF, SELECT, VERIFY, bank_key, rich
from card.cards import Terminal
from kaguan.card_os.image import CardImage, Lifecycle, Purse
from kaguan.card_os.writes import apply
from properties.bank_scenes import BANK_SCENES, TRANSACTIONS, bank_scene
from properties.laws import a_refusal_changes_nothing, a_tear_leaves_before_or_after, torn
from properties.scenes import Scene, Stage

LABELS = ("DACK", "DAMK", "DPUK", "DRPK", "DPK", "DLK", "DULK", "DUK", "DTK", "IRK")
SECRETS = tuple(half for label in LABELS for half in (bank_key(label)[:8], bank_key(label)[8:]))

COUNTED = ("RELOAD PIN", "PIN UNBLOCK", "APPLICATION BLOCK", "APPLICATION UNBLOCK", "CARD BLOCK")
GUESSED = (*COUNTED, *(f"{name} at last" for name in COUNTED), "EXTERNAL AUTHENTICATE", "VERIFY", "CHANGE PIN")


def _tries(image: CardImage) -> int:
    keys = sum(key.tries_left for versions in image.keys.values() for key in versions)
    return keys + sum(pin.tries_left for pin in image.pins.values())


def _untried(image: CardImage) -> CardImage:
    keys = {at: tuple(key._replace(tries_left=0) for key in versions) for at, versions in image.keys.items()}
    return image._replace(keys=keys, pins={at: pin._replace(tries_left=0) for at, pin in image.pins.items()})


def a_try_is_spent_before_a_mac_is_compared() -> None:
    """Law 1: the first group of right and wrong is the same and takes a try."""
    for kind in GUESSED:
        first_groups, left = [], []
        for name in (f"{kind} right", f"{kind} wrong"):
            stage = bank_scene(name).staged()
            before = stage.terminal.card.image
            stage.terminal.send(stage.command)
            assert stage.kept.groups, f"{name} writes nothing"
            first_groups.append(stage.kept.groups[0])
            left.append(_tries(apply(before, stage.kept.groups[0])) - _tries(before))
        assert first_groups[0] == first_groups[1], kind
        assert left == [-1, -1], f"{kind}: {left}"


def pulling_the_plug_gives_no_free_guess_at_a_mac() -> None:
    """Law 1, from outside: until right and wrong can be told apart by anything, the try is spent for good."""
    for kind in GUESSED:
        for cut in count():
            images, answered, before = [], [], 0
            for name in (f"{kind} right", f"{kind} wrong"):
                stage = bank_scene(name).staged()
                before = _tries(stage.terminal.card.image)
                answered.append(torn(stage, cut) is not None)
                images.append(stage.terminal.card.image)
            if answered[0] != answered[1] or images[0] != images[1]:
                assert _tries(images[1]) == before - 1, f"{kind}: a free guess after {cut} writes"
            if all(answered):
                break


def a_used_up_key_serves_nothing() -> None:
    """Law 1, its end: a right MAC after the last wrong one is refused, and nothing is changed."""
    for kind in COUNTED:
        wrong = bank_scene(f"{kind} at last wrong").staged()
        assert wrong.terminal.send(wrong.command) == "9303"
        ended = wrong.terminal.card.image
        assert ended.dedicated[ADF].lifecycle is Lifecycle.TERMINATED
        for lifecycle in (Lifecycle.ACTIVATED, Lifecycle.DEACTIVATED):  # were it alive, the key is still used up
            dedicated = {**ended.dedicated, ADF: ended.dedicated[ADF]._replace(lifecycle=lifecycle)}
            revived = ended._replace(dedicated=dedicated)
            right = bank_scene(f"{kind} right")._replace(image=lambda image=revived: image).staged()
            assert right.terminal.send(right.command) in ("9303", "6A81", "6985")
            assert right.terminal.card.image == revived


def _changed(before: CardImage, after: CardImage) -> tuple[Purse, Purse]:
    (address,) = (at for at in before.purses if before.purses[at] != after.purses[at])
    return before.purses[address], after.purses[address]


def a_bank_transaction_is_one_group() -> None:
    """Law 2: balance, counter, limit, proof, log record and a composite purchase's records are written together."""
    for name in TRANSACTIONS:
        stage = bank_scene(name).staged()
        before = stage.terminal.card.image
        assert stage.terminal.send(stage.command).endswith("9000")
        assert len(stage.kept.groups) == 1, f"{name} writes {len(stage.kept.groups)} groups"
        after = stage.terminal.card.image
        old, new = _changed(before, after)
        assert abs(new.balance_fen - old.balance_fen) == 700
        assert (new.online_sequence + new.offline_sequence) - (old.online_sequence + old.offline_sequence) == 1
        assert (new.online_sequence > old.online_sequence) != KINDS[name].offline
        assert new.proof is not None
        assert new.proof != old.proof
        assert new.overdraft_limit_fen == (700 if name == "overdraft" else 0)
        assert len(after.files[old.rules.log].records) == 1
        records = after.files[ADF + b"\x00\x17"].records
        assert (records[1].hex().upper() == RECORD) == (name == "composite")


def a_cached_record_is_written_with_the_debit_or_not_at_all() -> None:
    """Law 2 from outside: whenever the power goes, the record is there when the money is gone and not otherwise."""
    stage = bank_scene("composite").staged()
    assert stage.terminal.card.image == rich(), "the cache was written before the debit"
    for cut in count():
        stage = bank_scene("composite").staged()
        answer = torn(stage, cut)
        terminal = stage.terminal
        paid = terminal.go(SELECT, "805C000204") != "000027109000"
        assert (terminal.send("00B202BC30") == RECORD + "9000") == paid
        if answer is not None:
            assert paid
            return


def a_lost_bank_answer_can_be_proven() -> None:
    """Law 2, from outside: after a tear GET TRANSACTION PROVE and the balance say the same thing."""
    for name in TRANSACTIONS:
        kind = KINDS[name]
        for cut in count():
            stage = bank_scene(name).staged()
            answer = torn(stage, cut)
            terminal = stage.terminal
            terminal.card.reset()
            terminal.go(SELECT)
            proof = terminal.send(f"805A00{kind.code}02000008")
            assert proof[-4:] in ("9000", "9406")
            balance = int(terminal.go(VERIFY, f"805C00{kind.purse}04")[:8], 16)
            assert balance == 10_000 + (kind.sign * 700 if proof.endswith("9000") else 0), name
            if answer is not None:
                assert proof.endswith("9000"), "an answered transaction is not proven"
                break


def bank_money_is_never_made() -> None:
    """Nothing takes more than there is, and no transaction is done twice."""
    for name in ("unload", "cash", "composite", "purchase"):
        terminal = Terminal(rich(100))
        terminal.go(SELECT, VERIFY)
        answer = terminal.send(initialize(name, 101))
        assert answer == "9401", name
        teller = Teller(terminal)
        numbers = {teller.do(name, 10).sequence for _ in range(2)}
        assert len(numbers) == 2
        again = teller.last_step(name, 10)
        assert [terminal.send(again)[-4:] for _ in range(2)] == ["9000", "6901"]
        assert int(terminal.send(f"805C00{KINDS[name].purse}04")[:8], 16) == 70


def a_forged_bank_code_moves_nothing() -> None:
    """Every byte of a MAC or a cryptogram counts."""
    names = (*TRANSACTIONS, *(f"{kind} right" for kind in (*COUNTED, "EXTERNAL AUTHENTICATE")))
    for name in names:
        places = range(5, 13) if name.startswith("EXTERNAL") else range(-4, 0)
        for place in places:
            stage = bank_scene(name).staged()
            before = stage.terminal.card.image
            forged = bytearray(stage.command)
            forged[place - (1 if name in TRANSACTIONS else 0)] ^= 0x01
            answer = stage.terminal.send(bytes(forged))
            assert answer in ("9302", "6988", "63C2"), f"{name}, byte {place}: {answer}"
            after = stage.terminal.card.image
            assert _untried(after) == _untried(before)
            assert (after == before) == (name in TRANSACTIONS)


def a_bank_challenge_serves_the_next_command_only() -> None:
    """Law 4: neither a second time nor after another command."""
    for kind in (*COUNTED[1:], "EXTERNAL AUTHENTICATE"):
        for between in ("00B2010400", "00FF", "00C0000001"):
            stage = bank_scene(f"{kind} right").staged()
            stage.terminal.send(between)
            assert stage.terminal.send(stage.command) == "6984", f"{kind} after {between}"
        stage = bank_scene(f"{kind} right").staged()
        assert stage.terminal.send(stage.command) == "9000"
        assert stage.terminal.send(stage.command) in ("6984", "6A81", "6985"), f"{kind} twice"
    for name in TRANSACTIONS:
        stage = bank_scene(name).staged()
        stage.terminal.send("805C000204")
        assert stage.terminal.send(stage.command) == "6901", f"{name} after another command"


def refused_bank_writes_change_nothing() -> None:
    """Law 3 on the commands that would write, had they the right to or the right length; a wrong MAC takes a try."""
    for one in BANK_SCENES:
        for spoiled in (_cut, _emptied, _elsewhere):
            stage = one.staged()
            before = stage.terminal.card.image
            command = spoiled(stage)
            answer = stage.terminal.send(command)
            if answer in ("9302", "6988", "9303"):
                assert _untried(stage.terminal.card.image)._replace(dedicated={}) == _untried(before)._replace(
                    dedicated={}
                )
                continue
            again = one.staged()
            a_refusal_changes_nothing(again.terminal, spoiled(again))


def _cut(stage: Stage) -> bytes:
    raw = stage.command
    return raw[:4] + bytes((raw[4] - 1,)) + raw[5 : 4 + raw[4]] if len(raw) > 6 else raw + b"\x01\x00"


def _emptied(stage: Stage) -> bytes:
    return stage.command[:4]


def _elsewhere(stage: Stage) -> bytes:
    stage.terminal.card.reset()
    return stage.command


def every_tear_of_every_bank_command_is_clean() -> None:
    """Law 5 for every command that writes, and for recovery, torn once and twice."""
    for one in BANK_SCENES:
        a_tear_leaves_before_or_after(one)
        for first in range(4):
            a_tear_leaves_before_or_after(one, first)
            a_tear_leaves_before_or_after(one, first, 1)


def the_short_way_of_a_bank_command_is_the_long_way() -> None:
    """With steady power a command comes to the same as with power that is watched and never fails."""
    for one in BANK_SCENES:
        steady, watched = one.staged(), one.staged()
        answer = steady.terminal.send(steady.command)
        assert torn(watched, 10_000) == answer
        assert steady.terminal.card.image == watched.terminal.card.image
        assert steady.kept.groups == watched.kept.groups


def no_bank_secret_is_answered() -> None:
    """Law 6: neither the PIN nor a key is in any response, whatever the trace is of."""
    for one in BANK_SCENES:
        stage = one.staged()
        stage.terminal.send(stage.command)
        stage.terminal.send("00C0000000")  # what waits is answered too
        for _, response in stage.terminal.trace:
            assert not any(secret in response for secret in (*SECRETS, b"\x12\x34\x56", b"\x65\x43\x21"))


def scenes_write(one: Scene) -> None:
    """The scene is what its name says: it writes, and is done unless it is wrong."""
    stage = one.staged()
    answer = stage.terminal.send(stage.command)
    assert stage.kept.groups
    assert answer.endswith("9000") == (not one.name.endswith("wrong"))


BANK_LAWS = (
    a_try_is_spent_before_a_mac_is_compared,
    pulling_the_plug_gives_no_free_guess_at_a_mac,
    a_used_up_key_serves_nothing,
    a_bank_transaction_is_one_group,
    a_cached_record_is_written_with_the_debit_or_not_at_all,
    a_lost_bank_answer_can_be_proven,
    bank_money_is_never_made,
    a_forged_bank_code_moves_nothing,
    a_bank_challenge_serves_the_next_command_only,
    refused_bank_writes_change_nothing,
    every_tear_of_every_bank_command_is_clean,
    the_short_way_of_a_bank_command_is_the_long_way,
    no_bank_secret_is_answered,
)
