"""Section `cell`: who the cell is to others, and where it listens."""

from __future__ import annotations

from dataclasses import dataclass

from settings.checks import wrong_commands, wrong_metadata
from settings.keys import key
from settings.limits import COMMANDS_MAX


@dataclass(frozen=True, slots=True)
class CellConfig:
    """The values of the section."""

    name: str = key(
        "cell",
        "shown to people; a member goes by the name in the genesis",
        celluler="CELLULER_CELL_NAME",
    )
    listen: tuple[str, ...] = key(
        ("/ip4/127.0.0.1/tcp/0",),
        "addresses to listen on; port 0 takes a free port at each start. To be reached from other"
        " machines: `/ip4/0.0.0.0/tcp/4710`. With `/ws` behind it, the port speaks WebSocket"
        " instead, e.g. `/ip4/0.0.0.0/tcp/4711/ws`. `myceld init` chooses a port on loopback",
        items="multiaddrs",
        least=1,
    )
    bootstrap: tuple[str, ...] = key(
        (),
        "addresses of other cells, with `/p2p/CELL_ID`; one is enough to find the rest",
        items="multiaddrs",
    )
    gateway_host: str = key(
        "127.0.0.1",
        "address of the HTTP gateway; others than loopback need TLS (section `gateway`)",
    )
    gateway_port: int = key(
        0,
        "port of the HTTP gateway; 0 takes a free one at each start. `myceld init` chooses one",
        most=65535,
    )
    commands: tuple[str, ...] = key(
        (),
        "what members may have run here by `myceld exec`: texts `NAME=COMMAND`, such as"
        " `disk=df -h /`. Split as a shell does, but run without one, as the cell's user, with"
        " `PATH` and `LANG` only; one at a time, a minute at most, 56 KiB of output",
        items="NAME=COMMAND",
        reload=True,
        most=COMMANDS_MAX,
        check=wrong_commands,
    )
    metadata: tuple[str, ...] = key(
        (),
        "what the cell says of itself besides, as `KEY=VALUE`: at most 32 pairs, a key of at most"
        " 64 letters, a value of at most 160. Clients see it in `services` and `status --json`,"
        " other cells by `myceld services --of CELL` if the row `cell-info` lets them; each change"
        " is in the journal `nucleus`",
        items="KEY=VALUE",
        pairs=True,
        celluler="CELLULER_CELL_METADATA",
        check=wrong_metadata,
        reload=True,
    )
    passphrase_file: str = key(
        "",
        "a file whose first line is the passphrase of `key.json`, relative to the cell's"
        " directory, for cells that start unattended; others may not read it (a group may:"
        " credentials of systemd come so). Empty: ask for it",
    )
