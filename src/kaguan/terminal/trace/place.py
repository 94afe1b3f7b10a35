"""Where on a card a terminal stands, as far as its commands and the card's answers tell."""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.status import StatusWord
from kaguan.card_os.profile import CardProfile, DedicatedSpec, FileSpec

SELECT = 0xA4
_READ_BINARY, _UPDATE_BINARY, _READ_RECORD, _UPDATE_RECORD, _APPEND_RECORD = 0xB0, 0xD6, 0xB2, 0xDC, 0xE2
BINARY = frozenset({_READ_BINARY, _UPDATE_BINARY})
RECORD = frozenset({_READ_RECORD, _UPDATE_RECORD, _APPEND_RECORD})
_BY_NAME = 0x04
_SHORT_IDENTIFIER = 0x80
_DONE = (0x9000, 0x6281, 0x6283)


@dataclass
class Whereabouts:
    """The selected application and file of one card, None when the profile does not know them."""

    profile: CardProfile
    application: DedicatedSpec | None = None
    file: FileSpec | None = None

    def reset(self) -> None:
        """The card has forgotten what was selected."""
        self.application, self.file = self.profile.dedicated[0] if self.profile.dedicated else None, None

    def meant(self, command: CommandApdu) -> DedicatedSpec | FileSpec | None:
        """What the command is about: what SELECT names, or the file that is read or written."""
        if command.ins == SELECT:
            return self._selected(command)
        short = _short_identifier(command)
        if short is None:
            return self.file if command.ins in BINARY | RECORD else None
        files = self.application.files if self.application else ()
        return next((file for file in files if file.sfi == short), None)

    def follow(self, command: CommandApdu, sw: StatusWord) -> None:
        """The card has answered the command so."""
        if sw not in _DONE and sw.more is None:
            return
        meant = self.meant(command)
        if isinstance(meant, DedicatedSpec):
            self.application, self.file = meant, None
        elif meant is not None:
            self.file = meant
        elif command.ins == SELECT:
            self.file = None

    def path(self, meant: DedicatedSpec | FileSpec) -> str:
        """The name, with that of the application before a file's, and the title where there is one."""
        name = meant.name if isinstance(meant, DedicatedSpec) else f"{meant.dedicated}/{meant.name}"
        return f"{name} {meant.title}".rstrip()

    def _selected(self, command: CommandApdu) -> DedicatedSpec | FileSpec | None:
        if command.p1 == _BY_NAME:
            named = (spec for spec in self.profile.dedicated if command.data and spec.df_name.startswith(command.data))
            return next(named, None)
        fid = int.from_bytes(command.data, "big")
        files = self.application.files if self.application else ()
        found: DedicatedSpec | FileSpec | None = next((file for file in files if file.fid == fid), None)
        return found or next((spec for spec in self.profile.dedicated if spec.fid == fid), None)


def _short_identifier(command: CommandApdu) -> int | None:
    """The short identifier in P1 or P2, None when the command is about the current file."""
    if command.ins in BINARY and command.p1 & _SHORT_IDENTIFIER:
        return command.p1 & 0x1F
    if command.ins in RECORD and command.p2 >> 3:
        return command.p2 >> 3
    return None
