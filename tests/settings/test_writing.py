"""A change of a configuration file changes one value, and leaves every other byte as it was."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings import Config, change, parse
from settings.errors import CannotEdit
from settings.keys import Place, Value, places_in

PLACES = places_in(Config)
NAME, PORT = PLACES["cell"]["name"], PLACES["cell"]["gateway_port"]
LISTEN, DHT = PLACES["cell"]["listen"], PLACES["discovery"]["dht"]
FILE = """\
# A cell of mine.
version: 1

cell:   # who it is
  name: ada  # as in the genesis
  # Where it listens:
  listen:
    - /ip4/127.0.0.1/tcp/1
    # and on the LAN
    - /ip4/192.0.2.1/tcp/1

  gateway_port: 1

# At home only.
discovery: {mdns: true}
"""


@pytest.mark.parametrize(
    ("place", "value", "before", "after"),
    [
        (NAME, "bob", "name: ada  # as", "name: bob  # as"),
        (NAME, "no: 'quotes' # yet", "name: ada  #", "name: 'no: ''quotes'' # yet'  #"),
        (PORT, 8710, "gateway_port: 1\n", "gateway_port: 8710\n"),
        (DHT, True, "{mdns: true}", "{mdns: true, dht: true}"),
        (LISTEN, ("/a", "/ip4/192.0.2.1/tcp/1"), "- /ip4/127.0.0.1/tcp/1", "- /a"),
        (
            LISTEN,
            ("/ip4/127.0.0.1/tcp/1", "/ip4/192.0.2.1/tcp/1", "/a"),
            "- /ip4/192.0.2.1/tcp/1\n",
            "- /ip4/192.0.2.1/tcp/1\n    - /a\n",
        ),
        (
            LISTEN,
            ("/ip4/127.0.0.1/tcp/1",),
            "    # and on the LAN\n    - /ip4/192.0.2.1/tcp/1\n",
            "",
        ),
        (
            PLACES["cell"]["gateway_host"],
            "localhost",
            "gateway_port: 1\n",
            "gateway_port: 1\n  gateway_host: localhost\n",
        ),
        (
            PLACES["state"]["history_rounds"],
            "all",
            "{mdns: true}\n",
            "{mdns: true}\nstate:\n  history_rounds: all\n",
        ),
    ],
)
def test_only_the_value_changes(place: Place, value: Value, before: str, after: str) -> None:
    assert FILE.count(before) == 1
    made = change(FILE, {place: value})
    assert made == FILE.replace(before, after)
    assert place.of(parse(Config, made.encode(), "c")) == value


@pytest.mark.parametrize(
    "text",
    [
        "version: 1",
        "version: 1\n",
        "version: 1\ncell:\n",
        "version: 1\ncell: # who\n",
        "version: 1\ncell: {}\n",
        "version: 1\ncell: {listen: [a]}",
        "version: 1\ncell:\n  listen:\n  - a\n  - b # c\n# end",
        "version: 1\ncell:\n    name:\n    listen: [a]\n",
        "version: 1\ncell:\n  name: |\n    several\n    lines\n  listen: [a]\n",
        "version: 1\ncell:\n  name: >-\n    several\n    lines\n\n\n# end\n",
        'version: 1\ncell:\n  "name": "a\n    b" # c\n',
    ],
)
@given(name=st.text(max_size=12), port=st.integers(0, 65535))
@settings(deadline=None, max_examples=25)
def test_any_layout_takes_any_value(text: str, name: str, port: int) -> None:
    made = change(text, {NAME: name, PORT: port})
    cell = parse(Config, made.encode(), "c").cell
    assert (cell.name, cell.gateway_port) == (name, port)
    kept = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert all(comment in made for comment in kept)


@pytest.mark.parametrize(
    "text", ["", "[]", "{version: 1}", "version: 1\n...\n", "version: 1\ncell: x"]
)
def test_a_file_that_can_not_be_edited_is_refused_and_not_damaged(text: str) -> None:
    with pytest.raises(CannotEdit):
        change(text, {NAME: "a"})
