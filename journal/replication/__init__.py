"""Replication of a journal: another cell keeps a checked copy of it, and can serve that too.

    copies = await Copies.open(store)
    shelf = Shelf(store, copies, cell_id)
    await Servers(shelf).serve(stream)             # for each stream that a follower opens
    await FollowSession(stream, copies, other, "state", shelf.on_commit).run()

`follower`, `server` and `fetch` are pure state machines; the other modules drive them.
"""

from journal.replication.copies import Copies, Copy, Evidence
from journal.replication.feeds import Shelf
from journal.replication.following import FollowSession, fetch
from journal.replication.framing import ByteStream
from journal.replication.serving import Servers

__all__ = [
    "ByteStream",
    "Copies",
    "Copy",
    "Evidence",
    "FollowSession",
    "Servers",
    "Shelf",
    "fetch",
]
