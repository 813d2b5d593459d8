"""The graph of trust as a picture (SVG), or in the language of Graphviz. Plain text, no library.

The cell itself stands in the middle, others on rings around it by how many attestations lead to
them; their colour says what access their score gives, the lines' strength what one says of another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from cli import show

_RING_PX: Final = 170
_MARGIN_PX: Final = 90
_COLOURS: Final[Mapping[str, str]] = {
    "full": "#1a7f37",
    "standard": "#4a9c2d",
    "limited": "#b08800",
    "read-only": "#bc4c00",
    "none": "#8c959f",
}

_FONT: Final = 'font-family="sans-serif" font-size="12"'
_TIP: Final = (
    '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="#57606a"/></marker>'
)

Graph: TypeAlias = Mapping[str, Any]
"""A TrustGraphView."""


def brief(cell_id: str) -> str:
    """Return the end of a cell id: their beginnings are all alike."""
    return f"…{cell_id[-8:]}"


def dot(graph: Graph) -> str:
    """Return the graph for Graphviz."""
    lines = ["digraph trust {", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for cell in graph["cells"]:
        label = f"{_label(cell)}\n{cell['score']:.2f}"
        colour = _quoted(_COLOURS.get(cell["level"], _COLOURS["none"]))
        lines.append(f"  {_quoted(cell['cell_id'])} [label={_quoted(label)}, color={colour}];")
    for edge in graph["edges"]:
        ends = f"{_quoted(edge['issuer'])} -> {_quoted(edge['subject'])}"
        lines.append(f'  {ends} [label="{edge["weight"]:.2f}"];')
    return "\n".join([*lines, "}"]) + "\n"


def svg(graph: Graph) -> str:
    """Return the graph as a picture."""
    places = _places(graph)
    radius = max((math.hypot(x, y) for x, y in places.values()), default=0.0)
    half = round(radius + _MARGIN_PX)
    box = f"{-half} {-half} {2 * half} {2 * half}"
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" {_FONT}>', _TIP]
    lines += [
        _line(places[edge["issuer"]], places[edge["subject"]], edge["weight"])
        for edge in graph["edges"]
    ]
    for cell in graph["cells"]:
        x, y = places[cell["cell_id"]]
        colour = _COLOURS.get(cell["level"], _COLOURS["none"])
        title = f"{cell['cell_id']}: {cell['score']:.4f}, {cell['level']}"
        lines.append(
            f"<g><title>{escape(title)}</title>"
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="14" fill={quoteattr(colour)}/>'
            f'<text x="{x:.0f}" y="{y + 28:.0f}" text-anchor="middle">'
            f"{escape(_label(cell))} {cell['score']:.2f}</text></g>"
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _places(graph: Graph) -> dict[str, tuple[float, float]]:
    """Return where each cell stands, by its id."""
    rings: dict[int, list[str]] = {}
    for cell_id, steps in _steps(graph).items():
        rings.setdefault(steps, []).append(cell_id)
    places: dict[str, tuple[float, float]] = {}
    radius = 0.0
    for steps in sorted(rings):
        ring = rings[steps]
        if steps:
            # Wide enough that names beside each other can be read.
            radius = max(radius + _RING_PX, len(ring) * _MARGIN_PX / (2 * math.pi))
        for at, cell_id in enumerate(ring):
            angle = 2 * math.pi * at / len(ring) + steps / 2
            places[cell_id] = (radius * math.cos(angle), radius * math.sin(angle))
    return places


def _steps(graph: Graph) -> dict[str, int]:
    """Return how many attestations lead from the cell itself to each one."""
    cells = [cell["cell_id"] for cell in graph["cells"]]
    said: dict[str, list[str]] = {}
    for edge in graph["edges"]:
        said.setdefault(edge["issuer"], []).append(edge["subject"])
    steps = {cell["cell_id"]: 0 for cell in graph["cells"] if cell["is_self"]}
    ring = list(steps)
    while ring:
        following = [subject for issuer in ring for subject in said.get(issuer, [])]
        ring = [subject for subject in dict.fromkeys(following) if subject not in steps]
        steps |= dict.fromkeys(ring, max(steps.values()) + 1)
    beyond = max(steps.values(), default=0) + 1
    return {cell_id: steps.get(cell_id, beyond) for cell_id in cells}


def _line(start: tuple[float, float], end: tuple[float, float], weight: float) -> str:
    """Return an arrow from one cell to another, which ends where the other's circle begins."""
    length = math.hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    share = max(length - 16, 0.0) / length
    x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return (
        f'<path d="M{start[0]:.0f} {start[1]:.0f}L{x:.0f} {y:.0f}" stroke="#57606a" '
        f'stroke-width="{0.5 + 2 * weight:.1f}" stroke-opacity="{0.2 + 0.6 * weight:.2f}" '
        'marker-end="url(#tip)"/>'
    )


def _label(cell: Mapping[str, Any]) -> str:
    return show.safe(cell["name"] or brief(cell["cell_id"]))


def _quoted(text: str) -> str:
    """Return a string of Graphviz; a backslash is doubled, so that a name can not steer it."""
    safe = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{safe}"'
