"""Figures 6 and 11 of arXiv 2605.31126: how likely a model finds its own text and another family's, at three temperatures.

Reads likelihood audits (Parquet: id, nll, tokens, scored, same, nll_text, one line a document; companion CSV: length,
documents, nll, sd), for figure 6 the evaluations of two runs, and papers/bos_only/claims.yaml. Makes {figure}.pdf and .png
(densities of the mean NLL per document for own and cross text, their gap by temperature, NLL by sample length), .csv (every
plotted number) and .claims.json.

Intervals resample documents, each corpus for itself: they speak of these models, not of others trained alike.
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.bos_only import curves
from papers.bos_only.curves import COVER, DRAWS
from scripts.audits.nll import length_for
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.figures import INK
from scripts.lib.files import read_card
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDES = ("own", "cross")
STEPS = 400  # of the grid on which densities are drawn
REACHED = 0.05  # share of the documents that must be as long for their length to be drawn
WARMTH = {
    "0.75": {"color": figures.COLOURS["blue"], "linestyle": "-"},
    "1.0": {"color": figures.COLOURS["orange"], "linestyle": (0, (5, 1.5))},
    "1.25": {"color": figures.COLOURS["vermilion"], "linestyle": (0, (1.5, 1))},
}
PUBLISHED = ("gpu", "paper")  # scales whose own-text curve is held against the printed mean

Audits = dict[tuple[str, str], pd.DataFrame]  # (side, temperature) -> audit


def resampled_means(values: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Means of ``draws`` resamples of documents with replacement, (draws,)."""
    rng = np.random.default_rng(seed)
    step = max(1, (1 << 21) // len(values))
    out = [values[rng.integers(len(values), size=(min(step, draws - at), len(values)))].mean(1) for at in range(0, draws, step)]
    return np.concatenate(out)


def likelihoods(audits: Audits, column: str = "nll") -> dict[tuple[str, str], np.ndarray]:
    """(side, temperature) -> the documents' nats per token; documents without a token to score are left out.

    Raises:
        ValueError: naming side and temperature where nothing is left.
    """
    out = {}
    for key, table in audits.items():
        values = table[column].dropna().to_numpy(float)
        if not len(values):
            raise ValueError(f"{' at '.join(key)}: no document with a token to score")
        out[key] = values
    return out


Gaps = tuple[dict, dict]


def gaps(values: dict[tuple[str, str], np.ndarray], name: str, draws: int = DRAWS) -> Gaps:
    """Means and gaps: ``{(side, t): (mean, draws)}`` and ``{t: (own minus cross, draws)}``."""
    means = {key: (float(v.mean()), resampled_means(v, draws, seed_of(name, "documents", *key))) for key, v in values.items()}
    found = {
        t: tuple(a - b for a, b in zip(means["own", t], means["cross", t], strict=True)) for side, t in means if side == "own"
    }
    return means, found


def likelihood_findings(measured: Gaps, claims: dict[str, dict], name: str) -> dict[str, dict]:
    """What was found for the claims on likelihood: the gap at the highest temperature, and whether it is the smallest."""
    means, found = measured
    *cooler, hottest = sorted(found, key=float)
    claim = claims[f"{name}-gap-at-1.25"]
    gap, drawn = found[hottest]
    out = {f"{name}-gap-at-1.25": {"estimate": gap, **statistics.equivalence(drawn, claim["tolerance"], claim["level"])}}
    level = claims[f"{name}-gap-smallest"]["level"]
    rest = min(abs(found[t][0]) for t in cooler) - abs(gap)
    sample = np.min([np.abs(found[t][1]) for t in cooler], axis=0) - np.abs(drawn)
    low, high = statistics.interval(sample, level)
    p = float(statistics.p_above(sample, 0.0))
    out[f"{name}-gap-smallest"] = {"estimate": rest, "low": low, "high": high, "level": level, "p": p}
    for side in SIDES:
        if (key := f"{name}-{side}-mean") in claims:
            mean, drawn = means[side, hottest]
            low, high = statistics.interval(drawn, claims[key]["level"])
            out[key] = {"estimate": mean, "low": low, "high": high, "level": claims[key]["level"]}
    return out


def effect_findings(
    values: list[np.ndarray], epochs: np.ndarray, claims: dict[str, dict], draws: int = DRAWS
) -> dict[str, dict]:
    """What training on own and on cross text does: the macro area of each, in points.

    ``values`` has one array per task of changes in points, (items, arms own and cross, epochs after 0, subsets).
    """
    weights = statistics.area_weights(np.append(0, epochs))[1:]
    areas = [np.einsum("iaes,e->ias", v, weights)[:, :, None] for v in values]
    estimate, drawn = statistics.bootstrap(areas, draws, seed_of("fig6", "items and subsets"))
    out = {}
    for arm, name in enumerate(("fig6-own-helps", "fig6-cross-harms")):
        low, high = statistics.interval(drawn[:, arm, 0], claims[name]["level"])
        out[name] = {"estimate": float(estimate[arm, 0]), "low": low, "high": high, "level": claims[name]["level"]}
    return out


def plotted(audits: Audits, lengths: Audits, measured: Gaps, as_text: Gaps, level: float) -> pd.DataFrame:
    """Every plotted number: panel, side, temperature, x, y, low, high, n.

    density: of the documents' mean NLL (x) by Gaussian kernels of Scott's width on a grid from 0 on; mean: with its interval;
    mean as text: the same of all documents re-tokenised by the scorer; sampled: the share scored as sampled (y) and, of these,
    the share that re-tokenises to other ids (high); gap: own minus cross, and as text; ks: the Kolmogorov-Smirnov distance of
    own and cross; length: mean NLL (y) of the first x tokens, with the standard error of the mean.
    """
    from scipy import stats

    values, texts = likelihoods(audits), likelihoods(audits, "nll_text")
    grid = np.linspace(0, np.ceil(max(v.max() for v in values.values())), STEPS)
    lines = []
    for panel, some, (means, found) in (("", values, measured), (" as text", texts, as_text)):
        for (side, t), (mean, drawn) in means.items():
            lines.append((f"mean{panel}", side, t, np.nan, mean, *statistics.interval(drawn, level), len(some[side, t])))
        for t, (gap, drawn) in found.items():
            n = len(some["own", t]) + len(some["cross", t])
            lines.append((f"gap{panel}", "own minus cross", t, float(t), gap, *statistics.interval(drawn, level), n))
    for (side, t), v in values.items():
        kernel = stats.gaussian_kde(v) if len(v) > 2 and v.std() > 0 else None
        density = kernel(grid) if kernel is not None else np.full(len(grid), np.nan)
        lines += [("density", side, t, x, y, np.nan, np.nan, len(v)) for x, y in zip(grid, density, strict=True)]
        table = audits[side, t]
        sampled = table["scored"] == "sampled"
        other = float((table.loc[sampled, "same"] == False).mean()) if sampled.any() else np.nan  # noqa: E712
        lines.append(("sampled", side, t, np.nan, float(sampled.mean()), np.nan, other, len(table)))
        curve = lengths[side, t]
        error = curve["sd"] / np.sqrt(curve["documents"])
        columns = (curve["length"], curve["nll"], curve["nll"] - error, curve["nll"] + error, curve["documents"])
        lines += [("length", side, t, *line) for line in zip(*columns, strict=True)]
    for t in dict.fromkeys(t for _, t in values):
        distance = stats.ks_2samp(values["own", t], values["cross", t]).statistic
        lines.append(("ks", "own and cross", t, np.nan, float(distance), np.nan, np.nan, 0))
    return pd.DataFrame(lines, columns=["panel", "side", "temperature", "x", "y", "low", "high", "n"])


def draw(table: pd.DataFrame, judged: list[dict], row: dict, says: list[str]) -> "Figure":
    """The figure: own and cross densities, the gap by temperature, NLL by length; legend and footer below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in says for line in textwrap.wrap(part, 131)]
    with matplotlib.rc_context(figures.STYLE):
        height = 2.79 + 0.137 * len(lines)
        figure, axes = plt.subplots(1, 4, figsize=(figures.WIDTH, height))
        figure.subplots_adjust(left=0.062, right=0.988, top=1 - 0.56 / height, bottom=1 - 2.24 / height, wspace=0.36)
        top = 1.06 * table.loc[table["panel"] == "density", "y"].max()
        for axis, side in zip(axes, SIDES, strict=False):
            _density(axis, table, side, row)
            axis.set_ylim(0, top)
        axes[0].set_ylabel("density of documents")
        _gap(axes[2], table, judged)
        _by_length(axes[3], table)
        handles, labels = axes[0].get_legend_handles_labels()
        at = {"loc": "upper left", "frameon": False, "handlelength": 3.0, "columnspacing": 1.2}
        figure.legend(handles, labels, bbox_to_anchor=(0.006, 1 - 2.54 / height), ncols=len(handles), **at)
        handles, labels = axes[3].get_legend_handles_labels()
        figure.legend(handles, labels, bbox_to_anchor=(0.66, 1 - 2.54 / height), ncols=2, **at)
        figures.footer(figure, lines)
    return figure


def _density(axis: "Axes", table: pd.DataFrame, side: str, row: dict) -> None:
    """One side: a curve a temperature, its mean dashed, and under the title what was scored."""
    mine = table[table["side"] == side]
    temperatures = list(dict.fromkeys(mine["temperature"]))
    for t in temperatures:
        line = mine[(mine["panel"] == "density") & (mine["temperature"] == t)]
        axis.plot(line["x"], line["y"], label=f"temperature {t}", **WARMTH[t])
        mean = mine[(mine["panel"] == "mean") & (mine["temperature"] == t)].iloc[0]
        axis.axvline(mean["y"], color=WARMTH[t]["color"], linewidth=0.8, linestyle=(0, (3, 2)))
    shares = mine[mine["panel"] == "sampled"]
    dense = table[table["panel"] == "density"]
    axis.set_xlim(0, np.ceil(dense.loc[dense["y"] > 0.005 * dense["y"].max(), "x"].max()))
    axis.set_xlabel("nats per token", labelpad=1)
    axis.set_title(f"{side}: {row['models'][side]}", pad=23)
    few, many = int(shares["n"].min()), int(shares["n"].max())
    size = f"n {few:,}" if few == many else f"n {few:,} to {many:,}"
    if shares["y"].max() == 0:
        scored = "all re-tokenised"
    else:
        other = " / ".join(f"{100 * share:.0f}" for share in shares["high"])
        scored = f"as sampled; {other} % cut otherwise"
    curves.under_title(axis, f"{size} a temperature\n{scored}")


def _gap(axis: "Axes", table: pd.DataFrame, judged: list[dict]) -> None:
    """Own minus cross by temperature with intervals, the same of re-tokenised text in grey, and the claim's region."""
    claim = next(entry for entry in judged if entry["claim"].endswith("gap-at-1.25"))
    low, high = claims_.region(claim)
    axis.axhspan(low, high, color=figures.COLOURS["orange"], alpha=0.22, linewidth=0, zorder=0)
    axis.axhline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    for panel, shift, look in (("gap as text", 0.03, {"color": figures.GREY}), ("gap", 0.0, {"color": "black"})):
        line = table[table["panel"] == panel]
        error = [line["y"] - line["low"], line["high"] - line["y"]]
        axis.errorbar(line["x"] + shift, line["y"], error, fmt="o", markersize=3, linewidth=1.0, capsize=2, **look)
    temperatures = sorted(set(table.loc[table["panel"] == "gap", "x"]))
    axis.set_xticks(temperatures, [f"{t:g}" for t in temperatures])
    axis.set_xlim(temperatures[0] - 0.12, temperatures[-1] + 0.15)
    axis.set_xlabel("temperature", labelpad=1)
    axis.set_ylabel("own minus cross, nats", labelpad=1)
    axis.set_title("gap of the means", fontweight="bold", pad=23)
    curves.under_title(axis, f"grey: all re-tokenised\nband: \u00b1{claim['tolerance']:g}, the claim at {temperatures[-1]:g}")


def _by_length(axis: "Axes", table: pd.DataFrame) -> None:
    """Mean NLL of the first tokens by their number, where a share of the documents reaches it: own solid, cross dotted."""
    sizes = table[table["panel"] == "sampled"].set_index(["side", "temperature"])["n"]
    shown = table[table["panel"] == "length"]
    whole = np.array([sizes[key] for key in zip(shown["side"], shown["temperature"], strict=True)])
    shown = shown[shown["n"] >= REACHED * whole]
    for (side, t), line in shown.groupby(["side", "temperature"], sort=False):
        style = {"own": "-", "cross": (0, (1, 1.2))}[side]
        axis.plot(line["x"], line["y"], color=WARMTH[t]["color"], linestyle=style, marker=".", markersize=4)
    axis.plot([], [], color=INK, linestyle="-", marker=".", label="own")
    axis.plot([], [], color=INK, linestyle=(0, (1, 1.2)), marker=".", label="cross")
    lengths = sorted(set(shown["x"]))
    axis.set_xscale("log", base=2)
    axis.set_xticks(lengths, [f"{length:g}" for length in lengths])
    axis.set_xticks([], minor=True)
    axis.set_xlabel("first tokens", labelpad=1)
    axis.set_ylabel("nats per token", labelpad=1)
    axis.set_title("by length", pad=23)
    curves.under_title(axis, f"of documents that reach it,\n{100 * REACHED:g} % of all at least")


def footer(table: pd.DataFrame, judged: list[dict], curve: pd.DataFrame, uniform: float, row: dict) -> list[str]:
    """The lines under the panels: means, verdicts, what intervals cover, and which length gives the printed mean.

    ``curve`` is the own text's of the highest temperature by length, ``uniform`` the nats of a scorer that knows nothing.
    """
    by_name = {entry["claim"]: entry for entry in judged}
    name = row["kind"]
    means = table[table["panel"] == "mean"]
    said = "; ".join(f"{side} " + ", ".join(f"{y:.2f}" for y in means.loc[means["side"] == side, "y"]) for side in SIDES)
    gap, smallest = by_name[f"{name}-gap-at-1.25"], by_name[f"{name}-gap-smallest"]
    lines = [
        f"{curves.SCALES[row['scale']]}. Scorer {row['scorer']}. Means (dashed), by rising temperature: {said}; "
        f"a uniform guess {uniform:.2f}.",
        "EOS counts where a document ended by itself, BOS never. Intervals resample documents, 5 % on either side.",
        f"Converged: {by_name[f'{name}-converged']['verdict'].upper()}.  Gap at 1.25: {figures.said(gap)}.  "
        f"Smallest by: {figures.said(smallest)}.",
    ]
    if f"{name}-opposite-effects" in by_name:
        own, cross = by_name["fig6-own-helps"], by_name["fig6-cross-harms"]
        lines.append(
            f"Opposite effects of training, at temperature {row['temperature']}: "
            f"{by_name['fig6-opposite-effects']['verdict'].upper()}.  Own: {figures.said(own)}.  Cross: {figures.said(cross)}."
        )
    if row["scale"] in PUBLISHED and f"{name}-own-mean" in by_name:
        printed = by_name[f"{name}-own-mean"]["published"]
        lines.append(f"Own text at 1.25 reaches the printed {printed:.2f} nats at {length_for(curve, printed):.0f} tokens.")
    return lines


def fig6(
    audits: list[str],
    lengths: list[str],
    evaluations: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    code: str,
    draws: int = DRAWS,
) -> None:
    """Draw Figure 6 or 11 (the row's kind) and judge its claims.

    Args:
        audits: Parquet of the row's own and then of its cross corpora, in the row's order; ``lengths`` their companions.
        evaluations: of the row's arms, none for figure 11.
        claims: claims.yaml.
        pdf, png, csv, judged: what is made.
        row: of the figure.
        code: hash of the code.
        draws: of the bootstrap.
    """
    name = row["kind"]
    keys = [(side, t) for side in SIDES for t in row[side]]
    uniform = [read_card(path)["uniform"] for path in (*audits, *lengths)][0]
    tables = {key: pd.read_parquet(path) for key, path in zip(keys, audits, strict=True)}
    by_length = {key: pd.read_csv(path) for key, path in zip(keys, lengths, strict=True)}
    entries = claims_.read_claims(claims, name)
    measured = gaps(likelihoods(tables), name, draws)
    found = likelihood_findings(measured, entries, name)
    cover = "documents of these corpora, not source models or pretraining seeds"
    if row["arms"]:
        drawn = {**row, "arms": {side: row["arms"][side] for side in SIDES}}
        changes = curves.changes(curves.read_scores(evaluations), drawn)
        values = curves.arms_of(changes, drawn, SIDES, row["tasks"])
        found |= effect_findings(values, changes[SIDES[0], next(iter(row["tasks"]))].epochs, entries, draws)
        cover += f"; of training: {COVER}"
    verdicts = claims_.judge(entries, found, row["scale"])
    as_text = gaps(likelihoods(tables, "nll_text"), name, min(draws, 2000))  # shown, not judged
    table = plotted(tables, by_length, measured, as_text, 0.05)
    hottest = max(row["own"], key=float)
    says = footer(table, verdicts, by_length["own", hottest], uniform, row)
    about = {"artifact": name, "code": code, "cover": cover, "draws": draws}
    curves.publish(draw(table, verdicts, row, says), table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig6(
            list(snakemake.input.audits),
            list(snakemake.input.lengths),
            list(snakemake.input.scores),
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
