"""Cards made with a vault in memory and with one in a token are the same, byte by byte; and so is all that follows."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from kaguan.apdu.chaining import Layer
from kaguan.apdu.link import Link
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image, save_image
from kaguan.emulator.stock import FACTORY_TRANSPORT_KEY, blank_chip
from kaguan.personalization.keystore import key_orders
from kaguan.personalization.order.reading import open_order
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.specimen import REGION, SERIAL
from kaguan.personalization.station.batch import prepare_cards
from kaguan.personalization.station.check import check_card
from kaguan.personalization.station.recipe import make_card, written_keys
from kaguan.terminal.cardkeys import TRANSPORT_LABEL, CardKeys
from kaguan.terminal.conversations.blocking import block_application, unblock_application
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.conversations.load import begin_load, credit_load
from kaguan.terminal.conversations.pin import reload_pin, verify_pin
from kaguan.terminal.conversations.purchase import begin_purchase, debit
from kaguan.terminal.conversations.purse import read_balance, select_medical
from kaguan.terminal.script import Script, converse
from kaguan.vault.secret import Pin, Random
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyRef, KeyVault, Usage
from vault.tokens import LABEL, PIN, SoftToken, module, seen, token_in, twins

module()

PROFILE = load_profile("ssc-v2+df04-pin-and-key+df03-pin-and-key")
EXAMPLES = Path(__file__).parents[2] / "examples"
TERMINAL = bytes.fromhex("112233445566")
WHEN = datetime(2024, 1, 1, 12, 0, 0)
FIRST_PIN, NEW_PIN = Pin.of("123456"), Pin.of("839201")


class Overheard(Layer):
    """A link that remembers all that crossed it."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.said: list[bytes] = []

    def transceive(self, command: bytes) -> bytes:
        """The answer of the link below, unchanged."""
        answer = self.link.transceive(command)
        self.said += (command, answer)
        return answer


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    with pytest.MonkeyPatch.context() as patch, seen(token_in(tmp_path_factory.mktemp("token")), patch) as token:
        yield token


@pytest.fixture(scope="module")
def vaults(token: SoftToken) -> tuple[SoftwareVault, KeyVault]:
    """The same master keys in memory and in a token: each another, drawn by chance."""
    masters = [(order.label, order.usage, os.urandom(16), order.levels, order.version) for order in key_orders(PROFILE)]
    return twins(token, [*masters, (TRANSPORT_LABEL, Usage.TRANSPORT, FACTORY_TRANSPORT_KEY, 1, 1)])


def luck(seed: int) -> Random:
    """The same random numbers for the same seed."""
    return random.Random(seed).randbytes


class Losing(Overheard):
    """A link during whose every so many commands the token loses all its sessions."""

    def __init__(self, link: Link, token: SoftToken, every: int) -> None:
        super().__init__(link)
        self.token = token
        self.every = every

    def transceive(self, command: bytes) -> bytes:
        """The answer of the link below, unchanged."""
        if not len(self.said) // 2 % self.every:
            self.token.close_all_sessions()
        return super().transceive(command)


def a_life(
    vault: KeyVault, seed: int, folder: Path, wire: Callable[[Link], Overheard] = Overheard
) -> tuple[list[bytes], bytes]:
    """A card is made, checked, loaded, paid with, blocked and unblocked, and its PIN is set anew.

    What crossed the contacts, and the card's memory at the end.
    """
    chip = EmulatedCard(blank_chip(PROFILE, SERIAL), random=luck(seed))
    link = wire(chip)
    keys = CardKeys(vault, PROFILE, REGION, chip.atr)
    with open_order(EXAMPLES / "order-3.zip") as order:
        holder = next(order.holders())
        photo = order.photo(holder)
    converse(link, make_card(keys, prepare(PROFILE, holder, photo)))
    link.reset()
    assert converse(link, check_card(keys, holder, photo, FIRST_PIN, bytes(range(8)), bytes(8))).good
    link.reset()
    assert converse(link, _counter(keys)) == 700
    link.reset()
    converse(link, block_application(keys))
    converse(link, unblock_application(keys))
    link.reset()
    converse(link, _new_pin(keys))
    path = folder / "card"
    save_image(path, chip.image)
    return link.said, path.read_bytes()


def _counter(keys: CardKeys) -> Script[int]:
    yield from select_dedicated(PROFILE.by_name["SSSE"])
    yield from verify_pin(FIRST_PIN)
    yield from select_medical(PROFILE)
    yield from credit_load(keys, (yield from begin_load(keys, 1000, TERMINAL)), WHEN)
    yield from debit(keys, (yield from begin_purchase(300, TERMINAL)), 7, WHEN)
    return (yield from read_balance())


def _new_pin(keys: CardKeys) -> Script[None]:
    yield from select_dedicated(PROFILE.by_name["SSSE"])
    yield from reload_pin(keys, NEW_PIN)
    yield from verify_pin(NEW_PIN)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_masters_and_the_same_luck_make_the_same_card(vaults, tmp_path: Path, seed: int):
    software, inside = vaults
    assert a_life(inside, seed, tmp_path) == a_life(software, seed, tmp_path)


def test_a_token_that_loses_its_sessions_makes_the_same_card(vaults, token: SoftToken, tmp_path: Path):
    """Every derived key has to be made again, again and again; nothing is skipped and nothing is done twice."""
    software, inside = vaults
    inside.forget()
    disturbed = a_life(inside, 9, tmp_path, lambda chip: Losing(chip, token, 11))
    assert disturbed == a_life(software, 9, tmp_path)


def test_keys_of_many_cards_come_in_one_call_for_each_master(vaults, monkeypatch: pytest.MonkeyPatch):
    """Then every chip finds its keys at hand, and the token is asked for none of them again."""
    _, inside = vaults
    chips = [EmulatedCard(blank_chip(PROFILE, number.to_bytes(6, "big"))) for number in range(1, 6)]
    calls: list[int] = []
    encipher = inside._tree.encipher

    def counted(ref: KeyRef, data: bytes) -> bytes:
        calls.append(len(data))
        return encipher(ref, data)

    inside.forget()
    monkeypatch.setattr(inside._tree, "encipher", counted)
    cards = prepare_cards(inside, PROFILE, REGION, [chip.atr for chip in chips])
    assert calls == [len(cards) * 16] * len(list(written_keys(cards[0])))
    calls.clear()
    inside.prepare(written_keys(cards[0]))
    assert not calls


def test_a_counter_that_makes_no_card_gets_no_card_key_but_the_folded_ones(vaults, tmp_path: Path):
    """What is only worked with stays in the token: of this card the TAC key and the PIN reload key alone come out."""
    _, inside = vaults
    a_life(inside, 1, tmp_path)
    card = EmulatedCard(load_image(tmp_path / "card"))
    keys = CardKeys(inside, PROFILE, REGION, card.atr)
    inside.forget()
    converse(card, select_dedicated(PROFILE.by_name["SSSE"]))
    converse(card, verify_pin(NEW_PIN))
    converse(card, select_medical(PROFILE))
    converse(card, credit_load(keys, converse(card, begin_load(keys, 1000, TERMINAL)), WHEN))
    assert {ref.label for ref in inside._lent} == {"DF04.DTK"}


# the doors


def kaguan(token: SoftToken, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """The program, run to its end where it sees that token."""
    command = [sys.executable, "-m", "kaguan", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=token.environment, **options
    )


@pytest.fixture
def own(tmp_path: Path) -> SoftToken:
    """A token that only the programs of this test see, its PIN in the file `pin` beside it."""
    (tmp_path / "own").mkdir()
    token = token_in(tmp_path / "own")
    pin = token.folder / "pin"
    pin.touch(mode=0o600)
    pin.write_bytes(PIN.reveal() + b"\n")
    return token


@pytest.mark.slow
def test_an_order_is_made_with_keys_that_nobody_has_seen(own: SoftToken, tmp_path: Path):
    name = f"pkcs11:token={LABEL.replace(' ', '%20')}?module-path={own.module}&pin-source={own.folder / 'pin'}"
    made = kaguan(own, "keys", "token", "make", name, "--kind", "test")
    assert made.returncode == 0, made.stderr
    again = kaguan(own, "keys", "token", "make", name, "--kind", "test")
    assert again.stdout.startswith("0 keys made, 60 in the test store")
    other = kaguan(own, "keys", "token", "make", name, "--kind", "live")
    assert (other.returncode, "is a test store" in other.stderr) == (6, True)
    listed = json.loads(kaguan(own, "keys", "token", "list", name, "--json").stdout)
    assert {entry["label"] for entry in listed if not entry["never_extractable"]} == {TRANSPORT_LABEL}
    assert {(entry["sensitive"], entry["extractable"]) for entry in listed} == {(True, False)}

    run = kaguan(own, "perso", "run", EXAMPLES / "order-3.zip", "--out", tmp_path / "job", "--keys", name)
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / "job" / "report.json").read_text())["good"] == 3
    assert not (tmp_path / "job" / "keys").exists()
    for path in tmp_path.joinpath("job").rglob("*"):
        if path.is_file():
            assert PIN.reveal() not in path.read_bytes()
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077 or path.suffix != ".sqlite"


@pytest.mark.slow
def test_stations_never_try_a_wrong_pin(own: SoftToken, tmp_path: Path):
    wrong = tmp_path / "wrong"
    wrong.write_text("11111111")
    name = f"pkcs11:{LABEL}"
    pin = own.folder / "pin"
    assert kaguan(own, "keys", "token", "make", name, "--kind", "test", "--pin-file", pin).returncode == 0
    order, out = EXAMPLES / "order-3.zip", tmp_path / "job"
    first = kaguan(own, "perso", "run", order, "--out", out, "--keys", name, "--passphrase-file", wrong)
    assert (first.returncode, "the PIN in the file is wrong" in first.stderr) == (6, True)
    then = kaguan(own, "perso", "run", order, "--out", out, "--keys", name, "--passphrase-file", pin)
    assert (then.returncode, "log in once by hand" in then.stderr) == (6, True)
    by_hand = kaguan(own, "keys", "token", "list", name, input="20260917\n")
    assert by_hand.returncode == 0, by_hand.stderr
    now = kaguan(own, "perso", "run", order, "--out", out, "--keys", name, "--passphrase-file", pin)
    assert now.returncode == 0, now.stderr


@pytest.mark.slow
def test_a_factory_sends_its_transport_key_wrapped(own: SoftToken, tmp_path: Path):
    name, pin = f"pkcs11:{LABEL}", ("--pin-file", own.folder / "pin")
    assert kaguan(own, "keys", "token", "make", name, "--kind", "test", *pin).returncode == 0
    assert "\nFACTORY.LOT " not in kaguan(own, "keys", "token", "list", name, *pin).stdout
    pem = tmp_path / "exchange.pem"
    assert kaguan(own, "keys", "token", "exchange", name, "--out", pem, *pin).returncode == 0
    (tmp_path / "key").write_bytes(FACTORY_TRANSPORT_KEY)
    subprocess.run(  # the factory works with a program that we did not write
        ["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", pem, "-in", tmp_path / "key", "-out", tmp_path / "sent",
         "-pkeyopt", "rsa_padding_mode:oaep"],
        check=True,
    )  # fmt: skip
    (tmp_path / "sent.hex").write_text((tmp_path / "sent").read_bytes().hex())
    words = ("keys", "token", "import", name, tmp_path / "sent.hex", "--label", "FACTORY.LOT", "--usage", "transport",
             "--levels", 1, "--under", "kaguan-exchange", *pin, "--check-value")  # fmt: skip
    wrong = kaguan(own, *words, "000000")
    assert (wrong.returncode, "expected was 000000" in wrong.stderr) == (6, True)
    done = kaguan(own, *words, "8BAF47")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("8BAF47 came in wrapped")


def test_keys_that_a_token_does_not_work_with_are_named(own: SoftToken):
    made = kaguan(
        own, "keys", "token", "make", f"pkcs11:{LABEL}", "--kind", "test", "--profile", "ssc-v3+sm4",
        "--pin-file", own.folder / "pin",
    )  # fmt: skip
    assert made.returncode == 6
    assert "keep these in a sealed store" in made.stderr
    assert "(sm4)" in made.stderr
