"""The ministry's terminal calls: `MinistryTerminal` has them all, `Hsm` helps with those in steps.

terminal = MinistryTerminal(card, psam, FilePinPad(Path("pin")))
number, out = terminal.iReadCardBas(3)
"""

from kaguan.terminal.ministry.calls import CALLS, Answer, Call, arguments
from kaguan.terminal.ministry.hsm import CardName, Hsm, call_with_hsm
from kaguan.terminal.ministry.number import FALLBACK, CallFailed, Number, meaning
from kaguan.terminal.ministry.pinpad import AskingPinPad, FilePinPad, NoPinPad, PinPad, PinPurpose
from kaguan.terminal.ministry.settings import Contacts, Settings, default_settings, parse_settings
from kaguan.terminal.ministry.slot import Slot
from kaguan.terminal.ministry.terminal import MinistryTerminal

__all__ = [
    "CALLS",
    "FALLBACK",
    "Answer",
    "AskingPinPad",
    "Call",
    "CallFailed",
    "CardName",
    "Contacts",
    "FilePinPad",
    "Hsm",
    "MinistryTerminal",
    "NoPinPad",
    "Number",
    "PinPad",
    "PinPurpose",
    "Settings",
    "Slot",
    "arguments",
    "call_with_hsm",
    "default_settings",
    "meaning",
    "parse_settings",
]
