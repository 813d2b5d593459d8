"""Values are set, compared, deleted; namespaces say by whom."""

from __future__ import annotations

import hashlib

import pytest

from core.codec import Value, decode, encode
from core.ids import Hash, PublicKey, Round
from identity.keys import KeyPair
from ledger.batch import Batch
from ledger.errors import (
    BadCondition,
    BadNamespace,
    ConditionFailed,
    Malformed,
    NamespaceTaken,
    NoSuchNamespace,
    NoSuchValue,
    NotAnOwner,
    Oversize,
    TransactionRefused,
    WriteForbidden,
)
from ledger.header import APPLIED
from ledger.kinds import Arguments
from ledger.limits import (
    NAMESPACE_NAME_SIZE_BYTES_MAX,
    NAMESPACE_OWNERS_MAX,
    NAMESPACE_WRITERS_MAX,
    VALUE_SIZE_BYTES_MAX,
)
from ledger.namespaces import (
    Access,
    NamespaceClaim,
    NamespaceRelease,
    NamespaceSet,
    Rules,
    decode_namespace,
    namespace_key,
    namespace_of,
)
from ledger.transaction import SignedTransaction, parse
from ledger.values import Delete, IfAbsent, IfHash, IfRound, Put, PutIf, decode_stored, value_key
from tests.ledger.world import (
    ALL_KEYS,
    KEYS,
    NETWORK,
    NEWCOMERS,
    Cell,
    at_version_3,
    rotation,
    signed,
)

A, B, C, D = KEYS
E, F, G, H = NEWCOMERS


def value(cell: Cell, key: str = "k") -> bytes | None:
    found = cell.state.get(value_key(key))
    return None if found is None else decode_stored(found).value


def claim(name: str, *owners: KeyPair, access: Access = Access.OWNERS) -> NamespaceClaim:
    return NamespaceClaim(name, Rules(tuple(pair.public_key for pair in owners), access))


# -- conditions ----------------------------------------------------------------------------------


def test_of_two_who_found_nothing_only_the_first_sets_it() -> None:
    cell = Cell()
    assert cell.act((A, PutIf("k", b"1", IfAbsent())), (B, PutIf("k", b"2", IfAbsent()))) == [
        APPLIED,
        ConditionFailed.code,
    ]
    assert value(cell) == b"1"


def test_of_two_who_expect_the_same_round_only_the_first_sets_it_in_one_round_and_later() -> None:
    cell = Cell()
    cell.act((A, Put("k", b"0")))
    expect = IfRound(Round(1))
    assert cell.act((A, PutIf("k", b"1", expect)), (B, PutIf("k", b"2", expect))) == [
        APPLIED,
        ConditionFailed.code,
    ]
    assert cell.act((C, PutIf("k", b"3", expect)), (C, PutIf("k", b"3", IfRound(Round(2))))) == [
        ConditionFailed.code,
        APPLIED,
    ]
    assert value(cell) == b"3"


def test_a_hash_is_that_of_the_value() -> None:
    cell = Cell()
    cell.act((A, Put("k", b"0")))
    right = IfHash(Hash(hashlib.sha256(b"0").digest()))
    assert cell.act(
        (B, PutIf("k", b"1", IfHash(Hash(bytes(32))))), (B, PutIf("k", b"1", right))
    ) == [
        ConditionFailed.code,
        APPLIED,
    ]
    assert cell.act((B, PutIf("none", b"1", right))) == [ConditionFailed.code]


def test_what_is_deleted_is_gone_and_can_be_set_anew() -> None:
    cell = Cell()
    before = cell.apply([]).header.state_root
    cell.act((A, Put("k", b"0")))
    assert cell.act((B, Delete("k", IfRound(Round(1))))) == [ConditionFailed.code]
    assert cell.act((B, Delete("k", IfRound(Round(2)))), (B, Delete("k"))) == [
        APPLIED,
        NoSuchValue.code,
    ]
    assert value(cell) is None
    assert value_key("k") not in cell.state
    assert cell.headers[-1].state_root != before  # of nonces
    assert cell.act(
        (A, PutIf("k", b"1", IfRound(Round(2)))), (A, PutIf("k", b"2", IfAbsent()))
    ) == [
        ConditionFailed.code,
        APPLIED,
    ]
    again = cell.restarted()
    assert (value(again), again.ledger.header) == (b"2", cell.ledger.header)
    assert again.apply([]).header == cell.apply([]).header


def test_writes_of_a_batch_apply_together_or_not_at_all() -> None:
    cell = Cell()
    cell.act((A, Put("a", b"1")), (A, Put("b", b"1")))
    first = IfRound(Round(1))
    both = Batch((PutIf("a", b"2", first), Delete("b", first)))
    late = Batch((PutIf("c", b"3", IfAbsent()), PutIf("a", b"3", first)))
    assert cell.act((A, both), (B, late)) == [APPLIED, f"{ConditionFailed.code}#1"]
    assert [value(cell, key) for key in "abc"] == [b"2", None, None]


# -- namespaces ----------------------------------------------------------------------------------


def test_a_namespace_is_claimed_once_and_its_owners_alone_write() -> None:
    cell = Cell()
    assert cell.act((E, claim("club", E, F)), (G, claim("club", G))) == [
        APPLIED,
        NamespaceTaken.code,
    ]
    outside = [Put("club", b"x"), Put("clubs/x", b"x"), Put("x/club/y", b"x")]
    assert cell.act(*[(G, put) for put in outside]) == [APPLIED] * 3
    inside: list[Arguments] = [Put("club/x", b"x"), PutIf("club/x", b"x", None), Delete("club/x")]
    assert cell.act(*[(G, write) for write in inside]) == [WriteForbidden.code] * 3
    assert cell.act(*[(E, write) for write in inside]) == [APPLIED] * 3
    assert cell.act((F, Put("club/a/b/c/d/e", b"x")), (A, Put("club/a", b"x"))) == [
        APPLIED,
        WriteForbidden.code,
    ]


def test_access_says_who_else_may_write() -> None:
    cell = Cell()
    listed = NamespaceClaim("listed", Rules((E.public_key,), Access.WRITERS, (F.public_key,)))
    cell.act(
        (E, listed),
        (E, claim("seats", E, access=Access.MEMBERS)),
        (E, claim("square", E, access=Access.ANYONE)),
    )
    may = {
        "listed/k": (False, True, False, True),
        "seats/k": (True, False, False, True),
        "square/k": (True, True, True, True),
    }
    for key, allowed in may.items():
        outcomes = cell.act(*[(pair, Put(key, b"v")) for pair in (A, F, G, E)])
        assert outcomes == [APPLIED if one else WriteForbidden.code for one in allowed], key


def test_who_is_no_member_any_more_writes_no_more_where_members_do() -> None:
    from ledger.members import MemberLeave

    cell = Cell()
    cell.act((E, claim("seats", E, access=Access.MEMBERS)), (D, MemberLeave()))
    assert cell.act((D, Put("seats/k", b"v")), (A, Put("seats/k", b"v"))) == [
        WriteForbidden.code,
        APPLIED,
    ]


def test_parts_of_a_namespace_have_rules_of_their_own_and_only_its_owners_claim_them() -> None:
    cell = Cell()
    cell.act((E, claim("club", E)))
    assert cell.act((F, claim("club/minutes", F)), (E, claim("club/minutes", F))) == [
        NotAnOwner.code,
        APPLIED,
    ]
    assert cell.act((E, Put("club/minutes/may", b"x")), (F, Put("club/minutes/may", b"x"))) == [
        WriteForbidden.code,
        APPLIED,
    ]
    assert cell.act((F, Put("club/may", b"x")), (E, Put("club/minutesless", b"x"))) == [
        WriteForbidden.code,
        APPLIED,
    ]
    assert cell.act((E, claim("club/minutes/2026", E)), (F, claim("club/minutes/2026", F))) == [
        NotAnOwner.code,
        APPLIED,
    ]
    found = namespace_of(cell.state.get, "club/minutes/2026/may/1")
    assert found is not None
    assert found[0] == "club/minutes/2026"


def test_an_owner_gives_a_namespace_up_and_anybody_may_have_it_then() -> None:
    cell = at_version_3(Cell())
    cell.act((E, claim("club", E)), (E, claim("club/part", F)), (E, Put("club/k", b"v")))
    assert cell.act(
        (F, NamespaceRelease("club")),
        (E, NamespaceRelease("club/part")),
        (E, NamespaceRelease("none")),
        (E, NamespaceRelease("club")),
        (G, Put("club/k", b"G")),
        (G, Put("club/part/k", b"G")),
        (E, NamespaceRelease("club")),
        (G, claim("club", G)),
        (E, Put("club/k", b"E")),
    ) == [
        NotAnOwner.code,
        NotAnOwner.code,
        NoSuchNamespace.code,
        APPLIED,
        APPLIED,
        WriteForbidden.code,
        NoSuchNamespace.code,
        APPLIED,
        WriteForbidden.code,
    ]
    assert cell.act((F, NamespaceRelease("club/part")), (G, Put("club/part/k", b"G"))) == [
        APPLIED,
        APPLIED,
    ]
    assert namespace_key("club/part") not in cell.state
    assert cell.act(
        (E, Batch((NamespaceRelease("club"), Put("club/k", b"E")))),
        (G, Batch((Put("club/k", b"last"), NamespaceRelease("club")))),
        (E, Put("club/k", b"E")),
    ) == [f"{NotAnOwner.code}#0", APPLIED, APPLIED]
    assert cell.restarted().ledger.header == cell.ledger.header


def test_an_owner_hands_a_namespace_on() -> None:
    cell = Cell()
    cell.act((E, claim("club", E)))
    to_f = NamespaceSet("club", Rules((F.public_key,), Access.ANYONE))
    assert cell.act((F, to_f), (E, to_f), (E, to_f)) == [NotAnOwner.code, APPLIED, NotAnOwner.code]
    assert cell.act((G, Put("club/k", b"v")), (F, NamespaceSet("none", to_f.rules))) == [
        APPLIED,
        NoSuchNamespace.code,
    ]
    assert decode_namespace(cell.state[namespace_key("club")]).rules == to_f.rules


def test_keys_that_followed_stay_owners_and_writers() -> None:
    cell = Cell()
    rules = Rules((E.public_key,), Access.WRITERS, (F.public_key,))
    cell.act((E, NamespaceClaim("club", rules)), (E, rotation(E, G)), (F, rotation(F, H)))
    assert cell.act((G, Put("club/k", b"v")), (H, Put("club/k", b"v"))) == [APPLIED, APPLIED]
    assert cell.act((H, NamespaceSet("club", rules)), (G, NamespaceSet("club", rules))) == [
        NotAnOwner.code,
        APPLIED,
    ]


# -- bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind", "items"),
    [
        (Put("k", b"v"), "put", ["k", b"v"]),
        (PutIf("k", b"v", None), "put-if", ["k", b"v", []]),
        (PutIf("k", b"v", IfAbsent()), "put-if", ["k", b"v", ["absent"]]),
        (PutIf("k", b"v", IfRound(Round(7))), "put-if", ["k", b"v", ["round", 7]]),
        (Delete("k", IfHash(Hash(bytes(32)))), "delete", ["k", ["hash", bytes(32)]]),
        (claim("a/b", E), "namespace-claim", ["a/b", [E.public_key], "owners", []]),
        (
            NamespaceSet("a", Rules((E.public_key,), Access.WRITERS, (F.public_key,))),
            "namespace-set",
            ["a", [E.public_key], "writers", [F.public_key]],
        ),
        (NamespaceRelease("a/b"), "namespace-release", ["a/b"]),
    ],
)
def test_what_is_signed_has_this_form(arguments: Put, kind: str, items: list[Value]) -> None:
    parsed = parse(signed(A, 0, arguments), NETWORK)
    assert isinstance(parsed, SignedTransaction)
    assert (parsed.kind, parsed.arguments) == (kind, arguments)
    body = decode(parsed.body)
    assert isinstance(body, list)
    assert body[-2:] == [kind, items]


_OWNER: Value = [E.public_key]
_MANY: list[Value] = [bytes([number]) * 32 for number in range(NAMESPACE_WRITERS_MAX + 1)]


@pytest.mark.parametrize(
    ("kind", "items", "refusal"),
    [
        ("put-if", ["k", b"v"], Malformed),
        ("put-if", ["", b"v", []], Malformed),
        ("put-if", ["k" * 257, b"v", []], Oversize),
        ("put-if", ["k", bytes(VALUE_SIZE_BYTES_MAX + 1), []], Oversize),
        ("put-if", ["k", b"v", ["absent", 1]], BadCondition),
        ("put-if", ["k", b"v", ["round"]], BadCondition),
        ("put-if", ["k", b"v", ["round", 0]], Malformed),
        ("put-if", ["k", b"v", ["hash", bytes(31)]], Malformed),
        ("put-if", ["k", b"v", ["maybe"]], BadCondition),
        ("delete", ["k", ["absent"]], BadCondition),
        ("namespace-claim", ["", _OWNER, "owners", []], BadNamespace),
        ("namespace-claim", ["/a", _OWNER, "owners", []], BadNamespace),
        ("namespace-claim", ["a//b", _OWNER, "owners", []], BadNamespace),
        ("namespace-claim", ["a/", _OWNER, "owners", []], BadNamespace),
        ("namespace-claim", ["a/b/c/d/e", _OWNER, "owners", []], BadNamespace),
        ("namespace-claim", ["a\nb", _OWNER, "owners", []], BadNamespace),
        (
            "namespace-claim",
            ["n" * (NAMESPACE_NAME_SIZE_BYTES_MAX + 1), _OWNER, "owners", []],
            BadNamespace,
        ),
        ("namespace-claim", ["a", [], "owners", []], BadNamespace),
        ("namespace-claim", ["a", _MANY[: NAMESPACE_OWNERS_MAX + 1], "owners", []], BadNamespace),
        ("namespace-claim", ["a", [E.public_key] * 2, "owners", []], BadNamespace),
        ("namespace-claim", ["a", [b"short"], "owners", []], BadNamespace),
        ("namespace-claim", ["a", _OWNER, "nobody", []], BadNamespace),
        ("namespace-claim", ["a", _OWNER, "owners", _OWNER], BadNamespace),
        ("namespace-set", ["a", _OWNER, "writers", _MANY], BadNamespace),
    ],
)
def test_what_is_out_of_bounds_is_no_transaction(
    kind: str, items: Value, refusal: type[TransactionRefused]
) -> None:
    parsed = parse(signed(A, 0, Put("k", b"v")), NETWORK)
    assert isinstance(parsed, SignedTransaction)
    body = decode(parsed.body)
    assert isinstance(body, list)
    raw = encode([*body[:-2], kind, items])
    with pytest.raises(refusal):
        parse(encode([raw, A.sign(raw)]), NETWORK)


def test_as_many_owners_and_writers_as_there_may_be_are_taken() -> None:
    owners = tuple(PublicKey(bytes([number]) * 32) for number in range(NAMESPACE_OWNERS_MAX))
    writers = tuple(PublicKey(bytes([number]) * 32) for number in range(NAMESPACE_WRITERS_MAX))
    name = "n" * NAMESPACE_NAME_SIZE_BYTES_MAX
    assert signed(A, 0, NamespaceClaim(name, Rules(owners, Access.WRITERS, writers)))
    assert len(ALL_KEYS) == 8
