"""What is sealed for somebody opens for him alone, with a program that is not ours."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.personalization.care.envelope import Recipient, seal_file
from personalization.care.bank import certificate, opened, openssl
from personalization.care.jobs import done, files_that_tell, holders, kaguan, order_of_five, traces_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("size", [0, 1, 15, 16, 1 << 20])
def test_openssl_opens_what_we_seal(tmp_path: Path, size: int) -> None:
    recipient = Recipient.of_file(certificate(tmp_path))
    data = os.urandom(size).replace(b"\n", b"\r\n")
    file = tmp_path / "return-good.txt"
    file.write_bytes(data)
    sealed = seal_file(file, recipient)
    assert not file.exists()
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert opened(sealed, tmp_path) == data
    shown = openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", sealed)
    assert b"aes-256-cbc" in shown
    assert b"envelopedData" in shown


def test_nobody_else_opens_it(tmp_path: Path) -> None:
    recipient = Recipient.of_file(certificate(tmp_path))
    certificate(tmp_path, "other")
    sealed = tmp_path / "sealed"
    sealed.write_bytes(recipient.seal(b"secret" * 100))
    try:
        found = opened(sealed, tmp_path, "other")
    except subprocess.CalledProcessError:
        found = b""
    assert b"secret" not in found  # OpenSSL hides by random bytes that the key was wrong


def test_who_cannot_be_sealed_for_is_refused(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    good = certificate(tmp_path).read_bytes()
    with pytest.raises(RuleBroken, match="was valid until"):
        Recipient(good, now + timedelta(days=31))
    with pytest.raises(InputError, match="no certificate in PEM"):
        Recipient(b"hello", now)
    curve = certificate(tmp_path, "curve", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    with pytest.raises(InputError, match="RSA"):
        Recipient.of_file(curve)
    with pytest.raises(RuleBroken, match="1024 bits"):
        Recipient.of_file(certificate(tmp_path, "short", "rsa:1024"))
    signer = certificate(tmp_path, "signer", "rsa:2048", "-addext", "keyUsage=digitalSignature")
    with pytest.raises(RuleBroken, match="no key encipherment"):
        Recipient.of_file(signer)


def test_a_sealed_file_is_not_written_over(tmp_path: Path) -> None:
    bank, file = certificate(tmp_path), tmp_path / "report.xlsx"
    file.write_bytes(b"one")
    assert done("perso", "seal", file, "--for", bank, "--keep").strip() == f"{file}.cms"
    assert file.exists()
    refused = kaguan("perso", "seal", file, "--for", bank)
    assert refused.returncode == 5
    assert file.exists()


def test_a_run_that_seals_never_has_the_plain_return_file(tmp_path: Path) -> None:
    order, out, bank = order_of_five(tmp_path), tmp_path / "job", certificate(tmp_path)
    said = done("perso", "run", order, "--out", out, "--skip-bad", "--seal-for", bank)
    assert "return-bad.txt.cms" in said
    told = files_that_tell(out, traces_of(holders(order)))
    assert all(name.endswith(".card") for name in told), told
    rows = opened(out / "return-good.txt.cms", tmp_path).decode("gb18030").splitlines()
    assert [row.split("|")[5] for row in rows[1:]] == [who.card_no for who in holders(order) if who.row != 2]
    assert len(opened(out / "return-bad.txt.cms", tmp_path).splitlines()) == 2
    again = kaguan("perso", "run", order, "--out", out, "--skip-bad")  # now in clear: the sealed one is no more
    assert again.returncode == 0, again.stderr
    assert sorted(path.name for path in out.glob("return-*")) == ["return-bad.txt", "return-good.txt"]
