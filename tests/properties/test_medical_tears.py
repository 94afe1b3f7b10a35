"""Power cut at every physical write of either card during a medical purchase: no money is lost or doubled, no number of
the module signs twice, and the terminal can always tell what became of it."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

import pytest

from card.cards import PURSE_ADDRESS, SELECT_DF04, SELECT_SSSE, TERMINAL, VERIFY, WHEN, Terminal, counted, funded
from card.modules import (
    CARD_FACTOR,
    CITY_FACTOR,
    COUNTER,
    DF01,
    MODULE_TERMINAL,
    SELECT_MODULE,
    amounts,
    debit_medical,
    forged_debit,
    initialize_medical,
    medical_codes,
    module,
    module_command,
)
from card.purses import balance
from kaguan.card_os.image import CardImage, Lifecycle, key_address
from kaguan.vault.vault import Usage
from properties.laws import states, torn
from properties.scenes import Kept, Scene, Stage

SHARES = (700, 20, 3)
BILL = amounts(*SHARES)
KEY = key_address(DF01, Usage.SECURITY_MODULE, 0x00)


class Till(NamedTuple):
    """Both cards of a till, each with a storage that remembers what was written."""

    user: Terminal
    user_kept: Kept
    module: Terminal
    module_kept: Kept


def till() -> Till:
    """Money in the user card's wallet, PIN verified, the module open; the same every time."""
    kept, module_kept = Kept(), Kept()
    made = Till(
        Terminal(funded(), random=counted(), storage=kept),
        kept,
        Terminal(module(), random=counted(), storage=module_kept),
        module_kept,
    )
    made.user.go(SELECT_SSSE, VERIFY, SELECT_DF04)
    made.module.go(SELECT_MODULE)
    kept.groups.clear()
    return made


def stage(terminal: Terminal, kept: Kept, command: str) -> Stage:
    """The card just before the command."""
    return Stage(terminal, kept, bytes.fromhex(command))


def asked(user: Terminal, offer: str) -> str | None:
    """MAC2 and TAC when the card says that it paid, None when it says that it did not."""
    user.go(SELECT_SSSE, SELECT_DF04)
    proof = user.send(f"805A003202{offer[28:32]}08")
    assert proof[-4:] in ("9000", "9406")
    return proof[:16] if proof.endswith("9000") else None


def test_the_card_torn_while_it_pays() -> None:
    for cut in count():
        made = till()
        offer = made.user.send(initialize_medical(*SHARES))
        signature = made.module.send(module_command(offer, BILL))
        answer = torn(stage(made.user, made.user_kept, debit_medical(signature)), cut)
        _, mac2, tac = medical_codes(offer, BILL, signature[:8])
        made.user.card.reset()
        proof = asked(made.user, offer)
        paid = balance(made.user) == 10_000 - SHARES[0]
        assert paid or balance(made.user) == 10_000
        assert paid == (proof is not None)
        records = made.user.card.image.files[made.user.card.image.purses[PURSE_ADDRESS].rules.log].records
        assert len(records) == paid
        if proof is not None:
            assert proof == mac2 + tac
            assert records[0].hex() == f"000032{MODULE_TERMINAL}{WHEN}" + "".join(f"{fen:08d}" for fen in SHARES)
            assert made.module.send("8072000004" + proof[:8]) == "9000", "the module still waits for its MAC2"
        if answer is not None:
            assert answer == tac + mac2 + "9000"
            return


def test_a_torn_purchase_is_done_again_once() -> None:
    for cut in count():
        made = till()
        offer = made.user.send(initialize_medical(*SHARES))
        signature = made.module.send(module_command(offer, BILL))
        answer = torn(stage(made.user, made.user_kept, debit_medical(signature)), cut)
        made.user.card.reset()
        if asked(made.user, offer) is None:
            made.user.go(SELECT_SSSE, VERIFY, SELECT_DF04)
            assert made.user.send(debit_medical(signature)) == "6901", "an old signature begins nothing"
            again = made.user.send(initialize_medical(*SHARES))
            assert made.user.send(debit_medical(signature)) == "9302", "nor does it end another purchase"
            again = made.user.send(initialize_medical(*SHARES))
            second = made.module.send(module_command(again, BILL))
            assert second[:8] == "00000002"
            assert made.user.send(debit_medical(second))[-4:] == "9000"
        assert balance(made.user) == 10_000 - SHARES[0]
        assert made.user.card.image.purses[PURSE_ADDRESS].offline_sequence == 1
        if answer is not None:
            return


def test_the_module_torn_while_it_signs() -> None:
    """No number is answered twice, whenever the power goes."""
    for cut in count():
        made = till()
        offer = made.user.send(initialize_medical(*SHARES))
        command = module_command(offer, BILL)
        answer = torn(stage(made.module, made.module_kept, command), cut)
        stored = int.from_bytes(made.module.card.image.files[COUNTER].content, "big")
        assert stored == 1 + len(made.module_kept.groups)
        made.module.card.reset()
        made.module.go(SELECT_MODULE)
        assert made.module.send("807200000400000000") == "6901", "what was begun is forgotten"
        again = made.module.send(command)
        assert again[:8] == f"{stored:08X}"
        assert balance(made.user) == 10_000
        if answer is not None:
            assert answer[:8] == "00000001"
            assert again[:8] == "00000002"
            return


def test_the_module_torn_while_it_checks() -> None:
    """The card has paid and says so; the module loses at most a try."""
    for cut in count():
        made = till()
        offer = made.user.send(initialize_medical(*SHARES))
        signature = made.module.send(module_command(offer, BILL))
        codes = made.user.send(debit_medical(signature))
        made.module_kept.groups.clear()
        answer = torn(stage(made.module, made.module_kept, "8072000004" + codes[8:16]), cut)
        left = made.module.card.image.keys[KEY][-1].tries_left
        assert left in (2, 3)
        assert asked(made.user, offer) == codes[8:16] + codes[:8]
        assert balance(made.user) == 10_000 - SHARES[0]
        if answer is not None:
            assert (answer, left) == ("9000", 3)
            return


def test_pulling_the_plug_gives_no_free_guess_at_mac2() -> None:
    """Until right and wrong can be told apart by anything, the try is spent for good."""
    for cut in count():
        images, answers = [], []
        for guess in (True, False):
            made = till()
            offer = made.user.send(initialize_medical(*SHARES))
            signature = made.module.send(module_command(offer, BILL))
            _, mac2, _ = medical_codes(offer, BILL, signature[:8])
            command = "8072000004" + (mac2 if guess else "00000000")
            answers.append(torn(stage(made.module, made.module_kept, command), cut))
            images.append(made.module.card.image)
        if (answers[0] is None) != (answers[1] is None) or images[0] != images[1]:
            assert images[1].keys[KEY][-1].tries_left == 2, f"a free guess after {cut} writes"
        if None not in answers:
            assert answers == ["9000", "9302"]
            return


def test_the_last_wrong_mac2_ends_the_module_however_it_is_torn() -> None:
    image = _one_try_left(module())
    for cut in count():
        kept = Kept()
        card = Terminal(image, random=counted(), storage=kept)
        card.go(SELECT_MODULE)
        signing = module_command("00" * 14 + "0000" + "0000" + "11223344", BILL)
        card.send(signing)
        kept.groups.clear()
        answer = torn(stage(card, kept, "807200000400000000"), cut)
        made = card.card.image
        card.card.reset()
        card.send(SELECT_MODULE)
        if not made.keys[KEY][-1].tries_left:
            assert card.send(signing) in ("9303", "6A81")
        if answer is not None:
            assert answer == "9303"
            assert made.dedicated[DF01].lifecycle is Lifecycle.TERMINATED
            return


def _one_try_left(image: CardImage) -> CardImage:
    return image._replace(keys={**image.keys, KEY: (image.keys[KEY][-1]._replace(tries_left=1),)})


def _medical(terminal: Terminal) -> str:
    terminal.go(SELECT_SSSE, VERIFY, SELECT_DF04)
    return forged_debit(terminal.send(initialize_medical(*SHARES, terminal=TERMINAL)), BILL)


def _signing(terminal: Terminal) -> str:
    terminal.go(SELECT_MODULE)
    return module_command("00" * 14 + "0000" + "0000" + "11223344", BILL)


def _signing_plainly(terminal: Terminal) -> str:
    terminal.go(SELECT_MODULE)
    head = f"A1B2C3D400070000006405{WHEN}0000"
    return f"8070000024{head}{CARD_FACTOR}{CITY_FACTOR}08"


def _checking(terminal: Terminal) -> str:
    signature = terminal.go(_signing(terminal))
    _, mac2, _ = medical_codes("00" * 14 + "0000" + "0000" + "11223344", BILL, signature[:8])
    return "8072000004" + mac2


SCENES = (
    Scene("DEBIT FOR PURCHASE (medical)", funded, _medical),
    Scene("INITIALIZE SAM FOR PURCHASE (medical)", module, _signing),
    Scene("INITIALIZE SAM FOR PURCHASE", module, _signing_plainly),
    Scene("CREDIT SAM FOR PURCHASE", module, _checking),
)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
@pytest.mark.parametrize("recovery_cuts", [(), (0,), (1,), (2,), (1, 1)])
def test_a_tear_leaves_before_or_after(scene: Scene, recovery_cuts: tuple[int, ...]) -> None:
    whole = scene.staged()
    before = whole.terminal.card.image
    answer = whole.terminal.send(whole.command)
    allowed = states(before, whole)
    assert len(allowed) == (3 if scene.name.startswith("CREDIT") else 2)
    for cut in count():
        staged = scene.staged()
        given = torn(staged, cut, *recovery_cuts)
        assert staged.terminal.card.image == states(before, staged)[-1]
        assert staged.terminal.card.image in allowed
        if given is not None:
            assert (given, staged.terminal.card.image) == (answer, allowed[-1])
            return


@pytest.mark.parametrize("recovery_cuts", [(), (0,), (1,), (1, 1)])
def test_no_number_is_answered_twice_however_the_power_fails(recovery_cuts: tuple[int, ...]) -> None:
    """The number that a torn INITIALIZE may have answered is never answered again; at most it is left out."""
    plain = next(scene for scene in SCENES if scene.name == "INITIALIZE SAM FOR PURCHASE")
    for cut in count():
        staged = plain.staged()
        given = torn(staged, cut, *recovery_cuts)
        terminal = staged.terminal
        terminal.card.reset()
        following = int(terminal.send(_signing_plainly(terminal))[:8], 16)
        assert following in (1, 2)
        if given is not None:
            assert (given[:8], following) == ("00000001", 2)
            return
