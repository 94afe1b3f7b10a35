"""Schemathesis asks the whole API for what its description allows, and for what it forbids, and finds nothing."""

from __future__ import annotations

from contextlib import closing

import pytest
import schemathesis
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode

from cms.town import found_town
from cms.web import machine

pytestmark = pytest.mark.slow
CARD = "990100001"


@pytest.fixture(scope="module")
def token(django_db_setup, django_db_blocker):
    """A program that acts as somebody with almost every right, in a town with a card."""
    with django_db_blocker.unblock(), closing(connection):
        town = found_town()
        town.active_card(CARD)
        yield machine(town, "teller").headers["Authorization"]


@pytest.fixture(scope="module")
def described(token):
    """The API as it describes itself."""
    config = schemathesis.Config.discover()
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=25, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
def test_whatever_is_asked_the_answer_is_as_described(case, token):
    cache.clear()
    case.call_and_validate(headers={"Authorization": token, "Host": "localhost"})
