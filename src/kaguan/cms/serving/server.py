"""A server for the web API that refuses to open to others what is safe on one's own machine only."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kaguan.apdu.errors import InputError

if TYPE_CHECKING:
    from cheroot.wsgi import Server

_HEADER_BYTES: Final = 32_768
_SLOWEST_SECONDS: Final = 15
_THREADS: Final = 16
_REQUESTS_A_SIGN_IN: Final = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where to serve: address and port, certificate and key (PEM files) for TLS, and the proxy that is believed."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    trusted_proxy: str = ""


def check_place(place: Place) -> None:
    """Return when the place is safe to serve at with the settings of now.

    Refuses with InputError, in this order: certificate without key or key without certificate; and beyond one's own
    machine: debugging, a secret key that nobody fixed, neither TLS nor a proxy that gives it.
    """
    from django.conf import settings  # noqa: PLC0415 - settings are chosen when the store is opened

    if (place.certificate is None) != (place.key is None):
        raise InputError("TLS needs both, --certificate and --key")
    if is_loopback(place.host):
        return
    if settings.DEBUG:
        raise InputError(f"debugging shows the inside to whoever reaches {place.host}: switch it off")
    if not os.environ.get("KAGUAN_SECRET_KEY"):
        raise InputError("set KAGUAN_SECRET_KEY, and the same one every time, before others are served")
    if place.certificate is None and not place.trusted_proxy:
        raise InputError("passwords would cross the net in the clear: give --certificate and --key, or --trusted-proxy")


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_server(place: Place, *, requests_a_minute: int) -> Server:
    """Return the server, ready to start, with so many requests a minute for a token and twice as many for a source.

    Refuses as `check_place`, and with InputError when the certificate cannot be used.
    """
    from cheroot.ssl.builtin import BuiltinSSLAdapter  # noqa: PLC0415 - only who serves needs a server
    from cheroot.wsgi import Server  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415

    check_place(place)
    settings.TRUSTED_PROXY = place.trusted_proxy
    settings.RATE_OF_A_TOKEN = f"{requests_a_minute}/m"
    settings.RATE_OF_A_SOURCE = f"{2 * requests_a_minute}/m"
    settings.RATE_OF_SIGNING_IN = f"{max(1, requests_a_minute // _REQUESTS_A_SIGN_IN)}/m"
    from kaguan.cms.api.wsgi import application  # noqa: PLC0415

    server = Server(
        (place.host, place.port), application, numthreads=_THREADS, timeout=_SLOWEST_SECONDS, server_name="kaguan"
    )
    server.max_request_header_size = _HEADER_BYTES
    server.max_request_body_size = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if place.certificate and place.key:
        try:
            server.ssl_adapter = BuiltinSSLAdapter(str(place.certificate), str(place.key))
        except (OSError, ValueError) as error:
            raise InputError(f"{place.certificate.name} and {place.key.name} are no certificate and its key") from error
    return server
