"""TLS of the gateway from two files in PEM, checked before anybody connects."""

from __future__ import annotations

import ssl
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway import hello
from gateway.errors import BadCertificate

P256: Final = "prime256v1"
"""Curves as OpenSSL calls them. Every TLS has this one (RFC 8446, 9.1)."""
X25519: Final = "X25519"
"""The cheaper one, which most clients guess that a server has."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificate, with those between it and its root behind it, and its key are."""

    certificate: Path
    key: Path

    def context(self, now_s: float, curve: str = P256) -> ssl.SSLContext:
        """Return what serves with them, with keys on one curve; raises BadCertificate.

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
        context.options |= ssl.OP_NO_RENEGOTIATION
        # A client may ask for any group that is on, and the dearest costs 600 times as much.
        context.set_ecdh_curve(curve)
        # Tickets come behind the handshake. A client that reads in one thread and writes in another
        # may be writing then, and Python keeps the two from each other no more than OpenSSL does.
        context.num_tickets = 0
        try:
            # Without an answer of our own a key with a passphrase would ask for it on the terminal.
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or "not a key in PEM without a passphrase"
            is_other = reason == "KEY_VALUES_MISMATCH"
            why = "is not the key of the certificate" if is_other else f"can not be used ({reason})"
            raise BadCertificate(f"{self.key} {why}") from error
        return context

    def read(self) -> bytes:
        """Return what is in the file of the certificate; raises BadCertificate."""
        try:
            return self.certificate.read_bytes()
        except OSError as error:
            raise BadCertificate(f"{self.certificate}: {error.strerror}") from error


class Tls:
    """What a gateway serves with, which can be renewed under it: for handshakes from then on."""

    def __init__(self, files: TlsFiles, now_s: float) -> None:
        """Raises BadCertificate."""
        self._files = files
        self._read = files.read()
        self._usual = files.context(now_s, X25519)
        self._other = files.context(now_s, P256)

    def context_for(self, groups: frozenset[int]) -> ssl.SSLContext:
        """Return what a handshake goes by with a client that offers these groups.

        The groups that are on are the cheap ones, and Python can switch on one at a time.
        """
        return self._usual if hello.X25519 in groups else self._other

    def renewed(self, now_s: float) -> Tls | None:
        """Return what is in the files now if that is another certificate, and can serve.

        Raises BadCertificate. Nothing is changed before `take`.
        """
        return None if self._files.read() == self._read else Tls(self._files, now_s)

    def take(self, renewed: Tls) -> None:
        """Serve with this from now on."""
        self._read = renewed._read
        self._usual, self._other = renewed._usual, renewed._other


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
