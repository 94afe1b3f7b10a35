"""A Dask cluster as an `Executor`: calls go out sealed, results come back sealed, and only over TLS.

The cluster sees a function that opens, calls and seals; what it is called with is one opaque value a call. So its
logs, its memory, its task names and its spill files hold nothing of a person, and no key.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import logging
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar

import kaguan
from kaguan.apdu.errors import LinkError, RuleBroken
from kaguan.personalization.preparation.credentials import CERTIFICATE, PRIVATE_KEY, require_credentials, transit_key
from kaguan.personalization.preparation.local import WorkersDied
from kaguan.personalization.preparation.sealing import RecordKey
from kaguan.personalization.preparation.transit import dumps, loads, outcome_of, result_of

P = ParamSpec("P")
T = TypeVar("T")

SCHEME = "dask://"
PORT = 8786
CONNECT_SECONDS = 10
_ASKED_AGAIN, _ASK_SECONDS = 20, 0.1
_NEEDED = ("kaguan", "cryptography", "msgpack")
_ROOMS = ("apdu", "vault", "card_os/profile", "personalization/order", "personalization/preparation")
_THERE, _BACK = b"call", b"outcome"


class EngineAbsent(LinkError):
    """No cluster answers there, or it has gone away, or has no workers."""


class EngineUnfit(RuleBroken):
    """A worker of the cluster has another Kaguan than this, or lacks a package; nothing was prepared there."""


class SealedCall(NamedTuple):
    """A call, or its outcome, on its way."""

    blob: bytes

    def __repr__(self) -> str:
        return f"<SealedCall of {len(self.blob)} bytes>"


@cache
def source_digest() -> str:
    """What tells this Kaguan from another of the same version: its preparation, and all that it stands on."""
    top = Path(kaguan.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(file for room in _ROOMS for file in (top / room).rglob("*.[pt][yo]*")):
        if file.suffix in (".py", ".toml"):
            content = file.read_bytes()
            digest.update(f"{file.relative_to(top).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def run_sealed(call: SealedCall) -> SealedCall:
    """On a worker: the call is opened, made, and its outcome sealed."""
    worker = dask("distributed").get_worker()
    key = _key_of(str(worker.security.tls_worker_key))
    digest, function, args, kwargs = loads(key.open(0, _THERE, call.blob))
    if digest != source_digest():
        raise EngineUnfit(_unfit(worker.address, ["another Kaguan than this one"]))
    return SealedCall(key.seal(0, _BACK, outcome_of(lambda: function(*args, **kwargs))))


def dask(module: str) -> Any:
    """The module, which is Dask's.

    Raises:
        EngineAbsent: Dask is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise EngineAbsent("Dask is not installed: install kaguan[dask], or leave --engine out") from None


@cache
def _key_of(private_key: str) -> RecordKey:
    return transit_key(Path(private_key))


def security_of(folder: Path) -> Any:
    """The TLS settings of whoever shows the certificate in this folder.

    Raises:
        NoCredentials: there is none.
    """
    require_credentials(folder)
    certificate, key = str(folder / CERTIFICATE), str(folder / PRIVATE_KEY)
    parts = {
        f"tls_{part}_{kind}": path
        for part in ("client", "scheduler", "worker")
        for kind, path in (("cert", certificate), ("key", key))
    }
    return dask("distributed").Security(require_encryption=True, tls_ca_file=certificate, **parts)


class ClusterEngine(Executor):
    """The cluster at `dask://host:port`, whose certificate is in the folder.

    Dask has an `Executor` of its own, `Client.get_executor`; its futures never end when the cluster goes away.
    """

    def __init__(self, address: str, folder: Path) -> None:
        """The cluster is there, and each of its workers fit for the work.

        Raises:
            NoCredentials: the folder holds no certificate.
            EngineAbsent: nobody answers there, or there are no workers.
            EngineUnfit: a worker has another Kaguan, or lacks a package; it is named.
        """
        security = security_of(folder)
        self.address = address
        try:
            self._client = dask("distributed").Client(
                _tls(address), security=security, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineAbsent(
                f"no cluster with the certificate in {folder} answers at {address} ({type(error).__name__}): "
                "see 'kaguan perso engine status'"
            ) from None
        try:
            self.workers = self._require_fit()
        except BaseException:
            self._client.close()
            raise
        self._key = transit_key(folder / PRIVATE_KEY)
        self._out: weakref.WeakSet[Future[Any]] = weakref.WeakSet()
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a lost cluster is told by an error of ours

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The call is made on a worker. When that dies Dask makes it elsewhere; `WorkersDied` when it gives up."""
        call = SealedCall(self._key.seal(0, _THERE, dumps((source_digest(), fn, args, kwargs))))
        theirs = self._client.submit(run_sealed, call, pure=False)
        outer: Future[T] = Future()
        under_way = [theirs]  # emptied at the end: a worker keeps its result as long as anything here knows of it

        def cancel(ended: Future[T]) -> None:
            if ended.cancelled() and under_way:
                under_way[0].cancel()

        def settle(ended: Any) -> None:
            under_way.clear()
            self._settle(outer, ended)

        self._out.add(outer)
        outer.add_done_callback(cancel)
        theirs.add_done_callback(settle)
        return outer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as inherited
        """The connection is closed; the cluster stays."""
        if wait and not cancel_futures:
            wait_for(list(self._out))
        for future in list(self._out):
            future.cancel()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(wait=error is None)

    def _settle(self, outer: Future[T], theirs: Any) -> None:
        """What came of it is told, whatever it is. Called once, in a thread of Dask's."""
        if not outer.set_running_or_notify_cancel():
            return
        try:
            outer.set_result(result_of(self._key.open(0, _BACK, theirs.result().blob)))
        except CancelledError:  # its state when the scheduler is gone
            outer.set_exception(EngineAbsent(f"the cluster at {self.address} went away: start it, and run again"))
        except Exception as error:
            outer.set_exception(_translated(error))

    def _require_fit(self) -> int:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise EngineAbsent(f"the cluster at {self.address} has no workers: start some and try again") from None
        found = {package: self._ask(importlib.metadata.version, package) for package in _NEEDED}
        workers = found["kaguan"]
        digests: Mapping[str, object] = {}
        if not any(isinstance(answer, Exception) for answers in found.values() for answer in answers.values()):
            digests = self._ask(source_digest)
        for worker in workers:
            faults = [f"no {name}" for name, answers in found.items() if isinstance(answers.get(worker), Exception)]
            theirs = workers[worker]
            if not isinstance(theirs, Exception) and theirs != kaguan.__version__:
                faults.append(f"Kaguan {theirs}")
            elif worker in digests and digests[worker] != source_digest():
                faults.append(f"another Kaguan {theirs}, with other files")
            if faults:
                raise EngineUnfit(_unfit(worker, faults))
        return len(workers)

    def _ask(self, function: Callable[..., object], *args: str) -> dict[str, object]:
        """Each worker's answer, or its exception; a worker that is just dying is not waited for long."""
        for _ in range(_ASKED_AGAIN):
            answers: dict[str, object] = self._client.run(function, *args, on_error="return")
            if not any(isinstance(answer, OSError) for answer in answers.values()):
                break
            time.sleep(_ASK_SECONDS)
        return {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}


def _tls(address: str) -> str:
    host = address.removeprefix(SCHEME)
    return f"tls://{host}" if ":" in host else f"tls://{host}:{PORT}"


def _unfit(worker: str, faults: Iterable[str]) -> str:
    return (
        f"worker {worker} has {' and '.join(faults)}: give it Kaguan {kaguan.__version__} as it is here, "
        "or take it out of the cluster"
    )


def _translated(error: Exception) -> Exception:
    match type(error).__name__:
        case "KilledWorker":
            return WorkersDied("the cluster's workers died at it one after another")
        case "NoValidWorkerError":
            return EngineAbsent("the cluster has no workers any more: start some, and run again")
    return error
