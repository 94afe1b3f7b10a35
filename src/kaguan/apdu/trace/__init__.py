"""What was said on links, as events that are stored, shown, compared and replayed.

`traced` puts a link under observation; each event goes to a sink as it happens. A sink is any callable; `jsonl_line`
makes the canonical text of an event, `tape_lines` a tape, `gsmtap_packet` a packet for tshark and Wireshark.
"""

from kaguan.apdu.trace.compare import Divergence, compare
from kaguan.apdu.trace.event import EventKind, Sink, TraceEvent
from kaguan.apdu.trace.gsmtap import capture_header, gsmtap_packet
from kaguan.apdu.trace.jsonl import jsonl_line, read_jsonl
from kaguan.apdu.trace.observe import Observed, traced
from kaguan.apdu.trace.tape import TapeWriter, as_tape

__all__ = [
    "Divergence",
    "EventKind",
    "Observed",
    "Sink",
    "TapeWriter",
    "TraceEvent",
    "as_tape",
    "capture_header",
    "compare",
    "gsmtap_packet",
    "jsonl_line",
    "read_jsonl",
    "traced",
]
