"""The purse under SM4, which no public text confirms: session key, MAC and TAC as the profile's variant says,
diversified keys and enciphered data as two drafts have them; and nothing at all where nobody says anything.

The sums are those of the SM4 block alone (GB/T 32907), chained by a CBC that is not ours.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from card.bank_teller import KINDS, TERMINAL, WHEN, initialize
from card.banks import ADF, SELECT, VERIFY, bank_key, rich
from card.cards import SELECT_DF04, SELECT_SSSE, Terminal, a_key, counted, with_key
from card.modules import (
    DF01,
    MODULE_SERIAL,
    amounts,
    debit_medical,
    initialize_medical,
    module,
    module_command,
    module_terminal,
)
from kaguan.apdu.errors import ProfileError
from kaguan.card_os.image import CardImage, CardKey
from kaguan.card_os.profile import load_profile, parse_profile
from kaguan.card_os.profile.model import Confidence
from kaguan.emulator.module_stock import security_module
from kaguan.emulator.purse_stock import purse_card
from kaguan.personalization.specimen import specimen_card, specimen_keys
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.diversify import diversify
from kaguan.vault.vault import Usage

PROFILE = load_profile("pboc-purse+sm4")
VECTORS = Path(__file__).parents[1] / "vectors" / "crypto.json"


def sm4(key: bytes, data: bytes) -> bytes:
    """Whole blocks enciphered, each on its own."""
    return Cipher(SM4(key), modes.ECB()).encryptor().update(data)  # noqa: S305 - what the drafts prescribe


def sm4_mac(key: bytes, data: str | bytes, iv: bytes = bytes(16)) -> str:
    """The leftmost four bytes of a CBC's last block, the data padded with 80 00.."""
    raw = bytes.fromhex(data) if isinstance(data, str) else data
    padded = raw + b"\x80" + bytes(-(len(raw) + 1) % 16)
    return Cipher(SM4(key), modes.CBC(iv)).encryptor().update(padded)[-16:][:4].hex().upper()


def session(label: str, seed: str) -> bytes:
    """SK = SM4(K, seed ‖ 80 00..)."""
    return sm4(bank_key(label), bytes.fromhex(seed + "80" + "00" * 7))


@cache
def card() -> CardImage:
    """The bank's test card of this variant, with money."""
    image = purse_card(PROFILE, bytes.fromhex("200101000001"))
    return image._replace(purses={at: purse._replace(balance_fen=10_000) for at, purse in image.purses.items()})


def opened() -> Terminal:
    """In the application, the PIN shown."""
    terminal = Terminal(card(), random=counted())
    terminal.go(SELECT, VERIFY)
    return terminal


def test_the_variant_says_that_it_is_a_guess() -> None:
    (variant,) = (one for one in PROFILE.variants if one.name == "sm4")
    assert variant.confidence is Confidence.GUESS
    assert {one.name: one.confidence for one in load_profile("ssc-v3").variants}["sm4-purse"] is Confidence.GUESS


def test_a_published_diversification() -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    (step,) = next(one for one in vectors if one["name"] == "own-sm4-diversify")["steps"]
    derived = diversify(bytes.fromhex(step["key"]), bytes.fromhex(step["data"]), Algorithm.SM4)
    assert derived.hex().upper() == step["out"]


@pytest.mark.parametrize("name", ["load", "load purse", "unload"])
def test_what_is_done_online(name: str) -> None:
    terminal, kind = opened(), KINDS[name]
    answer = terminal.send(initialize(name))
    balance, sequence, marks, random, mac1 = answer[:8], answer[8:12], answer[12:16], answer[16:24], answer[24:32]
    assert marks == "0003"
    worker = session(kind.key, random + sequence + "8000")
    amount = f"{700:08X}"
    assert mac1 == sm4_mac(worker, balance + amount + kind.code + TERMINAL)
    fields = amount + kind.code + TERMINAL + WHEN
    proven = f"{10_000 + kind.sign * 700:08X}" + sequence + fields
    header = "805403000B" if name == "unload" else "805200000B"
    last = sm4_mac(worker, proven) if name == "unload" else sm4_mac(bank_key("DTK"), proven)
    assert terminal.send(f"{header}{WHEN}{sm4_mac(worker, fields)}04") == last + "9000"
    assert terminal.send(f"805C00{kind.purse}04") == f"{10_000 + kind.sign * 700:08X}9000"


def test_a_new_overdraft_limit() -> None:
    terminal = opened()
    answer = terminal.send(initialize("overdraft"))
    balance, sequence, limit, random, mac1 = answer[:8], answer[8:12], answer[12:18], answer[22:30], answer[30:38]
    worker = session("DUK", random + sequence + "8000")
    assert mac1 == sm4_mac(worker, balance + limit + "07" + TERMINAL)
    fields = "0001F4" + "07" + TERMINAL + WHEN
    tac = sm4_mac(bank_key("DTK"), f"{10_500:08X}" + sequence + fields)
    assert terminal.send(f"805800000E0001F4{WHEN}{sm4_mac(worker, fields)}04") == tac + "9000"


@pytest.mark.parametrize("name", ["purchase", "purchase purse", "cash", "composite"])
def test_what_is_done_offline(name: str) -> None:
    terminal, kind = opened(), KINDS[name]
    answer = terminal.send(initialize(name))
    sequence, random = answer[8:12], answer[22:30]
    number = "00000005"
    worker = session("DPK", random + sequence + number[4:])
    amount = f"{700:08X}"
    fields = amount + kind.code + TERMINAL
    mac1 = sm4_mac(worker, fields + WHEN)
    tac, mac2 = sm4_mac(bank_key("DTK"), fields + number + WHEN), sm4_mac(worker, amount)
    forged = terminal.card.image
    assert terminal.send(f"805401000F{number}{WHEN}{mac1[:6]}{int(mac1[6:], 16) ^ 1:02X}08") == "9302"
    assert terminal.card.image == forged
    answer = terminal.send(initialize(name))
    worker = session("DPK", answer[22:30] + sequence + number[4:])
    mac1, mac2 = sm4_mac(worker, fields + WHEN), sm4_mac(worker, amount)
    assert terminal.send(f"805401000F{number}{WHEN}{mac1}08") == tac + mac2 + "9000"
    assert terminal.send(f"805A00{kind.code}02{sequence}08") == mac2 + tac + "9000"


def _issued(label: str, header: str, challenge: bytes, data: bytes = b"") -> str:
    head = bytes.fromhex(header) + bytes((len(data) + 4,)) + data
    return head.hex().upper() + sm4_mac(bank_key(label), head, challenge.ljust(16, b"\0"))


def test_the_issuers_scripts() -> None:
    """MAC with the challenge and zeros before it; the PIN as LD ‖ PIN in blocks of 16."""
    terminal = opened()
    cryptogram = sm4(bank_key("DPUK"), bytes.fromhex("03" + "654321" + "80" + "00" * 11))
    command = _issued("DPUK", "84240000", terminal.challenge(4), cryptogram)
    assert command[8:10] == "14"
    assert terminal.send(command) == "9000"
    assert terminal.send("0020000003654321") == "9000"
    assert terminal.send(_issued("DAMK", "841E0000", terminal.challenge(4))) == "9000"
    assert terminal.send("805C000204") == "6A81"
    assert terminal.send(_issued("DAMK", "84180000", terminal.challenge(8))) == "9000"
    assert terminal.send("805C000204") == "000027109000"


def _sm4_key(usage: Usage, reference: int = 0) -> CardKey:
    return a_key(usage, reference, bytes(16))._replace(algorithm=Algorithm.SM4)


@pytest.mark.parametrize(
    ("usage", "command"),
    [
        (Usage.PIN_RELOAD, "805E0000 07 123456 00000000"),
        (Usage.EXTERNAL_AUTHENTICATION, "00820000 10" + "00" * 16),
        (Usage.EXTERNAL_AUTHENTICATION, "00820000 08" + "00" * 8),
        (Usage.INTERNAL_AUTHENTICATION, "00880000 10" + "00" * 16),
        (Usage.INTERNAL_AUTHENTICATION, "00880100 10" + "00" * 16),
        (Usage.MESSAGING, "00880200 10" + "00" * 16),
    ],
)
def test_where_nothing_is_public_such_a_key_is_not_there(usage: Usage, command: str) -> None:
    image = with_key(rich(), ADF, _sm4_key(usage))
    terminal = Terminal(image)
    terminal.send(SELECT)
    terminal.challenge(16)
    assert terminal.send(command.replace(" ", "")) == "6A88"
    assert terminal.card.image == image


def test_the_module_lends_no_sm4_key() -> None:
    image = with_key(module(), DF01, _sm4_key(Usage.SECURITY_MODULE, 0x12)._replace(version=0x28))
    terminal = module_terminal(image)
    factor = "8660200101000001"
    assert terminal.send(f"801A281208{factor}") == "6985"
    assert terminal.send(f"BFDE281210{factor}{factor}") == "6985"


@pytest.mark.parametrize("label", ["DRPK", "DACK", "IRK"])
def test_a_profile_that_guesses_more_is_refused(label: str) -> None:
    text = 'extends = "pboc-purse"\nname = "site"\n[[df]]\nname = "ADF"\nkey = [{ label = "%s", algorithm = "sm4" }]'
    with pytest.raises(ProfileError, match=f"ADF.{label}.*nothing public"):
        parse_profile(text % label)


@pytest.mark.parametrize("name", ["ssc-v3+sm4-purse", "ssc-v3+sm4+sm4-purse"])
def test_a_social_security_card_pays_with_an_sm4_module(name: str) -> None:
    """The card's key is below the module's, one SM4 diversification a level."""
    profile = load_profile(name)
    made = specimen_card(profile)
    user = Terminal(made.image)
    purses = {at: purse._replace(balance_fen=10_000) for at, purse in made.image.purses.items()}
    user.card.nvm.image = made.image._replace(purses=purses)
    user.go(SELECT_SSSE, "0020000003123456", SELECT_DF04)
    factors = [b"990000sh", b"990100sx", made.atr[-8:]]
    till = module_terminal(security_module(load_profile("psam+sm4"), MODULE_SERIAL))
    offer = user.send(initialize_medical(100, 20, 3))
    assert offer[34:36] == "03"
    command = module_command(offer, amounts(100, 20, 3), factors=(factors[2] + factors[1]).hex().upper())
    signature = till.send(command)
    assert signature.endswith("9000")
    codes = user.send(debit_medical(signature))
    assert codes.endswith("9000")
    assert till.send("8072000004" + codes[8:16]) == "9000"
    keys = specimen_keys(profile, made.atr)
    assert keys.vault.info(keys.ref("DF04.DPK")).algorithm is Algorithm.SM4
