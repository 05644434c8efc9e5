"""The look of every figure: colours, sizes, ticks, words, footer, and its four files, which come out the same each time."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib import claims as claims_
from scripts.lib.files import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

WIDTH = 7.0  # inches: two columns of a paper
# Okabe and Ito's palette, the four that also differ in lightness when printed in grey (0, 38, 50 and 68 % of white)
COLOURS = {"black": "#000000", "blue": "#0072B2", "vermilion": "#D55E00", "orange": "#E69F00"}
GREY = "#7a7a7a"
INK = "#444444"  # of notes
SCALES = {
    "smoke": "smoke: models of seconds; no claim is judged",
    "laptop": "laptop analogue: models trained from scratch by the workflow",
    "gpu": "gpu: small models from the hub",
    "paper": "paper: the paper's models and sizes",
}
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,
    "savefig.dpi": 250,
    "svg.hashsalt": "resynth",
}


def spread_ticks(epochs: list[int], closest: float = 0.085) -> list[int]:
    """Epochs whose labels fit on an axis spaced by log(1 + epoch): first, last, and others at least ``closest`` of it apart.

    ``spread_ticks([0, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 35, 40])`` is ``[0, 1, 2, 3, 5, 8, 12, 20, 40]``.
    """
    last = math.log1p(epochs[-1])
    kept = [epochs[0]]
    for epoch in epochs[1:-1]:
        place = math.log1p(epoch) / last
        if place - math.log1p(kept[-1]) / last >= closest and 1 - place >= 1.4 * closest:
            kept.append(epoch)
    return [*kept, epochs[-1]]


def epoch_axis(axis: "Axes", epochs: list[int]) -> None:
    """Space x by log(1 + epoch), so that early epochs can be told apart, with epochs as tick labels."""
    axis.set_xscale("function", functions=(_log1p, _expm1))
    axis.set_xticks(spread_ticks(epochs))
    axis.set_xticks([], minor=True)
    axis.set_xticklabels([str(epoch) for epoch in spread_ticks(epochs)])
    margin = 0.03 * math.log1p(epochs[-1])
    axis.set_xlim(math.expm1(-margin), math.expm1(math.log1p(epochs[-1]) + margin))


def _log1p(x: object) -> object:
    import numpy as np

    return np.log1p(np.maximum(x, -0.999))


def _expm1(x: object) -> object:
    import numpy as np

    return np.expm1(x)


def footer(figure: "Figure", lines: list[str], left: float = 0.012, bottom: float = 0.008) -> None:
    """Put lines of text at the lower left of the figure."""
    figure.text(left, bottom, "\n".join(lines), ha="left", va="bottom", fontsize=7, color="#333333", linespacing=1.35)


def save(figure: "Figure", *paths: str | Path) -> None:
    """Save to each path by its ending (.pdf, .png), atomically, without dates or versions: same numbers, same bytes."""
    for path in map(Path, paths):
        kind = path.suffix[1:]
        blank = {"pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "png": {"Software": None}}
        import matplotlib

        with atomic(path) as beside, matplotlib.rc_context(STYLE):
            figure.savefig(beside, format=kind, metadata=blank[kind])


def under_title(axis: "Axes", note: str) -> None:
    """A small line between a panel's title and its frame; the title needs ``pad=11``."""
    axis.annotate(
        note,
        (0.5, 1),
        (0, 2.2),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=7,
        color=INK,
    )


def said(entry: dict, unit: str = "") -> str:
    """An entry of claims.json in short: ``+2.65 [+1.67, +3.62], reproduced``."""
    return f"{entry['estimate']:+.2f} [{entry['low']:+.2f}, {entry['high']:+.2f}]{unit}, {entry['verdict']}"


def publish(
    figure: "Figure",
    table: "DataFrame",
    verdicts: list[dict],
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    artifact: str,
    code: str,
    cover: str,
    **more: object,
) -> None:
    """Write the four files of a figure: every plotted number, the verdicts with what their intervals cover, and the pictures.

    ``artifact`` says whose claims these are, ``cover`` what their intervals do; ``more`` goes into the JSON of the verdicts.
    """
    with atomic(csv) as beside:
        table.to_csv(beside, index=False, float_format="%.6g")
    reading = "low and high are one-sided bounds at level"
    about = {"artifact": artifact, "figure": row["name"], "scale": row["scale"], "code": code, "intervals_cover": cover}
    claims_.write_claims(judged, verdicts, **about, reading=reading, **more)
    save(figure, pdf, png)
