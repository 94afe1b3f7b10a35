"""Read a factory order as the rows that card management puts on its books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from kaguan.apdu.errors import OrderError
from kaguan.cms.services.orders import OrderRow
from kaguan.personalization.order.reading import Holder, OrderFile, Task, open_order


def read_order_rows(path: Path) -> tuple[str, list[OrderRow]]:
    """Return the order's batch number and a row for every card.

    Raises:
        OrderError: the order is out of form, or leaves out the card number or a date.
    """
    with open_order(path) as order:
        return order.name.batch if order.name else path.stem, list(_rows(order))


def _rows(order: OrderFile) -> Iterator[OrderRow]:
    bank_code = ""
    for entry in order:
        if isinstance(entry, Task):
            bank_code = entry.bank_id
            continue
        if not entry.card_no:
            raise _fault(order, entry, "has no card number (ssseef0507)")
        yield OrderRow(
            card_no=entry.card_no,
            cert_type=entry.columns["cert_type"],
            cert_no=entry.id_no,
            name=entry.name,
            bank_code=bank_code,
            bank_card_no=entry.bank_card_no,
            issue_date=_day(order, entry, "ssseef0505"),
            valid_until=_day(order, entry, "ssseef0506"),
        )


def _day(order: OrderFile, holder: Holder, column: str) -> date:
    try:
        return datetime.strptime(holder.columns[column], "%Y%m%d").date()  # noqa: DTZ007 (a calendar day has no zone)
    except (KeyError, ValueError):
        raise _fault(order, holder, f"has no day YYYYMMDD in {column}") from None


def _fault(order: OrderFile, holder: Holder, what: str) -> OrderError:
    return OrderError(f"row {holder.row} {what}", file=order.path.name, line=holder.line)
