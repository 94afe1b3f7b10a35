"""The vault in a token does what the one in memory does; and when the token is gone, or locked, that is told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import (
    BUREAU_USAGES,
    CheckValueMismatch,
    KeyAbsent,
    KeyPresent,
    KeyRef,
    KeyVault,
    StepKind,
    Usage,
    UsageForbidden,
)
from vault.tokens import LABEL, PIN, ZONE_LABEL, SoftToken, module, seen, token_in, twins

module()

from kaguan.vault import tokentree  # noqa: E402 - only where python-pkcs11 is installed
from kaguan.vault.pkcs11 import TokenVault  # noqa: E402
from kaguan.vault.token import (  # noqa: E402
    TokenAddress,
    TokenSession,
)

FACTOR, CHALLENGE = b"990100sx", bytes(range(8))
COMMAND = CommandApdu.of("84 D4 01 00", bytes.fromhex("39F0F0AAFF"))
CARD_USAGES = [usage for usage in Usage if usage not in BUREAU_USAGES]
KEYS = {usage: bytes([0x10 + place]) * 8 + bytes([0xA0 + place]) * 8 for place, usage in enumerate(CARD_USAGES)}
LEVELS = (1, 3)
blocks = st.binary(min_size=8, max_size=8)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    with pytest.MonkeyPatch.context() as patch, seen(token_in(tmp_path_factory.mktemp("token")), patch) as token:
        yield token


@pytest.fixture(scope="module")
def both(token: SoftToken) -> tuple[SoftwareVault, TokenVault]:
    """A key of each usage, with one level below it and with three, in memory and in the token."""
    return twins(
        token,
        [(f"{usage}.{levels}", usage, key, levels, 1) for usage, key in KEYS.items() for levels in LEVELS],
        wait=lambda seconds: None,
    )


@pytest.fixture
def inside(both: tuple[SoftwareVault, TokenVault]) -> TokenVault:
    return both[1]


def session(token: SoftToken, pin: Secret = PIN, **options: object) -> TokenSession:
    return TokenSession(TokenAddress(token.module, LABEL), pin, **options)


def told(act: Callable[[], object]) -> object:
    """What came of it: the result, or the kind of refusal."""
    try:
        return act()
    except VaultError as error:
        return UsageForbidden if isinstance(error, UsageForbidden) else VaultError


def is_transport(ref: object) -> bool:
    """Whether it is a transport key, which the token's vault neither folds nor lends to be written to a card."""
    return isinstance(ref, KeyRef) and ref.label.startswith(f"{Usage.TRANSPORT}.")


@st.composite
def references(draw: st.DrawFn) -> KeyRef:
    """Any way down from any key, right or wrong; most often right."""
    levels = draw(st.sampled_from(LEVELS))
    depth = levels + draw(st.sampled_from((0, 0, 0, 0, 1, -1)))
    ref = KeyRef(f"{draw(st.sampled_from(CARD_USAGES))}.{levels}").diversified(*(draw(blocks) for _ in range(depth)))
    for _ in range(draw(st.integers(0, 2))):
        ref = ref.folded() if draw(st.booleans()) else ref.session(draw(blocks))
    return ref


@given(references(), st.binary(max_size=200), st.binary(max_size=9), st.sampled_from(Scheme), st.booleans(), st.data())
@settings(max_examples=300)
def test_every_verb_of_every_key_does_what_it_does_in_memory(both, ref, data, iv, scheme, encrypted, draw):
    """The same bytes, or refused for the same reason; with a card key here, and with none."""
    software, inside = both
    append = draw.draw(st.none() | references() | st.builds(Secret, st.binary(max_size=8)))
    assume(not is_transport(append))
    assume(not is_transport(ref) or StepKind.FOLD not in [step.kind for step in ref.steps])
    if draw.draw(st.booleans()):
        inside.forget()

    def verbs(vault: KeyVault) -> list[object]:
        return [
            told(lambda: vault.encipher(ref, data)),
            told(lambda: vault.mac(ref, data, iv)),
            told(lambda: vault.verify_mac(ref, data, bytes(4), iv)),
            told(lambda: bytes(vault.protect(ref, scheme, COMMAND, iv, encrypted=encrypted, append=append))),
            told(lambda: bytes(vault.protect(ref, scheme, COMMAND, CHALLENGE, encrypted=encrypted, append=append))),
        ]

    assert verbs(inside) == verbs(software)


@given(st.sampled_from(CARD_USAGES), st.sampled_from(LEVELS), st.lists(blocks, max_size=3))
@settings(max_examples=60)
def test_every_key_has_the_check_value_that_it_has_in_memory(both, usage, levels, factors):
    software, inside = both
    ref = KeyRef(f"{usage}.{levels}").diversified(*factors)
    assert inside.check_value(ref) == software.check_value(ref)
    assert inside.check_value(ref.session(CHALLENGE)) == software.check_value(ref.session(CHALLENGE))
    assert list(inside.infos()) == list(software.infos())


@given(st.lists(blocks, min_size=1, max_size=40, unique=True))
@settings(max_examples=20)
def test_card_keys_come_in_batches(both, factors):
    software, inside = both
    inside.forget()
    above = KeyRef(f"{Usage.LOAD}.3").diversified(FACTOR, FACTOR)
    refs = [above.diversified(factor) for factor in factors]
    inside.prepare(refs)
    transport = KeyRef(f"{Usage.TRANSPORT}.1").diversified(FACTOR)
    for ref in refs:
        sent = [
            vault.protect(transport, Scheme.PBOC, COMMAND, CHALLENGE, encrypted=True, append=ref)
            for vault in (inside, software)
        ]
        assert sent[0] == sent[1]


def test_what_works_in_the_token_is_not_lent(inside: TokenVault):
    with pytest.raises(UsageForbidden, match="does not leave"):
        inside.prepare([KeyRef(f"{Usage.TRANSPORT}.1").diversified(FACTOR)])
    for levels in range(3):
        with pytest.raises(UsageForbidden, match="does not leave"):
            inside.prepare([KeyRef(f"{Usage.LOAD}.3").diversified(*[FACTOR] * levels)])
    with pytest.raises(KeyAbsent):
        inside.prepare([KeyRef("nothing").diversified(FACTOR)])


def test_more_keys_than_the_token_keeps(inside: TokenVault, both, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokentree, "KEPT", 4)
    for round_ in range(2):
        for number in range(12):
            ref = KeyRef(f"{Usage.LOAD}.3").diversified(FACTOR, FACTOR, bytes([number]) * 8).session(CHALLENGE)
            assert inside.mac(ref, b"message") == both[0].mac(ref, b"message"), (round_, number)


def test_keys_that_tokens_do_not_have(inside: TokenVault):
    for algorithm in (Algorithm.SM4, Algorithm.DES):
        with pytest.raises(VaultError, match="sealed store"):
            inside.generate("K", Usage.LOAD, algorithm)
    with pytest.raises(KeyPresent, match="next version"):
        inside.generate(f"{Usage.LOAD}.1", Usage.LOAD, Algorithm.TDES)


def test_a_key_that_is_not_the_expected_one_is_not_kept(inside: TokenVault, token: SoftToken):
    key, algorithm = bytes(range(16)), Algorithm.TDES
    right = check_value(key, algorithm)

    def unwrap(cryptogram: bytes, expected: CheckValue, under: str) -> None:
        inside.unwrap("new", Usage.LOAD, algorithm, cryptogram, expected, under=under)

    with pytest.raises(CheckValueMismatch, match="expected was 000000"):
        unwrap(token.wrapped(key), CheckValue(bytes(3)), ZONE_LABEL)
    with pytest.raises(VaultError, match="does not open"):
        unwrap(bytes(24), right, ZONE_LABEL)
    with pytest.raises(VaultError, match="no key 'other'"):
        unwrap(token.wrapped(key), right, "other")
    with pytest.raises(KeyAbsent):
        inside.info(KeyRef("new"))
    assert not [info for info in TokenVault.opened(session(token)).infos() if info.label == "new"]
