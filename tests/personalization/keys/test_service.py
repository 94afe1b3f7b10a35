"""A vault behind the key service answers as the vault itself does, to those who may ask, and to nobody else."""

from __future__ import annotations

import os
import pickle
import stat
import threading
from collections.abc import Callable, Iterator
from itertools import chain, count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import KaguanError, VaultError
from kaguan.durable import InUse
from kaguan.personalization.keys.service import client
from kaguan.personalization.keys.service.address import Place, ServiceStore
from kaguan.personalization.keys.service.client import RemoteVault
from kaguan.personalization.keys.service.faults import ServiceForeign, ServiceLost
from kaguan.personalization.keys.service.server import Terms
from kaguan.vault.guard import GuardedVault
from kaguan.vault.messaging import Scheme
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Pin, Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import BUREAU_USAGES, KeyAbsent, KeyRef, KeyUsedUp, KeyVault, Step, StepKind, Usage
from personalization.keys.services import AUDIT, LEVELS, Running, filled, served
from vault.test_guard import Book

pytestmark = pytest.mark.slow

COMMAND = CommandApdu.of("84 D4 01 00", bytes.fromhex("39F0F0AAFF"))
octets = st.binary(max_size=40)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(filled, Terms(Place(tmp_path_factory.mktemp("service") / "keys"))) as running:
        yield running


@pytest.fixture(scope="module")
def both(service: Running) -> Iterator[tuple[SoftwareVault, RemoteVault]]:
    remote = service.vault()
    yield filled(), remote
    remote.close()


@st.composite
def references(draw: st.DrawFn) -> KeyRef:
    """Any way down from any key, right or wrong; most often right."""
    usage = draw(st.sampled_from(Usage))
    if usage in BUREAU_USAGES:
        label, depth = usage.value, draw(st.sampled_from((0, 0, 0, 1)))
    else:
        levels = draw(st.sampled_from(LEVELS))
        label, depth = f"{usage}.{levels}", levels + draw(st.sampled_from((0, 0, 0, 1, -1)))
    label = draw(st.sampled_from((label,) * 9 + ("absent", "sm4")))
    factor = st.binary(min_size=8, max_size=8) | octets
    ref = KeyRef(label, draw(st.sampled_from((1, 1, 1, 2)))).diversified(*(draw(factor) for _ in range(depth)))
    for _ in range(draw(st.integers(0, 2))):
        ref = ref.folded() if draw(st.booleans()) else ref.session(draw(factor))
    return ref


secrets_ = st.builds(Secret, octets) | st.sampled_from(["123456", "12345"]).map(Pin.of)
appendices = st.none() | references() | secrets_ | st.lists(octets | references() | secrets_, max_size=4).map(tuple)
commands = st.builds(
    CommandApdu,
    *[st.integers(0, 255)] * 4,
    st.binary(max_size=300),
    st.none() | st.integers(0, 65_536),
)


def told(act: Callable[[], object]) -> object:
    """What came of it: the result, or the error's class and text."""
    try:
        return act()
    except KaguanError as error:
        return type(error), str(error)


@given(references(), octets, octets, octets, st.sampled_from(Scheme), commands, st.booleans(), appendices, secrets_)
@settings(max_examples=300)
def test_every_verb_is_answered_as_the_vault_itself_answers(
    both, ref, data, iv, about, scheme, command, encrypted, append, secret
):
    def verbs(vault: KeyVault) -> list[object]:
        return [
            told(lambda: vault.info(ref)),
            told(lambda: vault.check_value(ref)),
            told(lambda: vault.encipher(ref, data)),
            told(lambda: vault.encipher(ref, data.ljust(40, b"\0"))),
            told(lambda: vault.mac(ref, data, iv)),
            told(lambda: vault.verify_mac(ref, data, bytes(4), iv)),
            told(lambda: vault.protect(ref, scheme, command, iv, encrypted=encrypted, append=append)),
            told(lambda: vault.protect(ref, scheme, COMMAND, bytes(8), encrypted=True, append=append)),
            told(lambda: vault.seal_secret(ref, secret, about)),
            told(lambda: vault.open_secret(ref, data, about)),
            told(lambda: vault.open_secret(ref, vault.seal_secret(ref, secret, about), about)),
            told(lambda: vault.mac_long(ref, data)),
            told(lambda: vault.prepare([ref, ref.parent, KeyRef("x", 1, (Step(StepKind.FOLD),))])),
        ]

    local, remote = both
    assert verbs(remote) == verbs(local)


def test_the_keys_are_listed_and_the_kind_is_known(both):
    local, remote = both
    assert list(remote.infos()) == list(local.infos())
    assert remote.kind is StoreKind.TEST


def test_a_whole_batch_is_prepared_by_one_request(tmp_path: Path) -> None:
    asked: list[list[KeyRef]] = []

    class Noting(SoftwareVault):
        def prepare(self, refs):
            asked.append(list(refs))

    refs = [KeyRef("LOAD").diversified(bytes(8), number.to_bytes(8, "big")) for number in range(9000)]
    refs += [KeyRef("LOAD"), KeyRef("LOAD").folded(), KeyRef("LOAD").session(bytes(8))]
    with served(lambda: Noting.empty(StoreKind.TEST), Terms(Place(tmp_path / "keys"))) as running:
        vault = running.vault()
        vault.prepare(iter(refs))
        vault.close()
    assert [len(batch) for batch in asked] == [4096, 4096, len(refs) - 8192]
    assert sorted(map(repr, chain.from_iterable(asked))) == sorted(map(repr, refs))


def test_many_stations_at_once(service: Running) -> None:
    local, wrong = filled(), []

    def station(number: int) -> None:
        vault = service.vault()
        for turn in range(60):
            about = f"{number}.{turn}".encode()
            if vault.mac_long(AUDIT, about) != local.mac_long(AUDIT, about):
                wrong.append(about)
        vault.close()

    threads = [threading.Thread(target=station, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_threads_may_share_a_vault(both) -> None:
    local, remote = both
    wrong: list[bytes] = []

    def work(number: int) -> None:
        for turn in range(40):
            data = bytes([number, turn])
            if remote.mac_long(AUDIT, data) != local.mac_long(AUDIT, data):
                wrong.append(data)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_forked_process_has_a_connection_of_its_own(both) -> None:
    local, remote = both
    remote.mac_long(AUDIT, b"before")
    child = os.fork()
    if not child:
        good = all(remote.mac_long(AUDIT, bytes([n])) == local.mac_long(AUDIT, bytes([n])) for n in range(100))
        os._exit(0 if good else 1)
    assert all(remote.mac_long(AUDIT, bytes([n])) == local.mac_long(AUDIT, bytes([n])) for n in range(100))
    assert os.waitpid(child, 0)[1] == 0


def test_counters_hold_behind_the_service(tmp_path: Path) -> None:
    book = Book(most=20, at_once=7)
    with served(
        lambda: GuardedVault(filled(), StoreKind.TEST, book, lambda: 0.0), Terms(Place(tmp_path / "keys"))
    ) as running:
        stations = [running.vault() for _ in range(3)]
        for done in count():
            try:
                stations[done % 3].mac_long(AUDIT, b"")
            except KeyUsedUp:
                break
        for station in stations:
            station.close()
    assert done == book.used == 20


def test_a_bug_behind_the_service_is_one_requests_and_shows_nothing(tmp_path: Path) -> None:
    class Buggy(SoftwareVault):
        def mac_long(self, ref, data):
            raise RuntimeError(data.hex())

    with served(lambda: Buggy.empty(StoreKind.TEST), Terms(Place(tmp_path / "keys"))) as running:
        vault = running.vault()
        with pytest.raises(VaultError, match="a bug of its own") as failed:
            vault.mac_long(AUDIT, b"\xca\xfe\xba\xbe")
        with pytest.raises(KeyAbsent):
            vault.mac(AUDIT, b"")
        vault.close()
        assert "cafebabe" not in str(failed.value) + "".join(running.said)
        assert any("a bug: RuntimeError in test_service.py" in line for line in running.said)


def test_the_socket_is_its_owners_and_one_services(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("left by a service that was killed")
    with served(filled, Terms(Place(path))) as running:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(InUse), served(filled, Terms(Place(path))):
            raise AssertionError
        running.vault().close()
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else for a moment")
def test_another_user_is_turned_away_even_with_the_right_to_the_socket(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("socket")
    path = folder / "keys"
    with served(filled, Terms(Place(path))) as running:
        path.chmod(0o666)
        for above in (folder, *folder.parents[:3]):
            above.chmod(above.stat().st_mode | 0o011)
        child = os.fork()
        if not child:
            os.setuid(65534)
            try:
                running.vault()
            except ServiceForeign as error:
                os._exit(0 if "another" in str(error) else 2)
            except BaseException:
                os._exit(3)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert running.said == ["user 65534 was turned away: this socket serves one user, and you are another"]


def test_nobody_there_is_no_key_error(tmp_path: Path) -> None:
    waited: list[float] = []
    with pytest.raises(ServiceLost, match="does not answer") as lost:
        RemoteVault(ServiceStore(Place(tmp_path / "nobody")), wait=waited.append)
    assert not isinstance(lost.value, KeyAbsent)
    assert waited == list(client.PAUSES_SECONDS)


def test_a_remote_vault_shows_and_keeps_nothing(both) -> None:
    remote = both[1]
    assert repr(remote).startswith("<RemoteVault unix:")
    with pytest.raises(TypeError):
        pickle.dumps(remote)
