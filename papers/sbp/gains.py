"""SBP's main table (arXiv 2509.15248, Table 1): a baseline that repeats its documents, SBP, and an oracle of fresh documents.

Reads held-out losses and evaluations of the models, cards (parameters and tokens of each step) and papers/sbp/claims.yaml.
Makes gains.pdf and gains.png (what each arm gains on the baseline in held-out loss and in accuracy; what it costs in all; the
table), gains.csv (every plotted number) and gains.claims.json.

The share of the oracle's gain is judged on the mean over tasks, not task by task. "Compute-matched" counts the tokens that the
last model reads; beside it stands all that an arm takes: the model that the synthesizer starts from, embedding, tuning and
synthesis too, in FLOPs by 6 a parameter and token of training and 2 of reading or writing (Kaplan et al. 2020).
"""

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.sbp import arms as arms_
from papers.sbp.arms import COVER, LEVEL, LOOK, NAMES
from scripts.lib import claims as claims_
from scripts.lib import figures
from scripts.lib.files import card_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS = {  # of an arm's cost: how it is drawn
    "pretraining": {"color": "#3b3b3b"},
    "synthesizer's base": {"color": figures.COLOURS["blue"]},
    "tuning": {"color": figures.COLOURS["orange"]},
    "synthesis": {"color": figures.COLOURS["vermilion"]},
    "embedding": {"color": "#bbbbbb"},
}

Drawn = dict[str, tuple[np.ndarray, np.ndarray]]  # metric -> estimate (arms,), draws (draws, arms)


def measured(losses: pd.DataFrame, scores: pd.DataFrame, row: dict, draws: int = arms_.DRAWS) -> Drawn:
    """Each metric of each arm, in the order of the row's models: loss, every task, and mean, which is that of the tasks."""
    loss = arms_.losses(losses, row["models"], [0], row["name"])
    by_task = dict(zip(row["tasks"], arms_.scores(scores, row, [0]), strict=True))
    values = {"loss": [loss], **{task: [one] for task, one in by_task.items()}, "mean": list(by_task.values())}
    found = {}
    for name, one in values.items():
        estimate, drawn = arms_.drawn(one, row["name"], draws)
        found[name] = estimate[:, 0], drawn[:, :, 0]
    return found


def gain(found: Drawn, arms: list[str], metric: str, better: str, than: str) -> tuple[float, np.ndarray]:
    """How much better one arm is than another, with draws: lower in loss, higher in accuracy."""
    estimate, draws = found[metric]
    one, two = arms.index(better), arms.index(than)
    sign = -1 if metric == "loss" else 1
    return sign * (estimate[one] - estimate[two]), sign * (draws[:, one] - draws[:, two])


def findings(found: Drawn, arms: list[str], claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level."""
    asked = {
        "gains-oracle": ("loss", "oracle", "baseline"),
        "gains-loss": ("loss", "sbp", "baseline"),
        "gains-accuracy": ("mean", "sbp", "baseline"),
        "gains-below-oracle": ("mean", "oracle", "sbp"),
        "gains-related": ("loss", "sbp", "random"),
    }
    out = {name: arms_.bounds(*gain(found, arms, *which), claims[name]["level"]) for name, which in asked.items()}
    for name, metric in (("gains-reseeded-loss", "loss"), ("gains-reseeded-accuracy", "mean")):
        shown = arms_.bounds(*gain(found, arms, metric, "reseeded", "baseline"), claims[name]["level"])
        low = shown["low"]
        out[name] = {"estimate": low, "low": low, "high": low, "level": shown["level"], "gain": shown["estimate"]}
    whole = gain(found, arms, "mean", "oracle", "baseline")
    out["gains-share"] = arms_.share(gain(found, arms, "mean", "sbp", "baseline"), whole, claims["gains-share"]["level"])
    return out


def read_card(path: str) -> dict:
    """A card by its own path, or of what it stands beside; hashes are not compared, since weights may be large."""
    card = path if path.endswith(".card.json") else card_path(path)
    return json.loads(Path(card).read_text(encoding="utf-8"))


def flops(bill: dict[str, dict], cards: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Arm -> step -> FLOPs, of one model of each arm.

    Args:
        bill: of ``scripts.answers.bill``.
        cards: by the paths in the bill.
    """
    found = {}
    for arm, of in bill.items():
        model = cards[of["model"]]["counts"]
        steps = {"pretraining": 6.0 * model["parameters"] * model["tokens"]}
        for made in of["corpora"]:
            base, run = cards[made["base"]]["counts"], cards[made["run"]]
            size, prompts = base["parameters"], cards[made["prompts"]]["counts"]["tokens"]
            blocks = sum(one["blocks"] for one in run["counts"]["subsets"].values())
            read = blocks * run["row"]["block"] * max(run["row"]["checkpoints"])
            steps["synthesizer's base"] = 6.0 * size * base["tokens"]
            steps["tuning"] = steps.get("tuning", 0.0) + 6.0 * size * read
            written = prompts + cards[made["corpus"]]["counts"]["tokens"]
            steps["synthesis"] = steps.get("synthesis", 0.0) + 2.0 * size * written
            # real tokens in the base's tokenizer: what it was trained on over how often it saw it
            real = sum(one["tokens"] / max(one["repetitions"], 1) for one in base["phases"][-1].values())
            steps["embedding"] = 2.0 * made["embedder_parameters"] * real
        found[arm] = steps
    return found


def plotted(found: Drawn, costs: dict[str, dict[str, float]], row: dict, sizes: dict[str, int]) -> pd.DataFrame:
    """Every plotted number.

    panel value: a metric of an arm; gain: of an arm on the baseline; share: of the oracle's gain (of means over tasks, and of
    losses); cost: FLOPs of a step. ``low`` and ``high`` are bounds at LEVEL, ``n`` documents or items, ``seeds`` an arm's.
    """
    arms, lines = list(row["models"]), []
    seeds = len(row["models"][arms[0]])
    for metric, (estimate, draws) in found.items():
        unit = "nats a token" if metric == "loss" else "points"
        base = {"metric": metric, "unit": unit, "n": sizes[metric], "seeds": seeds}
        whole = gain(found, arms, metric, "oracle", "baseline")
        for i, arm in enumerate(arms):
            lines.append({"panel": "value", "arm": arm, **base, **arms_.bounds(estimate[i], draws[:, i], LEVEL)})
            if arm == "baseline":
                continue
            one = gain(found, arms, metric, arm, "baseline")
            lines.append({"panel": "gain", "arm": arm, **base, **arms_.bounds(*one, LEVEL)})
            if metric in ("loss", "mean") and arm in ("sbp", "random"):
                lines.append({"panel": "share", "arm": arm, **base, "unit": "of 1", **arms_.share(one, whole, LEVEL)})
    for arm, steps in costs.items():
        lines += [
            {"panel": "cost", "arm": arm, "metric": s, "unit": "FLOPs", "estimate": y, "seeds": 1} for s, y in steps.items()
        ]
    table = pd.DataFrame(lines).rename(columns={"estimate": "y"})
    return table[["panel", "arm", "metric", "unit", "y", "low", "high", "n", "seeds"]]


# --- the figure -------------------------------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, judged: list[dict], row: dict) -> "Figure":
    """Gains in loss, gains in accuracy, cost; the table of values below; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in footer(table, judged, row) for line in textwrap.wrap(part, 131)]
    arms, tasks = list(row["models"]), {**{t: how["label"] for t, how in row["tasks"].items()}, "mean": "mean of tasks"}
    tasks = {task: textwrap.fill(label, 13) for task, label in tasks.items()}
    others = [arm for arm in arms if arm != "baseline"]
    panel = max(1.55, 0.068 * len(tasks) * (len(others) + 1))  # inches
    top = 0.4 + panel + 0.82
    height = top + 0.165 * len(arms) + 0.3 + 0.137 * len(lines)
    gains = table[table["panel"] == "gain"]
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        places = ((1.3, 1.4), (3.55, 1.3), (5.45, 1.35))  # inches: left edge and width
        box = 1 - (0.4 + panel) / height, panel / height
        axes = [figure.add_axes((x / figures.WIDTH, box[0], w / figures.WIDTH, box[1])) for x, w in places]
        _gains(axes[0], gains[gains["metric"] == "loss"], others, {"loss": ""}, names=True)
        axes[0].set_title("held-out loss", fontweight="bold", pad=11)
        axes[0].set_xlabel("gain on the baseline,\nnats a token (right is better)", labelpad=1)
        _gains(axes[1], gains[gains["metric"] != "loss"], others, tasks, names=False)
        axes[1].set_title("accuracy", fontweight="bold", pad=11)
        axes[1].set_xlabel("gain on the baseline,\npoints (right is better)", labelpad=1)
        for axis, metric in zip(axes, ("loss", "mean"), strict=False):
            part = gains[gains["metric"] == metric].iloc[0]
            what = "documents" if metric == "loss" else "items"
            figures.under_title(axis, f"n {int(part['n']):,} {what}, seeds {int(part['seeds'])}")
        _costs(axes[2], table[table["panel"] == "cost"], [arm for arm in arms if arm != "reseeded"])
        _values(figure, table, arms, tasks if len(tasks) < 5 else {"mean": tasks["mean"]}, top, height)
        figures.footer(figure, lines)
    return figure


def _gains(axis: "Axes", table: pd.DataFrame, arms: list[str], metrics: dict[str, str], names: bool) -> None:
    """Gains with their intervals; a group of rows a metric, a row an arm."""
    ticks = {}
    for group, (metric, label) in enumerate(metrics.items()):
        for i, arm in enumerate(arms):
            y = -(group * (len(arms) + 1) + i)
            arms_.mark(axis, y, table[(table["metric"] == metric) & (table["arm"] == arm)].iloc[0], arm)
            if names:
                ticks[y] = NAMES.get(arm, arm)
        if not names:
            ticks[-(group * (len(arms) + 1) + (len(arms) - 1) / 2)] = label
    axis.axvline(0, color=figures.COLOURS["black"], linewidth=0.7, linestyle=LOOK["baseline"]["linestyle"], zorder=0)
    axis.set_yticks(list(ticks), ticks.values())
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(-(len(metrics) * (len(arms) + 1) - 1.4), 0.6)
    axis.spines["left"].set_visible(False)
    axis.margins(x=0.08)
    axis.locator_params(axis="x", nbins=5)


def _costs(axis: "Axes", table: pd.DataFrame, arms: list[str]) -> None:
    """Stacked FLOPs of each arm as multiples of the baseline's pretraining."""
    unit = table[(table["arm"] == "baseline") & (table["metric"] == "pretraining")]["y"].iloc[0]
    charged = [arm for arm in arms if arm in set(table["arm"])]
    for place, arm in enumerate(charged):
        at = 0.0
        for step, look in STEPS.items():
            part = table[(table["arm"] == arm) & (table["metric"] == step)]["y"].sum() / unit
            axis.barh(-place, part, left=at, height=0.62, **look, label=step if place == 0 else None)
            at += part
        axis.annotate(f"{at:.2f}", (at, -place), (2, 0), textcoords="offset points", va="center", fontsize=7)
    short = {"baseline": "base", "sbp": "SBP", "oracle": "oracle", "random": "random"}
    axis.set_yticks([-i for i in range(len(charged))], [short.get(arm, arm) for arm in charged])
    axis.tick_params(axis="y", length=0)
    axis.set_xlim(0, 1.18 * max(sum(table[table["arm"] == arm]["y"]) for arm in charged) / unit)
    axis.set_ylim(-len(charged) - 1.15, 0.6)
    axis.spines["left"].set_bounds(0.5 - len(charged), 0.5)
    axis.set_title("the whole cost", fontweight="bold", pad=11)
    figures.under_title(axis, "matched: the dark part")
    axis.set_xlabel("FLOPs over those of the\nbaseline's pretraining", labelpad=1)
    handles = axis.get_legend_handles_labels()
    axis.legend(*handles, loc="lower right", ncols=2, frameon=False, fontsize=6.2, handlelength=0.9, columnspacing=0.7,
                labelspacing=0.25, borderaxespad=0, handletextpad=0.35)  # fmt: skip


def _values(figure: "Figure", table: pd.DataFrame, arms: list[str], tasks: dict[str, str], top: float, height: float) -> None:
    """The table: a line an arm, a column a metric; then its share of the oracle's gain."""
    columns = {"loss": "loss (nats)", **tasks}
    at = [0.012, *np.linspace(0.30, 0.66, len(columns)), 0.80, 0.925]
    heads = ["", *columns.values(), "share of oracle's\ngain, mean of tasks", "share of it,\nloss"]
    for x, head in zip(at, heads, strict=True):
        figure.text(
            x, 1 - top / height, head, fontsize=7, fontweight="bold", va="bottom", ha="left" if x == at[0] else "center"
        )
    line = 1 - (top + 0.04) / height
    figure.add_artist(figures_line(line))
    for i, arm in enumerate(arms):
        y = 1 - (top + 0.06 + 0.165 * (i + 0.5)) / height
        cells = [NAMES.get(arm, arm)]
        for metric in columns:
            one = table[(table["panel"] == "value") & (table["arm"] == arm) & (table["metric"] == metric)].iloc[0]
            cells.append(f"{one['y']:.4f}" if metric == "loss" else f"{one['y']:.1f}")
        for metric in ("mean", "loss"):
            shares = table[(table["panel"] == "share") & (table["metric"] == metric)].set_index("arm")
            whole = "100 %" if np.isfinite(shares["low"]).any() else "not shown"
            cells.append(_share(shares.loc[arm]) if arm in shares.index else whole if arm == "oracle" else "")
        for x, cell in zip(at, cells, strict=True):
            figure.text(x, y, cell, fontsize=7, va="center", ha="left" if x == at[0] else "center")
    figure.add_artist(figures_line(1 - (top + 0.08 + 0.165 * len(arms)) / height))


def figures_line(y: float) -> object:
    """A thin line across the figure."""
    from matplotlib.lines import Line2D

    return Line2D([0.012, 0.988], [y, y], linewidth=0.6, color=figures.INK)


def _share(line: pd.Series) -> str:
    if not np.isfinite(line["low"]):
        return "not defined"
    return "{} % [{}, {}]".format(*(round(100 * line[key]) for key in ("y", "low", "high")))


def footer(table: pd.DataFrame, judged: list[dict], row: dict) -> list[str]:
    """The lines under the table: what arms are, verdicts, what intervals cover."""
    by_name = {entry["claim"]: entry for entry in judged}

    def said(name: str, digits: int = 2) -> str:
        return arms_.said(by_name[name], digits)

    nulls = [by_name[name] for name in ("gains-reseeded-loss", "gains-reseeded-accuracy")]
    verdicts = {one["verdict"] for one in nulls}
    counted = "COUNTS AS A GAIN" if "not reproduced" in verdicts else "does not count as a gain"
    counted = counted if verdicts <= {"reproduced", "not reproduced"} else f"is {' and '.join(sorted(verdicts))}"
    return [
        f"{figures.SCALES[row['scale']]}. 90 % intervals. All arms train on equally many tokens. Baseline: the real "
        "documents over and over. SBP: part of that budget is written by a synthesizer, each text once. Random pairs: by "
        "one tuned on random pairs. Oracle: fresh documents.",
        f"Fresh documents beat repeats (nats): {said('gains-oracle', 4)}. SBP less loss: {said('gains-loss', 4)}; more "
        f"accuracy (mean of tasks): {said('gains-accuracy')}; oracle above SBP: {said('gains-below-oracle')}. Related pairs "
        f"beat random ones (nats): {said('gains-related', 4)}.",
        f"Null: a baseline of other seeds {counted}. Bounds cover {COVER}. Shares by Fieller; where the oracle's own gain is "
        "not shown there is none.",
        f"Baseline < SBP < oracle: {by_name['gains-order']['verdict'].upper()}.",
    ]


def gains(
    losses: list[str],
    scores: list[str],
    cards: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    bill: dict,
    code: str,
    draws: int = arms_.DRAWS,
) -> None:
    """Draw and judge: tables, cards and claims.yaml in, the four files out."""
    loss, score = arms_.read(losses), arms_.read(scores)
    found, arms = measured(loss, score, row, draws), list(row["models"])
    entries = claims_.read_claims(claims, "gains")
    verdicts = claims_.judge(entries, findings(found, arms, entries), row["scale"])
    sizes = {"loss": loss["item"].nunique(), **{t: part["item"].nunique() for t, part in score.groupby("task", observed=True)}}
    sizes["mean"] = sum(sizes[task] for task in row["tasks"])
    costs = flops(bill, {path: read_card(path) for path in cards})
    numbers = plotted(found, costs, row, sizes)
    n = f"{sizes['loss']} documents, {sizes['mean']} items, {len(row['models'][arms[0]])} seeds an arm"
    about = {"artifact": "gains", "code": code, "cover": COVER, "n": n}
    figures.publish(draw(numbers, verdicts, row), numbers, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        gains(
            snakemake.input.losses,
            snakemake.input.scores,
            snakemake.input.cards,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            bill=snakemake.params.bill,
            code=snakemake.params.code,
        )
