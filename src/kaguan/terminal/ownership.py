"""Cards in readers that are not ours: somebody's card is read, and not written to, unless he who has it says so.

Law. What could change such a card, and that is every command the table does not call harmless, is not sent at all.

Ours are our own virtual readers, and cards of the test region, which no person has. VERIFY counts as a change: a wrong
PIN spends a try.
"""

from __future__ import annotations

from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CodecError, RuleBroken
from kaguan.apdu.instruction import instruction_of, may_change
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.terminal.consent import CONSENT, WantedReader
from kaguan.terminal.conversations.identity import REGION_DIGITS, read_issuer_data
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.pcsc import PcscLink, open_reader
from kaguan.terminal.refusals import CardRefused
from kaguan.terminal.script import converse

OUR_READERS = ("Kaguan ", "Virtual PCD ")
"""How the names of virtual readers begin: those of `kaguan emulate --own-pcscd`, and those of Debian's vpcd."""

TEST_REGION = "9901"
"""No region of the country: specimens and cards of test people have card identification codes that begin with it."""

_CARD_IDENT_CODE = 0x01


class NotOurs(RuleBroken):
    """The command could change a card that may be somebody's; it was not sent."""

    def __init__(self, command: str, reader: str) -> None:
        super().__init__(
            f"{command} was not sent: it could change the card in '{reader}', which is no virtual reader; "
            f"if the card is yours to write to, say so with {CONSENT}"
        )


class OnlyRead(Layer):
    """A link on which nothing passes that could change the card."""

    def __init__(self, link: Link, reader: str) -> None:
        super().__init__(link)
        self._reader = reader

    def transceive(self, command: bytes) -> bytes:
        """The answer of the link below.

        Raises:
            NotOurs: the command could change the card; it has not been sent.
        """
        if may_change(command):
            row = instruction_of(*command[:3]) if len(command) > 3 else None
            raise NotOurs(row.name if row else f"command {command[:4].hex().upper()}", self._reader)
        return self.link.transceive(command)


def open_wanted(wanted: WantedReader, profile: CardProfile) -> Link:
    """A link to the card in the reader, freshly reset; only for reading when it may be somebody's.

    A card that is not declared to be one's own is asked for its region, which every card shows to everyone.

    Raises:
        LinkError: as `open_reader`.
    """
    link = open_reader(wanted.name)
    try:
        return link if wanted.owned or is_ours(link, profile) else OnlyRead(link, link.reader)
    except BaseException:
        link.close()
        raise


def is_ours(link: PcscLink, profile: CardProfile) -> bool:
    """Whether the reader is one of our own, or the card one of the test region. The card is reset if it was asked."""
    return link.reader.startswith(OUR_READERS) or of_test_region(link, profile)


def of_test_region(link: Link, profile: CardProfile) -> bool:
    """Whether the card says that it is one of the test region; it is reset afterwards."""
    try:
        issuer = converse(for_conversation(link), read_issuer_data(profile))
    except (CardRefused, CodecError):
        return False
    finally:
        link.reset()
    return issuer[_CARD_IDENT_CODE][:REGION_DIGITS].startswith(TEST_REGION)
