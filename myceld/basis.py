"""What both clients are, beside how they ask: whom they reach and trust, how they are made."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from myceld.access import Access, Who
from myceld.cell_calls import CellCalls
from myceld.consensus_calls import ConsensusCalls
from myceld.doctor_calls import DoctorCalls
from myceld.errors import CellAnswerUnreadable
from myceld.governance_calls import GovernanceCalls
from myceld.limits import TIMEOUT_S_DEFAULT
from myceld.message_calls import MessageCalls
from myceld.prana_calls import PranaCalls
from myceld.proof_calls import ProofCalls
from myceld.service_calls import ServiceCalls
from myceld.state_calls import StateCalls
from myceld.token_calls import TokenCalls
from myceld.verified_calls import Trusted, VerifiedCalls

if TYPE_CHECKING:
    from identity.keys import KeyPair

INFO_PATH: Final = "/api/public/info"
"""Says which cell that is, without being asked who wants to know."""

STREAM_PATH: Final = "/api/v1/stream"
"""Where subscriptions are, on a WebSocket."""

_GENESIS_FILE: Final = "genesis.json"


class CellClient(
    CellCalls,
    MessageCalls,
    ServiceCalls,
    GovernanceCalls,
    StateCalls,
    PranaCalls,
    ProofCalls,
    VerifiedCalls,
    DoctorCalls,
    ConsensusCalls,
    TokenCalls,
):
    """Every call that a cell answers, and how a client of either kind is made."""

    _access: Access
    _tls: ssl.SSLContext | None
    _who: Who | None
    timeout_s: float

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        key: KeyPair | None = None,
        certificate: Path | str = "",
        ca: Path | str = "",
        genesis: Trusted | None = None,
        timeout_s: float = TIMEOUT_S_DEFAULT,
    ) -> None:
        """Reach the cell at `url`, let in by `token`, or by `key`, which signs each request.

        An https URL must show the one certificate in the file `certificate`; or one for which
        those in the file `ca` vouch, or those of the system. `genesis` is the network that
        verified calls trust: its file, the bytes of that, or the network's id. `timeout_s` is the
        deadline of calls that wait for no stage.
        """
        self._begin(Access(url, token, key, certificate, ca), genesis, timeout_s)

    @classmethod
    def from_home(
        cls,
        home: Path | str,
        *,
        genesis: Trusted | None = None,
        timeout_s: float = TIMEOUT_S_DEFAULT,
    ) -> Self:
        """Return a client of the cell that runs in `home`, whose genesis it trusts."""
        return cls._of(Access.of_home(home), genesis, timeout_s)

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] = os.environ,
        *,
        genesis: Trusted | None = None,
        timeout_s: float = TIMEOUT_S_DEFAULT,
    ) -> Self:
        """Return a client of what MYCELD_URL, MYCELD_TOKEN and MYCELD_CA say.

        Without a URL, of the cell that runs in MYCELD_HOME, or in ~/.myceld.
        """
        return cls._of(Access.of_environment(environment), genesis, timeout_s)

    def twin(self) -> Self:
        """Return another client of the same cell, for another thread, with its own connection."""
        return self._of(self._access.renewed(), self._trusted, self.timeout_s)

    def renew(self) -> None:
        """Look again where the cell is: one that restarts may take another port."""
        self._access = self._access.renewed()
        self._tls = self._access.tls()

    @property
    def url(self) -> str:
        """Where the cell is."""
        return self._access.url

    @classmethod
    def _of(cls, access: Access, genesis: Trusted | None, timeout_s: float) -> Self:
        client = cls.__new__(cls)
        client._begin(access, genesis, timeout_s)  # noqa: SLF001 - another way to make one
        return client

    def _begin(self, access: Access, genesis: Trusted | None, timeout_s: float) -> None:
        if genesis is None and access.home is not None:
            genesis = access.home / _GENESIS_FILE
        self._access = access
        self._trusted = genesis
        self.timeout_s = timeout_s
        self._tls = access.tls()
        self._who = None


def who_of(info: Any) -> Who:  # noqa: ANN401 - an InfoView, from whoever answers there
    """Return which cell that is; raises CellAnswerUnreadable."""
    try:
        return Who(bytes.fromhex(info["network_id"]), str(info["cell_id"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CellAnswerUnreadable("the cell does not say which one it is") from error
