"""Section `hypha` of hypha.yaml: which gateways a hypha asks, and where it answers itself."""

from __future__ import annotations

from dataclasses import dataclass

from settings.checks import wrong_shown_name
from settings.gateways import FIELDS, wrong_gateways
from settings.keys import key
from settings.limits import LIGHT_GATEWAYS_MAX, SECONDS_MAX, STALE_AFTER_S


@dataclass(frozen=True, slots=True)
class HyphaConfig:
    """The values of the section."""

    gateways: tuple[str, ...] = key(
        (),
        "gateways of cells to ask, none of which is trusted: each a mapping of `url`, `token_file`"
        " (a cell's `light.token`) and `ca_file` (PEM that vouches for an https gateway instead of"
        " the system's), or the same as text, `URL[,token=FILE][,ca=FILE]`; in a variable they are"
        " separated by semicolons. Files are relative to the hypha's directory",
        items="gateways",
        least=1,
        most=LIGHT_GATEWAYS_MAX,
        is_needed=True,
        fields=FIELDS,
        between=";",
        check=wrong_gateways,
    )
    name: str = key("hypha", "shown to people", check=wrong_shown_name)
    gateway_port: int = key(
        0,
        "port of its own gateway, on loopback; 0 takes a free one at each start",
        most=65535,
    )
    stale_after_s: int = key(
        STALE_AFTER_S,
        "age of the newest head that is warned of",
        unit="seconds",
        least=1,
        most=SECONDS_MAX,
    )
