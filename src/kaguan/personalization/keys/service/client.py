"""A vault that is somewhere else: every verb goes to the key service, and a connection that is lost is made again.

Law 1. What the service refuses is the same error here. That it cannot be reached is `ServiceLost`, and says nothing of
       any key.
Law 2. No verb changes more than a counter, so the verb that met the loss is asked for again from its beginning.
Law 3. A connection is one process's: a forked one makes its own.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count, islice
from threading import Lock
from typing import NamedTuple, NoReturn, TypeVar

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import KaguanError
from kaguan.personalization.keys.service import calls
from kaguan.personalization.keys.service.address import ServiceStore
from kaguan.personalization.keys.service.calls import Json
from kaguan.personalization.keys.service.faults import RequestMalformed, ServiceForeign, ServiceLost, fault
from kaguan.personalization.keys.service.identity import context_of
from kaguan.personalization.keys.service.server import LENGTH
from kaguan.vault.messaging import Scheme
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.vault import Appendix, KeyInfo, KeyRef, KeyVault

PAUSES_SECONDS = (0.0, 0.2, 1.0, 3.0)
"""How long to wait before each new connection after a lost one."""
ANSWER_SECONDS = 30.0
"""How long an answer may take; a service whose token is gone looks for it for six seconds."""
PREPARED_AT_ONCE = 4096
_GONE = (OSError, EOFError)
_Taken = TypeVar("_Taken")


class RemoteVault(KeyVault):
    """The vault of a key service. It is connected when it is made, so `kind` is what the service says.

    Raises:
        ServiceLost: nobody answers.
        ServiceForeign: the service is not the bureau's, or does not serve this machine.
        As `context_of`.
    """

    def __init__(self, store: ServiceStore, wait: Callable[[float], object] = time.sleep) -> None:
        self._store = store
        self._wait = wait
        self._context = None if store.place.path is not None else context_of(store.own_identity(), serves=False)
        self._lock = Lock()
        self._numbers = count(1)
        self._wire: _Wire | None = None
        with self._lock:
            self.kind = self._persist(lambda wire: wire.kind)

    def infos(self) -> Iterator[KeyInfo]:
        """Every key of the vault, by label and version."""
        return iter([self._took(calls.info_in, info) for info in self._took(calls.list_in, self._ask("infos"))])

    def info(self, ref: KeyRef) -> KeyInfo:
        """What is known of the key that the reference starts from."""
        return self._took(calls.info_in, self._ask("info", calls.ref_out(ref)))

    def check_value(self, ref: KeyRef) -> CheckValue:
        """The check value of the derived key; also of a master key."""
        return CheckValue(self._bytes("check_value", calls.ref_out(ref)))

    def encipher(self, ref: KeyRef, data: bytes) -> bytes:
        """Whole blocks enciphered, each on its own."""
        return self._bytes("encipher", calls.ref_out(ref), data.hex())

    def mac(self, ref: KeyRef, data: bytes, iv: bytes = b"") -> bytes:
        """The 4-byte MAC of the data."""
        return self._bytes("mac", calls.ref_out(ref), data.hex(), iv.hex())

    def protect(
        self,
        ref: KeyRef,
        scheme: Scheme,
        command: CommandApdu,
        challenge: bytes,
        *,
        encrypted: bool,
        append: Appendix = None,
    ) -> CommandApdu:
        """The command under secure messaging. A secret that is appended crosses the wire to the service."""
        what = (calls.command_out(command), challenge.hex(), encrypted, calls.appendix_out(append))
        return self._took(calls.command_in, self._ask("protect", calls.ref_out(ref), scheme.value, *what))

    def seal_secret(self, ref: KeyRef, secret: Secret, about: bytes) -> bytes:
        """The secret sealed under a key for records; it crosses the wire to the service."""
        return self._bytes("seal_secret", calls.ref_out(ref), secret.reveal().hex(), about.hex())

    def open_secret(self, ref: KeyRef, blob: bytes, about: bytes) -> Secret:
        """The secret that was sealed under this key, about this; it crosses the wire from the service."""
        return Secret(self._bytes("open_secret", calls.ref_out(ref), blob.hex(), about.hex()))

    def mac_long(self, ref: KeyRef, data: bytes) -> bytes:
        """The 16-byte CMAC of the data under a key for audits."""
        return self._bytes("mac_long", calls.ref_out(ref), data.hex())

    def prepare(self, refs: Iterable[KeyRef]) -> None:
        """These keys are at hand where the service has its vault: one request for thousands of them."""
        coming = iter(refs)
        while batch := list(islice(coming, PREPARED_AT_ONCE)):
            self._ask("prepare", calls.families_out(batch))

    def close(self) -> None:
        """The connection is closed; the next verb makes another."""
        with self._lock:
            self._drop()

    def __del__(self) -> None:
        if (wire := getattr(self, "_wire", None)) is not None:  # whoever forgets a vault has not closed it
            wire.close()

    def __repr__(self) -> str:
        return f"<RemoteVault {self._store.place} {self.kind}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a RemoteVault is this process's own and is not to be pickled or copied")

    def _bytes(self, verb: str, *given: Json) -> bytes:
        return self._took(calls.bytes_in, self._ask(verb, *given))

    def _took(self, decode: Callable[[Json], _Taken], value: Json) -> _Taken:
        """The result, if it is one.

        Raises:
            ServiceForeign: it is none.
        """
        try:
            return decode(value)
        except (ValueError, TypeError, KaguanError):
            raise self._strange() from None

    def _ask(self, verb: str, *given: Json) -> Json:
        """What the service answers.

        Raises:
            ServiceLost, ServiceForeign: it does not, or it is none.
            KaguanError: what the vault says.
        """
        with self._lock:
            number = next(self._numbers)
            raw = calls.dumps([number, verb, *given])
            if len(raw) > calls.MOST_BYTES:
                raise RequestMalformed(f"a request to a key service has at most {calls.MOST_BYTES} bytes")
            try:
                answered, outcome, *rest = self._persist(lambda wire: wire.asked(raw))
            except (ValueError, TypeError, RequestMalformed):
                self._drop()
                raise self._strange() from None
            if outcome == "done" and answered == number and len(rest) == 1:
                return rest[0]
            if outcome == "error" and answered in (number, 0) and list(map(type, rest)) == [str, str]:
                raise fault(*rest)
            self._drop()
            raise self._strange()

    def _persist(self, act: Callable[[_Wire], _Taken]) -> _Taken:
        """What `act` made of a connection; it is done again when that is lost."""
        for pause_seconds in (*PAUSES_SECONDS, None):
            try:
                if self._wire is None or self._wire.process != os.getpid():
                    self._drop()
                    self._wire = _Wire.connected(self._store, self._context)
                return act(self._wire)
            except ssl.SSLCertVerificationError as error:
                raise ServiceForeign(
                    f"{self._store.place} is not the bureau's key service: {error.verify_message}"
                ) from None
            except _GONE as error:
                self._drop()
                if isinstance(error, ssl.SSLError) and not isinstance(error, _BROKEN_OFF):
                    raise ServiceForeign(f"{self._store.place} and this machine do not agree: {error.reason}") from None
                if pause_seconds is None:
                    reason = getattr(error, "strerror", None) or "it hung up; does it know this machine's identity?"
                    what = f"{self._store.place}: the key service does not answer ({reason})"
                    raise ServiceLost(f"{what}; run the same command when it is back") from None
                self._wait(pause_seconds)
        raise AssertionError("the last attempt returns or raises")

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _strange(self) -> ServiceForeign:
        return ServiceForeign(f"{self._store.place} does not answer as a key service does")


_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


class _Wire(NamedTuple):
    """One connection, greeted."""

    connection: socket.socket
    kind: StoreKind
    process: int

    @classmethod
    def connected(cls, store: ServiceStore, context: ssl.SSLContext | None) -> _Wire:
        """A new connection; the service speaks first.

        Raises:
            OSError, EOFError: there is none.
            ServiceForeign: whoever is there is no key service of this version, or does not serve this machine.
        """
        connection = _opened(store, context)
        try:
            greeting = calls.loads(_received(connection))
            match greeting:
                case [calls.GREETING, calls.VERSION, str(kind)] if kind in list(StoreKind):
                    return cls(connection, StoreKind(kind), os.getpid())
                case [calls.GREETING, int(version), *_]:
                    raise ServiceForeign(f"{store.place} speaks version {version}, this Kaguan {calls.VERSION}")
                case ["refused", str(reason)]:
                    raise ServiceForeign(f"{store.place}: {reason}")
                case _:
                    raise ServiceForeign(f"{store.place} is no key service")
        except RequestMalformed:
            connection.close()
            raise ServiceForeign(f"{store.place} is no key service") from None
        except BaseException:
            connection.close()
            raise

    def asked(self, raw: bytes) -> list[Json]:
        """The answer to a request."""
        self.connection.sendall(LENGTH.pack(len(raw)) + raw)
        return calls.list_in(calls.loads(_received(self.connection)))

    def close(self) -> None:
        """This process is not connected any more; another that has it too, after a fork, goes on."""
        with suppress(OSError):
            self.connection.close()


def _opened(store: ServiceStore, context: ssl.SSLContext | None) -> socket.socket:
    place = store.place
    if place.path is not None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(place.path))
        except BaseException:
            connection.close()
            raise
        return connection
    assert context is not None  # noqa: S101 - there is one for every place of host and port
    plain = socket.create_connection((place.host, place.port), timeout=ANSWER_SECONDS)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=place.host)
    except BaseException:
        plain.close()
        raise


def _received(connection: socket.socket) -> bytes:
    """What the service says next.

    Raises:
        OSError, EOFError: it is gone.
        RequestMalformed: it is longer than any answer.
    """
    (size,) = LENGTH.unpack(_exactly(connection, LENGTH.size))
    if size > calls.MOST_BYTES:
        raise RequestMalformed("too long")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    pieces = []
    while size:
        piece = connection.recv(size)
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
