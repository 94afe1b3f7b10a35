"""The service itself: one vault, many stations, one verb after the other.

Law 1. Nobody is served who is not known: by a certificate of the bureau's authority, or as this very user on a socket.
Law 2. No request is longer than MOST_BYTES, and none that has begun takes longer than SLOWEST_SECONDS to come.
Law 3. What is told of a station is its name and how many verbs it asked for; never a key, a secret or a request.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import struct
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import KaguanError
from kaguan.durable import locked
from kaguan.personalization.keys.service.address import Place
from kaguan.personalization.keys.service.calls import GREETING, MOST_BYTES, VERSION, Json, dumps, perform
from kaguan.personalization.keys.service.faults import RequestMalformed, ServiceFailed, name_of
from kaguan.vault.sealing import StoreKind
from kaguan.vault.vault import KeyVault

SLOWEST_SECONDS = 30.0
HANDSHAKE_SECONDS = 10.0
MOST_STATIONS = 512
LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")
_OWNER_ONLY = 0o177


class Terms(NamedTuple):
    """Where to listen and for whom. Without `context` it is a Unix socket; where nobody is `allowed`, all known are."""

    place: Place
    context: ssl.SSLContext | None = None
    allowed: frozenset[str] = frozenset()


class KeyService:
    """A vault behind connections; everything happens in one thread, the one that opened the vault."""

    def __init__(self, vault: KeyVault, kind: StoreKind, terms: Terms, tell: Callable[[str], None]) -> None:
        self._vault = vault
        self._kind = kind
        self._terms = terms
        self._tell = tell
        self._stations: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Place]:
        """While the context lasts stations are served, at this place.

        Raises:
            InUse: another service has the socket.
            OSError: the place cannot be had.
        """
        async with self._server() as server:
            try:
                yield self._place_of(server)
            finally:
                for station in list(self._stations):
                    station.cancel()
                await asyncio.gather(*self._stations, return_exceptions=True)

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[asyncio.Server]:
        place, context, _ = self._terms
        if place.path is None:
            timeout = {"ssl_handshake_timeout": HANDSHAKE_SECONDS} if context else {}
            async with await asyncio.start_server(
                self._met, place.host, place.port, ssl=context, limit=MOST_BYTES, **timeout
            ) as server:
                yield server
            return
        with locked(place.path.with_name(f".{place.path.name}.lock"), f"the key service at {place.path}"):
            place.path.unlink(missing_ok=True)  # of a service that was killed: ours is the lock
            with _bound(place.path) as listener:
                async with await asyncio.start_unix_server(self._met, sock=listener, limit=MOST_BYTES) as server:
                    try:
                        yield server
                    finally:
                        place.path.unlink(missing_ok=True)

    def _place_of(self, server: asyncio.Server) -> Place:
        if self._terms.place.path is not None:
            return self._terms.place
        return Place(host=self._terms.place.host, port=server.sockets[0].getsockname()[1])

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is one
        self._stations.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError, OSError):
            pass  # it left; it comes again by itself
        except asyncio.CancelledError:
            pass  # the service ends
        finally:
            self._stations.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who, reason = self._who(writer)
        if reason:
            self._tell(f"{who} was turned away: {reason}")
            await _send(writer, dumps(["refused", reason]))
            return
        await _send(writer, dumps([GREETING, VERSION, self._kind.value]))
        self._tell(f"{who} came")
        count = 0
        try:
            while (raw := await _request(reader)) is not None:
                await _send(writer, perform(self._vault, raw, self._told))
                count += 1
        except RequestMalformed as error:
            self._tell(f"{who}: {error}")
            await _send(writer, dumps([0, "error", name_of(error), str(error)]))
        finally:
            self._tell(f"{who} left after {count} verbs")

    def _told(self, error: Exception) -> Sequence[Json]:
        """What is answered instead of a result."""
        if not isinstance(error, KaguanError):
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._tell(f"a bug: {type(error).__name__} in {Path(place.filename).name}, line {place.lineno}")
            error = ServiceFailed("the key service met a bug of its own; its log says where")
        return "error", name_of(error), str(error)

    def _who(self, writer: asyncio.StreamWriter) -> tuple[str, str]:
        """The station's name, and why it is not served, if it is not."""
        if len(self._stations) > MOST_STATIONS:
            return "a station", f"{MOST_STATIONS} stations are here already"
        if self._terms.context is None:
            user = _user_of(writer.get_extra_info("socket"))
            if user not in (None, os.geteuid()):
                return f"user {user}", "this socket serves one user, and you are another"
            return f"a station of user {os.geteuid()}", ""
        name = _name_in(writer.get_extra_info("peercert") or {})
        if self._terms.allowed and name not in self._terms.allowed:
            return f"station {name}", f"station {name} is not among those that this service serves"
        return f"station {name}", ""


def serve(
    vault: KeyVault,
    kind: StoreKind,
    terms: Terms,
    *,
    tell: Callable[[str], None],
    ready: Callable[[Place], None],
) -> None:
    """Stations were served until this process was told to end (SIGTERM, SIGINT). `ready` is called with the place.

    Raises:
        As `KeyService.listening`.
    """

    async def until_told() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        async with KeyService(vault, kind, terms, tell).listening() as place:
            ready(place)
            await ended.wait()

    asyncio.run(until_told())


async def _request(reader: asyncio.StreamReader) -> bytes | None:
    """The next request; None when the station has left.

    Raises:
        RequestMalformed: it is too long.
    """
    first = await reader.read(1)
    if not first:
        return None
    async with asyncio.timeout(SLOWEST_SECONDS):
        head = first + await reader.readexactly(LENGTH.size - 1)
        (size,) = LENGTH.unpack(head)
        if size > MOST_BYTES:
            raise RequestMalformed(f"a request has at most {MOST_BYTES} bytes")
        return await reader.readexactly(size)


async def _send(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(LENGTH.pack(len(answer)) + answer)
    async with asyncio.timeout(SLOWEST_SECONDS):
        await writer.drain()


def _bound(path: Path) -> socket.socket:
    """A socket of that name, which its owner alone may speak to from the first moment."""
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(_OWNER_ONLY)
    try:
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _user_of(connection: socket.socket) -> int | None:
    """Who is at the other end; None where the system does not say, and the socket's rights are all there is."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    with suppress(OSError):
        _, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
        return int(user)
    return -1


def _name_in(certificate: dict[str, object]) -> str:
    """The common name of the certificate's subject."""
    subject = certificate.get("subject", ())
    assert isinstance(subject, tuple)  # noqa: S101 - as ssl gives it
    return next((value for ((key, value),) in subject if key == "commonName"), "without a name")
