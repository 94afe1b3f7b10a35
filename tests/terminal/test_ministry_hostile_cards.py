"""Whatever a card or a security module answers: a number and a text."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import specimen
from card.modules import module
from kaguan.apdu.chaining import Layer
from kaguan.apdu.link import Link
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.ministry import CardName, MinistryTerminal
from kaguan.terminal.ministry.calls import Answer
from terminal.office import INFO, OWN, PAYMENT, Typing, hsm, third_generation, with_own_pin

NAME = CardName("990100", "00815431008660200101000001")
WORDS = (b"\x90\x00", b"\x61\x10", b"\x6c\x08", b"\x63\xc0", b"\x69\x82", b"\x6a\x82", b"\x93\x02")


class Lying(Layer):
    """A card that answers some commands with anything, the same for the same seed."""

    def __init__(self, link: Link, seed: int, often: float) -> None:
        super().__init__(link)
        self._chance = random.Random(seed)
        self._often = often

    def transceive(self, command: bytes) -> bytes:
        answer = self.link.transceive(command)
        if self._chance.random() >= self._often:
            return answer
        data = answer[:-2]
        lie = (
            data[: self._chance.randrange(len(data) + 1)],
            self._chance.randbytes(self._chance.randrange(40)),
            data + b"|$",
            bytes(byte ^ 1 << self._chance.randrange(8) for byte in data),
        )
        return self._chance.choice(lie) + self._chance.choice((answer[-2:], *WORDS))


def visits(terminal: MinistryTerminal) -> list[Callable[[], Answer]]:
    return [
        lambda: terminal.iReadCardBas(3),
        lambda: terminal.iReadCard(1, 2, INFO, "SSSEEF05|01|$DF02EF15|99:01|0F|$DF04EF06|90|$DF04EF08:01$"),
        lambda: terminal.iWriteCard(1, INFO, "SSSEEF06|09|$", "SSSEEF06|李四|$"),
        lambda: terminal.iVerifyPIN(1),
        lambda: terminal.iChangePIN(1),
        lambda: terminal.iUnblockPIN(1, INFO),
        lambda: terminal.iReloadPIN(1, INFO),
        lambda: terminal.iDoDebit(1, INFO, PAYMENT),
        lambda: terminal.iReadDebitRecord(1),
        lambda: terminal.iReadCardBas_HSM_Step1(1),
        lambda: terminal.iReadCardBas_HSM_Step2("00" * 8),
        lambda: terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$"),
        lambda: terminal.iReadCard_HSM_Step2("00" * 8),
        lambda: terminal.iUnblockPIN_HSM_Step1(1, INFO),
        lambda: terminal.iUnblockPIN_HSM_Step2("00" * 16),
        lambda: terminal.iUnblockPIN_HSM_Step3("8424000004" + "00" * 4),
        lambda: terminal.iDoDebit_HSM_Step1(1, INFO, PAYMENT),
        lambda: terminal.iDoDebit_HSM_Step2("00000000|20240101120000|00000000|"),
    ]


@pytest.mark.parametrize("who", ["card", "module"])
@given(seed=st.integers(0, 2**32), often=st.sampled_from([0.05, 0.3, 1.0]), third=st.booleans())
def test_any_answer_comes_to_a_number(who: str, seed: int, often: float, third: bool) -> None:
    card: Link = EmulatedCard(third_generation() if third else with_own_pin())
    unit: Link = EmulatedCard(module())
    if who == "card":
        card = Lying(card, seed, often)
    else:
        unit = Lying(unit, seed, often)
    for visit in visits(MinistryTerminal(card, unit, Typing(OWN))):
        answer = visit()
        assert isinstance(answer.number, int)
        assert answer.number <= 0
        bytes(answer)


def test_the_visits_are_real() -> None:
    terminal = MinistryTerminal(EmulatedCard(specimen()), EmulatedCard(module()), Typing())
    numbers = [visit().number for visit in visits(terminal)]
    assert numbers[0] == numbers[2] == numbers[3] == 0
    assert hsm().external(NAME, terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$").out)
