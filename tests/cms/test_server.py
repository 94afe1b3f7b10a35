"""What only a server brings: rows that others hold, lost answers and connections, clients side by side."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cms import life_cases, request_cases
from cms.threads import at_once
from cms.town import BANK, EXPIRES, ISSUED, NAME, TERMINAL
from kaguan.cms import audit
from kaguan.cms.append_only import drop_guards
from kaguan.cms.cli import cms
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import AuditEntry, Card, Receipt
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible, ProofFailed
from kaguan.cms.services.contributions import credit_contribution
from kaguan.cms.services.load import begin_load
from kaguan.cms.services.lock import lock
from kaguan.cms.services.loss import report_temporary_loss
from kaguan.cms.services.orders import OrderRow, order_cards
from kaguan.cms.services.set_up import found
from kaguan.cms.services.transacting import in_transaction
from kaguan.cms.store import open_store
from kaguan.database import DatabaseGone
from kaguan.durable import InUse
from postgres import server

pytestmark = [pytest.mark.slow, pytest.mark.only_on("postgresql")]

CARD = "990100001"
WHO = ("--operator", "x", "--institution", "y")


@contextmanager
def elsewhere(address):
    """Another connection to the same database."""
    with psycopg.connect(address, autocommit=True) as other:
        yield other


def test_a_card_that_another_request_holds_is_waited_for_and_then_told(own_store, lasting_town):
    lasting_town.active_card()
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    with elsewhere(own_store) as other, other.transaction():
        other.execute("SELECT 1 FROM cms_card WHERE card_no = %s FOR NO KEY UPDATE", (CARD,))
        with pytest.raises(InUse, match="lock timeout"):
            report_temporary_loss(lasting_town.hotline, uuid4(), card_no=CARD)
    assert report_temporary_loss(lasting_town.hotline, uuid4(), card_no=CARD).application == "4"


ON_A_CARD = [case for case in request_cases.CASES + life_cases.CASES if "card_no" in case[3]]


@pytest.mark.parametrize(("ask", "who", "prepare", "asked"), ON_A_CARD, ids=[case[0].__name__ for case in ON_A_CARD])
def test_every_use_case_on_a_card_locks_it_before_it_reads_it(town, ask, who, prepare, asked):
    request_id = uuid4()
    prepare(town, request_id)
    with CaptureQueriesContext(connection) as queries:
        ask(getattr(town, who), request_id, **asked)
    of_card = [query["sql"] for query in queries if '"cms_card"."card_no" =' in query["sql"]]
    assert "FOR NO KEY UPDATE" in of_card[0]


def test_one_person_gets_one_card_of_two_orders_at_once(own_store, lasting_town):
    def order(number):
        row = OrderRow(f"99010010{number}", "01", "990101199003070017", NAME, BANK, "", ISSUED, EXPIRES)
        return order_cards(lasting_town.clerk, uuid4(), order_no=f"B{number}", rows=[row])

    outcomes = at_once(*(lambda number=number: order(number) for number in range(4)))
    assert sum(isinstance(outcome, NotEligible) for outcome in outcomes) == 3
    assert Card.objects.count() == 1


def test_clients_side_by_side_leave_sound_books_and_a_whole_log(own_store, lasting_town):
    lasting_town.active_card()

    def credit(month):
        try:
            person = {"cert_type": "01", "cert_no": "990101199003070017"}
            return [
                credit_contribution(
                    lasting_town.clerk, uuid4(), **person, month=date(2000 + year, month, 1), base_fen=10_000
                )
                for year in range(10)
            ]
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        assert sum(map(len, pool.map(credit, range(1, 13)))) == 120
    verify_books()
    head = audit.verify_chain()
    assert head.entries == AuditEntry.objects.count()
    assert AuditEntry.objects.filter(action="credit contribution", outcome="done").count() == 120


def test_nobody_waits_for_a_lane_of_the_log_that_another_one_is_writing_to(own_store, lasting_town):
    with elsewhere(own_store) as other, other.transaction():
        for lane in (0, 1):
            other.execute("SELECT pg_advisory_xact_lock(%s, %s)", (audit._LANE_LOCKS, lane))
        lasting_town.order()
    assert AuditEntry.objects.latest("sequence").sequence == 2 * audit.LANE_SIZE + 1
    lasting_town.receive(CARD)
    head = audit.verify_chain()
    assert head.entries == AuditEntry.objects.count()
    drop_guards(connection, ["cms_auditentry"])
    AuditEntry.objects.filter(sequence__gt=2 * audit.LANE_SIZE).update(operator="nobody")
    with pytest.raises(ProofFailed, match="audit entry 2/1 "):
        audit.verify_chain()


def test_a_transaction_that_waits_in_a_circle_is_done_again(own_store, lasting_town):
    lasting_town.active_card()
    lasting_town.active_card("990100002", "990101199003070033", "测试人乙")
    gate, turns = threading.Barrier(2, timeout=20), []

    def hold_both(first, second):
        def work():
            turns.append(first)
            Card.objects.select_for_update().get(pk=first)
            if len(turns) <= 2:
                gate.wait()
            Card.objects.select_for_update().get(pk=second)
            return first

        return lambda: in_transaction(work)

    done = at_once(hold_both(CARD, "990100002"), hold_both("990100002", CARD))
    assert done == [CARD, "990100002"]
    assert len(turns) == 3


def test_a_connection_that_ends_is_told_and_made_anew(own_store, lasting_town):
    lasting_town.active_card()

    def work():
        with elsewhere(own_store) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.connection.info.backend_pid,))
        return Card.objects.count()

    with pytest.raises(DatabaseGone, match="run the same command again"):
        in_transaction(work)
    assert lock(lasting_town.clerk, uuid4(), card_no=CARD, reason="9").application == "3"


class LosesTheAnswer:
    """A line to the server that is cut when a commit has been sent and before its answer comes."""

    def __init__(self, folder: Path, server_socket: str) -> None:
        self.folder, self._server = folder, server_socket
        self.armed = False
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            cut = threading.Event()
            threading.Thread(target=self._pump, args=(client, server, cut, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, cut, False), daemon=True).start()

    def _pump(self, source, target, cut, is_request):
        with suppress(OSError):
            while data := source.recv(65536):
                if is_request and self.armed and b"COMMIT" in data:
                    cut.set()
                if cut.is_set() and not is_request:
                    break  # the server has answered, so it is done; nobody will hear of it
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def line(own_store, tmp_path_factory):
    """A line to the test's own database that can lose an answer, and the address by that line."""
    host = connection.settings_dict["HOST"]
    folder = tmp_path_factory.mktemp("line")
    cut = LosesTheAnswer(folder, f"{host}/.s.PGSQL.5432")
    yield cut, own_store.replace(f"host={host}", f"host={folder}")
    cut.close()


def test_a_commit_whose_answer_was_lost_is_answered_by_its_receipt(lasting_town, own_store, line):
    cut, address = line
    lasting_town.active_card()
    lasting_town.credit()
    open_store(address)
    request_id = uuid4()
    asked = {"card_no": CARD, "amount_fen": 500, "purse_before_fen": 0, "online_sequence": 0, **TERMINAL}
    cut.armed = True
    with pytest.raises(DatabaseGone):
        begin_load(lasting_town.teller, request_id, **asked)
    cut.armed = False
    receipt = Receipt.objects.get(request_id=request_id)
    assert begin_load(lasting_town.teller, request_id, **asked).load_id == receipt.result["load_id"]
    assert AuditEntry.objects.filter(request_id=request_id).count() == 1
    verify_books()
    open_store(own_store)


def test_no_server_at_the_address(own_store, tmp_path):
    address = f"postgresql://clerk@/kaguan?host={tmp_path}"
    for words in (["card", "show", CARD, *WHO], ["init", address], ["audit", "verify"]):
        error = CliRunner().invoke(cms, words, env={"KAGUAN_DB": address}).exception
        assert isinstance(error, DatabaseGone)
        assert error.exit_code == 5
    open_store(own_store)


def test_a_request_inside_another_ones_transaction_is_a_bug(lasting_town):
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        report_temporary_loss(lasting_town.hotline, UUID(int=3), card_no=CARD)


def test_programs_that_open_a_new_database_together_migrate_it_once(own_store):
    address = server().new_database()
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    code = f"from kaguan.cms.store import open_store; open_store({address!r})"
    programs = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [program.wait() for program in programs] == [0, 0, 0]


def test_of_two_who_found_the_system_at_once_one_does(own_store):
    def start(name):
        return found(uuid4(), region_code="990100", authority="SSB", administrator=name)

    outcomes = at_once(*(lambda name=name: start(name) for name in ("one", "two", "three")))
    assert sum(isinstance(outcome, DuplicateRequest) for outcome in outcomes) == 2
    assert audit.verify_chain().entries == 1
