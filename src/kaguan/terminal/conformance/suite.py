"""The suite: its chapters follow from the card profile, and each part of one begins on a card that was just reset."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from kaguan.apdu.errors import InputError, KaguanError, LinkError, VaultError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.terminal.conformance.answer_to_reset import check_reset, check_same_again
from kaguan.terminal.conformance.bench import Bench
from kaguan.terminal.conformance.change_pin import check_change
from kaguan.terminal.conformance.keys import check_keys
from kaguan.terminal.conformance.records import check_records
from kaguan.terminal.conformance.report import ChapterReport, Report
from kaguan.terminal.conformance.rights import open_card
from kaguan.terminal.conformance.safety import check_leaving, check_rights, check_staying, combinations, learn
from kaguan.terminal.conformance.submission import (
    check_composition,
    check_factors,
    check_holder,
    check_pin,
    check_presence,
)
from kaguan.terminal.script import Script, converse

Part = Callable[[Bench], Script[None]]

KEY_CHAPTERS = 3
_NO_CERTIFICATES = "this card has no certificates yet"


class Chapter(NamedTuple):
    """One chapter: its name in the standard, what it is about, its parts; or why there are none."""

    name: str
    title: str
    parts: Callable[[Bench], Iterator[Part]]
    missing: str = ""


def chapters(profile: CardProfile) -> tuple[Chapter, ...]:
    """The chapters for cards of this profile.

    Raises:
        InputError: it describes no social security card.
    """
    if "SSSE" not in profile.by_name:
        raise InputError(f"profile {profile.name} is no social security card: the suite needs its SSSE")
    below = [spec for spec in profile.dedicated if spec.files and spec.parent]
    return (
        Chapter("PRE_SUBMISSION", "before a card is handed in", _submission),
        Chapter("CHANGE_PIN", "verifying, counting and changing the PIN", lambda _: iter([check_change])),
        Chapter("ATR", "answer to reset", lambda _: iter([check_reset, check_same_again])),
        *(Chapter(f"{s.name}_RECORD", f"{s.title or s.name}: files and records", _records(s.name)) for s in below),
        *(Chapter(f"{s.name}_SAFETY", f"{s.title or s.name}: access rights", _safety(s.name)) for s in below),
        *(_key_chapter(profile, number) for number in range(1, KEY_CHAPTERS + 1)),
        *(
            Chapter(name, title, _nothing, _NO_CERTIFICATES)
            for name, title in (
                ("ACSE_RECORD", "certificates: files and records"),
                ("ACSE_SAFETY", "certificates: access rights"),
                ("CHECK_CERT", "certificates: signatures"),
            )
        ),
    )


def run_suite(link: Link, bench: Bench) -> Iterator[ChapterReport]:
    """Each chapter's report as soon as it is done; the card is reset at the end.

    Raises:
        InputError: as `chapters`.
        LinkError: the card fell silent; what was found till then has been handed out.
    """
    todo = chapters(bench.profile)
    link.reset()
    converse(link, open_card(bench))
    for chapter in todo:
        bench.checks = []
        started = time.monotonic()
        if chapter.missing:
            bench.not_covered(chapter.title, chapter.missing)
        for part in chapter.parts(bench):
            _run(link, bench, part)
        yield ChapterReport(chapter.name, chapter.title, tuple(bench.checks), time.monotonic() - started)
    link.reset()


def judged(link: Link, bench: Bench, tell: Callable[[ChapterReport], None] = lambda chapter: None) -> Report:
    """The whole report on the card; `tell` hears of each chapter as soon as it is done.

    Raises:
        InputError, LinkError: as `run_suite`.
    """
    found = []
    for chapter in run_suite(link, bench):
        tell(chapter)
        found.append(chapter)
    return Report(bench.profile.name, bench.profile.title, bench.atr, tuple(found))


def _run(link: Link, bench: Bench, part: Part) -> None:
    bench.reset_answer = link.reset()
    title = "the conversation goes on to its end"
    try:
        converse(link, part(bench))
    except LinkError:
        raise
    except VaultError as error:
        bench.not_covered(title, str(error))
    except InputError as error:
        # What it says may quote the card's data.
        bench.failed(
            title, "data in its form", type(error).__name__, "the card's answer has not the form it should have"
        )
    except KaguanError as error:
        bench.failed(title, "9000", type(error).__name__, str(error))


def _nothing(_: Bench) -> Iterator[Part]:
    return iter(())


def _submission(_: Bench) -> Iterator[Part]:
    return iter((check_presence, check_pin, check_factors, check_composition, check_holder))


def _records(name: str) -> Callable[[Bench], Iterator[Part]]:
    return lambda _: iter([partial(check_records, name=name)])


def _safety(name: str) -> Callable[[Bench], Iterator[Part]]:
    def parts(bench: Bench) -> Iterator[Part]:
        yield partial(learn, name=name)
        for rights, shown in combinations(bench, bench.profile.by_name[name]):
            yield partial(check_rights, name=name, rights=rights, shown=shown)
        yield partial(check_leaving, name=name)
        yield partial(check_staying, name=name)

    return parts


def _key_chapter(profile: CardProfile, number: int) -> Chapter:
    """The keys of that version; those without a version (0) belong to the first chapter."""
    chosen = (0, 1) if number == 1 else (number,)
    wanted = [
        (spec.name, v) for v in chosen for spec in profile.dedicated if any(key.version == v for key in spec.keys)
    ]
    missing = "" if wanted else f"the profile has no keys of version {number}"
    parts = [partial(check_keys, name=holder, version=version) for holder, version in wanted]
    return Chapter(f"KEY_VER{number}", f"keys, version {number}", lambda _: iter(parts), missing)
