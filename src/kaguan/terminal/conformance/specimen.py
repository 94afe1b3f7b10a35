"""Whether a card is a specimen, whose keys everybody knows."""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conformance.rights import irk_fits
from kaguan.terminal.script import Script

_IDENT_CODE = CommandApdu(0x00, 0xB2, 0x01, 0x04, b"", 256)


def is_specimen(keys: CardKeys) -> Script[bool]:
    """Whether the card shows that it has these keys: by INTERNAL AUTHENTICATE, or by the MAC in its identification
    code. Either is enough, so that a specimen with one fault is still one, and fails."""
    spec, file = keys.profile.by_name["SSSE"], keys.profile.file("SSSE", "EF05")
    if not (yield CommandApdu.of("00A40400", spec.df_name, 256)).sw.ok:
        return True  # no card of ours at all: that is found in every chapter
    if (yield from irk_fits(keys)):
        return True
    yield CommandApdu.of("00A40000", file.fid.to_bytes(2, "big"))
    code = (yield _IDENT_CODE).data[2:]
    return len(code) == 16 and hmac.compare_digest(keys.vault.mac(keys.ref("SSSE.IRK"), code[:12]), code[12:])
