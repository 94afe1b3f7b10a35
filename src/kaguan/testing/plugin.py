"""The plugin's hooks and fixtures; pytest finds it by the entry point `kaguan`.

It imports nothing of the emulator before a test asks for a card, so that other tests do not wait for it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kaguan.testing.build import Slot, Wish
    from kaguan.testing.card import CardUnderTest
    from kaguan.testing.reader import ReaderUnderTest

_SCOPES = ("function", "module", "session")
_FRAGMENT = "_"
_SECTION = "what the card was told"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line's options, and those of the configuration file."""
    group = parser.getgroup("kaguan", "cards")
    group.addoption(
        "--card-backend",
        choices=("emulator", "vpcd", "pcsc"),
        default="emulator",
        help="what the fixtures' cards are: emulated, emulated behind pcscd (vpcd), or the one in a reader",
    )
    group.addoption("--card-reader", default="", help="with vpcd and pcsc: the reader, its number or part of its name")
    group.addoption("--card-port", type=int, default=35963, help="with vpcd: the virtual reader's port")
    group.addoption("--card-host", default="127.0.0.1", help="with vpcd: the virtual reader's host")
    group.addoption(
        "--card-scope", choices=_SCOPES, default=None, help="how long a card lives: one test, a module, all"
    )
    parser.addini("card_scope", "as --card-scope", default="function")
    parser.addini("card_profile", "the profile of the cards", default="ssc-v2")
    parser.addini("card_tapes", "which files are tapes to be run", type="args", default=["*.apdu"])


def pytest_configure(config: pytest.Config) -> None:
    """The marker is known."""
    config.addinivalue_line(
        "markers",
        "card(profile=..., image=..., faults=[...], random=[...]): the card that the fixture `card` is to give",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Tapes are tests, but for those whose name begins with _: they are there to be included."""
    patterns = parent.config.getini("card_tapes")
    if file_path.name.startswith(_FRAGMENT) or not any(file_path.match(pattern) for pattern in patterns):
        return None
    from kaguan.testing.tapes import TapeFile

    collector: pytest.Collector = TapeFile.from_parent(parent, path=file_path)
    return collector


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what its cards were told and answered."""
    report = yield
    if report.failed:
        for name, card in _cards_of(item):
            report.sections.append((f"{_SECTION}: {name}", "\n".join(card.trace())))
    return report


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    del fixture_name
    chosen = config.getoption("--card-scope") or config.getini("card_scope")
    if chosen not in _SCOPES:
        raise pytest.UsageError(f"card_scope: {chosen!r} is none of {', '.join(_SCOPES)}")
    return chosen


@pytest.fixture(scope=_scope)
def card(request: pytest.FixtureRequest) -> Iterator[CardUnderTest]:
    """A specimen card with public test keys and PIN 123456, as the marker `card` wants it."""
    from kaguan.testing.options import slot_of, wish_of

    yield from _given(wish_of(request.node), slot_of(request.config))


@pytest.fixture(scope=_scope)
def psam(request: pytest.FixtureRequest) -> Iterator[CardUnderTest]:
    """The terminal's security module that goes with the specimen."""
    from kaguan.testing.build import Slot, Wish

    yield from _given(Wish(profile="psam", seed=request.node.nodeid), Slot())


@pytest.fixture(scope=_scope)
def blank_card(request: pytest.FixtureRequest) -> Iterator[CardUnderTest]:
    """A chip as the factory delivers it."""
    from kaguan.testing.options import slot_of, wish_of

    yield from _given(replace(wish_of(request.node), blank=True), slot_of(request.config))


@pytest.fixture(scope=_scope)
def reader(request: pytest.FixtureRequest) -> Iterator[ReaderUnderTest]:
    """An empty reader."""
    from kaguan.testing.options import slot_of
    from kaguan.testing.reader import ReaderUnderTest

    slot = slot_of(request.config)
    made = ReaderUnderTest(slot.backend, slot.reader or "Kaguan", host=slot.host, port=slot.port)
    yield made
    made.remove()


def _given(wish: Wish, slot: Slot) -> Iterator[CardUnderTest]:
    from kaguan.testing.build import card_under_test

    with card_under_test(wish, slot) as made:
        yield made


def _cards_of(item: pytest.Item) -> Iterator[tuple[str, CardUnderTest]]:
    from kaguan.testing.card import CardUnderTest

    if isinstance(cards := getattr(item, "cards", None), list):
        yield from ((f"card {number}", card) for number, card in enumerate(cards))
    values = getattr(item, "funcargs", {})
    yield from ((name, value) for name, value in values.items() if isinstance(value, CardUnderTest))
