"""`myceld explorer`: the address, and the file that leads a browser there."""

from __future__ import annotations

import html
import json
import stat
import webbrowser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.main import run
from core.ids import PublicKey
from ledger.genesis import Genesis, to_json
from ledger.roster import Member

GENESIS = Genesis("garden", (Member(PublicKey(bytes(31) + b"\x07"), 1, "ann"),), 0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    fields = {"pid": 1, "url": "http://127.0.0.1:4711", "cell_id": "x", "addresses": []}
    (tmp_path / "run.json").write_text(json.dumps({**fields, "started_ns": 0}))
    (tmp_path / "gateway.token").write_text("a-token\n")
    (tmp_path / "genesis.json").write_text(to_json(GENESIS))
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    pages: list[str] = []

    def open_page(page: str) -> bool:
        pages.append(page)
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)
    return pages


def test_the_address_signs_in_and_names_the_network_of_the_homes_genesis(
    home: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explorer", "--home", str(home), "--print"]) == 0
    url = urlsplit(capsys.readouterr().out.strip())
    assert (url.netloc, url.path, url.query) == ("127.0.0.1:4711", "/explorer/", "")
    assert parse_qs(url.fragment) == {"token": ["a-token"], "network": [GENESIS.network_id.hex()]}
    assert opened == []


def test_a_browser_gets_a_private_file_and_never_the_token(
    home: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "reader.token").write_text("narrow")
    arguments = ["explorer", "--home", str(home), "--token-file", str(home / "reader.token")]
    assert run(arguments) == 0
    page = home / "explorer.html"
    assert opened == [page.as_uri()]
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "url=http://127.0.0.1:4711/explorer/#token=narrow&network=" in html.unescape(
        page.read_text()
    )
    assert "narrow" not in capsys.readouterr().out


def test_without_a_browser_or_a_token_it_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _page: False)
    assert run(["explorer", "--home", str(home)]) == 1
    assert "MYC-CLI-255" in capsys.readouterr().err
    assert run(["explorer", "--home", str(home), "--token-file", str(home / "none")]) == 1
    assert "MYC-CLI-002" in capsys.readouterr().err
    (home / "run.json").unlink()
    assert run(["explorer", "--home", str(home)]) == 3
