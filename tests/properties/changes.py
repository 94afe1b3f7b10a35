"""What a command may leave behind, in memory and in the session, and with which answer.

The tables are written here once more, apart from the chip: what is not in them must not happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaguan.card_os.image import MASTER_FILE, CardImage, Lifecycle, internal_file
from kaguan.card_os.profile.rules import DF_STATE, MF_STATE
from kaguan.card_os.session import FRESH, SPENT, TRANSPORT_RIGHT, settled

if TYPE_CHECKING:
    from properties.judge import Step

PARTS = ("lifecycle", "dedicated", "files", "keys", "pins", "purses")
_EVERYTHING = frozenset(PARTS)
_MONEY = frozenset({"purses", "files"})

TRANSACTIONS = {
    "CREDIT FOR LOAD",
    "DEBIT FOR PURCHASE",
    "DEBIT FOR PURCHASE (medical)",
    "UPDATE OVERDRAW LIMIT",
    "DEBIT FOR UNLOAD",
}
_WRITES_FILES = {
    "UPDATE BINARY",
    "UPDATE RECORD",
    "APPEND RECORD",
    "UPDATE BINARY (protected)",
    "UPDATE RECORD (protected)",
    "APPEND RECORD (protected)",
    "INITIALIZE SAM FOR PURCHASE",
    "INITIALIZE SAM FOR PURCHASE (medical)",
}
MAY_WRITE: dict[str, frozenset[str]] = {
    **dict.fromkeys(TRANSACTIONS, _MONEY),
    **dict.fromkeys(_WRITES_FILES, frozenset({"files"})),
    "VERIFY": frozenset({"pins"}),
    "CHANGE PIN": frozenset({"pins"}),
    "PIN UNBLOCK": frozenset({"pins"}),
    "PIN UNBLOCK (purse)": frozenset({"pins", "keys"}),
    "RELOAD PIN": frozenset({"pins", "keys"}),
    "EXTERNAL AUTHENTICATE": frozenset({"keys"}),
    "CREDIT SAM FOR PURCHASE": frozenset({"keys"}),
    "APPLICATION BLOCK": frozenset({"dedicated"}),
    "APPLICATION UNBLOCK": frozenset({"dedicated"}),
    "CARD BLOCK": frozenset({"lifecycle"}),
    "APPLICATION BLOCK (purse)": frozenset({"dedicated", "keys"}),
    "APPLICATION UNBLOCK (purse)": frozenset({"dedicated", "keys"}),
    "CARD BLOCK (purse)": frozenset({"lifecycle", "keys"}),
    "CREATE FILE": frozenset({"dedicated", "files", "purses"}),
    "CREATE FILE (native)": frozenset({"dedicated", "files", "purses"}),
    "DELETE FILE": _EVERYTHING - {"lifecycle"},
    "ERASE DF": _EVERYTHING - {"lifecycle"},
    "ACTIVATE FILE": frozenset({"lifecycle", "keys"}),
    "WRITE KEY": frozenset({"keys", "pins"}),
    "WRITE KEY (security module)": frozenset({"keys"}),
    "WRITE KEY (native)": frozenset({"keys", "pins", "purses"}),
    "WRITE KEY (native, protected)": frozenset({"keys", "pins", "purses"}),
}
"""Parts of the memory that a command changes when it is done."""

_ISSUER = {
    "RELOAD PIN": 0x9302,
    "PIN UNBLOCK (purse)": 0x6988,
    "APPLICATION BLOCK (purse)": 0x6988,
    "APPLICATION UNBLOCK (purse)": 0x6988,
    "CARD BLOCK (purse)": 0x6988,
    "CREDIT SAM FOR PURCHASE": 0x9302,
}
ENDED = 0x9303
_SHOWING = {"VERIFY", "EXTERNAL AUTHENTICATE"}
_OPENS = {"INITIALIZE", "UPDATE COMPOSITE"}
_SETS_VALUES = {"CHANGE PIN", "PIN UNBLOCK", "PIN UNBLOCK (purse)", "RELOAD PIN", "DELETE FILE", "ERASE DF"}


def of_memory(step: Step) -> str:
    """What the command changed in memory and must not have, nothing when all is well."""
    before, after = step.before, step.after
    if before is after:
        return _must_cost(step)
    changed = {part for part in PARTS if getattr(before, part) != getattr(after, part)}
    if (before.profile, before.atr) != (after.profile, after.atr):
        return "the card is another"
    if not step.done:
        return _of_refusal(step, changed)
    if not changed <= MAY_WRITE.get(step.name, frozenset()):
        return f"it changed {sorted(changed)}"
    if before.purses is not after.purses and step.name in TRANSACTIONS:
        return _of_money(step)
    return _of_values(step)


def _must_cost(step: Step) -> str:
    """A wrong try that cost nothing."""
    if step.sw & 0xFFF0 == 0x63C0 and len(step.raw) > 7:
        return "a wrong try cost nothing"
    uncounted = step.name == "CREDIT SAM FOR PURCHASE" and not step.behaviour.module.wrong_mac2_ends
    if step.sw == 0x9302 and step.name in _ISSUER and not uncounted:
        return "a wrong MAC cost nothing"
    return ""


def _of_refusal(step: Step, changed: set[str]) -> str:
    """A refusal writes nothing but a try, and with the last one the end of the application."""
    counted = step.name in (*_SHOWING, "CHANGE PIN") and step.sw & 0xFFF0 == 0x63C0
    counted |= step.name in _ISSUER and step.sw in (_ISSUER[step.name], ENDED)
    if not counted:
        return f"it was refused and changed {sorted(changed)}"
    if _tries(step.before) - _tries(step.after) != 1:
        return "it did not cost one try"
    if step.sw != ENDED:
        return "" if _untried(step.before) == _untried(step.after) else "a wrong try changed more than a counter"
    current = step.session.current
    ended = step.before.dedicated[current]._replace(lifecycle=Lifecycle.TERMINATED)
    expected = step.before._replace(dedicated={**step.before.dedicated, current: ended})
    return "" if _untried(expected) == _untried(step.after) else "the last try did not end the application alone"


def _of_money(step: Step) -> str:
    """A transaction moves one purse: its counters by one, its proof, and money by what was begun."""
    pending = step.session.pending
    if pending is None:
        return "money moved and nothing was begun"
    moved = [at for at in step.before.purses if step.before.purses[at] != step.after.purses.get(at)]
    if moved != [pending.purse]:
        return "another purse moved"
    old, new = step.before.purses[pending.purse], step.after.purses[pending.purse]
    if new.online_sequence + new.offline_sequence != old.online_sequence + old.offline_sequence + 1:
        return "the transaction was not counted"
    if new.proof is None or new.proof == old.proof:
        return "the transaction is not proven"
    if not 0 <= new.balance_fen <= new.rules.max_balance_fen:
        return "the balance is out of its bounds"
    own_fen = (new.balance_fen - new.overdraft_limit_fen) - (old.balance_fen - old.overdraft_limit_fen)
    if abs(own_fen) != (0 if step.name == "UPDATE OVERDRAW LIMIT" else pending.amount_fen):
        return "another amount moved"
    if (own_fen > 0) != (step.name == "CREDIT FOR LOAD") and own_fen:
        return "money moved the wrong way"
    files = [at for at in step.before.files if step.before.files[at] != step.after.files[at]]
    allowed = {old.rules.log, old.rules.load_log, *(write.address for write in pending.cache)}
    return "" if set(files) <= allowed else "it wrote a file that is none of its own"


def _of_values(step: Step) -> str:
    """Keys and PINs keep their values, and balances theirs, unless the command is there to change them."""
    if step.name.startswith("WRITE KEY") or step.name in _SETS_VALUES:
        return ""
    if step.name != "ACTIVATE FILE" and _key_values(step.before) != _key_values(step.after):
        return "a key changed"
    if {at: pin.value for at, pin in step.before.pins.items()} != {
        at: pin.value for at, pin in step.after.pins.items()
    }:
        return "a PIN changed"
    for at, purse in step.before.purses.items():
        if step.after.purses.get(at, purse).balance_fen != purse.balance_fen:
            return "money moved"
    return ""


def of_session(step: Step) -> str:
    """What the command left in the session and must not have, nothing when all is well."""
    before, after = step.session, step.session_after
    if after.waiting and step.sw >> 8 != 0x61 and step.name != "GET RESPONSE":
        return "an answer waits that nobody was told of"
    if step.name == "GET RESPONSE":
        return _of_get_response(step)
    if after.challenge and not (step.name == "GET CHALLENGE" and step.sw == 0x9000 and after.challenge == step.data):
        return "a challenge outlives its command"
    opens = step.done and any(step.name.startswith(kind) for kind in _OPENS)
    if after.pending is not None and not opens:
        return "a transaction outlives its command"
    if after.module is not None and not (step.done and (opens or step.name == "DESCRYPT")):
        return "a lent key outlives its command"
    fault = _of_place(step)
    if fault:
        return fault
    if step.done or step.name == "SELECT":
        return _of_rights(step)
    if after.rights != before.rights and not (step.name in (*_SHOWING, "CHANGE PIN") and after.rights < before.rights):
        return "a refusal changed the rights"
    if after._replace(rights=frozenset()) != settled(before)._replace(rights=frozenset()):
        return "a refusal changed the session"
    return ""


def _of_get_response(step: Step) -> str:
    before, after = step.session, step.session_after
    if not before.waiting:
        return "" if after == settled(before) else "nothing waited and yet the session is not settled"
    if before.rights != after.rights or (before.current, before.file) != (after.current, after.file):
        return "it moved"
    if step.done and not before.waiting.startswith(step.data):
        return "it answered what did not wait"
    return "" if len(after.waiting) == len(before.waiting) - len(step.data) else "it lost what waited"


def _of_place(step: Step) -> str:
    after, image = step.session_after, step.after
    if after.current not in image.dedicated and after.current != MASTER_FILE:
        return "the session stands where nothing is"
    if after.file is not None:
        there = after.file in image.files or internal_file(image, after.file)
        if not there or after.file[:-2] != after.current:
            return "the current file is none"
    moved = after.current != step.session.current
    makes = step.name.startswith(("SELECT", "CREATE FILE", "DELETE FILE"))
    return "the session moved" if moved and not makes else ""


def _of_rights(step: Step) -> str:
    before, after = step.session, step.session_after
    won = after.rights - before.rights
    states = frozenset(right for right in won if right & (DF_STATE | MF_STATE))
    plain = won - states - {FRESH, SPENT}
    if plain and not (step.name in _SHOWING and step.sw == 0x9000 and len(plain) == 1):
        return f"it won rights: {sorted(plain)}"
    if FRESH in won and step.name not in ("CREATE FILE (native)", "ERASE DF"):
        return "it won the right of whoever found the file empty"
    if states - {DF_STATE, MF_STATE} and step.name not in _SHOWING:
        return "it raised a state register"
    if SPENT in won and step.name not in TRANSACTIONS:
        return "it ended a transaction that was none"
    if step.name == "SELECT" and before.current[:4] != after.current[:4]:
        kept = after.rights - {TRANSPORT_RIGHT, DF_STATE}
        if any(not right & MF_STATE for right in kept):
            return "rights of the application that was left are kept"
    return ""


def _tries(image: CardImage) -> int:
    keys = sum(key.tries_left for versions in image.keys.values() for key in versions)
    return keys + sum(pin.tries_left for pin in image.pins.values())


def _untried(image: CardImage) -> CardImage:
    keys = {at: tuple(key._replace(tries_left=0) for key in versions) for at, versions in image.keys.items()}
    return image._replace(keys=keys, pins={at: pin._replace(tries_left=0) for at, pin in image.pins.items()})


def _key_values(image: CardImage) -> list[bytes]:
    return [key.value for versions in image.keys.values() for key in versions]
