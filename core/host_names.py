"""Names of hosts as HTTP has them: in the Host header, in origins, and what is loopback."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_origin(text: str) -> bool:
    """Tell whether a text is an origin that can be let in: scheme, host, port, and nothing else."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname or text != text.lower():
        return False
    return text == f"{parts.scheme}://{parts.netloc}" and "@" not in text and port != 0


def name_in_host(text: str) -> str | None:
    """Return the name in a Host header value, with or without port; None if it is none."""
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    else:
        name, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return None
    return name


def is_loopback_host(text: str) -> bool:
    """Tell whether a Host header value, with or without port, names the loopback interface."""
    name = name_in_host(text)
    return name is not None and is_loopback(name)


def is_loopback(name: str) -> bool:
    """Tell whether a host name or address without port is loopback."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
