"""A card's whole life over the web, from order to successor; set-up, clock, and money with somebody else's reader."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from uuid import uuid4, uuid5

import pytest
from django.utils import timezone

from cms.crowd import citizen_number, portrait
from cms.evidence import DEVICE, centre, copies, hospital, verdicts
from cms.test_api import signed_in_administrator
from cms.timing import days_ago, the_clock
from cms.town import BANK, CERT_NO, NAME, return_row
from cms.web import machine, shown, signed_in_supervisor
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import Activation, Card, CardRequest, Holder, Institution, Operator
from kaguan.cms.services.requests import check_request

CARD, NEXT = "990100001", "990100002"
CARD_DAYS = {"issue_date": "2026-01-05", "valid_until": "2036-01-05"}
KEY = DEVICE.public_key().public_bytes_raw().hex()
AT_READER = {"terminal_no": "990100000001", "terminal_time": "2026-02-03T09:30:00+08:00"}
AT_TILL = {"terminal_no": "990100000101", "terminal_time": "2026-02-03T09:40:00+08:00"}
TAC = {"tac": "A1B2C3D4"}
CHIP = {"slot": 2, "before": "310,990101", "after": "310,990100"}


@pytest.fixture
def clerk(town):
    return machine(town, "clerk")


@pytest.fixture
def teller(town):
    return machine(town, "teller")


def done(answer):
    """What a request was answered that was not refused."""
    assert answer.status_code in {200, 204}, answer.content
    return answer.json() if answer.content else None


def refused(answer) -> str:
    """The code of a refusal."""
    assert answer.status_code >= 400, answer.content
    return answer.json()["code"]


def made(card_no: str) -> dict[str, str]:
    """A row of the bureau's return file, as JSON."""
    row = return_row(card_no)._asdict()
    return {name: value for name, value in row.items() if name not in {"rf_card_no", "main_type", "sub_type", "rf_atr"}}


def ordered(clerk, card_no: str = CARD) -> None:
    row = {"card_no": card_no, "cert_no": CERT_NO, "name": NAME, "bank_code": BANK, **CARD_DAYS}
    done(clerk.post("/orders", {"order_no": f"B{card_no}", "rows": [row]}))


def delivered(clerk, teller, card_no: str = CARD) -> None:
    """The card is with its holder."""
    ordered(clerk, card_no)
    done(teller.post("/stock/receipts", {"rows": [made(card_no)]}))
    done(teller.post(f"/cards/{card_no}/hand-over", {"document": shown(CERT_NO), "verdict": "same person"}))


def test_from_order_over_every_stage_to_a_reader_that_confirms(town, clerk, teller):
    ordered(clerk)
    for report in ("batch", "send"):
        done(clerk.post("/production/stages", {"card_nos": [CARD], "report": report}))
    silent = clerk.post("/production/stages", {"card_nos": [CARD], "report": "fail"})
    assert refused(silent) == "not_eligible"
    assert done(clerk.post("/production/returns", {"rows": [made(CARD)]}))["card_count"] == 1
    assert done(teller.post("/stock/receipts", {"rows": [made(CARD)]}))["institution"] == "ICBC-1"
    done(teller.post(f"/cards/{CARD}/hand-over", {"document": shown(CERT_NO), "verdict": "same person"}))
    key = uuid4()
    begun = done(teller.post(f"/cards/{CARD}/activation/reader", {"document": shown(CERT_NO), "chip": CHIP}, key=key))
    assert (begun["activation_id"], begun["phase"]) == (str(key), "open")
    assert Card.objects.get().application == "A"
    elsewhere = machine(town, "abc").post(f"/activations/{key}/confirmation")
    assert refused(elsewhere) == "not_found"
    first = done(teller.post(f"/activations/{key}/confirmation"))
    assert first == done(teller.post(f"/activations/{key}/confirmation"))
    assert (first["phase"], Card.objects.get().application) == ("done", "1")
    assert refused(teller.post(f"/activations/{key}/cancellation", {"why": "x"})) == "already_resolved"


def test_a_chip_that_refused_leaves_the_card_as_it_was(clerk, teller):
    delivered(clerk, teller)
    key = uuid4()
    done(teller.post(f"/cards/{CARD}/activation/reader", {"document": shown(CERT_NO), "chip": CHIP}, key=key))
    done(teller.post(f"/activations/{key}/cancellation", {"why": "the chip answered 6A82"}))
    assert Card.objects.get().application == "A"
    done(teller.post(f"/cards/{CARD}/activation", {"document": shown(CERT_NO)}))
    done(teller.post(f"/cards/{CARD}/chip-record", {"chip": CHIP}))
    assert Activation.objects.latest("at").chip_written_at is not None


@pytest.mark.acceptance("S2-4")
def test_the_other_ways_into_use(town, clerk, teller):
    delivered(clerk, teller)
    centre(town)
    hospital(town)
    form = {"name": NAME, "cert_no": CERT_NO, "bank_card_no": "6229999900000001"}
    Card.objects.update(bank_card_no="6229999900000001")

    def papers():
        return {
            "document": shown(CERT_NO),
            "form": form,
            "copies": [
                {"document": one.document, "digest": one.digest, "sealed": b64encode(one.sealed).decode()}
                for one in copies()
            ],
            "verdicts": [
                {
                    "verifier": one.verifier,
                    "verdict_id": one.verdict_id,
                    "check": one.check.value,
                    "card_no": one.card_no,
                    "score": one.score,
                    "measured_at": one.measured_at.isoformat(timespec="seconds"),
                    "signature": one.signature,
                }
                for one in verdicts(CARD)
            ],
        }

    at_centre = machine(town, "centre")
    forged = papers()
    forged["verdicts"][0]["score"] = 950
    assert refused(at_centre.post(f"/cards/{CARD}/activation/centre", forged)) == "not_eligible"
    assert done(at_centre.post(f"/cards/{CARD}/activation/centre", papers()))["application"] == "1"
    Card.objects.update(application="A")
    registrar = machine(town, "registrar")
    visit = {"visit": "emergency", "registration_no": "R1"}
    assert refused(registrar.post(f"/cards/{CARD}/visits", visit)) == "not_eligible"
    assert done(registrar.post(f"/cards/{CARD}/visits", {**visit, "visit": "outpatient"}))["application"] == "1"
    Card.objects.update(application="A")
    pharmacist, till = machine(town, "pharmacist"), {"terminal_no": "990100000201"}
    assert refused(pharmacist.post(f"/cards/{CARD}/activation/old-card", till)) == "not_eligible"
    done(pharmacist.post("/old-cards", {"old_card_no": "M1", "cert_no": CERT_NO, **till}))
    assert done(pharmacist.post(f"/cards/{CARD}/activation/old-card", till))["application"] == "1"


def test_money_is_reserved_before_the_chip_is_told_and_ends_once(town, clerk, teller):
    delivered(clerk, teller)
    done(teller.post(f"/cards/{CARD}/activation", {"document": shown(CERT_NO)}))
    premium = {"cert_no": CERT_NO, "month": "2026-01", "base_fen": 1_000_000}
    assert done(clerk.post("/contributions", premium))["balance_fen"] == 20_000
    assert refused(clerk.post("/contributions", premium)) == "duplicate_request"
    assert refused(teller.post(f"/cards/{CARD}/cash-top-up", {"amount_fen": 100})) == "forbidden_source"
    done(teller.post("/loads/allowance", {"card_no": CARD, "amount_fen": 5_000}))
    load, loading = uuid4(), {"card_no": CARD, "purse_before_fen": 0, "online_sequence": 0, **AT_READER}
    done(teller.post("/loads", {**loading, "amount_fen": 5_000}, key=load))
    waiting = teller.post("/loads/allowance", {"card_no": CARD, "amount_fen": 100})
    assert refused(waiting) == "needs_reconciliation"
    assert refused(clerk.post("/contributions", {**premium, "month": "2026-02"}, key=load)) == "idempotency_conflict"
    done(teller.post(f"/loads/{load}/grey"))
    assert refused(machine(town, "abc").post(f"/loads/{load}/confirmation", TAC)) == "not_found"
    assert done(teller.post(f"/loads/{load}/confirmation", TAC))["phase"] == "settled"
    assert done(teller.post(f"/loads/{load}/confirmation", TAC))["phase"] == "settled"
    assert refused(teller.post(f"/loads/{load}/cancellation", {"why": "x"})) == "already_resolved"
    cashier, drugs = machine(town, "cashier"), [{"category": "drug", "amount_fen": 1_200}]
    food = {"card_no": CARD, "items": [{"category": "food", "amount_fen": 100}]}
    assert refused(cashier.post("/purchases/allowance", food)) == "not_medical"
    assert done(cashier.post("/purchases/allowance", {"card_no": CARD, "items": drugs})) == {"amount_fen": 1_200}
    bill = {"card_no": CARD, "items": drugs, "offline_sequence": 0, **AT_TILL}
    kept, left = uuid4(), uuid4()
    assert done(cashier.post("/purchases", bill, key=kept))["terminal_sequence"] == 1
    done(cashier.post(f"/purchases/{kept}/grey"))
    done(cashier.post(f"/purchases/{kept}/record", TAC))
    done(cashier.post("/purchases", {**bill, "offline_sequence": 1}, key=left))
    done(cashier.post(f"/purchases/{left}/cancellation", {"why": "the holder left"}))
    assert balance(purse_account(CARD)) == 3_800
    verify_books()


def test_what_nobody_can_explain_takes_two_people(town, clerk, teller):
    delivered(clerk, teller)
    done(teller.post(f"/cards/{CARD}/activation", {"document": shown(CERT_NO)}))
    done(clerk.post("/contributions", {"cert_no": CERT_NO, "month": "2026-01", "base_fen": 1_000_000}))
    load = uuid4()
    begun = {"card_no": CARD, "amount_fen": 500, "purse_before_fen": 0, "online_sequence": 0, **AT_READER}
    done(teller.post("/loads", begun, key=load))
    wanted = {"transfer_id": str(load), "outcome": "void", "reason": "torn", "evidence": "journal of 3 February"}
    asked = done(clerk.post("/reconciliations", wanted))
    path = f"/reconciliations/{asked['reconciliation_id']}/approval"
    assert refused(clerk.post(path)) == "not_allowed"
    supervisor = signed_in_supervisor(town)
    assert done(supervisor.post(path))["phase"] == "void"
    assert refused(supervisor.post(path)) == "already_resolved"
    assert (balance(purse_account(CARD)), balance(f"PA:{Holder.objects.get().pk}")) == (0, 20_000)
    verify_books()


def test_the_holder_of_a_lost_card_gets_the_next_and_what_was_on_the_chip(town, clerk, teller):
    delivered(clerk, teller)
    done(teller.post(f"/cards/{CARD}/activation", {"document": shown(CERT_NO)}))
    done(clerk.post("/contributions", {"cert_no": CERT_NO, "month": "2026-01", "base_fen": 1_000_000}))
    town.load(CARD, 700)
    new = {"card_no": NEXT, "order_no": "R1", **CARD_DAYS}
    assert refused(clerk.post(f"/cards/{CARD}/replacement", new)) == "illegal_transition"
    done(teller.post(f"/cards/{CARD}/formal-loss", {"document": shown(CERT_NO)}))
    done(teller.post(f"/cards/{CARD}/chip-block/order"))
    done(teller.post(f"/cards/{CARD}/chip-block/presumption"))
    done(clerk.post(f"/cards/{CARD}/chip-block/confirmation", {"how": "blacklist of 3 February"}))
    seen = clerk.get(f"/cards/{CARD}")["ETag"]
    assert done(clerk.post(f"/cards/{CARD}/replacement", new, seen=seen))["card_no"] == NEXT
    assert Card.objects.get(pk=CARD).application == "9"
    Card.objects.filter(pk=NEXT).update(application="1")
    assert done(teller.post("/carry-overs/allowance", {"card_no": NEXT})) == {"amount_fen": 700}
    begun = {"card_no": NEXT, "amount_fen": 700, "purse_before_fen": 0, "online_sequence": 0, **AT_READER}
    load = uuid4()
    done(teller.post("/carry-overs", begun, key=load))
    done(teller.post(f"/loads/{load}/confirmation", TAC))
    assert balance(purse_account(NEXT)) == 700


@pytest.mark.parametrize("way", ["exchange", "renewal"])
def test_a_card_is_exchanged_and_renewed(clerk, teller, way):
    delivered(clerk, teller)
    done(teller.post(f"/cards/{CARD}/activation", {"document": shown(CERT_NO)}))
    new = {"card_no": NEXT, "order_no": "R1", **CARD_DAYS}
    body = new if way == "renewal" else {"reason": "02", "new": new}
    if way == "renewal":
        assert refused(clerk.post(f"/cards/{CARD}/renewal", body)) == "not_eligible"
        Card.objects.update(valid_until=timezone.localdate() + timedelta(days=9))
    assert done(clerk.post(f"/cards/{CARD}/{way}", body))["card_no"] == NEXT


def test_a_pin_is_cared_for_without_its_digits(town, clerk, teller):
    delivered(clerk, teller)
    cashier, path = machine(town, "cashier"), f"/cards/{CARD}/pin"
    chip = f"/cards/{CARD}/chip"
    done(cashier.post(f"{chip}/pin-change"))
    assert done(cashier.post(f"{chip}/pin-change/done"))["pin"] == "1"
    done(teller.post(f"{path}/change"))
    done(cashier.post(f"{path}/block"))
    assert refused(cashier.post(f"{chip}/pin-change")) == "illegal_transition"
    assert done(teller.post(f"{chip}/pin-unblock", {"document": shown(CERT_NO)}))["pin"] == "1"
    done(teller.post(f"{chip}/pin/done"))
    done(cashier.post(f"{path}/block"))
    copied = {"document": {**shown(CERT_NO), "original": False}}
    assert refused(teller.post(f"{path}/reset", copied)) == "not_eligible"
    assert done(teller.post(f"{path}/reset", {"document": shown(CERT_NO)}))["pin"] == "1"
    done(teller.post(f"{path}/block"))
    assert refused(teller.post(f"{path}/void")) == "not_eligible"


def test_a_unit_applies_and_its_checked_requests_are_ordered(town, clerk, teller):
    people = [(citizen_number(serial=number), f"测试人{name}") for number, name in ((3, "丙"), (4, "丁"))]
    for cert_no, name in people:
        done(clerk.post("/people", {"cert_no": cert_no, "name": name, "facts": {}}))
    holder = Holder.objects.first().pk
    photo = {"image": b64encode(portrait()).decode()}
    assert done(clerk.post(f"/people/{holder}/photo", photo))["holder_id"] == holder
    applicants = [{"cert_no": cert_no, "name": name} for cert_no, name in people]
    unit = {"unit_no": "U1", "applicants": applicants, "kind": "01", "bank_code": BANK}
    key = uuid4()
    assert done(clerk.post("/requests/units", unit, key=key))["request_count"] == 2
    for request in CardRequest.objects.all():
        check_request(town.supervisor, uuid4(), card_request_id=request.pk)
    rows = [
        {"card_request_id": str(request.pk), "card_no": f"99010000{number}", **CARD_DAYS}
        for number, request in enumerate(CardRequest.objects.order_by("pk"), 5)
    ]
    assert done(clerk.post("/orders/from-requests", {"order_no": "U1", "rows": rows}))["card_count"] == 2


def test_an_id_that_was_used_for_another_step_is_told_plainly(clerk):
    people = [(citizen_number(serial=number), f"测试人{name}") for number, name in ((3, "丙"), (4, "丁"))]
    for cert_no, name in people:
        done(clerk.post("/people", {"cert_no": cert_no, "name": name, "facts": {}}))
    key = uuid4()
    first, second = ({"cert_no": cert_no, "name": name} for cert_no, name in people)
    unit = {"unit_no": "U1", "kind": "01", "bank_code": BANK}
    alone = clerk.post("/requests/units", {**unit, "applicants": [first]}, key=key)
    assert done(alone)["request_count"] == 1
    wanted = {"applicant": second, "kind": "01", "bank_code": BANK, "way": "unit", "unit_no": "U1"}
    assert refused(clerk.post("/requests", wanted, key=uuid5(key, "1"))) == "idempotency_conflict"
    assert refused(clerk.post("/requests/units", {**unit, "applicants": [second]}, key=key)) == "idempotency_conflict"


def test_time_passes_over_the_web(town, clerk, teller):
    delivered(clerk, teller)
    done(teller.post(f"/cards/{CARD}/activation", {"document": shown(CERT_NO)}))
    done(teller.post(f"/cards/{CARD}/temporary-loss"))
    days_ago(CARD, "report_temporary_loss", 11)
    the_clock()
    clock, today = machine(town, "clock"), timezone.localdate().isoformat()
    assert refused(teller.post("/clock/runs", {"on": today})) == "not_allowed"
    ahead = (timezone.localdate() + timedelta(days=1)).isoformat()
    for day in (ahead, "0001-01-01"):
        assert refused(clock.post("/clock/runs", {"on": day})) == "not_eligible"
    assert refused(teller.get("/clock/due")) == "not_allowed"
    assert refused(clock.get("/clock/due?on=0001-01-01")) == "not_eligible"
    lapse = {"number": CARD, "rule": "temporary loss lapses"}
    assert done(clock.get("/clock/due")) == {"due": [lapse], "more": False}
    assert done(clock.get(f"/clock/due?on={ahead}&most=1")) == {"due": [lapse], "more": False}
    report = done(clock.post("/clock/runs", {"on": today, "most": 1}))
    assert (report["done"], report["refused"]) == (1, [])
    assert Card.objects.get().application == "1"
    assert done(clock.get("/clock/due")) == {"due": [], "more": False}
    assert done(clock.post("/clock/runs", {"on": today})) == {"done": 0, "refused": [], "more": False}
    early = clock.post(f"/cards/{CARD}/time-rules", {"rule": "validity ends", "on": today})
    assert refused(early) == "not_eligible"


def test_an_administrator_who_is_signed_in_sets_up(town):
    admin = signed_in_administrator(town)
    place = {"code": "CLINIC-9", "name": "c", "kind": "clinic", "designated": True}
    done(admin.post("/institutions", place))
    assert Institution.objects.get(pk="CLINIC-9").designated
    somebody = {"code": "nine", "name": "till", "institution": "CLINIC-9", "roles": ["cashier"]}
    done(admin.post("/operators", somebody))
    done(admin.post("/operators/nine/password", {"password": "first-one-for-a-day-2"}))
    done(admin.post("/operators/nine/unlocking"))
    done(admin.post("/institutions/CLINIC-9/day/close"))
    done(admin.post("/institutions/CLINIC-9/day/reopening"))
    done(admin.post("/institutions/CLINIC-9/blacklisting", {"breach": "daily goods on the card"}))
    verifier = {
        "code": "D9",
        "checks": ["face"],
        "public_key": KEY,
        "least_score": 800,
    }
    done(admin.post("/verifiers", verifier))
    done(admin.post("/regions/own/settings", {"settings": {"temporary_loss_days": 3}}))
    wrong = admin.post("/regions/own/settings", {"settings": {"temporary_loss_days": "three"}})
    assert (wrong.status_code, refused(wrong)) == (422, "bad_input")
    assert "temporary_loss_days" in wrong.json()["message"]
    file = 'code = "990300"\nname = "N"\nparent = "990000"\n[[version]]\nvalid_from = 2020-01-01\npin.pin_tries = 4'
    assert done(admin.post("/regions/files", {"texts": {"990300.toml": file}}))["added"] == 1
    assert refused(admin.post("/regions/files", {"texts": {"x.toml": "code = 1"}})) == "bad_input"
    city = {"code": "370200", "authority": "QD", "administrator": "qd"}
    assert refused(admin.post("/regions", city)) == "not_allowed"
    Operator.objects.filter(pk="admin2").update(roles=["administrator", "founder"])
    done(admin.post("/regions", city))
    for path, body in (("/institutions", {**place, "code": "X"}), ("/operators", {**somebody, "code": "x"})):
        assert refused(machine(town, "clerk").post(path, body)) == "not_allowed"
