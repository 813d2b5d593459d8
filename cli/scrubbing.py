"""Taking secrets out of text: those that a cell has, and whatever looks like one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from core.json_text import NotJson, parse_json

REMOVED: Final = "[removed]"
_FILE_SIZE_BYTES_MAX: Final = 1 << 20
_LENGTH_MIN: Final = 6
"""Shorter words are not looked for: they would be found everywhere."""
_NAMED: Final = (
    r"(?i)(?<![a-z])((?:pass(?:word|phrase)?|secret|seed|token|ticket|api_?key)"
    r"""["']?\s*[:=]\s*"""
)
"""What stands before a secret; the group ends behind it."""
_LOOKS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"myceld1[a-z2-7]{16,}",  # a ticket
        r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}",
        r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)",  # a password in a URL
        r"(?is)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
        _NAMED + r"""(["']))(?:\\.|(?!\2)[^\\\n])+""",  # password="of two words"
        r"(?i)(?<![a-z])(pass(?:word|phrase)?: *)[^\s\"'\[{][^\n]*",  # password: of two words
        _NAMED + r""")[^\s"',}]{6,}""",
        # A share of a key, or a seed, in words: in prose some of so many are shorter or longer.
        r"(?<![\w'-])(?:[a-z]{3,8}[ \n]+){11,}[a-z]{3,8}(?![\w'-])",
    )
)
CONFIGURATIONS: Final = ("config.yaml", "hypha.yaml")
"""Of a cell and of a hypha."""
_SECRET_FILES: Final = ("gateway.token", "light.token")
_NAMED_FILE: Final = re.compile(
    r"""(?:\b(?:passphrase_file|token_file)["']?\s*:|,token=)\s*["']?([^\n"',}\]]+)"""
)
"""Where a configuration says which file a secret is in."""
_SECRET_KEYS: Final = re.compile(r"(?i)pass|secret|token|commands|metadata|headers|key\b|key_")
_KEY_LINE: Final = re.compile(r"(\s*)(- )?([A-Za-z_][\w-]*)(\s*:)(.*)")


class Scrubber:
    """Removes a set of known secrets, in each usual spelling, and what looks like others."""

    def __init__(self, secrets: frozenset[str]) -> None:
        spellings = {one for secret in secrets for one in _spellings(secret)}
        self._known = sorted(spellings, key=len, reverse=True)
        self.removed = 0

    @classmethod
    def of(cls, home: Path) -> Self:
        """Return one that knows the secrets in the files of a cell."""
        return cls(frozenset(one for one in _secrets(home) if len(one) >= _LENGTH_MIN))

    def clean(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._known:
            self.removed += text.count(secret)
            text = text.replace(secret, REMOVED)
        for look in _LOOKS:
            text, count = look.subn(_kept_name, text)
            self.removed += count
        return text


def masked_config(text: str) -> str:
    """Return the text of a configuration with the values masked of keys that may hold secrets."""
    lines, deeper_than = [], None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if deeper_than is not None and line.strip():
            is_item = line.lstrip().startswith("- ") and indent >= deeper_than
            if indent > deeper_than or is_item:
                lines.append(" " * indent + REMOVED)
                continue
            deeper_than = None
        match = _KEY_LINE.match(line)
        if match is not None and _SECRET_KEYS.search(match[3]):
            if not match[5].strip() or match[5].strip()[0] in "|>":
                deeper_than = indent
                lines.append(line)
            else:
                lines.append(f"{match[1]}{match[2] or ''}{match[3]}{match[4]} {REMOVED}")
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"


def _kept_name(match: re.Match[str]) -> str:
    """Return what stands for a find: the name before a value stays."""
    return (match[1] if match.lastindex else "") + REMOVED


def _secrets(home: Path) -> Iterator[str]:
    for name in _SECRET_FILES:
        yield _text(home / name).strip()
    yield from _of_key(_text(home / "key.json"))
    for config in CONFIGURATIONS:
        for named in _NAMED_FILE.findall(_text(home / config)):
            path = home / named.partition(" #")[0].strip()
            yield (_text(path).splitlines() or [""])[0]


def _of_key(text: str) -> Iterator[str]:
    """Yield every value of a key file that is no public one."""
    try:
        content = parse_json(text)
    except NotJson:
        return
    yield from _private(content)


def _private(content: object) -> Iterator[str]:
    if isinstance(content, dict):
        for name, value in content.items():
            if name in ("seed", "sealed", "salt", "nonce") and isinstance(value, str):
                yield value
            else:
                yield from _private(value)
    elif isinstance(content, list):
        for value in content:
            yield from _private(value)


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    raw = [secret.encode()]
    if re.fullmatch(r"(?:[0-9a-fA-F]{2}){8,}", secret):
        raw.append(bytes.fromhex(secret))
        yield secret.upper()
    for data in raw:
        yield data.hex()
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(data).decode().rstrip("=")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_SIZE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
