"""Dashboard, alerts and document are those of the table, and name nothing that no cell has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from node.dashboard import dashboard_text, document_text, rules_text
from node.metric_table import ALERTS, MEASURES, PANELS, Type

ROOT = Path(__file__).resolve().parents[2]
NAMES = re.compile(r"\b(?:myceld|process)_[a-z_]+")
SHOWN = {row.shown for row in MEASURES if row.type is not Type.HISTOGRAM}
SERIES = {
    f"{row.shown}_{part}"
    for row in MEASURES
    if row.type is Type.HISTOGRAM
    for part in ("bucket", "sum", "count")
}
EXPRESSIONS = [
    *(expression for panel in PANELS for expression, _ in panel.lines),
    *(alert.expression for alert in ALERTS),
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/metrics.md", document_text()),
        ("deploy/grafana/dashboard.json", dashboard_text()),
        ("deploy/prometheus/alerts.yml", rules_text()),
    ],
)
def test_the_files_are_those_of_the_table(name: str, text: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == text, "run scripts/docs-metrics"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_drawn_and_watched_is_measured_with_these_labels(expression: str) -> None:
    named = set(NAMES.findall(expression))
    assert named <= SHOWN | SERIES
    assert named or expression.startswith("up{")
    labels = {label for row in MEASURES for label in row.labels} | {"job"}
    assert set(re.findall(r"(\w+)=\"", expression)) <= labels


def test_names_are_different_and_have_the_units_of_prometheus() -> None:
    names = [row.shown for row in MEASURES]
    assert len(set(names)) == len(names)
    for row in MEASURES:
        if row.type is Type.HISTOGRAM:
            assert row.name.endswith("_seconds")
        assert not row.name.endswith(("_total", "_ms", "_kb"))


def test_every_part_of_a_cell_that_is_measured_is_drawn() -> None:
    drawn = {panel.group for panel in PANELS}
    assert {row.group for row in MEASURES} <= drawn
    content = json.loads(dashboard_text())
    assert len({panel["id"] for panel in content["panels"]}) == len(content["panels"])
    for panel in content["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24


def test_the_rules_are_read_back_and_each_says_what_to_do() -> None:
    (group,) = yaml.safe_load(rules_text())["groups"]
    read = {rule["alert"]: rule for rule in group["rules"]}
    assert list(read) == [alert.name for alert in ALERTS]
    for alert in ALERTS:
        rule = read[alert.name]
        assert rule["expr"] == alert.expression
        assert rule["annotations"]["description"] == alert.remedy
        assert alert.remedy.strip()
