"""The ministry's calls through a real pcscd, and from a page in a real browser."""

from __future__ import annotations

import asyncio
import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from card.cards import DF04, funded, specimen
from card.modules import module
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.vpcd import InsertedCard
from kaguan.terminal.ministry import MinistryTerminal, Slot
from kaguan.terminal.ministry.service import Service
from kaguan.terminal.pcsc import open_reader, wait_for_card, wait_for_removal
from outside.programs import need
from outside.readers import Readers
from terminal.doors import call
from terminal.office import BASIC, INFO, OWN, PAYMENT, Typing, with_own_pin

pytestmark = pytest.mark.slow

NOTICING_SECONDS = 5
BROWSING_SECONDS = 60
PAGE = """<!doctype html><script>
const socket = new WebSocket("%s")
const tell = text => fetch("/told", {method: "POST", body: text})
socket.onopen = () => socket.send(JSON.stringify({function: "iReadCardBas", iType: 3}))
socket.onmessage = event => tell(event.data)
socket.onerror = () => tell("refused")
</script>"""


def test_a_card_and_a_module_in_two_readers(readers: Readers) -> None:
    """Read, write, pay; the card changed for another; taken out."""
    card, unit = EmulatedCard(with_own_pin()), EmulatedCard(module())
    slot, psam = Slot(lambda: open_reader("0")), Slot(lambda: open_reader("1"))
    terminal = MinistryTerminal(slot, psam, Typing(OWN))
    with InsertedCard(unit, port=readers.ports[1]):
        assert wait_for_card("1", timeout_seconds=NOTICING_SECONDS)
        assert terminal.iReadCardBas(3).number == -2
        with InsertedCard(card, port=readers.ports[0]):
            assert wait_for_card("0", timeout_seconds=NOTICING_SECONDS)
            assert terminal.iReadCardBas(3) == (0, BASIC.replace("000000000000", "200101000001"))
            assert (
                terminal.iReadCard(1, 2, INFO, "DF02EF15|99:01|0F|$").out == "DF02EF15|101,20200201,990101|20200201|$"
            )
            assert terminal.iWriteCard(1, INFO, "SSSEEF06|09|$", "SSSEEF06|李四|$").number == 0
            assert terminal.iDoDebit(1, INFO, PAYMENT).number == 0
            assert terminal.iReadDebitRecord(1).out.startswith("0000|2|200101000001|20240101120000|00000010|")
            assert card.image.purses[DF04 + b"\x01"].balance_fen == 990
            assert terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$").number == 0
        assert wait_for_removal("0", timeout_seconds=NOTICING_SECONDS)
        assert terminal.iReadCard_HSM_Step2("0" * 32).number in (-2, -4)
        with InsertedCard(EmulatedCard(funded(0)), port=readers.ports[0]):
            assert wait_for_card("0", timeout_seconds=NOTICING_SECONDS)
            assert terminal.iReadCardBas(3).number == 0
            slot.close()
            ended = call("ministry", "iReadCardBas", "3", "--reader", "0")
            assert (ended.code, ended.lines) == (0, ["0", BASIC])
        assert wait_for_removal("0", timeout_seconds=NOTICING_SECONDS)
        psam.close()
    assert wait_for_removal("1", timeout_seconds=NOTICING_SECONDS)


@contextmanager
def site() -> Iterator[tuple[str, dict[str, str], queue.Queue[str]]]:
    """A site, its pages by their paths, and what they tell it."""
    told: queue.Queue[str] = queue.Queue()
    pages: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        """Gives the page and takes what it tells."""

        def do_GET(self) -> None:
            body = pages.get(self.path, "").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            told.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", pages, told
        finally:
            server.shutdown()


def browsed(address: str, told: queue.Queue[str], folder: Path) -> str:
    """What the page tells its site when a browser shows it."""
    words = [need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", address]
    browser = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return told.get(timeout=BROWSING_SECONDS)
    finally:
        browser.terminate()
        browser.wait(timeout=BROWSING_SECONDS)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_page_of_an_allowed_origin_reads_the_card_and_a_foreign_one_does_not(tmp_path: Path, allowed: bool) -> None:
    card = EmulatedCard(specimen())

    async def run() -> str:
        with site() as (address, pages, told):
            origins = [address if allowed else "http://127.0.0.1:1"]
            async with Service(lambda: MinistryTerminal(card), origins).listening() as service:
                pages["/"] = PAGE % service
                return await asyncio.to_thread(browsed, address, told, tmp_path)

    answer = asyncio.run(run())
    if allowed:
        assert json.loads(answer)["pOutInfo"] == BASIC
    else:
        assert answer == "refused"
