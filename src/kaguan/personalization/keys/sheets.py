"""Sheets: one share on one page, for a printer; and the list of sheets that says which there should be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kaguan.durable import sync_folder
from kaguan.vault.secret import CheckValue
from kaguan.vault.share import Share, ShareSet

_OWNER_ONLY, _OWNER_FOLDER = 0o600, 0o700


def sheet_text(share: Share, custodian: str, value: CheckValue) -> str:
    """The page: as secret as the share, and without a word of any other."""
    of = share.set
    return "\n".join(
        (
            f"KEY SHARE  密钥份额                         sheet {share.sheet_number}",
            "=" * 66,
            f"custodian    {custodian}",
            f"store        {of.kind}",
            f"key          {of.usage}, {of.algorithm}",
            f"set          {of.number.hex().upper()}, any {of.threshold} of {of.count} shares make the key",
            f"check value  {value}",
            "",
            *share.reveal_lines(),
            "",
            "The last two characters of a line are its check. There is no I, L, O or U.",
            "Read the sheet number to the keeper of the list, then seal this sheet in an",
            "envelope with a number of its own, sign across the flap, and lock it away.",
            "If the sheet number is not on the list, or the envelope is not as you left it,",
            "say so before anybody enters a share: the key is then made anew.",
            "\f",
        )
    )


def write_sheets(folder: Path, shares: Mapping[str, Share], value: CheckValue) -> list[Path]:
    """Each share is in a file of its own that its owner alone may read; nothing was overwritten.

    Raises:
        FileExistsError: a sheet of that number is there already.
        OSError: no room or no right.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=_OWNER_FOLDER)
    written = []
    for custodian, share in shares.items():
        path = folder / f"share-{share.set.number.hex().upper()}-{share.number:02}.txt"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sheet_text(share, custodian, value).encode())
            file.flush()
            os.fsync(file.fileno())
        written.append(path)
    sync_folder(folder)
    return written


def sheet_list(of: ShareSet, shares: Mapping[str, Share], value: CheckValue) -> str:
    """The list of all sheets, which holds no secret: a sheet that is not on it, or missing, is noticed."""
    rows = [f"  {share.sheet_number}  {custodian}" for custodian, share in shares.items()]
    return "\n".join((f"set {of}", f"check value {value}", "sheets", *rows))
