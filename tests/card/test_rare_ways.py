"""Ways through the chip that no conversation takes: asked of its pure functions, or of cards in rare states."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.banks import bank
from card.cards import DF01, DF04, MF, SSSE, Terminal, a_file, counted, specimen, with_file
from card.natives import (
    ADF,
    APPLICATION,
    FACTORY_KEY,
    LINE_KEY,
    LOAD_KEY,
    MASTER_KEY,
    at_application,
    authenticate,
    built,
    factory,
    guarded,
)
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.commands.records import MOST_RECORDS
from kaguan.card_os.dispatch import execute
from kaguan.card_os.image import CardImage, CardKey, CardPin, Lifecycle, Messaging
from kaguan.card_os.native import KeyRecord
from kaguan.card_os.outcome import Chip, Outcome
from kaguan.card_os.profile import FileKind, load_profile
from kaguan.card_os.profile.rules import FREE, PIN_RIGHT
from kaguan.card_os.session import NATIVE_START, TRANSPORT_RIGHT, LentKey, ModulePurchase, PendingTransaction, Session
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.vault import Usage


def outcome(image: CardImage, session: Session, command: bytes) -> Outcome:
    """What the command comes to on this card, in this session."""
    chip = Chip(counted(), load_profile(image.profile).behaviour)
    return execute(image, session, CommandApdu.parse(command), chip)


# SELECT

FILES = sorted(at for at in specimen().files if at[:2] == MF)
RIGHTS = st.frozensets(st.sampled_from([0x04, 0x06, 0x83, 0x84, PIN_RIGHT, PIN_RIGHT | 0x81]), max_size=5)


def path(address: bytes) -> bytes:
    """SELECT by path from the root, asking for nothing."""
    if address == MF:
        return bytes.fromhex("00A4000C023F00")
    return bytes((0, 0xA4, 8, 0x0C, len(address) - 2)) + address[2:]


@examples(st.sampled_from([MF, SSSE, DF01, DF04]), st.sampled_from(FILES), RIGHTS)
def test_a_path_leads_where_two_hops_lead(start: bytes, file: bytes, rights: frozenset[int]) -> None:
    """With the same rights: naming a file in another application is no way round forgetting."""
    session = Session(start, rights=rights)
    by_path = outcome(specimen(), session, path(file))
    above = outcome(specimen(), session, path(file[:-2]))
    by_hops = outcome(specimen(), above.session, bytes.fromhex("00A4020C02") + file[-2:])
    assert (by_path.sw, above.sw, by_hops.sw) == (0x9000, 0x9000, 0x9000)
    assert by_path.session == by_hops.session
    if file[:-2][:4] != start[:4]:
        assert by_path.session.rights == frozenset()


# APPEND RECORD before the seal


@pytest.mark.parametrize(("there", "more"), [(255, 1), (254, 2), (130, 127), (254, 1), (130, 125), (0, 127)])
def test_a_file_has_no_more_records_than_a_number_can_name(there: int, more: int) -> None:
    at = SSSE + b"\xef\x19"
    records = tuple(bytes((number, 0)) for number in range(there))
    image = with_file(specimen(), at, a_file(FileKind.LINEAR_VARIABLE, records=records))
    image = image._replace(lifecycle=Lifecycle.CREATION)
    session = Session(SSSE, at, rights=frozenset({TRANSPORT_RIGHT}))
    result = outcome(image, session, bytes((0, 0xE2, 0, 0, 2 * more)) + b"\x70\x00" * more)
    fits = there + more <= MOST_RECORDS
    assert result.sw == (0x9000 if fits else 0x6A84)
    assert bool(result.groups) == fits


# CREATE FILE before the seal


@pytest.mark.parametrize("size", ["7FFFFFFF", "FFFFFFFFFFFFFFFF", "00" * 30 + "10", "00000010"])
def test_a_file_of_any_size_costs_nothing_to_ask_for(size: str) -> None:
    """Two bytes of size are all that there is memory for; more must not be tried first."""
    body = bytes.fromhex(f"820101 8302EF05 80{len(size) // 2:02X}{size} AB05 800103 9000")
    image = specimen()._replace(lifecycle=Lifecycle.CREATION)
    session = Session(SSSE, rights=frozenset({TRANSPORT_RIGHT}))
    data = b"\x62" + bytes((len(body),)) + body
    answer = outcome(image, session, bytes((0, 0xE0, 0, 0, len(data))) + data)
    assert (answer.sw, answer.groups) == (0x6A80, ())


# Native cards


def test_a_native_card_without_a_master_file_takes_nothing_but_one() -> None:
    card = Terminal(factory()._replace(dedicated={}, keys={}))
    for command in ("80E0000607280010F0F0FFFF", "80D4010015" + "3FF0F00100" + LOAD_KEY.hex(), "800E000000"):
        assert card.send(command) == "6A81"
    assert card.send("80E03F0007280010F0F0FFFF") == "6A80", "a master file is no elementary file"
    assert card.send("80E03F000D38FFFFF0F001FFFF4144463031") == "9000"
    assert card.send("80E0000607280010F0F0FFFF") == "9000"


def test_a_security_modules_key_needs_a_key_file_and_room_in_it() -> None:
    key = LOAD_KEY.hex()
    record = "84D4000013220100" + key
    card = Terminal(factory())
    assert authenticate(card, 0x00, FACTORY_KEY) == "9000"
    card.go("800E000000")
    assert card.send("84D4000004" + "00000000") == "6A82"
    card = Terminal(factory())
    card.go(APPLICATION, "00A40000023F01", "80E00000073F002895F0FFFF")
    assert card.send(guarded(card, FACTORY_KEY, record, encrypted=True)) == "9000"  # 24 of 40 bytes
    assert card.send(guarded(card, FACTORY_KEY, record.replace("2201", "2301"), encrypted=True)) == "6A84"
    assert card.send(guarded(card, FACTORY_KEY, record.replace("2201", "2202"), encrypted=True)) == "6A84"
    newer = record.replace(key, "77" * 16)
    assert card.send(guarded(card, FACTORY_KEY, newer, encrypted=True)) == "9000", "what is replaced gives its room"


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("0088030008" + "00" * 8, "6A86"),
        ("00880005", "6700"),
        ("0088000508" + "00" * 8, "6A88"),
        ("0088000701" + "00", "6982"),
        ("0088000601" + "00", "6700"),
        ("0088010609" + "00" * 9, "6700"),
        ("0088000610" + "00" * 16, "9000"),
        ("0088020609" + "00" * 9, "9000"),
    ],
)
def test_a_key_that_works_on_the_data_itself_refuses_in_order(command: str, word: str) -> None:
    card = at_application(state=4)
    for number, use in (("06", "F0"), ("07", "E5")):
        assert card.send(f"80D401{number}15" + f"30{use}F40100" + MASTER_KEY.hex()) == "9000"
    assert card.send(command)[-4:] == word


# Blocked and empty


def test_a_blocked_file_takes_all_in_it_with_it() -> None:
    """The master file too; what lies beside it goes on."""
    image = built()
    application = ADF + bytes.fromhex("DF02")
    image = image._replace(dedicated={**image.dedicated, application: image.dedicated[ADF]})
    chain = (MF, ADF, application)
    for depth, closed in enumerate(chain):
        shut = image.dedicated[closed]._replace(lifecycle=Lifecycle.DEACTIVATED)
        card = image._replace(dedicated={**image.dedicated, closed: shut})
        for place, here in enumerate(chain):
            answer = outcome(card, Session(here, rights=NATIVE_START), bytes.fromhex("0020000003123456"))
            assert (answer.sw == 0x6A81) == (place >= depth), (closed.hex(), here.hex())
            assert not (answer.groups and place >= depth)


@pytest.mark.parametrize("command", ["841E000004", "8418000004", "8416000004"])
def test_a_card_without_files_has_no_application_to_block(command: str) -> None:
    card = bank()._replace(dedicated={})
    answer = outcome(card, Session(challenge=bytes(4)), bytes.fromhex(command) + bytes(4))
    assert (answer.sw, answer.groups) == (0x6A81, ())


@pytest.mark.parametrize(("size", "word"), [(238, "9000"), (239, "9000"), (240, "6700")])
def test_the_greatest_lc_of_a_native_card(size: int, word: str) -> None:
    card = at_application(state=4)
    card.go("80E0000B07280100F0F0FFFF")
    assert card.send(f"00D68B00{size:02X}" + "5A" * size) == word
    card.go("80E0000C07A80100F0F0FFFF")
    command = f"04D68C00{size - 4:02X}" + "5A" * (size - 4)
    assert card.send(guarded(card, LINE_KEY, command, encrypted=False)) == word


# Secrets


@examples(st.binary(min_size=16, max_size=16).filter(lambda value: len(set(value)) > 8))
def test_nothing_that_holds_a_secret_shows_it(value: bytes) -> None:
    """Not in a log, not in a message of a failed test."""
    key = CardKey(Usage.LOAD, 1, 0, Algorithm.TDES, value, 3, 3)
    worker = cipher(value, Algorithm.TDES)
    pending = PendingTransaction(DF04, 1, 5, bytes(6), worker, bytes(4), 1)
    image = specimen()._replace(keys={SSSE + b"\x3f\x01": (key,)})
    holders = (
        key,
        CardPin(0, value[:3], 3, 3, 2, 6, 0, 0),
        image,
        KeyRecord(0x3F, Messaging.NONE, FREE, FREE, 1, 0, value),
        Session(pending=pending),
        LentKey(worker, enciphers=True, authenticates=True, chain=value[:8]),
        ModulePurchase(DF01, 1, 1, value[:4]),
        Session(module=LentKey(worker, enciphers=True, authenticates=True, chain=value[:8])),
    )
    for holder in holders:
        for shown in (repr(holder), str(holder), f"{holder}", f"{(holder,)}"):
            assert value[:3].hex() not in shown.lower(), type(holder)
            assert repr(value[:3])[2:-1] not in shown, type(holder)
