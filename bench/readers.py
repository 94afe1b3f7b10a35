"""Round trips through pcscd and vpcd: SELECT + READ on a card, against a responder that always answers 9000.

Both are in the two slots of one pcscd and are asked in turn, so that what disturbs one disturbs the other, and then
with their slots exchanged, for a slot may be the faster one. The figure is the median of the ratios, round by round;
when the middle half of the rounds reaches below 1, the machine was noisier than the difference.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from kaguan.emulator.readers.service import SOCKET_VARIABLE, private_service
from kaguan.terminal.pcsc import PcscLink, open_reader, wait_for_card

SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
SELECT_EF = bytes.fromhex("00A4000002EF05")
READ = bytes.fromhex("00B207000B")
ROUNDS, WARM_UP, PAIRS = 60, 5, 100
AIM = 1.15

BODY = """
import sys, time
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.vpcd import InsertedCard
from kaguan.personalization.specimen import specimen_card

class Responder:
    atr = specimen_card(load_profile("ssc-v2")).atr
    def transceive(self, command): return b"\\x90\\x00"
    def reset(self): return self.atr
    def close(self): pass

made = Responder() if sys.argv[1] == "responder" else EmulatedCard(specimen_card(load_profile("ssc-v2")).image)
with InsertedCard(made, port=int(sys.argv[2])):
    sys.stdin.read()
"""


def body(kind: str, port: int) -> subprocess.Popen[bytes]:
    """A card, or a responder, in a process of its own until its standard input ends."""
    return subprocess.Popen([sys.executable, "-c", BODY, kind, str(port)], stdin=subprocess.PIPE)


def microseconds(link: PcscLink) -> float:
    """What a pair of SELECT and READ takes, the median of one round."""
    taken = []
    for _ in range(PAIRS):
        begun = time.perf_counter_ns()
        link.transceive(SELECT_EF)
        link.transceive(READ)
        taken.append(time.perf_counter_ns() - begun)
    return statistics.median(taken) / 1000


def rounds_with(folder: Path, *kinds: str) -> list[tuple[float, float]]:
    """Card and responder, microseconds a pair, round by round, each kind in its slot."""
    folder.mkdir()
    with private_service(folder, 2) as service:
        os.environ[SOCKET_VARIABLE] = str(service.socket)
        bodies = [body(kind, port) for kind, port in zip(kinds, service.ports, strict=True)]
        try:
            assert all(wait_for_card(name, timeout_seconds=10) for name in service.names)
            with closing(open_reader("0")) as first, closing(open_reader("1")) as second:
                links = dict(zip(kinds, (first, second), strict=True))
                links["card"].transceive(SELECT_SSSE)
                assert links["card"].transceive(SELECT_EF) == b"\x90\x00"
                assert links["card"].transceive(READ)[-2:] == b"\x90\x00"
                rounds = []
                for number in range(ROUNDS + WARM_UP):
                    times = {kind: microseconds(links[kind]) for kind in (kinds if number % 2 else kinds[::-1])}
                    rounds.append((times["card"], times["responder"]))
        finally:
            for process in bodies:
                process.communicate()
    return rounds[WARM_UP:]


def arrangement() -> None:
    """Measure one arrangement and print its rounds: the PC/SC library finds one service a process."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        print(json.dumps(rounds_with(Path(folder) / "service", *sys.argv[1:])))


def main() -> None:
    """Measure both arrangements and print."""
    measured: list[tuple[float, float]] = []
    for kinds in (("card", "responder"), ("responder", "card")):
        done = subprocess.run([sys.executable, __file__, *kinds], stdout=subprocess.PIPE, check=True)
        measured += json.loads(done.stdout)
    ours, floor = (statistics.median(column) for column in zip(*measured, strict=True))
    low, ratio, high = statistics.quantiles((card / responder for card, responder in measured), n=4)
    print("\nSELECT EF + READ RECORD through pcscd and vpcd, microseconds a pair")
    print(f"  {'a responder that always answers 9000':<46}{floor:>10,.0f}")
    print(f"  {'the card':<46}{ours:>10,.0f}")
    print(
        f"  {'the card is so many times the responder':<46}{ratio:>10.3f}  half of the rounds {low:.2f} to {high:.2f}"
        f"  aim {AIM}: {'met' if ratio <= AIM else 'MISSED'}"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        arrangement()
    else:
        main()
