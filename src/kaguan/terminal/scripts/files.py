"""Scripts on disk, and what they may include."""

from __future__ import annotations

from pathlib import Path

from kaguan.apdu.errors import TapeError
from kaguan.apdu.tape import Tape, parse
from kaguan.terminal.scripts.read import MOST_BYTES, Dialect, decoded, read_script, recognised
from kaguan.terminal.scripts.script import CardScript, ScriptSyntaxError


def script_file(path: Path, dialect: Dialect | None = None) -> CardScript:
    """The script in this file; without a dialect, name and content tell it.

    Raises:
        ScriptSyntaxError: there is no such file, or it is no script.
    """
    text = script_text(path)
    chosen = dialect or recognised(text, str(path))
    try:
        return read_script(text, str(path), chosen, lambda name: script_text(beside(path.parent, name)))
    except ScriptSyntaxError as error:
        if dialect is not None or error.file != str(path):
            raise
        hint = f"{error.message} (read as {chosen}: --format names another)"
        raise ScriptSyntaxError(hint, file=error.file, line=error.line, column=error.column) from error


def tape_file(path: Path) -> Tape:
    """The tape in this file, with what it includes.

    Raises:
        TapeError: there is no such file, or it is no tape.
    """
    return parse(_tape_text(path), file=str(path), include=lambda name: _tape_text(beside(path.parent, name)))


def _tape_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TapeError("there is no such file", file=str(path)) from None
    except OSError as error:
        raise TapeError(f"it cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError as error:
        raise TapeError(f"byte {error.start} is no UTF-8: save the tape as UTF-8", file=str(path)) from None


def script_text(path: Path) -> str:
    """The file's text, whatever its encoding.

    Raises:
        ScriptSyntaxError: there is no such file, or it is no text.
    """
    try:
        with path.open("rb") as file:
            return decoded(file.read(MOST_BYTES + 1), str(path))
    except FileNotFoundError:
        raise ScriptSyntaxError("there is no such file", file=str(path)) from None
    except IsADirectoryError:
        raise ScriptSyntaxError("this is a folder, not a script", file=str(path)) from None


def beside(folder: Path, name: str) -> Path:
    """The included file. A script from elsewhere reads nothing but the folder that it came in.

    Raises:
        ScriptSyntaxError: it lies outside, links followed.
    """
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ScriptSyntaxError(f"outside {folder}: a script includes only what lies beside it or below", file=name)
    return file
