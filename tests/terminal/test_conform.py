"""The conformance suite on cards that are good, on cards it has to go easy on, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from card.cards import CARD_KEY, DF01, PIN_ADDRESS, PROFILE, SSSE, funded, specimen, terminal
from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost, InputError
from kaguan.card_os.image import CardImage, key_address
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.module_stock import security_module
from kaguan.emulator.native_stock import native_card
from kaguan.emulator.purse_stock import purse_card
from kaguan.personalization.specimen import SERIAL
from kaguan.terminal.conformance.junit import junit
from kaguan.terminal.conformance.page import page
from kaguan.terminal.conformance.report import Report, Verdict
from kaguan.terminal.conformance.suite import chapters
from kaguan.vault.secret import Pin
from kaguan.vault.vault import Usage
from terminal.conforming import LastTries, judge, judge_image, with_full_tries
from terminal.counter import WRONG_PIN, Losing
from terminal.spoiled_cards import SPOILED, specimen_of
from terminal.spoilers import CostlyKeyQuestion, CostlyPinQuestion, OneChange, of_city, other_key, pin_with

pytestmark = pytest.mark.slow

TOLD = "+key-tries-told"
PROFILES = ["ssc-v1", "ssc-v2", "ssc-v3"]
VARIANTS = [
    "",
    "+pin-tries-6",
    "+pin-tries-8",
    "+df04-pin-and-key",
    "+df03-pin-and-key",
    "+key-versions",
    "+all-files",
    TOLD,
    "+sm4",
    "+all-files+key-versions",
]
GOOD = [name + variant for name in PROFILES for variant in VARIANTS if variant != "+sm4" or name == "ssc-v3"]
DEDICATED = ("SSSE", "DF01", "DF02", "DF03", "DF04", "DF05", "DF07")
QUICK = (*PROFILES, "ssc-v2+key-versions", "ssc-v2+pin-tries-6", "ssc-v2+all-files", "ssc-v3+sm4")
STANDARD = [
    *("CHANGE_PIN", "ATR"),
    *(f"{name}_RECORD" for name in DEDICATED),
    *(f"{name}_SAFETY" for name in DEDICATED),
    *("KEY_VER1", "KEY_VER2", "KEY_VER3"),
    *("ACSE_RECORD", "ACSE_SAFETY", "CHECK_CERT"),
]


def verdicts(report: Report) -> dict[str, Verdict]:
    return {chapter.name: chapter.verdict for chapter in report.chapters}


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in GOOD])
def test_a_specimen_passes_and_is_what_it_was(name: str) -> None:
    image = specimen_of(name)
    card = EmulatedCard(image)
    report = judge(card, image.atr, name)
    assert report.passed
    assert report.failed() == ()
    assert card.image == image
    open_chapters = [name for name, verdict in verdicts(report).items() if verdict is Verdict.NOT_COVERED]
    certificates = ["ACSE_RECORD", "ACSE_SAFETY", "CHECK_CERT"]
    versions = [] if "key-versions" in name else ["KEY_VER2", "KEY_VER3"]
    assert open_chapters == versions + certificates


def test_the_chapters_are_the_standards_in_its_order() -> None:
    ours = [chapter.name for chapter in chapters(PROFILE)]
    assert [name for name in ours if name in STANDARD] == STANDARD
    assert set(ours) - set(STANDARD) == {"PRE_SUBMISSION", "DF06_RECORD", "DF06_SAFETY"}


@pytest.mark.parametrize("name", ["pboc-purse", "cjt-purse", "psam", "fmcos-blank"])
def test_a_profile_of_other_cards_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"profile {name} is no social security card"):
        chapters(load_profile(name))


@pytest.mark.parametrize(
    ("card", "profile", "expected"),
    [
        ("ssc-v1", "ssc-v2", {"PRE_SUBMISSION", "SSSE_RECORD"}),
        ("ssc-v2", "ssc-v1", {"PRE_SUBMISSION", "SSSE_RECORD", "DF02_RECORD"}),
        ("ssc-v2", "ssc-v3", {"PRE_SUBMISSION", "SSSE_RECORD", "SSSE_SAFETY", "KEY_VER1"}),
        ("ssc-v3", "ssc-v2", {"PRE_SUBMISSION", "SSSE_RECORD", "SSSE_SAFETY"}),
        ("ssc-v2+pin-tries-6", "ssc-v2", {"PRE_SUBMISSION", "CHANGE_PIN"}),
        ("ssc-v2", "ssc-v2+key-versions", {"KEY_VER1", "KEY_VER2", "KEY_VER3"}),
        ("ssc-v2+df04-pin-and-key", "ssc-v2", {"DF04_SAFETY"}),
    ],
)
def test_a_card_of_another_profile_fails(card: str, profile: str, expected: set[str]) -> None:
    report = judge_image(specimen_of(card), profile)
    assert expected <= set(report.failed())
    if card[:6] != profile[:6]:
        (version,) = (check for check in report.chapters[0].checks if check.title == "the version of the specification")
        assert version.verdict is Verdict.FAILED
        assert version.meaning == "the card is of another generation than the profile"


@pytest.mark.parametrize(
    ("name", "make"),
    [("pboc-purse", purse_card), ("cjt-purse", purse_card), ("psam", security_module), ("fmcos-blank", native_card)],
)
def test_what_is_no_social_security_card_fails_from_the_start(
    name: str, make: Callable[[CardProfile, bytes], CardImage]
) -> None:
    report = judge_image(make(load_profile(name), SERIAL), "ssc-v2")
    assert not report.passed
    assert report.failed()[0] == "PRE_SUBMISSION"


class TestACardThatDoesNotTellItsTries:
    """The ordinary card, in a reader, without --risk-tries."""

    def test_it_passes_with_less_covered(self) -> None:
        report = judge_image(specimen(), risk_tries=False)
        assert report.passed
        found = verdicts(report)
        assert found["CHANGE_PIN"] is found["SSSE_SAFETY"] is Verdict.PASSED
        keys = next(chapter for chapter in report.chapters if chapter.name == "KEY_VER1")
        assert keys.count(Verdict.PASSED) == 2, "the IRK, and the load key's MAC1"
        assert any("--risk-tries" in check.meaning for check in keys.checks)

    def test_no_key_is_shown(self) -> None:
        card = specimen()
        for spoiled in (other_key(DF01, Usage.EXTERNAL_AUTHENTICATION, 0x83), of_city("990200")):
            image = spoiled(card)
            powered = EmulatedCard(image)
            judge(powered, image.atr, risk_tries=False)
            assert powered.image == image

    def test_where_it_tells_it_is_covered(self) -> None:
        image = specimen()._replace(profile="ssc-v2" + TOLD)
        report = judge_image(image, "ssc-v2", risk_tries=False)
        assert report.passed
        assert report.count(Verdict.PASSED) > 1_800
        wrong = other_key(DF01, Usage.EXTERNAL_AUTHENTICATION, 0x83)(image)
        assert judge_image(wrong, "ssc-v2", risk_tries=False).failed() == ("KEY_VER1",)


class NoQuestions(Layer):
    """A card that tells no tries of its PIN either."""

    def transceive(self, command: bytes) -> bytes:
        return b"\x67\x00" if command[:2] == b"\x00\x20" and len(command) <= 5 else self.link.transceive(command)


@pytest.mark.parametrize("risk", [True, False])
def test_a_pin_whose_tries_are_not_told_is_not_changed(risk: bool) -> None:
    report = judge(NoQuestions(EmulatedCard(specimen())), specimen().atr, risk_tries=risk)
    assert verdicts(report)["CHANGE_PIN"] is Verdict.NOT_COVERED
    assert report.failed() == ("PRE_SUBMISSION",), "its tries are not those of the profile"


def test_without_keys_and_pin_what_is_free_is_judged() -> None:
    report = judge(EmulatedCard(specimen()), specimen().atr, keys=False, pin=None)
    assert report.passed
    assert verdicts(report)["KEY_VER1"] is verdicts(report)["CHANGE_PIN"] is Verdict.NOT_COVERED
    assert verdicts(report)["DF01_RECORD"] is verdicts(report)["DF01_SAFETY"] is Verdict.PASSED
    updated = judge_image(next(one for one in SPOILED if one.name == "free update").image, risk_tries=False)
    assert updated.failed() == ("SSSE_SAFETY",)


def test_a_wrong_pin_costs_one_try_which_is_given_back() -> None:
    for pin in (WRONG_PIN, Pin.of("1234")):
        card = EmulatedCard(specimen())
        report = judge(card, specimen().atr, pin=pin)
        assert report.failed() == ("PRE_SUBMISSION",), "who names a PIN means the card's"
        assert verdicts(report)["CHANGE_PIN"] is Verdict.NOT_COVERED
        assert card.image == specimen()


def test_a_pin_of_any_length_stays_what_it_is() -> None:
    for digits in ("1357", "135790", "12345", "123456789012"):
        made = terminal(at="SSSE")
        made.authenticated(0x06)
        pin = Pin.of(digits)
        image = pin_with(value=pin.reveal().rstrip(b"\xff"))(specimen())
        card = EmulatedCard(image)
        report = judge(card, image.atr, pin=pin)
        assert report.failed() == ()
        assert verdicts(report)["CHANGE_PIN"] is Verdict.PASSED
        assert card.image == image


@pytest.mark.parametrize("risk", [True, False])
def test_a_pin_that_cannot_be_changed_back_is_reloaded(risk: bool) -> None:
    card = EmulatedCard(specimen())
    report = judge(OneChange(card), specimen().atr, risk_tries=risk)
    assert report.failed() == ("CHANGE_PIN",)
    assert card.image == specimen()


def test_money_is_not_touched() -> None:
    card = EmulatedCard(funded(10_000))
    assert judge(card, funded(10_000).atr).passed
    assert card.image == funded(10_000)


def test_a_card_that_is_pulled_out_is_told() -> None:
    for at in (0, 10, 100, 1_000):
        with pytest.raises(CardLost):
            judge(Losing(EmulatedCard(specimen()), at, heard=True), specimen().atr)


EXTERNAL_KEYS = [
    (SSSE if spec.name == "SSSE" else PROFILE.path(spec.name), key.reference)
    for spec in PROFILE.dedicated
    for key in spec.keys
    if key.usage is Usage.EXTERNAL_AUTHENTICATION
]


def with_tries(image: CardImage, pin: int, keys: dict[tuple[bytes, int], tuple[int, bool]]) -> CardImage:
    """The PIN has so many tries left, and these keys, the second of the pair says whether they are the right ones."""
    image = pin_with(tries_left=pin)(image)
    for (at, reference), (left, right) in keys.items():
        address = key_address(at, Usage.EXTERNAL_AUTHENTICATION, reference)
        value = CARD_KEY if right else bytes(16)
        image = other_key(at, Usage.EXTERNAL_AUTHENTICATION, reference, tries_left=left, value=value)(image)
        assert image.keys[address][0].tries_left == left
    return image


@settings(max_examples=15)
@examples(
    st.integers(0, 3),
    st.dictionaries(st.sampled_from(EXTERNAL_KEYS), st.tuples(st.integers(0, 3), st.booleans()), max_size=12),
    st.sampled_from([Pin.of("123456"), WRONG_PIN]),
    st.sampled_from([Layer, CostlyPinQuestion, CostlyKeyQuestion]),
    st.sampled_from([("", False), (TOLD, False), (TOLD, True)]),
)
def test_no_last_try_is_ever_spent(
    pin_tries: int,
    keys: dict[tuple[bytes, int], tuple[int, bool]],
    pin: Pin,
    wire: type[Layer],
    setting: tuple[str, bool],
) -> None:
    told, risk = setting
    if wire is not Layer:  # asking itself costs a try there, so that the first question can cost the last one
        pin_tries, keys = pin_tries + 2, {at: (left + 2, right) for at, (left, right) in keys.items()}
    image = with_tries(specimen(), pin_tries, keys)._replace(profile="ssc-v2" + told)
    tries = LastTries()
    card = EmulatedCard(image, storage=tries)
    judge(wire(card), image.atr, pin=pin, risk_tries=risk)
    assert tries.spent == []
    assert with_full_tries(card.image) == with_full_tries(image)
    assert card.image.pins[PIN_ADDRESS].tries_left or not pin_tries


def test_the_watch_on_last_tries_sees_one() -> None:
    tries = LastTries()
    card = EmulatedCard(pin_with(tries_left=1)(specimen()), storage=tries)
    card.transceive(bytes.fromhex("00A4000002DDF1"))
    card.transceive(bytes.fromhex("0020000003123456"))
    assert tries.spent == ["PIN 00"]


def secrets_of(image: CardImage) -> set[str]:
    """Keys and PIN of the card, and what is its holder's alone."""
    values = {key.value for keys in image.keys.values() for key in keys} | {pin.value for pin in image.pins.values()}
    held = [record[2:].strip(b"\0") for record in image.files[SSSE + b"\xef\x06"].records]
    texts = [value for value in held if len(value) > 3]
    return {value.hex() for value in (*values, bytes(range(16)), *texts)} | {
        value.decode("gb18030", "replace").lower() for value in texts
    }


@pytest.mark.parametrize(
    "spoiled", [SPOILED[0], *(one for one in SPOILED if len(one.chapters) < 3)][::8], ids=lambda spoiled: spoiled.name
)
def test_no_report_holds_a_secret(spoiled, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    image = spoiled.image
    spoiled.fault(monkeypatch)
    report = judge(spoiled.wire(EmulatedCard(image)), image.atr, spoiled.profile)
    lines = [line for chapter in report.chapters for line in chapter.lines()]
    outputs = [junit(report), page(report), repr(report.as_json()), "\n".join(lines), repr(report)]
    for output in outputs:
        assert [secret for secret in secrets_of(image) if secret in output.lower()] == []
