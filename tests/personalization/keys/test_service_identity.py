"""Who is who between stations and the key service, and how a service is named."""

from __future__ import annotations

import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from kaguan.apdu.errors import KaguanError, VaultError
from kaguan.personalization.keys.secretfile import FileTooOpen
from kaguan.personalization.keys.service.address import Place, ServiceMalformed, ServiceStore
from kaguan.personalization.keys.service.client import RemoteVault
from kaguan.personalization.keys.service.faults import ServiceForeign, ServiceLost
from kaguan.personalization.keys.service.identity import IdentityExists, context_of, make_identity
from kaguan.personalization.keys.service.server import Terms
from kaguan.personalization.keys.tokenstore import store_of
from kaguan.personalization.keystore import open_store
from personalization.keys.services import AUDIT, filled, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bureau's service and two of its stations; and a station of somebody else's."""
    ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("theirs")
    return {
        "service": make_identity(ours, ["localhost", "127.0.0.1"], serves=True, days=2),
        "elsewhere": make_identity(ours, ["keys.example"], serves=True, days=2),
        "one": make_identity(ours, ["one"], serves=False, days=2),
        "two": make_identity(ours, ["two"], serves=False, days=2),
        "stranger": make_identity(theirs, ["one"], serves=False, days=2),
        "impostor": make_identity(theirs, ["localhost"], serves=True, days=2),
    }


def at_port(identity: Path, *allowed: str) -> Terms:
    return Terms(Place(host="127.0.0.1"), context_of(identity, serves=True), frozenset(allowed))


def test_a_station_that_is_known_is_served_over_tls(identities) -> None:
    with served(filled, at_port(identities["service"])) as running:
        one, two = running.vault(identities["one"]), running.vault(identities["two"])
        assert one.mac_long(AUDIT, b"x") == two.mac_long(AUDIT, b"x") == filled().mac_long(AUDIT, b"x")
        one.close()
        two.close()
    assert sorted(running.said)[::2] == ["station one came", "station two came"]


@pytest.mark.parametrize("who", ["stranger", "elsewhere", "two"])
def test_who_is_not_known_is_not_served(identities, who) -> None:
    """Another bureau's station, a service's identity on a station, and a station that is not allowed any more."""
    with served(filled, at_port(identities["service"], "one", "localhost", "keys.example")) as running:
        with pytest.raises((ServiceForeign, ServiceLost)):
            running.vault(identities[who])
        running.vault(identities["one"]).close()
    assert not any(f"{who} came" in line for line in running.said)


def test_without_an_identity_nothing_is_served(identities) -> None:
    with served(filled, at_port(identities["service"])) as running:
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", running.place.port)) as plain, bare.wrap_socket(plain) as wire:
            assert wire.version() == "TLSv1.3"
            got = b""
            with suppress(ssl.SSLError, ConnectionError):  # the refusal, or it hangs up first
                got = wire.recv(1)
            assert got == b""
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_cert_chain(identities["one"])
        old.check_hostname, old.verify_mode, old.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", running.place.port)) as plain, pytest.raises(ssl.SSLError):
            old.wrap_socket(plain)
        with socket.create_connection(("127.0.0.1", running.place.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"kaguan" not in plain.recv(100)
    assert running.said == []


@pytest.mark.parametrize("who", ["impostor", "elsewhere", "one"])
def test_a_station_speaks_to_the_bureaus_service_alone(identities, who) -> None:
    """Another authority's, one of another name, and a station that pretends to be the service."""
    with served(filled, at_port(identities[who])) as running, pytest.raises(ServiceForeign):
        running.vault(identities["one"])


def test_identities_are_secret_and_never_replaced(identities, tmp_path: Path) -> None:
    one = identities["one"]
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    with pytest.raises(IdentityExists):
        make_identity(one.parent, ["one"], serves=False, days=1)
    with pytest.raises(IdentityExists):
        make_identity(one.parent, ["authority"], serves=False, days=1)
    for name in ("", "../one", "a b", "x" * 65, "名"):
        with pytest.raises(VaultError, match="no name"):
            make_identity(tmp_path, [name], serves=False, days=1)
    open_to_all = tmp_path / "copy.pem"
    open_to_all.write_bytes(one.read_bytes())
    open_to_all.chmod(0o644)
    with pytest.raises(FileTooOpen):
        context_of(open_to_all, serves=False)
    open_to_all.write_text("no identity")
    open_to_all.chmod(0o600)
    with pytest.raises(KaguanError, match="no identity"):
        context_of(open_to_all, serves=False)


@pytest.mark.parametrize(
    "text",
    ["service:unix:/run/keys", "service:bureau.example:7443", "service:[::1]:7443?identity=/etc/me.pem"],
)
def test_names_of_services(text, tmp_path, monkeypatch):
    store = store_of(text)
    assert isinstance(store, ServiceStore)
    assert str(store) == text
    assert store.resolve() == store


@pytest.mark.parametrize(
    "text", ["service:", "service:unix:", "service:host", "service:host:99999", "service:h:1?pin=1"]
)
def test_names_of_nothing(text):
    with pytest.raises(ServiceMalformed):
        store_of(text)


def test_the_identity_may_stand_in_the_environment(identities, monkeypatch):
    with served(filled, at_port(identities["service"])) as running:
        store = store_of(f"service:{running.place}")
        monkeypatch.delenv("KAGUAN_SERVICE_IDENTITY", raising=False)
        with pytest.raises(VaultError, match="service-cert"):
            open_store(store)
        monkeypatch.setenv("KAGUAN_SERVICE_IDENTITY", str(identities["one"]))
        vault = open_store(store)
        assert isinstance(vault, RemoteVault)
        vault.close()
