"""From the table of measures: the dashboard of Grafana, the rules of Prometheus, the document.

Pure; `scripts/docs-metrics` writes what this returns.
"""

from __future__ import annotations

import json
from typing import Any, Final

from node.metric_table import ALERTS, MEASURES, PANELS, Group, Panel, Type

_WIDTH: Final = 8
"""Of a panel; the whole is 24 wide."""
_HEIGHT: Final = 7
_ABOUT: Final = """# Measures

`GET /api/v1/metrics` tells everything that a cell measures of itself, in the text format of
Prometheus. It takes a token with the scope `read`:

    myceld token create --name prometheus --scope read

Everything is asked of the parts of the cell at that moment: a cell that nobody asks spends nothing
on it. `deploy/prometheus/` has a configuration that asks cells, and the alert rules below;
`deploy/grafana/` has a dashboard; `deploy/compose.yaml` runs both beside four cells. Rules,
dashboard and this page are written by `scripts/docs-metrics` from one table,
[node/metric_table.py](../node/metric_table.py).
"""
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


def dashboard_text() -> str:
    """Return the dashboard as Grafana imports it: a row a group, every line by cell."""
    panels: list[dict[str, Any]] = []
    top = 0
    for group in Group:
        drawn = [panel for panel in PANELS if panel.group is group]
        if not drawn:
            continue
        panels.append(_row(len(panels), group, top))
        top += 1
        for at, panel in enumerate(drawn):
            place = {"x": at % 3 * _WIDTH, "y": top + at // 3 * _HEIGHT}
            panels.append(_panel(len(panels), panel, place))
        top += (len(drawn) + 2) // 3 * _HEIGHT
    content = {
        "title": "myceld",
        "uid": "myceld",
        "tags": ["myceld"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "source",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                }
            ]
        },
        "panels": panels,
    }
    return json.dumps(content, indent=1) + "\n"


def rules_text() -> str:
    """Return the alert rules as Prometheus reads them. JSON strings are YAML strings too."""
    lines = ["groups:", "  - name: myceld", "    rules:"]
    for alert in ALERTS:
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {json.dumps(alert.expression)}",
            f"        for: {alert.for_}",
            "        labels:",
            f"          severity: {alert.severity}",
            "        annotations:",
            f"          summary: {json.dumps(alert.summary)}",
            f"          description: {json.dumps(alert.remedy)}",
        ]
    return "\n".join(lines) + "\n"


def document_text() -> str:
    """Return docs/metrics.md."""
    lines = [*_ABOUT.splitlines()]
    for group in Group:
        rows = [row for row in MEASURES if row.group is group]
        lines += ["", f"## {group.value}", "", "| name | type | labels | is |", "|---|---|---|---|"]
        for row in rows:
            labels = ", ".join(f"`{label}`" for label in row.labels)
            name = f"{row.shown}{'_bucket' if row.type is Type.HISTOGRAM else ''}"
            lines.append(f"| `{name}` | {row.type.value} | {labels} | {row.text} |")
    lines += [
        "",
        "## Alerts",
        "",
        "| alert | when | holds for | severity | then |",
        "|---|---|---|---|---|",
    ]
    for alert in ALERTS:
        when = alert.expression.replace("|", "\\|")
        lines.append(
            f"| {alert.name} | `{when}` | {alert.for_} | {alert.severity} | {alert.remedy} |"
        )
    return "\n".join(lines) + "\n"


def _row(number: int, group: Group, top: int) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "row",
        "title": group.value,
        "collapsed": False,
        "gridPos": {"x": 0, "y": top, "w": 24, "h": 1},
        "panels": [],
    }


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "gridPos": {**place, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {
            "tooltip": {"mode": "multi", "sort": "desc"},
            "legend": {"displayMode": "list"},
        },
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": _SOURCE,
                "expr": expr,
                "legendFormat": legend,
            }
            for at, (expr, legend) in enumerate(panel.lines)
        ],
    }
