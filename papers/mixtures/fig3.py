"""Figure 3 of arXiv 2510.01631: the irreducible loss E of each arm, from a joint law of tokens and parameters.

Reads published.yaml, results/{scale}/mixtures/runs.csv (all sizes and budgets) and claims.yaml. Makes fig3.pdf and fig3.png,
fig3.csv (every plotted number) and fig3.claims.json.

The joint coefficients are not printed, so that the paper's bars cannot be rebuilt and its sentences about them are not
comparable at any scale. What can be asked is what its Tables 4 and 5 imply if they are slices of one additive law, as the paper
assumes: with L = E + A / N^alpha + B / D^beta, Table 4's floor (of the 1B model) is E + A / 1^alpha and Table 5's (at 50B
tokens) is E + B / 50^beta, with A and alpha from Table 5 and B and beta from Table 4. These two routes to E agree for most
arms.
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from papers.mixtures.arms import LEVEL, Fitted, Printed, nothing
from scripts.lib import claims as claims_
from scripts.lib import figures, laws

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIXED = ("hq-33", "hq-67", "qa-33", "qa-67", "txbk-33", "txbk-67")


def implied(printed: Printed) -> dict[str, tuple[float, float]]:
    """Arm -> the irreducible loss that Table 4's floor implies, and that Table 5's does, nats a token."""
    known = printed.known["ranges"]
    N, D = known["tokens"]["model"], known["parameters"]["budget"]
    found = {}
    for arm, tokens in printed.tokens.items():
        parameters = printed.parameters[arm]
        found[arm] = (tokens.E - parameters.A / N**parameters.alpha, parameters.E - tokens.B / D**tokens.beta)
    return found


def published(floors: dict[str, tuple[float, float]]) -> dict[str, dict]:
    """What the tables imply for each sentence about Figure 3; an interval goes from one route to the other."""

    def routes(arm: str, others: list[str], pick: type(min)) -> dict:
        """E of an arm less the one of others that ``pick`` takes, by both routes."""
        both = [floors[arm][i] - pick(floors[other][i] for other in others) for i in (0, 1)]
        return {"estimate": float(np.mean(both)), "low": float(min(both)), "high": float(max(both))}

    others = [arm for arm in floors if arm != "hq-33"]
    found = {name: routes(f"{name}-100", ["cc"], min) for name in ("hq", "qa", "txbk")}
    mixed = [routes(arm, ["cc"], min) for arm in MIXED]
    found["mixtures"] = {key: max(one[key] for one in mixed) for key in ("estimate", "low", "high")}
    found["lowest"] = routes("hq-33", others, min)
    out = {f"fig3-implied-{name}": one for name, one in found.items()}
    apart = max(abs(one - two) for one, two in floors.values())
    out["fig3-implied-routes"] = arms_.exact(apart)
    return out | {
        name: nothing("no joint coefficient is printed") for name in ("fig3-published-below-cc", "fig3-published-lowest")
    }


def reproduced(found: Fitted, claims: dict[str, dict]) -> dict[str, dict]:
    """What the joint laws fitted to our runs say."""
    names = {"fig3-mixtures": MIXED, "fig3-hq": ("hq-100",), "fig3-qa": ("qa-100",), "fig3-txbk": ("txbk-100",)}
    out = {}
    for name, arms in names.items():
        out[name] = nothing("no joint law of cc or of an arm: too few runs")
        if found.has("cc", *arms):
            estimates = np.array([found.laws[arm].E - found.laws["cc"].E for arm in arms])
            draws = np.column_stack([found.draws[arm].E - found.draws["cc"].E for arm in arms])
            out[name] = arms_.largest(estimates, draws, claims[name]["level"])
    others = [arm for arm in found.laws if arm != "hq-33"]
    out["fig3-lowest"] = nothing("no joint law of hq-33 or of four others: too few runs")
    if found.has("hq-33") and len(others) > 3:
        estimates = np.array([found.laws["hq-33"].E - found.laws[arm].E for arm in others])
        draws = np.column_stack([found.draws["hq-33"].E - found.draws[arm].E for arm in others])
        out["fig3-lowest"] = arms_.largest(estimates, draws, claims["fig3-lowest"]["level"])
    return out


def plotted(floors: dict[str, tuple[float, float]], found: Fitted) -> pd.DataFrame:
    """Every plotted number: layer, series, arm, y (E, nats), low, high, n (runs), below_cc and lowest (shares of draws)."""
    lines = []
    for arm, both in floors.items():
        for series, y in zip(("Table 4", "Table 5"), both, strict=True):
            lines.append({"layer": "published", "series": series, "arm": arm, "y": y})
    draws = {arm: law.E for arm, law in found.draws.items()}
    least = np.min(list(draws.values()), axis=0) if draws else None
    for arm, law in found.laws.items():
        low, high = laws.interval(draws[arm], 1 - 2 * LEVEL)
        line = {"layer": "reproduced", "series": "joint fit", "arm": arm, "y": law.E, "low": low, "high": high}
        line |= {"n": int((found.runs["arm"] == arm).sum()), "lowest": float((draws[arm] == least).mean())}
        if "cc" in draws:
            line["below_cc"] = float((draws[arm] < draws["cc"]).mean())
        lines.append(line)
    return pd.DataFrame(lines, columns=["layer", "series", "arm", "y", "low", "high", "n", "below_cc", "lowest"])


# --- the figure -------------------------------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, found: Fitted, lines: list[str]) -> "Figure":
    """E of each arm, a row an arm in the order of the published layer: by two routes left, from our runs right; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    height = 0.42 + 2.1 + 0.48 + 0.137 * len(lines)
    order = table[table["layer"] == "published"].groupby("arm")["y"].mean().sort_values().index
    places = {arm: -i for i, arm in enumerate([*order, *sorted(set(table["arm"]) - set(order))])}
    with matplotlib.rc_context(figures.STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(figures.WIDTH, height))
        figure.subplots_adjust(
            left=0.11, right=0.86, top=1 - 0.42 / height, bottom=(0.137 * len(lines) + 0.48) / height, wspace=0.12
        )
        for axis, layer in zip(axes, ("published", "reproduced"), strict=True):
            mine = table[table["layer"] == layer]
            axis.set_title(layer, fontweight="bold", pad=11)
            under = "implied by Tables 4 and 5 under one additive law"
            figures.under_title(axis, under if layer == "published" else f"joint fits; {arms_.counted(found.runs)}")
            if mine.empty:
                arms_.empty(axis, "no arm has enough runs for a joint law\n(three sizes, three budgets, six different runs)")
                continue
            _floors(axis, mine, places)
            axis.set_xlabel("irreducible loss E, nats a token", labelpad=1)
        axes[1].set_yticklabels([])
        handles, labels = axes[0].get_legend_handles_labels()
        axes[0].legend(handles[:2], labels[:2], loc="lower right", frameon=False)
        figures.footer(figure, lines)
    return figure


def _floors(axis: "Axes", table: pd.DataFrame, places: dict[str, int]) -> None:
    marks = {"Table 4": ("o", "from Table 4's floor"), "Table 5": ("x", "from Table 5's floor"), "joint fit": ("o", None)}
    for one in table.itertuples():
        colour, (mark, name) = arms_.look(one.arm)["color"], marks[one.series]
        axis.plot(one.y, places[one.arm], color=colour, marker=mark, markersize=4.5, linestyle="none", label=name)
        if one.series == "joint fit":
            axis.plot([one.low, one.high], [places[one.arm]] * 2, color=colour, linewidth=1.2)
            shares = "CC" if one.arm == "cc" else f"below CC {100 * one.below_cc:.0f} %"
            axis.annotate(f"{shares}, lowest {100 * one.lowest:.0f} %", (1.02, places[one.arm]),
                          xycoords=("axes fraction", "data"), fontsize=6.3, va="center", color=figures.INK)  # fmt: skip
    natural = table.loc[table["arm"] == "cc", "y"]
    if len(natural):
        axis.axvline(natural.mean(), color=figures.COLOURS["black"], linewidth=0.6, linestyle=(0, (4, 2)), zorder=0)
    axis.set_yticks(list(places.values()), [arms_.label(arm) for arm in places])
    axis.set_ylim(min(places.values()) - 0.7, 0.7)
    axis.grid(axis="y", color="#eeeeee", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)


def footer(judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: what is drawn, verdicts of both layers, what intervals cover."""
    by = {entry["claim"]: entry for entry in judged}

    def said(name: str) -> str:
        return arms_.said(by[f"fig3-{name}"], 2)

    return [
        "Left: not the paper's bars, whose joint coefficients are not printed, so that its sentences on them are not "
        "comparable: every arm but pure QA below CC, 33% HQ lowest (the next sentence has pure QA below CC too). Instead what "
        f"its two tables imply: two routes, up to {by['fig3-implied-routes']['estimate']:.2f} nats apart (within 0.03: "
        f"{by['fig3-implied-routes']['verdict']}). Dashed: CC.",
        f"Implied: mixtures below CC {said('implied-mixtures')}; pure HQ {said('implied-hq')}; pure TXBK "
        f"{said('implied-txbk')}; pure QA above CC {said('implied-qa')}; 33% HQ lowest {said('implied-lowest')}. Brackets: "
        "from one route to the other.",
        f"Right: {figures.SCALES[row['scale']]}; 95 % intervals, and how many of the redrawn fits have an arm below CC, or "
        f"lowest of all. Mixtures below CC {said('mixtures')}; pure HQ {said('hq')}; pure TXBK {said('txbk')}; pure QA above "
        f"CC {said('qa')}; 33% HQ lowest {said('lowest')}.",
        f"Intervals cover {arms_.COVER}.",
    ]


def fig3(runs: str, published_: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms, world, generator, replicates.
    """
    entries, floors = claims_.read_claims(claims, "fig3"), implied(arms_.read_published(published_))
    mine = arms_.read_runs(runs, row)
    found = arms_.fitted(mine, row, laws.fit_joint, "joint")
    findings = {**published(floors), **reproduced(found, entries)}
    verdicts = claims_.judge(entries, arms_.with_levels(findings, entries), row["scale"])
    table = plotted(floors, found)
    about = {"artifact": "fig3", "code": code, "cover": arms_.COVER, "n": arms_.counted(mine)}
    figures.publish(draw(table, found, footer(verdicts, row)), table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig3(
            snakemake.input.runs,
            snakemake.input.published,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
