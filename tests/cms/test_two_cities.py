"""Two cities in one database, Qingdao and a made-up neighbour: each lives by its own rules, day by day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from cms.doors import kaguan
from cms.town import BANK, CERT_NO, EXPIRES, ISSUED, NAME, return_row
from kaguan.apdu.errors import InputError
from kaguan.cms.models import Region, RegionVersion
from kaguan.cms.regions.record import region_record
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.layers import SINCE_EVER
from kaguan.cms.rules.refusals import DuplicateRequest, NotAllowed, NotEligible, NotFound, RuleTableError
from kaguan.cms.rules.regions import InstitutionKind, RegionRules
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.case import Actor
from kaguan.cms.services.contributions import credit_contribution
from kaguan.cms.services.issue import activate, hand_over
from kaguan.cms.services.loss import lapse_loss, release_loss, report_formal_loss, report_temporary_loss
from kaguan.cms.services.orders import OrderRow, order_cards
from kaguan.cms.services.regions import import_regions, open_region
from kaguan.cms.services.set_up import found, register_institution, register_operator, set_region
from kaguan.cms.services.stock import receive_stock

QINGDAO, NEIGHBOUR = "370200", "990200"
OTHER_CERT_NO = "990101199003070025"


def settle(administrator, name, bank, card_no, cert_no, *, valid_until=EXPIRES):
    """Leave an outlet of the bank with a teller in the administrator's region, and an active card of a person there."""
    authority = administrator.institution
    register_institution(
        administrator, uuid4(), code=f"{name}-1", name=name, kind=InstitutionKind.OUTLET, bank_code=bank
    )
    for code, employer, role in (
        ("clerk", authority, Role.AUTHORITY_CLERK),
        ("teller", f"{name}-1", Role.OUTLET_TELLER),
    ):
        register_operator(administrator, uuid4(), code=f"{name}-{code}", name=code, institution=employer, roles=[role])
    clerk, teller = Actor(f"{name}-clerk", authority), Actor(f"{name}-teller", f"{name}-1")
    row = OrderRow(card_no, "01", cert_no, NAME, bank, "", ISSUED, valid_until)
    order_cards(clerk, uuid4(), order_no=f"B-{card_no}", rows=[row])
    receive_stock(teller, uuid4(), rows=[return_row(card_no, cert_no)])
    document = Document("01", cert_no, original=True)
    hand_over(teller, uuid4(), card_no=card_no, document=document, verdict=Verdict.SAME_PERSON)
    activate(teller, uuid4(), card_no=card_no, document=document)
    return clerk, teller, document


@pytest.fixture
def qingdao(db):
    """The administrator of Qingdao, which founded the system with its own file."""
    return found(uuid4(), region_code=QINGDAO, authority="QD", administrator="qd")


@pytest.fixture
def neighbour(qingdao):
    """The administrator of the city beside it."""
    open_region(qingdao, uuid4(), code=NEIGHBOUR, authority="HZ", administrator="hz")
    return Actor("hz", "HZ")


@pytest.mark.acceptance("S0-20")
@pytest.mark.acceptance("S4-32")
def test_each_city_lives_by_its_own_rules(qingdao, neighbour):
    ours, theirs = (Region.objects.get(pk=code).rules() for code in (QINGDAO, NEIGHBOUR))
    assert (len(ours.banks), theirs.banks) == (9, ("95588", "95580"))
    assert ours.asks_pin_at("hospital") is False
    assert theirs.asks_pin_at("hospital") is True
    for administrator, bank in ((qingdao, "95580"), (neighbour, "95599")):
        with pytest.raises(NotEligible, match="none of the banks"):
            settle(administrator, "x", bank, "A1", CERT_NO)
    _, teller, document = settle(qingdao, "q", BANK, "990100001", CERT_NO)
    report_formal_loss(teller, uuid4(), card_no="990100001", document=document)
    set_region(qingdao, uuid4(), settings={"formal_loss_can_be_released": False})
    with pytest.raises(NotEligible, match="in Qingdao a formal loss cannot be released"):
        release_loss(teller, uuid4(), card_no="990100001", document=document)
    with pytest.raises(NotEligible, match="at most 8 years"):
        settle(neighbour, "n", BANK, "990100002", OTHER_CERT_NO)


def test_a_loss_is_released_in_the_one_and_lapses_sooner_in_the_other(qingdao, neighbour):
    _, teller, document = settle(
        neighbour, "n", BANK, "990100002", OTHER_CERT_NO, valid_until=ISSUED + timedelta(days=365)
    )
    report_temporary_loss(teller, uuid4(), card_no="990100002")
    with pytest.raises(NotEligible, match="stands for 3 days"):
        lapse_loss(teller, uuid4(), card_no="990100002")
    report_formal_loss(teller, uuid4(), card_no="990100002", document=document)
    assert release_loss(teller, uuid4(), card_no="990100002", document=document).application == "1"


PROVINCES = [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82]
"""GB/T 2260: every province, autonomous region and municipality, and the special administrative regions."""


@pytest.mark.acceptance("S1-33")
def test_every_province_can_be_opened_in_one_database(town):
    for number in PROVINCES:
        code = f"{number}0000"
        text = f'code = "{code}"\nname = "province {number}"\nparent = "000000"\n[[version]]\nvalid_from = 2020-01-01\n'
        import_regions(town.administrator, uuid4(), texts={f"{code}.toml": f"{text}pin.pin_tries = {number % 5 + 1}"})
        open_region(town.administrator, uuid4(), code=code, authority=f"A{number}", administrator=f"a{number}")
    opened = Region.objects.filter(code__in=[f"{number}0000" for number in PROVINCES])
    assert {place.code: place.rules().pin_tries for place in opened} == {
        f"{number}0000": number % 5 + 1 for number in PROVINCES
    }
    farthest = Actor("a65", "A65")
    _, teller, _ = settle(farthest, "X", BANK, "990100077", OTHER_CERT_NO)
    assert report_temporary_loss(teller, uuid4(), card_no="990100077").application == "4"
    with pytest.raises(NotFound):
        report_temporary_loss(town.teller, uuid4(), card_no="990100077")


def test_to_open_a_city_is_a_right_of_its_own(qingdao, neighbour):
    """Whoever founded the system has it; an administrator of a city that was opened does not, nor a new one here."""
    with pytest.raises(NotAllowed, match="no right to open regions"):
        open_region(neighbour, uuid4(), code="990100", authority="Y", administrator="y")
    colleague = {"code": "qd2", "name": "c", "institution": "QD", "roles": [Role.ADMINISTRATOR]}
    register_operator(qingdao, uuid4(), **colleague)
    with pytest.raises(NotAllowed, match="no right to open regions"):
        open_region(Actor("qd2", "QD"), uuid4(), code="990100", authority="Y", administrator="y")
    another = {"code": "f", "name": "f", "roles": [Role.FOUNDER]}
    with pytest.raises(NotAllowed, match="no right to open regions"):
        register_operator(neighbour, uuid4(), institution="HZ", **another)
    register_operator(qingdao, uuid4(), institution="QD", **another)
    assert open_region(Actor("f", "QD"), uuid4(), code="990100", authority="Y", administrator="y").code == "990100"


@pytest.mark.acceptance("S0-26")
def test_anybody_can_be_told_the_first_password_of_a_citys_card(qingdao, neighbour):
    set_region(neighbour, uuid4(), settings={"online_initial_passwords": ["personal number"]})
    told = {code: region_record(code, timezone.localdate()) for code in (QINGDAO, NEIGHBOUR)}
    assert told[QINGDAO]["online_initial_passwords"]["value"] == ["card number", "personal number"]
    assert told[NEIGHBOUR]["online_initial_passwords"]["value"] == ["personal number"]


@pytest.mark.acceptance("S3-4")
@pytest.mark.acceptance("S4-35")
def test_a_month_is_shared_out_by_the_rules_of_that_month(qingdao):
    clerk, _, _ = settle(qingdao, "q", BANK, "990100001", CERT_NO)

    def credit(month):
        return credit_contribution(clerk, uuid4(), cert_type="01", cert_no=CERT_NO, month=month, base_fen=1_000_000)

    assert credit(date(2020, 12, 1)).employer_to_account_fen == 18_000
    assert credit(date(2021, 1, 1)).employer_to_account_fen == 0
    with pytest.raises(NotEligible, match="no rules were in force in region 370200 on 1998-12-01"):
        credit(date(1998, 12, 1))


def test_a_change_leaves_the_past_as_it_was(qingdao):
    region, today = Region.objects.get(), timezone.localdate()
    before = region.rules(today - timedelta(days=1))
    set_region(qingdao, uuid4(), settings={"temporary_loss_days": 4})
    set_region(qingdao, uuid4(), settings={"temporary_loss_days": 6}, valid_from=today + timedelta(days=30))
    assert [region.rules(today + timedelta(days=days)).temporary_loss_days for days in (-1, 0, 29, 30)] == [10, 4, 4, 6]
    assert region.rules(today - timedelta(days=1)) == before
    set_region(qingdao, uuid4(), settings={"temporary_loss_days": 5})
    assert region.rules().temporary_loss_days == 5
    with pytest.raises(NotEligible, match="is past"):
        set_region(qingdao, uuid4(), settings={"pin_tries": 4}, valid_from=today - timedelta(days=1))
    with pytest.raises(RuleTableError, match="temporary_card_days"):
        set_region(qingdao, uuid4(), settings={"temporary_card_days": 200})
    later = today + timedelta(days=30)
    set_region(qingdao, uuid4(), settings={"temporary_card_longest_days": 90}, valid_from=later)
    with pytest.raises(RuleTableError, match=f"region {QINGDAO} on {later}: .*temporary_card_days is more"):
        set_region(qingdao, uuid4(), settings={"temporary_card_days": 100})


@pytest.mark.django_db
def test_versions_are_only_ever_added(qingdao):
    version = RegionVersion.objects.first()
    for ask in (version.delete, lambda: RegionVersion.objects.update(settings={})):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            ask()


def file(code="990300", day="2020-01-01", tries=4, parent="990000"):
    return (
        f'code = "{code}"\nname = "N"\nparent = "{parent}"\n[[version]]\nvalid_from = {day}\npin.pin_tries = {tries}\n'
    )


def test_files_are_put_on_the_books(qingdao, neighbour):
    with pytest.raises(NotFound, match="nothing is known of region 990300"):
        open_region(qingdao, uuid4(), code="990300", authority="N", administrator="n")
    added = import_regions(qingdao, uuid4(), texts={"n.toml": file()})
    again = import_regions(qingdao, uuid4(), texts={"n.toml": file()})
    assert ((added.added, added.known), (again.added, again.known)) == ((1, 0), (0, 1))
    open_region(qingdao, uuid4(), code="990300", authority="N", administrator="n")
    assert Region.objects.get(pk="990300").rules().pin_tries == 4
    with pytest.raises(DuplicateRequest, match="open already"):
        open_region(qingdao, uuid4(), code="990300", authority="M", administrator="m")
    with pytest.raises(DuplicateRequest, match="a code of its own"):
        open_region(qingdao, uuid4(), code="990100", authority="QD", administrator="m")


def test_files_that_are_refused(qingdao, neighbour):
    with pytest.raises(RuleTableError, match=r"n.toml: nothing is known of its parent 980000"):
        import_regions(qingdao, uuid4(), texts={"n.toml": file("980100", parent="980000")})
    with pytest.raises(NotAllowed, match="its own administrator"):
        import_regions(qingdao, uuid4(), texts={"n.toml": file(NEIGHBOUR)})
    with pytest.raises(NotEligible, match="is past, and a region works by the rules of 990000 already"):
        import_regions(qingdao, uuid4(), texts={"p.toml": file("990000", parent="000000")})
    shorter = file("990000", "2999-01-01", parent="000000").replace(
        "pin.pin_tries = 4", "temporary_card.temporary_card_longest_days = 60"
    )
    import_regions(qingdao, uuid4(), texts={"p.toml": shorter})
    assert RegionVersion.objects.filter(valid_from=date(2999, 1, 1)).count() == 1
    clash = (
        file("000000", "2999-02-01")
        .replace('parent = "990000"\n', "")
        .replace("pin.pin_tries = 4", "making.urgent_lead_working_days = 11")
    )
    with pytest.raises(RuleTableError, match=r"region 990200 on 2999-02-01: .*urgent_lead_working_days is more"):
        import_regions(qingdao, uuid4(), texts={"c.toml": clash})
    assert not RegionVersion.objects.filter(valid_from=date(2999, 2, 1)).exists()


def test_founded_with_rules_of_its_own_a_region_still_inherits(db):
    found(
        uuid4(),
        region_code="990100",
        region=RegionRules(name="Own", pin_tries=5),
        authority="SSB",
        administrator="admin",
    )
    rules = Region.objects.get().rules()
    assert (rules.name, rules.pin_tries, rules.lead_working_days) == ("Own", 5, 12)
    assert Region.objects.get().rules(date(2020, 1, 1)).employer_to_account_rate == 3_000
    with pytest.raises(RuleTableError, match="no region code"):
        found(uuid4(), region_code="9901", authority="S", administrator="a")


def test_the_record_says_where_each_value_comes_from(qingdao):
    record = region_record(QINGDAO, date(2026, 1, 1))
    assert record["account_uses"]["since"] == "2023-01-01"
    assert (record["banks"]["region"], record["banks"]["confidence"]) == (QINGDAO, "INF")
    assert (record["warranty_days"]["region"], record["warranty_days"]["confidence"]) == ("", "GUESS")
    set_region(qingdao, uuid4(), settings={"pin_tries": 4})
    assert region_record(QINGDAO, timezone.localdate())["pin_tries"]["confidence"] == "own word"
    with pytest.raises(RuleTableError):
        region_record("x", date(2026, 1, 1))


@pytest.mark.slow
def test_settings_from_before_versions_hold_since_ever(own_store):
    executor = MigrationExecutor(connection)
    executor.migrate([("cms", "0004_reconciliation")])
    before = executor.loader.project_state([("cms", "0004_reconciliation")]).apps.get_model("cms", "Region")
    before.objects.create(code="990100", settings={"name": "Old", "pin_tries": 5})
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    region = Region.objects.get()
    assert [region.rules(on).pin_tries for on in (SINCE_EVER, timezone.localdate())] == [5, 5]
    assert [region.rules(date(year, 1, 1)).employer_to_account_rate for year in (2020, 2021)] == [3_000, 0]
    with pytest.raises(DatabaseError, match="append-only"):
        RegionVersion.objects.all().delete()


@pytest.mark.slow
def test_the_door(own_store, tmp_path):
    run = partial(kaguan, own_store, ("qd", "QD"), "region")
    with pytest.raises(NotFound, match="no rules of region 370200"):
        run("show", QINGDAO)
    found(uuid4(), region_code=QINGDAO, authority="QD", administrator="qd")
    new = tmp_path / "n.toml"
    new.write_text(file(), encoding="utf-8")
    assert "n.toml: 990300 N, sound; in force from 2020-01-01" in run("check", new)
    with pytest.raises(RuleTableError, match="parent 990000"):
        run("import", new)
    run("open", NEIGHBOUR, "--authority", "HZ", "--administrator", "hz")
    assert "added       1" in run("import", new)
    assert "pin_tries" in run("show", "990300")
    assert "4  (990300 since 2020-01-01, own word)" in run("show", "990300", "--on", "2026-01-01")
    shown = json.loads(run("show", "990300", "--on", "2019-01-01", "--json"))
    assert shown["pin_tries"] == {"value": 3, "region": "", "since": "", "confidence": "C"}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "n.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="two files are called"):
        run("check", new, tmp_path / "other" / "n.toml")
    with pytest.raises(InputError, match="no UTF-8"):
        run("check", tmp_path / "other" / "n.toml")
