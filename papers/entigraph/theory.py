"""Figure 5 of arXiv 2409.07431: the paper's toy of what EntiGraph adds, simulated, against the bounds of its theorem.

Reads papers/entigraph/claims.yaml. Makes theory.pdf and theory.png (density of known relations by steps, its first steps, its
plateau by relations an entity), theory.csv (every plotted number) and theory.claims.json.

The toy: of all ordered pairs of V entities each is a known relation with probability p = lambda / V, independently. A step
draws an ordered pair (x, y) at random; where y can be reached from x over relations known at the start, what is learned are the
relations (x, z) for every z on the breadth-first path from x to y. The density is the share of ordered pairs that are known.

That relations of the path are added is known from summaries of the paper, which of them is not, and the paper was not at hand.
Its bounds leave little choice: the upper rate exceeds the lower, one relation a step, by log V / log lambda, the length of a
path. Learning (x, y) alone would need no upper rate above the lower; all pairs along a path are more than one for each of its
steps; and the steps themselves are known from the start. Learning (z, y) in place of (x, z) is the same toy with all relations
turned round.

Given the relations at the start nothing is left to chance in the mean: (x, z) is missed by a step with probability
1 - k / (V (V - 1)), k the number of y whose path from x leads over z. So the expected density is a mixture of exponentials,
which is drawn beside the simulation and must agree with it.
"""

import textwrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEVER = np.iinfo(np.int64).max
EARLY = 100  # steps within which growth is held against a straight line
COVER = "random graphs and draws of pairs; nothing is trained"
POINTS = 160  # steps at which curves are drawn


class Growth(NamedTuple):
    """What happened on one graph after each of some numbers of steps."""

    density: np.ndarray  # (steps,), simulated
    expected: np.ndarray  # (steps,), its expectation given the graph


# --- the toy ----------------------------------------------------------------------------------------------------------------


def relations(entities: int, degree: float, rng: np.random.Generator) -> np.ndarray:
    """The relations known at the start, bool (V, V): each ordered pair of two entities with probability ``degree / V``."""
    known = rng.random((entities, entities)) < degree / entities
    np.fill_diagonal(known, False)
    return known


def paths(known: np.ndarray) -> np.ndarray:
    """Which entities lie on the breadth-first path from x to y, y included and x not: bool (x, y, z), V entities each.

    Nothing lies on a path to an entity that cannot be reached. Of several shortest paths it is the one that breadth-first
    search finds when it looks at entities in the order of their numbers. With 0 -> 1 -> 2 the path from 0 to 2 is {1, 2}.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    entities, graph = len(known), csr_array(known.astype(np.int8))
    on = np.zeros((entities, entities, entities), bool)
    for x in range(entities):
        order, before = breadth_first_order(graph, x)
        for y in order[1:]:
            on[x, y] = on[x, before[y]]
            on[x, y, y] = True
    return on


def grow(known: np.ndarray, pairs: np.ndarray, steps: np.ndarray) -> Growth:
    """Run the toy on one graph: density after each of ``steps``, and its expectation.

    Args:
        known: relations at the start, bool (V, V).
        pairs: the ordered pairs drawn, int (steps, 2), x and y differ.
        steps: after how many steps to look, ascending, at most as many as there are pairs.
    """
    on, entities = paths(known), len(known)
    drawn = np.full((entities, entities), NEVER)
    np.minimum.at(drawn, (pairs[:, 0], pairs[:, 1]), np.arange(1, len(pairs) + 1))
    learned = np.where(on, drawn[:, :, None], NEVER).min(1)  # (x, z): the first step whose path from x leads over z
    new = on.any(1) & ~known
    total, start = entities * (entities - 1), known.sum()
    density = start + np.searchsorted(np.sort(learned[new]), steps, side="right")
    often, relations_ = np.unique(on.sum(1)[new], return_counts=True)  # k, and how many relations have it
    missed = (1 - often / total) ** np.asarray(steps)[:, None]
    return Growth(density / total, (start + ((1 - missed) * relations_).sum(1)) / total)


def reachable_density(known: np.ndarray) -> float:
    """The share of ordered pairs (x, y) of two entities of which y can be reached from x: where the density ends."""
    reached = known.copy()
    np.fill_diagonal(reached, True)
    while True:
        further = (reached.astype(np.float32) @ reached) > 0
        if (further == reached).all():
            return float((reached.sum() - len(known)) / (len(known) * (len(known) - 1)))
        reached = further


def draw_pairs(entities: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Ordered pairs of two different entities, each as likely as any other, int (steps, 2)."""
    x = rng.integers(entities, size=steps)
    return np.stack([x, (x + rng.integers(1, entities, size=steps)) % entities], axis=1)


# --- the theorem ------------------------------------------------------------------------------------------------------------


def extinction(degree: float) -> float:
    """The smallest root of rho = exp(degree (rho - 1)): how likely a family with Poisson(``degree``) children each dies out.

    It is 1 up to a degree of 1, and 0.0595 at 3.
    """
    from scipy.special import lambertw

    return 1.0 if degree <= 1 else float(-lambertw(-degree * np.exp(-degree)).real / degree)


def ceiling(degree: float) -> float:
    """The theorem's C = (1 - rho)^2: how likely one entity starts a large family and another ends one; 0.8845 at degree 3."""
    return (1 - extinction(degree)) ** 2


def bounds(entities: int, degree: float, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The theorem's lower and upper bound on the density after ``steps``, with its vanishing epsilon at 0.

    p + C (1 - r^t), with r = 1 - 1 / (V (V - 1)) below and 1 - log V / (V (V - 1) log lambda) above. It speaks of large V.

    Raises:
        ValueError: for a degree of 1 or less, of which the theorem does not speak.
    """
    if degree <= 1:
        raise ValueError(f"degree {degree}: expected more than 1, the theorem's case")
    total, at_start = entities * (entities - 1), degree / entities
    rates = (1.0, np.log(entities) / np.log(degree))
    low, high = (at_start + ceiling(degree) * (1 - (1 - rate / total) ** np.asarray(steps)) for rate in rates)
    return low, high


# --- what is judged ---------------------------------------------------------------------------------------------------------


def straightness(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """R squared of the least-squares line through (x, y), for each line of ``y`` (..., points); 1 where y is constant."""
    slope = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    centred = y - y.mean(-1, keepdims=True)
    rest = centred - (centred @ slope)[..., None] * (x - x.mean())
    total = (centred**2).sum(-1)
    return 1 - (rest**2).sum(-1) / np.where(total > 0, total, 1)


def middle(entities: int) -> tuple[float, float]:
    """First and last step of the middle regime: from a tenth of the number of ordered pairs to all of it."""
    return 0.1 * entities * (entities - 1), 1.0 * entities * (entities - 1)


def findings(
    steps: np.ndarray, densities: np.ndarray, sparse: np.ndarray, claims: dict[str, dict], row: dict
) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level.

    Args:
        steps: (steps,), with 0 to EARLY - 1 and the middle regime among them; ``densities`` (graphs, steps), simulated.
        sparse: (graphs,), reachable densities where entities have ``row["sparse"]`` relations.
        claims: by name. ``row`` is the figure's.

    A plateau has a t interval over graphs. The curve's shape is that of the mean over graphs; its intervals resample graphs.
    """
    out, draws = {}, 2000
    rng = np.random.default_rng(seed_of("theory", "graphs"))
    picked = rng.multinomial(len(densities), np.full(len(densities), 1 / len(densities)), size=draws) / len(densities)
    first, (start, stop) = steps < EARLY, middle(row["entities"])
    between = (steps >= start) & (steps <= stop)

    def early(curve: np.ndarray) -> np.ndarray:
        return straightness(steps[first], curve[..., first]) - 0.99

    def later(curve: np.ndarray) -> np.ndarray:
        at, part = steps[between], curve[..., between]
        return straightness(np.log(at), part) - straightness(at, part)

    for name, shape in (("theory-linear", early), ("theory-log-linear", later)):
        level = claims[name]["level"]
        low, high = statistics.interval(shape(picked @ densities), level)
        out[name] = {"estimate": float(shape(densities.mean(0))), "low": low, "high": high, "level": level}
    last = {"theory-plateau": (densities[:, -1], row["degree"]), "theory-sparse": (sparse, row["sparse"])}
    for name, (values, degree) in last.items():
        level = claims[name]["level"]
        estimate, low, high = statistics.t_interval(values - ceiling(degree), level)
        out[name] = {"estimate": estimate, "low": low, "high": high, "level": level, "ceiling": ceiling(degree)}
    return out


# --- the figure -------------------------------------------------------------------------------------------------------------


def simulate(row: dict) -> tuple[np.ndarray, list[Growth]]:
    """Steps at which was looked, and what happened on each of ``row["graphs"]`` graphs."""
    total = row["entities"] * (row["entities"] - 1)
    spaced = np.round(np.geomspace(1, 10 * total, POINTS)).astype(int)
    steps = np.unique(np.concatenate([np.arange(EARLY), spaced]))
    grown = []
    for graph in range(row["graphs"]):
        rng = np.random.default_rng(seed_of(row["name"], "toy", graph, row["seed"]))
        known = relations(row["entities"], row["degree"], rng)
        grown.append(grow(known, draw_pairs(row["entities"], int(steps[-1]), rng), steps))
    return steps, grown


def plateaus(row: dict, degrees: list[float]) -> dict[float, np.ndarray]:
    """Reachable densities of ``row["graphs"]`` graphs each, by relations an entity."""
    found = {}
    for degree in degrees:
        rng = np.random.default_rng(seed_of(row["name"], "plateau", degree, row["seed"]))
        graphs = (relations(row["entities"], degree, rng) for _ in range(row["graphs"]))
        found[degree] = np.array([reachable_density(known) for known in graphs])
    return found


def plotted(steps: np.ndarray, grown: list[Growth], ends: dict[float, np.ndarray], row: dict) -> pd.DataFrame:
    """Every plotted number: panel, series, x, y, sd over graphs, n graphs.

    growth: density by steps, simulated and expected; bound: the theorem's; plateau: reachable density by relations an entity,
    and the theorem's ceiling for it.
    """
    density, expected = (np.stack([getattr(one, name) for one in grown]) for name in Growth._fields)
    parts = [
        pd.DataFrame({"panel": "growth", "series": series, "x": steps, "y": v.mean(0), "sd": v.std(0, ddof=1), "n": len(v)})
        for series, v in (("simulated", density), ("expected", expected))
    ]
    for series, bound in zip(("lower", "upper"), bounds(row["entities"], row["degree"], steps), strict=True):
        parts.append(pd.DataFrame({"panel": "bound", "series": series, "x": steps, "y": bound}))
    lines = [("plateau", "simulated", x, v.mean(), v.std(ddof=1), len(v)) for x, v in ends.items()]
    parts.append(pd.DataFrame(lines, columns=["panel", "series", "x", "y", "sd", "n"]))
    grid = np.linspace(0, 1.05 * max(ends), 211)
    parts.append(pd.DataFrame({"panel": "plateau", "series": "(1 - rho)^2", "x": grid, "y": [ceiling(x) for x in grid]}))
    return pd.concat(parts, ignore_index=True)


def draw(table: pd.DataFrame, judged: list[dict], row: dict) -> "Figure":
    """The figure: growth over steps, its first steps, the plateau by relations an entity; footer below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in footer(judged, row) for line in textwrap.wrap(part, 131)]
    height = 2.78 + 0.137 * len(lines)
    with matplotlib.rc_context(figures.STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(figures.WIDTH, height), gridspec_kw={"width_ratios": (1.55, 1, 1)})
        figure.subplots_adjust(left=0.062, right=0.988, top=1 - 0.4 / height, bottom=1 - 2.1 / height, wspace=0.36)
        _growth(axes[0], table, row)
        _first(axes[1], table)
        _plateau(axes[2], table, row)
        handles, labels = axes[0].get_legend_handles_labels()
        place = {"loc": "upper left", "bbox_to_anchor": (0.006, 1 - 2.42 / height)}
        figure.legend(handles, labels, ncols=len(handles), frameon=False, handlelength=2.4, columnspacing=1.6, **place)
        figures.footer(figure, lines)
    return figure


def _growth(axis: "Axes", table: pd.DataFrame, row: dict) -> None:
    of = {key: part for key, part in table[table["x"] > 0].groupby(["panel", "series"])}
    line, exact = of["growth", "simulated"], of["growth", "expected"]
    low, high = of["bound", "lower"], of["bound", "upper"]
    blue, orange = figures.COLOURS["blue"], figures.COLOURS["orange"]
    label = "bounds of the theorem (\u03b5 = 0)"
    axis.fill_between(low["x"], low["y"], high["y"], color=orange, alpha=0.22, linewidth=0, label=label)
    for bound in (low, high):
        axis.plot(bound["x"], bound["y"], color=orange, linewidth=0.8)
    axis.fill_between(line["x"], line["y"] - line["sd"], line["y"] + line["sd"], color=blue, alpha=0.2, linewidth=0)
    axis.plot(line["x"], line["y"], color=blue, label="simulated, \u00b11 sd over graphs")
    label = "expected: mixture of exponentials"
    axis.plot(exact["x"], exact["y"], color="black", linewidth=0.9, linestyle=(0, (2, 2)), label=label)
    axis.axhline(ceiling(row["degree"]), color=figures.GREY, linewidth=0.7, linestyle=(0, (6, 2)), zorder=0)
    axis.annotate("(1 \u2212 \u03c1)\u00b2", (1.3, ceiling(row["degree"]) + 0.015), fontsize=7, color=figures.INK)
    start, stop = middle(row["entities"])
    for x in (EARLY, start, stop):
        axis.axvline(x, color="#cccccc", linewidth=0.6, zorder=0)
    last = line["x"].max()
    for words, left, right in (("linear", 1, EARLY), ("log", start, stop), ("plateau", stop, last)):
        axis.annotate(words, (np.sqrt(left * right), 1.03), ha="center", fontsize=7, color=figures.INK)
    axis.set_xscale("log")
    axis.set_xlim(1, last)
    axis.set_ylim(0, 1.1)
    axis.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axis.set_xlabel("steps", labelpad=1)
    axis.set_ylabel("density of known relations")
    axis.set_title("growth", fontweight="bold", pad=11)
    figures.under_title(axis, f"V = {row['entities']}, \u03bb = {row['degree']:g}, {int(line['n'].iloc[0])} graphs")


def _first(axis: "Axes", table: pd.DataFrame) -> None:
    mine = table[(table["panel"] == "growth") & (table["series"] == "simulated") & (table["x"] < EARLY)]
    axis.plot(mine["x"], mine["y"], color=figures.COLOURS["blue"], label="simulated")
    slope, cut = np.polyfit(mine["x"], mine["y"], 1)
    straight = cut + slope * mine["x"]
    axis.plot(mine["x"], straight, color="black", linewidth=0.9, linestyle=(0, (2, 2)), label="straight line")
    axis.set_xlim(0, EARLY)
    axis.set_xlabel("steps", labelpad=1)
    axis.set_ylabel("density", labelpad=1)
    axis.set_title("the first steps", fontweight="bold", pad=11)
    figures.under_title(axis, f"R\u00b2 {straightness(mine['x'].to_numpy(), mine['y'].to_numpy()):.4f}")
    axis.legend(frameon=False, loc="upper left", handlelength=2.2, borderaxespad=0.2)


def _plateau(axis: "Axes", table: pd.DataFrame, row: dict) -> None:
    of = {series: part for series, part in table[table["panel"] == "plateau"].groupby("series")}
    curve, dots = of["(1 - rho)^2"], of["simulated"]
    axis.plot(curve["x"], curve["y"], color=figures.GREY, linestyle=(0, (6, 2)), label="(1 \u2212 \u03c1)\u00b2")
    blue = figures.COLOURS["blue"]
    axis.errorbar(dots["x"], dots["y"], dots["sd"], fmt="o", color=blue, linewidth=1, capsize=2, label="reachable, \u00b11 sd")
    axis.axvline(1, color="#cccccc", linewidth=0.6, zorder=0)
    axis.set_xlim(0, curve["x"].max())
    axis.set_ylim(-0.03, 1.25)
    axis.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axis.set_xlabel("known relations an entity, \u03bb", labelpad=1)
    axis.set_ylabel("reachable density", labelpad=1)
    axis.set_title("the plateau", fontweight="bold", pad=11)
    figures.under_title(axis, f"V = {row['entities']}, {int(dots['n'].iloc[0])} graphs each")
    axis.legend(frameon=False, loc="upper left", handlelength=2.2, borderaxespad=0.2)


def footer(judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: what was run, and the verdicts."""
    by_name = {entry["claim"]: entry for entry in judged}
    start, stop = middle(row["entities"])
    said = {
        "Linear at first": ("theory-linear", f"R\u00b2 under {EARLY} steps, less 0.99"),
        "Then like a logarithm": (
            "theory-log-linear",
            f"R\u00b2 of a line in log t less that of a line in t, {start:,.0f} to {stop:,.0f} steps",
        ),
        "Plateau": ("theory-plateau", f"less (1 \u2212 \u03c1)\u00b2 = {ceiling(row['degree']):.4f}"),
        f"At \u03bb = {row['sparse']:g} no growth": ("theory-sparse", "reachable density"),
    }
    words = []
    for what, (name, how) in said.items():
        entry = by_name[name]
        found = f"{entry['estimate']:+.4f} [{entry['low']:+.4f}, {entry['high']:+.4f}], {entry['verdict']}"
        words.append(f"{what} ({how}): {found}.")
    size = f"the paper's size, V = {row['entities']}" if row["entities"] == 100 else f"V = {row['entities']} entities"
    return [
        f"Scale: {row['scale']}. The paper's toy at {size}; nothing is trained. Intervals: graphs, 5 % on either side. "
        "The theorem speaks of large V; no verdict rests on its bounds.",
        "  ".join(words),
        f"Three regimes: {by_name['theory-regimes']['verdict'].upper()}.",
    ]


def theory(claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Simulate, draw and judge: claims.yaml in, the four files out.

    ``row`` has entities (V), degree (lambda), sparse (a lambda below 1), degrees (of the plateau's panel), graphs, seed, scale.
    """
    entries = claims_.read_claims(claims, "theory")
    steps, grown = simulate(row)
    ends = plateaus(row, sorted({*row["degrees"], row["sparse"]}))
    found = findings(steps, np.stack([one.density for one in grown]), ends[row["sparse"]], entries, row)
    verdicts = claims_.judge(entries, found, row["scale"])
    table = plotted(steps, grown, ends, row)
    about = {"artifact": "theory", "code": code, "cover": COVER, "n": f"{row['graphs']} graphs"}
    figures.publish(draw(table, verdicts, row), table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        theory(
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
