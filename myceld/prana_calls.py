"""The client's calls about amounts: accounts, multi-signature accounts, tokens, and what pays.

Amounts are whole numbers of base units; `ledger.amounts` reads and writes decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from myceld.calls import Calls, JsonObject


class PranaCalls(Calls):
    """The part of `Client` that is about amounts."""

    def act(
        self,
        kind: str,
        arguments: Mapping[str, object],
        *,
        wait: str = "stored",
        timeout_s: float = 30.0,
    ) -> JsonObject:
        """Have the cell sign and submit a transaction of any kind; return the ReceiptView.

        `arguments` are by the names in docs/transactions.md.
        """
        fields: JsonObject = {"kind": kind, "arguments": dict(arguments)}
        return self._post("/api/v1/act", fields, wait, timeout_s)

    def pay(
        self, to: str, amount: int, *, memo: str = "", wait: str = "stored", timeout_s: float = 30.0
    ) -> JsonObject:
        """Pay from the cell's account; return the ReceiptView."""
        arguments = {"to": to, "amount": amount, "memo": memo}
        return self.act("transfer", arguments, wait=wait, timeout_s=timeout_s)

    def batch(
        self, items: Sequence[JsonObject], *, wait: str = "stored", timeout_s: float = 30.0
    ) -> JsonObject:
        """Submit several transactions, `{"kind", "arguments"}` each, all or none."""
        return self.act("batch", {"items": list(items)}, wait=wait, timeout_s=timeout_s)

    def purse(self, account: str = "") -> JsonObject:
        """Return the PurseView of an account: the cell's own unless one is named."""
        return self._get("/api/v1/prana/account", _named(account))

    def moves(
        self, account: str = "", *, before: int | None = None, limit: int = 100
    ) -> JsonObject:
        """Return the MovesView of an account: what rounds made of it, the newest first."""
        query: dict[str, object] = {**_named(account), "limit": limit}
        if before is not None:
            query["before"] = before
        return self._get("/api/v1/prana/history", query)

    def supply(self) -> JsonObject:
        """Return the SupplyView."""
        return self._get("/api/v1/prana/supply")

    def multisig(self, account: str) -> JsonObject:
        """Return the MultisigView of an account."""
        return self._get("/api/v1/prana/multisig", _named(account))

    def multisigs(self, key: str = "", *, limit: int = 100) -> JsonObject:
        """Return the list of MultisigViews of which a key, or the cell's own, is one."""
        return self._get("/api/v1/prana/multisigs", {**_named(key), "limit": limit})

    def token(self, symbol: str, *, account: str = "") -> JsonObject:
        """Return the TokenView of a symbol, with what an account holds."""
        return self._get("/api/v1/prana/token", {"symbol": symbol, **_named(account)})

    def tokens(self, *, limit: int = 100) -> JsonObject:
        """Return the list of TokenViews."""
        return self._get("/api/v1/prana/tokens", {"limit": limit})


def _named(account: str) -> dict[str, object]:
    return {"account": account} if account else {}
