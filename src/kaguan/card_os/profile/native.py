"""What a native operating system (FMCOS 2.0) is built with: sizes, limits, and status words that no public text fixes.

The profile's file says how sure each of them is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Native(NamedTuple):
    """`master_file` and `key_file` are the data fields of CREATE FILE, `transport_key` that of WRITE KEY, with which
    the factory made the card. `file_exists` and the words after it are status words. A key whose record names the
    `mute_algorithm` makes MAC1s of zeros. `bare_without_key_file`: the FCI of a dedicated file shows its name alone
    until it has a key file. `key_alone`: WRITE KEY over a key may bring its new value and nothing else."""

    memory_bytes: int = 8192
    header_bytes: int = 11
    purse_bytes: int = 22
    levels: int = 3
    longest_record_bytes: int = 248
    longest_data_bytes: int = 0xFFFF
    shortest_name_bytes: int = 5
    longest_name_bytes: int = 16
    erased: int = 0xFF
    purse_needs_pin: bool = True
    module_keys: bool = False
    master_file: bytes = b""
    key_file: bytes = b""
    transport_key: bytes = b""
    ats_prefix: bytes = b""
    file_exists: int = 0x6A86
    key_exists: int = 0x6A80
    no_key_file: int = 0x6A82
    too_deep: int = 0x6A84
    protection_differs: int = 0x6900
    mute_algorithm: int | None = None
    bare_without_key_file: bool = False
    key_alone: bool = False

    def __repr__(self) -> str:
        """Without the settings: one of them is a key."""
        return "<Native>"


_BYTES = ("master_file", "key_file", "transport_key", "ats_prefix")
_WORDS = ("file_exists", "key_exists", "no_key_file", "too_deep", "protection_differs")


def parse_native(table: Mapping[str, Any]) -> Native:
    """The settings that this part of a profile gives, the rest at their defaults; bytes and status words are hex.

    Raises:
        ValueError: an unknown name, or no hex.
    """
    unknown = table.keys() - Native._field_defaults.keys()
    if unknown:
        raise ValueError(f"behaviour.native has no setting '{min(unknown)}'")
    given = dict(table)
    given |= {name: bytes.fromhex(table[name]) for name in _BYTES if name in table}
    given |= {name: int(table[name], 16) for name in _WORDS if name in table}
    return Native(**given)
