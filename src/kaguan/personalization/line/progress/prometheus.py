"""A job's figures for Prometheus. Labels are names of jobs, states and reasons; nothing in them is about people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.personalization.job.control import jobs
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.figures import CARD_SECONDS, card_seconds, fates, figures
from kaguan.personalization.job.job import Job, find_job

LOOPBACK = "127.0.0.1"
_MOST_REASONS = 20
_SHARE = 20
"""Looking at a large job takes its time: it is to take no more than one part in so many."""


class BureauCollector(Collector):
    """Looks at the jobs of a database whenever somebody asks: one of them, or all."""

    def __init__(self, address: str, job: str = "") -> None:
        self._address = address
        self._job = job
        self._lock = Lock()
        self._last: list[Metric] = []
        self._fresh_until = 0.0

    def collect(self) -> Iterable[Metric]:
        """The figures, as they are now or were a moment ago."""
        with self._lock:
            started = time.monotonic()
            if started >= self._fresh_until:
                with Bureau(self._address) as bureau:
                    names = [self._job] if self._job else [listed.name for listed in jobs(bureau)]
                    self._last = _metrics([find_job(bureau, name) for name in names])
                ended = time.monotonic()
                self._fresh_until = ended + (ended - started) * _SHARE if ended - started > 0.05 else 0.0
            return self._last

    def describe(self) -> Iterable[Metric]:
        """Nothing: the database may not be there yet."""
        return []


def _metrics(found: list[Job]) -> list[Metric]:
    cards = GaugeMetricFamily("kaguan_cards", "Rows of the job by state.", labels=["job", "state"])
    chips = GaugeMetricFamily("kaguan_chips", "Chips that reached a machine, by fate.", labels=["job", "fate"])
    rate = GaugeMetricFamily("kaguan_cards_per_second", "Good cards a second, over the last minute.", labels=["job"])
    alive = GaugeMetricFamily("kaguan_stations_alive", "Stations whose claims have time left.", labels=["job"])
    missing = GaugeMetricFamily("kaguan_chips_missing", "Chips that closed shifts cannot tell of.", labels=["job"])
    rejects = CounterMetricFamily("kaguan_rejects", "Rejected chips by reason.", labels=["job", "reason"])
    took = HistogramMetricFamily("kaguan_card_seconds", "From a chip's first byte to its check's last.", labels=["job"])
    for job in found:
        look, histogram = figures(job), card_seconds(job)
        counts = look.counts
        for state in ("pending", "claimed", "good", "rejected", "refused"):
            cards.add_metric([look.job, state], getattr(counts, state))
        for fate, count in fates(job).items():
            chips.add_metric([look.job, fate], count)
        rate.add_metric([look.job], look.rate)
        alive.add_metric([look.job], sum(station.alive for station in look.stations))
        missing.add_metric([look.job], sum(b.missing for b in look.balances if b.returned is not None))
        reasons = list(look.rejects.items())
        for reason, count in reasons[:_MOST_REASONS]:
            rejects.add_metric([look.job, reason], count)
        if reasons[_MOST_REASONS:]:
            rejects.add_metric([look.job, "others"], sum(count for _, count in reasons[_MOST_REASONS:]))
        buckets = [(str(bound), float(count)) for bound, count in zip(CARD_SECONDS, histogram.up_to, strict=True)]
        took.add_metric([look.job], [*buckets, ("+Inf", float(histogram.cards))], histogram.seconds)
    return [cards, chips, rate, alive, missing, rejects, took]


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `PORT`; without a host nobody but this machine reaches it.

    Raises:
        InputError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > 0xFFFF or (colon and host.endswith(":")):
        raise InputError(f"{text!r} is no address to listen at: HOST:PORT, or PORT for this machine alone")
    return host.strip("[]") or LOOPBACK, int(port)


@contextmanager
def served_metrics(address: str, job: str, listen: tuple[str, int]) -> Iterator[int]:
    """While the context lasts the figures are at http://HOST:PORT/metrics; the port, chosen by the system if 0.

    Raises:
        RuleBroken: nobody may listen there.
    """
    registry = CollectorRegistry()
    registry.register(BureauCollector(address, job))
    host, port = listen
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise RuleBroken(f"cannot listen at {host}:{port}: {error.strerror or error}") from None
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
