"""The orders that a bureau took in, as its jobs tell."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.schema import job
from kaguan.personalization.order.reading import OrderName
from kaguan.personalization.order.sequence import Batch, Series


class JobRegister:
    """An `OrderRegister`: every job stands for the order that it was made of, also when its people are forgotten."""

    def __init__(self, bureau: Bureau) -> None:
        self._bureau = bureau

    def seen_digest(self, digest: str) -> str | None:
        """The job of the order file with this SHA-256."""
        with self._bureau.transaction() as connection:
            name: str | None = connection.execute(
                select(job.c.name).where(job.c.order_digest == digest)
            ).scalar_one_or_none()
        return name

    def seen_batch(self, series: Series, batch: str) -> str | None:
        """The job of the order with this batch number."""
        return next((name for order, name in self._orders(series) if order.batch == batch), None)

    def last_batch(self, series: Series) -> Batch | None:
        """The order of the series with the greatest batch number; the number is as long in all of them."""
        orders = (Batch(order.batch, order.timestamp) for order, _ in self._orders(series))
        return max(orders, default=None)

    def _orders(self, series: Series) -> Iterator[tuple[OrderName, str]]:
        kind_and_batch = f"{series.kind}_{series.prefix}"
        query = select(job.c.order_name, job.c.name).where(job.c.order_name.startswith(kind_and_batch, autoescape=True))
        with self._bureau.transaction() as connection:
            rows = connection.execute(query).all()
        for order_name, name in rows:
            parsed = OrderName.parse(order_name)
            if parsed is not None and Series.of(parsed) == series:
                yield parsed, name
