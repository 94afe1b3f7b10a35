"""Groups of commands that are imported when they are called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class Door(NamedTuple):
    """Where a command lives, and its line in the help, which must not cost an import."""

    module: str
    command: str
    help: str


class Rooms(click.Group):
    """A group that knows the names of its rooms and opens each when it is asked for."""

    def __init__(self, *args: Any, doors: Mapping[str, Door], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.doors = doors

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all doors."""
        return list(self.doors)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command behind the door."""
        door = self.doors.get(cmd_name)
        if door is None:
            return None
        command = getattr(importlib.import_module(door.module), door.command)
        assert isinstance(command, click.Command)  # noqa: S101 - the table says so
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the doors into the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, door.help) for name, door in self.doors.items()])
