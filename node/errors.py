"""Declared errors of the daemon: configuration, directory, start, queues, waits."""

from __future__ import annotations

from core.errors import InvariantBroken, LocalMisuse, OperationalFault, RemoteViolation


class DirectoryLocked(OperationalFault):
    """Another process runs on this cell's directory."""

    code = "MYC-NODE-002"
    remedy = "Stop that process first, or start another cell with another --home."
    retryable = True


class NotInitialised(LocalMisuse):
    """The directory holds no cell."""

    code = "MYC-NODE-003"
    remedy = "Make one with `myceld init`, or name the right directory with --home."


class OtherNetwork(LocalMisuse):
    """The directory's cell belongs to another network already."""

    code = "MYC-NODE-004"
    remedy = "Use another --home for the other network; a cell belongs to one network only."


class DirectoryUnusable(OperationalFault):
    """The cell's directory or a file in it can not be written or read."""

    code = "MYC-NODE-005"
    remedy = "Check owner, permissions and free space of the directory."


class MempoolFull(OperationalFault):
    """More transactions wait than the cell keeps."""

    code = "MYC-NODE-006"
    remedy = "Wait and submit again; `myceld status` says whether the network is making progress."
    retryable = True


class NotStoredYet(OperationalFault):
    """The cell stopped before it stored a transaction that it had accepted."""

    code = "MYC-NODE-007"
    remedy = "Submit it again: the same bytes can never be applied twice."
    retryable = True


class NetworkUnreachable(OperationalFault):
    """No bootstrap peer answered."""

    code = "MYC-NODE-008"
    remedy = "Check the address and that the other cell runs, or use --genesis FILE."
    retryable = True


class KeyInUseElsewhere(OperationalFault):
    """Another process signs events with this cell's key: this one makes no more of them."""

    code = "MYC-NODE-009"
    remedy = "Stop the other copy of this cell for good; members can then vote the key in again."


class BadOption(LocalMisuse):
    """An option that makes no sense."""

    code = "MYC-NODE-010"
    remedy = "See `myceld COMMAND --help`."


class JournalNeeded(LocalMisuse):
    """The cell itself reads this journal when it starts, so nothing of it can be deleted."""

    code = "MYC-NODE-012"
    remedy = "Prune copies of other cells' journals instead; this one shrinks with a new epoch."


class AuditRunning(OperationalFault):
    """Another journal is being audited; one at a time is enough for a disk."""

    code = "MYC-NODE-013"
    remedy = "Wait until it is done, then ask again."
    retryable = True


class NotInHistory(LocalMisuse):
    """Rounds or transactions from before the checkpoint that this cell began with."""

    code = "MYC-NODE-030"
    remedy = "Start where the message says that history goes on, or ask a cell that has it all."

    def __init__(self, detail: str, goes_on: int) -> None:
        super().__init__(f"{detail}; history goes on at {goes_on}")
        self.goes_on = goes_on


class OtherLayout(LocalMisuse):
    """The store was made by another version of this program."""

    code = "MYC-NODE-031"
    remedy = "Run the version that made it, or join the network again with a new --home."


class ValuesDamaged(InvariantBroken):
    """The values of the state are not those that the cell's round headers tell of."""

    code = "MYC-NODE-032"
    remedy = "Check the disk; then let a new directory with the same key fetch the state again."


class PeerTooSlow(OperationalFault):
    """More bytes wait for a peer than may be kept for it."""

    code = "MYC-NODE-020"
    remedy = "It is reconnected by itself; check its machine and link if that repeats."
    retryable = True


class PeerLeft(OperationalFault):
    """The peer ended the stream."""

    code = "MYC-NODE-021"
    remedy = "It is dialled again by itself."
    retryable = True


class PeerReplaced(OperationalFault):
    """The same peer is connected by another stream."""

    code = "MYC-NODE-022"
    remedy = "Nothing to do: of two streams between two cells one is kept."
    retryable = True


class NoHello(OperationalFault):
    """The peer opened a stream and did not say HELLO in time."""

    code = "MYC-NODE-023"
    remedy = "It is dialled again by itself; check its machine and link if that repeats."
    retryable = True


class PeerMisbehaved(RemoteViolation):
    """The peer did too much of what peers should not do."""

    code = "MYC-NODE-024"
    remedy = "It is left alone for a while, longer each time; ask who runs it if that repeats."


class PeerNotAdmitted(OperationalFault):
    """The peer may not open a session now."""

    code = "MYC-NODE-025"
    remedy = "Nothing to do: it may try again later."
    retryable = True


class TooManyInvites(OperationalFault):
    """More tickets are kept than a cell keeps."""

    code = "MYC-NODE-035"
    remedy = "Use fewer tickets with more uses; old ones go 30 days after they expired."


class NoVoteToPropose(LocalMisuse):
    """A cell without a vote can not make others members."""

    code = "MYC-NODE-036"
    remedy = "Invite from a member's cell, or with --role rhizomorph."


class NothingToDial(LocalMisuse):
    """The cell knows no address that a newcomer could dial, or too many."""

    code = "MYC-NODE-037"
    remedy = "Give up to 6 with --address /ip4/ADDRESS/tcp/PORT."


class SeedUnreachable(OperationalFault):
    """A seed could not be read."""

    code = "MYC-NODE-040"
    remedy = "Check path or URL, the server, and its certificate; it is tried again by itself."
    retryable = True


class SeedRefused(LocalMisuse):
    """A seed that is configured wrongly, or holds something else than a spore for others."""

    code = "MYC-NODE-041"
    remedy = "A seed is a file of `myceld spore export`: give its path, or an https URL."


class MdnsUnavailable(OperationalFault):
    """This machine or network does not let multicast DNS through."""

    code = "MYC-NODE-042"
    remedy = "Nothing else is affected; set discovery.mdns to false to have it left alone."
    retryable = True


class DhtUnavailable(OperationalFault):
    """The distributed hash table does not answer."""

    code = "MYC-NODE-043"
    remedy = "It needs a connected cell; it is tried again by itself."
    retryable = True


class BadFailpoints(LocalMisuse):
    """MYCELD_FAILPOINTS asks for something that there is not."""

    code = "MYC-NODE-060"
    remedy = "Unset it; it is for tests only. node/failpoints.py says what it may hold."


class ToItself(LocalMisuse):
    """A cell was asked to send a message to itself."""

    code = "MYC-NODE-301"
    remedy = "Give the cell id or the name of another cell."


class AccessDenied(OperationalFault):
    """A policy does not let the other cell do what it asked for; `detail` says what it needs."""

    code = "MYC-NODE-401"
    remedy = (
        "Its operator can raise the score with `myceld trust attest`, or the section `trust` of "
        "config.yaml can ask for less."
    )


class BadServices(LocalMisuse):
    """Services that can not be started: one needs itself, or one that there is not."""

    code = "MYC-NODE-402"
    remedy = "Correct the table in node/services/table.py."


class JournalNotGranted(LocalMisuse):
    """Somebody wanted to write a journal that is not its own."""

    code = "MYC-NODE-403"
    remedy = "Each service writes its own journal, with the grant that the nucleus gave it."


class ProofNeeded(OperationalFault):
    """The other cell may, but has to prove first that it holds its key."""

    code = "MYC-NODE-404"
    remedy = "Its cell does so by itself and asks again; it has to reach this one directly."
    retryable = True


class DescriptionRefused(OperationalFault):
    """The other cell does not say what it is; `detail` has the code of its reason."""

    code = "MYC-NODE-405"
    remedy = "Look the code up in docs/cli.md; its operator may have to let this cell ask."


class InteractionRefused(OperationalFault):
    """The other cell does not sign that both dealt with each other."""

    code = "MYC-NODE-101"
    remedy = "Check that both clocks are right; it is tried again another time."
    retryable = True


class InteractionsNotShown(OperationalFault):
    """The other cell does not show what it signed with others; `detail` has its reason."""

    code = "MYC-NODE-102"
    remedy = "Its operator can let this cell in: `interaction-read` of its policy, `trust attest`."
    retryable = True


class ContentTooLarge(LocalMisuse):
    """Content of no bytes, or of more than one post can have."""

    code = "MYC-NODE-302"
    remedy = "Cut it in parts of at most 1 MiB, and post each."


class NoRoomForContent(OperationalFault):
    """All the room for content is taken by what is pinned and what was posted here."""

    code = "MYC-NODE-304"
    remedy = "Unpin some of it, or remove what you posted and others keep."


class ContentPinned(LocalMisuse):
    """What is pinned is not removed."""

    code = "MYC-NODE-305"
    remedy = "Unpin it first: `myceld content unpin HASH`."


class ContentRefused(OperationalFault):
    """A cell does not give content to this one; `detail` has the code of its reason."""

    code = "MYC-NODE-303"
    remedy = "It is asked for at other cells, and again later; its operator can let this cell in."
    retryable = True


class KeyBeingRotated(OperationalFault):
    """A transaction of a key whose own rotation waits here to be ordered.

    It would come after that in the order, where the key may do nothing any more.
    """

    code = "MYC-NODE-541"
    remedy = "Send it again in a moment: the cell then signs it with its next key."
    retryable = True


class MessageNotStored(OperationalFault):
    """The cell stopped before it could say that a message is journaled."""

    code = "MYC-NODE-542"
    remedy = "See `myceld message list --way sent` for whether it is there; if not, send it again."


class UpgradeNeeded(OperationalFault):
    """The members chose versions that this build does not know."""

    code = "MYC-NODE-501"
    remedy = "Install the release that is named and start the cell again: it goes on where it was."


class TooManyWatchers(OperationalFault):
    """As many clients wait for changes of the state as this cell serves."""

    code = "MYC-NODE-511"
    remedy = "Let one of your programs watch for all, or ask again in a moment."
    retryable = True


class NothingToRollBack(LocalMisuse):
    """The keys are what they were after that round."""

    code = "MYC-NODE-512"
    remedy = "`myceld state history` shows what rounds made of a key."


class TooMuchToRollBack(LocalMisuse):
    """More changed since that round than one batch can put back."""

    code = "MYC-NODE-513"
    remedy = "Roll back keys, or smaller prefixes, one after the other."


class BackupUnreadable(LocalMisuse):
    """A file that is no backup, or not all of one."""

    code = "MYC-NODE-521"
    remedy = "Use another copy of the backup; this one was cut off, changed, or is something else."


class BackupDamaged(OperationalFault):
    """A backup that is whole, but does not hold a cell that agrees with itself."""

    code = "MYC-NODE-522"
    remedy = "Check the disk of the cell, then `myceld journal audit`; make another backup."


class RestoreRefused(LocalMisuse):
    """The directory to restore to holds something."""

    code = "MYC-NODE-523"
    remedy = "Name a directory that is empty or does not exist: nothing is ever overwritten."


class CellStillRuns(LocalMisuse):
    """The cell of the backup runs on this machine."""

    code = "MYC-NODE-524"
    remedy = "Stop it first, for good: two copies of one cell would be taken for a forger."


class CellMoved(LocalMisuse):
    """The cell of this directory was moved to another place."""

    code = "MYC-NODE-525"
    remedy = "Run it there. Only if that copy never ran: delete the file `moved.json` here."


class BackupFailed(OperationalFault):
    """The backup or what is restored can not be written or read."""

    code = "MYC-NODE-526"
    remedy = "Check path, permissions and free space, and run the command again."


class NoSuchState(LocalMisuse):
    """The state after a round that the directory does not hold."""

    code = "MYC-NODE-527"
    remedy = "The message names the rounds that are held; `state.history_rounds` says how many."


class StateDiverged(OperationalFault):
    """This cell computed another state than the network certified, and applies nothing more."""

    code = "MYC-NODE-531"
    remedy = (
        "`myceld status` says where it differs; `myceld repair` takes over the certified state."
    )


class NotDiverged(LocalMisuse):
    """There is nothing to repair."""

    code = "MYC-NODE-532"
    remedy = "Nothing to do: no certificate contradicts what this cell computed."


class BadLevel(LocalMisuse):
    """A level or a component of the log that there is none."""

    code = "MYC-NODE-552"
    remedy = "Name components and levels as docs/configuration.md does, such as consensus=debug."


class NotReloadable(LocalMisuse):
    """The process has no configuration, or no log, that it could change."""

    code = "MYC-NODE-553"
    remedy = "Ask a cell that `myceld run` started."
