"""Where the passphrase of a cell's key comes from: options, the configuration, or the terminal.

The configuration names a file, so that services start unattended.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from identity import keystore
from identity.keystore import PlainKey
from identity.passphrase import Passphrase, PassphraseSource
from node.home import Home
from settings import Config, load


def passphrase_source(home: Home, given: PassphraseSource) -> PassphraseSource:
    """Return where to read the passphrase: what is given goes before what is configured.

    Raises BadConfig.
    """
    if given.is_given or not home.config.exists():
        return given
    named = load(home.config, os.environ, Config).cell.passphrase_file
    return PassphraseSource(file=home.path / named) if named else given


def ask_ahead(home: Home, given: PassphraseSource) -> Callable[[], Passphrase] | None:
    """Return what gives the passphrase later, having asked for it now; None if the key has none.

    A prompt has to be over before signals are the daemon's: Ctrl-C would not end it.
    """
    if isinstance(keystore.inspect(home.key), PlainKey):
        return None
    passphrase = passphrase_source(home, given).read()
    return lambda: passphrase
