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
from kaguan.terminal.consent import WantedReader
from kaguan.terminal.ownership import open_wanted
from kaguan.terminal.trace.files import CANONICAL, Tracing, replayed

DEFAULT_PROFILE = "ssc-v2"


@contextmanager
def opened(
    cards: Sequence[Path] = (),
    reader: WantedReader | None = None,
    *,
    random: Callable[[int], bytes] | None = None,
    trace: Path | None = None,
    faults: Faults | None = None,
) -> Iterator[list[Link]]:
    """The cards, powered, until the context ends: images first, in their order, then the card in the reader.

    A card that is a .jsonl trace answers what it answered when the trace was made. `random` gives emulated cards
    their random numbers. With `trace` all that happens is written there. `faults` strike the first card. A reader's
    card is only read when it may be somebody's (`terminal.ownership`).

    Raises:
        LinkError: there is no such card or reader.
        InputError: a card image, or a trace, that is none; a fault that the card cannot have.
    """
    with closing(Places(random=random, trace=trace, faults=faults)) as places:
        links = [places.put_image(path, number) for number, path in enumerate(cards)]
        if reader is not None:
            links.append(places.put_reader(reader, len(cards)))
        yield links


class Places:
    """Numbered places, from 0, for one card each. Whichever card stands in a place is traced by its number, and the
    faults strike whichever stands in the first. `profiles` are those of the cards. Close it to free all cards."""

    def __init__(
        self,
        *,
        random: Callable[[int], bytes] | None = None,
        trace: Path | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._random = random or secrets.token_bytes
        self._trace = trace
        self._faults = faults
        self._tracing: Tracing | None = None
        self._cards = ExitStack()
        self.profiles: dict[int, CardProfile] = {}

    def put_image(self, path: Path, number: int) -> Link:
        """The card of this image, or of this .jsonl trace, is in the place; the one before is not closed by that.

        Raises:
            LinkError, InputError, InUse: as `opened`.
        """
        if path.suffix == CANONICAL:
            return self._placed(replayed(path).link(), number, load_profile(DEFAULT_PROFILE))
        card = self._cards.enter_context(FileCard(path, random=self._random))
        return self._placed(card, number, load_profile(card.image.profile))

    def put_reader(self, reader: WantedReader, number: int, profile_name: str = DEFAULT_PROFILE) -> Link:
        """The card in this reader, taken for one of this profile, is in the place.

        Raises:
            LinkError: as `opened`.
        """
        profile = load_profile(profile_name)
        return self._placed(self._cards.enter_context(closing(open_wanted(reader, profile))), number, profile)

    def close(self) -> None:
        """All cards are free and the trace is complete. Closing twice is harmless."""
        try:
            self._cards.close()
        finally:
            if self._tracing is not None:
                self._tracing.close()

    def _placed(self, link: Link, number: int, profile: CardProfile) -> Link:
        self.profiles[number] = profile
        if number == 0 and self._faults is not None and self._faults.faults:
            link = self._faults.on(link)
        if self._trace is None:
            return link
        if self._tracing is None:
            self._tracing = Tracing(self._trace, profile)
        return self._cards.enter_context(closing(self._tracing.observed(link, number)))
