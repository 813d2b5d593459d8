"""What can go wrong between a program and a cell."""

from __future__ import annotations

from core.errors import LocalMisuse, MyceldError, OperationalFault, RemoteViolation


class CellUnreachable(OperationalFault):
    """No cell answers: it is not running, or not yet ready."""

    code = "MYC-CLIENT-001"
    remedy = "Start the cell with `myceld run`; its last output says why it stopped."
    retryable = True

    def __init__(self, detail: str, *, remedy: str | None = None) -> None:
        super().__init__(detail)
        if remedy is not None:
            self.remedy = remedy  # type: ignore[misc]  # the command to type names the home


class CellTooLate(OperationalFault):
    """The cell took the connection but did not answer before the deadline."""

    code = "MYC-CLIENT-002"
    remedy = "Try again with a longer --timeout; `myceld status` says what the cell is doing."
    retryable = True


class CellRefused(MyceldError):
    """The cell answered with an error; `code`, `remedy` and `retryable` are the cell's own."""

    code = "MYC-CLIENT-003"
    remedy = "See the message."

    def __init__(
        self, detail: str, *, code: str, remedy: str, retryable: bool, kind: str, status: int
    ) -> None:
        super().__init__(detail)
        # An answer's code is only known when it arrives; for the tree's other leaves it is fixed.
        self.code = code  # type: ignore[misc]  # the cell's
        self.remedy = remedy  # type: ignore[misc]  # the cell's
        self.retryable = retryable  # type: ignore[misc]  # the cell's
        self.kind = kind
        """`local_misuse`, `remote_violation`, `operational_fault` or `invariant_broken`."""
        self.status = status
        """The HTTP status."""


class CellAnswerUnreadable(RemoteViolation):
    """Something answered at the cell's URL, but not a cell of this version."""

    code = "MYC-CLIENT-004"
    remedy = "Check that `myceld version` and the cell have the same version; restart the cell."


class CellNotTrusted(RemoteViolation):
    """Who answers at an https URL shows a certificate that this client does not trust."""

    code = "MYC-CLIENT-020"
    remedy = (
        "Give the client the certificate of that gateway (`certificate=`), or who vouches for the "
        "name in its URL (`ca=`, MYCELD_CA). Where that is done, something else answers there."
    )


class CellWithoutTls(LocalMisuse):
    """What listens at an https URL does not speak TLS."""

    code = "MYC-CLIENT-021"
    remedy = "Ask it with http:// if it is on this machine; else switch TLS on: docs/security.md."


class HomeUnreadable(LocalMisuse):
    """The cell's directory holds a run.json or gateway.token that can not be used."""

    code = "MYC-CLIENT-005"
    remedy = "Check --home and the owner of the directory; restarting the cell writes both anew."


class NoNetworkTrusted(LocalMisuse):
    """A proven answer was asked for, but not said which network is trusted."""

    code = "MYC-CLIENT-010"
    remedy = "Give the client `genesis=`: the genesis file, or the network id, from who you trust."


class ProofOfOther(RemoteViolation):
    """The cell sent a good proof, but of something else than was asked for."""

    code = "MYC-CLIENT-011"
    remedy = "Ask another cell: this one, or something on the way to it, does not tell the truth."


class ProofTooOld(OperationalFault):
    """What was proven is of an earlier round than the caller accepts."""

    code = "MYC-CLIENT-012"
    remedy = "Try again: the cell may be behind. If that does not help, ask another one."
    retryable = True
