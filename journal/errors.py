"""Errors of the journal, by whose fault they are. Each has a stable code and a remedy."""

from __future__ import annotations

from core.errors import InvariantBroken, LocalMisuse, OperationalFault, RemoteViolation


class ProofRefused(RemoteViolation):
    """A proof does not lead from what it is about to the root it is checked against."""

    code = "MYC-JOURNAL-001"
    remedy = "Do not use the data; ask another cell for the head and the proof."


class NotAHash(RemoteViolation):
    """A leaf hash, root or element of a proof is not exactly 32 bytes."""

    code = "MYC-JOURNAL-002"
    remedy = "The sender must send SHA-256 hashes of 32 bytes each."


class HeadRefused(RemoteViolation):
    """Text that is not a signed head, or not of the expected journal, or whose signature fails."""

    code = "MYC-JOURNAL-003"
    remedy = "Do not use the head; ask its cell again and compare its cell id."


class NotAJournalName(LocalMisuse):
    """A journal's name must be 1 to 32 of a–z, 0–9, '-' and '_', a letter first."""

    code = "MYC-JOURNAL-004"
    remedy = "Choose a name such as `consensus`."


class NoSuchBlock(LocalMisuse):
    """An index or size beyond the journal's length."""

    code = "MYC-JOURNAL-005"
    remedy = "Ask for an index below the journal's length."


class CommitRefused(LocalMisuse):
    """A block that is not bytes, a block or commit above its limit, or too many journals."""

    code = "MYC-JOURNAL-006"
    remedy = "Split it; the limits and their reasons are in journal/limits.py."


class StatementRefused(LocalMisuse):
    """SQLite refused a statement: wrong SQL, wrong parameters, a broken constraint."""

    code = "MYC-JOURNAL-007"
    remedy = "Correct the statement; nothing of its commit was written."


class WrongCell(LocalMisuse):
    """The store belongs to another cell, or the signer does not hold this cell's key."""

    code = "MYC-JOURNAL-008"
    remedy = "Open the store with the key and cell id that created it, or give another path."


class NotAStore(LocalMisuse):
    """The file is not a journal store, or one of a format that this version does not know."""

    code = "MYC-JOURNAL-009"
    remedy = "Check the path; a store written by a newer version needs that version."


class StoreClosed(LocalMisuse):
    """The store was closed before the call."""

    code = "MYC-JOURNAL-010"
    remedy = "Open the store again."


class QueueFull(OperationalFault):
    """Too many bytes wait for the writer. Nothing of the refused commit was queued."""

    code = "MYC-JOURNAL-011"
    remedy = "Wait for earlier appends before sending more, then try again."
    retryable = True


class DiskFull(OperationalFault):
    """No space left. The transaction was rolled back; reads go on."""

    code = "MYC-JOURNAL-012"
    remedy = "Free disk space, then try again. A cell stops on this: start it again then."
    retryable = True


class WriteFailed(OperationalFault):
    """The disk refused a write or an fsync. The store takes no more writes until it is reopened.

    After a failed fsync the kernel may have dropped pages that it will report as clean, so no
    later success could be believed. Reads go on.
    """

    code = "MYC-JOURNAL-013"
    remedy = "Check the disk (dmesg, SMART), then restart the cell: it opens at what is on disk."


class ReadFailed(OperationalFault):
    """The disk or the database refused a read."""

    code = "MYC-JOURNAL-014"
    remedy = "Check the disk, then try again; if it stays, restore the store from another cell."
    retryable = True


class StoreUnavailable(OperationalFault):
    """The store could not be opened or is locked by another process."""

    code = "MYC-JOURNAL-015"
    remedy = "Check that the directory exists and is writable and that no other process has it."
    retryable = True


class StoreCorrupt(OperationalFault):
    """What is on disk contradicts its signed head."""

    code = "MYC-JOURNAL-016"
    remedy = (
        "Stop the cell, keep the damaged files, check the disk, and restore the store from a "
        "backup or by copying from other cells."
    )


class QueryTooLong(OperationalFault):
    """A query was interrupted: by QUERY_TIME_MS_MAX of CPU time, or QUERY_ELAPSED_MS_MAX in all."""

    code = "MYC-JOURNAL-017"
    remedy = "Ask for less at once, or add an index."


class SignerFailed(OperationalFault):
    """The sign callback raised or gave something that is not a signature. Nothing was written."""

    code = "MYC-JOURNAL-018"
    remedy = "Check the keystore of the cell."


class WrittenByAnother(InvariantBroken):
    """A head on disk is not the one this process wrote last."""

    code = "MYC-JOURNAL-019"
    remedy = "Two processes wrote to one store: stop both, then start one. Nothing was overwritten."


class WriterStopped(InvariantBroken):
    """The writer ended by an error that is not declared."""

    code = "MYC-JOURNAL-020"
    remedy = "Restart the cell and report this with the log."


class BlockCleared(LocalMisuse):
    """The block was deleted by `clear` or `prune`; its hash is still there, its bytes are not."""

    code = "MYC-JOURNAL-021"
    remedy = "Ask another cell that keeps the journal whole."


class JournalTruncated(OperationalFault):
    """The journal was truncated while it was being read: it goes on as another fork."""

    code = "MYC-JOURNAL-022"
    remedy = "Begin the read again, or read from a snapshot."
    retryable = True


class TimedOut(OperationalFault):
    """A call waited as long as it was told to. A commit that was queued goes on nevertheless."""

    code = "MYC-JOURNAL-023"
    remedy = "Wait longer, or look at `length` to see whether the commit came through."
    retryable = True


class WrongEncryptionKey(LocalMisuse):
    """The journal is encrypted under another key, or what was given is no key."""

    code = "MYC-JOURNAL-024"
    remedy = "Open the store with the key that the journal was created with."


class EncryptionKeyMissing(LocalMisuse):
    """The journal is encrypted and the store was opened without its key."""

    code = "MYC-JOURNAL-025"
    remedy = "Open the store with `encryption_keys`, or read the blocks `raw`."


class NotEncrypted(LocalMisuse):
    """A key was given for a journal that was created without one."""

    code = "MYC-JOURNAL-026"
    remedy = "Leave the key out, or create another journal with it."


class SubscriptionLost(OperationalFault):
    """A subscriber did not take its events in time: those that waited were dropped."""

    code = "MYC-JOURNAL-027"
    remedy = "Subscribe again and look at the journal's length and fork; take events sooner."
    retryable = True


class TooManyOpen(LocalMisuse):
    """More snapshots or subscriptions are open than one store allows."""

    code = "MYC-JOURNAL-028"
    remedy = "Close those that are no longer used; the limits are in journal/limits.py."


class NoConflict(LocalMisuse):
    """A head given as evidence of a conflict is one that the journal continues or is."""

    code = "MYC-JOURNAL-029"
    remedy = "Nothing to do: the two heads agree."


class NoDurability(LocalMisuse):
    """A store was to be opened with a durability that there is not."""

    code = "MYC-JOURNAL-030"
    remedy = "Use 'power' (what is acknowledged survives a power cut) or 'process'."


class JournalHeld(LocalMisuse):
    """Somebody wanted to append to a journal of which another part of the program has the pen."""

    code = "MYC-JOURNAL-031"
    remedy = "Have it written by the part that holds the journal."


class PenVoid(LocalMisuse):
    """A pen that was taken back was to write."""

    code = "MYC-JOURNAL-032"
    remedy = "Ask for another one; this part's time is over."
