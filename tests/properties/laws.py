"""The laws of the chip as plain functions: each returns when its law holds and raises AssertionError when not.

The same functions judge the chip as it is and the chip with faults planted in it: a law that no fault can break proves
nothing.
"""

from __future__ import annotations

from itertools import count

from card.cards import (
    CARD_KEY,
    PIN_ADDRESS,
    PIN_TRIES,
    PURSE_ADDRESS,
    SELECT_DF04,
    SELECT_SSSE,
    Terminal,
    funded,
    terminal,
)
from card.oracle import tdes
from card.purses import balance, credit, debit, initialize_load, initialize_purchase, purchase
from kaguan.apdu.errors import CardLost
from kaguan.card_os.image import CardImage
from kaguan.card_os.writes import apply
from properties.scenes import SCENES, Scene, Stage, scene, scenes

SECRETS = (CARD_KEY[:8], CARD_KEY[8:], bytes.fromhex("123456"), bytes.fromhex("654321"))

KEPT_CHANGES = frozenset({0x63})
"""First status bytes of answers that are no refusals, though they are not 90 or 61: a wrong PIN or cryptogram."""


def states(before: CardImage, stage: Stage) -> list[CardImage]:
    """What the memory was before the command and after each of the groups that the storage kept."""
    images = [before]
    for group in stage.kept.groups:
        images.append(apply(images[-1], group))
    return images


def a_try_is_spent_before_anything_is_compared() -> None:
    """Law 1: the first group of right and wrong is the same and takes a try."""
    for kind in ("VERIFY", "CHANGE PIN", "EXTERNAL AUTHENTICATE"):
        first_groups, left = [], []
        for one in scenes(f"{kind} right", f"{kind} wrong"):
            stage = one.staged()
            before = stage.terminal.card.image
            stage.terminal.send(stage.command)
            assert stage.kept.groups, f"{one.name} writes nothing"
            first_groups.append(stage.kept.groups[0])
            after = apply(before, stage.kept.groups[0])
            left.append(_tries(after) - _tries(before))
        assert first_groups[0] == first_groups[1]
        assert left == [-1, -1], f"{kind}: {left}"


def _tries(image: CardImage) -> int:
    keys = sum(key.tries_left for versions in image.keys.values() for key in versions)
    return keys + sum(pin.tries_left for pin in image.pins.values())


def pulling_the_plug_gives_no_free_guess() -> None:
    """Law 1, from outside: until right and wrong can be told apart by anything, the try is spent for good."""
    for cut in count():
        images, answered = [], []
        for one in scenes("VERIFY right", "VERIFY wrong"):
            stage = one.staged()
            answer = torn(stage, cut)
            images.append(stage.terminal.card.image)
            answered.append(answer is not None)
        if answered[0] != answered[1] or images[0] != images[1]:
            assert images[1].pins[PIN_ADDRESS].tries_left == PIN_TRIES - 1, f"a free guess after {cut} writes"
        if all(answered):
            return


def a_blocked_pin_stays_blocked() -> None:
    """Law 1, its end: with no try left the right digits are refused too, however they come."""
    card = terminal(at="SSSE")
    for _ in range(PIN_TRIES):
        card.send("0020000003654321")
    for command in ("0020000003123456", "805E010007123456FF654321"):
        before = card.card.image
        assert card.send(command) == "6983"
        assert card.card.image == before


def a_transaction_is_one_group() -> None:
    """Law 2: balance, counter, proof and log record are written together or not at all."""
    for one in scenes("CREDIT FOR LOAD", "DEBIT FOR PURCHASE"):
        stage = one.staged()
        before = stage.terminal.card.image
        assert stage.terminal.send(stage.command).endswith("9000")
        assert len(stage.kept.groups) == 1, f"{one.name} writes {len(stage.kept.groups)} groups"
        old, new = before.purses[PURSE_ADDRESS], stage.terminal.card.image.purses[PURSE_ADDRESS]
        assert old.balance_fen != new.balance_fen
        assert (new.online_sequence + new.offline_sequence) - (old.online_sequence + old.offline_sequence) == 1
        assert new.proof is not None
        assert new.proof != old.proof
        assert len(stage.terminal.card.image.files[old.rules.log].records) == 1


def a_lost_answer_can_be_proven() -> None:
    """Law 2, from outside: after a tear GET TRANSACTION PROVE and the balance say the same thing."""
    for name, kind, change in (("CREDIT FOR LOAD", "01", 700), ("DEBIT FOR PURCHASE", "05", -700)):
        for cut in count():
            stage = scene(name).staged()
            answer = torn(stage, cut)
            card = stage.terminal
            card.card.reset()
            card.go(SELECT_SSSE, SELECT_DF04)
            done = card.send(f"805A00{kind}02000008")
            assert done[-4:] in ("9000", "9406")
            assert balance(card) == 10_000 + (change if done.endswith("9000") else 0)
            if answer is not None:
                assert done.endswith("9000"), "an answered transaction is not proven"
                break


def money_is_never_made() -> None:
    """A purchase takes at most what is there, and a transaction cannot be done twice."""
    card = terminal(funded(100), at="DF04", pin=True)
    answer = card.send(initialize_purchase(101))
    if answer.endswith("9000"):
        card.send(debit(answer, 101))
    assert 0 <= card.card.image.purses[PURSE_ADDRESS].balance_fen <= 100
    assert answer == "9401"
    first, second = purchase(card, 10), purchase(card, 10)
    assert first.sequence != second.sequence
    assert balance(card) == 80
    again = credit(card.send(initialize_load(7)), 7)
    answers = [card.send(again)[-4:] for _ in range(2)]
    assert answers == ["9000", "6901"]
    assert balance(card) == 87


def a_forged_code_moves_nothing() -> None:
    """Every byte of a MAC or a cryptogram counts."""
    signed = {
        "CREDIT FOR LOAD": range(-5, -1),
        "DEBIT FOR PURCHASE": range(-5, -1),
        "PIN UNBLOCK": range(-4, 0),
        "RELOAD PIN": range(-12, 0),
        "APPLICATION BLOCK": range(-4, 0),
        "CARD BLOCK": range(-4, 0),
        "WRITE KEY": range(-28, 0),
        "EXTERNAL AUTHENTICATE right": range(5, 21),
    }
    for name, places in signed.items():
        for place in places:
            stage = scene(name).staged()
            before = stage.terminal.card.image
            forged = bytearray(stage.command)
            forged[place] ^= 0x01
            answer = stage.terminal.send(bytes(forged))
            assert answer in ("9302", "6988", "63C7"), f"{name}, byte {place}: {answer}"
            if not answer.startswith("63"):
                assert stage.terminal.card.image == before


def a_refusal_changes_nothing(card: Terminal, command: bytes) -> None:
    """Law 3: the memory changes only when the answer is no refusal; then the answer says so."""
    before = card.card.image
    answer = bytes.fromhex(card.send(command))
    if answer[-2] not in (0x90, 0x61, 0x63):
        assert card.card.image == before, f"{command.hex()}: {answer[-2:].hex()} and yet it wrote"
    elif answer[-2] in KEPT_CHANGES:
        after = card.card.image
        assert _untried(after) == _untried(before), f"{command.hex()}: a wrong try changed more than a counter"
        assert _tries(before) - _tries(after) in (0, 1)


def _untried(image: CardImage) -> CardImage:
    """The image with all counters of tries at zero."""
    keys = {at: tuple(key._replace(tries_left=0) for key in versions) for at, versions in image.keys.items()}
    return image._replace(keys=keys, pins={at: pin._replace(tries_left=0) for at, pin in image.pins.items()})


def refused_writes_change_nothing() -> None:
    """Law 3 on the commands that would write, had they the right to, the room or the right length."""
    for one in SCENES:
        for spoiled in (_cut, _emptied, _without_rights):
            stage = one.staged()
            a_refusal_changes_nothing(stage.terminal, spoiled(stage))
    card = scene("UPDATE RECORD").staged().terminal
    a_refusal_changes_nothing(card, bytes.fromhex("00DC022C0402023939" + "39"))
    a_refusal_changes_nothing(card, bytes.fromhex("00D688FF03ABCDEF"))
    a_refusal_changes_nothing(card, bytes.fromhex("00DCEE2803EE0139"))


def _cut(stage: Stage) -> bytes:
    """The command with its last data byte gone."""
    raw = stage.command
    return raw[:4] + bytes((raw[4] - 1,)) + raw[5 : 4 + raw[4]] if len(raw) > 6 else raw + b"\x01\x00"


def _emptied(stage: Stage) -> bytes:
    """The command without data."""
    return stage.command[:4]


def _without_rights(stage: Stage) -> bytes:
    stage.terminal.card.reset()
    stage.terminal.send(SELECT_SSSE)
    return stage.command


def another_application_forgets_all_rights() -> None:
    """Law 4: nothing that was shown to one application counts in another, nor a local key in its neighbour."""
    card = terminal(at="DF04", pin=True)
    card.authenticated(0x04, 0x84)
    card.select("DF01", "DF04")
    assert card.send("00B2903000") == "6982", "a key local to DF04 survived DF01"
    assert card.send("00B2812800")[-4:] == "9000"
    card.select("3F00", "DDF1")
    assert card.send("00D6880001AA") == "6982", "the key of the application that was left still counts"
    card.select("DF04")
    assert card.send("00B2812800") == "6982", "the PIN of the application that was left still counts"


def power_loss_forgets_all_rights() -> None:
    """Law 4: a reset, and a torn command too, ends the session."""
    card = terminal(at="DF04", pin=True)
    card.card.reset()
    card.select("DDF1", "DF04")
    assert card.send("00B2812800") == "6982"
    for cut in range(3):
        stage = scene("VERIFY right").staged()
        assert torn(stage, cut) is None
        stage.terminal.select("DDF1", "DF04")
        assert stage.terminal.send("00B2812800") == "6982"


def a_challenge_serves_the_next_command_only() -> None:
    """Law 4: neither a second time nor after another command."""
    for name in ("EXTERNAL AUTHENTICATE right", "PIN UNBLOCK", "APPLICATION BLOCK", "WRITE KEY"):
        for between in ("00B2010400", "00FF", "00C0000001"):
            stage = scene(name).staged()
            stage.terminal.send(between)
            assert stage.terminal.send(stage.command) == "6984", f"{name} after {between}"
        stage = scene(name).staged()
        assert stage.terminal.send(stage.command) == "9000"
        assert stage.terminal.send(stage.command) in ("6984", "6A81"), f"{name} twice"
    for name in ("CREDIT FOR LOAD", "DEBIT FOR PURCHASE"):
        stage = scene(name).staged()
        stage.terminal.send("805C000104")
        assert stage.terminal.send(stage.command) == "6901", f"{name} after another command"


def challenges_differ() -> None:
    """A challenge is what the source of luck gave, all of it, and asked for every time."""
    card = terminal(at="SSSE")
    original = bytes(8)
    for place in range(8):
        challenge = bytearray(card.challenge())
        challenge[place] ^= 0x01
        cryptogram = tdes(tdes(CARD_KEY, bytes(challenge)), original)
        assert card.send(b"\x00\x82\x00\x06\x10" + cryptogram + original).startswith("63")
        card.authenticated(0x06)
    assert len({card.challenge(4) for _ in range(20)}) > 15


def torn(stage: Stage, cut: int, *recovery_cuts: int) -> str | None:
    """The answer, or None when the power failed after so many writes; the card is then powered again.

    `recovery_cuts` are the writes after which the power fails in recovery, one power-up after the other.
    """
    card = stage.terminal.card
    card.power.cut_after(cut)
    try:
        answer = card.transceive(stage.command).hex().upper()
    except CardLost:
        for recovery_cut in recovery_cuts:
            card.power.cut_after(recovery_cut)
            try:
                card.reset()
            except CardLost:
                continue
        card.power.restore()
        card.reset()
        return None
    card.power.restore()
    return answer


def a_tear_leaves_before_or_after(one: Scene, *recovery_cuts: int) -> None:
    """Law 5: whichever write the power fails at, the memory is as it was before or after one of the groups."""
    whole = one.staged()
    before = whole.terminal.card.image
    answer = whole.terminal.send(whole.command)
    allowed = states(before, whole)
    assert whole.terminal.card.image == allowed[-1]
    assert len(allowed) > 1, f"{one.name} writes nothing"
    reached = 0
    for cut in count():
        stage = one.staged()
        given = torn(stage, cut, *recovery_cuts)
        image = stage.terminal.card.image
        assert image in allowed, f"{one.name}, cut after {cut} writes: half of a group"
        assert image == states(before, stage)[-1], f"{one.name}, cut after {cut}: memory and storage differ"
        assert len(stage.kept.groups) >= reached, f"{one.name}: a later cut leaves an earlier state"
        reached = len(stage.kept.groups)
        if given is not None:
            assert (given, image) == (answer, allowed[-1]), f"{one.name}: answered and not written"
            return


def every_tear_of_every_command_is_clean() -> None:
    """Law 5 for every command that writes."""
    for one in SCENES:
        a_tear_leaves_before_or_after(one)


def every_tear_of_recovery_is_clean() -> None:
    """Law 5 for recovery, torn once and twice."""
    for one in SCENES:
        for first in range(4):
            a_tear_leaves_before_or_after(one, first)
            a_tear_leaves_before_or_after(one, first, 1)


def a_card_goes_on_after_a_tear() -> None:
    """What the journal held is gone after recovery: neither the next write nor the next power-up brings it back."""
    for cut in count():
        stage = scene("DEBIT FOR PURCHASE").staged()
        answer = torn(stage, cut, 0)
        card = stage.terminal
        card.select("DDF1")
        assert card.send("0020000003123456") == "9000"
        card.select("DF04")
        before = balance(card)
        purchase(card, 1)
        card.card.reset()
        card.select("DDF1", "DF04")
        assert balance(card) == before - 1
        if answer is not None:
            return


def a_second_tear_is_as_clean_as_the_first() -> None:
    """Law 5 again for a card that has been torn before: no mark and no journal of the first is left to mislead it."""
    for first in range(8):
        for second in range(8):
            stage = scene("DEBIT FOR PURCHASE").staged()
            torn(stage, first)
            card = stage.terminal
            card.select("DDF1")
            assert card.send("0020000003123456") == "9000"
            card.select("DF04")
            before = card.card.image
            stage.kept.groups.clear()
            again = bytes.fromhex(debit(card.send(initialize_purchase(1)), 1))
            torn(stage._replace(command=again), second)
            assert card.card.image == states(before, stage)[-1], f"cut after {first}, then after {second} writes"


def the_short_way_is_the_long_way() -> None:
    """With steady power a command comes to the same as with power that is watched and never fails."""
    for one in SCENES:
        steady, watched = one.staged(), one.staged()
        answer = steady.terminal.send(steady.command)
        assert torn(watched, 10_000) == answer
        assert steady.terminal.card.image == watched.terminal.card.image
        assert steady.kept.groups == watched.kept.groups


def no_secret_is_answered() -> None:
    """Law 6: neither the PIN nor a key is in any response."""
    for one in SCENES:
        stage = one.staged()
        stage.terminal.send(stage.command)
        for _, response in stage.terminal.trace:
            assert not any(secret in response for secret in SECRETS)


LAWS = (
    a_try_is_spent_before_anything_is_compared,
    pulling_the_plug_gives_no_free_guess,
    a_blocked_pin_stays_blocked,
    a_transaction_is_one_group,
    a_lost_answer_can_be_proven,
    money_is_never_made,
    a_forged_code_moves_nothing,
    refused_writes_change_nothing,
    another_application_forgets_all_rights,
    power_loss_forgets_all_rights,
    a_challenge_serves_the_next_command_only,
    challenges_differ,
    every_tear_of_every_command_is_clean,
    every_tear_of_recovery_is_clean,
    a_card_goes_on_after_a_tear,
    a_second_tear_is_as_clean_as_the_first,
    the_short_way_is_the_long_way,
    no_secret_is_answered,
)
