"""The books under random orders, repeated orders and contradicting ones."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kaguan.cms.ledger.accounts import AccountKind, balance, kind_of
from kaguan.cms.ledger.posting import Move, Phase, post, reroute, reserve, settle, void
from kaguan.cms.ledger.proof import replay, total, verify_books
from kaguan.cms.models import Account, Entry, Transfer
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    IdempotencyConflict,
    InsufficientFunds,
    LimitExceeded,
    NotFound,
    ProofFailed,
)

SPACE = UUID("99010000-0000-4000-8000-000000000000")
ACCOUNTS = ["PREMIUM_IN", "PA:1", "PA:2", "PURSE:990100001", "MERCHANT:C1", "POOL_EMP"]
AMOUNTS = st.integers(1, 1000)
MOVES = st.lists(
    st.permutations(ACCOUNTS).flatmap(lambda order: AMOUNTS.map(lambda fen: Move(order[0], order[1], fen))),
    min_size=1,
    max_size=3,
)


def number(n: int) -> UUID:
    return uuid5(SPACE, str(n))


class Books(RuleBasedStateMachine):
    """Clients that post, reserve, resolve and repeat themselves; a plain dictionary knows what must come of it."""

    transfers = Bundle("transfers")

    def __init__(self):
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.expected = dict.fromkeys([*ACCOUNTS, "HELD:990100001", "GREY"], 0)
        self.open = {}
        self.asked = {}
        self.closed = {}

    @initialize()
    def endow(self):
        for n, code in enumerate(ACCOUNTS[1:], start=100):
            post(number(n), "endowment", [Move("PREMIUM_IN", code, 2_000)])
            self.move([Move("PREMIUM_IN", code, 2_000)])

    def teardown(self):
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    def move(self, moves):
        after = dict(self.expected)
        for move in moves:
            after[move.source] -= move.amount_fen
            after[move.destination] += move.amount_fen
            if after[move.source] < 0 and move.source != "PREMIUM_IN":
                return False
        self.expected = after
        return True

    @rule(n=st.integers(0, 8), moves=MOVES, target=transfers)
    def post(self, n, moves):
        return self.ask(n, ("post", moves), moves, lambda: post(number(n), "test", moves))

    @rule(n=st.integers(0, 8), moves=MOVES, target=transfers)
    def reserve(self, n, moves):
        through = [move._replace(destination="HELD:990100001") for move in moves]
        done = self.ask(
            n,
            ("reserve", moves),
            through,
            lambda: reserve(number(n), "test", moves, through="HELD:990100001"),
        )
        if n not in self.closed and self.asked.get(n) == ("reserve", moves):
            self.open.setdefault(n, (moves, "HELD:990100001"))
        return done

    def ask(self, n, content, moves, act):
        if n in self.asked:
            if self.asked[n] == content:
                act()
            else:
                with pytest.raises(IdempotencyConflict):
                    act()
        elif self.move(moves):
            act()
            self.asked[n] = content
        else:
            with pytest.raises(InsufficientFunds):
                act()
        return n

    @rule(n=transfers, keep=st.booleans(), code=st.integers(0, 1))
    def resolve(self, n, keep, code):
        resolve, phase = (settle, Phase.SETTLED) if keep else (void, Phase.VOID)
        if n in self.open:
            moves, through = self.open.pop(n)
            assert self.move([Move(through, m.destination if keep else m.source, m.amount_fen) for m in moves])
            assert resolve(number(n), evidence={"code": code}).phase == phase
            self.closed[n] = (phase, code)
        elif n in self.closed:
            if self.closed[n] == (phase, code):
                assert resolve(number(n), evidence={"code": code}).phase == phase
            else:
                with pytest.raises((AlreadyResolved, IdempotencyConflict)):
                    resolve(number(n), evidence={"code": code})
        else:
            with pytest.raises(AlreadyResolved if n in self.asked else NotFound):
                resolve(number(n), evidence={"code": code})

    @rule(n=transfers)
    def grey(self, n):
        if n in self.open:
            moves, through = self.open[n]
            if through != "GREY":
                assert self.move([Move(through, "GREY", m.amount_fen) for m in moves])
            assert reroute(number(n), through="GREY").phase == Phase.PENDING
            self.open[n] = (moves, "GREY")
        else:
            with pytest.raises(AlreadyResolved if n in self.asked else NotFound):
                reroute(number(n), through="GREY")

    @invariant()
    def the_books_are_as_the_dictionary_says(self):
        assert total() == 0
        verify_books()
        assert {code: balance(code) for code in self.expected} == self.expected
        assert not Account.objects.filter(balance_fen__lt=0).exclude(code="PREMIUM_IN").exists()
        assert {code: fen for code, fen in replay().items() if fen} == {
            code: fen for code, fen in self.expected.items() if fen
        }


@pytest.mark.slow
@pytest.mark.django_db
def test_random_orders_keep_the_laws():
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.django_db
@pytest.mark.parametrize("amount_fen", [0, -1, 10**15 + 1])
def test_amounts_that_are_none_are_refused(amount_fen):
    with pytest.raises(LimitExceeded):
        post(number(1), "test", [Move("PREMIUM_IN", "PA:1", amount_fen)])
    assert not Transfer.objects.exists()


@pytest.mark.django_db
def test_half_a_transfer_is_none():
    moves = [Move("PREMIUM_IN", "PA:1", 5), Move("PA:2", "PA:1", 5)]
    with pytest.raises(InsufficientFunds):
        post(number(1), "test", moves)
    assert (balance("PA:1"), Transfer.objects.count(), Entry.objects.count()) == (0, 0, 0)


@given(st.text(max_size=12))
def test_account_codes_of_no_known_form_are_bugs(code):
    known = code.partition(":")[0] in set(AccountKind)
    if not known:
        with pytest.raises(ValueError):
            kind_of(code)


@pytest.mark.parametrize("code", ["PA", "PA:", "POOL_EMP:1", "GREY:1"])
def test_owned_accounts_need_an_owner_and_others_have_none(code):
    with pytest.raises(ValueError):
        kind_of(code)


GUARDED = [
    "cms_cardevent",
    "cms_transfer",
    "cms_entry",
    "cms_contribution",
    "cms_receipt",
    "cms_auditentry",
    "cms_reconciliation",
    "cms_regionversion",
    "cms_approvaldecision",
    "cms_merge",
    "cms_verifierverdict",
    "cms_blacklistchange",
    "cms_blacklistpush",
]


TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}
VERBS = {"sqlite": ("update", "delete"), "postgresql": ("update", "delete", "truncate")}


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["cms_transfer", "cms_entry"])
@pytest.mark.parametrize("sql", ["DELETE FROM {0}", "UPDATE {0} SET {1} = {1}"])
def test_the_database_itself_refuses_to_rewrite_the_books(table, sql):
    post(number(1), "test", [Move("PREMIUM_IN", "PA:1", 5)])
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(sql.format(table, "transfer_id"))


@pytest.mark.only_on("postgresql")
@pytest.mark.django_db
@pytest.mark.parametrize("table", GUARDED)
def test_a_server_refuses_to_empty_them(table):
    with pytest.raises(DatabaseError, match=f"{table} is append-only"), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.django_db
def test_every_table_that_proves_something_is_guarded():
    with connection.cursor() as cursor:
        cursor.execute(TRIGGERS[connection.vendor])
        names = {name for (name,) in cursor.fetchall()}
    assert names == {f"{table}_no_{verb}" for table in GUARDED for verb in VERBS[connection.vendor]}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE cms_account SET balance_fen = -1 WHERE code = 'PA:1'",
        "INSERT INTO cms_entry (transfer_id, source_id, destination_id, amount_fen)"
        " SELECT transfer_id, 'PA:1', 'PA:1', 5 FROM cms_transfer",
        "INSERT INTO cms_entry (transfer_id, source_id, destination_id, amount_fen)"
        " SELECT transfer_id, 'PREMIUM_IN', 'PA:1', 0 FROM cms_transfer",
    ],
)
def test_the_database_itself_refuses_unbalanced_books(sql):
    post(number(1), "test", [Move("PREMIUM_IN", "PA:1", 5)])
    with pytest.raises(DatabaseError, match=r"(?i)check"), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.django_db
def test_a_changed_balance_is_named():
    post(number(1), "test", [Move("PREMIUM_IN", "PA:1", 5)])
    Account.objects.filter(code="PA:1").update(balance_fen=6)
    with pytest.raises(ProofFailed, match="PA:1 shows 6 fen, its entries give 5"):
        verify_books()
