"""Extracts as signed text and code: other programs verify them, and no changed character passes."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry, deserialize_compact
from PIL import Image

from cms.certificates import CARD, KEY, TRUSTED, claims_in, openssl_finds_it_signed
from cms.town import CERT_NO, NAME
from kaguan.apdu.errors import InputError
from kaguan.cms.certifying.qr import Drawing, drawn
from kaguan.cms.certifying.token import jwk_of, key_id, opened, signed
from kaguan.cms.rules.certificates import (
    CLOCKS_DIFFER,
    Bearer,
    Extract,
    Finding,
    Purpose,
    extract,
    judge_time,
    photo_hash,
)
from kaguan.cms.rules.refusals import NotCertified

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


def some_extract(name: str = NAME, photo: bytes = b"") -> Extract:
    bearer = Bearer("990100", name, "01", CERT_NO, CARD, date(2036, 1, 5), photo)
    return extract(bearer, uuid4(), Purpose.PROOF, issued_at=NOON, expires_at=NOON + timedelta(days=30))


@pytest.mark.acceptance("S1-10")
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # the newer name is not known to most verifiers yet
def test_programs_that_we_did_not_write_verify_it(tmp_path):
    text = signed(some_extract(), KEY)
    assert openssl_finds_it_signed(text, tmp_path)
    assert not openssl_finds_it_signed(f"x{text}", tmp_path)
    other = OKPKey.import_key(jwk_of(KEY.public_key()))
    read = deserialize_compact(text, other, registry=JWSRegistry(algorithms=["EdDSA"]))
    assert json.loads(read.payload) == claims_in(text)
    assert read.headers() == {"alg": "EdDSA", "typ": "ssc+jwt", "kid": other.thumbprint()}


@given(st.data())
def test_any_changed_character_is_noticed(data):
    text = signed(some_extract(), KEY)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda one: one != text[place] and not one.isspace()))
    with pytest.raises((InputError, NotCertified)):
        opened(text[:place] + other + text[place + 1 :], TRUSTED)


@given(st.data())
def test_whatever_is_left_out_or_put_in_is_noticed(data):
    text = signed(some_extract(), KEY)
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin, len(text)))
    put_in = data.draw(st.text("abcDEF019-_.=", max_size=6))
    changed = text[:begin] + put_in + text[end:]
    if changed != text:
        with pytest.raises((InputError, NotCertified)):
            opened(changed, TRUSTED)


def forged(header: dict[str, object], text: str) -> str:
    first = urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return ".".join([first, *text.split(".")[1:]])


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "ssc+jwt"},
        {"alg": "HS256", "typ": "ssc+jwt"},
        {"alg": "EdDSA", "typ": "JWT"},
        {"alg": "EdDSA", "typ": "ssc+jwt", "jwk": {}},
        {"alg": "EdDSA", "typ": "ssc+jwt", "crit": ["b64"], "b64": False},
    ],
)
def test_a_header_of_another_kind_is_no_certificates(header):
    text = signed(some_extract(), KEY)
    name = key_id(KEY.public_key())
    with pytest.raises(InputError):
        opened(forged({**header, "kid": name}, text), TRUSTED)


def test_another_key_is_not_believed_by_our_keys_name():
    text = signed(some_extract(), Ed25519PrivateKey.generate())
    with pytest.raises(NotCertified, match="none of those"):
        opened(text, TRUSTED)
    name = key_id(KEY.public_key())
    with pytest.raises(NotCertified, match="signature is wrong"):
        opened(forged({"alg": "EdDSA", "typ": "ssc+jwt", "kid": name}, text), TRUSTED)


@given(st.binary(max_size=40), st.text("测试甲乙a b·", min_size=1, max_size=9))
def test_what_was_signed_is_read_again_and_tells_nobody_who_it_is(photo, name):
    shown_one = some_extract(name, photo)
    text = signed(shown_one, KEY)
    assert opened(f"{text}\n", TRUSTED) == shown_one
    told = json.dumps(claims_in(text), ensure_ascii=False)
    assert CERT_NO not in told
    assert CARD not in told
    assert len(name) == 1 or claims_in(text)["name"] == name[0] + "*" * (len(name) - 1)
    assert CERT_NO not in repr(shown_one)


def test_two_extracts_of_one_person_have_no_photo_in_common():
    first, second = (some_extract(photo=b"portrait") for _ in range(2))
    assert first.photo != second.photo
    assert first.photo == photo_hash(first.certificate_id, b"portrait")


@given(st.integers(-200, 200))
def test_clocks_may_differ_a_minute_and_no_more(seconds):
    shown_one, apart = some_extract(), timedelta(seconds=seconds)
    minute = CLOCKS_DIFFER.total_seconds()
    at_start = judge_time(shown_one, shown_one.issued_at + apart)
    assert at_start is (Finding.GOOD if seconds >= -minute else Finding.NOT_YET)
    at_end = judge_time(shown_one, shown_one.expires_at + apart)
    assert at_end is (Finding.GOOD if seconds < minute else Finding.EXPIRED)


def test_the_code_is_read_back(tmp_path):
    text = signed(some_extract(photo=b"portrait"), KEY)
    (tmp_path / "code.png").write_bytes(drawn(text, Drawing.PNG))
    with Image.open(tmp_path / "code.png") as picture:
        [read] = zxingcpp.read_barcodes(picture.convert("L"))
    assert read.text == text
    assert drawn(text, Drawing.SVG).startswith(b"<?xml")
