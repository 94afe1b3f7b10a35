"""What this machine has and lacks for everything that Kaguan can do, and the one command that mends each lack."""

from kaguan.doctor.checks import CHECKS, Check, Finding, Verdict, examine

__all__ = ["CHECKS", "Check", "Finding", "Verdict", "examine"]
