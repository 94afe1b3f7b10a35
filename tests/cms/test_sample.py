"""A sample has everybody once, nobody real, and cards that the use cases can go on with."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from cms.crowd import enrolled
from cms.town import shown
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import Card, CardEvent, Holder, Institution, Region, StockItem
from kaguan.cms.rules.lifecycle import Application, Production
from kaguan.cms.rules.refusals import LimitExceeded, NotAllowed
from kaguan.cms.sample import MOST, card_no_of, cert_no_of, person
from kaguan.cms.services.issue import activate
from kaguan.cms.services.loss import report_temporary_loss
from kaguan.cms.services.sampling import add_sample

NUMBERS = st.integers(0, MOST - 1)


@given(NUMBERS)
def test_nobody_is_real_and_every_number_is_well_formed(number):
    cert_no = cert_no_of(number)
    assert cert_no.startswith("9901")
    assert ric.calc_check_digit(cert_no) == cert_no[-1]
    assert person(number).name.startswith("测试")


@given(NUMBERS, NUMBERS)
def test_no_two_are_the_same(one, other):
    assert (one == other) == (cert_no_of(one) == cert_no_of(other)) == (card_no_of(one) == card_no_of(other))


def test_a_sample_grows_and_has_cards_in_every_state(town):
    assert add_sample(town.administrator, uuid4(), holders=45).people == 45
    assert add_sample(town.administrator, uuid4(), holders=15).people == 60
    assert Holder.objects.count() == Card.objects.count() == CardEvent.objects.count() == 60
    assert set(Card.objects.values_list("application", flat=True)) == set(Application)
    assert set(Card.objects.values_list("production", flat=True)) == {
        Production.ORDERED,
        Production.AT_OUTLET,
        Production.HANDED_OVER,
    }
    assert StockItem.objects.count() == Card.objects.filter(production=Production.AT_OUTLET).count()
    verify_books()


def test_life_goes_on_with_a_sample(town):
    add_sample(town.administrator, uuid4(), holders=20)
    assert report_temporary_loss(town.hotline, uuid4(), card_no=card_no_of(3)).application == "4"
    delivered = Card.objects.get(production=Production.HANDED_OVER, application=Application.NOT_ENABLED)
    done = activate(town.teller, uuid4(), card_no=delivered.card_no, document=shown(delivered.holder.cert_no))
    assert done.application == Application.NORMAL
    assert enrolled(town) > 20


def test_a_region_that_exists_gets_none_and_nobody_gets_too_many(town):
    for holders in (0, -1, MOST + 1):
        with pytest.raises(LimitExceeded):
            add_sample(town.administrator, uuid4(), holders=holders)
    Region.objects.create(code="370200")
    Institution.objects.filter(pk="SSB").update(region="370200")
    with pytest.raises(NotAllowed, match="370200"):
        add_sample(town.administrator, uuid4(), holders=1)
