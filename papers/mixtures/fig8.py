"""Figure 8 of arXiv 2510.01631: the loss of natural text over parameters and tokens, with contours.

Reads published.yaml, results/{scale}/mixtures/runs.csv (all sizes and budgets of cc) and claims.yaml. Makes fig8.pdf and
fig8.png (the surface that Tables 4 and 5 imply, and our joint fit with its runs; where the tables meet, and what our fit leaves
over), fig8.csv (every plotted number) and fig8.claims.json.

The paper's joint coefficients are not printed. Under its additive law L = E + A / N^alpha + B / D^beta the tables imply them
but for E, to which there are two routes (fig3.py); the mean of both is drawn. Where compute C = 6 N D is spent best, the loss
falls by as much for a larger model as for more tokens (Hoffmann et al. 2022): alpha A / N^alpha = beta B / D^beta.
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from papers.mixtures import fig3, scaling
from papers.mixtures.arms import BILLION, Fitted, Printed, exact, nothing
from scripts.lib import claims as claims_
from scripts.lib import figures, laws
from scripts.lib.laws import Law
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARM = "cc"
POINTS = 41  # of the surface on either axis
DRAWS = 10_000


def implied(printed: Printed, arm: str = ARM) -> Law:
    """The joint law that Tables 4 and 5 imply for an arm, N and D in billions."""
    tokens, parameters = printed.tokens[arm], printed.parameters[arm]
    return Law(float(np.mean(fig3.implied(printed)[arm])), parameters.A, parameters.alpha, tokens.B, tokens.beta)


def meeting(printed: Printed) -> dict[str, float]:
    """Arm -> loss of 1B parameters at 50B tokens by Table 4 less that by Table 5, per cent: 0 where both are slices."""
    known = printed.known["ranges"]
    D, N = known["parameters"]["budget"], known["tokens"]["model"]
    other = {arm: float(laws.value(law, N=N)) for arm, law in printed.parameters.items()}
    return {arm: 100 * (float(laws.value(law, D=D)) / other[arm] - 1) for arm, law in printed.tokens.items()}


def best_tokens(law: Law, N: np.ndarray) -> np.ndarray:
    """Billions of tokens with which a model of N billion parameters is best for its compute."""
    return (law.beta * law.B / (law.alpha * law.A) * N**law.alpha) ** (1 / law.beta)


def left_over(found: Fitted) -> pd.DataFrame:
    """The runs with ``predicted`` and ``error``, observed less predicted in per cent of it; none without a joint law."""
    runs = found.runs[found.runs["arm"] == ARM]
    if not found.has(ARM):
        return runs.iloc[:0].assign(predicted=[], error=[])
    predicted = laws.predicted(found.laws[ARM], arms_.in_billions(runs))
    return runs.assign(predicted=predicted, error=100 * (runs["loss"] / predicted - 1))


def falls(found: Fitted, axis: str, rest: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """How much the loss falls from each cell to the next larger one along an axis, nats, and the standard errors.

    These rest on how far runs are apart that only differ in their seed; where there are none, on how far runs are from the fit.
    """
    runs = found.runs[found.runs["arm"] == ARM]
    by_cell = runs.groupby(["parameters", "tokens"])["loss"]
    apart, freedom = runs["loss"] - by_cell.transform("mean"), len(runs) - by_cell.ngroups
    if not freedom:
        apart, freedom = rest["loss"] - rest["predicted"], max(len(rest) - len(Law._fields), 1)
    deviation = float(np.sqrt((apart**2).sum() / freedom))
    other = "parameters" if axis == "tokens" else "tokens"
    cells = runs.groupby([other, axis])["loss"].agg(["mean", "size"]).reset_index()
    steps, errors = [], []
    for _, line in cells.groupby(other):
        steps += list(-np.diff(line["mean"]))
        errors += list(deviation * np.sqrt(1 / line["size"].to_numpy()[1:] + 1 / line["size"].to_numpy()[:-1]))
    return np.array(steps), np.array(errors)


def findings(printed: Printed, found: Fitted, rest: pd.DataFrame, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found: where the tables meet, what our joint fit leaves over, whether losses fall along both axes."""
    gaps = meeting(printed)
    out = {"fig8-published-meet-cc": exact(gaps[ARM])}
    out["fig8-published-meet"] = exact(max(gaps.values(), key=abs))
    rng = np.random.default_rng(seed_of("mixtures", "fig8"))
    if rest.empty:
        lacking = nothing("no joint law of cc: too few runs")
        return out | {name: dict(lacking) for name in ("fig8-residual", "fig8-tokens", "fig8-parameters")}
    errors = rest["error"].abs().to_numpy()
    low, high = arms_.percentiles(
        errors[rng.integers(len(errors), size=(DRAWS, len(errors)))].mean(1), claims["fig8-residual"]["level"]
    )
    out["fig8-residual"] = {"estimate": float(errors.mean()), "low": low, "high": high, "runs": len(errors)}
    for axis in ("tokens", "parameters"):
        steps, spread = falls(found, axis, rest)
        draws = steps + spread * rng.normal(size=(DRAWS, len(steps)))
        out[f"fig8-{axis}"] = arms_.smallest(steps, draws, claims[f"fig8-{axis}"]["level"])
    return out


# --- the figure -------------------------------------------------------------------------------------------------------------


def surface(law: Law, N: np.ndarray, D: np.ndarray, layer: str) -> pd.DataFrame:
    """A law's losses over sizes and budgets in billions, and where compute is spent best: series, x (tokens), z, y."""
    n, d = (each.ravel() for each in np.meshgrid(N, D, indexing="ij"))
    known = {"layer": layer, "panel": "surface", "arm": ARM}
    whole = pd.DataFrame({**known, "series": "loss", "x": d * BILLION, "z": n * BILLION, "y": laws.value(law, n, d)})
    best = best_tokens(law, N)
    line = pd.DataFrame({**known, "series": "best", "x": best * BILLION, "z": N * BILLION, "y": laws.value(law, N, best)})
    return pd.concat([whole, line[(best >= D[0]) & (best <= D[-1])]])


def plotted(printed: Printed, found: Fitted, rest: pd.DataFrame) -> pd.DataFrame:
    """Every plotted number: layer, panel (surface, meeting, rest), series, arm, x (tokens), z (parameters), y."""
    known = printed.known["ranges"]
    ends = [np.geomspace(known[axis]["least"], known[axis]["extrapolated"], POINTS) for axis in ("parameters", "tokens")]
    parts = [surface(implied(printed), *ends, "published")]
    gaps = meeting(printed)
    parts.append(pd.DataFrame({"layer": "published", "panel": "meeting", "arm": list(gaps), "y": list(gaps.values())}))
    if len(rest):
        frame = arms_.in_billions(rest)
        ends = [np.geomspace(frame[axis].min() / 1.3, 1.3 * frame[axis].max(), POINTS) for axis in ("parameters", "tokens")]
        parts.append(surface(found.laws[ARM], *ends, "reproduced"))
        dots = {"x": rest["tokens"], "z": rest["parameters"]}
        known = {"layer": "reproduced", "arm": ARM}
        parts.append(pd.DataFrame({**known, "panel": "surface", "series": "run", **dots, "y": rest["loss"]}))
        parts.append(pd.DataFrame({**known, "panel": "rest", "series": "run", **dots, "y": rest["error"]}))
    return pd.concat(parts, ignore_index=True)


def draw(table: pd.DataFrame, found: Fitted, printed: Printed, lines: list[str]) -> "Figure":
    """Surfaces above, published left, reproduced right; under them where tables meet and what our fit leaves over; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    panel, gap, below = 2.1, 0.75, 1.45
    height = 0.42 + panel + gap + below + 0.58 + 0.137 * len(lines)
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        for layer, left in (("published", 0.6), ("reproduced", 4.15)):
            axes = figure.add_axes(
                (left / figures.WIDTH, (height - 0.42 - panel) / height, 2.65 / figures.WIDTH, panel / height)
            )
            mine = table[(table["layer"] == layer) & (table["panel"] == "surface")]
            axes.set_title(layer, fontweight="bold", pad=11)
            counted = arms_.counted(found.runs[found.runs["arm"] == ARM])
            figures.under_title(axes, "implied by Tables 4 and 5, CC" if layer == "published" else f"joint fit, CC; {counted}")
            box = (left / figures.WIDTH, (height - 0.42 - panel - gap - below) / height, 2.65 / figures.WIDTH, below / height)
            under = figure.add_axes(box)
            if mine.empty:
                arms_.empty(axes, "too few runs for a joint law\n(three sizes, three budgets, six different runs)")
                arms_.empty(under, "")
                continue
            _surface(axes, mine, layer, printed)
            if layer == "published":
                _meeting(under, table[table["panel"] == "meeting"])
            else:
                _rest(under, table[table["panel"] == "rest"])
        figures.footer(figure, lines)
    return figure


def _surface(axes: "Axes", table: pd.DataFrame, layer: str, printed: Printed) -> None:
    wide = table[table["series"] == "loss"].pivot(index="z", columns="x", values="y")
    levels = np.linspace(*np.quantile(wide.to_numpy(), [0.02, 0.9]), 9)
    import matplotlib

    colours = matplotlib.colormaps["cividis"](np.linspace(0, 0.7, len(levels) + 1))  # its yellow is that of the contours
    axes.contourf(wide.columns, wide.index, wide, levels=levels, colors=colours, extend="both")
    drawn = axes.contour(wide.columns, wide.index, wide, levels=levels[::2], colors="#f5e663", linewidths=0.8)
    axes.clabel(drawn, fmt="%.2f", fontsize=6.5)
    best, runs = (table[table["series"] == series] for series in ("best", "run"))
    axes.plot(best["x"], best["z"], color="white", linewidth=1.1, linestyle=(0, (4, 2)))
    axes.plot(runs["x"], runs["z"], "o", color="white", markeredgecolor="black", markersize=3.2, linestyle="none")
    axes.set_xscale("log")
    axes.set_yscale("log")
    if layer == "published":
        known = printed.known["ranges"]
        axes.axhline(known["tokens"]["model"] * BILLION, color="white", linewidth=0.6)
        axes.axvline(known["parameters"]["budget"] * BILLION, color="white", linewidth=0.6)
        ticks = {axis: [tick * BILLION for tick in scaling.TICKS[axis]] for axis in ("tokens", "parameters")}
        names = {axis: [f"{tick:g}" for tick in scaling.TICKS[axis]] for axis in ticks}
    else:
        ticks = {"tokens": sorted(set(runs["x"])), "parameters": sorted(set(runs["z"]))}
        names = {axis: [arms_.short(tick) for tick in of] for axis, of in ticks.items()}
    axes.set_xticks(ticks["tokens"], names["tokens"])
    axes.set_yticks(ticks["parameters"], names["parameters"])
    axes.minorticks_off()
    unit = ", billions" if layer == "published" else ""
    axes.set_xlabel(f"training tokens{unit}", labelpad=1)
    axes.set_ylabel(f"parameters{unit}", labelpad=2)


def _meeting(axes: "Axes", table: pd.DataFrame) -> None:
    for place, one in enumerate(table.itertuples()):
        look = arms_.look(one.arm)
        axes.plot([0, one.y], [-place] * 2, color=look["color"], linewidth=1.0)
        axes.plot(one.y, -place, color=look["color"], marker=look["marker"], markersize=4)
    axes.set_yticks([-i for i in range(len(table))], [arms_.label(arm) for arm in table["arm"]], fontsize=6.5)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=figures.COLOURS["black"], linewidth=0.5, zorder=0)
    axes.set_xlabel("loss of the 1B model at 50B tokens:\nTable 4 less Table 5, %", labelpad=1)


def _rest(axes: "Axes", table: pd.DataFrame) -> None:
    axes.set_xscale("log")
    axes.axhline(0, color=figures.COLOURS["black"], linewidth=0.5, zorder=0)
    sizes = sorted(set(table["z"]))
    greys = np.linspace(0.75, 0.0, len(sizes))
    for size, grey in zip(sizes, greys, strict=True):
        mine = table[table["z"] == size]
        axes.plot(mine["x"], mine["y"], "o", color=str(grey), markersize=3.2, linestyle="none", label=arms_.short(size))
    ticks = sorted(set(table["x"]))
    axes.set_xticks(ticks, [arms_.short(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=6.3, loc="upper left", bbox_to_anchor=(0.0, 1.17), ncols=len(sizes), handletextpad=0.0,
                columnspacing=0.5, borderaxespad=0)  # fmt: skip
    axes.set_xlabel("training tokens (grey: parameters)", labelpad=1)
    axes.set_ylabel("observed less fit, %", labelpad=2)


def footer(judged: list[dict], printed: Printed, row: dict) -> list[str]:
    """The lines under the panels: what is drawn, verdicts of both layers, what intervals cover."""
    by = {entry["claim"]: entry for entry in judged}
    law = implied(printed)
    return [
        "Left: the paper's joint coefficients are not printed; this is the additive law that its Tables 4 and 5 imply for CC "
        f"(E {law.E:.2f}, by two routes), thin lines its two slices. Yellow: contours, nats a token. White dashes: where "
        f"compute 6 N D is spent best, {float(best_tokens(law, 1.0)):.0f} tokens a parameter at 1B.",
        "The slices should meet at 1B parameters and 50B tokens, within 1 %: CC "
        f"{arms_.said(by['fig8-published-meet-cc'], 2)}; the farthest of ten arms {arms_.said(by['fig8-published-meet'], 2)}.",
        f"Right: {figures.SCALES[row['scale']]}. Mean distance of runs from the joint fit, %: "
        f"{arms_.said(by['fig8-residual'], 2)}. Smallest fall of the loss in nats, from a budget to the next "
        f"{arms_.said(by['fig8-tokens'])}, from a size to the next {arms_.said(by['fig8-parameters'])}.",
        f"Intervals cover {arms_.COVER}.",
    ]


def fig8(runs: str, published: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms (cc among them), world, generator, replicates.
    """
    printed, entries = arms_.read_published(published), claims_.read_claims(claims, "fig8")
    found = arms_.fitted(arms_.read_runs(runs, row), row, laws.fit_joint, "fig8")
    rest = left_over(found)
    verdicts = claims_.judge(entries, arms_.with_levels(findings(printed, found, rest, entries), entries), row["scale"])
    table = plotted(printed, found, rest)
    about = {"artifact": "fig8", "code": code, "cover": arms_.COVER, "n": arms_.counted(found.runs)}
    figure = draw(table, found, printed, footer(verdicts, printed, row))
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig8(
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
