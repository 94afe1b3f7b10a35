"""Security modules and medical purchases, and a till that does their sums with psec."""

from __future__ import annotations

from functools import cache

from psec import mac as psec_mac

from card.cards import CARD_KEY, TERMINAL, WHEN, Terminal
from card.oracle import _quietly, fold, mac, tdes
from kaguan.card_os.image import CardImage, key_address
from kaguan.card_os.profile import load_profile
from kaguan.emulator.module_stock import security_module
from kaguan.vault.vault import Usage

MODULE = load_profile("psam")
MODULE_SERIAL = bytes.fromhex("200101000001")
MODULE_TERMINAL = "200101000001"
SELECT_MODULE = "00A4040006D15600000590"
DF01 = bytes.fromhex("3F00DF01")
COUNTER = DF01 + bytes.fromhex("0019")
TERMINAL_FILE = bytes.fromhex("3F000016")

CARD_FACTOR = "8660200101000001"
CITY_FACTOR = "3939303130307378"
PROVINCE_FACTOR = "3939303030307368"


@cache
def module() -> CardImage:
    """The module that goes with the specimen card: its first number is 1."""
    return security_module(MODULE, MODULE_SERIAL)


def with_file(image: CardImage, address: bytes, content: str) -> CardImage:
    """The module with this content in its file."""
    file = image.files[address]._replace(content=bytes.fromhex(content))
    return image._replace(files={**image.files, address: file})


def with_number(number: int, image: CardImage | None = None) -> CardImage:
    """The module with this transaction number."""
    return with_file(image or module(), COUNTER, f"{number:08X}")


def with_module_key(usage: int, key: int, value: str, *, tries: int = 3) -> CardImage:
    """The module with this key, the only one of that number."""
    image = module()
    some = next(iter(image.keys.values()))[0]
    made = some._replace(reference=key, version=usage, value=bytes.fromhex(value), tries=tries, tries_left=tries)
    address = key_address(DF01, Usage.SECURITY_MODULE, key)
    return image._replace(keys={**image.keys, address: (made,)})


def module_terminal(image: CardImage | None = None) -> Terminal:
    """A terminal with the module in it, its application selected."""
    made = Terminal(image or module())
    made.go(SELECT_MODULE)
    return made


def descended(key: bytes, *factors: str) -> bytes:
    """The key below, one level for each factor, by psec."""
    for text in factors:
        factor = bytes.fromhex(text)
        key = tdes(key, factor + bytes(byte ^ 0xFF for byte in factor))
    return key


@_quietly
def mac_of_blocks(key: bytes, initial: bytes, blocks: bytes) -> bytes:
    """The 4-byte MAC of whole blocks, unpadded: CBC for a DES key, ISO 9797-1 algorithm 3 for two of them."""
    first = bytes(one ^ other for one, other in zip(blocks[:8], initial, strict=True))
    if len(key) == 8:
        return psec_mac.generate_cbc_mac(key, first + blocks[8:], 1)[:4]
    return psec_mac.generate_retail_mac(key[:8], key[8:], first + blocks[8:], 1)[:4]


def amounts(*fen: int) -> str:
    """Amounts as commands carry them."""
    return "".join(f"{one:08X}" for one in fen)


def initialize_medical(account: int, self_paid: int = 0, pool: int = 0, *, terminal: str = MODULE_TERMINAL) -> str:
    """INITIALIZE FOR PURCHASE, the medical one."""
    return f"B02801011301{amounts(account, self_paid, pool)}{terminal}16"


def module_command(offer: str, amounts_hex: str, *, medical: bool = True, factors: str = "", kind: str = "32") -> str:
    """INITIALIZE SAM FOR PURCHASE from what the card's INITIALIZE answered, status word or none."""
    known = offer[28:44] if medical else offer[8:12] + offer[18:30]
    sequence, marks, random = known[:4], known[4:8], known[8:16]
    data = random + sequence + amounts_hex + kind + WHEN + marks + (factors or CARD_FACTOR + CITY_FACTOR)
    return f"8070{'01' if medical else '00'}00{len(data) // 2:02X}{data}08"


def debit_medical(signature: str) -> str:
    """DEBIT FOR PURCHASE, the medical one, from what the module answered."""
    return f"B02C01000F{signature[:8]}{WHEN}{signature[8:16]}08"


def medical_codes(
    offer: str, amounts_hex: str, number: str, *, terminal: str = MODULE_TERMINAL, key: bytes = CARD_KEY
) -> tuple[str, str, str]:
    """MAC1, MAC2 and TAC by psec, in the order of amounts, type, terminal, number, time."""
    session = tdes(key, bytes.fromhex(offer[36:44] + offer[28:32] + number[4:]))
    fields = amounts_hex + "32" + terminal
    mac1 = mac(session, bytes.fromhex(fields + WHEN))
    mac2 = mac(session, bytes.fromhex(amounts_hex))
    tac = mac(fold(key), bytes.fromhex(fields + number + WHEN))
    return mac1.hex().upper(), mac2.hex().upper(), tac.hex().upper()


def forged_debit(offer: str, amounts_hex: str, number: str = "00000001") -> str:
    """DEBIT FOR PURCHASE with a MAC1 that psec makes, for a card without a module beside it."""
    mac1, _, _ = medical_codes(offer, amounts_hex, number, terminal=TERMINAL)
    return f"B02C01000F{number}{WHEN}{mac1}08"
