"""GET DATA: this card keeps no data objects outside its files.

It knows the command all the same, so that programs which ask every card (serial numbers, GlobalPlatform data) hear that
the object is absent and not that the card is broken.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.outcome import Outcome, Refuse, View


def get_data(view: View, command: CommandApdu) -> Outcome:
    """Refuses: 6A88, whatever is asked for."""
    raise Refuse(0x6A88)
