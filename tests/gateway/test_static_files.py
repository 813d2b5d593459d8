"""The files of the explorer, served through the gateway's door, in process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

from gateway.server import Gateway
from gateway.static_files import MEDIA_TYPES, NAMES, PREFIX, SECURITY_HEADERS
from tests.gateway.fake_cell import TOKEN, FakeCell

ROOT = Path(str(files("gateway"))) / "explorer"


def ask(*requests: tuple[str, str], headers: dict[str, str] | None = None) -> list[httpx.Response]:
    """Return the answers to (method, path), with no token."""

    async def talk() -> list[httpx.Response]:
        door = Gateway(FakeCell(), token=TOKEN)._door
        transport = httpx.ASGITransport(door)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [await client.request(*one, headers=headers) for one in requests]

    return asyncio.run(talk())


def get(paths: Sequence[str], headers: dict[str, str] | None = None) -> list[httpx.Response]:
    return ask(*(("GET", path) for path in paths), headers=headers)


def test_the_table_names_every_file_of_the_folder_and_no_other() -> None:
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()}
    assert there == NAMES


def test_every_file_is_served_without_a_token_with_its_type_and_the_headers_that_protect() -> None:
    names = sorted(NAMES)
    for name, answer in zip(names, get([PREFIX + name for name in names]), strict=True):
        assert answer.status_code == 200, name
        assert answer.content == (ROOT / name).read_bytes()
        assert answer.headers["content-type"] == MEDIA_TYPES[name.rpartition(".")[2]]
        assert answer.headers["cache-control"] == "no-cache"
        for header, value in SECURITY_HEADERS.items():
            assert answer.headers[header] == value


def test_the_root_leads_to_the_page_and_the_folder_is_the_page() -> None:
    root, bare, folder = get(["/", "/explorer", PREFIX])
    assert root.status_code == bare.status_code == 307
    assert root.headers["location"] == bare.headers["location"] == PREFIX
    assert folder.content == (ROOT / "index.html").read_bytes()


def test_a_browser_that_has_a_file_is_told_that_it_did_not_change() -> None:
    (first,) = get([PREFIX + "style.css"])
    etag = first.headers["etag"]
    (again,) = get([PREFIX + "style.css"], {"If-None-Match": f'W/"other", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    (other,) = get([PREFIX + "app.js"], {"If-None-Match": etag})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "../errors.py",
        "..%2ferrors.py",
        "%2e%2e/errors.py",
        "pages/../../errors.py",
        "pages/",
        "/etc/passwd",
        "INDEX.HTML",
        "index.html/",
        "",
    ],
)
def test_no_path_leads_out_of_the_table(path: str) -> None:
    (answer,) = get([f"{PREFIX}pages/{path}" if not path.startswith("/") else f"/explorer/{path}"])
    assert answer.status_code in (401, 404)
    assert answer.json()["error"]["code"] in ("MYC-GATEWAY-010", "MYC-GATEWAY-080")


def test_only_reading_is_possible_and_other_paths_still_need_a_token() -> None:
    post, head, api = ask(
        ("POST", PREFIX), ("HEAD", PREFIX + "style.css"), ("GET", "/api/v1/status")
    )
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD")
    assert post.json()["error"]["code"] == "MYC-GATEWAY-081"
    assert head.status_code == 200
    assert api.status_code == 401


def test_another_host_gets_nothing() -> None:
    (answer,) = get([PREFIX], {"Host": "evil.example"})
    assert answer.json()["error"]["code"] == "MYC-GATEWAY-011"


def test_no_file_names_another_host_or_holds_script_or_style_inline() -> None:
    namespace = "http://www.w3.org/2000/svg"
    for name in NAMES:
        text = (ROOT / name).read_text()
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {namespace}
        assert not addresses, f"{name}: {addresses}"
        assert not re.search(
            r"\b(innerHTML|outerHTML|insertAdjacentHTML|eval|document\.write)\b", text
        )
    page = (ROOT / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_the_files_stay_small_enough_for_a_slow_link() -> None:
    sizes = {name: (ROOT / name).stat().st_size for name in NAMES}
    assert sum(sizes.values()) < 400_000, sizes
