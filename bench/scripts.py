"""How fast scripts are read, each dialect against `bytes.fromhex` over the same lines. Aim: 5,000 lines in a second."""

from __future__ import annotations

from kaguan.terminal.scripts import Dialect, read_script
from measure import Figure, best_rate, show

LINES = 5_000
AIM = 5_000
COMMAND = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
BYTES = bytes.fromhex(COMMAND)

CPU_LINES = (
    "0084000008(RANDOM+9000)",
    "F=LAST(RANDOM,8)",
    "ECB_3DES_EN(RANDOM,000102030405060708090A0B0C0D0E0F,OUT) //外部认证",
    "0082000108+OUT+COPY(RANDOM,1,8)(9000)",
)
TAPE_LINES = (
    f"{COMMAND} [6F1684 *] (9000,61XX)  # a comment",
    "0084000008 = -> RANDOM = [0:8]",
    "0082000108 ${tdes(KEY, RANDOM)} ${RANDOM} (9000)",
    "00B2080000",
)
SCRIPTS = {
    Dialect.TAPE: "\n".join(TAPE_LINES[number % len(TAPE_LINES)] for number in range(LINES)),
    Dialect.SCRIPTOR: f"{BYTES.hex(' ')}\n" * LINES,
    Dialect.APDUTOOL: (" ".join(f"0x{byte:02X}" for byte in BYTES) + " 0x7F; // a comment\n") * LINES,
    Dialect.CPU: "\n".join(CPU_LINES[number % len(CPU_LINES)] for number in range(LINES)),
}


def main() -> None:
    """Measure and print."""
    lines = [COMMAND] * LINES
    floor = best_rate(lambda: [bytes.fromhex(line) for line in lines], LINES, calls_at_once=1)
    figures = [Figure("bytes.fromhex, the floor", floor)]
    for dialect, text in SCRIPTS.items():
        rate = best_rate(lambda: read_script(text, "bench", dialect), LINES, calls_at_once=1)  # noqa: B023
        figures.append(Figure(f"lines of {dialect}", rate, floor, AIM))
    show("scripts read, lines", figures)


if __name__ == "__main__":
    main()
