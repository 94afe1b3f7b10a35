"""The portrait that cards are made with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from kaguan.cms.models import HolderPhoto
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case
from kaguan.personalization.order.photo_rules import photo_reason


@dataclass(frozen=True, slots=True)
class PhotoRef:
    """A person's photo by its SHA-256."""

    holder_id: int
    digest: str


@use_case("take photo", Right.ENROL, PhotoRef)
def take_photo(case: Case, /, *, holder_id: int, image: bytes) -> PhotoRef:
    """Leave the image as the person's newest photo; the region says its size, the bureau's rules what a photo is.

    Refuses, in this order: no such person, own person, too many bytes, no JPEG, other pixels, does not decode.
    """
    holder = case.person(holder_id)
    rules = holder.region.rules()
    if len(image) > rules.photo_most_bytes:
        raise NotEligible(f"the photo has {len(image)} bytes, {rules.photo_most_bytes} are the most")
    reason = photo_reason(image, (rules.photo_width_pixels, rules.photo_height_pixels))
    if reason:
        raise NotEligible(f"the photo {reason}")
    digest = hashlib.sha256(image).hexdigest()
    HolderPhoto.objects.create(holder=holder, digest=digest, image=image, at=case.at, operator=case.operator.code)
    case.note(digest=digest)
    return PhotoRef(holder.pk, digest)
