"""The exchange lets in who knows the secret, and every other byte gets a declared error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import encode
from core.errors import MyceldError
from core.ids import CellId, NetworkId, PublicKey, cell_id_of
from gossip.discovery import errors
from gossip.discovery.invitation import (
    Ask,
    Newcomer,
    Welcome,
    body_size,
    commit_message,
    parse_ask,
    parse_proof,
    refused_message,
    welcome_message,
)
from gossip.discovery.limits import INVITE_FRAME_SIZE_BYTES_MAX, WELCOME_CELLS_MAX
from gossip.discovery.ticket import (
    Ticket,
    Transcript,
    check_numbers,
    commitment_of,
    is_proof,
    parse_ticket,
    verifier_of,
)
from gossip.discovery.words import words_of

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "ticket.json").read_text(encoding="utf-8")
)
INVITER, STRANGER, NEWCOMER = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3))
TICKET = Ticket(NetworkId(b"\x05" * 32), INVITER, b"\x06" * 16, 1, ("/ip4/192.0.2.7/tcp/4710",))
WELCOME = Welcome(b"{}", votes=True, name="dora", cells=((cell_id_of(STRANGER), ("/a", "/b")),))
NONCE, OTHER_NONCE = b"\x07" * 16, b"\x08" * 16


class Inviter:
    """The inviter's side in memory, honest unless told otherwise."""

    def __init__(self, secret: bytes = TICKET.secret, key: PublicKey = INVITER) -> None:
        self.verifier = verifier_of(secret)
        self.cell_id = cell_id_of(key)
        self.numbers: tuple[int, ...] = ()

    def welcome(self, ask: bytes, proof: bytes, nonce: bytes = NONCE) -> bytes:
        asked, proven = parse_ask(ask[4:]), parse_proof(proof[4:])
        transcript = Transcript(
            asked.network_id,
            self.cell_id,
            cell_id_of(NEWCOMER),
            asked.ticket,
            commitment_of(NONCE),
            proven.nonce,
        )
        if not is_proof(self.verifier, transcript, proven.proof):
            raise errors.ProofWrong("wrong")
        self.numbers = check_numbers(self.verifier, transcript, nonce)
        return welcome_message(self.verifier, transcript, nonce, WELCOME)


def _newcomer(ticket: Ticket = TICKET) -> Newcomer:
    return Newcomer(ticket, cell_id_of(NEWCOMER), "eve", OTHER_NONCE)


def test_both_get_what_they_need_and_the_same_words() -> None:
    newcomer, inviter = _newcomer(), Inviter()
    ask = newcomer.ask()
    assert parse_ask(ask[4:]) == Ask(TICKET.id, TICKET.network_id, "eve")
    proof = newcomer.answer_commit(commit_message(NONCE)[4:])
    assert newcomer.enter(inviter.welcome(ask, proof)[4:]) == (WELCOME, inviter.numbers)


def test_nothing_that_is_sent_holds_the_secret_or_what_the_inviter_keeps() -> None:
    newcomer, inviter = _newcomer(), Inviter()
    ask = newcomer.ask()
    proof = newcomer.answer_commit(commit_message(NONCE)[4:])
    sent = ask + commit_message(NONCE) + proof + inviter.welcome(ask, proof)
    for private in (TICKET.secret, inviter.verifier.stored_key, inviter.verifier.server_key):
        assert private not in sent


def test_a_newcomer_without_the_secret_or_on_another_channel_is_not_let_in() -> None:
    for inviter in (Inviter(secret=b"\x09" * 16), Inviter(key=STRANGER)):
        newcomer = _newcomer()
        ask = newcomer.ask()
        proof = newcomer.answer_commit(commit_message(NONCE)[4:])
        with pytest.raises(errors.ProofWrong):
            inviter.welcome(ask, proof)


def test_who_answers_without_knowing_the_ticket_is_noticed() -> None:
    newcomer = _newcomer()
    newcomer.ask()
    newcomer.answer_commit(commit_message(NONCE)[4:])
    transcript = Transcript(
        TICKET.network_id,
        cell_id_of(INVITER),
        cell_id_of(NEWCOMER),
        TICKET.id,
        commitment_of(NONCE),
        OTHER_NONCE,
    )
    forged = welcome_message(verifier_of(b"\x09" * 16), transcript, NONCE, WELCOME)
    with pytest.raises(errors.InviterNotProven):
        newcomer.enter(forged[4:])


def test_an_inviter_can_not_change_its_nonce_once_it_saw_the_newcomers() -> None:
    newcomer, inviter = _newcomer(), Inviter()
    ask = newcomer.ask()
    proof = newcomer.answer_commit(commit_message(NONCE)[4:])
    with pytest.raises(errors.InviterNotProven):
        newcomer.enter(inviter.welcome(ask, proof, nonce=b"\x0a" * 16)[4:])


def test_a_welcome_before_the_commitment_is_refused() -> None:
    newcomer, inviter, other = _newcomer(), Inviter(), _newcomer()
    welcome = inviter.welcome(other.ask(), other.answer_commit(commit_message(NONCE)[4:]))
    with pytest.raises(errors.InviteBroken):
        newcomer.enter(welcome[4:])


def test_words_differ_if_somebody_who_knows_the_ticket_sits_in_between() -> None:
    # The newcomer's ticket was exchanged for one of the stranger's, who uses the real one.
    theirs = Ticket(TICKET.network_id, STRANGER, TICKET.secret, 1, TICKET.addresses)
    victim, middle = _newcomer(theirs), Inviter(key=STRANGER)
    ask = victim.ask()
    middle.welcome(ask, victim.answer_commit(commit_message(NONCE)[4:]))
    real = Inviter()
    user = Newcomer(TICKET, cell_id_of(NEWCOMER), "", OTHER_NONCE)
    real.welcome(user.ask(), user.answer_commit(commit_message(NONCE)[4:]))
    assert middle.numbers != real.numbers


@pytest.mark.parametrize(
    "error",
    [
        errors.TicketUnknown,
        errors.TicketOfOtherNetwork,
        errors.ProofWrong,
        errors.TicketExpired,
        errors.TicketRevoked,
        errors.TicketUsed,
        errors.InviterBusy,
        errors.InviteBroken,
    ],
)
def test_every_refusal_arrives_as_the_same_error(error: type[MyceldError]) -> None:
    refused = refused_message(error("something that only the log shall say"))
    assert b"log" not in refused
    with pytest.raises(error):
        _newcomer().answer_commit(refused[4:])
    waiting = _newcomer()
    waiting.answer_commit(commit_message(NONCE)[4:])
    with pytest.raises(error):
        waiting.enter(refused[4:])


def test_an_unknown_reason_is_still_a_refusal() -> None:
    with pytest.raises(errors.InviteBroken):
        _newcomer().answer_commit(encode([5, 99]))


@given(st.integers(0, 3), st.integers(0, 10_000), st.integers(1, 255))
def test_one_flipped_byte_never_lets_anybody_in(message: int, at: int, mask: int) -> None:
    newcomer, inviter = _newcomer(), Inviter()

    def carried(number: int, data: bytes) -> bytes:
        if number != message:
            return data
        place = 4 + at % (len(data) - 4)
        return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]

    name_is_open = "the name is the newcomer's own word, and no proof covers it"
    try:
        ask = carried(0, newcomer.ask())
        proof = carried(2, newcomer.answer_commit(carried(1, commit_message(NONCE))[4:]))
        welcome, _ = newcomer.enter(carried(3, inviter.welcome(ask, proof))[4:])
    except MyceldError:
        return
    assert message == 0, "let in over a changed message"
    assert welcome == WELCOME
    assert parse_ask(ask[4:]).name != "eve", name_is_open


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_declared_error(data: bytes) -> None:
    for parse in (parse_ask, parse_proof, _newcomer().answer_commit, _newcomer().enter):
        try:
            parse(data)
        except MyceldError:
            continue


@pytest.mark.parametrize("cells", [[["x"]], [["x", "y"]], [["x" * 65, []]], [["x", ["/a"] * 3]]])
def test_a_welcome_of_another_shape_is_refused(cells: Any) -> None:  # noqa: ANN401 - a table of shapes
    for content in ([b"{}", True, "", cells], [b"{}", 1, "", []], [b"", True], 7):
        newcomer, inviter = _newcomer(), Inviter()
        newcomer.ask()
        newcomer.answer_commit(commit_message(NONCE)[4:])
        transcript = Transcript(
            TICKET.network_id,
            inviter.cell_id,
            cell_id_of(NEWCOMER),
            TICKET.id,
            commitment_of(NONCE),
            OTHER_NONCE,
        )
        with pytest.raises(errors.InviteBroken):
            newcomer.enter(welcome_message(inviter.verifier, transcript, NONCE, _As(content))[4:])


class _As(Welcome):
    """A welcome that encodes to something else."""

    def __init__(self, content: Any) -> None:  # noqa: ANN401 - any shape
        object.__setattr__(self, "genesis", encode(content))

    def encode(self) -> bytes:
        return self.genesis


def test_lengths_are_checked_before_anything_is_read() -> None:
    assert body_size(b"\x00\x00\x00\x01") == 1
    for size in (0, INVITE_FRAME_SIZE_BYTES_MAX + 1, 2**32 - 1):
        with pytest.raises(errors.InviteBroken):
            body_size(size.to_bytes(4, "big"))


def test_the_largest_welcome_fits_a_message() -> None:
    cell = cell_id_of(STRANGER)
    addresses = ("/" + "a" * 255, "/" + "b" * 255)
    largest = Welcome(b"x" * 65_536, True, "n" * 64, ((cell, addresses),) * WELCOME_CELLS_MAX)  # noqa: FBT003 - a field
    newcomer, inviter = _newcomer(), Inviter()
    newcomer.ask()
    newcomer.answer_commit(commit_message(NONCE)[4:])
    transcript = Transcript(
        TICKET.network_id,
        inviter.cell_id,
        cell_id_of(NEWCOMER),
        TICKET.id,
        commitment_of(NONCE),
        OTHER_NONCE,
    )
    message = welcome_message(inviter.verifier, transcript, NONCE, largest)
    assert body_size(message[:4]) == len(message) - 4
    assert newcomer.enter(message[4:])[0] == largest


@pytest.mark.parametrize("case", VECTORS["cases"])
def test_messages_match_the_golden_vectors(case: dict[str, Any]) -> None:
    ticket = parse_ticket(case["ticket"])
    newcomer_id, nonce = CellId(case["newcomer"]), bytes.fromhex(case["inviter_nonce"])
    newcomer = Newcomer(ticket, newcomer_id, case["name"], bytes.fromhex(case["newcomer_nonce"]))
    ask, commit, proof, welcome = (bytes.fromhex(text) for text in case["messages"])
    assert newcomer.ask() == ask
    assert commit_message(nonce) == commit
    assert newcomer.answer_commit(commit[4:]) == proof
    told, numbers = newcomer.enter(welcome[4:])
    assert told.encode().hex() == case["welcome"]
    assert told.votes == case["votes"]
    assert list(words_of(numbers)) == case["words"]
