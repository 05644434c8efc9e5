"""Figures 6 and 7, which are alike: losses at the largest budget (or size) predicted from all smaller ones.

``axis`` is what varies: tokens (Figure 6) or parameters (Figure 7). The error is the relative mean absolute one (RMABE; the
paper does not define the term): the mean over held-out runs of |predicted - observed| / observed, in per cent.

No loss of a run is printed. What can be asked of the printed error is what noise of single runs it speaks for: were the printed
laws true and each run's loss off by a relative deviation s, fits would miss a held-out run by s * sqrt(1 + |g|^2), with g the
weights by which a fit's prediction follows its runs, linear for small s. The budgets and sizes of the paper's runs are not
printed either; those assumed stand in ``ASSUMED``.
"""

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from papers.mixtures import scaling
from papers.mixtures.arms import BILLION, LEVEL, Printed, exact, nothing
from scripts.lib import claims as claims_
from scripts.lib import figures, laws
from scripts.lib.laws import Law
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FITS: dict[str, Callable] = {"tokens": laws.fit_tokens, "parameters": laws.fit_parameters}
ASSUMED = {"tokens": [1, 2, 5, 10, 20, 50, 100], "parameters": [0.1, 0.2, 0.5, 1, 2]}  # billions, one run each; ours
TICKS = {"tokens": [1, 10, 50, 200], "parameters": [0.1, 0.3, 1, 3]}  # billions, published layer
NOISES = np.linspace(0, 1.0, 21)  # per cent, relative deviation of a run's loss
DRAWS = 10_000
COVER = "which arms are asked; not the noise of these runs, nor other budgets or sizes"


# --- published --------------------------------------------------------------------------------------------------------------


def leverage(law: Law, axis: str, x: np.ndarray, held_out: float) -> float:
    """How far a held-out run is from a fit to runs at x, in units of a run's relative deviation; its own is included.

    Of least squares of relative residuals, linearised at the law; x in billions.
    """
    amount, exponent = (law.B, law.beta) if axis == "tokens" else (law.A, law.alpha)

    def slopes(at: np.ndarray) -> np.ndarray:
        """Of the law over E, amount and exponent, relative to the law: (points, 3)."""
        term = at**-exponent
        by = np.stack([np.ones_like(at), term, -amount * term * np.log(at)], axis=-1)
        return by / scaling.at(law, axis, at)[:, None]

    weights = slopes(np.array([held_out])) @ np.linalg.pinv(slopes(np.asarray(x, float)))
    return float(np.sqrt(1 + (weights**2).sum()))


def noise(printed: Printed, axis: str) -> pd.DataFrame:
    """The error to expect by noise of single runs: x (relative deviation, per cent), y (mean RMABE), low, high (95 %)."""
    held_out, by = printed.known["ranges"][axis]["held_out"], getattr(printed, axis)
    arms = printed.known["prediction"][axis]["arms"]
    factors = np.array([leverage(by[arm], axis, ASSUMED[axis], held_out) for arm in arms])
    errors = np.abs(np.random.default_rng(seed_of("mixtures", "noise", axis)).normal(size=(DRAWS, len(arms))) * factors).mean(1)
    low, high = arms_.percentiles(errors, LEVEL)
    return pd.DataFrame(
        {"x": NOISES, "y": NOISES * factors.mean() * np.sqrt(2 / np.pi), "low": NOISES * low, "high": NOISES * high}
    )


def implied_noise(printed: Printed, axis: str) -> float:
    """The relative deviation of single runs, per cent, at which the printed error is to be expected."""
    curve = noise(printed, axis)
    return float(printed.known["prediction"][axis]["rmabe"] / curve["y"].iloc[-1] * curve["x"].iloc[-1])


def published(printed: Printed, axis: str, name: str) -> dict[str, dict]:
    """The printed error against that of the last value that was fitted, which knows no law."""
    known, by = printed.known["ranges"][axis], getattr(printed, axis)
    asked = printed.known["prediction"][axis]
    last = [float(scaling.at(by[arm], axis, known["fitted"])) for arm in asked["arms"]]
    held_out = [float(scaling.at(by[arm], axis, known["held_out"])) for arm in asked["arms"]]
    return {f"{name}-published-baseline": exact(laws.rmabe(last, held_out) - asked["rmabe"])}


# --- reproduced -------------------------------------------------------------------------------------------------------------


def held_out(runs: pd.DataFrame, row: dict, axis: str) -> pd.DataFrame:
    """Runs at the largest budget (size), with ``predicted``, low, high, ``last``, of arms whose smaller ones can be fitted."""
    frame = arms_.in_billions(runs)
    arms = arms_.enough(frame[frame[axis] < frame[axis].max()], row["arms"], FITS[axis])
    if not arms:
        return frame.iloc[:0].assign(predicted=[], low=[], high=[], last=[])
    kept = frame[frame["arm"].isin(arms)]
    return laws.hold_out(kept, arms, FITS[axis], axis, row["replicates"], seed_of("mixtures", "held out", axis))


def reproduced(found: pd.DataFrame, name: str, claims: dict[str, dict]) -> dict[str, dict]:
    """Our error, and it less that of the last value, with intervals over arms."""
    names = [f"{name}-error", f"{name}-error-published", f"{name}-baseline"]
    if found["arm"].nunique() < 3:
        return {one: nothing("fewer than three arms with runs to fit and a run to predict") for one in names}
    off = found.assign(
        law=100 * (found["predicted"] / found["loss"] - 1).abs(), last=100 * (found["last"] / found["loss"] - 1).abs()
    )
    by_arm = off.groupby("arm")[["law", "last"]].mean().to_numpy()
    picked = np.random.default_rng(seed_of("mixtures", name)).integers(len(by_arm), size=(DRAWS, len(by_arm)))
    values = {names[0]: by_arm[:, 0], names[1]: by_arm[:, 0], names[2]: by_arm[:, 0] - by_arm[:, 1]}
    out = {}
    for one, value in values.items():
        low, high = arms_.percentiles(value[picked].mean(1), claims[one]["level"])
        out[one] = {"estimate": float(value.mean()), "low": low, "high": high, "runs": len(off)}
    return out


# --- the figure -------------------------------------------------------------------------------------------------------------


def plotted(printed: Printed, runs: pd.DataFrame, found: pd.DataFrame, row: dict, axis: str) -> pd.DataFrame:
    """Every plotted number: layer, panel (loss, noise, error), series, arm, x (plain tokens or parameters), y, low, high, n.

    Losses are in nats a token, errors (of the prediction, predicted less observed, and of the last value) in per cent of the
    observed loss.
    """
    known, by, parts = printed.known["ranges"][axis], getattr(printed, axis), []
    x = np.geomspace(known["least"], known["held_out"], scaling.POINTS)
    for arm in printed.known["prediction"][axis]["arms"]:
        base = {"layer": "published", "panel": "loss", "arm": arm}
        parts.append(pd.DataFrame({**base, "series": "law", "x": x * BILLION, "y": scaling.at(by[arm], axis, x)}))
        parts.append(
            pd.DataFrame([{**base, "series": "predicted", "x": x[-1] * BILLION, "y": scaling.at(by[arm], axis, x[-1])}])
        )
    parts.append(noise(printed, axis).assign(layer="published", panel="noise", series="expected"))
    smaller = arms_.in_billions(runs[runs[axis] < runs[axis].max()])
    for arm in found["arm"].unique():
        base, mine, out = {"layer": "reproduced", "arm": arm}, smaller[smaller["arm"] == arm], found[found["arm"] == arm]
        law = FITS[axis](mine[axis].to_numpy(), mine["loss"].to_numpy())
        x = np.geomspace(mine[axis].min(), out[axis].max(), scaling.POINTS)
        cells = mine.groupby(axis)["loss"].agg(["mean", "size"]).reset_index()
        parts.append(pd.DataFrame({**base, "panel": "loss", "series": "law", "x": x * BILLION, "y": scaling.at(law, axis, x)}))
        seen = {"x": cells[axis] * BILLION, "y": cells["mean"], "n": cells["size"]}
        parts.append(pd.DataFrame({**base, "panel": "loss", "series": "run", **seen}))
        end = {"x": out[axis].max() * BILLION, "y": out["loss"].mean(), "n": len(out)}
        parts.append(pd.DataFrame([{**base, "panel": "loss", "series": "held out", **end}]))
        error = {key: (100 * (out[key] / out["loss"] - 1)).mean() for key in ("predicted", "low", "high", "last")}
        line = {"y": error["predicted"], "low": error["low"], "high": error["high"], "n": len(out)}
        parts.append(pd.DataFrame([{**base, "panel": "error", "series": "law", **line}]))
        parts.append(pd.DataFrame([{**base, "panel": "error", "series": "last value", "y": error["last"], "n": len(out)}]))
    return pd.concat(parts, ignore_index=True)


def draw(
    table: pd.DataFrame, runs: pd.DataFrame, printed: Printed, axis: str, words: scaling.Words, lines: list[str]
) -> "Figure":
    """Laws, runs and what was held out, published left, reproduced right; under them noise, and errors by arm; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    panel, gap, below = 1.95, 0.72, 1.65
    height = 0.42 + panel + gap + below + 0.45 + 0.137 * len(lines)
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))

        def add(left: float, top: float, tall: float) -> "Axes":
            return figure.add_axes(
                (left / figures.WIDTH, (height - top - tall) / height, scaling.ACROSS / figures.WIDTH, tall / height)
            )

        for layer, left in scaling.COLUMNS.items():
            axes, mine = add(left, 0.42, panel), table[(table["layer"] == layer) & (table["panel"] == "loss")]
            axes.set_title(layer, fontweight="bold", pad=11)
            under = words.published if layer == "published" else f"{words.fixed}; {arms_.counted(runs)}"
            figures.under_title(axes, under)
            if mine.empty:
                arms_.empty(axes, "too few runs to fit and one to predict\n(four smaller cells an arm)")
                continue
            _losses(axes, mine, layer, printed, axis)
            axes.set_xlabel(f"{words.x}, billions" if layer == "published" else words.x, labelpad=1)
        figure.axes[0].set_ylabel("loss, nats a token", labelpad=2)
        _noise(add(scaling.COLUMNS["published"], 0.42 + panel + gap, below), table[table["panel"] == "noise"], printed, axis)
        errors = add(scaling.COLUMNS["reproduced"], 0.42 + panel + gap, below)
        _errors(errors, table[table["panel"] == "error"])
        figures.footer(figure, lines)
    return figure


def _losses(axes: "Axes", table: pd.DataFrame, layer: str, printed: Printed, axis: str) -> None:
    axes.set_xscale("log")
    held_out = table["x"].max()
    fitted = (
        printed.known["ranges"][axis]["fitted"] * BILLION
        if layer == "published"
        else table[table["series"] == "run"]["x"].max()
    )
    arms_.measured(axes, table["x"].min(), fitted)
    for arm, mine in table.groupby("arm", sort=False):
        look = arms_.look(arm)
        of = {series: part for series, part in mine.groupby("series")}
        axes.plot(of["law"]["x"], of["law"]["y"], **{key: look[key] for key in ("color", "linestyle", "linewidth")})
        dots = {"color": look["color"], "linestyle": "none"}
        if "run" in of:
            axes.plot(of["run"]["x"], of["run"]["y"], marker=look["marker"], markersize=2.8, **dots)
        end = of.get("held out", of.get("predicted"))
        axes.plot(end["x"], end["y"], marker="D", markersize=5, markerfacecolor="white", clip_on=False, zorder=5, **dots)
    axes.set_xlim(table["x"].min() / 1.05, held_out * 1.05)
    if layer == "published":
        ticks = TICKS[axis]
        axes.set_xticks([tick * BILLION for tick in ticks], [f"{tick:g}" for tick in ticks])
    else:
        ticks = sorted(set(table.loc[table["series"].isin(["run", "held out"]), "x"]))
        axes.set_xticks(ticks, [arms_.short(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    ends = table[table["series"] == "law"].groupby("arm", sort=False).tail(1)
    arms_.direct_labels(axes, dict(zip(ends["arm"], ends["y"], strict=True)), held_out)


def _noise(axes: "Axes", table: pd.DataFrame, printed: Printed, axis: str) -> None:
    colour, printed_error = figures.COLOURS["blue"], printed.known["prediction"][axis]["rmabe"]
    axes.fill_between(table["x"], table["low"], table["high"], color=colour, alpha=0.15, linewidth=0)
    axes.plot(table["x"], table["y"], color=colour)
    axes.annotate("expected, and 95 %", (0.03, 0.94), xycoords="axes fraction", color=colour, va="top", fontsize=7)
    axes.axhline(printed_error, color=figures.COLOURS["black"], linewidth=0.8, linestyle=(0, (4, 2)))
    axes.annotate(f"printed: {printed_error:.2f} %", (0.98, printed_error), (0, -2), xycoords=("axes fraction", "data"),
                  textcoords="offset points", ha="right", va="top", fontsize=7)  # fmt: skip
    axes.plot(implied_noise(printed, axis), printed_error, "o", color="black", markersize=4)
    axes.set_xlim(0, table["x"].max())
    axes.set_ylim(0, None)
    axes.set_xlabel("relative deviation of a run's loss, %", labelpad=1)
    axes.set_ylabel("RMABE, %", labelpad=2)
    axes.set_title("what noise the printed error speaks for", fontsize=7.5)


def _errors(axes: "Axes", table: pd.DataFrame) -> None:
    if table.empty:
        arms_.empty(axes, "no prediction yet")
        return
    names = list(dict.fromkeys(table["arm"]))
    for place, arm in enumerate(names):
        mine, look = table[table["arm"] == arm].set_index("series"), arms_.look(arm)
        one = mine.loc["law"]
        axes.plot([one["low"], one["high"]], [-place] * 2, color=look["color"], linewidth=1.1)
        axes.plot(one["y"], -place, color=look["color"], marker=look["marker"], markersize=4)
        axes.plot(mine.loc["last value", "y"], -place, color=look["color"], marker="|", markersize=7, linestyle="none")
    axes.axvline(0, color=figures.COLOURS["black"], linewidth=0.5, zorder=0)
    axes.set_yticks([-i for i in range(len(names))], [arms_.label(arm) for arm in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-len(names) + 0.4, 0.6)
    axes.set_xlabel("predicted less observed, % of the loss", labelpad=1)
    axes.set_title("marks: the law; bars: the last value that was fitted", fontsize=7.5)


def footer(judged: list[dict], printed: Printed, axis: str, name: str, row: dict) -> list[str]:
    """The lines under the panels: what is drawn, verdicts of both layers, what intervals cover."""
    by = {entry["claim"]: entry for entry in judged}
    known = printed.known["ranges"][axis]
    unit = "tokens" if axis == "tokens" else "parameters"
    reach = known["extrapolated"] / known["fitted"]
    return [
        f"Top left: the printed laws of the arms whose runs at {known['held_out']}B {unit} were predicted from smaller ones; "
        "diamonds: what the laws say there. Grey: what was fitted. No run's loss is printed. The check reaches "
        f"{known['held_out'] / known['fitted']:g} times beyond what was fitted, the paper's extrapolation {reach:g} times. "
        f"Bottom left: an error of {printed.known['prediction'][axis]['rmabe']:.2f} % is to be expected where single runs are "
        f"off by {implied_noise(printed, axis):.2f} % (runs assumed at {', '.join(f'{x:g}' for x in ASSUMED[axis])}B).",
        "The last value fitted would miss by more than the printed error, in points "
        f"{arms_.said(by[f'{name}-published-baseline'], 2)}.",
        f"Right: {figures.SCALES[row['scale']]}. Dots: runs that were fitted; diamonds: held out, observed. RMABE, %: "
        f"{arms_.said(by[f'{name}-error'], 2)}; less that of the last value: {arms_.said(by[f'{name}-baseline'], 2)}.",
        f"Intervals of errors by arm: 95 % of the law's prediction. Intervals of RMABE cover {COVER}.",
    ]


def validate(
    runs: str,
    published_: str,
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    code: str,
    axis: str,
    artifact: str,
    words: scaling.Words,
) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out."""
    printed, entries = arms_.read_published(published_), claims_.read_claims(claims, artifact)
    mine = arms_.read_runs(runs, row)
    found = held_out(mine, row, axis)
    findings = {**published(printed, axis, artifact), **reproduced(found, artifact, entries)}
    verdicts = claims_.judge(entries, arms_.with_levels(findings, entries), row["scale"])
    table = plotted(printed, mine, found, row, axis)
    figure = draw(table, mine, printed, axis, words, footer(verdicts, printed, axis, artifact, row))
    about = {"artifact": artifact, "code": code, "cover": COVER, "n": arms_.counted(mine)}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)
