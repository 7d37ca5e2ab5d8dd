"""The table, the JSON file and the picture."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from suite.figures import FIGURES, Figure

# A target holds when the median reaches it and the worst repetition 0.9 of it.
SLACK = 0.9


@dataclass(frozen=True)
class Row:
    """A figure and what it was in each repetition."""

    figure: Figure
    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def score(self) -> float | None:
        """The median against the target: 1 and more is reached. None without a target."""
        return self.score_of(self.median)

    @property
    def reached(self) -> bool | None:
        worst = [self.score_of(value) for value in self.values]
        if self.score is None or None in worst:
            return None
        return self.score >= 1 and min(score for score in worst if score is not None) >= SLACK

    def score_of(self, value: float) -> float | None:
        figure = self.figure
        if figure.at_least is not None:
            return value / figure.at_least
        if figure.at_most is not None:
            # Nothing at all where nothing is allowed is reached.
            return figure.at_most / value if value > 0 else 1.0
        return None

    @property
    def target(self) -> str:
        figure = self.figure
        if figure.at_least is not None:
            return f">= {figure.at_least:g}"
        return "" if figure.at_most is None else f"<= {figure.at_most:g}"


def rows(found: list[dict[str, float]]) -> list[Row]:
    """The figures that were measured, in the order of the table."""
    made = [
        Row(figure, [values[figure.name] for values in found if figure.name in values])
        for figure in FIGURES
    ]
    return [row for row in made if row.values]


def table(rows: list[Row]) -> str:
    """The table as text."""
    verdicts = {True: "yes", False: "NO", None: ""}
    lines = [f"{'':14}{'':58}{'median':>9}{'low':>9}{'high':>9}  {'target':9}reached"]
    for row in rows:
        numbers = (row.median, min(row.values), max(row.values))
        cells = "".join(f"{number:>9.3g}" for number in numbers)
        unit = "" if row.figure.unit == "x" else f" [{row.figure.unit}]"
        text = f"{row.figure.name:14}{row.figure.text + unit:58}"
        lines.append(f"{text}{cells}  {row.target:9}{verdicts[row.reached]}".rstrip())
    return "\n".join(lines)


def save(rows: list[Row], facts: dict[str, object], path: Path) -> None:
    """Writes everything that was measured."""
    figures = [
        asdict(row.figure) | {"values": row.values, "median": row.median, "reached": row.reached}
        for row in rows
    ]
    path.write_text(json.dumps(facts | {"figures": figures}, indent=2) + "\n")
