"""Content of the global data set: what has this hash and size is called so, says a member.

    post      [hash, size in bytes, title]
    state     "content/" ‖ hash -> [size in bytes, title, round, sender]

The ledger holds hash, size and title, and no content: every full copy fetches that from those who
have it, and knows it by its hash. Who posts first stays the one who posted it. Only members post,
as every cell stores what they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import Hash, PublicKey, Round
from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.errors import AlreadyPosted, Malformed, NotAMember, Oversize
from ledger.limits import CONTENT_SIZE_BYTES_MAX, CONTENT_TITLE_SIZE_BYTES_MAX
from ledger.names import controls_display

CONTENT_PREFIX: Final = b"content/"
"""State keys of content: this prefix, then its SHA-256."""


@dataclass(frozen=True, slots=True)
class Post:
    """Put content into the global data set."""

    hash: Hash
    size_bytes: int
    title: str


@dataclass(frozen=True, slots=True)
class Content:
    """What the state says of one content."""

    size_bytes: int
    title: str
    round: Round
    sender: PublicKey


def content_key(content: Hash) -> bytes:
    """Return the state key of a content."""
    return CONTENT_PREFIX + content


def decode_content(value: bytes) -> Content:
    """Return what a state value says; raises NotCanonical or WrongShape."""
    size, title, number, sender = as_array(decode(value), length=4)
    return Content(
        as_int(size),
        as_text(title, length_max=CONTENT_TITLE_SIZE_BYTES_MAX),
        Round(as_int(number)),
        PublicKey(as_bytes(sender, size=PUBLIC_KEY_SIZE_BYTES)),
    )


def parse_post(items: list[Value]) -> Post:
    """Return the checked arguments; raises WrongShape, Malformed or Oversize."""
    content, size, title = as_array(items, length=3)
    post = Post(
        Hash(as_bytes(content, size=HASH_SIZE_BYTES)),
        as_int(size, low=1),
        as_text(title, length_max=INT_MAX),
    )
    try:
        title_size = len(post.title.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise Malformed("a title must be valid Unicode text") from error
    if not post.title or controls_display(post.title):
        raise Malformed("a title has a character, and none that control the display")
    if title_size > CONTENT_TITLE_SIZE_BYTES_MAX or post.size_bytes > CONTENT_SIZE_BYTES_MAX:
        raise Oversize(
            f"a title of {title_size} bytes for {post.size_bytes}; at most "
            f"{CONTENT_TITLE_SIZE_BYTES_MAX} and {CONTENT_SIZE_BYTES_MAX} are taken"
        )
    return post


def build_post(post: Post) -> Sequence[Value]:
    """Return the encodable arguments."""
    return post.hash, post.size_bytes, post.title


def post_changes(post: Post, context: Context) -> list[tuple[bytes, bytes]]:
    """Return what a post writes; raises NotAMember or AlreadyPosted."""
    if context.roster.index_of(context.sender) is None:
        raise NotAMember("only members post content")
    key = content_key(post.hash)
    if context.read(key) is not None:
        raise AlreadyPosted(f"content {post.hash.hex()[:16]}… was posted before")
    return [(key, encode([post.size_bytes, post.title, context.round, context.sender]))]
