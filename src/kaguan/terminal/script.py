"""Conversations: generators that yield commands, receive responses, and do nothing else.

The same conversation runs on a PC/SC reader, on an emulated card, on a recorded tape, or dry.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.link import Link
from kaguan.apdu.response import ResponseApdu
from kaguan.terminal.refusals import accepted

_Result = TypeVar("_Result")

Script = Generator[CommandApdu, ResponseApdu, _Result]


def converse(link: Link, script: Script[_Result]) -> _Result:
    """What the conversation comes to when this card answers it.

    Raises:
        LinkError: the card did not answer; its state is unknown.
        CardRefused: it refused a command that the conversation cannot do without.
    """
    try:
        command = next(script)
        while True:
            try:
                response = ResponseApdu.parse(link.transceive(bytes(command)))
            except Exception as error:
                # The conversation ends with the error, so that what it holds open is closed before the caller sees it.
                command = script.throw(error)
                continue
            command = script.send(response)
    except StopIteration as end:
        result: _Result = end.value
        return result


def ask(command: CommandApdu) -> Script[bytes]:
    """The data that the card answers with 9000.

    Raises:
        CardRefused: it answers anything else.
    """
    response = yield command
    return accepted(command, response)
