"""The plan gives the bytes that going through the profile field by field gives, for one holder and for many."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.apdu.errors import CodecError
from kaguan.card_os.profile import load_profile
from kaguan.card_os.profile.model import FilesMade
from kaguan.card_os.profile.values import encode_field
from kaguan.personalization.order.reading import HOLDER_COLUMNS, FieldKey, Holder
from kaguan.personalization.preparation.plan import IDENT_CODE, plan_of
from kaguan.personalization.preparation.record import default_text, prepare
from kaguan.personalization.specimen import specimen_holder

PROFILES = ["ssc-v1", "ssc-v2", "ssc-v2+all-files", "ssc-v3"]
TEXTS = st.one_of(
    st.just(""),
    st.text("0123456789", max_size=20),
    st.text(st.sampled_from("王䶮测试A9·•;,ḿ\udc80"), max_size=12),
)


def field_by_field(profile, columns):
    """The values as the profile says them, in the card's order; a CodecError's text when one does not fit."""
    values = {}
    for address, (file, spec) in profile.fields.items():
        column = FieldKey(*address).column
        ordered = any(FieldKey(file.dedicated, file.name, other.tag).column in columns for other in file.fields)
        if address == IDENT_CODE or (profile.files_made is FilesMade.ORDERED and file.optional and not ordered):
            continue
        try:
            values[address] = encode_field(spec, columns.get(column, default_text(profile, address)))
        except CodecError as error:
            return f"{column}: {error}"
    return values


@st.composite
def rows(draw):
    """A profile, columns of an order for it, and a few rows of texts, fit and unfit."""
    profile = load_profile(draw(st.sampled_from(PROFILES)))
    examples = specimen_holder(profile).columns
    extra = draw(st.lists(st.sampled_from(sorted(examples)), unique=True, max_size=30))
    columns = list(dict.fromkeys(["cert_no", *draw(st.permutations(HOLDER_COLUMNS[:12])), *extra]))
    texts = [st.sampled_from(["", examples.get(column, "1")]) | TEXTS for column in columns]
    return profile, tuple(columns), draw(st.lists(st.tuples(*texts), min_size=1, max_size=4))


@given(rows())
@settings(max_examples=150, deadline=None)
def test_cards_hold_what_the_profile_says(case):
    profile, columns, texts = case
    plan = plan_of(profile, columns)
    for row, packed in zip(texts, plan.encode_all(texts), strict=True):
        expected = field_by_field(profile, dict(zip(columns, row, strict=True)))
        holder = Holder(1, 1, "T", dict(zip(columns, row, strict=True)))
        if isinstance(expected, str):
            assert str(packed) == expected
            with pytest.raises(CodecError, match=f"^{re.escape(expected)}$"):
                prepare(profile, holder, b"")
        else:
            assert isinstance(packed, bytes)
            record = prepare(profile, holder, b"")
            assert record.values == plan.values(packed) == expected
            assert list(record.values) == list(expected)


@pytest.mark.parametrize("name", PROFILES)
def test_the_specimen_holds_its_examples(name):
    profile = load_profile(name)
    holder = specimen_holder(profile)
    assert prepare(profile, holder, b"").values == field_by_field(profile, holder.columns)


def test_another_profile_or_other_columns_have_another_fingerprint():
    columns = HOLDER_COLUMNS
    plans = [plan_of(load_profile(name), columns) for name in PROFILES]
    plans += [plan_of(load_profile("ssc-v2"), columns[:-1]), plan_of(load_profile("ssc-v2"), columns[::-1])]
    assert len({plan.fingerprint for plan in plans}) == len(plans)


def test_values_of_another_length_are_refused():
    plan = plan_of(load_profile("ssc-v2"), HOLDER_COLUMNS)
    with pytest.raises(CodecError, match="take"):
        plan.values(b"short")
