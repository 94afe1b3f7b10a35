"""Scripts that testers already have, each dialect read into one form and played on any card.

`read_script` makes a `CardScript` of text, `play_script` plays it. The form is the tape's: commands, resets, changes
of card, names; between tapes a dialect may say something, wait, or keep quiet.
"""

from kaguan.terminal.scripts.functions import FUNCTIONS
from kaguan.terminal.scripts.play import Played, ScriptFailed, play_script
from kaguan.terminal.scripts.read import DIALECTS, Dialect, decoded, read_script, recognised
from kaguan.terminal.scripts.script import CardScript, ScriptSyntaxError

__all__ = [
    "DIALECTS",
    "FUNCTIONS",
    "CardScript",
    "Dialect",
    "Played",
    "ScriptFailed",
    "ScriptSyntaxError",
    "decoded",
    "play_script",
    "read_script",
    "recognised",
]
