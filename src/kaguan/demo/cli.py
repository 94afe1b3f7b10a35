"""The demo's door: `kaguan demo`."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.demo import screen
from kaguan.personalization.line.progress.cli import shown_progress
from kaguan.personalization.order.cli import rules_for

EXAMPLE = Path("examples") / "order-200.zip"
MARKER = ".kaguan-demo"


@click.command()
@click.option("--order", type=click.Path(dir_okay=False, path_type=Path), default=EXAMPLE, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("out"), show_default=True)
@click.option("--stations", default=2, show_default=True, type=click.IntRange(1, 64))
def demo(order: Path, out: Path, stations: int) -> None:
    """Show the main job: an order becomes sealed cards, and one of the cards lives its life."""
    if not order.is_file():
        raise InputError(f"{order}: there is no such order; name one with --order")
    _clear(out)
    if importlib.util.find_spec("django") is None:
        raise RuleBroken("the demo needs the back office: pip install 'kaguan[cms]'")
    os.environ.setdefault("KAGUAN_SECRET_KEY", secrets.token_hex(32))
    from kaguan.card_os.profile import load_profile
    from kaguan.cms.store import open_store

    open_store(str(out / "cms.sqlite"))
    from kaguan.demo.story import Stage, Story

    stage = Stage(order, out, load_profile("ssc-v2"), rules_for("ssc-v2"), stations, _now)
    with Story(stage) as story:
        screen.step(1, "An order becomes sealed cards")
        started = time.monotonic()
        with shown_progress() as progress:
            counts = story.personalize(progress)
        seconds = time.monotonic() - started
        screen.step(2, "Card management opens: two cities, and a second factor for who approves")
        story.open_office()
        screen.step(3, "The cards come back as stock, and another city sees none of them")
        story.receive()
        screen.step(4, "A card is handed over, activated, and its PIN lived through")
        story.activate()
        screen.step(5, "Other cards come into use in other ways")
        story.enable_others()
        screen.step(6, "Money reaches the card and buys medicine")
        story.pay()
        screen.step(7, "The power goes in the middle of a load")
        story.tear()
        screen.step(8, "What two people answer for")
        story.pair()
        screen.step(9, "The card is lost, its bank is told, it is blocked and replaced")
        story.lose()
        with shown_progress() as progress:
            story.replace(progress)
        screen.step(10, "A program asks over the web")
        story.ask_over_the_web()
        screen.step(11, "Time passes, the day ends, the books are proved")
        story.prove()
        screen.step(12, "The sum")
        story.sum_up(counts, seconds)
    _list_artefacts(out, story.card_path, story.faces)


def _now() -> datetime:
    return datetime.now(UTC).astimezone().replace(microsecond=0)


def _clear(out: Path) -> None:
    """The folder is empty and marked as a demo's; an earlier demo's is cleared, anybody else's is left alone."""
    if out.is_dir() and any(out.iterdir()):
        if not (out / MARKER).exists():
            raise RuleBroken(f"{out} is not empty and no demo of ours made it: choose another folder with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()


def _list_artefacts(out: Path, card: Path, faces: Path | None) -> None:
    bureau = out / "bureau"
    printed = {
        bureau / "qc.pdf": "the quality report; qc.html is the same, statistics.xlsx its figures",
        faces: "ten faces in true size",
    }
    click.echo("\nLook at what was made (. .venv/bin/activate brings kaguan into the shell):")
    screen.table(
        {
            str(card): f"kaguan card show {card}",
            str(out / "bureau" / "return-good.txt"): "the bureau's answer, GB18030: iconv -f gb18030 -t utf-8",
            str(out / "bureau" / "report.json"): f"kaguan perso status {out / 'bureau'}",
            str(out / "bureau" / "keys" / "ceremony.txt"): "the key ceremony: check values, never keys",
            **{str(path): what for path, what in printed.items() if path is not None and path.exists()},
            str(out / "cms.sqlite"): f"kaguan cms ledger verify --db {out / 'cms.sqlite'}",
        }
    )
