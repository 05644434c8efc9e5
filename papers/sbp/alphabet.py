"""The thought experiment of SBP's authors (arXiv 2509.15248): where letters are independent, no training beats ln 5 nats.

Reads letters.csv (papers/sbp/letters.py says what is in it) and papers/sbp/claims.yaml. Makes alphabet.pdf and alphabet.png
(what is lost above the entropy while models are trained, in the world without and in one with something to learn; the last
losses against ln 5), alphabet.csv (every plotted number) and alphabet.claims.json.

Replicates share nothing, so that every interval is Student's t over them. What must hold of all arms is judged by the arm that
is worst at it: each arm at the claim's level, so that all of them together err no more often (Berger 1982).
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.lib import claims as claims_
from scripts.lib import figures, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COVER = "replicates: documents, weights, order and held-out letters drawn anew"
LOOK = {
    "repeated": {"color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "o"},
    "synthetic": {"color": figures.COLOURS["orange"], "linestyle": "-", "marker": "^"},
    "unique": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "s"},
}
ARMS, LETTERS = tuple(LOOK), 5  # as in papers/sbp/letters.py, whose heavy imports drawing does without
LEAST = 1e-5  # nats: the lower edge of logarithmic axes


def at_end(table: pd.DataFrame) -> pd.DataFrame:
    """The lines of the last moment of each run."""
    return table[table["letters"] == table.groupby(["world", "replicate", "arm"])["letters"].transform("max")]


def worst(lines: pd.DataFrame, claim: dict) -> dict[str, float]:
    """What decides a claim on all arms of ``lines`` (arm, replicate, value): the arm that is worst at it, with t intervals.

    For > and >= that is the lowest arm; for = the one farthest off, and the interval holds the intervals of all arms.
    """
    each = {arm: statistics.t_interval(part["value"].to_numpy(), claim["level"]) for arm, part in lines.groupby("arm")}
    estimates, lows, highs = zip(*each.values(), strict=True)
    if claim["direction"] == "=":
        found = {"estimate": max(estimates, key=abs), "low": min(lows), "high": max(highs)}
    else:
        found = {"estimate": min(estimates), "low": min(lows), "high": min(highs)}
    return {**found, "level": claim["level"], "replicates": lines["replicate"].nunique()}


def findings(table: pd.DataFrame, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction, from letters.csv: estimate, low, high, level; nats a letter.

    Raises:
        ValueError: naming world and arm where a run is missing.
    """
    last = at_end(table)
    plain, learnable = last[last["follows"] == 1 / LETTERS], last[last["follows"] > 1 / LETTERS]
    for world, lines in (("without anything to learn", plain), ("with something to learn", learnable)):
        if missing := sorted(set(ARMS) - set(lines["arm"])):
            raise ValueError(f"letters.csv: the world {world}: no run of {', '.join(missing)}")
    uniform = float(np.log(LETTERS))
    values = {
        "alphabet-none-below": plain.assign(value=plain["sampled"] - uniform),
        "alphabet-learnable-below": learnable.assign(value=uniform - learnable["expected"]),
        "alphabet-learnable-learned": learnable.assign(value=learnable["expected"] - learnable["entropy"]),
    }
    above = plain.assign(value=plain["expected"] - uniform)
    values |= {f"alphabet-{arm}": above[above["arm"] == arm] for arm in ARMS}
    return {name: worst(lines, claims[name]) for name, lines in values.items()}


# --- the figure -------------------------------------------------------------------------------------------------------------


def plotted(table: pd.DataFrame, level: float) -> pd.DataFrame:
    """Every plotted number: panel, world, arm, quantity, x in letters, y in nats with low and high, n replicates.

    training: expected loss on new letters less the entropy, by letters trained, and the least and the largest of replicates;
    end: sampled, expected and training loss less the entropy, after all letters, with t intervals.
    """
    lines = []
    for panel, part in (("training", table), ("end", at_end(table))):
        for (world, arm, letters), some in part.groupby(["world", "arm", "letters"], sort=False):
            for quantity in ("expected",) if panel == "training" else ("sampled", "expected", "trained"):
                values = (some[quantity] - some["entropy"]).to_numpy()
                spread = values.mean(), values.min(), values.max()
                found = spread if panel == "training" else statistics.t_interval(values, level)
                lines.append((panel, world, arm, quantity, letters, *found, len(values)))
    return pd.DataFrame(lines, columns=["panel", "world", "arm", "quantity", "x", "y", "low", "high", "n"])


def draw(table: pd.DataFrame, numbers: pd.DataFrame, judged: list[dict], row: dict) -> "Figure":
    """The figure: two worlds over training, the last losses of the first; legend and footer below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in footer(table, judged, row) for line in textwrap.wrap(part, 131)]
    by_name = {entry["claim"]: entry for entry in judged}
    worlds = table.drop_duplicates("world").set_index("world")
    height = 2.78 + 0.137 * len(lines)
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        places = ((0.52, 1.55), (2.6, 1.55), (5.3, 1.6))  # inches: left edge and width
        axes = [figure.add_axes((x / figures.WIDTH, 1 - 2.1 / height, w / figures.WIDTH, 1.7 / height)) for x, w in places]
        bounds = {True: by_name[f"alphabet-{ARMS[0]}"]["tolerance"], False: by_name["alphabet-learnable-learned"]["tolerance"]}
        shown = numbers[numbers["panel"] == "training"]
        for axis, (world, of) in zip(axes, worlds.iterrows(), strict=False):
            nothing = of["follows"] == 1 / LETTERS
            _training(axis, shown[shown["world"] == world], bounds[nothing])
            axis.set_title("nothing to learn" if nothing else "something to learn", fontweight="bold", pad=11)
            figures.under_title(axis, f"entropy {of['entropy']:.4f} nats" + (" = ln 5" if nothing else ", ln 5 = 1.6094"))
        axes[0].set_ylabel("loss above the entropy, nats a letter")
        plain = worlds.index[worlds["follows"] == 1 / LETTERS][0]
        _end(axes[2], numbers[(numbers["panel"] == "end") & (numbers["world"] == plain)], bounds[True])
        handles, labels = axes[0].get_legend_handles_labels()
        place = {"loc": "upper left", "bbox_to_anchor": (0.006, 1 - 2.42 / height)}
        figure.legend(handles, labels, ncols=len(handles), frameon=False, handlelength=3.0, columnspacing=1.6, **place)
        figures.footer(figure, lines)
    return figure


def _training(axis: "Axes", table: pd.DataFrame, bound: float) -> None:
    """Expected loss above the entropy by letters trained, mean and range of replicates, and the claim's bound."""
    from matplotlib.ticker import MaxNLocator

    for arm in ARMS:
        line = table[table["arm"] == arm]
        axis.plot(line["x"] / 1e6, line["y"].clip(lower=LEAST), label=arm, **LOOK[arm])
        axis.fill_between(
            line["x"] / 1e6, line["low"].clip(lower=LEAST), line["high"], color=LOOK[arm]["color"], alpha=0.15, linewidth=0
        )
    axis.axhline(bound, color=figures.COLOURS["vermilion"], linewidth=1, zorder=0, label="bound of the claim")
    axis.set_yscale("log")
    axis.set_ylim(min(0.3 * bound, 0.7 * table["y"].min()), max(2 * bound, 1.5 * table["y"].max()))
    axis.set_xlim(0, 1.04 * table["x"].max() / 1e6)
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel("letters trained, millions", labelpad=1)


def _end(axis: "Axes", table: pd.DataFrame, bound: float) -> None:
    """The arms' last losses less ln 5 in thousandths of a nat; the claim's region is a band."""
    axis.axvspan(-1000 * bound, 1000 * bound, color=figures.COLOURS["orange"], alpha=0.15, linewidth=0, zorder=0)
    axis.axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    words = {"expected": "expected", "sampled": "sampled", "trained": "while trained"}
    marks = {"expected": {"fmt": "o"}, "sampled": {"fmt": "o", "markerfacecolor": "white"}, "trained": {"fmt": "x"}}
    ticks = {}
    for place, (arm, quantity) in enumerate((arm, quantity) for arm in ARMS for quantity in words):
        one = table[(table["arm"] == arm) & (table["quantity"] == quantity)].iloc[0]
        y, colour = -(place + place // len(words)), LOOK[arm]["color"]
        error = [[1000 * (one["y"] - one["low"])], [1000 * (one["high"] - one["y"])]]
        axis.errorbar(1000 * one["y"], y, xerr=error, color=colour, markersize=4, linewidth=1.1, capsize=2, **marks[quantity])
        ticks[y] = f"{arm}, {words[quantity]}" if quantity == "expected" else words[quantity]
    axis.set_yticks(list(ticks), ticks.values())
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(min(ticks) - 0.7, 0.7)
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("loss less ln 5, nats / 1000", labelpad=1)
    axis.set_title("nothing to learn: the end", fontweight="bold", pad=11)
    figures.under_title(axis, f"90 % intervals, n {int(table['n'].iloc[0])}; band: claim")


def footer(table: pd.DataFrame, judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: what was trained on what, which loss is which, verdicts."""
    by_name, last = {entry["claim"]: entry for entry in judged}, at_end(table)
    one, unique = last.iloc[0], row["documents"] * row["length"]
    error = last.loc[last["follows"] == 1 / LETTERS, "sampled_error"].max()

    def said(name: str) -> str:
        entry = by_name[name]
        return f"{entry['estimate']:+.5f} [{entry['low']:+.5f}, {entry['high']:+.5f}], {entry['verdict']}"

    return [
        f"{figures.SCALES[row['scale']]}. {one['parameters']:,} parameters, {one['letters']:,} letters each: {unique:,} of "
        f"them {row['repetition']} times (repeated); {100 * row['synthetic']:g} % written by a synthesizer tuned on pairs, the "
        "rest repeated (synthetic); or all new (unique).",
        f"Sampled: minus the log-probability of {one['heldout']:,} new letters a replicate, standard error {error:.5f} or "
        "less. Expected: its mean over what might have come after the same contexts, which no model brings below the entropy. "
        "While trained: on the last sixth of the letters it is trained on. Left: bands are the range of replicates.",
        f"Less ln 5: repeated {said('alphabet-repeated')}; synthetic {said('alphabet-synthetic')}; "
        f"unique {said('alphabet-unique')}. Lowest sampled loss: {said('alphabet-none-below')}.",
        f"Something to learn: least below ln 5 {said('alphabet-learnable-below')}; most above the entropy "
        f"{said('alphabet-learnable-learned')}.",
        f"Thought experiment: {by_name['alphabet-thought-experiment']['verdict'].upper()}.",
    ]


def alphabet(table: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: letters.csv and claims.yaml in, the four files out. ``row`` is that of letters.csv, with its scale."""
    runs = pd.read_csv(table)
    entries = claims_.read_claims(claims, "alphabet")
    verdicts = claims_.judge(entries, findings(runs, entries), row["scale"])
    numbers = plotted(runs, 0.05)
    about = {"artifact": "alphabet", "code": code, "cover": COVER, "n": f"{row['replicates']} replicates"}
    figures.publish(draw(runs, numbers, verdicts, row), numbers, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        alphabet(
            snakemake.input.table,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
