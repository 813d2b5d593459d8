"""Section `gateway`: who may use the cell over HTTP, and from where."""

from __future__ import annotations

from dataclasses import dataclass

from core.limits import GATEWAY_NAMES_MAX, RATE_OPEN, RATE_TOKEN
from settings.checks import wrong_hosts, wrong_origins, wrong_proxies
from settings.keys import key


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """The values of the section."""

    hosts: tuple[str, ...] = key(
        (),
        "names by which the gateway may be asked beside `localhost` and its address; a request"
        " under another name is refused, so no web page can get in by the DNS",
        items="host names",
        most=GATEWAY_NAMES_MAX,
        check=wrong_hosts,
        reload=True,
    )
    origins: tuple[str, ...] = key(
        (),
        "web pages of others that may use the gateway, such as `https://app.example`; there is no"
        " way to allow all",
        items="origins",
        most=GATEWAY_NAMES_MAX,
        check=wrong_origins,
        reload=True,
    )
    proxies: tuple[str, ...] = key(
        (),
        "addresses of proxies whose `X-Forwarded-For` is believed; that of others is ignored",
        items="IP addresses",
        most=GATEWAY_NAMES_MAX,
        check=wrong_proxies,
        reload=True,
    )
    rate_open: int = key(
        RATE_OPEN,
        "requests a minute of one address without a good token; 0: no limit",
        reload=True,
    )
    rate_token: int = key(
        RATE_TOKEN,
        "requests a minute of one token or key that was made without a limit of its own; 0: no"
        " limit. The owner's `gateway.token` has none",
        reload=True,
    )
    trusted_cells: bool = key(
        False,
        "let cells that sign their requests ask what the table `trust.needs` lets them, although"
        " nobody allowed their keys anything",
        reload=True,
    )
    tls_certificate: str = key(
        "",
        "file with the certificate in PEM, relative to the cell's directory, those between it and"
        " its root behind it; with it the gateway speaks HTTPS only. When it"
        " was renewed, with its key, `myceld config reload` has the gateway use what is there now",
    )
    tls_key: str = key("", "file with its key in PEM, mode 0600, without a passphrase")
    insecure_public_gateway_without_tls: bool = key(
        False,
        "listen on other addresses than loopback without TLS: everybody on the way can read the"
        " tokens, and use them",
    )
