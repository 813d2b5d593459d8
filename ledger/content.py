"""Content of the global data set: what has this hash and size is called so, says a member.

    post           [hash, size in bytes, title, expires round]
    post-withdraw  [hash]
    state          "content/" ‖ hash -> [size in bytes, title, round, sender, expires round,
                   withdrawn round]

The ledger holds hash, size and title, and no content: every full copy fetches that from those who
have it, and knows it by its hash. Only members post, as every cell stores what they do. As long as
a post stands, who posted first stays the one who posted it. It ends after its last round, if it has
one, or when its poster withdraws it, under whatever key he has by then; the state goes on saying
so. What has ended is fetched and served no more, and any member can post it again, as his own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import Hash, PublicKey, Round
from core.limits import HASH_SIZE_BYTES, INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.context import Context
from ledger.errors import (
    AlreadyPosted,
    Malformed,
    NotAMember,
    NotPosted,
    NotThePoster,
    Oversize,
    PostEnded,
)
from ledger.limits import CONTENT_SIZE_BYTES_MAX, CONTENT_TITLE_SIZE_BYTES_MAX
from ledger.names import controls_display
from ledger.succession import current_key

CONTENT_PREFIX: Final = b"content/"
"""State keys of content: this prefix, then its SHA-256."""


@dataclass(frozen=True, slots=True)
class Post:
    """Put content into the global data set."""

    hash: Hash
    size_bytes: int
    title: str
    expires_round: Round = Round(0)
    """The last round in which it stands, 0 for no end."""


@dataclass(frozen=True, slots=True)
class PostWithdraw:
    """Take back what the sender posted."""

    hash: Hash


@dataclass(frozen=True, slots=True)
class Content:
    """What the state says of one content."""

    size_bytes: int
    title: str
    round: Round
    sender: PublicKey
    expires_round: Round = Round(0)
    withdrawn_round: Round = Round(0)
    """In which its poster took it back, 0 while he has not."""

    def stands(self, round_number: int) -> bool:
        """Return whether it is of the data set in a round that is not before its own."""
        if self.withdrawn_round:
            return False
        return self.expires_round == 0 or round_number <= self.expires_round

    def encode(self) -> bytes:
        """Return the state value."""
        return encode(
            [
                self.size_bytes,
                self.title,
                self.round,
                self.sender,
                self.expires_round,
                self.withdrawn_round,
            ]
        )


def content_key(content: Hash) -> bytes:
    """Return the state key of a content."""
    return CONTENT_PREFIX + content


def decode_content(value: bytes) -> Content:
    """Return what a state value says; raises NotCanonical or WrongShape."""
    size, title, number, sender, expires, withdrawn = as_array(decode(value), length=6)
    return Content(
        as_int(size),
        as_text(title, length_max=CONTENT_TITLE_SIZE_BYTES_MAX),
        Round(as_int(number)),
        PublicKey(as_bytes(sender, size=PUBLIC_KEY_SIZE_BYTES)),
        Round(as_int(expires)),
        Round(as_int(withdrawn)),
    )


def parse_post(items: list[Value]) -> Post:
    """Return the checked arguments; raises WrongShape, Malformed or Oversize."""
    content, size, title, expires = as_array(items, length=4)
    post = Post(
        Hash(as_bytes(content, size=HASH_SIZE_BYTES)),
        as_int(size, low=1),
        as_text(title, length_max=INT_MAX),
        Round(as_int(expires)),
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
    return post.hash, post.size_bytes, post.title, post.expires_round


def post_changes(post: Post, context: Context) -> list[tuple[bytes, bytes]]:
    """Return what a post writes.

    Raises NotAMember, PostEnded when its last round is over already, or AlreadyPosted.
    """
    if context.roster.index_of(context.sender) is None:
        raise NotAMember("only members post content")
    if 0 < post.expires_round < context.round:
        raise PostEnded(
            f"it ended with round {post.expires_round}, and was ordered in {context.round}"
        )
    key = content_key(post.hash)
    known = context.read(key)
    if known is not None and decode_content(known).stands(context.round):
        raise AlreadyPosted(f"content {post.hash.hex()[:16]}… was posted before")
    content = Content(
        post.size_bytes, post.title, context.round, context.sender, post.expires_round
    )
    return [(key, content.encode())]


def parse_withdraw(items: list[Value]) -> PostWithdraw:
    """Return the checked arguments of `post-withdraw`; raises WrongShape."""
    (content,) = as_array(items, length=1)
    return PostWithdraw(Hash(as_bytes(content, size=HASH_SIZE_BYTES)))


def build_withdraw(withdraw: PostWithdraw) -> Sequence[Value]:
    """Return the encodable arguments of `post-withdraw`."""
    return (withdraw.hash,)


def withdraw_changes(withdraw: PostWithdraw, context: Context) -> list[tuple[bytes, bytes]]:
    """Return what a withdrawal writes; raises NotPosted or NotThePoster.

    Who posted it need not be a member any more: it is his to take back.
    """
    key = content_key(withdraw.hash)
    value = context.read(key)
    content = None if value is None else decode_content(value)
    if content is None or not content.stands(context.round):
        raise NotPosted(f"content {withdraw.hash.hex()[:16]}… is not in the data set")
    if current_key(context.read, content.sender) != context.sender:
        raise NotThePoster("another one posted it")
    return [(key, replace(content, withdrawn_round=context.round).encode())]
