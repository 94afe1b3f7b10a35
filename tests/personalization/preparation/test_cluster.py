"""A Dask cluster, with the real commands: up, killed at, down; and nobody gets in or reads along."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from distributed import Client, Security

import kaguan
from kaguan.apdu.errors import CodecError
from kaguan.personalization.preparation.cluster import ClusterEngine, EngineAbsent, EngineUnfit, SealedCall
from kaguan.personalization.preparation.credentials import NoCredentials, make_credentials
from kaguan.personalization.preparation.engine import ChunkLost, prepared
from personalization.orders import holder
from personalization.preparation.people import deadly, slowly, unwilling, works
from personalization.preparation.test_engine import alive, here, plain, until

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[2]
SOURCE = Path(kaguan.__file__).parents[1]
KAGUAN = [sys.executable, "-m", "kaguan", "perso", "engine"]


def run(folder, *words, **changes):
    """The command's end."""
    environment = {**os.environ, "KAGUAN_ENGINE": str(folder), "PYTHONPATH": f"{TESTS}{os.pathsep}{SOURCE}", **changes}
    return subprocess.run([*KAGUAN, *words], env=environment, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a running cluster with two workers."""
    folder = tmp_path_factory.mktemp("engine") / "it"
    up = run(folder, "up", "--workers", "2", "--port", "0")
    assert up.returncode == 0, up.stderr
    yield folder
    assert run(folder, "down").returncode == 0


@pytest.fixture
def address(folder):
    """Its address."""
    return json.loads((folder / "engine.json").read_bytes())["address"]


def worker_pids(engine):
    """The process ids of the workers."""
    return [pid for pid in engine._client.run(os.getpid, on_error="return").values() if isinstance(pid, int)]


def test_the_cluster_prepares_what_this_process_prepares(address, folder):
    with ClusterEngine(address, folder) as engine:
        assert engine.workers == 2
        assert plain(prepared(works(95), engine)) == here(95)


@pytest.mark.parametrize("seed", range(4))
def test_killed_workers_cost_a_retry_each(seed, address, folder):
    luck = random.Random(seed)
    with ClusterEngine(address, folder) as engine:
        until(lambda: len(worker_pids(engine)) == 2)
        victim = luck.choice(worker_pids(engine))
        killer = threading.Timer(luck.uniform(0.05, 0.6), os.kill, (victim, signal.SIGKILL))
        killer.start()
        rows = plain(prepared(works(600), engine, prepare=slowly))
        killer.join()
        assert rows == here(600)
        until(lambda: not alive(victim))


def test_a_chunk_that_kills_every_worker_is_named(address, folder):
    with ClusterEngine(address, folder) as engine:
        with pytest.raises(ChunkLost, match="at cards 21 to 30: the cluster's workers died at it one after another"):
            list(prepared(works(60), engine, prepare=deadly))
        until(lambda: len(worker_pids(engine)) == 2)
        assert plain(prepared(works(30), engine)) == here(30)


def test_an_exception_comes_back_as_what_it_is(address, folder):
    with ClusterEngine(address, folder) as engine:
        with pytest.raises(RuntimeError, match="Unwilling: too long"):
            engine.submit(unwilling).result()
        with pytest.raises(CodecError, match="an amount has 4 bytes"):
            engine.submit(kaguan.apdu.codecs.decode_amount, b"").result()


def test_the_cluster_sees_nothing_of_a_person_and_no_key(address, folder):
    (work,) = works(3)
    seen = []

    def spy(dask_scheduler=None):
        return [pickle.dumps(task.run_spec) for task in dask_scheduler.tasks.values()]

    with ClusterEngine(address, folder) as engine:
        future = engine.submit(slowly, work)
        while not future.done():
            seen += engine._client.run_on_scheduler(spy)
        assert plain([future.result()]) == here(3)
        logs = repr(engine._client.get_worker_logs()) + repr(engine._client.get_scheduler_logs())
    assert any(b"run_sealed" in task for task in seen)
    for secret in (bytes(range(32)), holder(1)["cert_no"].encode(), "王䶮".encode("gb18030"), b"A0000001"):
        assert not any(secret in task for task in seen)
    assert holder(1)["cert_no"] not in logs
    assert repr(SealedCall(b"1234")) == "<SealedCall of 4 bytes>"


def test_results_do_not_pile_up_on_the_workers(address, folder):
    def held(dask_scheduler=None):
        return len(dask_scheduler.tasks)

    with ClusterEngine(address, folder) as engine:
        most = 0
        for _ in prepared(works(300), engine):
            most = max(most, engine._client.run_on_scheduler(held))
        assert most <= 8
        until(lambda: engine._client.run_on_scheduler(held) == 0)


def test_who_has_another_certificate_does_not_get_in(address, folder, tmp_path):
    make_credentials(tmp_path)
    with pytest.raises(EngineAbsent, match="no cluster with the certificate in"):
        ClusterEngine(address, tmp_path)
    with pytest.raises(NoCredentials, match="holds no engine's certificate"):
        ClusterEngine(address, tmp_path / "nothing")
    host = address.removeprefix("dask://")
    with pytest.raises(OSError, match=r"(?s)."):
        Client(f"tcp://{host}", timeout=2)
    anonymous = Security(require_encryption=True, tls_ca_file=str(folder / "engine.pem"))
    with pytest.raises((OSError, TypeError)):
        Client(f"tls://{host}", security=anonymous, timeout=2)


def listening(pids):
    """The addresses at which these processes listen."""
    said = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[3] for line in said if any(f"pid={pid}," in line for pid in pids)}


def test_it_listens_on_loopback_alone_and_no_page_says_anything(address, folder):
    pid = json.loads((folder / "engine.json").read_bytes())["pid"]
    with ClusterEngine(address, folder) as engine:
        places = listening([pid, *worker_pids(engine)])
    assert places
    assert {place.rpartition(":")[0] for place in places} == {"127.0.0.1"}
    for place in places:
        with socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2])), timeout=5) as stream:
            stream.settimeout(2)
            stream.sendall(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
            try:
                answer = stream.recv(4000)
            except (TimeoutError, ConnectionResetError):
                answer = b""
        assert not answer or b" 404 " in answer or not answer.startswith(b"HTTP"), place


def test_the_certificate_is_strictly_good_and_its_owners_alone(folder):
    check = ["openssl", "verify", "-x509_strict", "-CAfile", folder / "engine.pem", folder / "engine.pem"]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    for name in ("engine.pem", "engine.key", "engine.json", "engine.log"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert isinstance(ssl.create_default_context(cafile=folder / "engine.pem"), ssl.SSLContext)


def dask_worker(address, folder, *paths, options=()):
    """Another worker for the cluster, started by Dask's own command; what it imports is found in these folders."""
    key = str(folder / "engine.key")
    command = [sys.executable, *options, "-m", "distributed.cli.dask_worker", address.replace("dask", "tls")]
    command += ["--tls-ca-file", str(folder / "engine.pem"), "--tls-cert", str(folder / "engine.pem"), "--tls-key", key]
    command += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONNOUSERSITE": "1"}
    log = (folder / "other.log").open("wb")
    with log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def another_version(tmp_path):
    """A folder in which Kaguan is 0.0.9."""
    info = tmp_path / "kaguan-0.0.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kaguan\nVersion: 0.0.9\n")
    return (tmp_path, SOURCE, TESTS), ()


def other_files(tmp_path):
    """A folder with a Kaguan of the same version in which one file differs."""
    subprocess.run(["cp", "-r", SOURCE / "kaguan", tmp_path / "kaguan"], check=True)
    with (tmp_path / "kaguan" / "personalization" / "preparation" / "plan.py").open("a") as file:
        file.write("# changed\n")
    return (tmp_path, TESTS), ()


def no_cryptography(tmp_path):
    """A folder with every package but one."""
    site = Path(pytest.__file__).parents[1]
    for entry in site.iterdir():
        if not entry.name.lower().startswith("cryptography"):
            (tmp_path / entry.name).symlink_to(entry)
    return (tmp_path, SOURCE, TESTS), ("-S",)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (another_version, "has Kaguan 0.0.9: give it Kaguan"),
        (other_files, f"has another Kaguan {kaguan.__version__}, with other files"),
        (no_cryptography, "has no cryptography"),
    ],
)
def test_an_unfit_worker_is_named_before_work_starts(made, said, address, folder, tmp_path):
    paths, options = made(tmp_path)
    worker = dask_worker(address, folder, *paths, options=options)
    try:
        until(lambda: worker.poll() is not None or run(folder, "status").returncode)
        assert worker.poll() is None, (folder / "other.log").read_text()
        with pytest.raises(EngineUnfit, match=f"worker tls://127.0.0.1:.*{said}"):
            ClusterEngine(address, folder)
        status = run(folder, "status")
        assert status.returncode == 5
        assert said in status.stderr
    finally:
        worker.terminate()
        worker.wait()
    until(lambda: not run(folder, "status").returncode)


def test_the_commands(tmp_path):
    none = run(tmp_path / "e", "status")
    assert (none.returncode, "start one with 'kaguan perso engine up'" in none.stderr) == (4, True)
    up = run(tmp_path / "e", "up", "--workers", "1", "--port", "0")
    assert up.returncode == 0
    address = up.stdout.split()[0]
    assert address.startswith("dask://127.0.0.1:")
    assert "is up with 1 workers" in up.stdout
    again = run(tmp_path / "e", "up")
    assert (again.returncode, "in use" in again.stderr) == (5, True)
    port_taken = run(tmp_path / "other", "up", "--port", address.rpartition(":")[2])
    assert port_taken.returncode == 4
    assert "did not start" in port_taken.stderr
    assert json.loads(run(tmp_path / "e", "status", "--json").stdout) == {"address": address, "workers": 1}
    assert run(tmp_path / "e", "status", address).stdout.startswith(f"{address}: 1 workers")
    down = run(tmp_path / "e", "down")
    assert (down.returncode, down.stdout) == (0, f"{address} is down\n")
    assert not (tmp_path / "e" / "engine.key").exists()
    assert run(tmp_path / "e", "down").stdout == "no engine runs here\n"


def test_a_killed_engine_leaves_no_worker_and_its_key_is_cleared_away(tmp_path):
    up = run(tmp_path, "up", "--workers", "2", "--port", "0")
    pid = int(up.stdout.split()[-1])
    with ClusterEngine(up.stdout.split()[0], tmp_path) as engine:
        workers = worker_pids(engine)
    assert len(workers) == 2
    os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(alive, workers)))
    assert run(tmp_path, "status").returncode == 4
    assert (tmp_path / "engine.key").exists()
    assert run(tmp_path, "down").stdout == "no engine runs here\n"
    assert not (tmp_path / "engine.key").exists()


def test_an_engine_that_goes_away_at_work_is_told(tmp_path):
    up = run(tmp_path, "up", "--workers", "1", "--port", "0")
    with ClusterEngine(up.stdout.split()[0], tmp_path) as engine:
        coming = prepared(works(3000), engine, prepare=slowly)
        next(coming)
        os.kill(int(up.stdout.split()[-1]), signal.SIGKILL)
        with pytest.raises(EngineAbsent, match="went away"):
            list(coming)
