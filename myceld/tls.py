"""How a client knows an https gateway: by one certificate, or by those that the system trusts."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Final

from myceld.errors import HomeUnreadable
from myceld.limits import CERTIFICATE_SIZE_BYTES_MAX

_FIRST: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def tls_of(certificate: Path | str = "", ca: Path | str = "") -> ssl.SSLContext:
    """Return what checks the server; raises HomeUnreadable.

    Of the file `certificate` only the first one counts, whatever name the URL has: the gateway's
    own, by which its owner finds it on loopback. Those behind it belong to others, who must not
    vouch. Those in the file `ca` vouch for the name in the URL, in place of the system's.
    """
    if not certificate:
        try:
            return ssl.create_default_context(cafile=ca or None)
        except OSError as error:
            raise HomeUnreadable(f"{ca}: not certificates that can be read") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        with Path(certificate).open("rb") as file:
            found = _FIRST.search(file.read(CERTIFICATE_SIZE_BYTES_MAX))
        if found is None:
            raise HomeUnreadable(f"{certificate} holds no certificate")
        context.load_verify_locations(cadata=found[0].decode("ascii"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise HomeUnreadable(f"{certificate}: not a certificate that can be read") from error
    return context
