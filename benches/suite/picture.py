"""A picture of the targets: one bar each, the target at 1."""

from __future__ import annotations

from html import escape
from pathlib import Path

from suite.report import Row

WIDTH, LABELS, BARS = 900, 420, 380
STEP, HEIGHT, TOP = 30, 16, 56
# Where bars end: twice the target.
MOST = 2.0


def draw(rows: list[Row], title: str, path: Path) -> None:
    """Writes an SVG file."""
    shown = [(row, row.score) for row in rows if row.score is not None]
    bottom = TOP + STEP * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + 24}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="16" y="24" font-size="15">{escape(title)}</text>',
        '<text x="16" y="42" fill="#666">Bars: how far a target is reached (right of the line: '
        "reached; bars end at twice the target). Whiskers: all repetitions.</text>",
    ]
    for index, (row, score) in enumerate(shown):
        parts += _bar(row, score, TOP + STEP * index)
    line = LABELS + BARS / MOST
    parts.append(
        f'<line x1="{line}" x2="{line}" y1="{TOP - 4}" y2="{bottom}" stroke="black"/>'
        f'<text x="{line}" y="{bottom + 14}" text-anchor="middle">target</text></svg>'
    )
    path.write_text("\n".join(parts) + "\n")


def _bar(row: Row, score: float, top: int) -> list[str]:
    scores = sorted(value for value in map(row.score_of, row.values) if value is not None)
    ends = [LABELS + BARS * min(value, MOST) / MOST for value in (scores[0], scores[-1])]
    width = BARS * min(score, MOST) / MOST
    colour = "#2a9d5c" if row.reached else "#d1495b"
    middle = top + HEIGHT / 2
    unit = "" if row.figure.unit == "x" else f" {row.figure.unit}"
    label = escape(f"{row.figure.name}  {row.figure.text}")
    value = escape(f"{row.median:.3g}{unit} (target {row.target})")
    return [
        f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{label}</text>',
        f'<rect x="{LABELS}" y="{top}" width="{width:.1f}" height="{HEIGHT}" fill="{colour}"/>',
        f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{middle}" y2="{middle}" stroke="#222"/>',
        f'<text x="{LABELS + 6}" y="{middle + 4}" fill="#111">{value}</text>',
    ]
