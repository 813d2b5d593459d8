"""What a client is told of what is wrong, and why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from myceld import CellRefused, Client
from tests.cli.served import serving
from tests.gateway.fake_cell import TOKEN


@pytest.fixture(name="client", scope="module")
def _client() -> Iterator[Client]:
    with serving() as (_, url), Client(url, TOKEN) as client:
        yield client


def test_the_doctor_answers_with_findings_and_what_they_follow_from(client: Client) -> None:
    answer = client.doctor()
    (finding,) = answer["findings"]
    assert finding["code"] == "MYC-DOCTOR-101"
    assert finding["severity"] == "warning"
    assert finding["remedy"]
    assert answer["clocks"] == [{"cell_id": "12D3KooWOther", "name": "beta", "ahead_ms": -12.5}]
    assert answer["journals_audited"] == ["state"]


def test_why_says_the_reasons_in_order(client: Client) -> None:
    answer = client.why_transaction("ab" * 32)
    assert answer["about"] == "transaction"
    assert [reason["ok"] for reason in answer["reasons"]] == [True, False]
    assert client.why_cell("beta")["subject"] == "beta"
    assert client.why_stall()["remedy"] == "Start beta."


def test_why_of_nothing_known_is_not_found(client: Client) -> None:
    with pytest.raises(CellRefused) as refused:
        client.why_transaction("00" * 32)
    assert refused.value.status == 404
    with pytest.raises(CellRefused) as refused:
        client.why_cell("nobody")
    assert refused.value.status == 404
