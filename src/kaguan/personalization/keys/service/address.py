"""How a key service is named: `service:unix:PATH`, or `service:HOST:PORT?identity=FILE`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote

from kaguan.apdu.errors import VaultError

SCHEME = "service:"
IDENTITY = "KAGUAN_SERVICE_IDENTITY"
_UNIX = "unix:"


class ServiceMalformed(VaultError):
    """The name of a key service cannot be read."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service listens: a Unix socket, or host and port."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place of that name; an IPv6 address stands in brackets.

        Raises:
            ServiceMalformed: it is none.
        """
        if text.startswith(_UNIX) and len(text) > len(_UNIX):
            return cls(path=Path(text.removeprefix(_UNIX)))
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
            raise ServiceMalformed(f"{text!r} is no place: write unix:PATH or HOST:PORT")
        return cls(host=host, port=int(port))

    def __str__(self) -> str:
        if self.path is not None:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ServiceStore:
    """Which key service, and the file with which this machine identifies itself; a Unix socket needs none."""

    place: Place
    identity: Path | None = None

    @classmethod
    def parse(cls, text: str) -> ServiceStore:
        """The service of that name.

        Raises:
            ServiceMalformed: no service's name, or something unknown in it.
        """
        body, _, query = text.removeprefix(SCHEME).partition("?")
        options = dict(parse_qsl(query))
        if not text.startswith(SCHEME) or options.keys() - {"identity"}:
            raise ServiceMalformed(f"{text!r} names no service: write service:unix:PATH or service:HOST:PORT")
        identity = options.get("identity")
        return cls(Place.parse(body), Path(identity) if identity else None)

    def resolve(self) -> ServiceStore:
        """The same service, named so that it is found from every folder, as a path's `resolve` does."""
        place = Place(self.place.path.resolve()) if self.place.path is not None else self.place
        return ServiceStore(place, self.identity.resolve() if self.identity else None)

    def own_identity(self) -> Path:
        """The file with which this machine identifies itself: the one named, or the one of the environment.

        Raises:
            VaultError: there is neither.
        """
        named = self.identity or os.environ.get(IDENTITY)
        if not named:
            raise VaultError(
                f"{self}: who is this machine? Name its identity file, {SCHEME}{self.place}?identity=FILE, or in "
                f"{IDENTITY}; 'kaguan keys service-cert' makes it"
            )
        return Path(named)

    def __str__(self) -> str:
        return f"{SCHEME}{self.place}" + (f"?identity={quote(str(self.identity))}" if self.identity else "")
