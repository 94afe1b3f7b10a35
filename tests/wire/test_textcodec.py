"""Names survive the way to the card and back, whatever they are made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
name_texts = st.text(
    st.one_of(
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
        st.characters(min_codepoint=0x20000, max_codepoint=0x2A6DF),
        st.characters(min_codepoint=0xE78D, max_codepoint=0xE864),
        st.sampled_from(textcodec.MIDDLE_DOT + textcodec.DOTS + "aZ"),
    ),
    max_size=30,
)


@given(texts | name_texts)
def test_what_comes_back_is_the_normal_form(text: str) -> None:
    assert textcodec.decode(textcodec.encode(text)) == textcodec.normalise(text)


@given(texts | name_texts)
def test_the_normal_form_is_final(text: str) -> None:
    normal = textcodec.normalise(text)
    assert textcodec.normalise(normal) == normal
    assert textcodec.encode(normal) == textcodec.encode(text)


@given(st.binary(max_size=20))
def test_bytes_are_read_or_refused_and_then_stable(raw: bytes) -> None:
    try:
        text = textcodec.decode(raw)
    except CodecError:
        return
    assert textcodec.decode(textcodec.encode(text)) == text


@given(name_texts, st.integers(0, 40), st.integers(0, 40))
def test_a_split_never_cuts_a_character(name: str, first: int, rest: int) -> None:
    whole = textcodec.encode(name)
    try:
        parts = textcodec.split(name, first, rest)
    except CodecError:
        # Refused only when even the best cut, at most three bytes short of full, leaves too much.
        assert len(whole) > first + rest - 3
        return
    assert len(parts.first) <= first
    assert len(parts.rest) <= rest
    assert b"".join(parts) == whole
    assert textcodec.decode(parts.first) + textcodec.decode(parts.rest) == textcodec.normalise(name)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("王䶮", "CDF5FE9F"),
        ("㛃", "8230B731"),
        ("𠮷", "9534B235"),
        ("𰻝", "9A378637"),
        ("\u9fb4", "FE59"),
        ("\u9fbb", "FEA0"),
        ("\ufe10", "A6D9"),
        ("\ufe12", "A6DA"),
        ("\ufe11", "A6DB"),
        ("\ufe19", "A6F3"),
        ("\u1e3f", "A8BC"),
        ("\U00020087", "95329031"),
        ("·", "A1A4"),
        ("社会保障", "C9E7BBE1B1A3D5CF"),
    ],
)
def test_codes_of_the_2022_edition(text: str, raw: str) -> None:
    assert textcodec.encode(text).hex().upper() == raw
    assert textcodec.decode(bytes.fromhex(raw)) == text


@pytest.mark.parametrize("dot", [textcodec.MIDDLE_DOT, *textcodec.DOTS])
def test_every_middle_dot_is_stored_as_one(dot: str) -> None:
    assert textcodec.encode(f"买买提{dot}吐尔逊") == textcodec.encode("买买提·吐尔逊")
    assert textcodec.decode(b"\xa1\xa4") == "\u00b7"


@pytest.mark.parametrize(("private", "real"), [("\ue81e", "\u9fb4"), ("\ue816", "\U00020087"), ("\ue796", "\ufe19")])
def test_private_use_input_becomes_the_real_character(private: str, real: str) -> None:
    assert textcodec.decode(textcodec.encode(private)) == real


def test_older_encoders_bytes_are_understood() -> None:
    assert textcodec.decode(bytes.fromhex("82359037")) == "\u9fb4"
    assert textcodec.decode(bytes.fromhex("FE51")) == "\U00020087"


def test_a_long_name_is_cut_between_characters() -> None:
    parts = textcodec.split("阿卜杜拉·买买提·吐尔逊江" + "a𠮷" * 2, 30, 20)
    assert [len(part) for part in parts] == [27, 9]


def test_refusals_say_where() -> None:
    with pytest.raises(CodecError, match=r"character 2 \(U\+D800\)"):
        textcodec.encode("王\ud800")
    with pytest.raises(CodecError, match="FF at offset 2"):
        textcodec.decode(b"\xcd\xf5\xff")
    with pytest.raises(CodecError, match="52 bytes"):
        textcodec.split("王" * 26, 30, 20)
