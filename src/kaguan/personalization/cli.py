"""The bureau's door: `kaguan perso`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from kaguan.rooms.cli import Door, Rooms

_AT = "kaguan.personalization."
DOORS: Mapping[str, Door] = {
    "run": Door(_AT + "line.cli", "run", "Make every card of an order; again, to go on."),
    "status": Door(_AT + "line.progress.cli", "status", "How a job stands: rows, stations, rate, rejects, balance."),
    "station": Door(_AT + "line.cli", "station", "Work at a job from any machine, until it is done."),
    "engine": Door(_AT + "preparation.cli", "engine", "A Dask cluster for data preparation."),
    "metrics": Door(_AT + "line.progress.cli", "metrics", "Serve figures for Prometheus."),
    "jobs": Door(_AT + "desk.control.cli", "jobs_door", "The jobs of a database."),
    "pause": Door(_AT + "desk.control.cli", "pause", "Let stations wait, each with its card finished."),
    "resume": Door(_AT + "desk.control.cli", "resume", "Let stations go on."),
    "drain": Door(_AT + "desk.control.cli", "drain", "Let stations end, each with its card finished."),
    "priority": Door(_AT + "desk.control.cli", "priority", "Let a waiting row come before others."),
    "instant": Door(_AT + "desk.control.cli", "instant", "Make one card of an open job at once, here."),
    "operator": Door(_AT + "desk.operators.cli", "operator", "Who may take part in a dangerous step."),
    "shift": Door(_AT + "desk.shifts.cli", "shift", "Blank chips: handed out, counted back, handed over."),
    "balance": Door(_AT + "desk.shifts.cli", "balance", "Where the chips of a job are."),
    "close": Door(_AT + "desk.shifts.cli", "close_door", "Close a job whose rows and chips are all accounted for."),
    "scrap": Door(_AT + "desk.decisions.cli", "scrap_door", "Destroy the rejected chips; two people."),
    "sample": Door(_AT + "desk.decisions.cli", "sample_door", "Draw a good card to be tested to destruction."),
    "remake": Door(_AT + "desk.decisions.cli", "remake_door", "Kill a good card and make it again; two people."),
    "lost": Door(_AT + "desk.decisions.cli", "lost_door", "Declare blank chips lost; two people."),
    "report": Door(_AT + "outgoing.cli", "report", "A job's quality report and workbook."),
    "previews": Door(_AT + "outgoing.cli", "previews", "The faces of a job's cards, ten a page."),
    "pairing": Door(_AT + "outgoing.cli", "pairing", "Codes of card, letter and mailer of each good card."),
    "pins": Door(_AT + "outgoing.cli", "pins", "PINs of good cards, sealed for the mailer room; two people."),
    "mailers": Door(_AT + "paper.cli", "mailers", "Print PIN mailers from a sealed file."),
    "void-mailer": Door(_AT + "paper.cli", "void_mailer", "Void a mailer's number; two people."),
    "count-mailers": Door(_AT + "paper.cli", "count_mailers_door", "Compare a pile of mailers with the register."),
    "pair": Door(_AT + "paper.cli", "pair_door", "Whether two codes belong into one envelope."),
    "purge": Door(_AT + "care.cli", "purge", "Destroy the personal data of closed jobs, with a proof."),
    "audit": Door(_AT + "care.cli", "audit", "The audit trail: verify, list, export, checkpoint."),
    "seal": Door(_AT + "care.cli", "seal", "Seal files for whom a certificate names."),
    "dead": Door(_AT + "desk.decisions.cli", "dead_door", "Cards that must be refused wherever they turn up."),
}


@click.group(cls=Rooms, doors=DOORS)
def perso() -> None:
    """Personalization: from an order to sealed cards."""
