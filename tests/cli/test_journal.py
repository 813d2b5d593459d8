"""`myceld journal` against a fake cell, and proof files checked without any."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.main import run
from core.ids import PublicKey, cell_id_of
from tests.cli.served import serving
from tests.gateway.fake_cell import FakeCell, write_home
from tests.journal.world import CELL_ID, OTHER_KEY

Run = Callable[..., tuple[int, str, str]]
OTHER_ID = cell_id_of(PublicKey(bytes(OTHER_KEY.verify_key)))


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeCell, str]]:
    with serving() as pair:
        yield pair


@pytest.fixture
def call(
    served: tuple[FakeCell, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    write_home(tmp_path / "home", served[1])
    monkeypatch.setenv("MYCELD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_list_shows_own_and_followed_journals(call: Run) -> None:
    assert call("journal", "follow", "bob/state", "--no-wait")[0] == 0
    answer = json.loads(call("journal", "list", "--json")[1])
    assert answer["items"][0]["name"] == "consensus"
    assert answer["follows"][0]["journal"] == "state"
    out = call("journal", "list")[1]
    assert "bob/state" in out
    assert call("journal", "follow", "bob/state", "--stop")[1].startswith("stopped")
    assert json.loads(call("journal", "list", "--json")[1])["follows"] == []


def test_follow_waits_until_the_copy_is_whole(call: Run) -> None:
    status, out, _ = call("journal", "follow", "bob/state", "--json")
    assert status == 0
    lengths = [json.loads(line)["length"] for line in out.splitlines()]
    assert lengths == sorted(lengths)
    assert json.loads(out.splitlines()[-1])["whole"] == 3
    call("journal", "follow", "bob/state", "--stop")


def test_follow_tells_of_a_conflict_and_of_bad_names(call: Run) -> None:
    assert call("journal", "follow", "bob/two-faced")[0] == 1
    call("journal", "follow", "bob/two-faced", "--stop")
    assert call("journal", "follow", "nobody/state")[2].startswith("error MYC-GATEWAY-025")
    assert call("journal", "follow", "no-slash")[0] == 2


def test_read_prints_blocks_as_hex_bytes_and_json(call: Run) -> None:
    assert call("journal", "read", "consensus", "1") == (0, "00112233\n", "")
    assert call("journal", "read", "consensus", "0", "--count", "3")[1].count("\n") == 3
    assert json.loads(call("journal", "read", "consensus", "2", "--json")[1])["index"] == 2
    assert call("journal", "read", "consensus", "3")[0] == 1
    assert call("journal", "read", "consensus", "--raw", "--json")[0] == 2
    assert call("journal", "read", "nobody/state", "0")[2].startswith("error MYC-CLI-002")


def test_audit_waits_for_the_result(call: Run) -> None:
    result = json.loads(call("journal", "audit", "consensus", "--json")[1])
    assert (result["state"], result["done"], result["size_bytes"]) == ("ok", 3, 16)
    assert "1 of them deleted: all as signed" in call("journal", "audit", "consensus")[1]
    assert call("journal", "audit", "none")[2].startswith("error MYC-GATEWAY-022")
    assert call("journal", "audit", "damaged")[2].startswith("error MYC-CLI-005")


def test_prune_passes_the_index_on(call: Run, served: tuple[FakeCell, str]) -> None:
    assert call("journal", "prune", "consensus", "2")[0] == 0
    assert served[0].calls[-1] == ("prune", ("consensus", 2))


def test_an_exported_proof_verifies_offline(call: Run, tmp_path: Path) -> None:
    assert call("journal", "export", "notes", "1")[0] == 0
    file = str(tmp_path / "notes-1.tlog-proof")
    status, out, err = call("journal", "verify", file, "--cell", CELL_ID)
    assert (status, err) == (0, "")
    assert "block 1 of 3" in out
    proven = json.loads(call("journal", "verify", file, "--json")[1])
    assert proven["valid"] is True
    assert bytes.fromhex(proven["block_hex"]) == b"block 1"
    assert call("journal", "export", "notes", "1", "--out", "-")[1] == Path(file).read_text()


def test_verify_refuses_another_cell_and_a_changed_file(call: Run, tmp_path: Path) -> None:
    call("journal", "export", "notes", "1", "--out", "p")
    refused = call("journal", "verify", "p", "--cell", OTHER_ID)
    assert refused[0] == 1
    assert refused[2].startswith("error MYC-JOURNAL-061")
    assert call("journal", "verify", "p", "--cell", OTHER_ID[:-1])[2].startswith(
        "error MYC-CORE-004"
    )
    text = (tmp_path / "p").read_text()
    (tmp_path / "p").write_text(text.replace("index 1", "index 0"))
    assert call("journal", "verify", "p")[2].startswith("error MYC-JOURNAL-001")
    (tmp_path / "p").write_bytes(b"\xff\xfe")
    assert call("journal", "verify", "p")[2].startswith("error MYC-CLI-002")
    assert call("journal", "verify", "missing")[0] == 1
