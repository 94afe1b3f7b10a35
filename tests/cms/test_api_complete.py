"""Every use case is asked for over the web, or is on a list that says why not."""

from __future__ import annotations

import json
from pathlib import Path

from cms.routed import asked_over_http, name_of, use_cases

SCREENS = "browsing."
"""What the command line shows in its own words: over the web there are cards, people, requests and books to look at."""
NOT_OVER_HTTP = {
    "access.second_factor.enrol_second_factor": "the secret is shown to one person, on their administrator's screen",
    "chip.blacklist.push_blacklist": "a list is signed where the authority's key lies",
    "chip.cases.hold_against_books": "an outlet's own program reads chips back; a stranger's word opens no case",
    "order_file.content_of_order": "hands out a file with everybody's data, at the authority's own machine",
    "order_file.propose_cards": "makes the sheet that such an order begins with",
    "certificates.keys.add_key": "a private key does not travel",
    "outbox.register_endpoint": "neither does the key that is shared with a bank",
    "outbox.take_back_loss": "the outbox asks it, with the bank's own answer",
    "privacy.export_person": "hands out a file with everything about a person, at the authority's own machine",
    "sampling.add_sample": "made-up people are for trials",
}


def test_every_use_case_has_a_route_or_a_reason():
    lacking = {name_of(one) for one in use_cases() - asked_over_http()}
    assert {name for name in lacking if not name.startswith(SCREENS)} == set(NOT_OVER_HTTP)


def test_every_operation_has_a_name_of_its_own_and_may_be_refused():
    described = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8"))
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) > 100
    assert all({"401", "403", "404", "409", "422"} <= operation["responses"].keys() for operation in operations)
