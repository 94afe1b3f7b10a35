"""The front door: `kaguan`. It knows the names of its rooms and opens each when it is asked for, and no sooner."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import NamedTuple

import click

from kaguan import __version__
from kaguan.apdu.errors import KaguanError

DISK_FAILED = 5
STOPPED = 130  # by Ctrl-C, as shells say it
BUG = 70


class Door(NamedTuple):
    """Where a command group lives, and its line in the help, which must not cost an import."""

    module: str
    group: str
    help: str


DOORS: Mapping[str, Door] = {
    "demo": Door("kaguan.demo.cli", "demo", "The main job from order to reissued card, on embedded defaults."),
    "order": Door("kaguan.personalization.cli", "order", "Order files: what is wrong with them."),
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


class Rooms(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all doors."""
        return list(DOORS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command behind the door."""
        door = DOORS.get(cmd_name)
        if door is None:
            return None
        command = getattr(importlib.import_module(door.module), door.group)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above says so
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the doors into the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, door.help) for name, door in DOORS.items()])


@click.group(cls=Rooms, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def kaguan() -> None:
    """Kaguan (卡管): social security card emulator and card management.

    Exit codes: 0 done, 1 something differs or is missing, 2 usage, 3 refused by the card, 4 link, 5 rule or disk, 6
    vault, 7 bad input file, 70 bug, 130 stopped by Ctrl-C.
    """


def main() -> None:
    """Run `kaguan` and end with its exit code."""
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
