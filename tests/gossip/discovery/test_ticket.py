"""A ticket survives every honest copy, and nothing else passes for one."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import encode
from core.ids import CellId, NetworkId, PublicKey
from gossip.discovery import ticket as module
from gossip.discovery.errors import NotATicket, TicketOfOtherVersion
from gossip.discovery.limits import TICKET_ADDRESSES_MAX, TICKET_LENGTH_MAX
from gossip.discovery.ticket import (
    Ticket,
    TicketId,
    Transcript,
    check_numbers,
    format_ticket,
    inviter_proof,
    is_proof,
    parse_ticket,
    prove,
    verifier_of,
)
from gossip.discovery.words import words_of

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ticket.json").read_text(encoding="utf-8")
)
ALPHABET = string.ascii_lowercase + "234567"
ADDRESSES = st.text(string.ascii_letters + string.digits + "/.:-", max_size=60).map(
    lambda text: "/" + text
)
TICKETS = st.builds(
    Ticket,
    st.binary(min_size=32, max_size=32).map(NetworkId),
    st.binary(min_size=32, max_size=32).map(PublicKey),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**40),
    st.lists(ADDRESSES, min_size=1, max_size=TICKET_ADDRESSES_MAX).map(tuple),
)
TRANSCRIPTS = st.builds(
    Transcript,
    st.binary(min_size=32, max_size=32).map(NetworkId),
    st.text(max_size=60).map(CellId),
    st.text(max_size=60).map(CellId),
    st.binary(min_size=8, max_size=8).map(TicketId),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
)
SECRETS = st.binary(min_size=16, max_size=16)
ONE = Ticket(
    NetworkId(bytes(32)), PublicKey(b"\x01" * 32), b"\x02" * 16, 1, ("/ip4/192.0.2.7/tcp/4710",)
)


def _text_of(body: bytes) -> str:
    """The text of any body, with the right checksum."""
    return "myceld1" + module._to_base32(body + module._checksum(body))


@given(TICKETS, st.data())
def test_what_was_formatted_is_parsed_in_any_case_and_line_width(
    ticket: Ticket, data: st.DataObject
) -> None:
    text = format_ticket(ticket)
    assert set(text) <= set(ALPHABET + "1")
    assert parse_ticket(text) == ticket
    assert parse_ticket(text.upper()) == ticket
    at = data.draw(st.integers(0, len(text)))
    assert parse_ticket(f"  {text[:at]}\r\n\t {text[at:]}\n") == ticket


@given(TICKETS, st.data())
def test_a_changed_a_missing_or_an_added_character_is_refused(
    ticket: Ticket, data: st.DataObject
) -> None:
    text = format_ticket(ticket)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(ALPHABET + "0189-_=é").filter(lambda c: c != text[at]))
    for wrong in (text[:at] + other + text[at + 1 :], text[:at] + text[at + 1 :], text[:at]):
        with pytest.raises((NotATicket, TicketOfOtherVersion)):
            parse_ticket(wrong)
    with pytest.raises((NotATicket, TicketOfOtherVersion)):
        parse_ticket(text[:at] + other + text[at:])


def test_every_character_of_a_ticket_counts() -> None:
    text = format_ticket(ONE)
    for at, right in enumerate(text):
        for other in ALPHABET:
            if other != right:
                with pytest.raises((NotATicket, TicketOfOtherVersion)):
                    parse_ticket(text[:at] + other + text[at + 1 :])


@given(st.text(max_size=300))
def test_any_text_is_a_ticket_or_a_declared_error(text: str) -> None:
    for one in (text, "myceld1" + text):
        with pytest.raises((NotATicket, TicketOfOtherVersion)):
            parse_ticket(one)


@given(st.binary(max_size=200))
def test_any_body_with_the_right_checksum_is_a_ticket_or_a_declared_error(body: bytes) -> None:
    with pytest.raises(NotATicket):
        parse_ticket(_text_of(body))


@pytest.mark.parametrize(
    "body",
    [
        [bytes(31), bytes(32), bytes(16), 1, ["/a"]],
        [bytes(32), bytes(33), bytes(16), 1, ["/a"]],
        [bytes(32), bytes(32), bytes(15), 1, ["/a"]],
        [bytes(32), bytes(32), bytes(16), -1, ["/a"]],
        [bytes(32), bytes(32), bytes(16), 1, []],
        [bytes(32), bytes(32), bytes(16), 1, ["a"]],
        [bytes(32), bytes(32), bytes(16), 1, ["/\x1b[2J"]],
        [bytes(32), bytes(32), bytes(16), 1, ["/a" * 65]],
        [bytes(32), bytes(32), bytes(16), 1, ["/a"] * (TICKET_ADDRESSES_MAX + 1)],
        [bytes(32), bytes(32), bytes(16), 1, ["/a"], 0],
    ],
)
def test_a_body_of_another_shape_is_refused(body: Any) -> None:  # noqa: ANN401 - a table of shapes
    with pytest.raises(NotATicket):
        parse_ticket(_text_of(encode(body)))


def test_a_later_version_is_told_apart_and_long_text_is_refused_unread() -> None:
    with pytest.raises(TicketOfOtherVersion):
        parse_ticket("myceld2" + format_ticket(ONE)[7:])
    with pytest.raises(NotATicket, match="too many"):
        parse_ticket("myceld1" + "a" * TICKET_LENGTH_MAX)
    with pytest.raises(NotATicket):
        format_ticket(replace(ONE, addresses=()))


def test_neither_the_secret_nor_its_hashes_are_in_a_repr() -> None:
    assert repr(ONE.secret) not in repr(ONE)
    assert "secret" not in repr(ONE)
    assert repr(verifier_of(ONE.secret)) == "Verifier()"


@given(SECRETS, TRANSCRIPTS)
def test_who_knows_the_secret_can_prove_it(secret: bytes, transcript: Transcript) -> None:
    assert is_proof(verifier_of(secret), transcript, prove(secret, transcript))


@given(SECRETS, SECRETS, TRANSCRIPTS, TRANSCRIPTS)
def test_a_proof_is_worth_nothing_with_another_secret_or_in_another_exchange(
    secret: bytes, other_secret: bytes, transcript: Transcript, other: Transcript
) -> None:
    proof = prove(secret, transcript)
    if other_secret != secret:
        assert not is_proof(verifier_of(other_secret), transcript, proof)
    if other != transcript:
        assert not is_proof(verifier_of(secret), other, proof)


@given(SECRETS, TRANSCRIPTS)
def test_what_the_inviter_keeps_proves_nothing(secret: bytes, transcript: Transcript) -> None:
    verifier = verifier_of(secret)
    assert secret not in (verifier.stored_key, verifier.server_key)
    for kept in (
        verifier.stored_key,
        verifier.server_key,
        inviter_proof(verifier, transcript, b""),
    ):
        assert not is_proof(verifier, transcript, kept)


@given(SECRETS, TRANSCRIPTS, st.binary(min_size=16, max_size=16), st.data())
def test_words_are_equal_only_if_everything_is(
    secret: bytes, transcript: Transcript, nonce: bytes, data: st.DataObject
) -> None:
    numbers = check_numbers(verifier_of(secret), transcript, nonce)
    assert len(numbers) == 4
    assert all(0 <= number < 2048 for number in numbers)
    change = data.draw(
        st.sampled_from(
            [
                replace(transcript, newcomer=CellId(transcript.newcomer + "x")),
                replace(transcript, inviter=CellId(transcript.inviter + "x")),
                replace(transcript, network_id=NetworkId(transcript.network_id[::-1] + b"x")),
                replace(transcript, newcomer_nonce=transcript.newcomer_nonce + b"x"),
                replace(transcript, commitment=transcript.commitment + b"x"),
            ]
        )
    )
    assert check_numbers(verifier_of(secret), change, nonce) != numbers
    assert check_numbers(verifier_of(secret), transcript, nonce + b"x") != numbers
    assert check_numbers(verifier_of(secret + b"x"), transcript, nonce) != numbers


def test_the_words_are_those_of_bip_39() -> None:
    assert words_of((0, 1, 2047, 1024)) == ("abandon", "ability", "zoo", "length")
    assert len(set(words_of(range(2048)))) == 2048


@pytest.mark.parametrize("case", VECTORS["cases"])
def test_tickets_proofs_and_words_match_the_golden_vectors(case: dict[str, Any]) -> None:
    ticket = parse_ticket(case["ticket"])
    assert ticket == Ticket(
        NetworkId(bytes.fromhex(case["network_id"])),
        PublicKey(bytes.fromhex(case["inviter_key"])),
        bytes.fromhex(case["secret"]),
        case["expires_s"],
        tuple(case["addresses"]),
    )
    assert format_ticket(ticket) == case["ticket"]
    assert ticket.id.hex() == case["id"]
    verifier = verifier_of(ticket.secret)
    assert verifier.stored_key.hex() == case["stored_key"]
    assert verifier.server_key.hex() == case["server_key"]
    nonce = bytes.fromhex(case["inviter_nonce"])
    transcript = Transcript(
        ticket.network_id,
        ticket.inviter_id,
        CellId(case["newcomer"]),
        ticket.id,
        module.commitment_of(nonce),
        bytes.fromhex(case["newcomer_nonce"]),
    )
    assert prove(ticket.secret, transcript).hex() == case["proof"]
    welcome = bytes.fromhex(case["welcome"])
    assert inviter_proof(verifier, transcript, welcome).hex() == case["inviter_proof"]
    assert list(words_of(check_numbers(verifier, transcript, nonce))) == case["words"]
