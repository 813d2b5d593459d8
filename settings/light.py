"""`hypha.yaml`: the configuration of a hypha as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from settings.keys import section
from settings.sections.hypha import HyphaConfig
from settings.sections.logs import LoggingConfig

_MOVED: Final = {"log_level": ("logging", "level")}
"""Keys of `hypha` from before they had another place; they are taken as that."""


@dataclass(frozen=True, slots=True)
class LightConfig:
    """What a hypha can be told; every key but the gateways has a default."""

    hypha: HyphaConfig = section(
        HyphaConfig(), "Which gateways the hypha asks, and where it answers itself", moved=_MOVED
    )
    logging: LoggingConfig = section(
        LoggingConfig(), "How much is logged, in which form, and where it is kept"
    )
