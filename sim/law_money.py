"""The rules about amounts read once more: plain sums in dicts, and which codes refuse what.

Shares no code with `ledger.payment`, `ledger.allowance`, `ledger.multisig`, `ledger.market_token`
and `ledger.overlay`, only their values and state keys. A batch that fails is undone by going back
to a copy of everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from core.codec import Value, as_array, as_int, decode, encode
from core.ids import PublicKey, Round, TransactionId
from ledger.allowance import Allow, TransferFrom
from ledger.batch import Batch
from ledger.genesis import Genesis
from ledger.kinds import Arguments
from ledger.limits import NONCE_WINDOW
from ledger.market_token import TokenBurn, TokenCreate, TokenMint, TokenSend
from ledger.multisig import MultisigApprove, MultisigCancel, MultisigCreate, MultisigPropose
from ledger.payment import Transfer
from sim.law_errors import Refused

_MOST: Final = 2**63 - 1
_CODE: Final = "MYC-LEDGER-"
MONEY_KINDS: Final = (
    Transfer,
    Allow,
    TransferFrom,
    MultisigCreate,
    MultisigPropose,
    MultisigApprove,
    MultisigCancel,
    TokenCreate,
    TokenMint,
    TokenBurn,
    TokenSend,
)


class Money:
    """Who has what, and who may spend it. Keys are bytes; `today` and `first` know of rotations."""

    def __init__(
        self,
        genesis: Genesis,
        state: dict[bytes, bytes],
        today: Callable[[PublicKey], PublicKey],
        first: Callable[[PublicKey], PublicKey],
    ) -> None:
        """`today` leads to a key's present one, `first` to the first of its line."""
        parameters = dict(genesis.parameters)
        self.price = parameters.get("fee_per_cost", 0)
        self._next_price = self.price
        self._least = parameters.get("account_minimum", 0)
        self._state = state
        self._today, self._first = today, first
        self._nonces: dict[bytes, set[int]] = {}
        self._given_up: set[bytes] = set()
        self._balances: dict[bytes, int] = {}
        self._allowed: dict[bytes, dict[bytes, tuple[int, int]]] = {}
        self._multisigs: dict[bytes, tuple[MultisigCreate, list[list[Any]]]] = {}
        self._tokens: dict[str, list[Any]] = {}
        self._held: dict[tuple[str, bytes], int] = {}
        for name, value in genesis.parameters:
            state[b"parameter/" + name.encode()] = encode([value])
        for key, amount in genesis.prana:
            self._set(key, amount)
        if genesis.prana:
            state[b"supply"] = encode([sum(amount for _, amount in genesis.prana), 0])

    def set_parameter(self, name: str, value: int) -> None:
        """Set what governance decides of amounts."""
        if name == "fee_per_cost":
            self._next_price = value
        elif name == "account_minimum":
            self._least = value

    def end_round(self) -> None:
        """What a transaction costs is the same in all of a round."""
        self.price = self._next_price

    def issue(self, to: bytes, amount: int) -> None:
        """Make PRANA."""
        issued, burned = self._supply_of()
        if issued + amount > _MOST:
            raise Refused("that is too much", _CODE + "315")
        payee = self._today(PublicKey(to))
        self._set(payee, self.balance(payee) + amount)
        self._state[b"supply"] = encode([issued + amount, burned])

    def burn(self, source: bytes, amount: int) -> None:
        """Destroy PRANA."""
        issued, burned = self._supply_of()
        source = self._today(PublicKey(source))
        if self.balance(source) < amount:
            raise Refused("there is too little", _CODE + "311")
        self._set(source, self.balance(source) - amount)
        self._state[b"supply"] = encode([issued, burned + amount])

    def pay_out(self, to: bytes, amount: int) -> None:
        """Pay from the treasury."""
        self._pay(b"treasury", to, amount)

    def _supply_of(self) -> tuple[int, int]:
        if b"supply" not in self._state:
            return 0, 0
        issued, burned = as_array(decode(self._state[b"supply"]), length=2)
        return as_int(issued), as_int(burned)

    def copied(self) -> tuple[Any, ...]:
        """Return everything as it is now, for `go_back`."""
        return (
            dict(self._balances),
            {owner: dict(spenders) for owner, spenders in self._allowed.items()},
            {
                account: (made, [list(spend) for spend in spends])
                for account, (made, spends) in self._multisigs.items()
            },
            {symbol: list(token) for symbol, token in self._tokens.items()},
            dict(self._held),
            (self._least, self._next_price),
            dict(self._state),
        )

    def go_back(self, copied: tuple[Any, ...]) -> None:
        """Be as it was."""
        *tables, set_then, state = copied
        self._least, self._next_price = set_then
        self._balances, self._allowed, self._multisigs, self._tokens, self._held = tables
        self._state.clear()
        self._state.update(state)

    def balance(self, owner: bytes) -> int:
        """Return what an account has."""
        return self._balances.get(owner, 0)

    def has_signed(self, owner: bytes) -> bool:
        """Return whether a key used a nonce."""
        return bool(self._nonces.get(owner))

    def use_nonce(self, sender: PublicKey, nonce: int) -> None:
        """Use a nonce up."""
        used = self._nonces.setdefault(sender, set())
        highest = max(used, default=-1)
        if nonce in used or nonce <= highest - NONCE_WINDOW:
            raise Refused(f"its nonce {nonce} was used", _CODE + "014")
        used.add(nonce)
        self._keep(sender)

    def pay_fee(self, sender: bytes, fee: int) -> None:
        """Pay the treasury."""
        if fee:
            self._set(sender, self.balance(sender) - fee)
            self._set(b"treasury", self.balance(b"treasury") + fee)

    def rotate(self, old: PublicKey, new: PublicKey) -> None:
        """Give one key's PRANA and allowances to another."""
        self._given_up.add(old)
        amount = self.balance(old)
        self._set(old, 0)
        self._set(new, self.balance(new) + amount)
        if b"allowances/" + old in self._state:
            self._allowed[new] = dict(self._allowed[old])
            self._state[b"allowances/" + new] = self._state[b"allowances/" + old]

    def change(
        self, what: Arguments, sender: PublicKey, identity: TransactionId, now: Round
    ) -> None:
        """Do what a transaction about amounts says."""
        match what:
            case Transfer():
                self._pay(sender, what.to, what.amount)
            case Allow():
                self._allow(what, sender, now)
            case TransferFrom():
                self._transfer_from(what, sender, now)
            case MultisigCreate():
                self._create_multisig(what)
            case MultisigPropose():
                self._propose(what, sender, identity, now)
            case MultisigApprove() | MultisigCancel():
                self._vote(what, sender, now)
            case _:
                self._change_token(what, self._first(sender), now)

    # -- PRANA ---------------------------------------------------------------------------------

    def _pay(self, source: bytes, to: bytes, amount: int) -> None:
        if self.balance(source) < amount:
            raise Refused("there is too little", _CODE + "311")
        payee = self._today(PublicKey(to))
        if payee == source:
            raise Refused("it pays itself", _CODE + "313")
        is_new = not self._nonces.get(payee) and not self.balance(payee)
        if is_new and amount < self._least:
            raise Refused("it opens no account", _CODE + "314")
        self._set(source, self.balance(source) - amount)
        self._set(payee, self.balance(payee) + amount)

    def _allow(self, what: Allow, sender: PublicKey, now: Round) -> None:
        spender = self._today(what.spender)
        if spender == sender:
            raise Refused("it allows itself", _CODE + "330")
        if what.amount and what.expires_round and what.expires_round < now:
            raise Refused("the allowance has ended", _CODE + "330")
        known = self._allowed.get(sender, {})
        others = {key: one for key, one in known.items() if self._today(PublicKey(key)) != spender}
        if not what.amount and others.keys() == known.keys():
            raise Refused("there is nothing to take back", _CODE + "332")
        others = {key: one for key, one in others.items() if not one[1] or now <= one[1]}
        if what.amount:
            if len(others) >= 16:
                raise Refused("the sender allowed too many", _CODE + "331")
            others[spender] = (what.amount, what.expires_round)
        self._keep_allowed(sender, others)

    def _transfer_from(self, what: TransferFrom, sender: PublicKey, now: Round) -> None:
        owner = self._today(what.owner)
        known = self._allowed.get(owner, {})
        mine = [key for key in sorted(known) if self._today(PublicKey(key)) == sender]
        key = sender if sender in known or not mine else mine[0]
        amount, expires = known.get(key, (0, 0))
        if (expires and now > expires) or amount < what.amount:
            raise Refused("it is not allowed", _CODE + "332")
        self._pay(owner, what.to, what.amount)
        left = {other: one for other, one in known.items() if other != key}
        if amount > what.amount:
            left[key] = (amount - what.amount, expires)
        self._keep_allowed(owner, left)

    def _keep_allowed(self, owner: bytes, allowed: dict[bytes, tuple[int, int]]) -> None:
        self._allowed[owner] = allowed
        items: list[Value] = [[key, *allowed[key]] for key in sorted(allowed)]
        self._note(b"allowances/" + owner, items or None)

    def _set(self, owner: bytes, amount: int) -> None:
        self._balances[owner] = amount
        self._keep(owner)

    def _keep(self, owner: bytes) -> None:
        used = self._nonces.get(owner, set())
        highest = max(used, default=-1)
        bits = sum(1 << highest - one for one in used if one > highest - NONCE_WINDOW)
        window = bits.to_bytes(NONCE_WINDOW // 8, "big")
        account: list[Value] = [2, highest, window, self.balance(owner), owner in self._given_up]
        self._state[b"account/" + owner] = encode(account)

    # -- multi-signature accounts --------------------------------------------------------------

    def _create_multisig(self, what: MultisigCreate) -> None:
        said: list[Value] = ["myceld/multisig/1", what.threshold, list(what.keys), what.name]
        account = hashlib.sha256(encode(said)).digest()
        if account in self._multisigs:
            raise Refused("the account is there", _CODE + "321")
        self._multisigs[account] = (what, [])
        self._keep_multisig(account, [])

    def _propose(
        self, what: MultisigPropose, sender: PublicKey, identity: TransactionId, now: Round
    ) -> None:
        account, spends, seats = self._seats(what.account, sender, now)
        if not now <= what.expires_round <= now + 2**22:
            raise Refused("its end is out of bounds", _CODE + "320")
        if len(spends) >= 8:
            raise Refused("the account has too many spends", _CODE + "326")
        ends = what.expires_round
        spend = [identity, seats[0], what.to, what.amount, what.symbol, what.memo, ends, set()]
        self._approve(account, [*spends, spend], spend, seats)

    def _vote(self, what: MultisigApprove | MultisigCancel, sender: PublicKey, now: Round) -> None:
        account, spends, seats = self._seats(what.account, sender, now)
        spend = _spend(spends, what.spend)
        if isinstance(what, MultisigApprove):
            if all(seat in spend[-1] for seat in seats):
                raise Refused("the sender approved it", _CODE + "325")
            self._approve(account, spends, spend, seats)
            return
        if spend[1] not in seats:
            raise Refused("another proposed it", _CODE + "327")
        self._keep_multisig(account, [one for one in spends if one is not spend])

    def _seats(
        self, account: bytes, sender: PublicKey, now: Round
    ) -> tuple[bytes, list[list[Any]], list[int]]:
        if account not in self._multisigs:
            raise Refused("there is no such account", _CODE + "322")
        made, spends = self._multisigs[account]
        seats = [at for at, key in enumerate(made.keys) if self._today(key) == sender]
        if not seats:
            raise Refused("the sender is no signer", _CODE + "323")
        return account, [one for one in spends if now <= one[6]], seats

    def _approve(
        self, account: bytes, spends: list[list[Any]], spend: list[Any], seats: list[int]
    ) -> None:
        approvals = spend[-1] | set(seats)
        if len(approvals) >= self._multisigs[account][0].threshold:
            if spend[4]:
                self._pass_on(spend[4], account, spend[2], spend[3])
            else:
                self._pay(account, spend[2], spend[3])
            spends = [one for one in spends if one is not spend]
        spend[-1] = approvals
        self._keep_multisig(account, spends)

    def _keep_multisig(self, account: bytes, spends: list[list[Any]]) -> None:
        made = self._multisigs[account][0]
        self._multisigs[account] = (made, spends)
        items: list[Value] = [[*one[:-1], sorted(one[-1])] for one in spends]
        what: list[Value] = [made.threshold, list(made.keys), made.name, items]
        self._state[b"multisig/" + account] = encode(what)

    # -- tokens --------------------------------------------------------------------------------

    def _change_token(self, what: Arguments, sender: PublicKey, now: Round) -> None:
        match what:
            case TokenCreate():
                self._create_token(what, sender, now)
            case TokenMint():
                self._mint(what, sender)
            case TokenBurn():
                self._burn(what, sender)
            case TokenSend():
                self._pass_on(what.symbol, sender, what.to, what.amount)

    def _create_token(self, what: TokenCreate, issuer: PublicKey, now: Round) -> None:
        if what.symbol in self._tokens:
            raise Refused("the symbol is taken", _CODE + "341")
        count = sum(token[6] == issuer for token in self._tokens.values())
        if count >= 16:
            raise Refused("the sender has too many tokens", _CODE + "346")
        rules = int(what.rules)
        token = [what.symbol, what.name, what.decimals, rules, what.cap, 0, issuer, now]
        self._tokens[what.symbol] = token
        self._state[b"token-issuer/" + issuer] = encode([count + 1])
        self._supply(token, what.amount)
        if what.amount:
            self._hold(what.symbol, issuer, what.amount)

    def _mint(self, what: TokenMint, sender: PublicKey) -> None:
        token = self._token(what.symbol)
        if not token[3] & 1 or token[6] != sender:
            raise Refused("its rules forbid it", _CODE + "343")
        if token[4] and token[5] + what.amount > token[4]:
            raise Refused("that is above the cap", _CODE + "344")
        if token[5] + what.amount > _MOST:
            raise Refused("that is too much", _CODE + "315")
        payee = self._payee(what.to)
        self._supply(token, what.amount)
        self._hold(what.symbol, payee, what.amount)

    def _burn(self, what: TokenBurn, sender: PublicKey) -> None:
        token = self._token(what.symbol)
        if not token[3] & 2:
            raise Refused("its rules forbid it", _CODE + "343")
        self._take(what.symbol, sender, what.amount)
        self._supply(token, -what.amount)

    def _pass_on(self, symbol: str, holder: bytes, to: bytes, amount: int) -> None:
        token = self._token(symbol)
        if token[3] & 4 and token[6] != holder:
            raise Refused("its rules forbid it", _CODE + "343")
        payee = self._payee(to)
        if self._held.get((symbol, holder), 0) >= amount and payee == holder:
            raise Refused("it pays itself", _CODE + "313")
        self._take(symbol, holder, amount)
        self._hold(symbol, payee, amount)

    def _payee(self, to: bytes) -> bytes:
        if to == b"treasury":
            raise Refused("the treasury takes no tokens", _CODE + "343")
        return self._first(PublicKey(to))

    def _token(self, symbol: str) -> list[Any]:
        if symbol not in self._tokens:
            raise Refused("there is no such token", _CODE + "342")
        return self._tokens[symbol]

    def _take(self, symbol: str, holder: bytes, amount: int) -> None:
        if self._held.get((symbol, holder), 0) < amount:
            raise Refused("there is too little of the token", _CODE + "345")
        self._hold(symbol, holder, -amount)

    def _hold(self, symbol: str, holder: bytes, more: int) -> None:
        held = self._held.get((symbol, holder), 0) + more
        self._held[symbol, holder] = held
        self._note(b"holding/" + symbol.encode() + b"/" + holder, [held] if held else None)

    def _note(self, key: bytes, what: list[Value] | None) -> None:
        """Keep a record, or none."""
        if what is None:
            self._state.pop(key, None)
        else:
            self._state[key] = encode(what)

    def _supply(self, token: list[Any], more: int) -> None:
        token[5] += more
        self._state[b"token/" + token[0].encode()] = encode(token)


def _spend(spends: list[list[Any]], identity: bytes) -> list[Any]:
    for one in spends:
        if one[0] == identity:
            return one
    raise Refused("there is no such spend", _CODE + "324")


def cost(what: Arguments) -> int:
    """Return what the arguments of a transaction cost."""
    if isinstance(what, Batch):
        return sum(cost(item) for item in what.items)
    writes, sizes, checks = _COSTS[type(what).__name__]
    return 100 + 50 * (writes + checks) + sum(factor * _size(what, name) for name, factor in sizes)


_COSTS: Final[dict[str, tuple[int, tuple[tuple[str, int], ...], int]]] = {
    "Put": (2, (("key", 1), ("value", 1)), 0),
    "PutIf": (2, (("key", 1), ("value", 1)), 0),
    "Delete": (1, (("key", 1),), 0),
    "NamespaceClaim": (20, (("name", 1), ("rules", 32)), 0),
    "NamespaceSet": (1, (("name", 1), ("rules", 32)), 0),
    "NamespaceRelease": (1, (), 0),
    "MemberPropose": (3, (), 0),
    "MemberApprove": (3, (), 0),
    "MemberLeave": (1, (), 0),
    "ForkProof": (3, (("evidence", 1),), 2),
    "TrustAttest": (3, (), 0),
    "TrustRevoke": (3, (), 0),
    "KeyRotate": (8, (), 2),
    "GovPropose": (3, (("title", 1), ("actions", 700)), 0),
    "GovVote": (3, (), 0),
    "Announce": (1, (), 0),
    "Post": (2, (("title", 1),), 0),
    "PostWithdraw": (2, (), 0),
    "Transfer": (2, (("memo", 1),), 0),
    "Allow": (2, (), 0),
    "TransferFrom": (4, (("memo", 1),), 0),
    "MultisigCreate": (2, (("name", 1), ("keys", 32)), 0),
    "MultisigPropose": (4, (("memo", 2),), 0),
    "MultisigApprove": (4, (), 0),
    "MultisigCancel": (2, (), 0),
    "TokenCreate": (20, (("name", 1),), 0),
    "TokenMint": (3, (), 0),
    "TokenBurn": (3, (), 0),
    "TokenSend": (3, (("memo", 1),), 0),
}
"""Of each kind: state keys, what counts by its size, signatures inside."""


def _size(what: Arguments, name: str) -> int:
    value = getattr(what, name)
    if name == "rules":
        return len(value.owners) + len(value.writers)
    return len(value.encode() if isinstance(value, str) else value)
