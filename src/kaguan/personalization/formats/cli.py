"""The doors of other forms: `kaguan order convert` and `kaguan bank`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaguan.personalization.order.cli import order

if TYPE_CHECKING:
    from kaguan.personalization.formats.layout import FixedLayout
    from kaguan.personalization.order.report import OrderReport

BAD_INPUT = 7

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW = click.Path(dir_okay=False, path_type=Path)


@click.command("convert")
@click.argument("source", type=FILE)
@click.option("--mapping", "mapping_file", required=True, type=FILE, help="The mapping file (TOML).")
@click.option("--photos", required=True, type=click.Path(exists=True, path_type=Path), help="Folder or zip of photos.")
@click.option("--out", required=True, type=NEW, help="The order to be written, a .zip; never one that is there.")
@click.option("--batch", default="", help="Batch number, where the mapping leaves it open.")
@click.option("--timestamp", default="", help="YYYYMMDDHHMMSS in the order's name; now when it is not given.")
@click.option("--profile", default="ssc-v2", show_default=True, help="Card profile, by which rows are judged.")
@click.option("--skip-bad", is_flag=True, help="Write the good rows; list the others in OUT-bad.csv.")
def convert(
    source: Path,
    mapping_file: Path,
    photos: Path,
    out: Path,
    batch: str,
    timestamp: str,
    profile: str,
    skip_bad: bool,
) -> None:
    """Turn a CSV or XLSX sheet into an order, by a mapping file.

    Every fault of every row is listed; then nothing is written, unless --skip-bad says to leave those rows out.
    """
    from kaguan.card_os.profile import load_profile
    from kaguan.durable import whole_file
    from kaguan.personalization.formats.conversion import Conversion, order_name
    from kaguan.personalization.formats.mapping import parse_mapping
    from kaguan.personalization.formats.newfile import new_file, text_of
    from kaguan.personalization.formats.photos import open_photos
    from kaguan.personalization.formats.sheets import write_csv
    from kaguan.personalization.order.holder_rules import HolderRules, absent_columns, layout_of

    mapping = parse_mapping(text_of(mapping_file), file=mapping_file.name)
    now = datetime.now().astimezone()
    name = order_name(mapping, batch=batch, timestamp=timestamp or now.strftime("%Y%m%d%H%M%S"))
    chosen = load_profile(profile)
    rules = HolderRules(today=now.date(), layout=layout_of(chosen), absent=absent_columns(chosen))
    bad_list = out.with_name(f"{out.stem}-bad.csv")
    with open_photos(photos) as found, new_file(out) as stream:
        conversion = Conversion(source, mapping, found, name, rules)
        for note in conversion.notes():
            click.echo(f"note: {note}", err=True)
        judgement = conversion.check()
        report = judgement.report
        for line in report.as_text():
            click.echo(line)
        if report.file_faults or (report.row_faults and not (skip_bad and report.good)):
            raise SystemExit(BAD_INPUT)
        written = conversion.write(stream, judgement)
    if report.row_faults:
        with whole_file(bad_list) as stream:
            rows = ((fault.line, fault.row, fault.column, fault.reason) for fault in report.row_faults)
            write_csv(stream, ("line", "row", "column", "reason"), rows)
        click.echo(f"rows left out are listed in {bad_list}")
    click.echo(f"{out} holds {written} cards; now: kaguan order check {out}")


order.add_command(convert)


@click.group()
def bank() -> None:
    """The bank's files: account opening request and answer, card and account map."""


ORDER = click.argument("order", metavar="ZIP", type=FILE)
ORDER_OF = click.option("--order", required=True, type=FILE, help="The order (ZIP) that the file answers.")
LAYOUT = click.option("--layout", "layout_file", type=FILE, help="The bank's own layout; see `kaguan bank layout`.")


@bank.command("layout")
@click.argument("name", type=click.Choice(["open-request", "open-answer", "account-map"]))
def show_layout(name: str) -> None:
    """Print a layout file, to be changed for a bank that differs and given with --layout."""
    from kaguan.personalization.formats.layout import layout_text

    click.echo(layout_text(name), nl=False)


@bank.command("request")
@ORDER
@click.option("--out", required=True, type=click.Path(file_okay=False, exists=True, path_type=Path), help="Folder.")
@click.option("--timestamp", default="", help="YYYYMMDDHHMMSS in the file's name; now when it is not given.")
@LAYOUT
def request(order: Path, out: Path, timestamp: str, layout_file: Path | None) -> None:
    """Write the account opening request (SH file) of an order."""
    from kaguan.personalization.formats.newfile import new_file
    from kaguan.personalization.formats.openings import check_request, request_name, write_request
    from kaguan.personalization.order.reading import open_order

    layout = _layout("open-request", layout_file)
    timestamp = timestamp or datetime.now().astimezone().strftime("%Y%m%d%H%M%S")
    with open_order(order) as opened:
        report = check_request(opened, layout)
        _require_good(report)
        path = out / request_name(opened, layout, timestamp)
        with new_file(path) as stream:
            write_request(stream, opened, layout, report.good)
    click.echo(f"{path} asks for {report.good} accounts")


@bank.command("answer")
@click.argument("file", metavar="RH_FILE", type=FILE)
@ORDER_OF
@click.option("--out", type=NEW, help="Write the order without the refused here (ZIP).")
@LAYOUT
def answer(file: Path, order: Path, out: Path | None, layout_file: Path | None) -> None:
    """Tell whom the bank refused and why (RH file); write the order without them."""
    from kaguan.personalization.formats.bankrows import require_name
    from kaguan.personalization.formats.newfile import new_file
    from kaguan.personalization.formats.openings import Answers
    from kaguan.personalization.formats.recordfile import RecordFile
    from kaguan.personalization.order.reading import open_order

    layout = _layout("open-answer", layout_file)
    with open_order(order) as opened:
        require_name(file.name, layout, opened)
        with RecordFile(file, layout) as records:
            answers = Answers(records, opened)
            report = answers.check()
            _require_good(report)
            refused = 0
            for refusal in answers.refusals():
                refused += 1
                click.echo(f"row {refusal.row} (line {refusal.line}): refused: {refusal.reason}")
            click.echo(f"{report.good - refused} opened, {refused} refused")
            if out is not None and refused < report.good:
                with new_file(out) as stream:
                    written = answers.write_opened(stream)
                click.echo(f"{out} holds {written} cards")
            elif out is not None:
                click.echo("nobody is left; no order was written")


@bank.command("accounts")
@click.argument("file", metavar="BK_FILE", type=FILE)
@ORDER_OF
@click.option("--out", required=True, type=NEW, help="The order with bank card numbers to be written (ZIP).")
@LAYOUT
def accounts(file: Path, order: Path, out: Path, layout_file: Path | None) -> None:
    """Fill the bank card numbers of a card and account map (BK file) into an order."""
    from kaguan.personalization.formats.accounts import Accounts
    from kaguan.personalization.formats.bankrows import require_name
    from kaguan.personalization.formats.newfile import new_file
    from kaguan.personalization.formats.recordfile import RecordFile
    from kaguan.personalization.order.reading import open_order

    layout = _layout("account-map", layout_file)
    with open_order(order) as opened:
        require_name(file.name, layout, opened)
        with RecordFile(file, layout) as records:
            found = Accounts(records, opened)
            _require_good(found.check())
            with new_file(out) as stream:
                written = found.write_filled(stream)
    click.echo(f"{out} holds {written} cards with their bank card numbers; now: kaguan order check {out}")


def _layout(name: str, file: Path | None) -> FixedLayout:
    from kaguan.personalization.formats.layout import load_layout, parse_layout
    from kaguan.personalization.formats.newfile import text_of

    return load_layout(name) if file is None else parse_layout(text_of(file), file=file.name)


def _require_good(report: OrderReport) -> None:
    if not report.ok:
        for line in report.as_text():
            click.echo(line)
        raise SystemExit(BAD_INPUT)
