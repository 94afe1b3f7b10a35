"""Profiles that contradict themselves, and rules and values that say back what they were told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import CodecError, ProfileError
from kaguan.apdu.tlv import Tlv
from kaguan.card_os.profile import load_profile, parse_profile
from kaguan.card_os.profile.fcp import Fcp
from kaguan.card_os.profile.inherit import inherited
from kaguan.card_os.profile.rules import DF_STATE, FREE, MF_STATE, NEVER, AccessRule, parse_rule
from kaguan.card_os.profile.values import decode_layout, encode_layout, example_layout

MINIMAL = 'extends = "ssc-v2"\nname = "site"\n'
DF10 = '[[df]]\nname = "DF10"\nparent = "SSSE"\nfid = "DF10"\ndf_name = "D15600000510"\n'
FIELD = '{ tag = 0x01, name = "x", title = "x", format = "an", width = 2, example = "a" }'
FILE = '{ name = "EF05", title = "t", kind = "linear-variable", read = "free", update = "never" }'
FILE_OF = "file = [" + FILE.replace("{", "{{").replace(" }", ", fields = [{}] }}") + "]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MINIMAL + "[[df]", "site.toml"),
        (MINIMAL + "[behaviour]\ncolour = 1", "behaviour has no setting 'colour'"),
        (MINIMAL + "[behaviour.native]\ncolour = 1", "behaviour.native has no setting 'colour'"),
        (MINIMAL + '[[df]]\nname = "SSSE"\nfile = [{ title = "no name" }]', "without its name"),
        (MINIMAL + '[[df]]\nname = "SSSE"\nkey = [{ id = 1 }]', "without its label"),
        (MINIMAL + '[[df]]\nname = "DF01"\nparent = "DF99"', "DF01 lies in DF99"),
        (MINIMAL + '[[df]]\nname = "DF04"\npurse = [{ type = 1, log = "EF99" }]', "no file DF04/EF99"),
        (
            MINIMAL + '[[df]]\nname = "DF01"\nkey = [{ label = "XK", id = 0x04, usage = "external-authentication" }]',
            "DF01 has a key 04 of its own, and SSSE has one too",
        ),
        (
            MINIMAL + '[[df]]\nname = "SSSE"\n[[df.file]]\nname = "EF06"\n'
            "fields = [{ tag = 0x100, name = 'x', title = 'x', format = 'an', width = 2, example = '' }]",
            "a tag is one byte",
        ),
        (MINIMAL + DF10 + f"file = [{FILE}, {FILE}]", "DF10 has two files of one name"),
        (MINIMAL + DF10 + FILE_OF.format(f"{FIELD}, {FIELD}"), "DF10/EF05 has one tag twice"),
        (MINIMAL + DF10 + FILE_OF.format(FIELD.replace("example", 'codes = "colour", example')), "code list 'colour'"),
        (
            MINIMAL + '[[df]]\nname = "SSSE"\n[[df.file]]\nname = "EF06"\nfields = [{ tag = 0x0A, format = "tlv" }]',
            "belong together",
        ),
        (
            MINIMAL + '[[df]]\nname = "DF02"\n[[df.file]]\nname = "EF07"\nlayout = [{ name = "%s", example = "%s" }]',
            "the example does not fit",
        ),
    ],
)
def test_a_contradiction_is_told(text: str, words: str) -> None:
    if "%s" in text:
        first = load_profile("ssc-v2").file("DF02", "EF07").layout[0]
        text %= (first.name, "9" * 200)
    with pytest.raises(ProfileError) as refusal:
        parse_profile(text, file="site.toml")
    assert words in str(refusal.value)


@pytest.mark.parametrize("circle", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}])
def test_a_profile_cannot_extend_itself(circle: dict[str, str]) -> None:
    tables = {name: {"name": name, "extends": other} for name, other in circle.items()}
    with pytest.raises(ProfileError, match="the profile extends itself"):
        inherited(tables["a"], tables.__getitem__)


def test_a_name_that_is_not_there_is_told() -> None:
    profile = load_profile("ssc-v2")
    for place in (("SSSE", "EF99"), ("DF99", "EF05")):
        with pytest.raises(ProfileError, match="/".join(place)):
            profile.file(*place)
    with pytest.raises(ProfileError, match=r"no key SSSE\.XX"):
        profile.key("SSSE.XX")


# Rules

RIGHTS = st.one_of(
    st.integers(0, 0xFF).map(lambda reference: (f"key(0x{reference:02X})", reference)),
    st.integers(0, 0xFF).map(lambda reference: (f"pin({reference})", 0x100 | reference)),
    st.integers(0, 15).map(lambda state: (f"df_state({state})", DF_STATE | state)),
    st.integers(0, 15).map(lambda state: (f"mf_state({state})", MF_STATE | state)),
)


@given(st.lists(st.lists(RIGHTS, min_size=1, max_size=3), min_size=1, max_size=4), st.frozensets(st.integers(0, 0x4FF)))
def test_a_rule_allows_what_its_words_say(alternatives: list[list[tuple[str, int]]], shown: frozenset[int]) -> None:
    """And says it back: the text of a rule means the rule."""
    texts = [f"all({', '.join(word for word, _ in one)})" for one in alternatives]
    rule = parse_rule(f"any({', '.join(texts)})")
    assert parse_rule(str(rule)) == rule
    for rights in (shown, shown | {right for _, right in alternatives[0]}):
        assert rule.allows(rights) == any(rights.issuperset(right for _, right in one) for one in alternatives)


@pytest.mark.parametrize(("text", "rule"), [("never", NEVER), ("free", FREE), ("any(never, free)", FREE)])
def test_rules_that_ask_for_nothing(text: str, rule: AccessRule) -> None:
    assert parse_rule(text) == rule
    assert parse_rule(f"all({text}, never)") == NEVER
    assert parse_rule(f"all({text}, pin)").allows(frozenset({0x100})) == (rule == FREE)


@pytest.mark.parametrize("text", ["key(256)", "pin(-1)", "df_state(16)", "mf_state(16)", "any()", "all()", "none"])
def test_rules_with_no_meaning(text: str) -> None:
    with pytest.raises(ProfileError):
        parse_rule(text)


# Values and parameters


def test_a_record_of_another_length_has_no_values() -> None:
    layout = load_profile("ssc-v2").file("DF02", "EF07").layout
    whole = encode_layout(layout, example_layout(layout))
    for raw in (whole[:-1], whole + b"\0", b""):
        with pytest.raises(CodecError, match=f"has {len(whole)} bytes"):
            decode_layout(layout, raw)


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_value_with_a_separator_in_it_is_not_shown_as_two(separator: str) -> None:
    layout = load_profile("ssc-v2").file("DF02", "EF07").layout
    texts = ["" for _ in layout]
    place = next(at for at, spec in enumerate(layout) if spec.format == "an" and spec.width >= 3)
    texts[place] = "a~b"
    raw = encode_layout(layout, ",".join(texts)).replace(b"~", separator.encode())
    with pytest.raises(CodecError, match="stand between fields"):
        decode_layout(layout, raw)


@pytest.mark.parametrize("rules", ["800101", "8001019000800110", "8101019000", "800201019000"])
def test_access_rules_come_in_pairs(rules: str) -> None:
    """An access mode without a condition would leave it open who may."""
    body = bytes.fromhex("820101" + "8302EF05" + "8001" + "10") + bytes(Tlv(0xAB, bytes.fromhex(rules)))
    with pytest.raises(CodecError):
        Fcp.parse(bytes(Tlv(0x62, body)))
