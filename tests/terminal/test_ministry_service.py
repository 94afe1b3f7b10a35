"""The local service, called by a WebSocket client that we did not write."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from card.cards import specimen
from kaguan.apdu.chaining import Layer
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.ministry import MinistryTerminal
from kaguan.terminal.ministry.service import LARGEST_MESSAGE, MOST_CONNECTIONS, Service
from terminal.doors import card_file
from terminal.office import BASIC, INFO, Typing, hsm, psam

PAGE = "https://hall.example"
SECONDS = 20


class Watched(Layer):
    """A card that notices whether two hands are at it at once, or a call is broken into by another."""

    busy = False

    def transceive(self, command: bytes) -> bytes:
        assert not self.busy
        self.busy = True
        try:
            return self.link.transceive(command)
        finally:
            self.busy = False


def served(visit: Callable[[str], Awaitable[None]]) -> None:
    """The visit to a service at the specimen that ends in time."""
    card, module = Watched(EmulatedCard(specimen())), psam()

    async def run() -> None:
        service = Service(lambda: MinistryTerminal(card, module, Typing()), [PAGE, None])
        async with service.listening() as address:
            await asyncio.wait_for(visit(address), SECONDS)

    asyncio.run(run())


async def ask(page: ClientConnection, **call: Any) -> dict[str, Any]:
    await page.send(json.dumps(call))
    answer: dict[str, Any] = json.loads(await page.recv())
    return answer


def test_the_sample_of_the_interface() -> None:
    async def visit(address: str) -> None:
        async with connect(address, origin=PAGE) as page:
            answer = await ask(page, function="iReadCardBas", iType=3)
            assert answer == {
                "functionName": "iReadCardBas",
                "success": 1,
                "errorno": 0,
                "pOutInfo": BASIC.replace("000000000000", "200101000001"),
            }
            named = {"iType": "1", "iAuthType": 2, "pCardInfo": INFO, "pFileAddr": "DF02EF15|0F|$"}
            answer = await ask(page, function="iReadCard", **named)
            assert answer["pOutInfo"] == "DF02EF15|20200201|$"
            assert (await ask(page, function="iReadCardBas", iType=2))["success"] == -2

    served(visit)


def test_it_listens_on_loopback_alone() -> None:
    async def visit(address: str) -> None:
        port = int(address.rpartition(":")[2])
        others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
        for other in (*others - {"127.0.0.1"}, "127.0.0.2"):
            with pytest.raises(OSError):
                socket.create_connection((other, port), timeout=1).close()

    served(visit)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://hall.example",
        "https://hall.example.evil.example",
        "null",
        "https://hall.example:8443",
    ],
)
def test_pages_of_other_origins_do_not_get_in(origin: str) -> None:
    async def visit(address: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, origin=origin)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403

    served(visit)


def test_a_program_without_origin_gets_in_only_when_that_is_allowed() -> None:
    async def visit(address: str) -> None:
        async with connect(address) as program:
            assert (await ask(program, function="iVerifyPIN", iType=1))["success"] == 1
        strict = Service(lambda: MinistryTerminal(EmulatedCard(specimen())), [PAGE])
        async with strict.listening() as other:
            with pytest.raises(InvalidStatus):
                await connect(other)

    served(visit)


def test_what_is_no_call_is_answered_and_the_connection_goes_on() -> None:
    async def visit(address: str) -> None:
        async with connect(address, origin=PAGE) as page:
            for message, number in (("{", -14), (b"\xff\x00", -14), ("[" * 30_000, -14), ('{"function": "eval"}', -13)):
                await page.send(message)
                assert json.loads(await page.recv())["errorno"] == number
            assert (await ask(page, function="iReadCardBas", iType=3))["success"] == 1

    served(visit)


def test_a_message_that_is_too_long_ends_the_connection_alone() -> None:
    async def visit(address: str) -> None:
        async with connect(address, origin=PAGE) as page:
            await page.send("x" * (LARGEST_MESSAGE + 1))
            with pytest.raises(ConnectionClosedError) as closed:
                await page.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        async with connect(address, origin=PAGE) as page:
            assert (await ask(page, function="iReadCardBas", iType=3))["success"] == 1

    served(visit)


def test_one_call_at_a_time_is_at_the_card() -> None:
    async def visit(address: str) -> None:
        named = {"iType": 1, "iAuthType": 1, "pCardInfo": INFO, "pFileAddr": "DF04EF06|90|$"}

        async def read(times: int) -> None:
            async with connect(address, origin=PAGE) as page:
                for _ in range(times):
                    answer = await ask(page, function="iReadCard", **named)
                    assert answer["pOutInfo"] == "DF04EF06|0|$"

        await asyncio.gather(*(read(5) for _ in range(8)))

    served(visit)


def test_each_page_has_its_own_steps() -> None:
    async def visit(address: str) -> None:
        async with connect(address, origin=PAGE) as one, connect(address, origin=PAGE) as other:
            asked = await ask(one, function="iReadCardBas_HSM_Step1", iType=1)
            results = hsm().basic(asked["pOutInfo"])
            assert (await ask(other, function="iReadCardBas_HSM_Step2", pKey=results))["success"] == -12
            assert (await ask(one, function="iReadCardBas_HSM_Step2", pkey=results))["success"] == 1

    served(visit)


def test_there_is_an_end_to_connections() -> None:
    async def visit(address: str) -> None:
        pages = [await connect(address, origin=PAGE) for _ in range(MOST_CONNECTIONS)]
        for page in pages:
            assert (await ask(page, function="x"))["success"] == -13
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, origin=PAGE)
        assert refused.value.response.status_code == 503
        for page in pages:
            await page.close()
        async with connect(address, origin=PAGE) as page:
            assert (await ask(page, function="x"))["success"] == -13

    served(visit)


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    card = card_file(tmp_path)
    pins = tmp_path / "pins"
    pins.write_text("123456\n")
    options = ["--card", str(card), "--pin-file", str(pins), "--allow-origin", PAGE]
    words = [sys.executable, "-u", "-m", "kaguan", "ministry", "serve", *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"ws://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found

        async def visit() -> None:
            async with connect(found[0], origin=PAGE) as page:  # type: ignore[arg-type]
                assert (await ask(page, function="iReadCardBas", iType=3))["pOutInfo"] == BASIC
                assert (await ask(page, function="iVerifyPIN", iType=3))["success"] == 1
                await page.send("{")

        asyncio.run(visit())
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, out, err) == (0, "", "")
    finally:
        process.kill()
