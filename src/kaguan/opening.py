"""Cards for the commands that people type: images, readers and recorded traces, all as links, observed if wanted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.emulator.faults import Faults
from kaguan.emulator.imagefile import FileCard
from kaguan.terminal.pcsc import open_reader
from kaguan.terminal.trace.files import CANONICAL, replayed, trace_to

DEFAULT_PROFILE = "ssc-v2"


@contextmanager
def opened(
    cards: Sequence[Path] = (),
    reader: str | None = None,
    *,
    random: Callable[[int], bytes] | None = None,
    trace: Path | None = None,
    faults: Faults | None = None,
) -> Iterator[list[Link]]:
    """The cards, powered, until the context ends: images first, in their order, then the card in the reader.

    A card that is a .jsonl trace answers what it answered when the trace was made. `random` gives emulated cards
    their random numbers. With `trace` all that happens is written there. `faults` strike the first card.

    Raises:
        LinkError: there is no such card or reader.
        InputError: a card image, or a trace, that is none; a fault that the card cannot have.
    """
    with ExitStack() as stack:
        links: list[Link] = []
        profile: CardProfile | None = None
        for path in cards:
            if path.suffix == CANONICAL:
                links.append(replayed(path).link())
                continue
            card = stack.enter_context(FileCard(path, random=random or secrets.token_bytes))
            profile = profile or load_profile(card.image.profile)
            links.append(card)
        if reader is not None:
            links.append(stack.enter_context(closing(open_reader(reader))))
        if faults is not None and faults.faults and links:
            links[0] = faults.on(links[0])
        yield stack.enter_context(trace_to(trace, links, profile or load_profile(DEFAULT_PROFILE)))
