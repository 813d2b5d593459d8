"""The newcomer's state machine: from the roster it trusts to a whole, verified checkpoint.

    links      ends of epochs, each certified by the roster that the one before named
    target     the newest of them that some peer serves
    window     headers of the target's epoch, from the certified one back by their hashes, then
               the receipts under them: the ids that the next epoch must not list again
    state      pieces of the map from the certified root down: each shows the first entries of a
               subtree, and what else is there as further subtrees, by their digests

Peers come and go; each is asked a few things at a time and answers in order. Every answer is
checked alone, so pieces can come from any of them, and who sends a wrong one is dropped. What is
verified is handed out to be persisted, and asked for no more: `staged` reads it back after a
restart. The owner persists `Effects.keep` before it calls anything done.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from core.codec import NotCanonical, WrongShape
from core.errors import MyceldError
from core.ids import CellId, Epoch, NetworkId, Round
from ledger.certificate import Verifier
from ledger.chain import RosterLink, check_link
from ledger.errors import BadCertificate, BadMapProof, BadRosterChain
from ledger.header import RoundHeader, decode_header
from ledger.map_proof import TOP, Opened, Place
from ledger.roster import Roster
from ledger.transfer.errors import BadPiece, BadWindow, UnexpectedAnswer
from ledger.transfer.limits import PIECE_COST, REQUESTS_PER_PEER_MAX, STAGED_BUDGET
from ledger.transfer.staging import (
    Kept,
    Staged,
    keep_header,
    keep_piece,
    keep_receipts,
    open_piece,
    staged_header,
    staged_piece,
    staged_receipts,
    verified_receipts,
)
from ledger.transfer.wire import (
    Answer,
    Ask,
    AskHeaders,
    AskLinks,
    AskPiece,
    AskReceipts,
    Gone,
    Headers,
    Links,
    Piece,
    ReceiptRow,
    Receipts,
)
from ledger.trie import EMPTY_ROOT


@dataclass(slots=True)
class Effects:
    """What the owner has to do: persist `keep` first."""

    keep: list[Kept] = field(default_factory=list)
    asks: list[tuple[CellId, Ask]] = field(default_factory=list)
    drops: list[tuple[CellId, MyceldError]] = field(default_factory=list)
    more: bool = False
    """Whether `advance` has more to do at once: there was much on the disk."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the transfer of the target has come."""

    epoch: Epoch
    pieces: int
    size_bytes: int
    """Of verified pieces, those that were on the disk included."""
    done: float
    """Share of everything, 0 to 1: guessed, as if the two sides of a branching were equal."""


@dataclass(slots=True)
class _Peer:
    asked: deque[Ask] = field(default_factory=deque)
    linked: bool = False
    """Whether it has no further links for us."""
    gone: bool = False
    """Whether it does not serve the target."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A subtree of the state that is missing."""

    place: Place
    digest: bytes
    share: float
    """Of the whole state, as far as can be guessed."""


@dataclass(slots=True)
class _Target:
    """What is still missing of a checkpoint."""

    link: RosterLink
    first_round: Round
    headers: list[RoundHeader]
    """Verified ones, the newest first."""
    pieces: list[_Wanted]
    """To be asked for, the first ones last."""
    receipts_at: int | None = None
    """Index into `headers` of the round whose receipts are next; None before all headers."""
    rows: list[ReceiptRow] = field(default_factory=list)
    """Receipts of that round so far, unverified, all from one peer."""
    rows_of: CellId | None = None
    asked: dict[Place, _Wanted] = field(default_factory=dict)
    """Those that are asked for."""
    windowing: bool = False
    """Whether a request for headers or receipts is under way."""
    done_share: float = 0.0
    done_pieces: int = 0
    done_bytes: int = 0

    @property
    def has_window(self) -> bool:
        return self.receipts_at is not None and self.receipts_at < 0

    @property
    def is_whole(self) -> bool:
        return self.has_window and not self.pieces and not self.asked


class Fetcher:
    """State of a transfer. Every method is followed by `take`."""

    def __init__(
        self, network_id: NetworkId, roster: Roster, above: Round, staged: Staged, verify: Verifier
    ) -> None:
        """Start from a roster that this cell trusts; want a checkpoint after round `above`."""
        self._network_id = network_id
        self._first_roster = self._roster = roster
        self._above = above
        self._staged = staged
        self._verify = verify
        self._peers: dict[CellId, _Peer] = {}
        self._target: _Target | None = None
        self._effects = Effects()
        self.links: list[RosterLink] = []
        """Verified, from the roster that was trusted at the start on."""

    # -- what the owner feeds in ---------------------------------------------------------------

    def joined(self, peer: CellId) -> None:
        """A peer can be asked."""
        self._peers[peer] = _Peer()
        self.advance()

    def left(self, peer: CellId) -> None:
        """A peer can be asked no more: what it owes is asked of others."""
        self._forget(peer)
        self.advance()

    def answered(self, peer: CellId, answer: Answer) -> None:
        """A peer answered its oldest open request."""
        known = self._peers.get(peer)
        if known is None:
            return
        if not known.asked:
            self._drop(peer, UnexpectedAnswer("nothing was asked"))
            return
        ask = known.asked[0]
        try:
            self._take(peer, ask, answer)
        except (BadPiece, BadWindow, BadRosterChain, UnexpectedAnswer) as error:
            self._drop(peer, error)
        else:
            known.asked.popleft()
        self.advance()

    def advance(self) -> None:
        """Take from the disk what is there, ask for what is not."""
        self._effects.more = False
        self._choose_target()
        budget = STAGED_BUDGET
        while self._target is not None and budget > 0:
            spent = self._take_staged(self._target)
            if spent == 0:
                break
            budget -= spent
        self._effects.more = budget <= 0
        for peer, known in self._peers.items():
            while len(known.asked) < REQUESTS_PER_PEER_MAX:
                ask = self._next_ask(peer, known)
                if ask is None:
                    break
                known.asked.append(ask)
                self._effects.asks.append((peer, ask))

    # -- what the owner takes out --------------------------------------------------------------

    def take(self) -> Effects:
        """Return all effects since the last call."""
        effects, self._effects = self._effects, Effects()
        return effects

    @property
    def whole(self) -> RosterLink | None:
        """The end of the epoch that was fetched, once all of it was handed out as `keep`."""
        target = self._target
        return target.link if target is not None and target.is_whole else None

    @property
    def whole_links(self) -> list[RosterLink]:
        """The links up to the end that was fetched."""
        whole = self.whole
        at = -1 if whole is None else self.links.index(whole)
        return self.links[: at + 1]

    @property
    def is_stuck(self) -> bool:
        """Whether nothing is asked and nothing comes: nobody has what is wanted."""
        return self.whole is None and not any(known.asked for known in self._peers.values())

    @property
    def first_round(self) -> Round:
        """The first round of the target's epoch."""
        return Round(0) if self._target is None else self._target.first_round

    @property
    def progress(self) -> Progress | None:
        """How far it has come; None before there is a target."""
        target = self._target
        if target is None:
            return None
        rounds = target.link.header.round - target.first_round + 1
        left = rounds if target.receipts_at is None else target.receipts_at + 1
        window = 1 - left / rounds
        state = target.done_share
        return Progress(
            target.link.header.epoch,
            target.done_pieces,
            target.done_bytes,
            1.0 if target.is_whole else min(0.99, 0.2 * window + 0.8 * state),
        )

    # -- answers -------------------------------------------------------------------------------

    def _take(self, peer: CellId, ask: Ask, answer: Answer) -> None:
        target = self._target
        if isinstance(ask, AskLinks):
            self._take_links(peer, ask, answer)
        elif target is None or ask.epoch != target.link.header.epoch:
            return  # of a target that was given up
        elif isinstance(answer, Gone):
            # It moved on, maybe: then it has newer links.
            self._peers[peer].gone, self._peers[peer].linked = True, False
            self._ask_again(peer, target, ask)
        elif isinstance(ask, AskPiece):
            self._take_piece(target, ask.place, answer)
        elif isinstance(ask, AskHeaders):
            self._take_headers(target, answer)
        else:
            self._take_receipts(peer, target, answer)

    def _take_links(self, peer: CellId, ask: AskLinks, answer: Answer) -> None:
        if not isinstance(answer, Links):
            raise UnexpectedAnswer("no links")
        if answer.links and answer.links[0].header.epoch != ask.epoch:
            raise BadRosterChain("it does not begin with the epoch that was asked for")
        for link in answer.links:
            if link.header.epoch >= self._roster.epoch:
                try:
                    check_link(self._network_id, self._roster, link, self._verify)
                except (BadCertificate, BadRosterChain) as error:
                    raise BadRosterChain(
                        f"the end of epoch {self._roster.epoch}: {error.detail}"
                    ) from error
                self.links.append(link)
                self._roster = link.roster
        known = self._peers[peer]
        newest = -1 if answer.newest is None else answer.newest
        # Others may have brought the links first: those it has beyond are asked for all the same.
        known.linked = not answer.links or newest < self._roster.epoch

    def _take_piece(self, target: _Target, place: Place, answer: Answer) -> None:
        wanted = target.asked[place]
        if not isinstance(answer, Piece):
            raise UnexpectedAnswer("no piece")
        try:
            opened = open_piece(answer.proof, place)
        except BadMapProof as error:
            raise BadPiece(f"depth {place.depth} of the state: {error.detail}") from error
        if opened.root != wanted.digest:
            raise BadPiece(f"depth {place.depth} of the state: its hash is not the certified one")
        del target.asked[place]
        self._effects.keep.append(keep_piece(wanted.digest, answer.proof))
        self._note_piece(target, wanted, opened, len(answer.proof))

    def _note_piece(self, target: _Target, wanted: _Wanted, piece: Opened, size_bytes: int) -> None:
        target.done_pieces += 1
        target.done_bytes += size_bytes
        share = wanted.share
        for place, digest in reversed(piece.hidden()):
            share /= 2  # the last one is the whole right side, the one before that of the rest
            target.pieces.append(_Wanted(place, digest, share))
        target.done_share += share

    def _take_headers(self, target: _Target, answer: Answer) -> None:
        target.windowing = False
        if not isinstance(answer, Headers):
            raise UnexpectedAnswer("no headers")
        if not answer.headers:
            raise BadWindow("no headers of an epoch that is served")
        for data in answer.headers:
            if target.headers[-1].round <= target.first_round:
                raise BadWindow("headers before the epoch")
            try:
                header = decode_header(data)
            except (NotCanonical, WrongShape) as error:
                raise BadWindow(f"no header: {error.detail}") from error
            if header.hash != target.headers[-1].previous:
                raise BadWindow(f"the header before round {target.headers[-1].round} is another")
            self._effects.keep.append(keep_header(header))
            self._note_header(target, header)

    def _note_header(self, target: _Target, header: RoundHeader) -> None:
        target.headers.append(header)
        if header.round <= target.first_round:
            target.receipts_at = len(target.headers) - 1

    def _take_receipts(self, peer: CellId, target: _Target, answer: Answer) -> None:
        target.windowing = False
        if not isinstance(answer, Receipts):
            raise UnexpectedAnswer("no receipts")
        if not answer.rows:
            raise BadWindow("no receipts of an epoch that is served")
        target.rows_of = peer
        target.rows += answer.rows
        while target.receipts_at is not None and target.receipts_at >= 0:
            header = target.headers[target.receipts_at]
            if len(target.rows) < header.transactions:
                break
            rows = target.rows[: header.transactions]
            if verified_receipts(header, rows) is None:
                raise BadWindow(f"the receipts of round {header.round} are others")
            del target.rows[: header.transactions]
            kept = keep_receipts(header.receipts_root, rows)
            self._effects.keep += kept
            target.done_bytes += sum(len(body) for _, body in kept)
            target.receipts_at -= 1
        if target.has_window and target.rows:
            raise BadWindow("receipts after the epoch")

    # -- what is wanted ------------------------------------------------------------------------

    def _choose_target(self) -> None:
        """Turn to the newest end of an epoch, at first and when nobody serves the chosen one."""
        peers = self._peers.values()
        if not self.links or self.links[-1].header.round <= self._above:
            return
        newest = self.links[-1]
        if self._target is not None:
            served = [known for known in peers if not known.gone]
            if self._target.link is newest or self._target.is_whole or served or not peers:
                return
        elif not any(known.linked for known in peers):
            return
        rosters = [link.roster for link in self.links]
        before = rosters[-2] if len(rosters) > 1 else self._first_roster
        root = newest.header.state_root
        self._target = _Target(
            newest, before.first_round, [], [] if root == EMPTY_ROOT else [_Wanted(TOP, root, 1.0)]
        )
        self._note_header(self._target, newest.header)
        self._effects.keep.append(keep_header(newest.header))
        for known in peers:
            known.gone = False

    def _take_staged(self, target: _Target) -> int:
        """Take one thing that is wanted next from the disk; return its cost, 0 for nothing."""
        if target.receipts_at is None and not target.windowing:
            header = staged_header(target.headers[-1].previous, self._staged)
            if header is not None:
                self._note_header(target, header)
                return 1
        elif not target.has_window and not target.windowing and not target.rows:
            at = target.receipts_at or 0
            if staged_receipts(target.headers[at], self._staged) is not None:
                target.receipts_at = at - 1
                return 1 if target.headers[at].transactions == 0 else PIECE_COST
        if target.pieces:
            wanted = target.pieces[-1]
            found = staged_piece(wanted.digest, wanted.place, self._staged)
            if found is not None:
                target.pieces.pop()
                self._note_piece(target, wanted, *found)
                return PIECE_COST
        return 0

    def _next_ask(self, peer: CellId, known: _Peer) -> Ask | None:
        if not known.linked:
            return None if known.asked else AskLinks(self._roster.epoch)
        target = self._target
        if target is None or known.gone or self._effects.more:
            return None
        epoch = target.link.header.epoch
        if not target.windowing and not target.has_window:
            if target.receipts_at is None:
                target.windowing = True
                return AskHeaders(epoch, Round(target.headers[-1].round - 1))
            if target.rows_of in (None, peer) or not target.rows:
                target.windowing = True
                header = target.headers[target.receipts_at]
                first = header.transactions_total - header.transactions
                return AskReceipts(epoch, first + len(target.rows))
        if target.pieces:
            wanted = target.pieces.pop()
            target.asked[wanted.place] = wanted
            return AskPiece(epoch, wanted.place)
        return None

    def _ask_again(self, peer: CellId, target: _Target, ask: Ask) -> None:
        """Put a request of the target back: this peer does not answer it."""
        if isinstance(ask, AskPiece):
            target.pieces.append(target.asked.pop(ask.place))
        elif isinstance(ask, AskHeaders | AskReceipts):
            target.windowing = False
        if target.rows_of == peer:
            target.rows, target.rows_of = [], None

    def _forget(self, peer: CellId) -> None:
        known = self._peers.pop(peer, None)
        target = self._target
        if known is None or target is None:
            return
        for ask in known.asked:
            if not isinstance(ask, AskLinks) and ask.epoch == target.link.header.epoch:
                self._ask_again(peer, target, ask)
        if target.rows_of == peer:
            target.rows, target.rows_of = [], None

    def _drop(self, peer: CellId, error: MyceldError) -> None:
        self._forget(peer)
        self._effects.drops.append((peer, error))
