"""Declared errors of the ledger: bad genesis files, bad transactions, broken certificates."""

from __future__ import annotations

from core.errors import InvariantBroken, LocalMisuse, OperationalFault, RemoteViolation


class BadGenesis(LocalMisuse):
    """A genesis that no network can start from."""

    code = "MYC-LEDGER-001"
    remedy = "Get the genesis file again from whoever made the network, unchanged."


class BadRoster(LocalMisuse):
    """Members that can not vote together."""

    code = "MYC-LEDGER-002"
    remedy = "A roster has 1 to 128 members with distinct keys, weights of 1 to 2**32, and names."


class TransactionRefused(LocalMisuse):
    """Base of the reasons for which a transaction can not have an effect.

    The refusal is permanent: the same bytes are refused by every cell at every later time.
    """


class Malformed(TransactionRefused):
    """Bytes that are not a transaction."""

    code = "MYC-LEDGER-010"
    remedy = "Build it with `myceld tx sign`, or see ARCHITECTURE.md for the format."


class WrongSignature(TransactionRefused):
    """The signature is not the sender's signature of these bytes."""

    code = "MYC-LEDGER-011"
    remedy = "Sign the exact bytes again with the sender's key."


class WrongNetwork(TransactionRefused):
    """Signed for another network."""

    code = "MYC-LEDGER-012"
    remedy = "Sign it for this network; `myceld status` shows its id."


class Oversize(TransactionRefused):
    """A key, a value or the whole transaction is larger than the ledger takes."""

    code = "MYC-LEDGER-013"
    remedy = "Keys: 256 bytes of UTF-8, values: 32 KiB; split it or store a hash instead."


class NonceUsed(TransactionRefused):
    """The sender used this nonce already, or one so far above it that this one lapsed."""

    code = "MYC-LEDGER-014"
    remedy = "Leave --nonce out to take the next free one."


class UnknownKind(TransactionRefused):
    """No rule is registered for this kind of transaction."""

    code = "MYC-LEDGER-015"
    remedy = "Check the spelling of the kind, or upgrade this cell."


class Expired(TransactionRefused):
    """Ordered in a round after the one it was valid for."""

    code = "MYC-LEDGER-016"
    remedy = "Sign it again with a later expiry, or with none (0)."


class BadProposal(TransactionRefused):
    """A proposal or an approval whose arguments are out of bounds."""

    code = "MYC-LEDGER-030"
    remedy = (
        "Weights are 1 to 2**32, names 1 to 64 characters: `add` takes both, `weight` no name, "
        "`remove` neither."
    )


class NotAMember(TransactionRefused):
    """Only members of the epoch propose, approve and leave."""

    code = "MYC-LEDGER-031"
    remedy = "Sign it with the key of a member of the current roster, or ask a member."


class AlreadyAMember(TransactionRefused):
    """The key to add is in the next epoch's roster already."""

    code = "MYC-LEDGER-032"
    remedy = "Nothing is left to do; propose `weight` to change the member's weight."


class NoSuchMember(TransactionRefused):
    """The key to remove or to weigh is not in the next epoch's roster."""

    code = "MYC-LEDGER-033"
    remedy = "Check the key against the roster; propose `add` if it should become a member."


class LastMember(TransactionRefused):
    """A roster without members could never decide anything again."""

    code = "MYC-LEDGER-034"
    remedy = "Add another member first, and remove this one in a later epoch."


class RosterFull(TransactionRefused):
    """The roster has as many members as it can."""

    code = "MYC-LEDGER-035"
    remedy = "Remove a member first; a cell can also follow the network without a vote."


class TooManyProposals(TransactionRefused):
    """The sender has as many open proposals as one member can."""

    code = "MYC-LEDGER-036"
    remedy = "Have one of yours approved, wait until one expires, or ask another member to propose."


class NoSuchProposal(TransactionRefused):
    """No proposal with this id was ordered before."""

    code = "MYC-LEDGER-037"
    remedy = "Use the id of the `member-propose` transaction, and approve after it was applied."


class ProposalClosed(TransactionRefused):
    """The proposal was accepted already, or it expired."""

    code = "MYC-LEDGER-038"
    remedy = "If it was accepted, nothing is left to do; if it expired, propose the change again."


class AlreadyApproved(TransactionRefused):
    """The sender approved this proposal before; proposing counts as approving."""

    code = "MYC-LEDGER-039"
    remedy = "Ask other members to approve it."


class BadEvidence(TransactionRefused):
    """Bytes that prove no fork of a member."""

    code = "MYC-LEDGER-040"
    remedy = "Submit evidence as a cell made it: two signed events of one member and one sequence."


class EvidenceOutOfTime(TransactionRefused):
    """Evidence of an epoch that is neither the present one nor the one before."""

    code = "MYC-LEDGER-041"
    remedy = "It is too late for the rule; members can still vote the forker out."


class ForkProven(TransactionRefused):
    """A fork of this member in this epoch was proven before."""

    code = "MYC-LEDGER-042"
    remedy = "Nothing is left to do: the first proof took the member out of the roster."


class EvidenceLimit(TransactionRefused):
    """One round checks only so much evidence of one sender."""

    code = "MYC-LEDGER-043"
    remedy = "Submit it again; a member's evidence has a share of its own in every round."


class BadAttestation(TransactionRefused):
    """An attestation whose arguments are out of bounds, or that has ended before it was ordered."""

    code = "MYC-LEDGER-101"
    remedy = "Scores are 0 to 1, scopes 1 to 64 characters, and an expiry is a round to come, or 0."


class SelfAttestation(TransactionRefused):
    """The sender speaks of itself."""

    code = "MYC-LEDGER-102"
    remedy = "Ask somebody else to attest you."


class NoSuchAttestation(TransactionRefused):
    """There is nothing to revoke."""

    code = "MYC-LEDGER-103"
    remedy = "Check subject and scope; if it was revoked before, nothing is left to do."


class TooManyAttestations(TransactionRefused):
    """The sender has as many attestations as one issuer can."""

    code = "MYC-LEDGER-104"
    remedy = "Revoke some that ended or that you do not need, then attest again."


class KeyRotated(TransactionRefused):
    """The sender gave this key up for another one."""

    code = "MYC-LEDGER-201"
    remedy = "Sign it with the key that followed; whoever else has the old one can do nothing here."


class KeyNotFresh(TransactionRefused):
    """A rotation to a key that this network knows already."""

    code = "MYC-LEDGER-202"
    remedy = "Make a new key: one that never signed anything here and is no member's."


class RotatedTooSoon(TransactionRefused):
    """A rotation of a key that came by a rotation a few rounds ago."""

    code = "MYC-LEDGER-203"
    remedy = "Wait until the round that is named; members can vote a stolen key out at any time."


class BadRotation(TransactionRefused):
    """A rotation whose arguments are out of bounds."""

    code = "MYC-LEDGER-204"
    remedy = "It takes a public key of 32 bytes and two signatures of 64."


class BadCertificate(RemoteViolation):
    """A certificate that does not prove what it claims."""

    code = "MYC-LEDGER-020"
    remedy = "Ask another cell; the one that sent this is broken or lies."


class Diverged(InvariantBroken):
    """The network certified another state than the one computed here."""

    code = "MYC-LEDGER-021"
    remedy = "This cell stopped to keep its state apart. Keep its directory and report this."


class BadRosterChain(RemoteViolation):
    """Rosters that do not lead from the genesis to where they claim."""

    code = "MYC-LEDGER-022"
    remedy = (
        "Check the genesis file, then ask another cell; the one that sent this is broken or lies."
    )


class AlreadyPosted(TransactionRefused):
    """Content of this hash is in the global data set."""

    code = "MYC-LEDGER-303"
    remedy = "Nothing to do: it can be had from any cell, by its hash."


class BadStateProof(RemoteViolation):
    """An answer about the state that proves nothing."""

    code = "MYC-LEDGER-301"
    remedy = "Ask another cell; the one that answered is broken or lies."


class NoStateProof(OperationalFault):
    """There is no certified state to prove the answer by, now."""

    code = "MYC-LEDGER-302"
    remedy = "Ask again in a moment: the newest state has to be certified first."
    retryable = True


class NotProven(RemoteViolation):
    """A proof file that proves nothing."""

    code = "MYC-LEDGER-550"
    remedy = "Ask another cell for the proof; the one that made this is broken or lies."


class ProofUnreadable(NotProven):
    """Not the whole, unchanged text of a proof file of a version known here."""

    code = "MYC-LEDGER-551"
    remedy = "Copy the file whole, or export the proof again with a cell of the same version."


class ProofOfOtherNetwork(NotProven):
    """A proof of another network than the one that is trusted."""

    code = "MYC-LEDGER-552"
    remedy = "Give the genesis file, or the id, of the network that the proof is of."


class ProofRosterBroken(NotProven):
    """Rosters that do not lead from the genesis to the members that signed."""

    code = "MYC-LEDGER-553"
    remedy = "Ask another cell for the proof; the one that made this is broken or lies."


class ProofSignatureWrong(NotProven):
    """A member did not sign what the proof says it did."""

    code = "MYC-LEDGER-554"
    remedy = "Ask another cell for the proof; the one that made this is broken or lies."


class ProofSignersWrong(NotProven):
    """Signers that are not members, are listed twice, or are out of order."""

    code = "MYC-LEDGER-555"
    remedy = "Ask another cell for the proof; the one that made this is broken or lies."


class ProofTooLight(NotProven):
    """The signers have no more than 2/3 of the weight."""

    code = "MYC-LEDGER-556"
    remedy = "Ask another cell for the proof; the one that made this is broken or lies."


class ProofHeadersBroken(NotProven):
    """Headers that do not lead from the round that is shown to the one that was signed."""

    code = "MYC-LEDGER-557"
    remedy = "Ask another cell for the proof; the one that made this is broken or lies."


class ProofOfOtherEpoch(NotProven):
    """Signed by the members of another epoch than the header is of."""

    code = "MYC-LEDGER-558"
    remedy = "Ask another cell for the proof; the one that made this is broken or lies."


class ProofSubjectWrong(NotProven):
    """What is claimed does not lead to the roots in the header."""

    code = "MYC-LEDGER-559"
    remedy = "Ask another cell for the proof; the one that made this is broken or lies."


class NoProof(OperationalFault):
    """This cell can not make the proof, now or at all."""

    code = "MYC-LEDGER-560"
    remedy = "Ask again in a moment, or a cell whose history goes back further."
    retryable = True


class BadDiagnosis(RemoteViolation):
    """A question about a divergence, or an answer to one, that is none."""

    code = "MYC-LEDGER-561"
    remedy = "Ask another cell; the one that sent this is broken, of another version, or lies."


class BadMapProof(RemoteViolation):
    """A proof about the state map that is none, or does not show what was asked."""

    code = "MYC-LEDGER-501"
    remedy = "Ask another cell; the one that made the proof is broken or lies."


class StatePageLost(InvariantBroken):
    """A page of the state map is not on the disk, or not as it was written."""

    code = "MYC-LEDGER-502"
    remedy = "Check the disk; then let a new directory with the same key fetch the state again."


class StateNotKept(LocalMisuse):
    """The state at a round that is not kept (any more), or not there yet."""

    code = "MYC-LEDGER-503"
    remedy = (
        "Ask a cell that keeps more: `state.history_rounds` in its configuration says how much."
    )


class StateTooFar(LocalMisuse):
    """The state at a round since which more was changed than is undone for one question."""

    code = "MYC-LEDGER-504"
    remedy = (
        "Ask for a round nearer to the present or to the end of an epoch, or only for the value."
    )
