"""Configuration: what a cell can be told, where that is written, and what is wrong with it."""

from settings.checks import commands_of, metadata_of
from settings.config import Config
from settings.documents import Reading, parse
from settings.errors import BadConfig, Problem
from settings.files import inspect, load, load_file
from settings.light import LightConfig
from settings.sections.cell import CellConfig
from settings.sections.discovery import DiscoveryConfig
from settings.sections.gateway import GatewayConfig
from settings.sections.hypha import HyphaConfig
from settings.sections.logs import LoggingConfig
from settings.sections.state import StateConfig
from settings.sections.storage import StorageConfig
from settings.sections.trust import TrustConfig
from settings.writing import change, dump

__all__ = [
    "BadConfig",
    "CellConfig",
    "Config",
    "DiscoveryConfig",
    "GatewayConfig",
    "HyphaConfig",
    "LightConfig",
    "LoggingConfig",
    "Problem",
    "Reading",
    "StateConfig",
    "StorageConfig",
    "TrustConfig",
    "change",
    "commands_of",
    "dump",
    "inspect",
    "load",
    "load_file",
    "metadata_of",
    "parse",
]
