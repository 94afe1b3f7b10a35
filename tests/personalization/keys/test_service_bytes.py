"""Hostile bytes, at the key service and at its stations."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.personalization.keys.service import client
from kaguan.personalization.keys.service.address import Place, ServiceStore
from kaguan.personalization.keys.service.calls import MOST_BYTES
from kaguan.personalization.keys.service.client import RemoteVault
from kaguan.personalization.keys.service.faults import RequestMalformed, ServiceForeign, ServiceLost
from kaguan.personalization.keys.service.server import Terms
from kaguan.vault.software import SoftwareVault
from personalization.keys.services import AUDIT, Running, filled, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(filled, Terms(Place(tmp_path_factory.mktemp("service") / "keys"))) as running:
        yield running


@pytest.fixture(scope="module")
def both(service: Running) -> Iterator[tuple[SoftwareVault, RemoteVault]]:
    remote = service.vault()
    yield filled(), remote
    remote.close()


def greeted(running: Running) -> socket.socket:
    """A connection after the greeting."""
    assert running.place.path is not None
    wire = socket.socket(socket.AF_UNIX)
    wire.settimeout(10)
    wire.connect(str(running.place.path))
    (size,) = struct.unpack(">I", wire.recv(4, socket.MSG_WAITALL))
    assert json.loads(wire.recv(size, socket.MSG_WAITALL)) == ["kaguan-keys", 1, "test"]
    return wire


def answers(wire: socket.socket) -> list[list[object]]:
    """All that comes until the service hangs up."""
    found = []
    while head := wire.recv(4, socket.MSG_WAITALL):
        found.append(json.loads(wire.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)))
    return found


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 1 << 40)
    | st.text(max_size=8)
    | st.sampled_from(["mac", "prepare", "00"]),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["key", "secret", "x"]), inner, max_size=2)
    ),
    max_leaves=12,
)
REQUESTS = st.one_of(
    st.binary(max_size=80),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.tuples(st.integers(0, 9), st.sampled_from(["mac", "protect", "info", "prepare", "seal_secret", "x"])).flatmap(
        lambda head: st.lists(JSON, max_size=6).map(lambda rest: json.dumps([*head, *rest]).encode())
    ),
)


@given(REQUESTS)
@settings(max_examples=200, deadline=None)
def test_whatever_is_asked_is_answered_or_refused_and_others_are_served_on(service, both, raw):
    with greeted(service) as wire:
        wire.sendall(struct.pack(">I", len(raw)) + raw)
        wire.shutdown(socket.SHUT_WR)
        got = answers(wire)
    assert len(got) == 1
    assert got[0][1] in ("done", "error")
    assert not any("bug" in line for line in service.said)
    assert both[1].mac_long(AUDIT, b"on") == both[0].mac_long(AUDIT, b"on")


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack(">I", MOST_BYTES + 1),
        b"\xff" * 4,
        struct.pack(">I", 6) + b"[1,2,3",
        struct.pack(">I", 200_000) + b"[" * 200_000,
        struct.pack(">I", 10_003) + b"[" + b"9" * 10_001 + b"]",
        struct.pack(">I", 27) + b'[1,"infos",{"a":1,"a":2}]  ',
        struct.pack(">I", 10) + b'[NaN,"mac"',
    ],
    ids=["too long", "much too long", "cut off", "deep", "a huge number", "twice", "no number"],
)
def test_what_is_no_request_ends_the_connection(service, raw):
    with greeted(service) as wire:
        wire.sendall(raw)
        ((number, outcome, name, _),) = answers(wire)
    assert (number, outcome, name) == (0, "error", "RequestMalformed")


def test_half_a_request_is_not_waited_for_when_its_station_leaves(service, both):
    for raw in (b"\0", struct.pack(">I", 100), struct.pack(">I", 100) + b"[1"):
        with greeted(service) as wire:
            wire.sendall(raw)
    assert both[1].mac_long(AUDIT, b"") == both[0].mac_long(AUDIT, b"")


def test_a_request_that_is_too_long_is_not_sent(both):
    with pytest.raises(RequestMalformed, match="at most"):
        both[1].mac_long(AUDIT, bytes(MOST_BYTES))


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_answers_a_station_takes_no_nonsense(raw):
    """Whoever sits at the service's place says anything at all: it is no key service, or it is gone."""
    ours, theirs = socket.socketpair()
    theirs.sendall(raw)
    theirs.close()
    store = ServiceStore(Place(Path("/nowhere")))
    with pytest.MonkeyPatch.context() as patch, ours:
        patch.setattr(client, "_opened", lambda store, context: ours)
        with pytest.raises((ServiceForeign, ServiceLost)):
            RemoteVault(store, wait=lambda seconds: None)
