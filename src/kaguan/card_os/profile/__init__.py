"""What the standard says exists on a card: dedicated files, files, fields, keys, PINs, purses and their rules.

The one part of `card_os` that host code may read.
"""

from kaguan.card_os.profile.model import (
    CardProfile,
    DedicatedSpec,
    FieldSpec,
    FileKind,
    FileSpec,
    KeySpec,
    PinSpec,
    PurseSpec,
)
from kaguan.card_os.profile.parse import load_profile, parse_profile, profile_names
from kaguan.card_os.profile.rules import FREE, NEVER, AccessRule

__all__ = [
    "FREE",
    "NEVER",
    "AccessRule",
    "CardProfile",
    "DedicatedSpec",
    "FieldSpec",
    "FileKind",
    "FileSpec",
    "KeySpec",
    "PinSpec",
    "PurseSpec",
    "load_profile",
    "parse_profile",
    "profile_names",
]
