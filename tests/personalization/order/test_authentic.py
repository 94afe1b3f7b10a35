"""What openssl signs is believed, and nothing else is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from kaguan.apdu.errors import InputError
from kaguan.personalization.order import authentic
from kaguan.personalization.order.authentic import (
    NotAuthentic,
    Proof,
    Trust,
    authenticate,
    mac_key_of,
    read_signer,
)
from kaguan.personalization.order.cli import order as order_door
from kaguan.vault.secret import Secret
from personalization.orders import Order

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")]

KEY = "000102030405060708090a0b0c0d0e0f"
MAC_KEY = mac_key_of(Secret(KEY.encode()))
KINDS = {
    "rsa": ["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "p256": ["genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ed25519": ["genpkey", "-quiet", "-algorithm", "ED25519"],
}


def openssl(*arguments: object) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Order().write(tmp_path / "order.zip")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two key pairs of each kind, `<kind>.pem` and `<kind>-other.pem`, with their public keys and a certificate."""
    place = tmp_path_factory.mktemp("keys")
    for kind, how in KINDS.items():
        for name in (kind, f"{kind}-other"):
            openssl(*how, "-out", place / f"{name}.pem")
            openssl("pkey", "-in", place / f"{name}.pem", "-pubout", "-out", place / f"{name}.pub")
    subject = ("-subj", "/CN=Test bureau 990100", "-days", "30")
    openssl("req", "-x509", "-key", place / "p256.pem", *subject, "-out", place / "p256.crt")
    return place


def sign(path: Path, folder: Path, kind: str, name: str | None = None) -> None:
    key = folder / f"{name or kind}.pem"
    if kind == "ed25519":
        openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", path, "-out", f"{path}.sig")
    else:
        openssl("dgst", "-sha256", "-sign", key, "-out", f"{path}.sig", path)


def trust(folder: Path, *names: str) -> Trust:
    return Trust(signers=tuple(read_signer(folder / name) for name in names))


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_says_who_signed(kind: str, path: Path, folder: Path) -> None:
    sign(path, folder, kind)
    proved = authenticate(path, trust(folder, *(f"{name}.pub" for name in KINDS)))
    assert proved.signer.startswith(f"{kind} (")
    assert proved.digest.encode() in openssl("dgst", "-sha256", path)
    assert not proved.mac


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_signature_is_refused(kind: str, path: Path, folder: Path) -> None:
    sign(path, folder, kind)
    with pytest.raises(NotAuthentic, match="by none of the 1 trusted keys"):
        authenticate(path, trust(folder, f"{kind}-other.pub"))
    with path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(NotAuthentic, match="or the order was changed"):
        authenticate(path, trust(folder, f"{kind}.pub"))


@pytest.mark.parametrize("raw", [b"", b"\0" * 64, b"x" * 5000, b"0" * 256])
def test_what_is_no_signature(raw: bytes, path: Path, folder: Path) -> None:
    Path(f"{path}.sig").write_bytes(raw)
    with pytest.raises(NotAuthentic):
        authenticate(path, trust(folder, *(f"{name}.pub" for name in KINDS)))


def test_a_certificate_holds_for_its_days(path: Path, folder: Path) -> None:
    sign(path, folder, "p256")
    trusted = trust(folder, "p256.crt")
    assert authenticate(path, trusted).signer.startswith("'Test bureau 990100' (")
    for days in (-2, 31):
        with pytest.raises(NotAuthentic, match="is not valid today"):
            authenticate(path, trusted, datetime.now(UTC) + timedelta(days=days))


MACS: dict[str, Callable[[Path], bytes]] = {
    "dgst": lambda path: openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{KEY}", path),
    "dgst -r": lambda path: openssl("dgst", "-r", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{KEY}", path),
    "mac": lambda path: openssl("mac", "-digest", "SHA256", "-macopt", f"hexkey:{KEY}", "-in", path, "HMAC"),
}


@pytest.mark.parametrize("program", MACS.values(), ids=MACS)
def test_a_mac_as_openssl_prints_it(program: Callable[[Path], bytes], path: Path) -> None:
    Path(f"{path}.mac").write_bytes(program(path))
    assert authenticate(path, Trust(mac_key=MAC_KEY)).mac
    with pytest.raises(NotAuthentic, match="its MAC is wrong"):
        authenticate(path, Trust(mac_key=Secret(bytes(16))))
    with path.open("r+b") as file:
        file.write(b"\0")
    with pytest.raises(NotAuthentic, match="its MAC is wrong"):
        authenticate(path, Trust(mac_key=MAC_KEY))


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n" + "0" * 64, "=" * 200])
def test_what_is_no_mac(text: str, path: Path) -> None:
    Path(f"{path}.mac").write_text(text)
    with pytest.raises(NotAuthentic):
        authenticate(path, Trust(mac_key=MAC_KEY))


@pytest.mark.parametrize("proof", Proof)
def test_a_proof_without_a_key_to_judge_it_is_refused(proof: Proof, path: Path) -> None:
    proof.beside(path).write_bytes(b"anything")
    with pytest.raises(NotAuthentic, match=f"order.zip.{proof} came with it, and no key was named"):
        authenticate(path, Trust())


@pytest.mark.parametrize("proof", Proof)
def test_a_proof_that_is_demanded_is_missed(proof: Proof, path: Path, folder: Path) -> None:
    trusted = Trust(trust(folder, "rsa.pub").signers, MAC_KEY)
    assert str(authenticate(path, trusted)) == "nothing proves who sent it"
    with pytest.raises(NotAuthentic, match=f"ask its sender for order.zip.{proof}"):
        authenticate(path, Trust(trusted.signers, MAC_KEY, frozenset([proof])))


def test_ed25519_is_for_orders_that_fit_into_memory(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(path, folder, "ed25519")
    monkeypatch.setattr(authentic, "GREATEST_SIGNED_WHOLE", path.stat().st_size - 1)
    with pytest.raises(NotAuthentic, match="ask for RSA or ECDSA"):
        authenticate(path, trust(folder, "ed25519.pub"))


def test_keys_that_nobody_should_trust(tmp_path: Path, folder: Path) -> None:
    openssl("genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", tmp_path / "weak")
    openssl("pkey", "-in", tmp_path / "weak", "-pubout", "-out", tmp_path / "weak.pub")
    openssl("genpkey", "-quiet", "-algorithm", "X25519", "-out", tmp_path / "other")
    openssl("pkey", "-in", tmp_path / "other", "-pubout", "-out", tmp_path / "other.pub")
    for name, reason in (("weak.pub", "1024 bits"), ("other.pub", "another kind"), ("weak", "no public key")):
        with pytest.raises(InputError, match=reason):
            read_signer(tmp_path / name)
    for digits in (b"00" * 15, b"xx" * 16, b"\xff"):
        with pytest.raises(InputError, match="MAC key"):
            mac_key_of(Secret(digits))


def test_the_door(path: Path, folder: Path, tmp_path: Path) -> None:
    def door(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(order_door, ["check", str(path), *map(str, arguments)])
        return done.exit_code, f"{done.output}{done.exception or ''}"

    assert door("--require-signature") == (1, "order.zip: it has no signature: ask its sender for order.zip.sig")
    sign(path, folder, "rsa")
    Path(f"{path}.mac").write_bytes(MACS["mac"](path))
    key = tmp_path / "mac.key"
    key.write_text(KEY)
    key.chmod(0o600)
    code, said = door("--signer", folder / "rsa.pub", "--mac-key", key, "--require-signature", "--require-mac")
    assert (code, said.splitlines()[0].startswith("signed by rsa (")) == (0, True)
    key.chmod(0o640)
    code, said = door("--signer", folder / "rsa.pub", "--mac-key", key)
    assert (code, "others may read" in said, KEY in said) == (1, True, False)
