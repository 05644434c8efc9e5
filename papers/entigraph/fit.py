"""The fit of Figure 4 and Appendix F.1 of arXiv 2409.07431: accuracy by synthetic tokens as a mixture of three exponentials.

Reads papers/entigraph/curve.yaml (the printed curve), claims.yaml and, where there are seven or more, points of our own (CSV:
series, tokens in millions, accuracy in points, and error in points or items). Makes fit.pdf and fit.png (samples of the printed
curve and their fit, our points and theirs, what is known of the asymptote), fit.csv (every plotted number) and fit.claims.json.

The paper's measured points are in no source that could be read, so what is drawn as the paper's are samples of its printed
curve, at tokens of our choice. Fitting them must give the printed constants back; what sampling noise of the paper's number of
questions alone leaves of these constants is the bootstrap's answer.

For given time constants the asymptote and the amplitudes are linear and not negative, so only the time constants are searched
(variable projection, Golub and Pereyra 1973), from several fixed starts. No accuracy is above 100, and so no asymptote is.
"""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TERMS = 3
MOST = 100.0  # points: no accuracy is higher
ATOMS = 40  # time constants among which starts are looked for
NOTHING = 1000.0  # points: bounds where there is nothing to judge from
COVER = "which questions are asked, independently at each point; not training or generation seeds"


class Mixture(NamedTuple):
    """Accuracy in points after x million tokens: asymptote - sum of amplitudes * exp(-x / times)."""

    asymptote: float
    amplitudes: np.ndarray  # (terms,), points, 0 or more
    times: np.ndarray  # (terms,), million tokens, ascending

    def at(self, tokens: np.ndarray) -> np.ndarray:
        """Accuracy in points after ``tokens`` million tokens."""
        return self.asymptote - np.exp(-np.asarray(tokens, float)[..., None] / self.times) @ self.amplitudes


class Line(NamedTuple):
    """Accuracy in points after x million tokens, x above 0: at_one + decade * log10(x)."""

    at_one: float
    decade: float

    def at(self, tokens: np.ndarray) -> np.ndarray:
        """Accuracy in points after ``tokens`` million tokens."""
        return self.at_one + self.decade * np.log10(tokens)


# --- fits -------------------------------------------------------------------------------------------------------------------


def _project(times: np.ndarray, tokens: np.ndarray, accuracy: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best asymptote and amplitudes for given time constants, and what is left over in units of the error."""
    from scipy.optimize import nnls

    terms = -np.exp(-tokens[:, None] / times) / error[:, None]
    found, _ = nnls(np.column_stack([1 / error, terms]), accuracy / error)
    if found[0] > MOST:  # the problem is convex, so that the best asymptote within the bound lies on it
        found = np.append(MOST, nnls(terms, (accuracy - MOST) / error)[0])
    return found, found[0] / error + terms @ found[1:] - accuracy / error


def _starts(tokens: np.ndarray, accuracy: np.ndarray, error: np.ndarray) -> list[np.ndarray]:
    """Logarithms of time constants to start from: where the best mixture of many fixed ones has its weight, and spread out."""
    low, high = _range(tokens)
    atoms = np.linspace(low, high, ATOMS)
    weights = _project(np.exp(atoms), tokens, accuracy, error)[0][1:]
    at, weights = atoms[weights > 0], weights[weights > 0]
    spread = [np.linspace(low, high, 2 * TERMS + 1)[[i, j, k]] for i, j, k in ((1, 3, 5), (0, 3, 6), (1, 2, 4), (2, 4, 5))]
    if len(at) < TERMS:
        return spread
    cuts = np.sort(np.argsort(-np.diff(at), kind="stable")[: TERMS - 1]) + 1
    groups = zip(np.split(at, cuts), np.split(weights, cuts), strict=True)
    return [np.array([(a * w).sum() / w.sum() for a, w in groups]), *spread]


def _range(tokens: np.ndarray) -> tuple[float, float]:
    """Logarithms of the least and the largest time constant that points at these tokens can show."""
    return float(np.log(tokens[tokens > 0].min() / 3)), float(np.log(30 * tokens.max()))


def _search(starts: list[np.ndarray], tokens: np.ndarray, accuracy: np.ndarray, error: np.ndarray, precision: float) -> Mixture:
    """The best mixture found from several logarithms of time constants, searched down to a relative precision."""
    from scipy.optimize import least_squares

    low, high = _range(tokens)

    def rest(logs: np.ndarray) -> np.ndarray:
        return _project(np.exp(logs), tokens, accuracy, error)[1]

    stop = {"ftol": precision, "xtol": precision, "gtol": precision, "max_nfev": 400}
    inside = [np.clip(start, low + 1e-6, high - 1e-6) for start in starts]
    found = min((least_squares(rest, start, bounds=(low, high), **stop) for start in inside), key=lambda one: one.cost)
    times = np.exp(np.sort(found.x))
    values = _project(times, tokens, accuracy, error)[0]
    return Mixture(float(values[0]), values[1:], times)


def fit_mixture(tokens: np.ndarray, accuracy: np.ndarray, error: np.ndarray) -> Mixture:
    """Three exponentials through (tokens in millions, accuracy in points, standard error in points), weighted least squares.

    Deterministic. Time constants lie between a third of the smallest number of tokens above 0 and thirty times the largest.

    Raises:
        ValueError: with fewer points than a mixture has numbers to choose, 7.
    """
    tokens, accuracy, error = (np.asarray(each, float) for each in (tokens, accuracy, error))
    if len(tokens) < 2 * TERMS + 1:
        raise ValueError(f"{len(tokens)} points: expected {2 * TERMS + 1} or more for {TERMS} exponentials")
    return _search(_starts(tokens, accuracy, error), tokens, accuracy, error, 1e-14)


def refit(fitted: Mixture, tokens: np.ndarray, accuracy: np.ndarray, error: np.ndarray) -> Mixture:
    """A fit to redrawn points, in less time: from an earlier fit's time constants and from what the points suggest."""
    starts = [np.log(fitted.times), _starts(tokens, accuracy, error)[0]]
    return _search(starts, tokens, accuracy, error, 1e-6)


def fit_line(tokens: np.ndarray, accuracy: np.ndarray, error: np.ndarray) -> Line:
    """The weighted least-squares line of accuracy over log10(tokens); all tokens above 0."""
    columns = np.column_stack([np.ones(len(tokens)), np.log10(tokens)]) / np.asarray(error)[:, None]
    return Line(*(float(v) for v in np.linalg.lstsq(columns, np.asarray(accuracy) / error, rcond=None)[0]))


def aic(model: Mixture | Line, tokens: np.ndarray, accuracy: np.ndarray, error: np.ndarray) -> float:
    """Akaike's criterion with known standard errors: chi squared plus twice the numbers chosen (mixture 7, line 2)."""
    numbers = 2 if isinstance(model, Line) else 2 * TERMS + 1
    return float((((model.at(tokens) - accuracy) / error) ** 2).sum()) + 2 * numbers


def with_tokens(points: pd.DataFrame) -> list[np.ndarray]:
    """Tokens, accuracy and error of the points whose tokens have a logarithm."""
    return list(points[points["tokens"] > 0][["tokens", "accuracy", "error"]].to_numpy().T)


def preference(mixture: Mixture, tokens: np.ndarray, accuracy: np.ndarray, error: np.ndarray) -> float:
    """AIC of the log line through the points less that of a mixture fitted to them; above 0 speaks for the mixture."""
    line = fit_line(tokens, accuracy, error)
    return aic(line, tokens, accuracy, error) - aic(mixture, tokens, accuracy, error)


def redrawn(fitted: Mixture | Line, tokens: np.ndarray, error: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Accuracies as they might come out if ``fitted`` were the truth, normal with the standard errors: (draws, points)."""
    return fitted.at(tokens) + np.random.default_rng(seed).normal(size=(draws, len(tokens))) * error


def refits(fitted: Mixture, tokens: np.ndarray, error: np.ndarray, draws: int, seed: int) -> list[Mixture]:
    """Fits to points redrawn from a fit: the parametric bootstrap."""
    return [refit(fitted, tokens, accuracy, error) for accuracy in redrawn(fitted, tokens, error, draws, seed)]


# --- what is given ----------------------------------------------------------------------------------------------------------


def printed_curve(path: str | Path) -> tuple[Mixture, dict]:
    """The printed curve of curve.yaml as a mixture, and the rest of the file."""
    import yaml

    given = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    terms = sorted(given["terms"], key=lambda term: term["base"])
    amplitudes, bases = (np.array([float(term[key]) for term in terms]) for key in ("amplitude", "base"))
    return Mixture(float(given["asymptote"]), amplitudes, -1 / np.log(bases)), given


def binomial_error(accuracy: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Standard error in points of an accuracy in points over ``items`` questions: 0.731 for 56.2 of 4,609."""
    share = np.clip(np.asarray(accuracy, float), 0.5, 99.5) / 100
    return 100 * np.sqrt(share * (1 - share) / items)


def read_points(path: str | Path, series: str) -> pd.DataFrame:
    """Our points of one series in order of their tokens: tokens (millions), accuracy and error (points).

    Raises:
        ValueError: naming the file and the column where one is missing, has an empty cell or says what cannot be.
    """
    table = pd.read_csv(path)
    for column in ("series", "tokens", "accuracy"):
        if column not in table:
            raise ValueError(f"{path}: no column {column}; found {list(table)}")
    mine = table[table["series"] == series].sort_values("tokens")
    if mine.empty:
        raise ValueError(f"{path}: column series: no {series!r}; found {sorted(set(table['series']))}")
    if "error" not in mine:
        if "items" not in mine:
            raise ValueError(f"{path}: expected a column error (points) or items")
        mine = mine.assign(error=binomial_error(mine["accuracy"], mine["items"]))
    mine = mine[["tokens", "accuracy", "error"]].astype(float)
    right = (mine["tokens"] >= 0) & mine["accuracy"].between(0, 100) & (mine["error"] > 0)
    if not right.all():
        wrong = mine[~right].iloc[0].to_dict()
        raise ValueError(f"{path}: series {series}: {wrong}: expected tokens from 0, accuracy in points, an error above 0")
    return mine.reset_index(drop=True)


# --- what is judged ---------------------------------------------------------------------------------------------------------


def distance(found: Mixture, printed: Mixture) -> float:
    """The largest relative difference between the seven numbers of two mixtures."""
    one, two = (np.concatenate([[m.asymptote], m.amplitudes, m.times]) for m in (found, printed))
    return float(np.abs(one / two - 1).max())


def findings(
    recovered: float, own: pd.DataFrame | None, fitted: list[Mixture], claims: dict[str, dict], last: float, draws: int
) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level; NOTHING on either side without own points.

    Args:
        recovered: ``distance`` of the fit of the printed curve's samples from the curve.
        own: our points, or None.
        fitted: the fit to our points, then those to redrawn points.
        claims: by name. That of the shape needs seven points with tokens.
        last: million tokens of the paper's last point.
        draws: of the log line, to learn what preferences it gives.
    """
    out = {"fit-constants": {"estimate": recovered, "low": recovered, "high": recovered}}
    if own is None:
        nothing = {"estimate": 0.0, "low": -NOTHING, "high": NOTHING, "points": 0}
        out |= {name: dict(nothing) for name in ("fit-mixture", "fit-asymptote", "fit-end")}
    else:
        tokens, accuracy, error = with_tokens(own)
        out["fit-mixture"] = {"estimate": 0.0, "low": -NOTHING, "high": NOTHING, "points": len(tokens)}
    if own is not None and len(tokens) > 2 * TERMS:
        mixture = fit_mixture(tokens, accuracy, error)
        observed = preference(mixture, tokens, accuracy, error)
        chance = redrawn(fit_line(tokens, accuracy, error), tokens, error, draws, seed_of("fit", "log line"))
        null = np.array([preference(refit(mixture, tokens, one, error), tokens, one, error) for one in chance])
        level = claims["fit-mixture"]["level"]
        low, high = observed - np.quantile(null, [1 - level, level])
        aside = {"preference": observed, "p": float((1 + (null >= observed).sum()) / (1 + draws)), "points": len(tokens)}
        out["fit-mixture"] = {"estimate": observed - float(np.median(null)), "low": float(low), "high": float(high), **aside}
    if own is not None:
        for name, value in (("fit-asymptote", lambda one: one.asymptote), ("fit-end", lambda one: float(one.at(last)))):
            low, high = statistics.interval(np.array([value(one) for one in fitted[1:]]), claims[name]["level"])
            out[name] = {"estimate": value(fitted[0]), "low": low, "high": high, "points": len(own)}
    return {name: {**found, "level": claims[name]["level"]} for name, found in out.items()}


# --- the figure -------------------------------------------------------------------------------------------------------------


def plotted(given: dict[str, tuple[pd.DataFrame, list[Mixture]]], printed: Mixture, last: float) -> pd.DataFrame:
    """Every plotted number: panel (printed, own), series, x in million tokens, y in points, low, high, error.

    ``given`` maps panel to its points and the fit, then refits. fit: with the 5 % and 95 % points of refits; log line;
    asymptote: the fit's (draw -1) and those of refits, x the draw.
    """
    parts = []
    for panel, (points, fitted) in given.items():
        tokens, accuracy, error = points.to_numpy().T
        parts.append(pd.DataFrame({"panel": panel, "series": "points", "x": tokens, "y": accuracy, "error": error}))
        smallest, largest = tokens[tokens > 0].min(), tokens.max()
        grid = np.append(0, np.geomspace(smallest, 10 * max(largest, last if panel == "printed" else largest), 120))
        low, high = np.quantile([one.at(grid) for one in fitted[1:]], [0.05, 0.95], axis=0)
        parts.append(
            pd.DataFrame({"panel": panel, "series": "fit", "x": grid, "y": fitted[0].at(grid), "low": low, "high": high})
        )
        line = fit_line(*with_tokens(points))
        parts.append(pd.DataFrame({"panel": panel, "series": "log line", "x": grid[1:], "y": line.at(grid[1:])}))
        ends = [one.asymptote for one in fitted]
        parts.append(pd.DataFrame({"panel": panel, "series": "asymptote", "x": range(-1, len(ends) - 1), "y": ends}))
    grid = parts[1]["x"]
    parts.append(pd.DataFrame({"panel": "printed", "series": "printed curve", "x": grid, "y": printed.at(grid)}))
    return pd.concat(parts, ignore_index=True)


def draw(table: pd.DataFrame, lines: list[str], titles: dict[str, tuple[str, str]]) -> "Figure":
    """The figure: a panel of points and fits for the printed curve and for our points, one of asymptotes; footer below.

    ``titles`` maps panel to title and the line under it.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    height = 2.78 + 0.137 * len(lines)
    with matplotlib.rc_context(figures.STYLE):
        widths = [1.5] * len(titles) + [1]
        figure, axes = plt.subplots(1, len(widths), figsize=(figures.WIDTH, height), gridspec_kw={"width_ratios": widths})
        figure.subplots_adjust(left=0.062, right=0.988, top=1 - 0.4 / height, bottom=1 - 2.1 / height, wspace=0.22)
        for axis, (panel, (title, under)) in zip(axes, titles.items(), strict=False):
            _points(axis, table[table["panel"] == panel])
            axis.set_title(title, fontweight="bold", pad=11)
            figures.under_title(axis, under)
        axes[0].set_ylabel("accuracy, %")
        _asymptotes(axes[-1], table[table["series"] == "asymptote"], list(titles))
        handles, labels = axes[0].get_legend_handles_labels()
        place = {"loc": "upper left", "bbox_to_anchor": (0.006, 1 - 2.42 / height)}
        figure.legend(handles, labels, ncols=len(handles), frameon=False, handlelength=2.4, columnspacing=1.4, **place)
        figures.footer(figure, lines)
    return figure


def _points(axis: "Axes", table: pd.DataFrame) -> None:
    of = {series: part for series, part in table.groupby("series")}
    fit, dots, blue = of["fit"], of["points"], figures.COLOURS["blue"]
    axis.fill_between(fit["x"], fit["low"], fit["high"], color=blue, alpha=0.2, linewidth=0, label="90 % of refits")
    axis.plot(fit["x"], fit["y"], color=blue, label="fit of three exponentials")
    if "printed curve" in of:
        curve = of["printed curve"]
        axis.plot(curve["x"], curve["y"], color="black", linewidth=0.9, linestyle=(0, (2, 2)), label="printed curve")
    line, vermilion = of["log line"], figures.COLOURS["vermilion"]
    axis.plot(line["x"], line["y"], color=vermilion, linewidth=0.9, linestyle=(0, (6, 2)), label="line in log tokens")
    marks = {"fmt": "o", "color": "black", "markersize": 3, "linewidth": 0.9, "capsize": 2}
    axis.errorbar(dots["x"], dots["y"], dots["error"], label="points, \u00b11 se", **marks)
    smallest = dots.loc[dots["x"] > 0, "x"].min()
    axis.set_xscale("symlog", linthresh=smallest, linscale=0.35)
    axis.set_xlim(-0.15 * smallest, fit["x"].max())
    decades = 10.0 ** np.arange(np.ceil(np.log10(smallest)), np.log10(fit["x"].max()))
    axis.set_xticks([0, *decades], ["0", *(f"{decade:g}" for decade in decades)])
    axis.axvline(dots["x"].max(), color="#cccccc", linewidth=0.6, zorder=0)
    lowest, highest = min(dots["y"].min(), fit["y"].min()), max(dots["y"].max(), fit["high"].max())
    axis.set_ylim(lowest - 0.12 * (highest - lowest), highest + 0.05 * (highest - lowest))
    where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    axis.annotate("last\npoint", (dots["x"].max(), 0.03), (2, 0), **where, fontsize=7, color=figures.INK)
    axis.set_xlabel("synthetic tokens, millions", labelpad=1)


def _asymptotes(axis: "Axes", table: pd.DataFrame, panels: list[str]) -> None:
    looks = {"printed": ("blue", "printed"), "own": ("orange", "ours")}
    bins = np.linspace(table["y"].min() - 1e-6, MOST, 25)
    for panel in panels:
        colour, label = figures.COLOURS[looks[panel][0]], looks[panel][1]
        mine = table[table["panel"] == panel]
        redrawn = mine[mine["x"] >= 0]
        axis.hist(redrawn["y"], bins, weights=np.full(len(redrawn), 100 / len(redrawn)), color=colour, alpha=0.55, label=label)
        axis.axvline(mine.loc[mine["x"] < 0, "y"].item(), color=colour, linewidth=1.2)
    axis.set_xlim(bins[0], MOST + 2)
    axis.set_xlabel("asymptote, % (100 at most)", labelpad=1)
    axis.set_ylabel("% of refits", labelpad=1)
    axis.set_title("the asymptote", fontweight="bold", pad=11)
    figures.under_title(axis, "bars: refits; line: fit")
    if len(panels) > 1:
        axis.legend(frameon=False, handlelength=1.2, loc="upper center", bbox_to_anchor=(0.6, 1.0))


def footer(given: dict, judged: list[dict], recovered: float, error: float, row: dict) -> list[str]:
    """The lines under the panels: what the points are, what noise leaves of the asymptote, verdicts."""
    by_name = {entry["claim"]: entry for entry in judged}
    points, fitted = given["printed"]
    ends = np.array([one.asymptote for one in fitted[1:]])
    low, high = statistics.interval(ends, 0.05)
    said = preference(fit_mixture(*with_tokens(points)), *with_tokens(points))
    lines = [
        f"Scale: {row['scale']}. Left: not the paper's measurements but {len(points)} samples of its printed curve; error "
        f"bars: one standard error of {row['items']:,} questions ({error:.2f} points). Refits: points redrawn with that noise.",
        f"Fitting the samples gives the printed constants back to {recovered:.1g} (relative): "
        f"{by_name['fit-constants']['verdict'].upper()}. Of the asymptote, printed as {fitted[0].asymptote:.1f}, noise alone "
        f"leaves [{low:.1f}, {high:.1f}], 5 % on either side; {100 * (ends > MOST - 0.1).mean():.0f} % of refits end at the "
        f"bound of 100. AIC of the line less that of the mixture, samples with tokens: "
        f"{said:+.1f}.",
    ]
    if "own" in given:
        mixture, end = by_name["fit-mixture"], by_name["fit-asymptote"]
        compared = f"AIC needs {2 * TERMS + 1} points with tokens"
        if "p" in mixture:
            compared = f"AIC of the line less that of the mixture {mixture['preference']:+.1f}, p = {mixture['p']:.2g} if the "
            compared += "line were true"
        lines.append(
            f"Our points: {compared}: {mixture['verdict'].upper()}. Asymptote {end['estimate']:.1f} "
            f"[{end['low']:.1f}, {end['high']:.1f}], {end['verdict']}."
        )
    else:
        few = f"Fewer points of our own than {2 * TERMS + 1}: what claims say of these is undecided or not comparable."
        lines.append(few)
    return lines


def fit(curve: str, points: list[str], claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Fit, draw and judge: curve.yaml, our points (a CSV, or none) and claims.yaml in, the four files out.

    ``row`` has tokens (millions, at which the printed curve is sampled), items (questions behind a sample), draws (refits),
    series (which of our points), scale.
    """
    printed, known = printed_curve(curve)
    entries = claims_.read_claims(claims, "fit")
    own = read_points(points[0], row["series"]) if points else None
    own = own if own is not None and len(own) > 2 * TERMS else None
    tokens = np.array(row["tokens"], float)
    accuracy = printed.at(tokens)
    samples = pd.DataFrame({"tokens": tokens, "accuracy": accuracy, "error": binomial_error(accuracy, row["items"])})
    given = {}
    for panel, table in (("printed", samples), ("own", own)):
        if table is not None:
            x, y, error = table.to_numpy().T
            one = fit_mixture(x, y, error)
            given[panel] = (table, [one, *refits(one, x, error, row["draws"], seed_of("fit", panel, "refits"))])
    recovered = distance(given["printed"][1][0], printed)
    found = findings(recovered, own, given["own"][1] if "own" in given else [], entries, known["last"], row["draws"])
    verdicts = claims_.judge(entries, found, row["scale"])
    table = plotted(given, printed, known["last"])
    lines = footer(given, verdicts, recovered, float(samples["error"].max()), row)
    titles = {"printed": ("the printed curve", f"{len(samples)} samples, {row['items']:,} questions each")}
    if own is not None:
        titles["own"] = ("our points", f"{len(own)} points, {row['series']}")
    about = {"artifact": "fit", "code": code, "cover": COVER, "n": f"{row['draws']} refits", "draws": row["draws"]}
    figures.publish(draw(table, lines, titles), table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fit(
            snakemake.input.curve,
            [snakemake.input.points],
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
