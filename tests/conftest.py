"""What all tests share: how Hypothesis works here."""

from __future__ import annotations

import signal

from hypothesis import settings

# The machines that run the tests share their cores: a slow example is no finding.
settings.register_profile("kaguan", deadline=None)
settings.load_profile("kaguan")

# A run in the background has Ctrl-C ignored, and so would the programs that tests start and then interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
