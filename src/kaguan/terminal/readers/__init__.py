"""All PC/SC readers at once: what they hold, and what happens at them.

for event in reader_events():
    print(event.happening, event.reader, event.atr.hex())
"""

from kaguan.terminal.readers.monitor import Happening, Holding, ReaderEvent, holdings, reader_events

__all__ = ["Happening", "Holding", "ReaderEvent", "holdings", "reader_events"]
