"""One text format for script, trace, mock and test vector.

`parse` reads a tape, `run` plays it on cards, `Replay` answers from one; `kaguan.apdu.trace` writes one.

    .define FACTOR 86600201          # bytes with a name
    .reset [3B 6D *] -> SERIAL = [-8:]
    00A40000023F00 [6F16 840F XX*] (9000,61XX)   // expected data and status words
    0084000008 (9000) -> RANDOM = [0:8]          # keep a part of the answer
    0082000A10 ${encipher(SERIAL, RANDOM)} ${copy(RANDOM, 1, 16)}=   # calls functions of the runner; = means (9000)
    > 0084000004                     # as logs have it: the answer on a line of its own, its status word last
    < 01020304 9000
    805C000204 SW: 9000              # = 9000 is the same
    .repeat 3
        0020000003 112233 (63CX)
    .end
    .card 1                          # speak to another card, counted from 0
    .include balance.apdu

X is any nibble; * or .. at the end is any rest; a backslash at the end of a line continues it.
"""

from kaguan.apdu.tape.model import Pattern, Tape
from kaguan.apdu.tape.parse import parse
from kaguan.apdu.tape.replay import Replay
from kaguan.apdu.tape.run import Exchange, Verdict, run
from kaguan.apdu.tape.scope import Functions

__all__ = ["Exchange", "Functions", "Pattern", "Replay", "Tape", "Verdict", "parse", "run"]
