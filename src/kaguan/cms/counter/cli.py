"""The counter's commands: activation, PIN, load, purchase, blocking, and what leads up to them.

A PIN is asked for on the terminal, or read from a file or from standard input; it never stands on the command line.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from kaguan.apdu.codecs import parse_amount
from kaguan.apdu.errors import CodecError, InputError
from kaguan.cms.asking.cli import (
    Command,
    Request,
    changes,
    existing_file,
    names_document,
    resumes,
    shows_document,
    shows_papers,
    with_options,
)
from kaguan.cms.reconciling.cli import reconcile
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.personalization.keys.token.cli import key_store
from kaguan.terminal.options.cli import READER_NAME, TRACE, require_apart
from kaguan.vault.secret import Pin

if TYPE_CHECKING:
    from kaguan.apdu.link import Link
    from kaguan.card_os.profile import CardProfile
    from kaguan.cms.outlet import Outlet
    from kaguan.personalization.keys.tokenstore import StoreAddress
    from kaguan.vault.vault import KeyVault


def amount_typed(text: str) -> int:
    """Return the amount in fen; it was typed in yuan, as in 12.34."""
    try:
        return parse_amount(text)
    except CodecError as error:
        raise click.BadParameter(str(error)) from None


def item_typed(text: str) -> Item:
    """Return the line of a bill; it was typed as category and yuan, as in drug=12.34."""
    category, _, amount = text.partition("=")
    if category not in list(ItemCategory):
        raise click.BadParameter(f"'{category}' is none of {', '.join(ItemCategory)}")
    return Item(ItemCategory(category), amount_typed(amount))


@dataclass(frozen=True)
class AtCounter:
    """A request, the outlet where it is made, and the card in its reader."""

    request: Request
    outlet: Outlet
    link: Link

    def begins(self, what: str) -> None:
        """Leave the id on the screen before anything moves: whatever happens, it leads back to the money."""
        click.echo(f"{what} {self.request.request_id} begins", err=True)


def takes_card(command: Command) -> Command:
    """Give a command on a Request the options for card and keys, and call it with an AtCounter."""

    @wraps(command)
    def take(
        request: Request,
        *,
        card_file: Path | None,
        reader: str | None,
        keys: StoreAddress,
        passphrase_file: Path | None,
        profile: str,
        terminal: bytes,
        trace: Path | None,
        **values: Any,
    ) -> None:
        if (card_file is None) == (reader is None):
            raise click.UsageError("name one card: --card FILE or --reader NAME")
        from kaguan.card_os.profile import load_profile
        from kaguan.cms.outlet import Outlet

        vault = _opened(keys, passphrase_file)
        require_apart([card_file, passphrase_file, keys if isinstance(keys, Path) else None], trace)
        chosen = load_profile(profile)
        with _card(card_file, reader, chosen, trace) as link:
            outlet = Outlet(request.actor, vault, chosen, terminal, _now, secrets.token_bytes)
            command(AtCounter(request, outlet, link), **values)

    return with_options(
        cast("Command", take),
        click.option("--card", "card_file", type=click.Path(dir_okay=False, path_type=Path), help="A card image."),
        READER_NAME,
        TRACE,
        click.option(
            "--keys",
            envvar="KAGUAN_KEYS",
            type=key_store,
            required=True,
            help="Key store: a file, or pkcs11:LABEL for a token; else what KAGUAN_KEYS says.",
        ),
        click.option("--passphrase-file", type=existing_file, help="File with the key store's passphrase."),
        click.option("--profile", default="ssc-v2", show_default=True, help="Card profile."),
        click.option(
            "--terminal",
            envvar="KAGUAN_TERMINAL",
            default="000000000001",
            show_default=True,
            callback=lambda _context, _option, text: _terminal_number(text),
            help="The terminal's number, 12 hex digits.",
        ),
    )


def at_counter(command: Callable[..., None]) -> Callable[..., None]:
    """Give a change a card to work on, and call it with an AtCounter."""
    return changes(takes_card(command))


def takes_pin(command: Command) -> Command:
    """Give a command the option `--pin-file`, and call it with the path."""
    return click.option(
        "--pin-file",
        type=click.Path(allow_dash=True, path_type=Path),
        help="File with the PIN, one a line; - is input.",
    )(command)


def pins_typed(file: Path | None, *prompts: str) -> list[Pin]:
    """Return one PIN a prompt: asked for with hidden input, or read one a line where nobody sits at a terminal."""
    if file is None and sys.stdin.isatty():
        return [
            Pin.of(click.prompt(prompt, hide_input=True, confirmation_prompt="new" in prompt)) for prompt in prompts
        ]
    text = sys.stdin.read() if file is None or str(file) == "-" else file.read_text(encoding="ascii", errors="replace")
    lines = text.split()
    if len(lines) != len(prompts):
        raise InputError(f"{len(lines)} PINs were given, {len(prompts)} are needed, one a line: {', '.join(prompts)}")
    return [Pin.of(line) for line in lines]


def _opened(store: StoreAddress, passphrase_file: Path | None) -> KeyVault:
    from kaguan.personalization.keystore import open_store
    from kaguan.personalization.stores.cli import passphrase_of

    passphrase = passphrase_of(store, passphrase_file)
    return open_store(store, passphrase)


@contextmanager
def _card(file: Path | None, reader: str | None, profile: CardProfile, trace: Path | None) -> Iterator[Link]:
    from kaguan.emulator.imagefile import FileCard
    from kaguan.terminal.layers import for_conversation
    from kaguan.terminal.pcsc import open_reader
    from kaguan.terminal.trace.files import Tracing

    with ExitStack() as stack:
        link: Link
        if file is not None:
            link = stack.enter_context(FileCard(file))
        else:
            link = stack.enter_context(closing(open_reader(reader or "")))
        if trace is not None:
            tracing = stack.enter_context(closing(Tracing(trace, profile)))
            link = stack.enter_context(closing(tracing.observed(link, 0)))
        yield link if file is not None else for_conversation(link)


def _now() -> datetime:
    return datetime.now(UTC).astimezone().replace(microsecond=0)


def _terminal_number(text: str) -> bytes:
    try:
        number = bytes.fromhex(text)
    except ValueError:
        number = b""
    if len(number) != 6:
        raise click.BadParameter("a terminal's number is 12 hex digits")
    return number


@click.command("read")
@at_counter
def card_read(at: AtCounter) -> None:
    """Show the card in the reader, as chip and books know it."""
    at.request.show(at.outlet.read(at.link))


@click.command("activate")
@shows_document
@shows_papers
@at_counter
def card_activate(at: AtCounter, document: Document, papers: tuple[Paper, ...]) -> None:
    """Activate the card in the reader."""
    at.begins("activation")
    at.request.show(at.outlet.activate(at.link, at.request.request_id, document, papers))


@click.command("block")
@at_counter
def card_block(at: AtCounter) -> None:
    """Block the lost card in the reader for ever."""
    at.request.show(at.outlet.block_card(at.link, at.request.request_id))


@click.group()
def pin() -> None:
    """The holder's PIN."""


@pin.command("tries")
@at_counter
def pin_tries(at: AtCounter) -> None:
    """Show how many tries the PIN has left; asking costs none."""
    at.request.show(at.outlet.tries_left(at.link))


@pin.command("change")
@takes_pin
@at_counter
def pin_change(at: AtCounter, pin_file: Path | None) -> None:
    """Change the PIN: first the old one, then the new one."""
    old, new = pins_typed(pin_file, "PIN", "new PIN")
    at.request.show(at.outlet.change_pin(at.link, at.request.request_id, old, new))


@click.group()
def load() -> None:
    """Money from the medical account onto the card (圈存)."""


@load.command("make")
@click.argument("amount", metavar="YUAN", type=amount_typed)
@takes_pin
@at_counter
def load_make(at: AtCounter, amount: int, pin_file: Path | None) -> None:
    """Load YUAN, as in 12.34, onto the card in the reader."""
    (typed,) = pins_typed(pin_file, "PIN")
    at.begins("load")
    at.request.show(at.outlet.load(at.link, at.request.request_id, amount, typed))


ASK_PIN = click.option("--ask-pin", is_flag=True, help="Take the PIN: needed when the card has no proof.")


@load.command("recover")
@ASK_PIN
@takes_pin
@resumes
@takes_card
def load_recover(at: AtCounter, pin_file: Path | None, *, ask_pin: bool) -> None:
    """Find out what became of load, or carry-over, REQUEST_ID whose answer was lost, and book it."""
    typed = pins_typed(pin_file, "PIN")[0] if ask_pin or pin_file else None
    at.request.show(at.outlet.recover_load(at.link, at.request.request_id, typed))


@click.group()
def purchase() -> None:
    """Money from the card to a clinic, hospital or pharmacy."""


@purchase.command("make")
@click.argument("items", metavar="CATEGORY=YUAN...", type=item_typed, nargs=-1, required=True)
@click.option("--no-pin", is_flag=True, help="The kind of site asks for no PIN, as hospitals mostly.")
@takes_pin
@at_counter
def purchase_make(at: AtCounter, items: tuple[Item, ...], pin_file: Path | None, *, no_pin: bool) -> None:
    """Pay for the lines of a bill, as in drug=12.34, with the card in the reader."""
    typed = None if no_pin else pins_typed(pin_file, "PIN")[0]
    at.begins("purchase")
    at.request.show(at.outlet.purchase(at.link, at.request.request_id, items, typed))


@purchase.command("recover")
@ASK_PIN
@takes_pin
@resumes
@takes_card
def purchase_recover(at: AtCounter, pin_file: Path | None, *, ask_pin: bool) -> None:
    """Find out what became of purchase REQUEST_ID whose answer was lost, and book it."""
    typed = pins_typed(pin_file, "PIN")[0] if ask_pin or pin_file else None
    at.request.show(at.outlet.recover_purchase(at.link, at.request.request_id, typed))


@click.group()
def contribution() -> None:
    """Premiums that fill the medical account."""


@contribution.command("credit")
@names_document
@click.option("--month", type=click.DateTime(["%Y-%m"]), required=True)
@click.option("--base", metavar="YUAN", type=amount_typed, required=True, help="The month's contribution base.")
@changes
def contribution_credit(request: Request, cert_type: str, cert_no: str, month: datetime, base: int) -> None:
    """Share a month's premium out between the person's account and the pool."""
    from kaguan.cms.services.contributions import credit_contribution

    result = credit_contribution(
        request.actor,
        request.request_id,
        cert_type=cert_type,
        cert_no=cert_no,
        month=month.date(),
        base_fen=base,
    )
    request.show(result)


@click.group()
def replacement() -> None:
    """Cards that replace lost ones."""


@replacement.command("carry-over")
@takes_pin
@at_counter
def replacement_carry_over(at: AtCounter, pin_file: Path | None) -> None:
    """Bring what the replaced card still held onto the new one in the reader."""
    (typed,) = pins_typed(pin_file, "PIN")
    at.begins("carry-over")
    at.request.show(at.outlet.carry_over(at.link, at.request.request_id, typed))


ON_CARDS = (card_read, card_activate, card_block)
GROUPS = (pin, load, purchase, contribution, replacement, reconcile)
