"""Gateways that a hypha asks, as texts `URL[,token=FILE][,ca=FILE]`: what is wrong with them.

In a file an item may be a mapping of FIELDS too; it stands for the same text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from core.host_names import is_loopback
from settings.errors import shown
from settings.keys import Wrong
from settings.limits import GATEWAY_URL_LENGTH_MAX

FIELDS: Final = (("url", ""), ("token_file", "token"), ("ca_file", "ca"))
"""Each with its name in the text."""

_OPTIONS: Final = tuple(name for _, name in FIELDS if name)


@dataclass(frozen=True, slots=True)
class GatewayText:
    """One gateway, taken apart but not checked."""

    url: str
    token_file: str = ""
    ca_file: str = ""

    def wrong(self) -> str | None:
        """Return why it can not be asked like this."""
        url = self.url
        if len(url) > GATEWAY_URL_LENGTH_MAX or not url.isascii() or not url.isprintable():
            return "the URL is too long, or not plain text"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return f"{url} is not a URL"
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host or port == 0:
            return f"{url} is not an http or https URL"
        if parts.username is not None or parts.query or parts.fragment or " " in url:
            return f"{host}: a URL holds no secrets, queries or fragments"
        if self.ca_file and parts.scheme != "https":
            return f"{url}: certificates are for https only"
        if self.token_file and parts.scheme != "https" and not is_loopback(host):
            return f"{url}: a token goes over https, or to this machine only"
        return None


def gateway_text(text: str) -> GatewayText | Wrong:
    """Take a text apart."""
    url, *options = text.split(",")
    found: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if name not in _OPTIONS or not equals or not value or name in found:
            return Wrong(f"{shown(option)}: expected token=FILE or ca=FILE, each once")
        found[name] = value
    return GatewayText(url.rstrip("/"), found.get("token", ""), found.get("ca", ""))


def wrong_gateways(texts: tuple[str, ...]) -> str | None:
    """Check the gateways of one hypha."""
    urls = set()
    for text in texts:
        gateway = gateway_text(text)
        if isinstance(gateway, Wrong):
            return gateway.message
        if (wrong := gateway.wrong()) is not None:
            return wrong
        if gateway.url in urls:
            return f"{gateway.url} is listed twice"
        urls.add(gateway.url)
    return None
