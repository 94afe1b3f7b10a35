"""`kaguan cms outbox`: where banks are told, and the delivery of what they have to be told."""

from __future__ import annotations

from pathlib import Path

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.asking.cli import Request, changes, existing_file
from kaguan.vault.secret import Secret


@click.group()
def outbox() -> None:
    """Notices to banks."""


@outbox.command("register")
@click.argument("bank_code")
@click.argument("url")
@click.option("--key-file", type=existing_file, required=True, help="The key in hex, 32 bytes or more; shared with it.")
@changes
def outbox_register(request: Request, bank_code: str, url: str, key_file: Path) -> None:
    """Tell bank BANK_CODE at URL from now on."""
    from kaguan.cms.services.outbox import register_endpoint

    try:
        key = Secret(bytes.fromhex(key_file.read_text(encoding="ascii").strip()))
    except ValueError:
        raise InputError(f"{key_file.name} holds no key in hex") from None
    request.show(register_endpoint(request.actor, request.request_id, bank_code=bank_code, url=url, key=key))


@outbox.command("deliver")
@changes
def outbox_deliver(request: Request) -> None:
    """Deliver every notice that is due; a loss report that its bank refuses is taken back."""
    from kaguan.cms.notifying.delivery import deliver_due

    request.show(deliver_due(request.actor))
