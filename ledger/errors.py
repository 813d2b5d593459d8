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

    @property
    def outcome(self) -> str:
        """What the receipt says: the code."""
        return self.code


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
    remedy = (
        "Check the spelling of the kind, and by which transaction version the network runs "
        "(`myceld gov parameters`); or upgrade this cell."
    )


class Expired(TransactionRefused):
    """Ordered in a round after the one it was valid for."""

    code = "MYC-LEDGER-016"
    remedy = "Sign it again with a later expiry, or with none (0)."


class BadProposal(TransactionRefused):
    """A change of a member, or a vote, whose arguments are out of bounds."""

    code = "MYC-LEDGER-030"
    remedy = (
        "Weights are 1 to 2**32, names 1 to 64 characters: `add` takes both, `weight` no name, "
        "`remove` neither."
    )


class NotAMember(TransactionRefused):
    """Only members of the epoch propose, vote, announce and leave."""

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
    remedy = "Use the id that `myceld gov list` shows, and vote after it was applied."


class ProposalClosed(TransactionRefused):
    """The proposal was accepted or refused already, or it expired."""

    code = "MYC-LEDGER-038"
    remedy = "If it was accepted, nothing is left to do; else propose the change again."


class AlreadyVoted(TransactionRefused):
    """The sender voted the same on this proposal before; proposing counts as voting yes."""

    code = "MYC-LEDGER-039"
    remedy = "Ask other members to vote; you can still change your vote."


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


class ConditionFailed(TransactionRefused):
    """The key's value is not the one that was expected: somebody was faster."""

    code = "MYC-LEDGER-221"
    remedy = "Read the value again, and decide anew."


class NoSuchValue(TransactionRefused):
    """There is nothing to delete."""

    code = "MYC-LEDGER-222"
    remedy = "Nothing is left to do, or the key is misspelled."


class WriteForbidden(TransactionRefused):
    """The key is in a namespace to which the sender may not write."""

    code = "MYC-LEDGER-223"
    remedy = "`myceld state namespace show` says who may; ask an owner, or use another key."


class NamespaceTaken(TransactionRefused):
    """The namespace was claimed before."""

    code = "MYC-LEDGER-224"
    remedy = "Choose another name, or ask its owners."


class NoSuchNamespace(TransactionRefused):
    """Nobody claimed the namespace."""

    code = "MYC-LEDGER-225"
    remedy = "Claim it first: `myceld state namespace claim`."


class NotAnOwner(TransactionRefused):
    """The sender owns neither the namespace nor the one around it."""

    code = "MYC-LEDGER-226"
    remedy = "Sign it with an owner's key: `myceld state namespace show` lists them."


class BadNamespace(TransactionRefused):
    """A namespace whose name or rules are out of bounds."""

    code = "MYC-LEDGER-227"
    remedy = (
        "A name has 1 to 4 parts between slashes, 128 bytes in all; 1 to 16 owners, and up to 64 "
        "writers with access `writers`."
    )


class BadCondition(TransactionRefused):
    """A condition that there is not."""

    code = "MYC-LEDGER-228"
    remedy = "Expect no value, the round that set it, or its SHA-256."


class BadAction(TransactionRefused):
    """A proposal or an action whose arguments are out of bounds."""

    code = "MYC-LEDGER-401"
    remedy = "A proposal has a title and 1 to 8 actions: see `myceld gov propose --help`."


class UpgradeUnsupported(TransactionRefused):
    """Versions that members with more than 2/3 of the weight do not know yet."""

    code = "MYC-LEDGER-402"
    remedy = (
        "Have the named members install the release and run it, then vote again; who decides alone "
        "says first what it knows: `myceld gov announce`."
    )


class UpgradeTooLate(TransactionRefused):
    """An upgrade from an epoch on that has begun."""

    code = "MYC-LEDGER-403"
    remedy = "Propose it again with a later epoch; `myceld status` shows the present one."


class NothingNew(TransactionRefused):
    """The sender announced the same before."""

    code = "MYC-LEDGER-404"
    remedy = "Nothing is left to do."


class FeeTooLow(TransactionRefused):
    """The fee that the transaction offers is below what its kind costs now."""

    code = "MYC-LEDGER-211"
    remedy = "Offer at least what is named; only that is taken, so offering more is safe."


class CannotPayFee(TransactionRefused):
    """The sender has less PRANA than the transaction costs."""

    code = "MYC-LEDGER-212"
    remedy = "Have some PRANA sent to the sender's account first."


class BadBatch(TransactionRefused):
    """A batch whose items are out of bounds, or of a kind that must stand alone."""

    code = "MYC-LEDGER-213"
    remedy = (
        "A batch has 2 to 64 items; no batch, no rotation of a key and nothing of members "
        "or votes or forks is one."
    )


class BatchItemRefused(TransactionRefused):
    """One item of a batch is refused, so none of it has an effect."""

    code = "MYC-LEDGER-214"
    remedy = "Mend or leave out the item that is named, and sign the batch again."

    def __init__(self, item: int, kind: str, refusal: TransactionRefused) -> None:
        super().__init__(f"item {item} ({kind}): {refusal.code}: {refusal.detail}")
        self.item = item
        self.refusal = refusal

    @property
    def outcome(self) -> str:
        """What the receipt says: the item's code, and the item's number, from 0."""
        return f"{self.refusal.code}#{self.item}"


class UnknownParameter(TransactionRefused):
    """A parameter that the network does not have, or a value that it can not have."""

    code = "MYC-LEDGER-215"
    remedy = "`myceld gov parameters` lists the parameters of a network and their bounds."


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


class PostEnded(TransactionRefused):
    """The post was ordered after the last round in which it was to stand."""

    code = "MYC-LEDGER-304"
    remedy = "Post it again with a later last round, or with none."


class NotPosted(TransactionRefused):
    """There is no post of this content that could be withdrawn."""

    code = "MYC-LEDGER-305"
    remedy = "`myceld content show HASH` says whether it was posted, has expired or was withdrawn."


class NotThePoster(TransactionRefused):
    """Only who posted content withdraws it."""

    code = "MYC-LEDGER-306"
    remedy = (
        "Ask its poster, whom `myceld content show HASH` names; `content remove` frees the space."
    )


class BadStateProof(RemoteViolation):
    """An answer about the state that proves nothing."""

    code = "MYC-LEDGER-301"
    remedy = "Ask another cell; the one that answered is broken or lies."


class NoStateProof(OperationalFault):
    """There is no certified state to prove the answer by, now."""

    code = "MYC-LEDGER-302"
    remedy = "Ask again in a moment: the newest state has to be certified first."
    retryable = True


class BadTransfer(TransactionRefused):
    """A transfer whose arguments are out of bounds."""

    code = "MYC-LEDGER-310"
    remedy = "It takes an account, an amount, and a memo of at most 256 bytes without controls."


class InsufficientFunds(TransactionRefused):
    """The account that pays has less than the amount."""

    code = "MYC-LEDGER-311"
    remedy = "See what it has with `myceld prana balance`; the fee comes on top of the amount."


class ZeroAmount(TransactionRefused):
    """An amount of nothing, or less."""

    code = "MYC-LEDGER-312"
    remedy = "Amounts are at least one base unit."


class SelfTransfer(TransactionRefused):
    """Payer and payee are the same account."""

    code = "MYC-LEDGER-313"
    remedy = "Check the account to pay: a key that was given up stands for the one that followed."


class BelowAccountMinimum(TransactionRefused):
    """Too small an amount to open an account with."""

    code = "MYC-LEDGER-314"
    remedy = "Send at least the minimum that is named to an account that never had anything."


class SupplyExceeded(TransactionRefused):
    """More would be issued than amounts can say."""

    code = "MYC-LEDGER-315"
    remedy = "All of it together stays below 2**63 base units; issue less."


class BadMultisig(TransactionRefused):
    """A multi-signature account, or what one is asked for, that is out of bounds."""

    code = "MYC-LEDGER-320"
    remedy = (
        "It takes a name, 1 to 16 different keys and a threshold from 1 to their number; a spend "
        "ends within the rounds that are named."
    )


class MultisigExists(TransactionRefused):
    """The same keys, threshold and name make the same account, which is there already."""

    code = "MYC-LEDGER-321"
    remedy = "Use it, or choose another name."


class NoSuchMultisig(TransactionRefused):
    """No multi-signature account has this id."""

    code = "MYC-LEDGER-322"
    remedy = "Create it first; `myceld prana multisig list` shows those of a key."


class NotASigner(TransactionRefused):
    """The sender is none of the account's keys."""

    code = "MYC-LEDGER-323"
    remedy = "Sign it with one of the account's keys, or the one that followed it."


class NoSuchSpend(TransactionRefused):
    """The account has no open spend of this id."""

    code = "MYC-LEDGER-324"
    remedy = "It may be paid, canceled or expired: see `myceld prana multisig show`."


class SpendApproved(TransactionRefused):
    """The sender approved this spend before; proposing counts as approving."""

    code = "MYC-LEDGER-325"
    remedy = "Ask others of the account's keys to approve it."


class TooManySpends(TransactionRefused):
    """The account has as many open spends as one can."""

    code = "MYC-LEDGER-326"
    remedy = "Approve or cancel one of them, or wait until one expires."


class NotTheProposer(TransactionRefused):
    """Only who proposed a spend takes it back."""

    code = "MYC-LEDGER-327"
    remedy = "Ask who proposed it, or leave it without approvals until it expires."


class BadAllowance(TransactionRefused):
    """An allowance that is out of bounds, or that has ended before it was ordered."""

    code = "MYC-LEDGER-330"
    remedy = "It names another account than the sender's, and ends with a round to come, or 0."


class TooManyAllowances(TransactionRefused):
    """The sender has given as many allowances as one account can."""

    code = "MYC-LEDGER-331"
    remedy = "Set one that is not needed to 0 first."


class NotAllowed(TransactionRefused):
    """The owner allowed the sender less than the amount, or nothing, or no longer."""

    code = "MYC-LEDGER-332"
    remedy = "Ask the owner to allow more; `myceld prana allow list` shows what is left."


class BadToken(TransactionRefused):
    """A token, or what is asked of one, that is out of bounds."""

    code = "MYC-LEDGER-340"
    remedy = (
        "A symbol has 1 to 12 of A to Z and 0 to 9, a name 1 to 64 characters, 0 to 18 decimals; "
        "a cap is at least what is minted at first."
    )


class SymbolTaken(TransactionRefused):
    """A token has this symbol already."""

    code = "MYC-LEDGER-341"
    remedy = "Choose another symbol: each is claimed once."


class NoSuchToken(TransactionRefused):
    """No token has this symbol."""

    code = "MYC-LEDGER-342"
    remedy = "Check the spelling; `myceld prana token list` shows all tokens."


class AgainstTokenRules(TransactionRefused):
    """The token's own rules do not let the sender do this."""

    code = "MYC-LEDGER-343"
    remedy = "See the token's rules with `myceld prana token show`."


class CapExceeded(TransactionRefused):
    """More would be minted than the token's cap."""

    code = "MYC-LEDGER-344"
    remedy = "Mint at most what is left up to the cap."


class InsufficientTokens(TransactionRefused):
    """The sender has less of the token than the amount."""

    code = "MYC-LEDGER-345"
    remedy = "See what there is with `myceld prana token show`."


class TooManyTokens(TransactionRefused):
    """The sender has created as many tokens as one key can."""

    code = "MYC-LEDGER-346"
    remedy = "Use one of those that are there."


class NotConserved(InvariantBroken):
    """A round made or lost amounts that nobody issued or burned."""

    code = "MYC-LEDGER-390"
    remedy = "Stop the cell, keep its directory, and report this with the log."


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
    remedy = (
        "Check the disk, then start the cell again: it makes the map anew from the values. A cell "
        "that goes on is told to by `myceld repair --map`."
    )


class PageLogLost(InvariantBroken):
    """What was logged of the state map's pages is not as it was written."""

    code = "MYC-LEDGER-562"
    remedy = "Check the disk, then start the cell again: it makes the map anew from the values."


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
