"""SBP's sweep of mixtures (arXiv 2509.15248, Figures 6 and 7): how much of a fixed token budget a synthesizer should write.

Reads held-out losses and evaluations of models by their synthetic share, and papers/sbp/claims.yaml. Makes shares.pdf and
shares.png (loss and accuracy by share, against no synthetic text), shares.csv (every plotted number) and shares.claims.json.

The best share is picked after looking. Whether it is an interior one is judged by the best of the shares between against the
better of the two ends, with bounds that hold whichever are picked (scripts.lib.statistics.peak_difference).
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.sbp import arms as arms_
from papers.sbp.arms import COVER, LEVEL
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"loss": figures.COLOURS["blue"], "accuracy": figures.COLOURS["vermilion"]}


def by_share(models: dict[str, list[str]]) -> dict[str, list[str]]:
    """The row's models by rising share; the first is 0.

    Raises:
        ValueError: without a share of 0 to compare with, or fewer than three.
    """
    found = dict(sorted(models.items(), key=lambda item: float(item[0])))
    shares = [float(share) for share in found]
    if len(shares) < 3 or shares[0] != 0:
        raise ValueError(f"models by share {shares}: expected 0 and two or more further")
    return found


def interior(estimate: np.ndarray, drawn: np.ndarray, level: float) -> dict[str, float]:
    """What the best share between beats the better end by; ``estimate`` (shares,) and ``drawn`` are highest where best."""
    width = max(2, len(estimate) - 2)  # what is fewer is said again
    inner, ends = np.resize(np.arange(1, len(estimate) - 1), width), np.resize([0, len(estimate) - 1], width)
    both = np.stack([inner, ends])
    return statistics.peak_difference(estimate[both], drawn[:, both], 0, 1, level)


def best(estimate: np.ndarray, drawn: np.ndarray, shares: np.ndarray, level: float) -> dict[str, float]:
    """The share at which the highest of ``estimate`` (shares,) stands, and percentiles of where it stands in draws."""
    low, high = np.quantile(shares[drawn.argmax(1)], [level, 1 - level], method="inverted_cdf")
    return {"estimate": float(shares[estimate.argmax()]), "low": float(low), "high": float(high), "level": level}


Drawn = dict[str, tuple[np.ndarray, np.ndarray]]  # loss or accuracy -> estimate (shares,), draws (draws, shares)


def findings(found: Drawn, shares: np.ndarray, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    better = {"loss": tuple(-one for one in found["loss"]), "accuracy": found["accuracy"]}
    out = {f"shares-interior-{m}": interior(*better[m], claims[f"shares-interior-{m}"]["level"]) for m in better}
    out["shares-best"] = best(*better["loss"], shares, claims["shares-best"]["level"])
    return out


def plotted(found: Drawn, shares: np.ndarray, sizes: dict[str, int], seeds: int) -> pd.DataFrame:
    """Every plotted number: values and gains on no synthetic text by share, with bounds at LEVEL; best is the best share."""
    lines = []
    for metric, (estimate, drawn) in found.items():
        sign, unit = (-1, "nats a token") if metric == "loss" else (1, "points")
        base = {"metric": metric, "unit": unit, "n": sizes[metric], "seeds": seeds}
        for i, share in enumerate(shares):
            lines.append({"panel": "value", "x": share, **base, **arms_.bounds(estimate[i], drawn[:, i], LEVEL)})
            if i:
                one = sign * (estimate[i] - estimate[0]), sign * (drawn[:, i] - drawn[:, 0])
                lines.append({"panel": "gain", "x": share, **base, **arms_.bounds(*one, LEVEL)})
        lines.append({"panel": "best", **base, "unit": "share", **best(sign * estimate, sign * drawn, shares, LEVEL)})
    table = pd.DataFrame(lines).rename(columns={"estimate": "y"})
    return table[["panel", "metric", "unit", "x", "y", "low", "high", "n", "seeds"]]


# --- the figure -------------------------------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, judged: list[dict], row: dict) -> "Figure":
    """Gain on no synthetic text by share, in loss and in accuracy; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in footer(judged, row) for line in textwrap.wrap(part, 131)]
    height = 2.6 + 0.137 * len(lines)
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        places = ((0.62, 2.7), (4.1, 2.7))  # inches: left edge and width
        axes = [figure.add_axes((x / figures.WIDTH, 1 - 2.12 / height, w / figures.WIDTH, 1.72 / height)) for x, w in places]
        titles = {"loss": "held-out loss", "accuracy": "accuracy, mean of tasks"}
        for axis, metric in zip(axes, titles, strict=True):
            _panel(axis, table[table["metric"] == metric], metric)
            axis.set_title(titles[metric], fontweight="bold", pad=11)
            part = table[table["metric"] == metric].iloc[0]
            what = "documents" if metric == "loss" else "items"
            figures.under_title(axis, f"up is better; n {int(part['n']):,} {what}, {int(part['seeds'])} seeds a share")
        figures.footer(figure, lines)
    return figure


def _panel(axis: "Axes", table: pd.DataFrame, metric: str) -> None:
    """Gains by share, 0 where there is no synthetic text; the best share is ringed."""
    gain = table[table["panel"] == "gain"]
    x, y = [0.0, *100 * gain["x"]], [0.0, *gain["y"]]
    errors = [[0.0, *(gain["y"] - gain["low"])], [0.0, *(gain["high"] - gain["y"])]]
    axis.errorbar(x, y, yerr=errors, color=COLOURS[metric], marker="o", markersize=4.5, linewidth=1.2, capsize=2)
    top = int(np.argmax(y))
    axis.plot(x[top], y[top], "o", markersize=10, markerfacecolor="none", color=figures.COLOURS["black"], markeredgewidth=1)
    axis.axhline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    axis.set_xticks(x, [f"{value:g}" for value in x])
    axis.set_xlabel("synthetic share of the token budget, %", labelpad=1)
    axis.set_ylabel(f"gain on 0 %, {table['unit'].iloc[0]}", labelpad=2)
    axis.margins(x=0.06, y=0.14)


def footer(judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: what is fixed, verdicts, what intervals cover."""
    by_name = {entry["claim"]: entry for entry in judged}
    place = by_name["shares-best"]
    return [
        f"{figures.SCALES[row['scale']]}. The budget is fixed: what the synthesizer writes, each text once, takes the place "
        "of repeats of the real documents. Ringed: best. 90 % intervals.",
        f"Best share between less the better end: loss {arms_.said(by_name['shares-interior-loss'], 4)} (nats a token); "
        f"accuracy {arms_.said(by_name['shares-interior-accuracy'])} (points).",
        f"Best share by loss: {100 * place['estimate']:g} % [{100 * place['low']:g}, {100 * place['high']:g}], "
        f"{place['verdict']}; published at 200B tokens: 37.5 %. Bounds cover {COVER}.",
    ]


def shares(
    losses: list[str],
    scores: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    code: str,
    draws: int = arms_.DRAWS,
) -> None:
    """Draw and judge: tables and claims.yaml in, the four files out."""
    row = {**row, "models": by_share(row["models"])}
    loss, score = arms_.read(losses), arms_.read(scores)
    values = {"loss": [arms_.losses(loss, row["models"], [0], row["name"])], "accuracy": arms_.scores(score, row, [0])}
    found = {}
    for metric, one in values.items():
        estimate, drawn = arms_.drawn(one, row["name"], draws)
        found[metric] = estimate[:, 0], drawn[:, :, 0]
    at = np.array([float(share) for share in row["models"]])
    entries = claims_.read_claims(claims, "shares")
    verdicts = claims_.judge(entries, findings(found, at, entries), row["scale"])
    sizes = {metric: sum(len(part) for part in one) for metric, one in values.items()}
    seeds = values["loss"][0].shape[-1]
    numbers = plotted(found, at, sizes, seeds)
    n = f"{sizes['loss']} documents, {sizes['accuracy']} items, {seeds} seeds a share"
    about = {"artifact": "shares", "code": code, "cover": COVER, "n": n}
    figures.publish(draw(numbers, verdicts, row), numbers, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        shares(
            snakemake.input.losses,
            snakemake.input.scores,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
