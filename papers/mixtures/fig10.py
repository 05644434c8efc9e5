"""Figure 10 of arXiv 2510.01631: the loss of each token along the held-out text, by what the model was trained on.

Reads traces.parquet, unigrams.parquet and claims.yaml. Makes fig10.pdf and fig10.png (a stretch of the held-out text with its
rolling mean, an arm a panel; loss by frequency in training; loss at paragraph breaks), fig10.csv (every plotted number) and
fig10.claims.json.

Losses are means over an arm's seeds. The stretch drawn is that with the most paragraph breaks; the rolling mean is over the
``window`` tokens up to each. Whether rare tokens are dear is a rank correlation over types that the held-out text has thrice or
more, between the log of their frequency in the arm's own training text and their mean loss. Bounds resample domains.
"""

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from papers.mixtures import mixes
from papers.mixtures.arms import label
from papers.mixtures.mixes import BAND, COLOURS, MARKERS
from scripts.lib import claims as claims_
from scripts.lib import figures
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWS = 500
LEAST = 3  # occurrences in the held-out text of a type that is ranked
BINS = np.arange(-7, 0.01, 0.5)  # of log10 frequency in training
COVER = "which of the held-out domains are read; not training seeds"


class Stream(NamedTuple):
    """The held-out text token by token."""

    domain: np.ndarray  # (tokens,), index into domains
    domains: list[str]
    token: np.ndarray  # (tokens,), ids
    text: np.ndarray  # (tokens,)
    nats: dict[str, np.ndarray]  # arm -> (tokens,), mean over seeds
    seeds: int


def read_stream(path: str, arms: list[str]) -> Stream:
    """traces.parquet as one stream, of those of some arms that it has, domain by domain.

    Raises:
        ValueError: naming the arm and seed that was not scored on the same tokens as the first, or that no arm was kept.
    """
    table = pd.read_parquet(path)
    table = table[table["arm"].isin(arms)].sort_values(["arm", "seed", "domain", "position"], kind="stable")
    if table.empty:
        raise ValueError(f"{path}: expected losses of tokens of {', '.join(arms)}")
    first, nats = None, {}
    for (arm, seed), mine in table.groupby(["arm", "seed"], sort=False, observed=True):
        first = mine if first is None else first
        same = len(mine) == len(first) and all(
            np.array_equal(mine[key].to_numpy(), first[key].to_numpy()) for key in ("domain", "position", "token")
        )
        if not same:
            raise ValueError(f"{path}: arm {arm}, seed {seed}: expected the tokens of the first arm and seed")
        nats.setdefault(arm, []).append(mine["nats"].to_numpy(float))
    domain, domains = pd.factorize(first["domain"].astype(str))
    means = {arm: np.mean(nats[arm], axis=0) for arm in arms if arm in nats}
    seeds = min(len(each) for each in nats.values())
    return Stream(domain, list(domains), first["token"].to_numpy(), first["text"].to_numpy(str), means, seeds)


def rolling(loss: np.ndarray, window: int) -> np.ndarray:
    """The mean of the last ``window`` losses up to each; NaN before there are as many: window 2 of [1, 3, 5] is [nan, 2, 4]."""
    sums = np.concatenate([[0.0], np.cumsum(loss)])
    out = np.full(len(loss), np.nan)
    out[window - 1 :] = (sums[window:] - sums[:-window]) / window
    return out


def unsteadiness(loss: np.ndarray, window: int) -> float:
    """The standard deviation of the rolling mean over that of single losses; 1 / sqrt(window) where these are independent."""
    return float(np.nanstd(rolling(loss, window)) / loss.std()) if loss.std() > 0 and len(loss) >= window else 0.0


def frequencies(path: str, stream: Stream) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Types of the stream, rising, and arm -> their frequency in its training text, half a token added: (types,)."""
    table, types = pd.read_parquet(path), np.unique(stream.token)
    out = {}
    for name, mine in table[table["split"] == "train"].groupby("name"):
        if name in stream.nats:
            count = mine.set_index("token")["count"].reindex(types).fillna(0).to_numpy(float)
            out[name] = (count + 0.5) / (mine["count"].sum() + 0.5 * len(types))
    return types, out


def by_type(stream: Stream, types: np.ndarray, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Sums of losses and numbers of tokens by domain and type: (domains, types) each."""
    place = np.searchsorted(types, stream.token) + stream.domain * len(types)
    size = len(stream.domains) * len(types)
    sums = np.bincount(place, stream.nats[arm], size).reshape(-1, len(types))
    return sums, np.bincount(place, minlength=size).reshape(-1, len(types)).astype(float)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation; 0 where one is constant."""
    from scipy.stats import rankdata

    a, b = rankdata(one), rankdata(other)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def rarity(stream: Stream, types: np.ndarray, frequency: dict[str, np.ndarray], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Arm -> rank correlation of log frequency and mean loss over types, for weights of domains (draws, domains): (draws,)."""
    out = {}
    for arm, often in frequency.items():
        sums, number = by_type(stream, types, arm)
        found = []
        for weight in weights:
            n = weight @ number
            kept = (number.sum(0) >= LEAST) & (n > 0)
            found.append(rank_correlation(often[kept], (weight @ sums)[kept] / n[kept]) if kept.sum() > 2 else 0.0)
        out[arm] = np.array(found)
    return out


def at_breaks(stream: Stream, mark: str, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Arm -> mean loss at tokens that hold a mark, for weights of domains (draws, domains): (draws,); NaN where none is."""
    here = np.char.find(stream.text.astype(str), mark) >= 0
    number = np.bincount(stream.domain[here], minlength=len(stream.domains)).astype(float)
    out = {}
    for arm, nats in stream.nats.items():
        sums = np.bincount(stream.domain[here], nats[here], len(stream.domains))
        with np.errstate(invalid="ignore", divide="ignore"):
            out[arm] = (weights @ sums) / (weights @ number)
    return out


class Found(NamedTuple):
    """What is judged: the first of each array is the estimate, the rest are draws."""

    rarity: dict[str, np.ndarray]
    breaks: dict[str, np.ndarray]
    unsteadiness: dict[str, float]


def measured(stream: Stream, types: np.ndarray, frequency: dict[str, np.ndarray], row: dict, draws: int) -> Found:
    """All of it, over all domains and with domains resampled."""
    number = len(stream.domains)
    rng = np.random.default_rng(seed_of("mixtures", "fig10", "domains"))
    weights = np.vstack([np.ones((1, number)), rng.multinomial(number, np.full(number, 1 / number), size=draws)])
    steady = {arm: unsteadiness(nats, row["window"]) for arm, nats in stream.nats.items()}
    return Found(rarity(stream, types, frequency, weights), at_breaks(stream, row["break"], weights), steady)


def bounded(values: np.ndarray, level: float, **more: object) -> dict[str, object]:
    """An estimate, the first value, with percentiles of the others, at most as far as itself."""
    low, high = np.nanquantile(values[1:], [level, 1 - level])
    ends = {"low": float(min(low, values[0])), "high": float(max(high, values[0]))}
    return {"estimate": float(values[0]), **ends, "level": level, **more}


def findings(found: Found, claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction; unknown where there is nothing to judge from."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    out = {name: mixes.unknown(level[name], "not kept at this scale") for name in level}
    if found.rarity:
        least = np.max(list(found.rarity.values()), axis=0) + 0.3
        out["fig10-rare"] = bounded(least, level["fig10-rare"], arms=len(found.rarity))
    others = [values for arm, values in found.breaks.items() if arm != "cc"]
    if "cc" in found.breaks and others and np.isfinite(found.breaks["cc"][0]):
        away = found.breaks["cc"] - np.max(others, axis=0)
        out["fig10-break"] = bounded(away, level["fig10-break"], arms=len(others) + 1)
    worst = max(found.unsteadiness.values()) - 1 / 3
    out["fig10-stable"] = {"estimate": worst, "low": worst, "high": worst, "level": level["fig10-stable"]}
    return out


def stretch(stream: Stream, mark: str, shown: int) -> slice:
    """The stretch of at most ``shown`` tokens with the most of a mark, the first of several."""
    here = (np.char.find(stream.text.astype(str), mark) >= 0).astype(float)
    if len(here) <= shown:
        return slice(0, len(here))
    sums = np.concatenate([[0.0], np.cumsum(here)])
    start = int((sums[shown:] - sums[:-shown]).argmax())
    return slice(start, start + shown)


def plotted(stream: Stream, types: np.ndarray, frequency: dict[str, np.ndarray], found: Found, row: dict) -> pd.DataFrame:
    """Every plotted number.

    Panels: trace (x place in the stream, y nats, mean: of the window, text: the token), frequency (x log10 frequency in
    training, the middle of a bin, y mean nats of its types, n types), breaks (y nats, low, high, mean: of all tokens).
    """
    lines, part = [], stretch(stream, row["break"], row["shown"])
    for arm, nats in stream.nats.items():
        of = {"panel": "trace", "arm": arm, "x": np.arange(part.start, part.stop), "y": nats[part]}
        text = [repr(each) for each in stream.text[part]]
        lines.append(pd.DataFrame({**of, "mean": rolling(nats, row["window"])[part], "text": text}))
        if arm in frequency:
            sums, number = (each.sum(0) for each in by_type(stream, types, arm))
            kept = number >= LEAST
            table = pd.DataFrame({"bin": np.digitize(np.log10(frequency[arm][kept]), BINS), "loss": (sums / number)[kept]})
            each = table.groupby("bin")["loss"].agg(["mean", "size"]).reset_index()
            each = {"x": BINS[np.clip(each["bin"] - 1, 0, None)] + 0.25, "y": each["mean"], "n": each["size"]}
            lines.append(pd.DataFrame({"panel": "frequency", "arm": arm, **each}))
        if np.isfinite(found.breaks[arm][0]):
            low, high = np.nanquantile(found.breaks[arm][1:], [BAND, 1 - BAND])
            bounds = {"y": found.breaks[arm][0], "low": low, "high": high, "mean": nats.mean()}
            lines.append(pd.DataFrame([{"panel": "breaks", "arm": arm, **bounds}]))
    table = pd.concat(lines, ignore_index=True)
    return table.reindex(columns=["panel", "arm", "x", "y", "low", "high", "mean", "text", "n"])


# --- the figure ---------------------------------------------------------------------------------------------------------------


def kind_of(arm: str) -> str:
    """The kind of text of an arm."""
    return {"cc": "natural", "filtered": "filtered"}.get(arm, arm.partition("-")[0])


def trace_panel(axis: "Axes", table: pd.DataFrame, arm: str, row: dict, most: float) -> None:
    """Losses along the stretch, the rolling mean as dots, paragraph breaks marked above."""
    mine = table[(table["panel"] == "trace") & (table["arm"] == arm)]
    x = mine["x"] - mine["x"].iloc[0]
    colour = COLOURS[kind_of(arm)]
    axis.plot(x, mine["y"], color=colour, linewidth=0.6, alpha=0.75, label="token")
    axis.plot(x[::4], mine["mean"][::4], ".", markersize=2.6, color=figures.INK, label=f"mean of {row['window']}")
    there = mine["text"].str.contains(repr(row["break"])[1:-1], regex=False)
    axis.plot(x[there], np.full(there.sum(), 1.04 * most), "|", color="black", markersize=5, label="paragraph break")
    axis.set_ylim(0, 1.3 * most)
    axis.set_xlim(0, len(x))
    axis.set_xlabel("token of the stretch", labelpad=1)
    axis.set_ylabel("loss, nats", labelpad=1)
    if arm == table["arm"].iloc[0]:
        axis.legend(frameon=False, loc="upper right", ncols=3, handlelength=1.2, columnspacing=1.0, borderpad=0.1)
    mixes.titled(
        axis, f"trained on {label(arm)}", f"tokens {mine['x'].iloc[0]:,.0f} to {mine['x'].iloc[-1]:,.0f} of the held-out text"
    )


def frequency_panel(axis: "Axes", table: pd.DataFrame) -> None:
    """Mean loss of types by their frequency in training."""
    mine = table[table["panel"] == "frequency"]
    for arm, line in mine.groupby("arm", sort=False):
        look = {"color": COLOURS[kind_of(arm)], "marker": MARKERS[kind_of(arm)], "label": label(arm)}
        axis.plot(10 ** line["x"], line["y"], linewidth=1.0, **look)
    axis.set_xscale("log")
    axis.set_xlabel("frequency in the training text", labelpad=1)
    axis.set_ylabel("mean loss of types, nats", labelpad=1)
    if len(mine):
        axis.legend(frameon=False, loc="upper right", handlelength=1.8, borderpad=0.1)
    n = mine.groupby("arm")["n"].sum().max() if len(mine) else 0
    mixes.titled(axis, "rare tokens", f"n = {n:.0f} types seen {LEAST} times or more; bins of half a decade")


def breaks_panel(axis: "Axes", table: pd.DataFrame, number: int) -> None:
    """Mean loss at paragraph breaks, and of all tokens (hollow)."""
    mine = table[table["panel"] == "breaks"].reset_index(drop=True)
    for i, one in mine.iterrows():
        look = {"color": COLOURS[kind_of(one["arm"])], "markersize": 5}
        axis.errorbar([i], [one["y"]], mixes.bars(mine.loc[[i]]), fmt=MARKERS[kind_of(one["arm"])], elinewidth=0.9, **look)
        axis.plot([i], [one["mean"]], MARKERS[kind_of(one["arm"])], markerfacecolor="white", **look)
    axis.set_xticks(range(len(mine)), [label(arm) for arm in mine["arm"]])
    axis.set_xlim(-0.6, max(len(mine), 1) - 0.4)
    if mine.empty:
        axis.annotate("no such token", (0.5, 0.5), xycoords="axes fraction", ha="center", color=figures.INK)
    axis.set_ylim(0, 1.15 * max([*mine["high"], *mine["mean"]], default=1))
    axis.set_ylabel("mean loss, nats", labelpad=1)
    mixes.titled(axis, "at paragraph breaks", f"n = {number:,} breaks; bars: 90 %; hollow: all tokens")


def footer(judged: list[dict], stream: Stream, missing: list[str], row: dict) -> list[str]:
    """The lines under the panels."""
    by = {entry["claim"]: entry for entry in judged}
    absent = f" Not kept at this scale: {', '.join(map(label, missing))}." if missing else ""
    return [
        f"Published: {mixes.NO_LAYER}",
        f"n = {len(stream.token):,} tokens of {len(stream.domains)} domains; {stream.seeds} "
        f"seed{'s' if stream.seeds > 1 else ''} an arm. The stretch has the most paragraph breaks of any of "
        f"{row['shown']} tokens.{absent}",
        mixes.said(by["fig10-rare"], "Weakest rank correlation of frequency and loss, plus 0.3", "", 2),
        mixes.said(by["fig10-break"], "CC's loss at paragraph breaks less the highest of the others")
        + " "
        + mixes.said(by["fig10-stable"], "Deviation of the rolling mean over that of tokens, less a third", ""),
        f"Bounds cover {COVER}.",
    ]


def fig10(
    traces: str,
    unigrams: str,
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
    """Draw and judge: tables and claims.yaml in, the four files out."""
    stream = read_stream(traces, row["arms"])
    types, frequency = frequencies(unigrams, stream)
    found = measured(stream, types, frequency, row, draws)
    entries = claims_.read_claims(claims, "fig10")
    verdicts = claims_.judge(entries, findings(found, entries), row["scale"])
    table = plotted(stream, types, frequency, found, row)
    arms, layer = list(stream.nats), f"reproduced layer: {figures.SCALES[row['scale']]}"
    most = table.loc[table["panel"] == "trace", "y"].max()
    panels = [partial(trace_panel, table=table, arm=arm, row=row, most=most) for arm in arms]
    number = int((np.char.find(stream.text.astype(str), row["break"]) >= 0).sum())
    rows = [("" if i else layer, panels[i : i + 2]) for i in range(0, len(panels), 2)]
    rows.append(("", [partial(frequency_panel, table=table), partial(breaks_panel, table=table, number=number)]))
    missing = [arm for arm in row["arms"] if arm not in stream.nats]
    figure = mixes.sheet(rows, footer(verdicts, stream, missing, row))
    n = f"{len(stream.token):,} tokens, {len(stream.domains)} domains, {len(arms)} arms, {stream.seeds} seeds"
    about = {"artifact": "fig10", "code": code, "cover": COVER, "n": n, "draws": draws}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig10(
            snakemake.input.traces,
            snakemake.input.unigrams,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
