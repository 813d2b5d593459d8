"""Imports only what we use of libp2p, and quiets its logging.

`libp2p/__init__.py` imports every protocol of the library (DHT, pubsub, bitswap, QUIC, ACME, …) and
reconfigures logging. We put an unexecuted package in its place before the first import, which
saves 25 MB and 1 s; `import libp2p` elsewhere in this process then gives the bare package.
Called in the trio thread, once per process; safe to call again.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import threading
import warnings
from typing import Any, Final, TypeAlias

Libp2pObject: TypeAlias = Any
"""An object of libp2p, which has no types. The name marks the edge where checking ends."""

_LOCK: Final = threading.Lock()
# In this order: libp2p's modules import each other in circles, and others fail.
_MODULES: Final = (
    "libp2p.crypto.ed25519",
    "libp2p.peer.id",
    "libp2p.transport.tcp.tcp",
    "libp2p.security.noise.transport",
    "libp2p.network.swarm",
    "libp2p.network.connection.swarm_connection",
)
_LOG: Final = logging.getLogger(__name__)


def load_libp2p() -> None:
    """Import libp2p lean and route what it logs; raises ImportError when it is not installed."""
    with _LOCK:
        if "libp2p" not in sys.modules:
            spec = importlib.util.find_spec("libp2p")
            if spec is None:
                raise ImportError("libp2p is not installed")
            sys.modules["libp2p"] = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings():
            # Deprecations inside libp2p and its dependencies are not ours to act on.
            warnings.simplefilter("ignore")
            for name in _MODULES:
                importlib.import_module(name)
        _route_logging()


class _Forward(logging.Handler):
    """Sends libp2p's records to our logger at debug level: a failed dial is no error of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        if _LOG.isEnabledFor(logging.DEBUG):
            _LOG.debug("libp2p %s: %s", record.name, record.getMessage())


def _route_logging() -> None:
    # Trap 24: libp2p logs every failed dial and closed connection as warning or error, and
    # swarm_connection calls the root logger, which installs a handler on it as a side effect.
    root = logging.getLogger("libp2p")
    root.setLevel(logging.WARNING)
    root.propagate = False
    if not any(isinstance(handler, _Forward) for handler in root.handlers):
        root.handlers[:] = [_Forward()]
    swarm_connection = sys.modules["libp2p.network.connection.swarm_connection"]
    vars(swarm_connection)["logging"] = logging.getLogger("libp2p.network.connection")
