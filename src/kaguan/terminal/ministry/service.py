"""The local service that web pages call: a WebSocket on loopback, for pages of origins that are allowed.

Law 1. It listens on loopback alone, and speaks to no page whose origin it was not told.
Law 2. One call at a time is at the card; each connection has its own steps.
Law 3. It writes down nothing of what it hears or answers.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from kaguan.terminal.ministry.messages import reply
from kaguan.terminal.ministry.terminal import MinistryTerminal

LOOPBACK = "127.0.0.1"
LARGEST_MESSAGE = 32 * 1024
MOST_CONNECTIONS = 32
_ENDING = (signal.SIGINT, signal.SIGTERM)


class Service:
    """A terminal behind a WebSocket. `origins` are those of the pages; None among them is a program without one."""

    def __init__(self, terminal: Callable[[], MinistryTerminal], origins: Sequence[str | None]) -> None:
        self._terminal = terminal
        self._origins = [None if origin is None else Origin(origin) for origin in origins]
        self._card = asyncio.Lock()
        self._connections = 0

    async def run(self, port: int, ready: Callable[[str], None]) -> None:
        """Serve until the process is told to end; `ready` hears the address.

        Raises:
            OSError: the port is taken.
        """
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, ended.set)
        async with self.listening(port) as address:
            ready(address)
            await ended.wait()

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[str]:
        """Pages are served while the context lasts, at this address; port 0 is any."""
        async with serve(
            self._converse,
            LOOPBACK,
            port,
            origins=self._origins,
            process_request=self._admit,
            max_size=LARGEST_MESSAGE,
            compression=None,
            server_header=None,
        ) as server:
            yield f"ws://{LOOPBACK}:{next(iter(server.sockets)).getsockname()[1]}"

    def _admit(self, connection: ServerConnection, _request: Request) -> Response | None:
        if self._connections >= MOST_CONNECTIONS:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections\n")
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        self._connections += 1
        terminal = self._terminal()
        try:
            with suppress(ConnectionClosed):
                async for message in connection:
                    async with self._card:
                        answer = await asyncio.to_thread(reply, terminal, message)
                    await connection.send(answer)
        finally:
            self._connections -= 1
