"""What all tests share: how Hypothesis works here."""

from __future__ import annotations

from hypothesis import settings

# The machines that run the tests share their cores: a slow example is no finding.
settings.register_profile("kaguan", deadline=None)
settings.load_profile("kaguan")
