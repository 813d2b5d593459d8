"""What the type of a key does not say: each returns what is wrong with a value, or None."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from core.host_names import is_origin, name_in_host
from identity.description import check_metadata
from identity.errors import BadPolicy, BadRecord
from identity.messages.limits import RUN_NAME_LENGTH_MAX
from identity.trust import Policy, policy_of
from ledger.names import is_name
from settings.components import COMPONENTS, LEVELS
from settings.errors import nearest, shown

_DECIMAL: Final = re.compile(r"[01]?\.?[0-9]{1,9}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def policy_in(
    levels: Sequence[str] = (),
    needs: Sequence[str] = (),
    proofs: Sequence[str] = (),
    scopes: Sequence[str] = (),
) -> Policy:
    """Return the policy that texts LEVEL=SCORE, REQUEST=LEVEL and so on make; raises BadPolicy."""
    scores = {level: _score(text) for level, text in map(halves, levels)}
    pairs = (dict(map(halves, texts)) for texts in (needs, proofs, scopes))
    return policy_of(scores, *pairs)


def wrong_levels(texts: tuple[str, ...]) -> str | None:
    """Check LEVEL=SCORE."""
    return _wrong_policy(levels=texts)


def wrong_needs(texts: tuple[str, ...]) -> str | None:
    """Check REQUEST=LEVEL."""
    return _wrong_policy(needs=texts)


def wrong_proofs(texts: tuple[str, ...]) -> str | None:
    """Check REQUEST=fresh or none."""
    return _wrong_policy(proofs=texts)


def wrong_scopes(texts: tuple[str, ...]) -> str | None:
    """Check REQUEST=SCOPE."""
    return _wrong_policy(scopes=texts)


def wrong_shown_name(text: str) -> str | None:
    """Check a name that people are shown."""
    return None if is_name(text) else "expected 1 to 64 characters, none of them controls"


def wrong_hosts(texts: tuple[str, ...]) -> str | None:
    """Check names of hosts, without a port."""
    wrong = [text for text in texts if name_in_host(text) != text or not _HOST.fullmatch(text)]
    return f"{shown(wrong[0])} is not the name of a host, without a port" if wrong else None


def wrong_origins(texts: tuple[str, ...]) -> str | None:
    """Check origins of web pages."""
    wrong = [text for text in texts if not is_origin(text)]
    return f"{shown(wrong[0])} is not an origin such as https://app.example" if wrong else None


def wrong_proxies(texts: tuple[str, ...]) -> str | None:
    """Check addresses."""
    for text in texts:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return f"{shown(text)} is not an IP address"
    return None


def commands_of(declared: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return commands by name from texts NAME=COMMAND; raises ValueError."""
    found = {}
    for text in declared:
        name, _, command = text.partition("=")
        found[name.strip()] = tuple(shlex.split(command))
    return found


def wrong_commands(texts: tuple[str, ...]) -> str | None:
    """Check NAME=COMMAND."""
    for text in texts:
        try:
            ((name, command),) = commands_of([text]).items()
        except ValueError as error:
            return f"{shown(text)}: {error}"
        if not 0 < len(name) <= RUN_NAME_LENGTH_MAX or not command:
            return f"expected NAME=COMMAND, got {shown(text)}"
    return None


def metadata_of(declared: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return pairs in the order of their keys from texts KEY=VALUE; raises BadRecord."""
    pairs = tuple(sorted(map(halves, declared)))
    check_metadata(pairs)
    return pairs


def wrong_metadata(texts: tuple[str, ...]) -> str | None:
    """Check KEY=VALUE."""
    try:
        metadata_of(texts)
    except BadRecord as error:
        return error.detail
    return None


def wrong_seeds(locations: tuple[str, ...]) -> str | None:
    """Check where seeds may be."""
    return next((wrong for one in locations if (wrong := wrong_seed(one)) is not None), None)


def wrong_seed(location: str) -> str | None:
    """Check that this is a path, an https URL, or http on loopback."""
    if "://" not in location:
        return None if location else "an empty text is no seed"
    try:
        parts = urlsplit(location)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return f"{location!r} is not a URL"
    plain = parts.scheme == "http" and host in _LOOPBACK
    if not host or not (parts.scheme == "https" or plain) or parts.username or parts.password:
        return f"{location!r}: a seed is a path or an https URL without a password"
    return None


def levels_of(texts: Sequence[str]) -> dict[str, str]:
    """Return levels by component from texts COMPONENT=LEVEL."""
    return dict(map(halves, texts))


def wrong_log_levels(texts: tuple[str, ...]) -> str | None:
    """Check COMPONENT=LEVEL."""
    for text in texts:
        component, level = halves(text)
        if component not in COMPONENTS:
            return f"{shown(component)} is no component{nearest(component, COMPONENTS)}"
        if level not in LEVELS:
            return f"{shown(text)}: the level is one of {', '.join(LEVELS)}"
    return None


def halves(text: str) -> tuple[str, str]:
    """Return what is before and after the first = of a text."""
    left, _, right = text.partition("=")
    return left.strip(), right.strip()


def _wrong_policy(**given: tuple[str, ...]) -> str | None:
    try:
        policy_in(**given)
    except BadPolicy as error:
        return error.detail
    return None


def _score(text: str) -> float:
    """Return a plain decimal number; what is none is beyond every bound of a score."""
    return float(text) if _DECIMAL.fullmatch(text) else -1.0


def wrong_trace_endpoint(value: str) -> str | None:
    """Return what is wrong with an address for traces."""
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "expected an http or https URL"
    if parts.username or parts.password:
        return "expected a URL without a password"
    return None
