"""The front door: `kaguan`. It knows the names of its rooms and opens each when it is asked for, and no sooner."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Mapping

import click

from kaguan import __version__
from kaguan.apdu.errors import KaguanError
from kaguan.rooms.cli import Door, Rooms

DISK_FAILED = 5
STOPPED = 130  # by Ctrl-C, as shells say it
BUG = 70
OBJECTS_BETWEEN_SEARCHES = 50_000
"""How many new objects make Python look for garbage: what a door brings with it stays as long as the program runs."""


DOORS: Mapping[str, Door] = {
    "demo": Door("kaguan.demo.cli", "demo", "The main job from order to reissued card, on embedded defaults."),
    "order": Door("kaguan.personalization.formats.cli", "order", "Order files: check, totals, from sheets."),
    "bank": Door("kaguan.personalization.formats.cli", "bank", "The bank's files: opening request, answer, accounts."),
    "perso": Door("kaguan.personalization.cli", "perso", "Personalization: from an order to sealed cards."),
    "keys": Door("kaguan.personalization.keys.cli", "keys", "Key stores: ceremonies, states, counters, key blocks."),
    "card": Door("kaguan.emulator.cli", "card", "Emulated cards: make, show, compare."),
    "emulate": Door("kaguan.emulator.readers.cli", "emulate", "Card images in readers that PC/SC programs see."),
    "control": Door("kaguan.emulator.readers.cli", "control", "Cards of a running emulate: put in, take out."),
    "apdu": Door("kaguan.terminal.cli", "apdu", "Send commands to a card."),
    "tape": Door("kaguan.terminal.cli", "tape", "Run tapes: commands with the answers they must get."),
    "conform": Door("kaguan.terminal.conformance.cli", "conform", "Judge a card by the chapters of LD/T 6001.3-2023."),
    "script": Door("kaguan.terminal.scripts.cli", "script", "Run scripts of scriptor, apdutool and other tools."),
    "reader": Door("kaguan.terminal.readers.cli", "reader", "PC/SC readers: what they hold, what happens at them."),
    "trace": Door("kaguan.terminal.trace.cli", "trace", "Traces of cards: show, play again, compare."),
    "ministry": Door("kaguan.terminal.ministry.cli", "ministry", "The ministry's terminal calls, and a web service."),
    "doctor": Door("kaguan.doctor.cli", "doctor", "What this machine lacks, and the command that mends it."),
    "cms": Door("kaguan.cms.cli", "cms", "Card management: holders, cards, accounts, losses."),
}


@click.group(cls=Rooms, doors=DOORS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def kaguan() -> None:
    """Kaguan (卡管): social security card emulator and card management.

    Exit codes: 0 done, 1 something differs or is missing, 2 usage, 3 refused by the card, 4 link, 5 rule or disk, 6
    vault, 7 bad input file, 70 bug, 130 stopped by Ctrl-C.
    """


def main() -> None:
    """Run `kaguan` and end with its exit code."""
    gc.set_threshold(OBJECTS_BETWEEN_SEARCHES)
    # nor is garbage looked for when all of it goes with the process: that took a quarter of a short command's time
    atexit.register(gc.freeze)
    try:
        code = kaguan.main(prog_name="kaguan", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("kaguan: stopped; what was done before stays done, and the same command goes on", err=True)
        code = STOPPED
    except KaguanError as error:
        click.echo(f"kaguan: {error}", err=True)
        code = error.exit_code
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"kaguan: {place}{error.strerror or error}: mend it and run the same command again", err=True)
        code = DISK_FAILED
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("kaguan: this is a bug; the lines above say where", err=True)
        code = BUG
    sys.exit(code)
