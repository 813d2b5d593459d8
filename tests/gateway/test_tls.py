"""TLS from files: a gateway over it, its owner's client, and how the files can be wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.door import DoorRules
from gateway.errors import BadCertificate, NotLoopback
from gateway.server import Gateway, Security
from gateway.tls import TlsFiles
from myceld import Client
from myceld.errors import CellNotTrusted
from tests.gateway.fake_cell import TOKEN, FakeCell

NOW = datetime.now(UTC)


def made(folder: Path, name: str, *, until: datetime = NOW + timedelta(days=1)) -> TlsFiles:
    """Write a certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=2))
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )
    files = TlsFiles(folder / f"{name}.crt", folder / f"{name}.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_the_owners_client_knows_its_gateway_and_no_other(tmp_path: Path) -> None:
    ours, others = made(tmp_path, "ours"), made(tmp_path, "others")

    async def talk() -> None:
        gateway = Gateway(FakeCell(), token=TOKEN, security=Security(tls=ours))
        url = await gateway.start()
        assert url.startswith("https://127.0.0.1:")
        try:
            await asyncio.to_thread(ask, url)
        finally:
            await gateway.stop()

    def ask(url: str) -> None:
        with Client(url, TOKEN, certificate=ours.certificate) as client:
            first = client.status()
            assert client.status() == first
        for wrong in (others.certificate, ""):
            with pytest.raises(CellNotTrusted), Client(url, TOKEN, certificate=wrong) as client:
                client.status()

    asyncio.run(talk())


def test_renewed_files_serve_from_the_next_handshake_on_and_wrong_ones_never(
    tmp_path: Path,
) -> None:
    ours, renewed = made(tmp_path, "ours"), made(tmp_path, "renewed")
    first = tmp_path / "first.crt"
    first.write_bytes(ours.certificate.read_bytes())

    async def talk() -> None:
        gateway = Gateway(FakeCell(), token=TOKEN, security=Security(tls=ours))
        url = await gateway.start()
        with Client(url, TOKEN, certificate=first) as before:
            await asyncio.to_thread(before.status)
            assert gateway.renewed_tls() is None
            ours.certificate.write_bytes(renewed.certificate.read_bytes())
            with pytest.raises(BadCertificate, match="not the key of the certificate"):
                gateway.renewed_tls()
            ours.key.write_bytes(renewed.key.read_bytes())
            gateway.take(DoorRules(), None, gateway.renewed_tls())
            await asyncio.to_thread(before.status)  # its connection is as good as it was
            await asyncio.to_thread(reconnect, url)
            assert gateway.renewed_tls() is None
        await gateway.stop()

    def reconnect(url: str) -> None:
        with Client(url, TOKEN, certificate=renewed.certificate) as client:
            client.status()
        with pytest.raises(CellNotTrusted), Client(url, TOKEN, certificate=first) as client:
            client.status()

    asyncio.run(talk())


def test_files_that_can_not_serve_are_named_before_anybody_connects(tmp_path: Path) -> None:
    good, other = made(tmp_path, "good"), made(tmp_path, "other")
    over = made(tmp_path, "over", until=NOW - timedelta(days=1))
    open_key = made(tmp_path, "open")
    open_key.key.chmod(0o640)
    (tmp_path / "none.crt").write_text("no certificate", encoding="ascii")
    now_s = NOW.timestamp()
    for files, why in (
        (TlsFiles(good.certificate, other.key), "not the key of the certificate"),
        (over, "expired on"),
        (open_key, "0600"),
        (TlsFiles(tmp_path / "none.crt", good.key), "no certificate in PEM"),
        (TlsFiles(tmp_path / "missing.crt", good.key), "No such file"),
        (TlsFiles(good.certificate, tmp_path / "missing.key"), "No such file"),
        (TlsFiles(good.certificate, good.certificate), "0600"),
    ):
        with pytest.raises(BadCertificate, match=why):
            files.context(now_s)
    with pytest.raises(BadCertificate, match="begins on"):
        good.context(now_s - 5 * 86_400)
    good.context(now_s)


def test_a_public_address_needs_tls_or_the_owners_word_that_it_knows(tmp_path: Path) -> None:
    host = "0.0.0.0"  # noqa: S104 - nothing listens here
    with pytest.raises(NotLoopback):
        Gateway(FakeCell(), host=host, token=TOKEN)
    Gateway(FakeCell(), host=host, token=TOKEN, security=Security(tls=made(tmp_path, "a")))
    Gateway(FakeCell(), host=host, token=TOKEN, security=Security(insecure=True))
