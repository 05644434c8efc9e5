"""SBP's training dynamics (arXiv 2509.15248): held-out loss while baseline, SBP and oracle are trained, where SBP goes ahead.

Reads held-out losses of the models' checkpoints and papers/sbp/claims.yaml. Makes dynamics.pdf and dynamics.png (loss by
tokens; what each arm is ahead of the baseline by; change over the last third), dynamics.csv (every plotted number) and
dynamics.claims.json.

All arms follow the same cosine of learning rates, which lowers every loss at its end, so that a baseline which has nothing left
to learn need not be flat: what it has lost by overfitting and won by annealing is in its slope.
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.sbp import arms as arms_
from papers.sbp.arms import COVER, LEVEL, LOOK, NAMES
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def percents(table: pd.DataFrame, models: dict[str, list[str]]) -> list[int]:
    """The shares of training, in per cent, at which all models have a checkpoint, and 100, rising.

    Raises:
        ValueError: where fewer than two stand in the last third, which has no slope then.
    """
    wanted = {model for names in models.values() for model in names}
    common = set.intersection(*(set(part["epoch"]) for run, part in table.groupby("run", observed=True) if run in wanted))
    found = sorted(common - {0}) + [100]
    if sum(percent > 200 / 3 for percent in found) < 2:
        raise ValueError(f"checkpoints after {found} per cent: expected two or more in the last third, the end included")
    return found


def slope_weights(at: np.ndarray) -> np.ndarray:
    """Weights w so that ``w @ loss`` is the change over the last third of training along the least-squares line through it.

    ``at`` are shares of training, rising, 1 at the end: for losses of 3, 2.8, 2.6 at 0.7, 0.85 and 1 the change is -0.444.
    """
    last = at > 2 / 3
    x = np.where(last, at - at[last].mean(), 0.0)
    return x / (x**2).sum() / 3


def crossing(at: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Where curves (n, moments) go below zero for good, along a line between moments; NaN where they end above or never were.

    ``crossing([1, 2, 3], [[1, 1, -1]])`` is [2.5].
    """
    above = behind > 0
    last = behind.shape[1] - 1 - above[:, ::-1].argmax(1)  # the last moment above zero
    good = above.any(1) & ~above[:, -1]
    first = np.where(good, last, 0)
    lines = np.arange(len(behind))
    one, two = behind[lines, first], behind[lines, np.minimum(first + 1, behind.shape[1] - 1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        place = at[first] + (at[np.minimum(first + 1, len(at) - 1)] - at[first]) * one / (one - two)
    return np.where(good, place, np.nan)


def findings(
    estimate: np.ndarray, drawn: np.ndarray, at: np.ndarray, arms: list[str], claims: dict[str, dict]
) -> dict[str, dict]:
    """What was found for each claim with a direction, from losses (arms, moments) and draws of them; nats a token."""
    base, sbp, oracle = (arms.index(arm) for arm in ("baseline", "sbp", "oracle"))
    early, end = (at <= 1 / 3) / (at <= 1 / 3).sum(), np.eye(len(at))[-1]
    asked = {
        "dynamics-behind": (sbp, base, early),
        "dynamics-ahead": (base, sbp, end),
        "dynamics-baseline-flat": (base, None, slope_weights(at)),
        "dynamics-sbp-falls": (sbp, None, slope_weights(at)),
        "dynamics-oracle-falls": (oracle, None, slope_weights(at)),
    }
    out = {}
    for name, (one, less, weights) in asked.items():
        value, draws = estimate[one] @ weights, drawn[:, one] @ weights
        if less is not None:
            value, draws = value - estimate[less] @ weights, draws - drawn[:, less] @ weights
        out[name] = arms_.bounds(value, draws, claims[name]["level"])
    return out


def plotted(
    estimate: np.ndarray, drawn: np.ndarray, values: np.ndarray, at: np.ndarray, tokens: int, arms: list[str]
) -> pd.DataFrame:
    """Every plotted number, x in tokens: panel loss (with the least and largest of seeds), ahead (of the baseline), last third.

    crossing is where SBP goes ahead of the baseline for good; ``share`` is that of draws in which it does.
    """
    lines, base, seeds = [], arms.index("baseline"), values.mean(0)  # (arms, moments, seeds)
    for i, arm in enumerate(arms):
        for j, moment in enumerate(at):
            spread = {"low": seeds[i, j].min(), "high": seeds[i, j].max()}
            lines.append({"panel": "loss", "arm": arm, "x": tokens * moment, "estimate": estimate[i, j], **spread})
            if i != base:
                ahead = arms_.bounds(estimate[base, j] - estimate[i, j], drawn[:, base, j] - drawn[:, i, j], LEVEL)
                lines.append({"panel": "ahead", "arm": arm, "x": tokens * moment, **ahead})
        w = slope_weights(at)
        lines.append({"panel": "last third", "arm": arm, **arms_.bounds(estimate[i] @ w, drawn[:, i] @ w, LEVEL)})
    sbp = arms.index("sbp")
    point = crossing(at, (estimate[sbp] - estimate[base])[None])[0]
    each = crossing(at, drawn[:, sbp] - drawn[:, base])
    crossed = np.isfinite(each)
    low, high = statistics.interval(each[crossed], LEVEL) if crossed.mean() > 1 - LEVEL else (np.nan, np.nan)
    line = {"panel": "crossing", "arm": "sbp", "estimate": tokens * point, "low": tokens * low, "high": tokens * high}
    table = pd.DataFrame([*lines, {**line, "share": crossed.mean()}]).rename(columns={"estimate": "y"})
    table = table.assign(n=len(values), seeds=values.shape[-1])
    return table[["panel", "arm", "x", "y", "low", "high", "share", "n", "seeds"]]


# --- the figure -------------------------------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, judged: list[dict], row: dict) -> "Figure":
    """Loss by tokens, what arms are ahead by, the last third; legend and footer below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in footer(table, judged, row) for line in textwrap.wrap(part, 131)]
    height = 2.78 + 0.137 * len(lines)
    arms = list(row["models"])
    n, seeds = (int(table[key].iloc[0]) for key in ("n", "seeds"))
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        places = ((0.52, 1.7), (3.02, 1.62), (5.42, 1.42))  # inches: left edge and width
        axes = [figure.add_axes((x / figures.WIDTH, 1 - 2.1 / height, w / figures.WIDTH, 1.7 / height)) for x, w in places]
        unit, units = (1e9, "billions") if table["x"].max() >= 1e9 else (1e6, "millions")
        for axis, panel in zip(axes, ("loss", "ahead"), strict=False):
            _curves(axis, table[table["panel"] == panel], arms, unit)
            axis.set_xlabel(f"tokens read, {units}", labelpad=1)
        axes[0].set_ylabel("held-out loss, nats a token")
        axes[0].set_title("while training", fontweight="bold", pad=11)
        figures.under_title(axes[0], f"mean, range of {seeds} seeds; n {n:,}")
        axes[1].set_ylabel("loss below the baseline's,\nnats a token", labelpad=1)
        axes[1].axhline(0, color=figures.COLOURS["black"], linewidth=0.7, linestyle=LOOK["baseline"]["linestyle"], zorder=0)
        axes[1].set_title("ahead of the baseline", fontweight="bold", pad=11)
        figures.under_title(axes[1], "90 % intervals; above 0 is better")
        cross = table[table["panel"] == "crossing"].iloc[0]
        if np.isfinite(cross["y"]):
            axes[1].axvline(cross["y"] / unit, color=LOOK["sbp"]["color"], linewidth=0.9, linestyle=(0, (1, 1)))
        last = table[table["panel"] == "last third"].set_index("arm")
        for place, arm in enumerate(arms):
            arms_.mark(axes[2], -place, last.loc[arm], arm)
        axes[2].axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
        band = {entry["claim"]: entry for entry in judged}["dynamics-baseline-flat"]["tolerance"]
        axes[2].axvspan(-band, band, color="#bbbbbb", alpha=0.35, linewidth=0, zorder=0)
        axes[2].set_yticks([-i for i in range(len(arms))], [NAMES.get(arm, arm).split(",")[0] for arm in arms])
        axes[2].tick_params(axis="y", length=0)
        axes[2].spines["left"].set_visible(False)
        axes[2].set_ylim(0.6 - len(arms), 0.6)
        axes[2].locator_params(axis="x", nbins=4)
        axes[2].set_xlabel("change of loss, nats a token", labelpad=1)
        axes[2].set_title("over the last third", fontweight="bold", pad=11)
        figures.under_title(axes[2], "90 % intervals; band: flat")
        handles, labels = axes[0].get_legend_handles_labels()
        place = {"loc": "upper left", "bbox_to_anchor": (0.006, 1 - 2.42 / height)}
        figure.legend(handles, labels, ncols=len(handles), frameon=False, handlelength=3.0, columnspacing=1.6, **place)
        figures.footer(figure, lines)
    return figure


def _curves(axis: "Axes", table: pd.DataFrame, arms: list[str], unit: float) -> None:
    """A line with a band for each arm that the panel has, by tokens in ``unit``."""
    for arm in arms:
        line = table[table["arm"] == arm]
        if len(line):
            axis.plot(line["x"] / unit, line["y"], label=NAMES.get(arm, arm), **LOOK[arm])
            axis.fill_between(line["x"] / unit, line["low"], line["high"], color=LOOK[arm]["color"], alpha=0.15, linewidth=0)
    axis.set_xlim(0, 1.04 * table["x"].max() / unit)
    axis.locator_params(axis="x", nbins=5)


def footer(table: pd.DataFrame, judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: scale, crossing, verdicts, what intervals cover."""
    by_name = {entry["claim"]: entry for entry in judged}
    cross = table[table["panel"] == "crossing"].iloc[0]
    where = f"at {arms_.grouped(cross['y'])} tokens" if np.isfinite(cross["y"]) else "nowhere"
    if np.isfinite(cross["low"]):
        where += f" [{arms_.grouped(cross['low'])}, {arms_.grouped(cross['high'])}]"
    tokens = arms_.grouped(table["x"].max())

    def said(name: str) -> str:
        return arms_.said(by_name[name], 4)

    return [
        f"{figures.SCALES[row['scale']]}. n: held-out documents. {tokens} tokens an arm, one cosine of learning rates. SBP "
        f"goes ahead of the baseline for good {where}, in {100 * cross['share']:.0f} % of draws.",
        f"SBP's loss less the baseline's in the first third: {said('dynamics-behind')}. The baseline's less SBP's at the "
        f"end: {said('dynamics-ahead')}.",
        f"Change over the last third: baseline {said('dynamics-baseline-flat')}; SBP {said('dynamics-sbp-falls')}; oracle "
        f"{said('dynamics-oracle-falls')}. Bounds cover {COVER}.",
        f"Behind, then ahead: {by_name['dynamics-crossover']['verdict'].upper()}. Baseline flat while SBP falls: "
        f"{by_name['dynamics-saturation']['verdict'].upper()}.",
    ]


def dynamics(
    losses: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    tokens: int,
    code: str,
    draws: int = arms_.DRAWS,
) -> None:
    """Draw and judge: tables and claims.yaml in, the four files out; ``tokens`` is what each model is trained on."""
    table, arms = arms_.read(losses), list(row["models"])
    found = percents(table, row["models"])
    values = arms_.losses(table, row["models"], [*found[:-1], 0], row["name"])
    at = np.array(found) / 100
    estimate, drawn = arms_.drawn([values], row["name"], draws)
    entries = claims_.read_claims(claims, "dynamics")
    verdicts = claims_.judge(entries, findings(estimate, drawn, at, arms, entries), row["scale"])
    numbers = plotted(estimate, drawn, values, at, tokens, arms)
    n = f"{len(values)} documents, {values.shape[-1]} seeds an arm, {len(at)} moments"
    about = {"artifact": "dynamics", "code": code, "cover": COVER, "n": n}
    figures.publish(draw(numbers, verdicts, row), numbers, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        dynamics(
            snakemake.input.losses,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            tokens=snakemake.params.tokens,
            code=snakemake.params.code,
        )
