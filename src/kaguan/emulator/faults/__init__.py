"""Faults put in on purpose: what cards, readers and cables do at the worst moment, as often as one likes.

    link = Faults("lose@CREDIT FOR LOAD", "slow:0.01", seed=7).on(card)

A fault is `KIND[@WHEN][:VALUE]`.

KIND   what goes wrong                                           VALUE
tear   the power fails during a command that writes              after so many physical writes; else at random
mute   the card does not hear the command, nor any until a reset
lose   the card does what it was told; its answer is lost
remove the card is pulled out before the command
garble some bits of the answer are wrong                         how many, 1
sw     the answer is this status word, the card did its part     the status word, 6F00
late   the answer comes late                                     seconds, 1
worn   writes to a worn-out part of the memory fail with 6581    file (DF04/EF08), application (DF04) or * for all

WHEN   7        the 7th command since the card was put in, once
       NAME     a command of this name in the table of commands, once; NAME#2 the second of them
       5%       each command with this probability
       nothing  each command

`worn` is always. After `tear`, `lose`, `mute` and `remove` the card wants a reset. Where there is a choice, it hangs on
the seed alone, so that a run can be repeated.
"""

from kaguan.emulator.faults.fault import Fault, FaultError, FaultKind
from kaguan.emulator.faults.inject import Faults, FaultyCard, tearing

__all__ = ["Fault", "FaultError", "FaultKind", "Faults", "FaultyCard", "tearing"]
