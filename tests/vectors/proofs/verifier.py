"""A verifier of proof files that shares no code with the project: plain standard library.

    python verifier.py FILE NETWORK_ID_HEX

Written from README.md beside it, to show that this is enough; slow (10 ms a signature). `verify`
returns what is proven as plain values, and raises Refused with the code of docs and README.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

BEGIN, END = "-----BEGIN MYCELD PROOF-----", "-----END MYCELD PROOF-----"


class Refused(Exception):
    """The file proves nothing. The first argument is the code."""


# --- MessagePack, as far as it is used -----------------------------------------------------------


def unpack(data: bytes) -> object:
    value, end = _value(data, 0)
    if end != len(data) or pack(value) != data:
        raise Refused(551, "not canonical")
    return value


def _value(data: bytes, at: int) -> tuple[Any, int]:
    if at >= len(data):
        raise Refused(551, "cut off")
    tag, at = data[at], at + 1
    if tag < 0x80:
        return tag, at
    if 0x90 <= tag < 0xA0:
        return _array(data, at, tag & 15)
    if 0xA0 <= tag < 0xC0:
        return _text(data, at, tag & 31)
    if tag in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[tag], at
    sizes = {
        0xC4: 1, 0xC5: 2, 0xC6: 4,
        0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8,
        0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4,
    }  # fmt: skip
    if tag not in sizes:
        raise Refused(551, "a type that proofs do not have")
    size = sizes[tag]
    number, at = int.from_bytes(_take(data, at, size), "big"), at + size
    if tag in (0xC4, 0xC5, 0xC6):
        return _take(data, at, number), at + number
    if tag in (0xD9, 0xDA, 0xDB):
        return _text(data, at, number)
    if tag in (0xDC, 0xDD):
        return _array(data, at, number)
    if number >= 1 << 63:
        raise Refused(551, "an integer beyond 63 bits")
    return number, at


def _take(data: bytes, at: int, size: int) -> bytes:
    if size > len(data) - at:
        raise Refused(551, "cut off")
    return data[at : at + size]


def _text(data: bytes, at: int, size: int) -> tuple[str, int]:
    try:
        return _take(data, at, size).decode(), at + size
    except UnicodeDecodeError:
        raise Refused(551, "not UTF-8") from None


def _array(data: bytes, at: int, length: int) -> tuple[list[Any], int]:
    if length > len(data):
        raise Refused(551, "cut off")
    items = []
    for _ in range(length):
        item, at = _value(data, at)
        items.append(item)
    return items, at


def pack(value: object) -> bytes:
    """The shortest form: how canonical bytes are told."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        if value < 0x80:
            return bytes([value])
        return _sized(value, ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)))
    if isinstance(value, bytes):
        return _sized(len(value), ((0xC4, 1), (0xC5, 2), (0xC6, 4))) + value
    if isinstance(value, str):
        raw = value.encode()
        if len(raw) < 32:
            return bytes([0xA0 | len(raw)]) + raw
        return _sized(len(raw), ((0xD9, 1), (0xDA, 2), (0xDB, 4))) + raw
    items = listed(value)
    body = b"".join(pack(item) for item in items)
    if len(items) < 16:
        return bytes([0x90 | len(items)]) + body
    return _sized(len(items), ((0xDC, 2), (0xDD, 4))) + body


def _sized(number: int, forms: tuple[tuple[int, int], ...]) -> bytes:
    tag, size = next(form for form in forms if number < 1 << 8 * form[1])
    return bytes([tag]) + number.to_bytes(size, "big")


# --- Ed25519 (RFC 8032, section 5.1), verification only ------------------------------------------

Point = tuple[int, int, int, int]
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _add(a: Point, b: Point) -> Point:
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    return total


def _same(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _x(y: int, sign: int) -> int | None:
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def _point(raw: bytes) -> Point | None:
    number = int.from_bytes(raw, "little")
    y = number & ((1 << 255) - 1)
    x = _x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


NEUTRAL = (0, 1, 1, 0)
BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or NEUTRAL


def signed(key: bytes, message: bytes, signature: bytes) -> bool:
    a, r, s = _point(key), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= Q or _same(_times(8, a), NEUTRAL):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    return _same(_times(s, BASE), _add(r, _times(h, a)))


# --- Proofs --------------------------------------------------------------------------------------


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def shaped(condition: object, why: str = "not of the right shape") -> None:
    if not condition:
        raise Refused(551, why)


def array(value: object, length: int) -> list[Any]:
    items = listed(value)
    shaped(len(items) == length)
    return items


def listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Refused(551, "not an array")
    return value


def octets(value: object, size: int | None = None) -> bytes:
    if not isinstance(value, bytes) or size not in (None, len(value)):
        raise Refused(551, "not bytes of that length")
    return value


def number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(551, "not an integer")
    return value


def members_of(value: object) -> list[list[Any]]:
    members = [array(item, 3) for item in listed(value)]
    for key, weight, name in members:
        octets(key, 32)
        shaped(1 <= number(weight) <= 2**32 and isinstance(name, str))
    shaped(1 <= len(members) <= 128 and len({key for key, _, _ in members}) == len(members))
    return members


def roster_of(data: object) -> dict[str, Any]:
    raw = octets(data)
    domain, epoch, first_round, last_time, rules, members = array(unpack(raw), 6)
    shaped(domain == "myceld/roster/2")
    for one in (first_round, last_time, *array(rules, 5)):
        number(one)
    return {"epoch": number(epoch), "members": members_of(members), "hash": sha(raw)}


def header_of(data: object) -> dict[str, Any]:
    raw = octets(data)
    items = array(unpack(raw), 11)
    shaped(items[0] == "myceld/round/1")
    names = "domain network epoch round previous state_root receipts_root roster"
    header = dict(zip([*names.split(), "transactions", "total", "time"], items, strict=True))
    for name in ("network", "previous", "state_root", "receipts_root", "roster"):
        octets(header[name], 32)
    for name in ("epoch", "round", "transactions", "total", "time"):
        number(header[name])
    return {**header, "hash": sha(raw)}


def check_signers(header: dict[str, Any], roster: dict[str, Any], signers: object) -> None:
    pairs = [array(pair, 2) for pair in listed(signers)]
    for at, signature in pairs:
        number(at)
        octets(signature, 64)
    members, numbers = roster["members"], [at for at, _ in pairs]
    if numbers != sorted(set(numbers)) or any(at >= len(members) for at in numbers):
        raise Refused(555, "signers")
    if 3 * sum(members[at][1] for at in numbers) <= 2 * sum(member[1] for member in members):
        raise Refused(556, "weight")
    message = pack(
        [
            "myceld/checkpoint/1",
            header["network"],
            header["epoch"],
            header["round"],
            header["hash"],
        ]
    )
    for at, signature in pairs:
        if not signed(members[at][0], message, signature):
            raise Refused(554, "signature")


def verify(text: str, network_id: bytes) -> dict[str, Any]:
    """Return what a proof file proves to whoever trusts this network."""
    value = listed(unpack(armoured(text)))
    shaped(value and value[0] == "myceld-proof/1", "another version")
    _, genesis_raw, steps, headers, signers, subject = array(value, 6)
    genesis = listed(unpack(octets(genesis_raw)))
    shaped((len(genesis), genesis[:1]) in ((5, ["myceld/genesis/1"]), (7, ["myceld/genesis/2"])))
    roster: dict[str, Any] = {"epoch": 0, "members": members_of(genesis[4])}
    parsed = []
    for step in listed(steps):
        head, step_signers, following = array(step, 3)
        parsed.append((header_of(head), step_signers, roster_of(following)))
    chain = [header_of(raw) for raw in listed(headers)]
    check_shape(listed(subject))
    if sha(genesis_raw) != network_id:
        raise Refused(552, "another network")
    last = 0
    for header, step_signers, following in parsed:
        if header["network"] != network_id or header["round"] <= last:
            raise Refused(553, "network, or order of rounds")
        check_signers(header, roster, step_signers)
        if header["roster"] != following["hash"]:
            raise Refused(553, "the roster is not the one that is named")
        roster, last = following, header["round"]
    check_chain(chain, network_id)
    if chain[-1]["epoch"] != roster["epoch"]:
        raise Refused(558, "epoch")
    check_signers(chain[-1], roster, signers)
    rounds = {"round": chain[0]["round"], "certified_round": chain[-1]["round"]}
    return {**rounds, **claim(chain[0], subject)}


def armoured(text: str) -> bytes:
    lines = text.strip().replace("\r\n", "\n").split("\n")
    shaped(len(lines) > 2 and lines[0] == BEGIN and lines[-1] == END, "not a proof file")
    armour = "".join(lines[1:-1])
    shaped([armour[at : at + 64] for at in range(0, len(armour), 64)] == lines[1:-1], "lines")
    try:
        raw = base64.b64decode(armour.encode("ascii"), validate=True)
    except ValueError:
        raise Refused(551, "not base64") from None
    shaped(base64.b64encode(raw).decode() == armour, "not canonical base64")
    return raw


def check_chain(chain: list[dict[str, Any]], network_id: bytes) -> None:
    if not chain or any(header["network"] != network_id for header in chain):
        raise Refused(557, "headers")
    for one, following in pairwise(chain):
        if following["round"] != one["round"] + 1 or following["previous"] != one["hash"]:
            raise Refused(557, "headers")


def check_shape(subject: list[Any]) -> None:
    lengths = {"header": 1, "roster": 2, "receipt": 5, "state": 4, "range": 4}
    shaped(subject and isinstance(subject[0], str) and lengths.get(subject[0]) == len(subject))
    if subject[0] == "roster":
        roster_of(subject[1])
    if subject[0] == "receipt":
        identity, position, event, time_ns, outcome = array(unpack(octets(subject[1])), 5)
        for digest in (identity, event):
            octets(digest, 32)
        for integer in (position, time_ns, subject[3]):
            number(integer)
        shaped(isinstance(outcome, str) and len(outcome) <= 32)
        shaped(subject[2] is None or isinstance(subject[2], bytes))
        shaped(len(listed(subject[4])) <= 24)
        for item in subject[4]:
            octets(item, 32)
    if subject[0] == "state":
        shaped(len(octets(subject[1])) <= 512)
        shaped(subject[2] is None or isinstance(subject[2], bytes))
        octets(subject[3])
    if subject[0] == "range":
        shaped(len(octets(subject[1])) <= 512)
        shaped(subject[2] is None or len(octets(subject[2])) <= 512)
        octets(subject[3])


def claim(header: dict[str, Any], subject: list[Any]) -> dict[str, Any]:
    kind = subject[0]
    if kind == "header":
        return {"about": kind}
    if kind == "roster":
        if sha(subject[1]) != header["roster"]:
            raise Refused(559, "another roster")
        return {"about": kind, "epoch": roster_of(subject[1])["epoch"]}
    if kind == "receipt":
        return receipt_claim(header, *subject[1:])
    try:
        root, shown = opened(subject[3])
        found = told(kind, shown, subject)
    except Refused:
        raise Refused(559, "the map") from None
    if root != header["state_root"]:
        raise Refused(559, "the proof does not lead to the state root")
    return {"about": kind, **found}


def receipt_claim(
    header: dict[str, Any], raw: bytes, transaction: bytes | None, index: int, path: list[bytes]
) -> dict[str, Any]:
    identity, position, _, _, outcome = array(unpack(raw), 5)
    if position != header["total"] - header["transactions"] + index:
        raise Refused(559, "position")
    if transaction is not None and sha(transaction) != identity:
        raise Refused(559, "transaction")
    # RFC 9162, section 2.1.3.2
    fn, sn, node = index, header["transactions"] - 1, sha(b"\x00" + raw)
    if not fn <= sn:
        raise Refused(559, "index")
    for sibling in path:
        if sn == 0:
            raise Refused(559, "path")
        if fn & 1 or fn == sn:
            node = sha(b"\x01" + sibling + node)
            while not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha(b"\x01" + node + sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn or node != header["receipts_root"]:
        raise Refused(559, "path")
    return {"about": "receipt", "id": identity.hex(), "position": position, "outcome": outcome}


# The state map: nodes in order, ("inner", position, right) | ("hidden",) | ("entry", key, value)


def opened(proof: bytes) -> tuple[bytes, list[Any]]:
    """Return the root to which a proof of the map leads, and its nodes in pre-order."""
    shaped(len(proof) > 1 and proof[0] == 1, "map")
    nodes: list[Any] = []
    if proof == b"\x01\x00":
        return bytes(32), nodes
    try:
        at, (digest, first, _) = _node(proof, 1, -1, nodes)
    except RecursionError:
        raise Refused(559, "deeper than keys are long") from None
    shaped(at == len(proof) and first is not None, "map")
    return digest, nodes


def _node(
    proof: bytes, at: int, above: int, nodes: list[Any]
) -> tuple[int, tuple[bytes, Any, Any]]:
    """Return where the next node begins, the digest, and the first and last key shown in it."""
    kind = _take(proof, at, 1)[0]
    if kind == 1:
        position = int.from_bytes(_take(proof, at + 1, 2), "big")
        shaped(above < position <= 9 * 512, "map")
        place = len(nodes)
        nodes.append(None)
        at, left = _node(proof, at + 3, position, nodes)
        nodes[place] = ("inner", position, len(nodes))
        at, right = _node(proof, at, position, nodes)
        shaped(left[1] is not None or right[1] is not None, "map")
        if left[2] is not None and right[1] is not None:
            shaped(left[2] < right[1] and _branches(left[2], right[1]) == position, "map")
        else:
            key, side = (left[2], 0) if left[2] is not None else (right[1], 1)
            shaped(_bit(key, position) == side and position <= 9 * len(key), "map")
        digest = sha(b"\x01" + position.to_bytes(2, "big") + left[0] + right[0])
        first = left[1] if left[1] is not None else right[1]
        last = right[2] if right[2] is not None else left[2]
        return at, (digest, first, last)
    if kind == 2:
        nodes.append(("hidden",))
        return at + 33, (_take(proof, at + 1, 32), None, None)
    shaped(kind in (3, 4), "map")
    size = int.from_bytes(_take(proof, at + 1, 2), "big")
    shaped(size <= 512, "map")
    key, at, value = _take(proof, at + 3, size), at + 3 + size, None
    if kind == 4:
        value_hash, at = _take(proof, at, 32), at + 32
    else:
        length = int.from_bytes(_take(proof, at, 4), "big")
        value, at = _take(proof, at + 4, length), at + 4 + length
        value_hash = sha(value)
    nodes.append(("entry", key, value))
    return at, (sha(b"\x00" + size.to_bytes(2, "big") + key + value_hash), key, key)


def _bit(key: bytes, position: int) -> int:
    byte, rest = divmod(position, 9)
    return int(byte < len(key) and (rest == 0 or key[byte] >> (8 - rest) & 1 == 1))


def _branches(one: bytes, other: bytes) -> int:
    return next(at for at in range(9 * 513) if _bit(one, at) != _bit(other, at))


def told(kind: str, nodes: list[Any], subject: list[Any]) -> dict[str, Any]:
    if kind == "state":
        value = value_of(nodes, subject[1])
        shaped(value == subject[2], "another value")
        return {"key": subject[1].hex(), "value": None if value is None else value.hex()}
    entries, is_complete = scan(nodes, subject[1], subject[2])
    return {
        "start": subject[1].hex(),
        "end": None if subject[2] is None else subject[2].hex(),
        "entries": [[key.hex(), value.hex()] for key, value in entries],
        "complete": is_complete,
    }


def value_of(nodes: list[Any], key: bytes) -> bytes | None:
    if not nodes:
        return None
    at = 0
    while nodes[at][0] == "inner":
        at = nodes[at][2] if _bit(key, nodes[at][1]) else at + 1
    shaped(nodes[at][0] == "entry", "the key is not shown")
    _, there, value = nodes[at]
    shaped(there != key or value is not None, "the value is not shown")
    return value if there == key else None


def scan(nodes: list[Any], start: bytes, end: bytes | None) -> tuple[list[Any], bool]:
    """Return the entries from start on, and whether these are all up to end."""
    leaves = [node for node in nodes if node[0] != "inner"]
    before = [at for at, node in enumerate(leaves) if node[0] == "entry" and node[1] < start]
    entries: list[Any] = []
    for node in leaves[before[-1] + 1 if before else 0 :]:
        if node[0] == "hidden":
            shaped(entries, "nothing of the range is shown")
            return entries, False
        if end is not None and node[1] >= end:
            break
        shaped(node[2] is not None, "an entry without its value")
        entries.append(node[1:])
    return entries, True


if __name__ == "__main__":
    try:
        found = verify(Path(sys.argv[1]).read_text("ascii"), bytes.fromhex(sys.argv[2]))
        sys.stdout.write(f"{found}\n")
    except Refused as refused:
        sys.exit(f"refused: MYC-LEDGER-{refused.args[0]} {refused.args[1]}")
