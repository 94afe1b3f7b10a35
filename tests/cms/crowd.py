"""Made-up people of the test region, with numbers that check themselves."""

from __future__ import annotations

import io
from datetime import date
from uuid import uuid4

from hypothesis import strategies as st
from PIL import Image
from stdnum.iso7064 import mod_11_2

from kaguan.cms.services.people.enrolment import enrol


def citizen_number(born: date = date(1990, 3, 7), serial: int = 1, district: str = "990101") -> str:
    """The number of somebody born that day; an odd serial is a man's."""
    body = f"{district}{born:%Y%m%d}{serial:03d}"
    return body + mod_11_2.calc_check_digit(body)


citizen_numbers = st.builds(citizen_number, st.dates(date(1930, 1, 1), date(2008, 1, 1)), st.integers(0, 999))


def enrolled(town, name: str = "测试人乙", born: date = date(1985, 5, 6), serial: int = 2, **facts: str) -> int:
    """The number in the books of somebody whom the clerk has enrolled."""
    number = citizen_number(born, serial)
    return enrol(town.clerk, uuid4(), cert_type="01", cert_no=number, name=name, facts=facts).holder_id


def portrait(width: int = 358, height: int = 441, form: str = "JPEG") -> bytes:
    """A grey picture of that size."""
    picture = io.BytesIO()
    Image.new("L", (width, height), 128).save(picture, form)
    return picture.getvalue()
