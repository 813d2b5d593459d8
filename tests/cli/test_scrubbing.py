"""No secret goes into a support bundle, whatever part it was in and however it is written."""

from __future__ import annotations

import base64
import json
import tarfile
from pathlib import Path

import pytest

from cli.main import run
from cli.scrubbing import REMOVED, Scrubber, masked_config
from identity import keystore

SEED = bytes(range(7, 39))
TOKEN = f"tok-{1234567890:x}-secret"
LIGHT = "light-Zm9vYmFyYmF6cXV4-secret"
PHRASE = "correct horse battery"
TICKET = "myceld1" + "abcdefgh234567" * 3
PASSWORD = f"hunter{2:02}hunter"


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    home = tmp_path / "cell"
    home.mkdir(mode=0o700)
    keystore.create(home / "key.json", SEED)
    (home / "gateway.token").write_text(TOKEN + "\n")
    (home / "light.token").write_text(LIGHT + "\n")
    (home / "phrase").write_text(PHRASE + "\n")
    (home / "config.yaml").write_text(
        "version: 1\ncell:\n  passphrase_file: phrase\n  commands:\n"
        f"  - backup=curl -u me:{PASSWORD} https://x\n  name: ada\n"
    )
    (home / "daemon.log").write_text(
        "\n".join(
            [
                f"asked with Authorization: Bearer {TOKEN}",
                f"seed={SEED.hex()} SEED {SEED.hex().upper()}",
                f"b64 {base64.b64encode(SEED).decode()}",
                f"phrase {PHRASE} {PHRASE.encode().hex()} and light {LIGHT}",
                f"ticket {TICKET} of https://me:{PASSWORD}@example.org/x",
                "bearer aW52ZW50ZWQtYnktc29tZWJvZHk=",
                '{"password": "swordfish99", "round": 12}',
                "round 12 decided",
            ]
        )
    )
    return home


NEEDLES = (
    TOKEN, LIGHT, SEED.hex(), SEED.hex().upper(), base64.b64encode(SEED).decode()[:-2], PHRASE,
    PHRASE.encode().hex(), TICKET, PASSWORD, "aW52ZW50ZWQtYnktc29tZWJvZHk", "swordfish99",
)  # fmt: skip


def test_a_bundle_holds_no_secret_and_says_what_it_holds(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "bundle.tar.gz"
    assert run(["support-bundle", str(target), "--home", str(home), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert target.stat().st_mode & 0o777 == 0o600
    with tarfile.open(target) as archive:
        parts = {
            member.name.removeprefix("myceld-support/"): file.read().decode()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }
    for name, text in parts.items():
        for needle in NEEDLES:
            assert needle not in text, (name, needle)
    manifest = json.loads(parts.pop("manifest.json"))
    assert set(manifest["parts"]) == set(parts) == set(told["parts"])
    assert manifest["removed"] >= 10
    assert "round 12 decided" in parts["log-daemon.log"]
    assert "name: ada" in parts["config.yaml"]
    assert "MYC-DOCTOR-" in parts["doctor.json"]
    assert "key.json" not in parts


def test_a_bundle_of_a_hypha_holds_its_configuration_without_the_tokens_that_it_names(
    tmp_path: Path,
) -> None:
    home, words = tmp_path / "hypha", ("of ada, open sesame", "of bob, open barley")
    home.mkdir(mode=0o700)
    for name, word in zip(("ada.token", "bob.token"), words, strict=True):
        (home / name).write_text(word + "\n")
    (home / "hypha.yaml").write_text(
        "hypha:\n  name: thread\n  gateways:\n  - url: https://ada.example:4747\n"
        "    token_file: ada.token # hers\n  - https://bob.example:4747,token=bob.token\n"
    )
    (home / "hypha.log").write_text(f"offered {words[0]}, then {words[1]}")
    target = tmp_path / "bundle.tar.gz"
    assert run(["support-bundle", str(target), "--home", str(home)]) == 0
    with tarfile.open(target) as archive:
        parts = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        texts = {name: file.read().decode() for name, file in parts.items() if file is not None}
    assert "name: thread" in texts["myceld-support/hypha.yaml"]
    assert "https://ada.example:4747" in texts["myceld-support/hypha.yaml"]
    assert texts["myceld-support/log-hypha.log"] == f"offered {REMOVED}, then {REMOVED}"
    assert not [name for name, text in texts.items() if any(word in text for word in words)]


def test_a_bundle_overwrites_nothing(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.write_text("mine")
    assert run(["support-bundle", str(target), "--home", str(home)]) == 1
    assert target.read_text() == "mine"


@pytest.mark.parametrize("needle", NEEDLES)
def test_each_secret_is_found_in_the_middle_of_text(needle: str, home: Path) -> None:
    scrub = Scrubber.of(home)
    text = (home / "daemon.log").read_text() + f' password="{PASSWORD}"'
    assert needle in text
    assert needle not in scrub.clean(text)
    assert scrub.removed


@pytest.mark.parametrize(
    "text",
    [
        '{"passphrase": "a phrase of words", "round": 12}',
        "opened passphrase='a phrase of words' round=12",
        r'x={"secret": "a \"phrase of words"} round=12',
        "passphrase: a phrase of words\nround=12",
        "Password:a phrase of words\nround=12",
        "TOKEN=abcdefgh.phrase.words round=12",
    ],
)
def test_what_is_named_a_secret_goes_whole(text: str) -> None:
    cleaned = Scrubber(frozenset()).clean(text)
    assert "phrase of words" not in cleaned
    assert "abcdefgh" not in cleaned
    assert "12" in cleaned, "what is behind it stays"


def test_shares_and_seeds_in_words_go_and_prose_stays() -> None:
    share = " ".join(["acid", "academic", "abandon"] * 11)
    scrub = Scrubber(frozenset())
    assert scrub.clean(f"share {share}, written down").count(REMOVED) == 1
    assert scrub.clean("\n".join(share.split())) == REMOVED
    prose = "nothing stalls: nothing to do; one of four members may fail, and all others go on then"
    assert scrub.clean(prose) == prose


def test_what_is_no_secret_stays(home: Path) -> None:
    text = "cell 12D3KooWBTKZ round 12 root " + "ab" * 32 + " token bucket is full\n"
    assert Scrubber.of(home).clean(text) == text


def test_values_of_keys_that_may_hold_secrets_are_masked_whole() -> None:
    text = (
        "cell:\n  name: ada\n  commands:\n  - a=b\n  - c=d\n  listen: [x]\n"
        "other:\n  api_token: abc\n  secret: |\n    one\n    two\n  mdns: true\n"
    )
    masked = masked_config(text)
    for gone in ("a=b", "c=d", "abc", "one", "two"):
        assert gone not in masked
    for stays in ("name: ada", "listen: [x]", "mdns: true"):
        assert stays in masked
    assert masked.count(REMOVED) == 5
