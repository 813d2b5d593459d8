"""TLS of the gateway from two files in PEM, checked before anybody connects."""

from __future__ import annotations

import ssl
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from gateway.errors import BadCertificate


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificate, with those between it and its root behind it, and its key are."""

    certificate: Path
    key: Path

    def context(self, now_s: float) -> ssl.SSLContext:
        """Return what serves with them; raises BadCertificate.

        Both can be read, nobody but the owner can read the key, they are a pair, and the
        certificate is in date.
        """
        _check_date(self.certificate, now_s)
        try:
            mode = self.key.stat().st_mode
        except OSError as error:
            raise BadCertificate(f"{self.key}: {error.strerror}") from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadCertificate(f"others can use {self.key}: its mode is to be 0600")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # Without an answer of our own a key with a passphrase would ask for it on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or "not a key in PEM without a passphrase"
            is_other = reason == "KEY_VALUES_MISMATCH"
            why = "is not the key of the certificate" if is_other else f"can not be used ({reason})"
            raise BadCertificate(f"{self.key} {why}") from error
        return context


def _check_date(path: Path, now_s: float) -> None:
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as error:
        raise BadCertificate(f"{path}: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise BadCertificate(f"{path} holds no certificate in PEM") from error
    now = datetime.fromtimestamp(now_s, UTC)
    if now > certificate.not_valid_after_utc:
        raise BadCertificate(f"{path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if now < certificate.not_valid_before_utc:
        raise BadCertificate(f"{path} begins on {certificate.not_valid_before_utc:%Y-%m-%d}")
