"""GET DATA: this card keeps no data objects outside its files.

It knows the command all the same, so that programs which ask every card (serial numbers, GlobalPlatform data) hear that
the object is absent and not that the card is broken.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import card_code
from kaguan.card_os.outcome import Outcome, Refuse, View


def get_data(view: View, command: CommandApdu) -> Outcome:
    """Refuses, in this order: 6A88 whatever is asked for."""
    raise Refuse(0x6A88)


def get_card_code(view: View, command: CommandApdu) -> Outcome:
    """Answer the card's authentication code, nine bytes (CJ/T 166).

    Refuses, in this order: 6A86 P1 or P2, 6700 data, 6A88 the card has none.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if command.data:
        raise Refuse(0x6700)
    code = card_code(view.image)
    if not code:
        raise Refuse(0x6A88)
    return Outcome(code, 0x9000, view.session)
