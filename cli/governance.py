"""`myceld gov`: what members propose, vote on and decide together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import click

from cli import show
from cli.errors import BadUsage
from cli.options import LIMIT, STAGE, Common, common_options, read_value
from cli.receipt import finish, show_receipt

_ROUNDS: Final = click.IntRange(min=1)
_STATES: Final = click.Choice(["open", "accepted", "refused", "expired"])
_VOTES: Final = click.Choice(["yes", "no", "abstain"])
_UPGRADE_FIELDS: Final = ("epoch", "release", "rule_set", "wire_version", "transaction_version")
_wait = click.option(
    "--wait", type=STAGE, default="applied", show_default=True, help="Stage to wait for."
)


@click.group()
def gov() -> None:
    """Propose, vote, and see what was decided.

    Members decide with more than 2/3 of the weight. A vote can be changed until then.
    """


@gov.command()
@click.argument("title")
@click.option("--set", "parameters", metavar="NAME=VALUE", multiple=True,
              help="Set a parameter: see `myceld gov parameters`.")  # fmt: skip
@click.option("--add", "added", metavar="CELL_ID=NAME[:WEIGHT]", multiple=True,
              help="Add a member.")  # fmt: skip
@click.option("--remove", "removed", metavar="MEMBER", multiple=True, help="Remove a member.")
@click.option("--weight", "weights", metavar="MEMBER=WEIGHT", multiple=True,
              help="Give a member another weight.")  # fmt: skip
@click.option("--issue", "issued", metavar="ACCOUNT=AMOUNT", multiple=True, help="Make PRANA.")
@click.option("--burn", "burned", metavar="ACCOUNT=AMOUNT", multiple=True, help="Destroy PRANA.")
@click.option("--pay-out", "paid", metavar="ACCOUNT=AMOUNT", multiple=True,
              help="Pay PRANA from the treasury.")  # fmt: skip
@click.option("--memo", default="", help="What is paid out for.")
@click.option("--upgrade", "upgrades", metavar="FIELD=VALUE,…",
              help="Run by other versions: epoch and release, and rule_set, wire_version or "
              "transaction_version.")  # fmt: skip
@click.option("--text", "texts", metavar="TEXT", multiple=True,
              help="Agree to a text, by its hash: the text, @FILE, or - for stdin.")  # fmt: skip
@click.option("--url", metavar="URL", default="", help="Where that text is.")
@click.option("--rounds", type=_ROUNDS, help="For how many rounds it can be voted on.")
@_wait
@common_options
def propose(  # noqa: PLR0913 - one option for each action
    common: Common,
    title: str,
    *,
    parameters: tuple[str, ...],
    added: tuple[str, ...],
    removed: tuple[str, ...],
    weights: tuple[str, ...],
    issued: tuple[str, ...],
    burned: tuple[str, ...],
    paid: tuple[str, ...],
    memo: str,
    upgrades: str | None,
    texts: tuple[str, ...],
    url: str,
    rounds: int | None,
    wait: str,
) -> None:
    """Propose something called TITLE, and vote yes.

    All actions take effect together, once members with more than 2/3 of the weight voted yes.
    Without an action it is a resolution: what counts is the title. The transaction's id is the
    proposal's. An ACCOUNT is a cell id, a member's name, an account's id in hex, or `treasury`.

    \b
    Examples:
      myceld gov propose "longer epochs" --set epoch_rounds=4096
      myceld gov propose "dora for edsger" --add 12D3KooW…=dora --remove edsger
      myceld gov propose "myceld 0.2" --upgrade epoch=40,release="myceld 0.2",rule_set=3
      myceld gov propose "for ada" --pay-out ada=12.5 --memo "the new disk"
      myceld gov propose "statutes" --text @statutes.txt --url https://example.org/statutes.txt
    """
    actions: list[dict[str, object]] = [_set(item) for item in parameters]
    actions += [_added(item) for item in added]
    actions += [{"action": "remove", "cell": item} for item in removed]
    actions += [_weighed(item) for item in weights]
    actions += [_money("issue", item) for item in issued]
    actions += [_money("burn", item) for item in burned]
    actions += [_money("pay-out", item) | ({"memo": memo} if memo else {}) for item in paid]
    actions += [] if upgrades is None else [_upgrade(upgrades)]
    actions += [_text(item, url) for item in texts]
    if url and not texts:
        actions.append({"action": "text", "url": url})
    with common.client() as cell:
        answer = cell.propose(
            title,
            actions or [{"action": "text"}],
            rounds=rounds,
            wait=wait,
            timeout_s=common.timeout_s,
        )
    _show_receipt(common, answer)


@gov.command()
@click.argument("proposal", metavar="ID")
@click.argument("vote", type=_VOTES)
@_wait
@common_options
def vote(common: Common, proposal: str, vote: str, wait: str) -> None:
    """Vote on the proposal ID: yes, no or abstain.

    \b
    Example:
      myceld gov vote 3fa2… yes
    """
    with common.client() as cell:
        answer = cell.vote(proposal, vote, wait=wait, timeout_s=common.timeout_s)
    _show_receipt(common, answer)


@gov.command()
@_wait
@common_options
def announce(common: Common, wait: str) -> None:
    """Say which versions this cell's build knows.

    A member does so by itself while an upgrade is proposed or decided.
    """
    with common.client() as cell:
        answer = cell.announce(wait=wait, timeout_s=common.timeout_s)
    _show_receipt(common, answer)


@gov.command(name="list")
@click.option("--state", type=_STATES, help="Only those that are so.")
@click.option("--after", default="", metavar="ID", help="Go on behind a proposal.")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")
@common_options
def list_proposals(common: Common, state: str | None, after: str, limit: int) -> None:
    """List proposals, the newest first.

    \b
    Example:
      myceld gov list --state open --json | jq -r '.items[].id'
    """
    with common.client() as cell:
        answer = cell.proposals(state=state, after=after, limit=limit)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            item["id"],
            _title(item),
            f"{show.number(item['weight_yes'])} of {show.number(item['weight_total'])}",
            show.safe(item["state"]),
        ]
        for item in answer["items"]
    ]
    if not rows:
        show.line("nothing was proposed")
        return
    show.table(["proposal", "title", "yes", "state"], rows)
    if answer["next"] is not None:
        show.line(f"more: --after {show.safe(answer['next'])}")


@gov.command(name="show")
@click.argument("proposal", metavar="ID")
@common_options
def show_proposal(common: Common, proposal: str) -> None:
    """Show the proposal ID: what it does, and who voted what.

    \b
    Example:
      myceld gov show 3fa2…
    """
    with common.client() as cell:
        answer: Mapping[str, Any] = cell.proposal(proposal)
    if common.as_json:
        show.as_json(answer)
        return
    weights = [f"{word} {show.number(answer[f'weight_{word}'])}" for word in _VOTES.choices]
    closed = "" if answer["closed_round"] is None else f" in round {answer['closed_round']}"
    show.pairs(
        [
            ("proposal", show.safe(answer["id"])),
            ("title", show.safe(answer["title"])),
            *(("action", _words(action)) for action in answer["actions"]),
            ("proposer", show.safe(answer["proposer"])),
            ("made in", f"round {show.number(answer['round'])}"),
            ("open up to", f"round {show.number(answer['expires_round'])}"),
            ("votes", f"{', '.join(weights)} of {show.number(answer['weight_total'])}"),
            ("state", f"{show.safe(answer['state'])}{closed}"),
        ]
    )
    rows = [
        [show.safe(one["name"] or one["cell_id"]), show.number(one["weight"]), one["vote"]]
        for one in answer["votes"]
    ]
    if rows:
        show.line()
        show.table(["member", "weight", "vote"], rows)


@gov.command()
@common_options
def parameters(common: Common) -> None:
    """Show the rules that hold, what members can set, and what their builds know.

    \b
    Example:
      myceld gov parameters --json | jq '.parameters[] | {name, value}'
    """
    with common.client() as cell:
        answer = cell.rules()
    if common.as_json:
        show.as_json(answer)
        return
    show.line(
        f"epoch {answer['epoch']}: rule set {answer['rule_set']}, wire version "
        f"{answer['wire_version']}, transaction version {answer['transaction_version']}"
    )
    show.line()
    rows = [
        [
            item["name"],
            show.number(item["value"]),
            f"{show.number(item['low'])} to {show.number(item['high'])}",
            item["holds"],
            item["what"],
        ]
        for item in answer["parameters"]
    ]
    show.table(["parameter", "value", "bounds", "holds", "what it is"], rows)
    show.line()
    known = [
        [show.safe(item["name"]), show.safe(item["release"] or "nothing announced"), _known(item)]
        for item in answer["supports"]
    ]
    show.table(["member", "build", "knows"], known)


def _show_receipt(common: Common, answer: Mapping[str, Any]) -> None:
    if common.as_json:
        show.as_json(answer)
    else:
        show_receipt(answer)
    finish([answer])


def _title(item: Mapping[str, Any]) -> str:
    return show.safe(item["title"]) or "; ".join(_words(action) for action in item["actions"])


def _words(action: Mapping[str, Any]) -> str:
    """Return an action as people read it."""
    safe = {name: show.safe(value) for name, value in action.items()}
    match action["action"]:
        case "add":
            return f"add {safe['name']} ({safe['cell']}), weight {safe['weight']}"
        case "remove":
            return f"remove {safe['cell']}"
        case "weight":
            return f"weight of {safe['cell']} to {safe['weight']}"
        case "set":
            return f"set {safe['name']} to {safe['value']}"
        case "issue":
            return f"issue {safe['amount']} PRANA to {safe['account']}"
        case "burn":
            return f"burn {safe['amount']} PRANA of {safe['account']}"
        case "pay-out":
            words = f"pay {safe['amount']} PRANA from the treasury to {safe['account']}"
            return f"{words}: {safe['memo']}" if safe["memo"] else words
        case "upgrade":
            return (
                f"from epoch {safe['epoch']} on {safe['release']}: rule set {safe['rule_set']}, "
                f"wire version {safe['wire_version']}, transaction version "
                f"{safe['transaction_version']}"
            )
        case "text":
            return " ".join(["agree", safe["hash"], safe["url"]]).rstrip()
    return ", ".join(f"{name} {value}" for name, value in safe.items())


def _known(item: Mapping[str, Any]) -> str:
    names = ("rule_sets", "wire_versions", "transaction_versions")
    words = [
        f"{name.replace('_', ' ')} {', '.join(map(str, item[name]))}"
        for name in names
        if item[name]
    ]
    return "; ".join(words)


def _set(item: str) -> dict[str, object]:
    name, value = _halves(item, "--set", "NAME=VALUE")
    return {"action": "set", "name": name, "value": _number(value, "--set")}


def _added(item: str) -> dict[str, object]:
    cell, rest = _halves(item, "--add", "CELL_ID=NAME[:WEIGHT]")
    name, colon, weight = rest.rpartition(":")
    if not colon:
        name, weight = rest, "1"
    return {"action": "add", "cell": cell, "name": name, "weight": _number(weight, "--add")}


def _weighed(item: str) -> dict[str, object]:
    cell, weight = _halves(item, "--weight", "MEMBER=WEIGHT")
    return {"action": "weight", "cell": cell, "weight": _number(weight, "--weight")}


def _money(action: str, item: str) -> dict[str, object]:
    account, amount = _halves(item, f"--{action}", "ACCOUNT=AMOUNT")
    return {"action": action, "account": account, "amount": amount}


def _upgrade(text: str) -> dict[str, object]:
    action: dict[str, object] = {"action": "upgrade"}
    for item in text.split(","):
        name, value = _halves(item, "--upgrade", "FIELD=VALUE,…")
        if name not in _UPGRADE_FIELDS:
            raise BadUsage(f"--upgrade: {name!r} is none of {', '.join(_UPGRADE_FIELDS)}")
        action[name] = value if name == "release" else _number(value, "--upgrade")
    missing = [name for name in ("epoch", "release") if name not in action]
    if missing:
        raise BadUsage(f"--upgrade: {missing[0]} is missing")
    return action


def _text(text: str, url: str) -> dict[str, object]:
    digest = hashlib.sha256(read_value(text)).hexdigest()
    return {"action": "text", "hash": digest, "url": url}


def _halves(item: str, option: str, form: str) -> tuple[str, str]:
    name, sign, value = item.partition("=")
    if not sign or not name or not value:
        raise BadUsage(f"{option}: expected {form}, not {item!r}")
    return name, value


def _number(text: str, option: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise BadUsage(f"{option}: expected a number, not {text!r}")
    return int(text)
