"""The proof of a purge: what was destroyed, by digests, with its place in the audit trail, signed by the key for
audits."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from kaguan.apdu.errors import InputError
from kaguan.durable import write_whole
from kaguan.personalization.care.belongings import belongings
from kaguan.personalization.job.audit import entries
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import find_job
from kaguan.personalization.job.schema import card, event, job, pin
from kaguan.personalization.keystore import AUDIT
from kaguan.vault.vault import KeyVault

VERSION = 1
ACTION = "personal data purged"


class ProofBroken(InputError):
    """The proof was changed or forged, or what it says is not so."""


def body_digest(body: Mapping[str, Any]) -> str:
    """The digest by which the audit trail names this proof, before it has its place there."""
    return hashlib.sha256(_canonical(body)).hexdigest()


def signed_proof(body: Mapping[str, Any], entry: int, digest: bytes, vault: KeyVault) -> str:
    """The proof as it is kept: body, place in the trail, check value of the key, and MAC."""
    whole = {**body, "audit": {"entry": entry, "digest": digest.hex()}, "key": str(vault.check_value(AUDIT))}
    return json.dumps({**whole, "mac": vault.mac_long(AUDIT, _message(whole)).hex()}, indent=1, ensure_ascii=False)


def write_proof(folder: Path, text: str) -> Path:
    """The proof is in the folder, under the name of its job; one that is there already stays as it is."""
    proof = json.loads(text)
    name = re.sub(r"[^\w.-]", "_", proof["job"])[:80]
    path = folder / f"purge-{name}-{proof['number']}.json"
    if not path.exists() or path.read_text("utf-8") != text:
        write_whole(path, text.encode(), mode=0o600)
    return path


def read_proof(path: Path, vault: KeyVault) -> Mapping[str, Any]:
    """The proof in the file, found to be signed by the vault.

    Raises:
        ProofBroken: it is no proof, was changed, or another store signed it.
    """
    try:
        proof = json.loads(path.read_text("utf-8"))
        mac, key = bytes.fromhex(proof.pop("mac")), proof["key"]
        shape_ok = proof["purge"] == VERSION and isinstance(proof["audit"]["entry"], int)
        bytes.fromhex(proof["audit"]["digest"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ProofBroken(f"{path} is no proof of a purge") from None
    if not shape_ok:
        raise ProofBroken(f"{path} is a proof of another version of Kaguan")
    if key != str(vault.check_value(AUDIT)):
        raise ProofBroken(f"{path} was signed under the key {key}: name the key store of its job with --keys")
    if not hmac.compare_digest(mac, vault.mac_long(AUDIT, _message(proof))):
        raise ProofBroken(f"{path} was changed after it was signed, or it was forged")
    return dict(proof)


def verify_in_database(proof: Mapping[str, Any], bureau: Bureau) -> None:
    """The trail has the proof in its place, and nothing of the job's people is in the database.

    Raises:
        ProofBroken: it is not so.
    """
    this = find_job(bureau, proof["job"])
    place = proof["audit"]
    body = {name: value for name, value in proof.items() if name not in ("audit", "key")}
    with bureau.transaction() as connection:
        row = connection.execute(select(event.c.digest).where(event.c.id == place["entry"])).first()
        kept = connection.execute(
            select(job.c.data_key, job.c.pin_key, job.c.purged_at).where(job.c.id == this.key)
        ).one()
        rest = select(func.count()).where(card.c.job == this.key, card.c.sealed.is_not(None) | card.c.tag.is_not(None))
        rows = connection.execute(rest).scalar_one()
        pins = connection.execute(select(func.count()).select_from(pin).where(pin.c.job == this.key)).scalar_one()
    if row is None or bytes(row.digest).hex() != place["digest"]:
        raise ProofBroken(f"the audit trail has not the entry {place['entry']} that the proof names")
    said = next(entry for entry in entries(bureau, job=this.key) if entry.id == place["entry"])
    if said.action != ACTION or said.details.get("proof") != body_digest(body):
        raise ProofBroken(f"audit entry {place['entry']} is about something else than this proof")
    keys = sum(key is not None for key in (kept.data_key, kept.pin_key))
    if keys or kept.purged_at is None or rows or pins:
        raise ProofBroken(f"job {proof['job']} has personal data: {rows} rows, {pins} PINs, {keys} keys")


def verify_in_folder(proof: Mapping[str, Any], folder: Path) -> None:
    """No file about people is in the folder.

    Raises:
        ProofBroken: there are some.
    """
    if left := belongings(folder, proof["order_sha256"]):
        raise ProofBroken(f"{folder} has {len(left)} files about people, the first is {left[0].shown} ({left[0].what})")


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _message(whole: Mapping[str, Any]) -> bytes:
    return b"kaguan purge proof 1\n" + hashlib.sha256(_canonical(whole)).digest()
