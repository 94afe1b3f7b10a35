"""`kaguan cms access`: passwords, second factors, sign-in, and the close of the day.

A password or a second factor's secret is asked for on the terminal, or read from standard input, one a line; it never
stands on the command line.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from uuid import UUID

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.asking.cli import SESSION_VARIABLE, Question, Request, asks, changes
from kaguan.vault.secret import Secret

_SECRET_BYTES = 20
_SOURCE = "command line"


def secrets_typed(*prompts: str) -> list[Secret]:
    """Return one secret a prompt: asked for with hidden input, or read one a line where nobody sits at a terminal."""
    if sys.stdin.isatty():
        return [Secret(_prompted(prompt).encode()) for prompt in prompts]
    lines = sys.stdin.read().splitlines()
    if len(lines) != len(prompts):
        raise InputError(f"{len(lines)} lines were given, {len(prompts)} are needed: {', '.join(prompts)}")
    return [Secret(line.encode("utf-8", errors="replace")) for line in lines]


def _prompted(prompt: str) -> str:
    typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt="new" in prompt, err=True)
    return typed


@click.group()
def access() -> None:
    """Who may sign in, and when."""


@access.command("give-password")
@click.argument("code")
@changes
def access_give_password(request: Request, code: str) -> None:
    """Give operator CODE a first password, which they have to change."""
    from kaguan.cms.services.access.passwords import give_password

    (password,) = secrets_typed("new password")
    request.show(give_password(request.actor, request.request_id, code=code, password=password))


@access.command("change-password")
@click.argument("code")
@asks
def access_change_password(question: Question, code: str) -> None:
    """Change the password of operator CODE: first the old one, then the new one."""
    from kaguan.cms.services.access.sign_in import change_password

    old, new = secrets_typed("password", "new password")
    change_password(code, old, new, source=_SOURCE)
    question.show({"operator": code, "password": "changed"})


@access.command("second-factor")
@click.argument("code")
@changes
def access_second_factor(request: Request, code: str) -> None:
    """Make a second factor for operator CODE, and show once what their device needs (RFC 6238, base 32)."""
    from kaguan.cms.services.access.second_factor import enrol_second_factor

    secret = Secret(secrets.token_bytes(_SECRET_BYTES))
    request.show(enrol_second_factor(request.actor, request.request_id, code=code, secret=secret))
    click.echo(f"secret, shown this once: {base64.b32encode(secret.reveal()).decode()}")


@access.command("unlock")
@click.argument("code")
@changes
def access_unlock(request: Request, code: str) -> None:
    """Let operator CODE try again after too many failures."""
    from kaguan.cms.services.access.passwords import unlock_account

    request.show(unlock_account(request.actor, request.request_id, code=code))


@access.command("sign-in")
@click.argument("code")
@click.option("--second-factor", default="", help="The six digits of now, for whoever approves.")
@click.option("--token-only", is_flag=True, help="Print the token alone, as for KAGUAN_SESSION=$(...).")
@asks
def access_sign_in(question: Question, code: str, second_factor: str, *, token_only: bool) -> None:
    """Sign operator CODE in, and show the token that stands for them until they rest, leave, or the day closes.

    With the token in KAGUAN_SESSION the commands below are asked by this operator.
    """
    from kaguan.cms.services.access.sign_in import sign_in

    (password,) = secrets_typed("password")
    admitted = sign_in(code, password, source=_SOURCE, second_factor=second_factor)
    if token_only:
        click.echo(_shown(admitted.token))
    else:
        question.show({"operator": code, "institution": admitted.actor.institution, "token": _shown(admitted.token)})


@access.command("sign-out")
@asks
def access_sign_out(question: Question) -> None:
    """End the session in KAGUAN_SESSION, or that of a token, which is asked for."""
    from kaguan.cms.services.access.sessions import sign_out

    token = Secret(os.environ.get(SESSION_VARIABLE, "").encode()) or secrets_typed("token")[0]
    sign_out(token)
    question.show({"session": "over"})


@access.command("close-day")
@click.argument("place")
@changes
def access_close_day(request: Request, place: str) -> None:
    """Close the day at institution PLACE: its operators are signed out until tomorrow."""
    from kaguan.cms.services.access.day import close_day

    request.show(close_day(request.actor, request.request_id, institution=place))


@access.command("reopen-day")
@click.argument("place")
@changes
def access_reopen_day(request: Request, place: str) -> None:
    """Open the day at institution PLACE again."""
    from kaguan.cms.services.access.day import reopen_day

    request.show(reopen_day(request.actor, request.request_id, institution=place))


def _shown(token: Secret) -> str:
    return token.reveal().decode()


@access.command("token")
@click.argument("code", metavar="OPERATOR")
@click.option("--for", "purpose", required=True, help="What the program does with it.")
@click.option("--days", type=click.IntRange(1), default=90, show_default=True)
@changes
def access_token(request: Request, code: str, purpose: str, days: int) -> None:
    """Give a program a token for the account of OPERATOR; it is shown once."""
    from kaguan.cms.services.access.machine_tokens import is_token, issue_token, new_token

    token = new_token()
    asked = {"operator": code, "purpose": purpose}
    ref = issue_token(request.actor, request.request_id, days=days, token=token, **asked)
    request.show(ref)
    click.echo(token.reveal().decode() if is_token(ref, token) else "the token was shown before: ask for another")


@access.command("revoke")
@click.argument("token_id", type=click.UUID)
@changes
def access_revoke(request: Request, token_id: UUID) -> None:
    """Take the program's token TOKEN_ID back."""
    from kaguan.cms.services.access.machine_tokens import revoke_token

    request.show(revoke_token(request.actor, request.request_id, token_id=token_id))
