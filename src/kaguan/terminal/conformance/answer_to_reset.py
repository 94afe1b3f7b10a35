"""ATR: what the card says when it gets power (LD/T 32.2: 3B 6D 00 00, then 13 historical bytes)."""

from __future__ import annotations

from kaguan.terminal.conformance.bench import Bench
from kaguan.terminal.script import Script

CHIP_MAKERS = "chip_maker"
_PREFIX = "the first bytes say protocol T=0 at 9600 baud, and how many historical bytes follow"


def check_reset(bench: Bench) -> Script[None]:
    """The answer to reset has the form that the profile says."""
    profile, atr = bench.profile, bench.atr
    evidence = str(profile.confidence.get("answer_to_reset.prefix", ""))
    prefix = profile.atr_prefix
    _judge(bench, "the prefix", atr[: len(prefix)].hex().upper(), prefix.hex().upper(), _PREFIX, evidence)
    count = prefix[1] & 0x0F
    historical = atr[len(prefix) :]
    _judge(bench, "historical bytes", str(len(historical)), str(count), "T0 says how many there are", evidence)
    makers = profile.codes.get(CHIP_MAKERS)
    maker = historical[:2].hex().upper()
    if makers is not None and maker not in makers.values:
        if makers.closed:
            bench.failed("the chip maker", "one of the list", maker, f"not in the list {makers.title}", command="reset")
        else:
            bench.not_covered("the chip maker", f"{maker} is none of the makers that are known to the profile")
    else:
        bench.passed("the chip maker", received=maker)
    yield from ()


def check_same_again(bench: Bench) -> Script[None]:
    """Another reset has brought the same answer."""
    received, first = bench.reset_answer.hex().upper(), bench.atr.hex().upper()
    _judge(bench, "the same after another reset", received, first, "the ATR changes", "")
    yield from ()


def _judge(bench: Bench, title: str, received: str, expected: str, meaning: str, evidence: str) -> None:
    if received == expected:
        bench.passed(title, received=received, evidence=evidence)
    else:
        bench.failed(title, expected, received, meaning, command="reset", evidence=evidence)
