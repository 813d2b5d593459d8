"""Making a cell is safe to repeat: the key stays, the network stays once it was used."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from core.errors import MyceldError
from core.ids import NotACellId
from gossip.host.errors import NotAMultiaddr
from identity import keystore
from identity.errors import KeyFileTooOpen
from ledger.errors import BadGenesis
from ledger.genesis import Genesis, to_json
from node import founding
from node.errors import BadOption, DirectoryLocked, NotInitialised, OtherNetwork
from node.founding import Wishes, found, make_genesis, read_genesis
from node.home import Home
from settings import BadConfig, Config, load
from tests.ledger.world import GENESIS, KEYS

OTHER = Genesis("other", GENESIS.members, GENESIS.time_ns)


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Home:
    return Home(tmp_path / "cell")


def _file(home: Home, genesis: Genesis) -> Path:
    path = home.path.parent / f"{genesis.name}.json"
    path.write_text(to_json(genesis))
    return path


def _content(home: Home) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.path.iterdir() if path != home.lock}


def test_a_new_cell_is_a_network_of_its_own(home: Home) -> None:
    founded = found(home, Wishes())
    assert founded.created
    assert [member.cell_id for member in founded.genesis.members] == [founded.key.cell_id]
    assert read_genesis(home.genesis) == founded.genesis
    assert keystore.load(home.key).cell_id == founded.key.cell_id
    assert load(home.config, {}, Config) == founded.config
    assert len(home.read_or_make_token()) >= 32
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in home.path.iterdir()), (
        "nothing of it is for others"
    )


def test_repeating_it_changes_nothing(home: Home) -> None:
    first = found(home, Wishes(network="forest", name="oak"))
    before = _content(home)
    for wishes in (Wishes(), Wishes(network="forest"), Wishes(name="oak")):
        again = found(home, wishes)
        assert not again.created
        assert (again.genesis, again.config) == (first.genesis, first.config)
        assert again.key.cell_id == first.key.cell_id
    assert _content(home) == before


def test_it_repeats_after_the_first_run_too(home: Home) -> None:
    first = found(home, Wishes(genesis=_file(home, GENESIS)))
    home.database.write_bytes(b"")
    assert found(home, Wishes(genesis=_file(home, GENESIS))).genesis == first.genesis
    assert found(home, Wishes()).genesis == GENESIS
    assert found(home, Wishes(name="new name")).config.cell.name == "new name"


def test_the_genesis_is_replaced_before_the_first_run_and_never_after_it(home: Home) -> None:
    own = found(home, Wishes())
    assert found(home, Wishes(genesis=_file(home, GENESIS))).genesis == GENESIS
    assert found(home, Wishes(genesis=_file(home, OTHER))).genesis == OTHER
    home.database.write_bytes(b"")
    before = _content(home)
    for wishes in (
        Wishes(genesis=_file(home, GENESIS), name="renamed", gateway_port=1),
        Wishes(network="third"),
    ):
        with pytest.raises(OtherNetwork, match="belongs to network other"):
            found(home, wishes)
        assert _content(home) == before, "a refusal changes nothing"
    assert keystore.load(home.key).cell_id == own.key.cell_id


def test_a_network_is_asked_for_its_genesis_only_before_the_first_run(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/ip4/127.0.0.1/tcp/1/p2p/{KEYS[0].cell_id}"
    asked = []

    async def fetch(seed: bytes, addresses: tuple[str, ...]) -> Genesis:
        asked.append((len(seed), addresses))
        return GENESIS

    monkeypatch.setattr(founding, "fetch_genesis", fetch)
    founded = found(home, Wishes(bootstrap=(address,)))
    assert (founded.genesis, founded.config.cell.bootstrap) == (GENESIS, (address,))
    home.database.write_bytes(b"")
    assert found(home, Wishes(bootstrap=(address,))).genesis == GENESIS
    assert asked == [(32, (address,))]
    given = Home(home.path.parent / "given")
    assert found(given, Wishes(bootstrap=(address,), genesis=_file(home, OTHER))).genesis == OTHER
    assert len(asked) == 1


def test_wishes_change_the_configuration_and_leave_the_rest(home: Home) -> None:
    first = found(home, Wishes()).config
    listen = ("/ip4/127.0.0.1/tcp/0",)
    assert found(home, Wishes(listen=listen, gateway_port=0, name="oak")).config.cell.name == "oak"
    last = found(home, Wishes()).config
    assert (last.cell.listen, last.cell.gateway_port, last.cell.name) == (listen, 0, "oak")
    assert last.logging == first.logging


def test_a_fresh_configuration_takes_a_free_port(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert founding._free_port(port) not in (0, port)
    config = found(home, Wishes()).config
    assert config.cell.gateway_port > 0
    assert config.cell.listen[0].startswith("/ip4/127.0.0.1/tcp/")


def test_cells_made_before_any_of_them_runs_have_ports_of_their_own(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(founding, "_free_port", lambda wanted: wanted)
    made: list[tuple[str, int]] = []
    for number in (1, 2, 3):
        one = Home(home.path / str(number))
        one.make()
        keystore.create(one.key, bytes([number]) * 32)
        config = found(one, Wishes()).config
        made.append((config.cell.listen[0], config.cell.gateway_port))
    listen, gateway = zip(*made, strict=True)
    assert len({*listen}) == len({*gateway}) == 3
    assert all(25_000 <= port < 30_000 for port in gateway)


def test_the_cell_in_the_default_directory_asks_for_the_well_known_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(founding, "_free_port", lambda wanted: wanted)
    config = found(Home(tmp_path / ".myceld"), Wishes()).config
    assert (config.cell.listen, config.cell.gateway_port) == (("/ip4/127.0.0.1/tcp/4710",), 8710)


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        (Wishes(bootstrap=("nowhere",)), NotAMultiaddr),
        (Wishes(listen=("/dns/host/tcp/1",)), NotAMultiaddr),
        (Wishes(network="n", genesis=Path("g.json")), BadOption),
        (Wishes(network="n", bootstrap=(f"/ip4/1.1.1.1/tcp/1/p2p/{KEYS[0].cell_id}",)), BadOption),
        (Wishes(genesis=Path("/nowhere/g.json")), NotInitialised),
        (Wishes(genesis=Path("/")), BadGenesis),
    ],
)
def test_an_impossible_wish_makes_nothing(
    home: Home, wishes: Wishes, error: type[MyceldError]
) -> None:
    with pytest.raises(error):
        found(home, wishes)
    assert not home.path.exists()


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        (Wishes(gateway_port=-1), BadConfig),
        (Wishes(gateway_port=65536), BadConfig),
        (Wishes(name="x" * 65), BadGenesis),
        (Wishes(network="a\nb"), BadGenesis),
    ],
)
def test_after_a_wish_that_was_refused_a_good_one_works(
    home: Home, wishes: Wishes, error: type[MyceldError]
) -> None:
    with pytest.raises(error):
        found(home, wishes)
    assert not home.config.exists()
    assert found(home, Wishes()).config.cell.name == "cell"


def test_a_running_cell_and_an_open_key_are_told(home: Home) -> None:
    found(home, Wishes())
    with home.locked(), pytest.raises(DirectoryLocked):
        found(home, Wishes())
    home.key.chmod(0o644)
    with pytest.raises(KeyFileTooOpen):
        found(home, Wishes())


def test_a_damaged_genesis_is_told_with_its_path(home: Home) -> None:
    found(home, Wishes())
    home.genesis.write_text("{}")
    with pytest.raises(BadGenesis, match=r"genesis\.json: not a genesis file"):
        found(home, Wishes())
    home.genesis.write_text(" " * 70_000)
    with pytest.raises(BadGenesis, match="larger than"):
        found(home, Wishes())


def test_a_genesis_is_made_of_members_as_they_are_typed() -> None:
    a, b, c = (key.cell_id for key in KEYS[:3])
    genesis = make_genesis("forest", [a, f"{b}=oak", f"{c}=elm tree:7"])
    assert [(m.cell_id, m.name, m.weight) for m in genesis.members] == [
        (a, "cell-1", 1),
        (b, "oak", 1),
        (c, "elm tree", 7),
    ]
    assert make_genesis("forest", [f"{a}:3"]).roster.weights == (3,)


def test_the_length_of_epochs_is_part_of_the_genesis() -> None:
    member = KEYS[0].cell_id
    assert make_genesis("forest", [member]).epoch_rounds == 2048
    assert make_genesis("forest", [member], epoch_rounds=16).epoch_rounds == 16
    with pytest.raises(BadGenesis, match="15 rounds an epoch"):
        make_genesis("forest", [member], epoch_rounds=15)


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ([], BadGenesis),
        (["nobody"], NotACellId),
        ([f"{KEYS[0].cell_id}:"], BadOption),
        ([f"{KEYS[0].cell_id}:-1"], BadOption),
        ([f"{KEYS[0].cell_id}:many"], BadOption),
        ([f"{KEYS[0].cell_id}:0"], BadGenesis),
        ([KEYS[0].cell_id] * 2, BadGenesis),
    ],
)
def test_a_member_that_can_not_be_is_refused(members: list[str], error: type[MyceldError]) -> None:
    with pytest.raises(error):
        make_genesis("forest", members)
