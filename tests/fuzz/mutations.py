"""Inputs for decoders, drawn from a seed: valid samples that were changed, and bombs.

Changes are of bytes (flips, inserts, deletions, repeats, splices, lengths), of structure (a
msgpack or JSON value taken apart, one of its places changed, and put together again, also in
encodings that are not canonical) and of text (Unicode, numbers, escapes). A bomb is made to cost
more than its bytes: depth, many small values, lengths that lie, digits.
The same seed gives the same inputs on every machine.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from random import Random
from typing import Any, Final, TypeAlias

import msgpack

Mutation: TypeAlias = Callable[[Random, bytes], bytes]
Bomb: TypeAlias = Callable[[Random, int], bytes]
"""(chance, size in bytes) -> input."""

NUMBERS: Final = (
    *(0, 1, -1, 2, 7, 31, 32, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1),
    *(2**32, 2**53, 2**62, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 1, -32, -33, -(2**31), -(2**63)),
)
TEXTS: Final = (
    *("", "\x00", "a" * 33, "a" * 65, "a" * 300, "\u202e", "\u2028", "\ufeff", "é", "e\u0301"),
    *("\U0001f344" * 9, "²", "٣", "１", "../..", "myceld", "0", "-0", "1e999", "NaN", "null"),
    *("\ud800", "İ", "ſ", "\x7f", "%00", "\r\n", "\t", "/ip4/0.0.0.0/tcp/0", "/p2p/", "=", "0x1"),
)
SIZE_BYTES_MAX: Final = 1 << 16
"""Changed samples are cut here; bombs are larger."""
DEPTH_MAX: Final = 40
"""Places deeper than this in a value are not looked for: nothing we read nests more than eight
times, and a change by bytes can make a value of a thousand levels."""
NESTED_MAX: Final = 4
"""Byte strings within byte strings that are taken apart."""


class Form(Enum):
    """What a decoder reads, and so which changes mean something."""

    BINARY = "binary"
    MSGPACK = "msgpack"
    PROTOBUF = "protobuf"
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class Mutator:
    """An endless stream of inputs for one decoder."""

    def __init__(
        self,
        seed: str,
        samples: Sequence[bytes],
        form: Form,
        *,
        size_bytes_max: int,
        bombs_every: int = 500,
    ) -> None:
        self._random = Random(seed)  # noqa: S311 - inputs are to come again from their seed
        self._samples = tuple(samples)
        self._structured = _STRUCTURED.get(form, _of_bytes)
        self._bombs = _BOMBS[form]
        self._size_bytes_max = size_bytes_max
        self._bombs_every = bombs_every

    def draw(self) -> bytes:
        """Return the next input."""
        random = self._random
        if random.randrange(self._bombs_every) == 0:
            size = int(2 ** random.uniform(6, max(7, self._size_bytes_max.bit_length() + 0.3)))
            return random.choice(self._bombs)(random, size)[: self._size_bytes_max + 16]
        if random.randrange(40) == 0:
            return random.randbytes(int(2 ** random.uniform(0, 10)))
        data = random.choice(self._samples)
        for _ in range(1 + (random.randrange(3) == 0) + (random.randrange(6) == 0)):
            if random.randrange(2):
                data = self._structured(random, data)
            elif random.randrange(10) == 0:
                data = _spliced(random, data, random.choice(self._samples))
            else:
                data = _of_bytes(random, data)
        return data[:SIZE_BYTES_MAX]


# -- bytes ------------------------------------------------------------------------------------


def _of_bytes(random: Random, data: bytes) -> bytes:
    return random.choice(_BYTE_MUTATIONS)(random, data)


def _flip(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) or 1)
    return (
        data[:at]
        + bytes(byte ^ 1 << random.randrange(8) for byte in data[at : at + 1])
        + data[at + 1 :]
    )


def _put_byte(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) or 1)
    byte = random.choice((0, 0x7F, 0x80, 0xFF, 0xC0, 0xC1, 0x90, 0xDC, random.randrange(256)))
    return data[:at] + bytes([byte]) + data[at + 1 :]


def _insert(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.randbytes(random.choice((1, 1, 2, 4, 32))) + data[at:]


def _delete(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) or 1)
    return data[:at] + data[at + random.choice((1, 1, 2, 4, 33)) :]


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) or 1)]


def _repeat(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) or 1)
    part = data[at : at + random.choice((1, 2, 8, 64, len(data)))]
    return data[:at] + part * random.choice((2, 2, 3, 3, 17, 17, 300)) + data[at:]


def _swap(random: Random, data: bytes) -> bytes:
    one, other = sorted((random.randrange(len(data) or 1), random.randrange(len(data) or 1)))
    size = random.choice((1, 4, 32))
    middle = data[one + size : other]
    return (
        data[:one]
        + data[other : other + size]
        + middle
        + data[one : one + size]
        + data[other + size :]
    )


def _length(random: Random, data: bytes) -> bytes:
    """Overwrite some bytes with a number, as lengths are written."""
    at = random.randrange(len(data) or 1)
    number = random.choice((0, 1, 0x7F, 0xFF, 0xFFFF, 2**20, 2**31 - 1, 2**32 - 1, len(data)))
    form = random.choice((">I", ">H", "<I", ">Q"))
    size = struct.calcsize(form)
    packed = struct.pack(">Q", number)[-size:]
    return data[:at] + packed + data[at + size :]


def _spliced(random: Random, one: bytes, other: bytes) -> bytes:
    return one[: random.randrange(len(one) + 1)] + other[random.randrange(len(other) + 1) :]


_BYTE_MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip,
    _flip,
    _put_byte,
    _put_byte,
    _insert,
    _delete,
    _cut,
    _repeat,
    _swap,
    _length,
)


# -- values: msgpack and JSON -----------------------------------------------------------------


def _of_msgpack(random: Random, data: bytes, nested: int = 0) -> bytes:
    """Change one place of a msgpack value; values within byte strings are taken apart too."""
    prefix, body = (data[:4], data[4:]) if _is_framed(data) else (b"", data)
    try:
        value = msgpack.unpackb(body, raw=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException, TypeError):
        return _of_bytes(random, data)
    changed = _packed(random, _changed(random, value, nested=nested))
    return len(changed).to_bytes(4, "big") + changed if prefix else changed


def _is_framed(data: bytes) -> bool:
    return len(data) > 4 and int.from_bytes(data[:4], "big") == len(data) - 4


def _of_json(random: Random, data: bytes) -> bytes:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _of_text(random, data)
    changed = _changed(random, value)
    try:
        text = json.dumps(
            changed,
            ensure_ascii=random.randrange(2) == 0,
            indent=random.choice((None, None, 2)),
            default=lambda item: item.hex() if isinstance(item, bytes) else str(item),
        )
    except RecursionError:  # it could be read, and now is a little deeper, or to be indented
        return _of_text(random, data)
    encoding = random.choice(("utf-8",) * 9 + ("utf-16",))
    return text.encode(encoding, "surrogatepass")


def _changed(random: Random, value: Any, depth: int = 0, *, nested: int = 0) -> Any:  # noqa: ANN401 - any tree at all
    """Return the tree with one of its places changed."""
    if depth > DEPTH_MAX:
        return _leaf(random, value)
    if isinstance(value, list) and value and (depth == 0 or random.randrange(4)):
        if random.randrange(4) == 0:
            return _list_changed(random, value)
        at = random.randrange(len(value))
        changed = _changed(random, value[at], depth + 1, nested=nested)
        return [*value[:at], changed, *value[at + 1 :]]
    if isinstance(value, dict) and value and (depth == 0 or random.randrange(4)):
        return _dict_changed(random, value, depth, nested)
    if (
        isinstance(value, bytes)
        and len(value) > 2
        and value[0] & 0xF0 == 0x90
        and nested < NESTED_MAX
        and random.randrange(3)
    ):
        return _of_msgpack(random, value, nested + 1)
    return _leaf(random, value)


def _list_changed(random: Random, value: list[Any]) -> list[Any]:
    at = random.randrange(len(value))
    match random.randrange(5):
        case 0:
            return value[:at] + value[at + 1 :]
        case 1:
            return [*value[:at], value[at], *value[at:]]
        case 2:
            return [*value, _leaf(random, None)]
        case 3:
            return random.sample(value, len(value))
        case _:
            return value * random.choice((2, 2, 3, 3, 9, 9, 9, 200))


def _dict_changed(random: Random, value: dict[Any, Any], depth: int, nested: int) -> dict[Any, Any]:
    changed = dict(value)
    key = random.choice(list(changed))
    match random.randrange(8):
        case 0:
            del changed[key]
        case 1:
            changed[random.choice(TEXTS)] = changed[key]
        case 2:
            changed[key], changed[next(iter(changed))] = changed[next(iter(changed))], changed[key]
        case _:
            changed[key] = _changed(random, changed[key], depth + 1, nested=nested)
    return changed


def _leaf(random: Random, value: Any) -> Any:  # noqa: ANN401 - any leaf at all
    """Return another value, often of the same type and near the old one."""
    if random.randrange(3) and value is not None:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return random.choice((value + 1, value - 1, -value, *NUMBERS))
        if isinstance(value, bytes):
            return random.choice((_of_bytes(random, value), value[:-1], value + b"\0", b""))
        if isinstance(value, str):
            encoded = value.encode("utf-8", "surrogatepass")
            return _of_text(random, encoded).decode("utf-8", "replace")
    return random.choice(
        (
            None,
            True,
            1.5,
            random.choice(NUMBERS),
            random.choice(TEXTS),
            random.randbytes(random.choice((0, 1, 32, 64))),
            [],
            [[], [[]]],
            {},
            {"a": 1},
            _nested(random.choice((7, 8, 9, 40))),
        )
    )


def _nested(depth: int) -> Any:  # noqa: ANN401 - a tree
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def _packed(random: Random, value: Any) -> bytes:  # noqa: ANN401 - any tree at all
    """Encode a tree, sometimes in longer forms than the shortest.

    A list of what is still to be written, not recursion: a change by bytes can nest lists deeper
    than the interpreter's stack is.
    """
    loose = random.randrange(5) == 0
    parts: list[bytes] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if not isinstance(item, list | tuple):
            parts.append(_packed_leaf(random, item, loose=loose))
            continue
        if loose and random.randrange(2):
            parts.append(b"\xdd" + len(item).to_bytes(4, "big"))
        else:
            parts.append(msgpack.Packer().pack_array_header(len(item)))
        waiting.extend(reversed(item))
    return b"".join(parts)


def _packed_leaf(random: Random, item: Any, *, loose: bool) -> bytes:  # noqa: ANN401 - any leaf at all
    if loose and isinstance(item, bytes) and len(item) < 2**16:
        return b"\xc5" + len(item).to_bytes(2, "big") + item
    if loose and isinstance(item, int) and 0 <= item < 2**64 and random.randrange(2):
        return b"\xcf" + item.to_bytes(8, "big")
    try:
        packed: bytes = msgpack.packb(item, use_bin_type=True, unicode_errors="surrogatepass")
    except (OverflowError, ValueError):
        return b"\xc0"
    return packed


# -- text ---------------------------------------------------------------------------------------


def _of_text(random: Random, data: bytes) -> bytes:
    if random.randrange(3) == 0:
        return _of_bytes(random, data)
    at = random.randrange(len(data) + 1)
    match random.randrange(7):
        case 0:
            return data[:at] + random.choice(TEXTS).encode("utf-8", "surrogatepass") + data[at:]
        case 1:
            number = str(random.choice(NUMBERS)).encode()
            return data[:at] + number + data[at + random.randrange(3) :]
        case 2:
            return _lines_changed(random, data)
        case 3:
            return data.swapcase() if random.randrange(2) else data.title()
        case 4:
            old = bytes(data[at : at + 1])
            return data.replace(old, random.choice((b"", b" ", b"\n", b"//", b"=", old * 2)), 3)
        case 5:
            spaces = random.choice((b" ", b"\n", b"\r\n", b"\t", b"\xc2\xa0", b"\x00", b"\n\n"))
            return data[:at] + spaces + data[at:]
        case _:
            end = at + random.randrange(40)
            digits = random.choice((b"9", b"0", b"1", b"f")) * random.choice((3, 20, 80, 5000))
            return data[:at] + digits + data[end:]


def _lines_changed(random: Random, data: bytes) -> bytes:
    split = b"\n" if b"\n" in data else random.choice((b"/", b",", b" "))
    lines = data.split(split)
    at = random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, random.choice(lines))
        case 2:
            random.shuffle(lines)
        case _:
            lines[at] *= random.choice((0, 2, 50))
    return split.join(lines)


_YAML: Final = (
    *(
        b"!!int ''",
        b"!!float ''",
        b"!!bool x",
        b"!!timestamp x",
        b"!!binary '\xc3\xa9'",
        b"!!set a",
    ),
    *(b"!!omap [a]", b"!!pairs [a]", b"!!python/object:os.system x", b"&a [*a]", b"*a", b"&a x"),
    *(
        b"<<: *a",
        b"? [a]\n: b",
        b"2001-99-99",
        b"1:60:60",
        b"1:2:3.4",
        b".inf",
        b"0b",
        b"0o7",
        b"|-",
    ),
    *(
        b"0x" + b"f" * 5000,
        b"~",
        b"- - -",
        b"{a: b",
        b"---\n",
        b"...\n",
        b"%YAML 9.9\n---\n",
        b"\t",
    ),
    *(b"!<tag:yaml.org,2002:int> ''", b"!!map []", b"!!seq {}", b"!!str {}", b"1_0", b"\\u0000"),
    *(b"1" + b":59" * 400 + b".5", b"<<: [{a: b}, {c: d}]", b"=", b"!!null x", b"\xef\xbb\xbf"),
)


def _of_yaml(random: Random, data: bytes) -> bytes:
    if random.randrange(2):
        return _of_text(random, data)
    lines = data.split(b"\n")
    at = random.randrange(len(lines))
    name = lines[at].partition(b":")[0]
    thing = random.choice(_YAML)
    if random.randrange(2):
        lines[at] = name + b": " + thing
    else:
        lines.insert(at, thing)
    return b"\n".join(lines)


# -- bombs --------------------------------------------------------------------------------------


def _fill(head: bytes, part: bytes, tail: bytes = b"") -> Bomb:
    """Return a bomb of one part repeated to the size."""

    def bomb(_random: Random, size: int) -> bytes:
        count = max(1, (size - len(head) - len(tail)) // len(part))
        return head + part * count + tail

    return bomb


def _array_of(part: bytes) -> Bomb:
    def bomb(random: Random, size: int) -> bytes:
        count = max(1, (size - 8) // len(part))
        kind = random.choice((b"", b"\x93\x05\x00", b"\x92\x0b", b"\x92\x0e", b"\x94\x03\x00"))
        return kind + b"\xdd" + count.to_bytes(4, "big") + part * count

    return bomb


def _random_bytes(random: Random, size: int) -> bytes:
    return random.randbytes(size)


_PLAIN_BOMBS: Final[tuple[Bomb, ...]] = (
    _random_bytes,
    _fill(b"", b"\0"),
    _fill(b"", b"\xff"),
    _fill(b"", b"\x7f\xff\xff\xff"),
)
_MSGPACK_BOMBS: Final[tuple[Bomb, ...]] = (
    *_PLAIN_BOMBS,
    *map(_array_of, (b"\x90", b"\xc0", b"\x01", b"\xa2ab", b"\xcd\x01\x01", b"\xc4\x02ab")),
    *map(_array_of, (b"\x91\x90", b"\x92\xc4\x00\xc4\x00", b"\xc4\x20" + b"h" * 32, b"\xa0")),
    *map(_array_of, (b"\x94\xc4\x00\xc4\x00\x00\xa0", b"\x93\xc4\x20" + b"k" * 32 + b"\x01\xa1n")),
    _fill(b"", b"\x91", b"\xc0"),
    _fill(b"", b"\xdc\x00\x10"),
    _fill(b"", b"\xdc\xff\xff"),
    _fill(b"", b"\xdd\x00\x0f\x00\x00"),
    _fill(b"\x81", b"\x81\xc0"),
    _fill(b"", b"\xdf\x7f\xff\xff\xff"),
    _fill(b"", b"\xc9\x00\x00\x00\x00\x01"),
)
_TEXT_BOMBS: Final[tuple[Bomb, ...]] = (
    *_PLAIN_BOMBS,
    *(
        _fill(b"", part)
        for part in (b"1", b"/", b"\n", b" ", b"a\n", b"\n\n", b"=", b"A" * 4, b"z")
    ),
    *(
        _fill(b"", part)
        for part in (b"/a", b"\xf0\x9f\x8d\x84", b"\xe2\x80\x94 a b\n", b"a=", b".")
    ),
    *(
        _fill(head, b"1")
        for head in (b"/ip4/", b"/ip4/1.2.3.4/tcp/", b"myceld1", b"index ", b"/dns/")
    ),
)
_JSON_BOMBS: Final[tuple[Bomb, ...]] = (
    *_PLAIN_BOMBS,
    _fill(b"", b"["),
    _fill(b"[", b"[],", b"[]]"),
    _fill(b"[", b"{},", b"{}]"),
    _fill(b"[", b'{"a":0},', b"0]"),
    _fill(b"[", b'"a",', b'""]'),
    _fill(b"[", b'"ab",', b'""]'),
    _fill(b"[", b"0,", b"0]"),
    _fill(b"[", b"999,", b"0]"),
    _fill(b"[", b"1.5,", b"0]"),
    _fill(b"", b'{"a":'),
    _fill(b'{"version":', b"9", b"}"),
    _fill(b'{"version":"', b"\\u0000", b'"}'),
    _fill(b'{"version":"\xf0\x9f\x8d\x84', b"aaaa", b'"}'),
    _fill(b'{"version":1,"cut":[', b'"",', b'""]}'),
    _fill(b'{"transactions":[', b'"",', b'""]}'),
    _fill(b'{"members":[', b"{},", b"{}]}"),
    _fill(b"[" * 900, b"[],", b""),
    _fill(b"{", b'"a":1,', b'"a":1}'),
)
_YAML_BOMBS: Final[tuple[Bomb, ...]] = (
    *_PLAIN_BOMBS,
    _fill(b"a: ", b"["),
    _fill(b"a: [", b"[],", b"]"),
    _fill(b"a: [", b"{},", b"]"),
    _fill(b"version: ", b"9"),
    _fill(b"version: 0x", b"f"),
    _fill(b"version: 1", b":59"),
    _fill(b"version: 1", b":59", b".5"),
    _fill(b"a: [", b"x,", b"]"),
    _fill(b"a: &a [x]\nb: [", b"*a,", b"]"),
    _fill(b"", b"- a\n"),
    _fill(b"", b"a: b\n"),
    _fill(b'a: "', b"\\x41", b'"'),
    _fill(b"", b"#\n"),
    _fill(b"", b"? "),
    _fill(b"a: !", b"!"),
    lambda _random, size: _merges(size),
)


def _merges(size: int) -> bytes:
    """Return YAML in which each mapping merges the one before it many times."""
    lines = [b"m0: &m0 {a: b, c: d}"]
    while sum(map(len, lines)) < min(size, 2000):
        n = len(lines)
        lines.append(b"m%d: &m%d {<<: [%s]}" % (n, n, b", ".join([b"*m%d" % (n - 1)] * 9)))
    return b"\n".join(lines)


_PROTOBUF_BOMBS: Final[tuple[Bomb, ...]] = (
    *_PLAIN_BOMBS,
    *(
        _fill(b"", part)
        for part in (b"\x0a\x00", b"\x12\x00", b"\x1a\x00", b"\x42\x00", b"\x4a\x00")
    ),
    *(_fill(b"", part) for part in (b"\x42\x02\x0a\x00", b"\x4a\x04\x12\x02\x04\x01", b"\x80")),
    _fill(
        b"\x08\x03",
        b"\x42\x2e\x0a\x26" + b"\x00\x24\x08\x01\x12\x20" + b"k" * 32 + b"\x12\x04\x04\x7f\x00\x00",
    ),
    _fill(b"\x08\x04\x42\xff\x7f", b"\x12\x08\x04\x7f\x00\x00\x01\x06\x12\x67"),
    _fill(b"", b"\x12\x0a\x35\x08example."),
)

_STRUCTURED: Final[dict[Form, Mutation]] = {
    Form.MSGPACK: _of_msgpack,
    Form.JSON: _of_json,
    Form.TEXT: _of_text,
    Form.YAML: _of_yaml,
}
_BOMBS: Final[dict[Form, tuple[Bomb, ...]]] = {
    Form.BINARY: _PLAIN_BOMBS,
    Form.MSGPACK: _MSGPACK_BOMBS,
    Form.PROTOBUF: _PROTOBUF_BOMBS,
    Form.TEXT: _TEXT_BOMBS,
    Form.JSON: _JSON_BOMBS,
    Form.YAML: _YAML_BOMBS,
}
