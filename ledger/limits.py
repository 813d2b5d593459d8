"""Bounds of the ledger, each with its reason. Consensus-critical: all cells must agree on them."""

from __future__ import annotations

from typing import Final

MEMBERS_MAX: Final = 128
"""Members of one roster: events name parents of each, and 128 is what the voting is made for."""

WEIGHT_MAX: Final = 2**32
"""Weight of one member; the sum over a roster stays far inside 63 bits."""

EPOCH_ROUNDS_MIN: Final = 16
"""Shorter epochs would spend their rounds on beginning: an event takes some five to be ordered."""

EPOCH_ROUNDS_MAX: Final = 65_536
"""Bounds what a cell keeps of one epoch in memory, and what a restart replays."""

NAME_LENGTH_MAX: Final = 64
"""Characters of a network's or a member's name."""

KEY_SIZE_BYTES_MAX: Final = 256
"""UTF-8 bytes of a state key."""

NAMESPACE_NAME_SIZE_BYTES_MAX: Final = 128
"""UTF-8 bytes of a namespace's name: half of a key's, so that there is room for keys."""

NAMESPACE_DEPTH_MAX: Final = 4
"""Parts of a namespace's name: so many state keys are read before a key is written."""

NAMESPACE_OWNERS_MAX: Final = 16
"""Owners of one namespace: each costs a look at who it is today when somebody else writes."""

NAMESPACE_WRITERS_MAX: Final = 64
"""Writers that a namespace lists, for the same reason."""

NAMESPACE_CLAIM_WRITES: Final = 20
"""State keys that a claim is reckoned with: names are claimed once and for ever."""

VALUE_SIZE_BYTES_MAX: Final = 32 * 1024
"""Bytes of a state value: one transaction stays far below an event's bound."""

TRANSACTION_SIZE_BYTES_MAX: Final = 64 * 1024
"""Encoded bytes of one transaction: the largest value plus its envelope, or opaque bytes."""

PROPOSAL_ROUNDS_MAX: Final = 2**22
"""Rounds in which a proposal can be approved: people on all continents need a day, and a busy
network decides some 40 rounds a second (a quiet one none). It costs no memory: proposals stay."""

PROPOSALS_OPEN_MAX: Final = 8
"""Open proposals of one member: it can not fill the state, and its list stays below 400 bytes."""

ROTATION_ROUNDS_MIN: Final = 64
"""Rounds for which a key that came by a rotation stays. A member's rotation ends the epoch: who did
nothing else would stop the network."""

EVIDENCE_OF_MEMBER_MAX: Final = 4
"""Evidence of one member that is checked in one round; it will seldom have more than one to bring.
That of 128 hostile ones together takes ≈ 0.1 s."""

EVIDENCE_OF_OTHERS_MAX: Final = 16
"""The same of all other senders together: accounts cost nothing, so they share."""

SCORE_MILLIONTHS_MAX: Final = 1_000_000
"""A score of 1, as integers say it."""

ATTESTATIONS_OF_ISSUER_MAX: Final = 1_024
"""Attestations of one issuer that are not revoked: more than anybody can know, and each cell that
computes its own view of them goes through all of an issuer's when one changes (0.2 ms)."""

SCORE_START_MILLIONTHS: Final = 500_000
"""The network's score of a member of which it knows nothing yet."""

SCORE_RIGHT_MILLIONTHS: Final = 10_000
"""What an epoch in which a member took part adds to its score: 50 of them from the start to 1."""

SCORE_WRONG_MILLIONTHS: Final = 50_000
"""What a proven fork takes: as much as five good epochs give."""

SCORE_ABSENT_MILLIONTHS: Final = 20_000
"""What an epoch without an event of the member takes: to be away costs two good epochs."""

ABSENCE_ROUNDS_MIN: Final = EPOCH_ROUNDS_MIN
"""Rounds after which a member of which nothing was received was absent: an event takes some five
to be ordered, and an epoch of normal length has at least so many."""

COIN_PERIOD_MIN: Final = 3
"""With 2 every round that could decide is a coin round, and those never decide."""

COIN_PERIOD_MAX: Final = 1000
"""Beyond, a coin would come when all else has failed for minutes."""

PROPOSAL_ACTIONS_MAX: Final = 8
"""Actions of one proposal: who votes reads them all."""

ACTION_WRITES: Final = 2
ACTION_SIZE_BYTES: Final = 600
"""State keys, and bytes, that an action of a proposal is reckoned with: its URL is the most."""

PROPOSAL_TITLE_LENGTH_MAX: Final = 128
"""Characters of what a proposal is called."""

RESOLUTION_URL_LENGTH_MAX: Final = 512
"""Characters of where the text of a resolution is."""

VERSION_MAX: Final = 2**31
"""Of rule sets, wire versions and transaction versions."""

VERSIONS_SUPPORTED_MAX: Final = 16
"""Versions of one sort that a build says it knows: it has to be able to run each of them."""

RELEASE_LENGTH_MAX: Final = 64
"""Characters of what a build is called."""

KIND_LENGTH_MAX: Final = 32
"""Characters of a transaction kind's name."""

NONCE_WINDOW: Final = 256
"""How far below a sender's highest nonce an unused one is still taken (RFC 6479 style window)."""

CERTIFICATE_ROUNDS_PENDING_MAX: Final = 1024
"""Rounds for which signatures are collected at once: 128 members × 96 B × 1024 ≈ 12 MB at most."""

ROSTER_STEPS_MAX: Final = 32
"""Steps of a proof of the present roster: at most 32 × 128 signatures to check, a third of a
second. A network whose members changed more often than that at a stretch is proven by its chain."""

STATE_KEY_SIZE_BYTES_MAX: Final = 512
"""Key of the state as it is asked for: a user's key with its prefix is shorter."""

PAGE_LEAVES_MAX: Final = 24
"""Entries of one page of the state map: see docs/performance-state.md for others. No part of any
format that cells share."""

PAGE_LEAVES_MERGED: Final = 12
"""Two pages side by side become one up to here: half of what cuts one, so that a key that comes and
goes does not cut and join each time."""

PATCH_SIZE_BYTES_MAX: Final = 1190
"""What waits to be written into a page: 17 changed leaves and their groups, 34 bytes each, and the
digest of all. Most of a page; a longer one would take longer to put over it than to write it."""

PATCHES_SIZE_BYTES_MAX: Final = 6 * 1024 * 1024
"""Of all pages together: 75,000 changes; some 12 MB of memory. On the disk, where what was logged
before a sweep began goes after it, up to four times as much."""

PAGES_CACHED_MAX: Final = 1024
"""Pages of the state map that are kept after they were read: some 3 KB each."""

STATE_ANSWER_SIZE_BYTES_MAX: Final = 60 * 1024
"""An answer about the state: the largest value (32 KiB), a certificate of 128 members (9 KB) and a
way of some 500 branchings fit, of which a million keys have twenty. Who makes keys that are the
beginnings of each other makes longer ways: those have no proof by message."""

CONTENT_SIZE_BYTES_MAX: Final = 1 << 20
"""Largest content of one post: every full copy keeps it. Larger things go in parts."""

CONTENT_TITLE_SIZE_BYTES_MAX: Final = 256
"""Of a title, in UTF-8."""

COST_BASE: Final = 100
"""Cost of any transaction: a signature checked, a line of the order, a receipt kept for ever."""

COST_PER_BYTE: Final = 1
"""Cost of a byte of text or of a value that a transaction leaves in the state or the journal."""

COST_PER_WRITE: Final = 50
"""Cost of a state key that is written: its value, its place in the tree, its hashes."""

COST_PER_CHECK: Final = 50
"""Cost of a signature inside of the arguments."""

FEE_PER_COST_MAX: Final = 10**6
"""What governance can ask for at most: a plain transfer is then 0.2 PRANA, and the dearest
transaction (64 KiB in a batch) 70."""

ACCOUNT_MINIMUM_MAX: Final = 10**12
"""Governance can ask for at most 1,000 PRANA in the amount that opens an account."""

BATCH_ITEMS_MIN: Final = 2
"""One alone is no batch: it has a form of its own already."""

BATCH_ITEMS_MAX: Final = 64
"""Transactions in a batch: as one they must be undone at once, and one line of the order should not
hold up the others for longer than some milliseconds."""

DECIMALS: Final = 9
"""A PRANA is 10**9 base units. All amounts together stay below 2**63, which every language and
SQLite can hold: that leaves nine thousand million PRANA, and a unit small enough for the price of a
single request."""

SUPPLY_MAX: Final = 2**63 - 1
"""Base units in all, of PRANA and of each token: so no balance and no sum is ever larger."""

PRANA_ACCOUNTS_MAX: Final = 1_024
"""Accounts that a genesis gives PRANA to: it stays a file that people can read."""

MEMO_SIZE_BYTES_MAX: Final = 256
"""Of a memo, in UTF-8: an invoice's number and a sentence."""

ALLOWANCES_OF_OWNER_MAX: Final = 16
"""Allowances of one account: they lie in one record, which stays below 1 KB."""

MULTISIG_KEYS_MAX: Final = 16
"""Keys of a multi-signature account: 16 people who meet; more vote by governance."""

MULTISIG_SPENDS_MAX: Final = 8
"""Open spends of one multi-signature account: with memos its record stays below 4 KB."""

MULTISIG_ROUNDS_MAX: Final = PROPOSAL_ROUNDS_MAX
"""Rounds for which a spend can be approved: people need a day, as for proposals of members."""

TOKEN_SYMBOL_LENGTH_MAX: Final = 12
"""Characters of a token's symbol, A to Z and 0 to 9: no two look alike."""

TOKEN_DECIMALS_MAX: Final = 18
"""Places behind the point that a token's amounts are shown with: 2**63 has 18."""

TOKENS_OF_OWNER_MAX: Final = 16
"""Tokens that one key can create: symbols are claimed once, and for ever."""

ACCOUNTS_CACHED_MAX: Final = 16_384
"""Decoded accounts kept between rounds, 0.4 KB each: those of the busy senders."""

PROOF_HEADERS_MAX: Final = 1_024
"""Headers from the round of a proof to the one that was signed: few, as each round that did
something is signed. 250 KB at most."""

PROOF_SIZE_BYTES_MAX: Final = 1 << 20
"""Bytes of a proof: 32 steps of 128 signatures each and a roster (15 KB each), 1024 headers, one
transaction or one part of the state fit."""

PROOF_VALUES_MAX: Final = 32_768
"""Values in it: three for each of 33 × 128 signatures, and what proves a part of the state."""

PROOF_PATH_HASHES_MAX: Final = 24
"""Hashes from a receipt to its round's root: of more receipts than a round can have."""

DIAGNOSIS_RECEIPTS_MAX: Final = 1_000
"""Receipts in one answer to a cell that looks for where its state differs: 130 KB."""

DIAGNOSIS_QUESTIONS_MAX: Final = 256
"""Questions on one stream: a search over all rounds takes two for each doubling, and some more."""

PIECE_ENTRIES_MAX: Final = 1024
"""Entries of the state in one piece that is fetched: checked in some 8 ms, and in between others
get their turn."""

PIECE_ENTRIES_MIN: Final = 4
"""In a piece that is not all that lies at its place: as eight values of the largest size fill one,
and it shows half of what it could, less is a waste of the asker's time."""
