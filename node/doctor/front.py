"""Checks of what guards the gateway: its TLS files, and the tokens that were handed out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from core.errors import MyceldError
from core.findings import Finding, find
from gateway.grants import Grants
from gateway.tls import TlsFiles
from node.doctor.limits import CERTIFICATE_SOON_S, RSA_BITS_QUICK, TOKENS_NAMED_MAX
from node.doctor.patient import Patient
from settings import Config

_MS_A_NS = 1_000_000


def check_front(patient: Patient, config: Config, now_ns: int) -> Iterator[Finding]:
    """Yield what is wrong with certificate and tokens."""
    yield from _certificate(patient, config, now_ns / 1e9)
    yield from _tokens(patient, now_ns // _MS_A_NS)


def _certificate(patient: Patient, config: Config, now_s: float) -> Iterator[Finding]:
    gateway, home = config.gateway, patient.home.path
    if not gateway.tls_certificate and not gateway.tls_key:
        return
    files = TlsFiles(home / gateway.tls_certificate, home / gateway.tls_key)
    try:
        files.context(now_s)
    except MyceldError as error:
        yield find("MYC-DOCTOR-073", error.detail)
        return
    certificate = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]
    slow = _slow_key(certificate)
    if slow:
        yield find("MYC-DOCTOR-076", f"{files.key} is {slow}")
    end = certificate.not_valid_after_utc
    left = end - datetime.fromtimestamp(now_s, UTC)
    if left < timedelta(seconds=CERTIFICATE_SOON_S):
        yield find("MYC-DOCTOR-074", f"{files.certificate} ends on {end:%Y-%m-%d}")


def _slow_key(certificate: x509.Certificate) -> str:
    """Return what a key is that takes longer than one on P-256 or 2,048 bits of RSA."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size > RSA_BITS_QUICK:
        return f"RSA of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, ec.SECP256R1):
        return f"on {key.curve.name}"
    return ""


def _tokens(patient: Patient, now_ms: int) -> Iterator[Finding]:
    path = patient.home.grants
    if not path.exists():
        return
    try:
        grants = Grants.open(path, now_ms=lambda: now_ms, random=bytes).all()
    except MyceldError as error:
        yield find("MYC-DOCTOR-071", error.detail, path=path)
        return
    over = [grant.name for grant in grants if not grant.revoked_ms and not grant.is_good(now_ms)]
    if over:
        yield find("MYC-DOCTOR-075", f"over: {', '.join(over[:TOKENS_NAMED_MAX])}")
