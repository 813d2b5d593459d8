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
        self._newest = self.context = files.context(now_s)
        self.context.sni_callback = self._choose

    def renewed(self, now_s: float) -> Tls | None:
        """Return what is in the files now if that is another certificate, and can serve.

        Raises BadCertificate. Nothing is changed before `take`.
        """
        return None if self._files.read() == self._read else Tls(self._files, now_s)

    def take(self, renewed: Tls) -> None:
        """Serve with this from now on."""
        self._newest, self._read = renewed.context, renewed._read

    def _choose(self, handshake: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        """Exchange the context of a handshake that begins: OpenSSL asks whatever name is wanted."""
        handshake.context = self._newest


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
