"""Among many rows nothing that is asked all day reads a table from end to end; docs/cms-queries.md shows how."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import connection

from cms.plans import ENOUGH, HOT, TRANSFER, page_rows, plans, read_whole
from house.tree import ROOT
from kaguan.cms.ledger.posting import Move, post, reserve
from kaguan.cms.sample import card_no_of
from kaguan.cms.services.sampling import add_sample

pytestmark = [pytest.mark.slow, pytest.mark.only_on("postgresql")]


@pytest.fixture
def many(town):
    """Enough rows that a server does not read them all for one of them."""
    add_sample(town.administrator, uuid4(), holders=ENOUGH)
    for number in range(1, 400):
        post(UUID(int=number << 64), "test", [Move("PREMIUM_IN", f"PA:{number}", 5)])
        memo = {"card_no": card_no_of(number), "online_sequence": 1}
        move = Move(f"PA:{number}", f"PURSE:{card_no_of(number)}", 1)
        reserve(UUID(int=number), "load", [move], through=f"UNLOADED:{number}", memo=memo)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        # 400 transfers fit into few pages: read them by index as one would read a million
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert TRANSFER.int in range(1, 400)


def test_every_plan_goes_by_an_index_and_the_page_says_which(many):
    whole = {hot.what: tables for hot in HOT for plan in plans(hot) if (tables := read_whole(plan))}
    assert whole == {}
    page = (ROOT / "docs" / "cms-queries.md").read_text(encoding="utf-8")
    rows = list(page_rows())
    # which of two indexes on one column a server takes is its own affair
    missing = [row for row in rows if f"\n{row.rsplit('|', 2)[0]}|" not in page]
    assert missing == [], "put these rows into docs/cms-queries.md:\n" + "\n".join(missing)
