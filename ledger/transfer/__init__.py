"""Catching up from a certified checkpoint: what is asked, served, checked and kept.

The end of an epoch, the *seal*, is a checkpoint: its header is certified and names the state's root
and the next roster. Who has only the genesis fetches the links between rosters, then from any
peers the state at a seal in pieces and the ids that the seal's epoch listed.

- `wire`: requests and answers.
- `server`: answers one request out of a source.
- `fetcher`: the newcomer's state machine.
- `contents`: what was fetched, read back for the installation.
"""
