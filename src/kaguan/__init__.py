"""Kaguan (卡管): a social security card emulator and a card-management system in one."""

__version__ = "0.1.0"
