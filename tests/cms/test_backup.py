"""Books go into a file and come out of it whole, into either kind of database, or not at all."""

from __future__ import annotations

import gzip
import json
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from card.cards import PROFILE
from cms.crowd import enrolled
from kaguan.apdu.errors import InputError, KaguanError, RuleBroken, VaultError
from kaguan.cms.ledger.accounts import balance, personal_account
from kaguan.cms.models import Account, AuditEntry, Card, Holder
from kaguan.cms.rules.refusals import ProofFailed
from kaguan.cms.safekeeping.backup import back_up, restore
from kaguan.cms.safekeeping.dump import row_lines
from kaguan.cms.services.sampling import add_sample
from kaguan.cms.store import open_store
from kaguan.personalization.keystore import make_test_store
from kaguan.personalization.keystore import open_store as open_vault
from postgres import server

pytestmark = pytest.mark.slow

CARD = "990100001"


@pytest.fixture
def books(own_store, lasting_town):
    """A town with a funded card and a sample; every row of it."""
    lasting_town.active_card()
    lasting_town.credit()
    lasting_town.load(CARD, 5_000)
    add_sample(lasting_town.administrator, uuid4(), holders=25)
    return list(row_lines())


@pytest.fixture
def vault(tmp_path):
    path = tmp_path / "keys"
    make_test_store(path, PROFILE)
    return open_vault(path)


def test_what_is_restored_is_what_was_there(books, own_store, new_store, lasting_town, tmp_path):
    kept = back_up(tmp_path / "books")
    assert (tmp_path / "books").stat().st_mode & 0o077 == 0
    open_store(new_store())
    assert restore(tmp_path / "books") == kept
    assert list(row_lines()) == books
    holder = Card.objects.get(pk=CARD).holder_id
    assert kept.ledger_fen == 0
    assert balance(personal_account(holder)) > 0
    enrolled(lasting_town)
    lasting_town.active_card("990100077", "990101199003070033", "测试人乙")


def test_books_move_from_one_kind_of_database_to_the_other(books, own_store, tmp_path):
    kept = back_up(tmp_path / "books")
    elsewhere = str(tmp_path / "moved.sqlite") if own_store.startswith("postgres") else server().new_database()
    open_store(elsewhere)
    assert restore(tmp_path / "books") == kept
    assert sorted(row_lines()) == sorted(books)
    open_store(own_store)


def test_nothing_is_restored_over_anything(books, tmp_path):
    back_up(tmp_path / "books")
    with pytest.raises(RuleBroken, match="restore into a new one"):
        restore(tmp_path / "books")
    assert list(row_lines()) == books


def test_books_that_do_not_hold_are_not_backed_up(books, tmp_path):
    Account.objects.filter(code__startswith="PA:").update(balance_fen=1)
    with pytest.raises(ProofFailed):
        back_up(tmp_path / "books")
    assert not (tmp_path / "books").exists()


def test_a_sealed_backup_opens_for_its_key_store_alone(books, own_store, new_store, vault, tmp_path):
    kept = back_up(tmp_path / "books", vault)
    everything = (tmp_path / "books").read_bytes()
    assert b"cms_holder" not in everything
    assert everything[:2] != b"\x1f\x8b"
    make_test_store(tmp_path / "other", PROFILE)
    open_store(new_store())
    with pytest.raises(InputError, match="--keys"):
        restore(tmp_path / "books")
    with pytest.raises(VaultError):
        restore(tmp_path / "books", open_vault(tmp_path / "other"))
    assert not Holder.objects.exists()
    assert restore(tmp_path / "books", vault) == kept


@pytest.mark.only_on("sqlite")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(place=st.floats(0, 1, exclude_max=True), how=st.sampled_from(["flip", "cut", "add"]), sealed=st.booleans())
def test_a_backup_that_was_touched_leaves_nothing(place, how, sealed, touched):
    good, restore_bytes = touched
    whole = good[sealed]
    at = int(place * len(whole))
    bad = {
        "flip": whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :],
        "cut": whole[:at],
        "add": whole + b"more",  # zeros after its end are gzip's own padding
    }[how]
    harmless = not sealed and how == "flip" and at < 10  # time and system in gzip's own header
    try:
        restore_bytes(bad, sealed)
    except KaguanError:
        assert not AuditEntry.objects.exists()
    else:
        assert harmless


@pytest.fixture
def touched(own_store, lasting_town, new_store, vault, tmp_path):
    """A backup in clear and sealed, and how to restore any bytes into an empty database that stays empty."""
    back_up(tmp_path / "clear")
    back_up(tmp_path / "sealed", vault)
    good = ((tmp_path / "clear").read_bytes(), (tmp_path / "sealed").read_bytes())
    count = iter(range(1000))

    def restore_bytes(data, sealed):
        if AuditEntry.objects.exists():
            open_store(new_store(f"touched{next(count)}"))
        (tmp_path / "bad").write_bytes(data)
        restore(tmp_path / "bad", vault if sealed else None)

    yield good, restore_bytes
    open_store(own_store)


@pytest.mark.parametrize("forge", ["row", "missing", "version", "trailer", "table"])
def test_a_forged_backup_is_refused(books, own_store, new_store, tmp_path, forge):
    back_up(tmp_path / "books")
    lines = gzip.decompress((tmp_path / "books").read_bytes()).decode().splitlines()
    if forge == "row":
        lines[1] = lines[1].replace("0", "1", 2)
    elif forge == "missing":
        del lines[1]
    elif forge == "version":
        first = json.loads(lines[0])
        lines[0] = json.dumps({**first, "migrations": [*first["migrations"], "9999_future"]})
    elif forge == "trailer":
        lines[-1] = '{"trailer": {}}'
    else:
        lines.insert(1, '["99", 1]')
    (tmp_path / "books").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    open_store(new_store())
    with pytest.raises((InputError, ProofFailed)):
        restore(tmp_path / "books")
    assert not Holder.objects.exists()


def test_what_is_no_backup(own_store, tmp_path):
    for content in (b"", b"x", gzip.compress(b""), gzip.compress(b"{}\n"), gzip.compress(b"[1]\n"), b"KAGUANB1"):
        (tmp_path / "none").write_bytes(content)
        with pytest.raises((InputError, VaultError)):
            restore(tmp_path / "none")
