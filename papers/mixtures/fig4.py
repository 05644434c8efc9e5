"""Figure 4 of arXiv 2510.01631: the share of synthetic text that gives the lowest loss, by size, token budget and kind of text.

Reads runs.csv, published.yaml and claims.yaml. Makes fig4.pdf and fig4.png (first row, derived from Table 4: a cubic through
the losses at 0, 33, 67 and 100 % and where it is lowest; below, reproduced: best share by budget and size, loss by share),
fig4.csv (every plotted number) and fig4.claims.json.

A configuration (size, token budget) is drawn where natural text alone, synthetic text alone and three or more shares between
were trained. Its losses by share are smoothed by local quadratic regression in logit(share) (tricube weights, Cleveland 1979);
natural and synthetic text alone have no logit and compete with what was measured. Beside the best share stands the set of those
measured shares that are within one standard error of the best. Where the best share may lie comes from redrawn losses.

The paper's grid has no share between 20 and 50 %, so that "about 30 %" is not a point of it; ours adds 25, 30, 35 and 40 %.
"""

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from papers.mixtures import mixes
from papers.mixtures.arms import short
from papers.mixtures.mixes import BAND, COLOURS, COVER, KINDS, MARKERS, NAMES
from scripts.lib import claims as claims_
from scripts.lib import figures
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWS = 4000
REACH = 1.5  # in logits: how far a local fit looks at least
NEAREST = 4  # shares that a local fit takes in at least
BETWEEN = 3  # shares between 0 and 1 that a configuration needs
PRINTED = (0.0, 0.33, 0.67, 1.0)  # of Table 4
BUDGETS = (5, 20, 100)  # billions of tokens at which claims on the cubic are judged
MEASURED = np.geomspace(1, 100, 101)  # billions of tokens: what Table 4 was fitted to
LINES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (8, 2)))


class Search(NamedTuple):
    """What one kind of text came to in one configuration."""

    kind: str
    parameters: int
    tokens: int
    shares: np.ndarray  # (shares,), rising, from 0 to 1
    loss: np.ndarray  # (shares,), nats a token
    error: np.ndarray  # (shares,), standard error of the difference from natural text alone
    best: float  # best share
    draws: np.ndarray  # (draws,), best shares of redrawn losses
    near: np.ndarray  # (shares,), within one standard error of the best
    seeds: int


# --- derived from Table 4 -----------------------------------------------------------------------------------------------------


def printed_losses(laws: dict[str, dict], kind: str, tokens: np.ndarray) -> np.ndarray:
    """Losses of Table 4 at 0, 33, 67 and 100 % of a kind after ``tokens`` billions: (budgets, 4), nats a token."""
    arms = [laws[arm]["tokens"] for arm in ("cc", f"{kind}-33", f"{kind}-67", f"{kind}-100")]
    return np.stack([law["E"] + law["B"] / np.asarray(tokens, float) ** law["beta"] for law in arms], axis=-1)


def cubic(losses: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The cubic through losses (..., 4) at the printed shares, at other shares: (..., shares)."""
    weights = np.linalg.inv(np.vander(PRINTED, 4, increasing=True)).T  # losses -> coefficients
    return losses @ weights @ np.vander(np.asarray(at, float), 4, increasing=True).T


def lowest(losses: np.ndarray, grid: int = 2001) -> np.ndarray:
    """The share from 0 to 1 at which that cubic is lowest, to a twentieth of a point: (...,)."""
    at = np.linspace(0, 1, grid)
    return at[cubic(losses, at).argmin(-1)]


# --- the search ---------------------------------------------------------------------------------------------------------------


def logit(share: np.ndarray) -> np.ndarray:
    """log(share / (1 - share))."""
    return np.log(share / (1 - share))


def smoother(shares: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The matrix (grid, shares) of local quadratic regression in logits; shares lie between 0 and 1, three or more.

    At each point of the grid a quadratic is fitted by weighted least squares to the shares within ``REACH`` logits, or to the
    ``NEAREST`` where that is farther. A quadratic goes through unchanged; with three shares it is interpolation.
    """
    x, out = logit(shares), []
    for at in logit(grid):
        away = np.abs(x - at)
        reach = max(REACH, 1.001 * np.sort(away)[: NEAREST + 1][-1])
        weight = np.clip(1 - (away / reach) ** 3, 0, None) ** 3
        columns = np.vander(x - at, 3, increasing=True)
        out.append(np.linalg.pinv(columns * np.sqrt(weight)[:, None])[0] * np.sqrt(weight))
    return np.array(out)


def between(shares: np.ndarray, grid: int = 161) -> np.ndarray:
    """Shares at which smoothed losses are looked at: evenly in logits between the smallest and the largest inner share."""
    ends = logit(shares[1:-1][[0, -1]])
    return 1 / (1 + np.exp(-np.linspace(*ends, grid)))


def best_share(shares: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The share of the lowest loss, smoothed between the ends and measured at them; ``loss`` (..., shares) -> (...,)."""
    grid = between(shares)
    smooth = loss[..., 1:-1] @ smoother(shares[1:-1], grid).T
    at = np.concatenate([[shares[0]], grid, [shares[-1]]])
    return at[np.concatenate([loss[..., :1], smooth, loss[..., -1:]], axis=-1).argmin(-1)]


def keyed(runs: pd.DataFrame) -> pd.Series:
    """Names of arms within a configuration: ``natural``, ``hq 0.3``."""
    return runs["kind"].where(runs["kind"] == "natural", runs["kind"] + " " + runs["share"].map("{:.6g}".format))


def shares_of(cell: mixes.Cell, kind: str) -> dict[float, str]:
    """The shares of a kind that a configuration has, rising, natural text alone among them: share -> arm."""
    found = {float(arm.split()[1]): arm for arm in cell.arms if arm.startswith(f"{kind} ")}
    return dict(sorted(({0.0: "natural"} | found).items()))


def search(cell: mixes.Cell, kind: str, parameters: int, tokens: int, draws: int) -> Search | None:
    """The best share of a kind in one configuration; None where too few shares were tried."""
    arms = shares_of(cell, kind)
    shares = np.array(list(arms))
    if "natural" not in cell.arms or shares[-1] != 1 or len(shares) < BETWEEN + 2:
        return None
    at = [cell.arms.index(arm) for arm in arms.values()]
    loss = cell.mean[at]
    redrawn = mixes.drawn(cell, draws, seed_of("mixtures", "fig4", kind, parameters, tokens))[:, at]
    known = np.isfinite(redrawn).all()
    top = list(arms.values())[int(loss.argmin())]
    away = np.array([mixes.minus(cell, arm, top).variance ** 0.5 for arm in arms.values()])
    error = np.array([mixes.minus(cell, arm, "natural").variance ** 0.5 for arm in arms.values()])
    return Search(
        kind,
        parameters,
        tokens,
        shares,
        loss,
        error,
        float(best_share(shares, loss)),
        best_share(shares, redrawn) if known else np.full(draws, np.nan),
        (loss - loss.min() <= away) & known,
        cell.seeds,
    )


def searched(runs: pd.DataFrame, draws: int) -> tuple[dict[tuple[int, int], mixes.Cell], list[Search]]:
    """The configurations and what each kind came to in them, by kind, size and budget."""
    mine = runs[runs["kind"].isin(("natural", *KINDS))]
    cells = mixes.cells(mine, keyed(mine))
    found = [search(cell, kind, *at, draws) for kind in KINDS for at, cell in cells.items()]
    return cells, [one for one in found if one]


# --- what is judged -----------------------------------------------------------------------------------------------------------


def interior(cells: list[mixes.Cell], kind: str, level: float) -> dict[str, object]:
    """What the best share between beats the better end by, mean over configurations, over shares that all of them have.

    Bounds hold whichever are picked: the low one at level over the number of shares, against both ends; the high one at half
    the level, against any share.
    """
    common = set.intersection(*(set(shares_of(cell, kind).values()) for cell in cells))
    ends = ("natural", f"{kind} 1")
    inner = sorted(common - set(ends))
    if not inner:
        return mixes.unknown(level, "no share is in all configurations")
    gain = {(end, arm): mixes.together([mixes.minus(cell, end, arm) for cell in cells]) for end in ends for arm in inner}
    estimate = max(min(gain[end, arm].estimate for end in ends) for arm in inner)
    low = max(min(one.estimate - mixes.half(one, level / len(inner)) for one in (gain[e, arm] for e in ends)) for arm in inner)
    high = min(max(one.estimate + mixes.half(one, level / 2) for one in (gain[e, arm] for arm in inner)) for e in ends)
    return {"estimate": estimate, "low": low, "high": high, "level": level, "configurations": len(cells), "shares": len(inner)}


def bounded(estimate: float, draws: np.ndarray, level: float, **more: object) -> dict[str, object]:
    """An estimate with percentiles of its redrawn values, at most as far as itself; without ends where noise is not known."""
    if not np.isfinite(draws).all():
        return mixes.unknown(level, "no run has a replicate")
    low, high = np.quantile(draws, [level, 1 - level])
    ends = {"low": float(min(low, estimate)), "high": float(max(high, estimate))}
    return {"estimate": float(estimate), **ends, "level": level, **more}


def slope(searches: list[Search]) -> tuple[float, np.ndarray]:
    """Points of the best share a tenfold of parameters times tokens, least squares: (estimate, draws)."""
    x = np.log10([float(one.parameters) * one.tokens for one in searches])
    w = (x - x.mean()) / max(((x - x.mean()) ** 2).sum(), 1e-12)
    return float(w @ [100 * one.best for one in searches]), 100 * np.stack([one.draws for one in searches], axis=-1) @ w


def mean_best(searches: list[Search]) -> tuple[float, np.ndarray]:
    """The mean best share over configurations, in points: (estimate, draws)."""
    return 100 * float(np.mean([one.best for one in searches])), 100 * np.mean([one.draws for one in searches], axis=0)


def derived(laws: dict[str, dict], claims: dict[str, dict]) -> dict[str, dict]:
    """Findings of the claims on the cubic through Table 4: exact, at ``BUDGETS``; low and high are least and largest."""
    at = {kind: 100 * lowest(printed_losses(laws, kind, np.array(BUDGETS))) for kind in KINDS}
    rephrased, rises = max(at["hq"].max(), at["qa"].max()) - 50, at["txbk"][-1] - at["txbk"][0]
    out = {
        "fig4-derived-hq": {"estimate": float(at["hq"][1]), "low": float(at["hq"].min()), "high": float(at["hq"].max())},
        "fig4-derived-txbk-rises": dict.fromkeys(("estimate", "low", "high"), float(rises)),
        "fig4-derived-below-half": dict.fromkeys(("estimate", "low", "high"), float(rephrased)),
    }
    return {name: {**found, "level": claims[name]["level"]} for name, found in out.items()}


def findings(cells: dict, searches: list[Search], claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim on trained models with a direction; unknown where a kind was not searched."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    of = {kind: [one for one in searches if one.kind == kind] for kind in KINDS}
    out = {name: mixes.unknown(level[name], "not searched") for name in level if not name.startswith("fig4-derived")}
    for kind, mine in of.items():
        if mine:
            at = [cells[one.parameters, one.tokens] for one in mine]
            out[f"fig4-interior-{kind}"] = interior(at, kind, level[f"fig4-interior-{kind}"])
    if all(of.values()):
        largest = 100 * max(one.best for one in searches) - 50
        draws = 100 * np.max([one.draws for one in searches], axis=0) - 50
        out["fig4-below-half"] = bounded(largest, draws, level["fig4-below-half"], configurations=len(searches))
        lower = [mean_best(of[kind]) for kind in KINDS]
        less = lower[2][0] - (lower[0][0] + lower[1][0]) / 2, lower[2][1] - (lower[0][1] + lower[1][1]) / 2
        out["fig4-txbk-lower"] = bounded(*less, level["fig4-txbk-lower"])
    for name, kind in (("fig4-qa-falls", "qa"), ("fig4-txbk-rises", "txbk")):
        if len(of[kind]) > 1:
            out[name] = bounded(*slope(of[kind]), level[name], configurations=len(of[kind]))
    if of["hq"]:
        out["fig4-hq-third"] = bounded(*mean_best(of["hq"]), level["fig4-hq-third"], configurations=len(of["hq"]))
        both = [cells[one.parameters, one.tokens] for one in of["hq"] if {0.3, 0.5} <= set(one.shares)]
        if both:
            parts = mixes.together([mixes.minus(cell, "hq 0.5", "hq 0.3") for cell in both])
            out["fig4-hq-half"] = mixes.bounds(parts, level["fig4-hq-half"], configurations=len(both))
    if of["txbk"]:
        least = min(of["txbk"], key=lambda one: (one.tokens, one.parameters))
        name = "fig4-txbk-small"
        out[name] = bounded(100 * least.best - 5, 100 * least.draws - 5, level[name])
    return out


def plotted(laws: dict[str, dict], searches: list[Search]) -> pd.DataFrame:
    """Every plotted number.

    Panels: derived loss (x share in per cent, y nats less CC's, at ``tokens``), derived best (x tokens, y per cent),
    best (x tokens, y per cent, low and high of redrawn losses, within: the shares within one standard error), loss (x share in
    per cent, y nats less natural text's, with 90 % bounds; smoothed where measured is false).
    """
    lines = []
    at = np.linspace(0, 1, 101)
    for kind in KINDS:
        for tokens in BUDGETS:
            losses = printed_losses(laws, kind, np.array(tokens))
            where = {"kind": kind, "tokens": 1e9 * tokens, "parameters": 1e9}
            for x, y, measured in (
                *zip(at, cubic(losses, at) - losses[0], [False] * len(at), strict=True),
                *zip(PRINTED, losses - losses[0], [True] * 4, strict=True),
            ):
                lines.append({"panel": "derived loss", **where, "x": 100 * x, "y": y, "measured": measured})
        for tokens, share in zip(MEASURED, lowest(printed_losses(laws, kind, MEASURED)), strict=True):
            lines.append({"panel": "derived best", "kind": kind, "parameters": 1e9, "x": 1e9 * tokens, "y": 100 * share})
    for one in searches:
        base = {"kind": one.kind, "parameters": one.parameters, "tokens": one.tokens, "seeds": one.seeds}
        within = " ".join(f"{100 * share:g}" for share in one.shares[one.near])
        low, high = np.quantile(one.draws, [BAND, 1 - BAND])
        lines.append(
            {
                "panel": "best",
                **base,
                "x": one.tokens,
                "y": 100 * one.best,
                "low": 100 * low,
                "high": 100 * high,
                "within": within,
            }
        )
        for share, loss, error in zip(one.shares, one.loss - one.loss[0], one.error, strict=True):
            bars = {"low": loss - 1.645 * error, "high": loss + 1.645 * error}
            lines.append({"panel": "loss", **base, "x": 100 * share, "y": loss, **bars, "measured": True})
        grid = between(one.shares, 41)
        for share, loss in zip(grid, smoother(one.shares[1:-1], grid) @ (one.loss[1:-1] - one.loss[0]), strict=True):
            lines.append({"panel": "loss", **base, "x": 100 * share, "y": loss, "measured": False})
    columns = ["panel", "kind", "parameters", "tokens", "x", "y", "low", "high", "within", "measured", "seeds"]
    return pd.DataFrame(lines).reindex(columns=columns)


# --- the figure ---------------------------------------------------------------------------------------------------------------


def derived_loss(axis: "Axes", table: pd.DataFrame) -> None:
    """The cubics through Table 4's losses at the largest budget."""
    tokens = table["tokens"].max()
    for kind, mine in table[table["tokens"] == tokens].groupby("kind", sort=False):
        line, dots = mine[~mine["measured"].astype(bool)], mine[mine["measured"].astype(bool)]
        axis.plot(line["x"], line["y"], color=COLOURS[kind], label=NAMES[kind])
        axis.plot(dots["x"], dots["y"], MARKERS[kind], color=COLOURS[kind])
    mixes.across(axis)
    axis.set_xlabel("synthetic share, %", labelpad=1)
    axis.set_ylabel("loss less CC's, nats", labelpad=1)
    under = "marks: Table 4's laws of a 1B model; lines: cubics through them"
    mixes.titled(axis, f"loss after {short(tokens)} tokens", under)
    axis.legend(frameon=False, loc="upper left", handlelength=1.6)


def derived_best(axis: "Axes", table: pd.DataFrame) -> None:
    """Where those cubics are lowest, by budget; the paper's words across."""
    for kind, mine in table.groupby("kind", sort=False):
        axis.plot(mine["x"], mine["y"], color=COLOURS[kind], label=NAMES[kind])
        end = mine.iloc[-1]
        axis.annotate(NAMES[kind], (end["x"], end["y"]), (3, 0), textcoords="offset points", va="center", color=COLOURS[kind])
    axis.axhline(30, color=figures.GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    axis.annotate(
        "\u201cabout 30 %\u201d (prose)", (1.1e9, 30), (0, 2), textcoords="offset points", color=figures.INK, fontsize=7
    )
    axis.set_xscale("log")
    ticks = (1e9, 5e9, 2e10, 1e11)
    axis.set_xticks(ticks, [short(tick) for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.set_xlim(9e8, 1.9e11)
    axis.set_ylim(-2, 62)
    axis.set_xlabel("training tokens", labelpad=1)
    axis.set_ylabel("share of lowest loss, %", labelpad=1)
    mixes.titled(axis, "best share", "where the cubic is lowest; 4 shares only: weak evidence")


def best_panel(axis: "Axes", table: pd.DataFrame, kind: str, sizes: list[int]) -> None:
    """Best share by budget, a line a size; thick: shares within one standard error; thin: 90 % of redrawn losses."""
    mine = table[table["kind"] == kind]
    for i, size in enumerate(sizes):
        line = mine[mine["parameters"] == size].sort_values("x")
        x = line["x"] * 1.07 ** (i - (len(sizes) - 1) / 2)
        look = {"color": COLOURS[kind], "linestyle": LINES[i % len(LINES)], "linewidth": 0.9}
        axis.plot(x, line["y"], marker=MARKERS[kind], label=short(size), **look)
        axis.vlines(x, line["low"], line["high"], color=COLOURS[kind], linewidth=0.6)
        for place, within in zip(x, line["within"].fillna(""), strict=True):
            if within:
                shares = [float(share) for share in str(within).split()]
                axis.vlines(place, min(shares), max(shares), color=COLOURS[kind], linewidth=3.2, alpha=0.35)
    axis.axhline(50, color="#bbbbbb", linewidth=0.6, zorder=0)
    if len(mine):
        budgets = sorted(set(mine["x"]))
        axis.set_xscale("log")
        axis.set_xticks(budgets, [short(budget) for budget in budgets])
        axis.set_xticks([], minor=True)
        axis.set_xlim(budgets[0] / 1.5, budgets[-1] * 1.5)
        axis.legend(title="parameters", frameon=False, handlelength=2.4, loc="upper left", title_fontsize=7, borderpad=0.1)
    axis.set_ylim(-3, 160)  # the legend stands above 100
    axis.set_yticks([0, 25, 50, 75, 100])
    axis.set_xlabel("training tokens", labelpad=1)
    axis.set_ylabel("best share, %", labelpad=1)
    n = f"n = {len(mine)} configurations" if len(mine) else "not searched at this scale"
    mixes.titled(axis, f"{NAMES[kind]}, best share", n)


def loss_panel(axis: "Axes", table: pd.DataFrame, kind: str) -> None:
    """Loss less natural text's by share, a line a configuration."""
    mine = table[table["kind"] == kind]
    for i, ((size, tokens), each) in enumerate(mine.groupby(["parameters", "tokens"])):
        line, dots = each[~each["measured"].astype(bool)], each[each["measured"].astype(bool)]
        shade = 1 - 0.55 * i / max(1, mine[["parameters", "tokens"]].drop_duplicates().shape[0] - 1)
        look = {"color": COLOURS[kind], "alpha": shade}
        axis.plot(line["x"], line["y"], linestyle=LINES[i % len(LINES)], linewidth=0.9, **look)
        name = f"{short(size)}, {short(tokens)}"
        axis.errorbar(
            dots["x"], dots["y"], mixes.bars(dots), fmt=MARKERS[kind], markersize=2.5, elinewidth=0.6, label=name, **look
        )
    mixes.across(axis)
    axis.set_xscale("symlog", linthresh=1, linscale=0.4)
    ticks = [0, 1, 5, 20, 50, 100]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.set_xlim(-0.15, 130)
    axis.margins(y=0.1)
    if len(mine):
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.13 * (high - low) * (2 + mine[["parameters", "tokens"]].drop_duplicates().shape[0]) / 2)
        place = {"loc": "upper center", "ncols": 2, "columnspacing": 0.8, "title": "parameters, tokens", "title_fontsize": 7}
        axis.legend(frameon=False, handlelength=1.0, handletextpad=0.3, borderpad=0.1, **place)
    axis.set_xlabel("synthetic share, %", labelpad=1)
    axis.set_ylabel("loss less CC's, nats", labelpad=1)
    n = mine["seeds"].dropna().astype(int)
    many = f"{n.min()} to {n.max()}" if len(n) and n.min() < n.max() else str(n.max() if len(n) else 0)
    mixes.titled(axis, f"{NAMES[kind]}, loss by share", f"{many} seeds; bars: 90 %; lines: smoothed")


def footer(judged: list[dict], searches: list[Search]) -> list[str]:
    """The lines under the panels: layers, what is drawn, verdicts."""
    by = {entry["claim"]: entry for entry in judged}
    points = {"unit": "points", "digits": 1}
    return [
        "Published: the paper prints this figure as a picture, without numbers; what Table 4 says of it is derived by a cubic "
        "through its four shares.",
        f"Reproduced: {len(searches)} searches. Thick bars: measured shares within one standard error of the best; thin: where "
        "the smoothed best lies in 90 % of redrawn losses. Intervals cover " + COVER + ".",
        mixes.said(by["fig4-derived-hq"], "Derived, HQ's lowest share, 5 to 100B tokens", "%", 1)
        + " "
        + mixes.said(by["fig4-derived-below-half"], "HQ's or QA's largest, less 50", **points)
        + " "
        + mixes.said(by["fig4-derived-txbk-rises"], "TXBK's, 100B less 5B", **points),
        "Best share between less the better end, mean over configurations. "
        + " ".join(mixes.said(by[f"fig4-interior-{kind}"], NAMES[kind]) for kind in KINDS),
        mixes.said(by["fig4-below-half"], "Largest best share less 50", **points)
        + " "
        + mixes.said(by["fig4-qa-falls"], "QA's a tenfold of parameters times tokens", **points)
        + " "
        + mixes.said(by["fig4-txbk-rises"], "TXBK's", **points),
        mixes.said(by["fig4-hq-third"], "HQ's mean best share", "%", 1)
        + " "
        + mixes.said(by["fig4-hq-half"], "HQ at 50 % less at 30 %")
        + " "
        + mixes.said(by["fig4-txbk-lower"], "TXBK's best share less HQ's and QA's", **points),
    ]


def fig4(
    runs: str,
    published: str,
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
    """Draw and judge: runs.csv, published.yaml and claims.yaml in, the four files out."""
    import yaml

    with open(published, encoding="utf-8") as file:
        laws = yaml.safe_load(file)["laws"]
    cells, searches = searched(mixes.of_world(mixes.read_runs(runs), row["world"], row["generator"]), draws)
    entries = claims_.read_claims(claims, "fig4")
    verdicts = claims_.judge(entries, derived(laws, entries) | findings(cells, searches, entries), row["scale"])
    table = plotted(laws, searches)
    of = {panel: part for panel, part in table.groupby("panel")}
    none = table[:0]
    sizes, layer = sorted({one.parameters for one in searches}), f"reproduced layer: {figures.SCALES[row['scale']]}"
    figure = mixes.sheet(
        [
            (
                "published layer: no number of this figure is printed; derived from Table 4",
                [partial(derived_loss, table=of["derived loss"]), partial(derived_best, table=of["derived best"])],
            ),
            (layer, [partial(best_panel, table=of.get("best", none), kind=kind, sizes=sizes) for kind in KINDS]),
            ("", [partial(loss_panel, table=of.get("loss", none), kind=kind) for kind in KINDS]),
        ],
        footer(verdicts, searches),
    )
    n = f"{len(searches)} searches, {sum(len(one.shares) for one in searches)} means"
    about = {"artifact": "fig4", "code": code, "cover": COVER, "n": n, "draws": draws}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig4(
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
