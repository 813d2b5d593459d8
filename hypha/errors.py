"""Declared errors of the hypha: its directory, its gateways, what they answer."""

from __future__ import annotations

from core.errors import LocalMisuse, OperationalFault, RemoteViolation


class NoHypha(LocalMisuse):
    """The directory holds no hypha."""

    code = "MYC-HYPHA-001"
    remedy = "Make one with `myceld init --role hypha --genesis FILE --gateway URL`."


class BadGateway(LocalMisuse):
    """A gateway that can not be asked like this."""

    code = "MYC-HYPHA-003"
    remedy = "Give http://HOST:PORT on this machine, or https://HOST[:PORT], and its token file."


class TokenFileUnusable(LocalMisuse):
    """The file with a gateway's token can not be read, or others can read it."""

    code = "MYC-HYPHA-004"
    remedy = "Put the cell's light.token there, and `chmod 600` the file."


class OtherHyphaNetwork(LocalMisuse):
    """The directory belongs to another network."""

    code = "MYC-HYPHA-005"
    remedy = "Use another --home for another network."


class HyphaHomeUnusable(OperationalFault):
    """A file of the directory can not be read or written."""

    code = "MYC-HYPHA-006"
    remedy = "Check the owner of the directory, and that its disk has room."


class HyphaRunsAlready(OperationalFault):
    """Another process runs on this directory."""

    code = "MYC-HYPHA-007"
    remedy = "Stop that process first, or use another --home."
    retryable = True


class HeadUnreadable(OperationalFault):
    """The file with the newest head was damaged."""

    code = "MYC-HYPHA-008"
    remedy = (
        "Put head.proof back from a copy. Without it the hypha begins with the genesis again, and "
        "can not tell whether it is shown something older: remove it only if you accept that."
    )


class ChainTooLong(OperationalFault):
    """The members changed more often than a proof has steps."""

    code = "MYC-HYPHA-009"
    remedy = "Run a full copy: `myceld init --genesis FILE` without --role."


class NotForAHypha(LocalMisuse):
    """Asked for something that only a full copy of the network can answer."""

    code = "MYC-HYPHA-010"
    remedy = "Ask a cell; docs/hypha.md says what a hypha can do."


class NoGatewayAnswers(OperationalFault):
    """No gateway gave an answer that is proven."""

    code = "MYC-HYPHA-011"
    remedy = "`myceld status` says of each gateway what is wrong; add one with `myceld init` again."
    retryable = True


class NotHandedOn(OperationalFault):
    """No gateway took the transaction."""

    code = "MYC-HYPHA-012"
    remedy = "Submit the same bytes again: whatever took them already, they apply once at most."
    retryable = True


class GatewaySilent(OperationalFault):
    """A gateway could not be reached, or did not answer in time."""

    code = "MYC-HYPHA-020"
    remedy = "Check its URL, and that the cell runs."
    retryable = True


class GatewayRefuses(OperationalFault):
    """A gateway answered that it can or will not."""

    code = "MYC-HYPHA-021"
    remedy = "The message is the gateway's; MYC-GATEWAY-010 is a wrong or a missing token."
    retryable = True

    def __init__(self, detail: str, *, told: str = "") -> None:
        super().__init__(detail)
        self.told = told
        """The code that it gave."""


class AnswerGarbled(RemoteViolation):
    """A gateway sent what no cell sends: too much, not HTTP, not JSON, or not what was asked."""

    code = "MYC-HYPHA-022"
    remedy = "Check that the URL is that of a cell's gateway; else drop it."


class AnswerOld(RemoteViolation):
    """A gateway proved something that was true before the newest head that is known."""

    code = "MYC-HYPHA-023"
    remedy = "Wait until that cell has caught up; it is behind, or holds back what is new."


class AnswerBesides(RemoteViolation):
    """A gateway proved something else than what was asked."""

    code = "MYC-HYPHA-024"
    remedy = "Drop the gateway: it is broken or lies."


class HistoriesContradict(RemoteViolation):
    """Two certified headers can not both be true: members with a third of the weight lied."""

    code = "MYC-HYPHA-025"
    remedy = "Keep the files in `evidence`, show them to all members, and trust neither history."
