"""`python -m hashgraph`: what the rules say about a graph in a file, and why.

`replay` prints the outcome as JSON, `explain` how one event came to its place, `check` compares the
engine with the oracle and with what the file expects.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, NoReturn

import click

from core.errors import MyceldError
from hashgraph.engine import RULE_SETS, Engine
from hashgraph.event import Event
from hashgraph.explain import Explainer, Explanation, VotingRound
from hashgraph.oracle import oracle
from hashgraph.outcome import Outcome
from hashgraph.replay import replay
from hashgraph.vector import Vector, outcome_as_json, read_expected, read_vector

_rule_set = click.option(
    "--rule-set",
    type=click.Choice([str(number) for number in RULE_SETS]),
    callback=lambda _context, _option, value: None if value is None else int(value),
    help="In rule set 2 weak voters copy. Default: what FILE says, else 1.",
)


@click.group()
def main() -> None:
    """Hashgraph on files, without a network."""


@main.command("replay")
@click.argument("file", type=click.File("rb"))
@click.option("--oracle", "by_oracle", is_flag=True, help="Answer by brute force.")
@click.option("--shuffle", "seed", help="Feed the events in another topological order.")
@_rule_set
def replay_command(
    file: BinaryIO, *, by_oracle: bool, seed: str | None, rule_set: int | None
) -> None:
    """Read hashgraph-vector/1 from FILE (- for standard input) and print its outcome."""
    try:
        vector = read_vector(file.read())
        events = vector.events if seed is None else vector.shuffled(seed)
        outcome = _answer(
            oracle if by_oracle else replay, vector, events, rule_set or vector.rule_set
        )
    except MyceldError as error:
        _fail(error)
    click.echo(json.dumps(outcome_as_json(outcome, vector)))


@main.command("explain")
@click.argument("file", type=click.File("rb"))
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One object instead of text.")
@_rule_set
def explain_command(file: BinaryIO, name: str, *, as_json: bool, rule_set: int | None) -> None:
    """Say how the event ID of FILE came to its round, fame, time and place."""
    try:
        vector = read_vector(file.read())
        explanation = Explainer(vector, rule_set=rule_set or vector.rule_set).explain(name)
    except MyceldError as error:
        _fail(error)
    data = _explanation_as_json(explanation, vector)
    click.echo(json.dumps(data) if as_json else "\n".join(_explanation_as_text(data)))


@main.command("check")
@click.argument("file", type=click.File("rb"))
@click.option("--shuffle", "seed", help="Feed the events in another topological order.")
@_rule_set
def check_command(file: BinaryIO, *, seed: str | None, rule_set: int | None) -> None:
    """Compare the engine with the oracle on FILE, and both with what FILE expects.

    What FILE expects counts for the rule set that FILE is about.
    """
    try:
        text = file.read()
        vector = read_vector(text)
        rule_set = rule_set or vector.rule_set
        expected = read_expected(text) if rule_set == vector.rule_set else {}
        events = vector.events if seed is None else vector.shuffled(seed)
        engine = outcome_as_json(_answer(replay, vector, events, rule_set), vector)
        brute = outcome_as_json(_answer(oracle, vector, events, rule_set), vector)
    except MyceldError as error:
        _fail(error)
    differences = [f"{key}: engine and oracle differ" for key in brute if engine[key] != brute[key]]
    differences += [
        f"{key}: not what the file expects" for key in expected if engine[key] != expected[key]
    ]
    for line in differences:
        click.echo(line)
    if differences:
        sys.exit(1)
    click.echo(f"engine and oracle agree on {len(events)} events, {len(expected)} answers expected")


def _answer(
    answer: Callable[..., Outcome], vector: Vector, events: Sequence[Event], rule_set: int | None
) -> Outcome:
    Engine(vector.weights, coin_period=vector.coin_period)  # refuses rules that cannot work
    return answer(
        events,
        vector.weights,
        coin_period=vector.coin_period,
        first_round=vector.first_round,
        coin=vector.coin,
        rule_set=rule_set or vector.rule_set,
    )


def _fail(error: MyceldError) -> NoReturn:
    raise click.ClickException(f"{error}\n{error.remedy}") from error


def _explanation_as_json(explanation: Explanation, vector: Vector) -> dict[str, Any]:
    names, event = vector.names, explanation.event
    return {
        "id": names[event.id],
        "creator": event.creator,
        "sequence": event.sequence,
        "round": explanation.round,
        "witness": explanation.is_witness,
        "famous": explanation.famous,
        "strongly_sees": [names[key] for key in explanation.strongly_sees],
        "strongly_seen_by": [names[key] for key in explanation.strongly_seen_by],
        "votes": [_votes_as_json(voting, vector) for voting in explanation.voting],
        "received": explanation.received,
        "judges": [
            {"judge": names[item.judge], "first": names[item.first], "time": item.time_ns}
            for item in explanation.judges
        ],
        "median": explanation.median_ns,
        "time": explanation.consensus_time_ns,
        "position": explanation.position,
    }


def _votes_as_json(voting: VotingRound, vector: Vector) -> dict[str, Any]:
    return {
        "round": voting.round,
        "distance": voting.distance,
        "coin": voting.is_coin_round,
        "votes": [
            {
                "voter": vector.names[vote.voter],
                "vote": vote.vote,
                "yes": vote.yes,
                "no": vote.no,
                "decides": vote.decides,
                "by_coin": vote.by_coin,
                "weak": vote.is_weak,
                "copies": None if vote.copies is None else vector.names[vote.copies],
            }
            for vote in voting.votes
        ],
    }


def _explanation_as_text(data: dict[str, Any]) -> list[str]:
    kind = "a witness" if data["witness"] else "no witness"
    fame = {None: "", True: ", famous", False: ", not famous"}[data["famous"]]
    lines = [
        f"event {data['id']}: member {data['creator']}, sequence {data['sequence']}",
        f"round created {data['round']}, {kind}{fame}",
        f"strongly seen by: {' '.join(data['strongly_seen_by']) or 'nobody'}",
    ]
    if data["witness"]:
        lines.append(f"strongly sees below: {' '.join(data['strongly_sees']) or 'nobody'}")
    for voting in data["votes"]:
        kind = ", coin round" if voting["coin"] else ""
        lines.append(f"round {voting['round']} votes (distance {voting['distance']}{kind})")
        for vote in voting["votes"]:
            counted = "" if vote["yes"] is None else f", counted {vote['yes']}:{vote['no']}"
            end = ", by coin" if vote["by_coin"] else ", decides" if vote["decides"] else ""
            weak = ", weak" if vote["weak"] else ""
            copied = f", copies {vote['copies']}" if vote["copies"] else ""
            answer = "yes" if vote["vote"] else "no"
            lines.append(f"  {vote['voter']}: {answer}{counted}{end}{weak}{copied}")
    if data["received"] is None:
        return [*lines, "not received yet"]
    lines.append(f"received in round {data['received']}, by the judges and when they first had it")
    lines += [f"  {item['judge']}: at {item['first']}, {item['time']}" for item in data["judges"]]
    lines.append(f"median {data['median']}, consensus time {data['time']}")
    return [*lines, f"place {data['position']} in the order"]


if __name__ == "__main__":
    main()
