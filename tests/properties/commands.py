"""Commands that nobody would send, and cards in every state to send them to."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import strategies as st

from card.cards import CARD_KEY, DF04, PIN_ADDRESS, Terminal, blank, funded, specimen
from card.purses import initialize_load, initialize_purchase
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import ApduSyntaxError
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS
from kaguan.apdu.status import MEANINGS
from kaguan.card_os.image import CardImage, Lifecycle
from properties.scenes import CREATED, MASTER, TRANSPORT, creation

PIN = bytes.fromhex("918273645546")
SECRETS = (PIN, CARD_KEY[:8], CARD_KEY[8:], TRANSPORT[:8], TRANSPORT[8:])
"""Long enough that no random bytes are taken for them."""

INSTRUCTION_BYTES = sorted({row.ins for row in (*INSTRUCTIONS, GET_RESPONSE)} | {0x00, 0x2C, 0xCA, 0xCB, 0xFF})
CLASS_BYTES = [0x00, 0x80, 0x84, 0xB0, 0x00, 0x01, 0x90, 0xFF]
P2_BYTES = [0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x28, 0x2C, 0x34, 0x41, 0x44, 0x83, 0x84, 0x88, 0x03, 0x05]


def _money() -> CardImage:
    image = funded()
    return image._replace(pins={PIN_ADDRESS: image.pins[PIN_ADDRESS]._replace(value=PIN)})


def _at(*fids: str, pin: bool = False, keys: tuple[int, ...] = (), then: str = "") -> Callable[[], Terminal]:
    def made() -> Terminal:
        terminal = Terminal(_money())
        terminal.select(*fids)
        if pin:
            assert terminal.send(b"\x00\x20\x00\x00\x06" + PIN) == "9000"
        terminal.authenticated(*keys)
        if then:
            assert terminal.send(then)[-4:-2] in ("90", "61")
        return terminal

    return made


def _blank(*commands: bytes) -> Callable[[], Terminal]:
    def made() -> Terminal:
        terminal = Terminal(blank())
        assert terminal.external_authenticate(0x00, key=TRANSPORT) == "9000"
        for command in commands:
            assert terminal.send(command) == "9000"
        return terminal

    return made


def _ended(address: bytes, lifecycle: Lifecycle) -> Callable[[], Terminal]:
    def made() -> Terminal:
        image = specimen()
        if not address:
            return Terminal(image._replace(lifecycle=lifecycle))
        file = image.dedicated[address]._replace(lifecycle=lifecycle)
        terminal = Terminal(image._replace(dedicated={**image.dedicated, address: file}))
        terminal.select("DDF1")
        terminal.send("00A4000002DF04")
        return terminal

    return made


STATES: dict[str, Callable[[], Terminal]] = {
    "just reset": _at(),
    "in the SSSE": _at("DDF1"),
    "in a file": _at("DDF1", "EF06"),
    "in the photo, with its key": _at("DDF1", "EF08", keys=(0x04,)),
    "with all rights of the SSSE": _at("DDF1", "EF05", pin=True, keys=(0x04, 0x05, 0x06, 0x07)),
    "with all rights of DF04": _at("DDF1", "DF04", "EF08", pin=True, keys=(0x83, 0x84, 0x85, 0x86)),
    "after a challenge": _at("DDF1", keys=(0x06,), then="0084000008"),
    "in a load": _at("DDF1", "DF04", pin=True, then=initialize_load(5)),
    "in a purchase": _at("DDF1", "DF04", pin=True, then=initialize_purchase(5)),
    "with an answer waiting": _at("DDF1", then="00A4000002DF04"),
    "blank": lambda: Terminal(blank()),
    "blank and opened": _blank(),
    "being made": _blank(creation(MASTER), creation(CREATED)),
    "application blocked": _ended(DF04, Lifecycle.DEACTIVATED),
    "application blocked for ever": _ended(DF04, Lifecycle.TERMINATED),
    "card blocked": _ended(b"", Lifecycle.TERMINATED),
}

_BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    st.sampled_from([bytes.fromhex(fid) for fid in ("3F00", "DDF1", "DF01", "DF04", "EF05", "EF06", "EF08")]),
    st.sampled_from([0, 4, 7, 8, 11, 15, 16, 17, 255, 256]).map(bytes),
)


@st.composite
def likely_commands(draw: st.DrawFn) -> bytes:
    """Commands that get past the dispatcher."""
    row = draw(st.sampled_from((*INSTRUCTIONS, GET_RESPONSE)))
    p1 = (
        row.p1 if row.p1 is not None else draw(st.sampled_from([0, 0, 0, 1, 2, 4, 8, 0x85, 0x88]) | st.integers(0, 255))
    )
    p2 = draw(st.sampled_from(P2_BYTES) | st.integers(0, 255))
    ne = draw(st.none() | st.sampled_from([1, 4, 8, 16, 256, 65_536]) | st.integers(1, 300))
    return bytes(CommandApdu(row.cla, row.ins, p1, p2, draw(_BODIES), ne))


def random_command(random: Random) -> bytes:
    """A command like those, quickly."""
    header = (
        random.choice(CLASS_BYTES),
        random.choice(INSTRUCTION_BYTES),
        random.choice((0, 0, 0, 1, 2, 4, random.randrange(256))),
        random.choice((*P2_BYTES, random.randrange(256))),
    )
    size = random.choice((0, 0, 2, 2, 3, 4, 8, 11, 15, 16, 17, random.randrange(300)))
    data = random.choice((random.randbytes(size), b"\xdd\xf1", b"\xdf\x04", b"\x3f\x00", bytes(size)))
    ne = random.choice((None, 4, 8, 256, random.randrange(1, 257)))
    return bytes(CommandApdu(*header, data, ne))


def well_formed(command: bytes, response: bytes) -> None:
    """The response is one: a status word of the tables, no more data than was asked for, no secret in it."""
    assert len(response) >= 2, command.hex()
    sw = response[-2] << 8 | response[-1]
    assert sw in MEANINGS or sw >> 8 in (0x61, 0x6C) or sw & 0xFFF0 == 0x63C0, f"{command.hex()}: {sw:04X}"
    try:
        ne = CommandApdu.parse(command).ne
    except ApduSyntaxError:
        assert sw == 0x6700
        ne = None
    assert len(response) - 2 <= (ne or 0), command.hex()
    assert not any(secret in response for secret in SECRETS), command[:4].hex()
