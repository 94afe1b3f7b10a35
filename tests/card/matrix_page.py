"""docs/commands.md: the table of commands, the order of their refusals and the matrix of their answers, as one page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from card.manual import OTHERWISE, Refusal, before_any_handler, documentation, handler_of, refusals
from card.matrix import Card, Cell, Shown, all_cards
from kaguan.apdu.forms import FORMS
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS, CommandSet, Instruction, Stage
from kaguan.card_os.profile import load_profile

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3", "pboc-purse", "cjt-purse", "fmcos-blank", "psam")
STAGES = {
    Stage.CREATION: "being written",
    Stage.OPERATIONAL: "in use",
    Stage.APPLICATION_BLOCKED: "application blocked",
}
INTRODUCTION = """\
# Commands

Every command that an emulated card knows, in which order it refuses, and what it answers in every state. This page is
written by `scripts/command-docs` from the table of instructions that dispatches and redacts, the docstrings of the
handlers, and the chip itself, which is asked; tests hold them together. For each command and each pair of things that
are wrong with it, a test violates both and gets the word of the first.

A word in `code` behind a status word is the setting of the profile that chooses another one. *Outcomes* are words that
are no refusals: the command has done something. 6Cxx carries the right Le, 63Cx the tries left, 61xx the bytes waiting.

The matrices say what a command answers that has nothing wrong with it but where and when it comes. 9000 stands for 61xx
too. First the word without anything shown, then what has to be shown for another one: `6982; PIN and key 84: 9000`.
Application ended means blocked for ever. Files made for this, one of each kind, are read after PIN or key and updated
after PIN and key (84 on the social security card, 00 on the purse); on the native card they are read in state 1 (PIN)
or 4 (key 00), updated, made and erased in state 4; on the module all may read them and nobody update. Columns: `purse`
is the application with the purse, no file of it selected; `environment` the SSSE; `application` one without a purse;
`, MAC` a file under line protection.
"""


def row(*cells: object) -> str:
    """A line of a table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") or "–" for cell in cells) + " |"


def table(head: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    """A table."""
    names = list(head)
    yield row(*names)
    yield "|" + "---|" * len(names)
    yield from rows
    yield ""


def profiles(row_: Instruction) -> Iterator[str]:
    """The profiles whose cards serve the command."""
    return (name for name in PROFILES if row_.sets & load_profile(name).behaviour.commands)


def header(row_: Instruction) -> str:
    """CLA INS P1."""
    return f"{row_.cla:02X} {row_.ins:02X}" + ("" if row_.p1 is None else f" {row_.p1:02X}")


def sets(members: CommandSet) -> str:
    """The names of the sets."""
    return ", ".join((one.name or "").lower().replace("_", " ") for one in CommandSet if one & members)


def stages(members: Stage) -> str:
    """The names of the stages."""
    return ", ".join(name for one, name in STAGES.items() if one & members)


def overview() -> Iterator[str]:
    """All commands in one table."""
    yield "## Table"
    yield ""
    head = ("command", "CLA INS P1", "case", "sets", "stages", "secret data", "source")
    yield from table(
        head,
        (
            row(
                f"[{one.name}](#{anchor(one.name)})",
                header(one),
                FORMS[one.name].case,
                sets(one.sets),
                stages(one.stages),
                "yes" if one.secret else "",
                one.reference,
            )
            for one in (*INSTRUCTIONS, GET_RESPONSE)
        ),
    )


def anchor(name: str) -> str:
    """The address of the command's chapter."""
    return "".join(letter for letter in name.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def order_line(order: Iterable[Refusal]) -> str:
    """The refusals, numbered."""
    parts = []
    for number, (words, condition, setting) in enumerate(order, 1):
        chosen = f" (`{setting}`)" if setting else ""
        parts.append(f"{number}. {' or '.join(words)}{chosen} {condition}")
    return "; ".join(parts) + "."


def chapter(one: Instruction, answers: Mapping[Cell, int]) -> Iterator[str]:
    """One command."""
    form = FORMS[one.name]
    first, _, _ = documentation(handler_of(one.name)).partition(" Refuses, in this order:")
    yield f"## {one.name}"
    yield ""
    yield f"`{header(one)}`: {form.parameters}. Case {form.case}; {', '.join(profiles(one))}; {one.reference}."
    yield ""
    secret = " (secret)" if one.secret else ""
    yield f"Data: {form.data or 'none'}{secret}. Answer: {form.answer or 'none'}."
    yield ""
    if not first.startswith("Refuses"):
        yield first
        yield ""
    yield f"Refuses: {order_line(refusals(one.name))}"
    yield ""
    if one.name in OTHERWISE:
        yield f"Refuses, {OTHERWISE[one.name][0]}: {order_line(refusals(one.name, otherwise=True))}"
        yield ""
    yield from matrix(one.name, answers)


def matrix(name: str, answers: Mapping[Cell, int]) -> Iterator[str]:
    """The matrix of one command: what does not depend on the place in a sentence, the rest in a table for each card."""
    texts = {square: cell_text(words) for square, words in _squares(name, answers).items()}
    cards = [card for card in all_cards() if any(square[0] == card.name for square in texts)]
    everywhere: dict[str, list[tuple[str, str]]] = {}
    tables: list[str] = []
    for card in cards:
        rows = []
        for stage in card.stages:
            values = tuple(texts[card.name, stage, place] for place in card.places)
            if len(set(values)) == 1:
                everywhere.setdefault(values[0], []).append((card.name, stage))
            else:
                rows.append((stage, values))
        tables += _card_table(card, rows)
    if everywhere:
        parts = [f"{text} ({_where(places, cards)})" for text, places in everywhere.items()]
        yield f"Whatever is selected: {'; '.join(parts)}."
        yield ""
    yield from tables


def _card_table(card: Card, rows: list[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    if not rows:
        return
    columns = _merged(
        [(place, tuple(values[number] for _, values in rows)) for number, place in enumerate(card.places)]
    )
    lines = _merged([(stage, tuple(values[number] for _, values in columns)) for number, (stage, _) in enumerate(rows)])
    heads = ["; ".join(places) for places, _ in columns]
    yield from table((card.name, *heads), (row("; ".join(stages), *values) for stages, values in lines))


def _where(places: list[tuple[str, str]], cards: list[Card]) -> str:
    """Stages with their cards; a stage alone when it is so on all cards that have it."""
    parts = []
    for stage in dict.fromkeys(stage for _, stage in places):
        found = [name for name, other in places if other == stage]
        having = [card.name for card in cards if stage in card.stages]
        parts.append(stage if found == having else f"{stage}: {', '.join(found)}")
    return "; ".join(parts)


def _merged(lines: list[tuple[str, tuple[str, ...]]]) -> list[tuple[list[str], tuple[str, ...]]]:
    """Lines of the same values as one line."""
    found: dict[tuple[str, ...], list[str]] = {}
    for label, values in lines:
        found.setdefault(values, []).append(label)
    return [(labels, values) for values, labels in found.items()]


def _squares(name: str, answers: Mapping[Cell, int]) -> Mapping[tuple[str, str, str], Mapping[Shown, int]]:
    """The answers of one command by card, stage and place."""
    found: dict[tuple[str, str, str], dict[Shown, int]] = {}
    for cell, sw in answers.items():
        if cell.command == name:
            found.setdefault((cell.card, cell.stage, cell.place), {})[cell.shown] = sw
    return found


def cell_text(words: Mapping[Shown, int]) -> str:
    """The answer to who has shown nothing, and what has to be shown for others."""
    told = {shown: "9000" if sw >> 8 == 0x61 else f"{sw:04X}" for shown, sw in words.items()}
    base = told[frozenset()]
    parts = [base]
    for word in sorted(set(told.values()) - {base}):
        enough = [shown for shown, other in told.items() if other == word]
        least = [shown for shown in enough if not any(other < shown for other in enough)]
        parts.append(" or ".join(" and ".join(sorted(shown)) for shown in least) + f": {word}")
    return "; ".join(parts)


def page(answers: Mapping[Cell, int]) -> str:
    """The whole page."""
    lines = [INTRODUCTION, "## Before any handler", "", f"Refuses: {order_line(before_any_handler())}", ""]
    lines += [*overview()]
    for one in (*INSTRUCTIONS, GET_RESPONSE):
        lines += chapter(one, answers)
    return "\n".join(lines).rstrip() + "\n"
