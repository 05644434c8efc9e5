"""Figure 9 of arXiv 2510.01631: single tokens of training texts and of held-out text, and whether they explain the losses.

Reads runs.csv, domains.parquet, unigrams.parquet, published.yaml and claims.yaml. Makes fig9.pdf and fig9.png (frequency by
rank with fitted laws; divergence from the held-out text; frequencies in the order of the held-out text's; divergence against
loss; published: losses by Table 4), fig9.csv (every plotted number) and fig9.claims.json.

The paper states neither direction nor smoothing of its KL divergence, nor how many tokens it counts. Here KL(test || training)
with 1e-9 added to each probability decides, in nats over the union of vocabularies; the other direction and one added to each
count stand beside it. Laws are Zipf's as Mandelbrot has it, p(r) ~ (r + q)^-s, by maximum likelihood over ranks 10 to 10,000.
Types are compared in equally many tokens (rarefaction, Hurlbert 1971). A mixture's frequencies are the weighted means of its
texts'. Intervals resample the held-out domains; those of types and slopes take tokens as drawn one by one, and are too short.
"""

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from papers.mixtures import mixes
from papers.mixtures.arms import label, short, spread
from papers.mixtures.mixes import COLOURS, KINDS, MARKERS
from scripts.lib import claims as claims_
from scripts.lib import figures
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWS = 1000
SMALL = 1e-9  # added to a probability
RANKS = (10, 10_000)  # to which laws are fitted
SHOWN = 400  # ranks of a line that are drawn
TEST = "test"
VARIANTS = {
    "forward-small": "KL(test || training), 1e-9 added",
    "forward-one": "KL(test || training), 1 added",
    "backward-small": "KL(training || test), 1e-9 added",
    "backward-one": "KL(training || test), 1 added",
}
SYNTHETIC = tuple(f"{kind}-100" for kind in KINDS)
COVER = "which of the held-out domains are scored; not which tokens of a text were counted, nor training seeds"


class Counts(NamedTuple):
    """Token counts over one vocabulary."""

    token: np.ndarray  # (vocabulary,), ids, rising
    text: list[str]
    train: dict[str, np.ndarray]  # arm of pure text -> (vocabulary,)
    domains: list[str]
    test: np.ndarray  # (domains, vocabulary)

    @property
    def whole(self) -> np.ndarray:
        """Counts of all held-out domains together, (vocabulary,)."""
        return self.test.sum(0)


def read_counts(path: str) -> Counts:
    """unigrams.parquet over the union of all tokens.

    Raises:
        ValueError: naming the file where natural text or held-out domains are missing.
    """
    table = pd.read_parquet(path)
    vocabulary = table.drop_duplicates("token").sort_values("token")
    place = pd.Series(np.arange(len(vocabulary)), index=vocabulary["token"])

    def counted(mine: pd.DataFrame) -> np.ndarray:
        found = np.zeros(len(vocabulary))
        found[place[mine["token"]].to_numpy()] = mine["count"]
        return found

    train = {name: counted(mine) for name, mine in table[table["split"] == "train"].groupby("name", sort=False)}
    heldout = table[(table["split"] == "test") & (table["name"] != TEST)]
    domains = {name: counted(mine) for name, mine in heldout.groupby("name")}
    if "cc" not in train or not domains:
        raise ValueError(f"{path}: expected tokens of cc (split train) and of domains (split test), found {set(table['name'])}")
    return Counts(
        vocabulary["token"].to_numpy(), list(vocabulary["text"]), train, list(domains), np.stack(list(domains.values()))
    )


# --- laws, types, divergences -------------------------------------------------------------------------------------------------


def zipf_mandelbrot(counts: np.ndarray, ranks: tuple[int, int] = RANKS) -> tuple[float, float, float]:
    """Slope s, its standard error and shift q of p(r) ~ (r + q)^-s, by maximum likelihood over a range of observed ranks.

    The error is from the observed information of s and log(r_first + q), as if tokens were drawn independently.

    Raises:
        ValueError: with fewer than three tokens in the range.
    """
    from scipy.optimize import minimize

    found = np.sort(counts[counts > 0])[::-1][ranks[0] - 1 : ranks[1]]
    if len(found) < 3:
        raise ValueError(f"{int((counts > 0).sum())} types: expected {ranks[0] + 2} or more")
    rank, total = np.arange(ranks[0], ranks[0] + len(found), dtype=float), found.sum()

    def loss(at: np.ndarray) -> float:  # nats a token
        logs = np.log(rank - rank[0] + np.exp(at[1]))
        return float(at[0] * (found @ logs) / total + np.log(np.exp(-at[0] * logs).sum()))

    best = minimize(loss, np.array([1.0, np.log(rank[0] + 1)]), method="L-BFGS-B", bounds=[(0.01, 20), (0.0, 15.0)])
    step = 1e-3
    at = np.clip(best.x, [0.01 + step, step], [20 - step, 15 - step])
    unit = np.eye(2) * step
    second = [
        [(loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)) / (4 * step**2) for b in unit]
        for a in unit
    ]
    error = float(np.sqrt(max(np.linalg.pinv(np.array(second))[0, 0], 0) / total))
    return float(best.x[0]), error, float(np.exp(best.x[1]) - rank[0])


def types(counts: np.ndarray, tokens: int) -> tuple[float, float]:
    """How many types ``tokens`` of a text's tokens have on average, drawn without repetition, and its deviation.

    ``types([2, 1], 1)`` is 1, of all three tokens it is 2. The deviation takes types as independent, which is too much.
    """
    from scipy.special import gammaln

    n, found = counts.sum(), counts[counts > 0]
    rest = n - found
    able = rest >= tokens
    missed = np.zeros(len(found))
    logs = gammaln(rest[able] + 1) - gammaln(rest[able] - tokens + 1) - gammaln(n + 1) + gammaln(n - tokens + 1)
    missed[able] = np.exp(logs)
    return float((1 - missed).sum()), float(np.sqrt((missed * (1 - missed)).sum()))


def divergences(test: np.ndarray, train: np.ndarray, smoothing: str) -> tuple[np.ndarray, np.ndarray]:
    """KL(test || train) and KL(train || test) in nats, of counts (texts, vocabulary) and (arms, vocabulary): (texts, arms).

    ``smoothing`` is small (``SMALL`` is added to each probability) or one (1 to each count); probabilities then sum to 1 again.
    """
    if smoothing == "one":
        p, q = test + 1, train + 1
    else:
        p, q = (each / each.sum(-1, keepdims=True) + SMALL for each in (test, train))
    p, q = (each / each.sum(-1, keepdims=True) for each in (p, q))
    log_p, log_q = np.log(p), np.log(q)
    return (p * log_p).sum(-1)[:, None] - p @ log_q.T, (q * log_q).sum(-1)[None] - log_p @ q.T


def all_divergences(test: np.ndarray, train: np.ndarray) -> dict[str, np.ndarray]:
    """The four of ``VARIANTS``, (texts, arms) each."""
    found = {smoothing: divergences(test, train, smoothing) for smoothing in ("small", "one")}
    return {f"{way}-{smoothing}": each[i] for smoothing, each in found.items() for i, way in enumerate(("forward", "backward"))}


def mixed(counts: Counts, arm: str) -> np.ndarray | None:
    """The counts of an arm's text: of a mixture the weighted mean of its two; None where a text was not counted."""
    if arm in counts.train:
        return counts.train[arm]
    kind, _, percent = arm.partition("-")
    if f"{kind}-100" not in counts.train or not percent:
        return None
    share = float(percent) / 100
    each = [(counts.train[name], weight) for name, weight in ((f"{kind}-100", share), ("cc", 1 - share))]
    return sum(weight * one / one.sum() for one, weight in each) * each[1][0].sum()


def rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation over the last axis; 0 where one is constant."""
    from scipy.stats import rankdata

    a, b = (rankdata(each, axis=-1) for each in np.broadcast_arrays(one, other))
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    size = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return np.where(size > 0, (a * b).sum(-1) / np.where(size > 0, size, 1), 0.0)


# --- losses -------------------------------------------------------------------------------------------------------------------


def compared(runs: pd.DataFrame, counts: Counts) -> tuple[dict[str, list[str]], int, int]:
    """Arm -> its runs in the cell with most of the arms whose text was counted (of those the largest), and the cell."""
    mine = runs[[mixed(counts, arm) is not None for arm in runs["arm"]]]
    arms = mine.groupby(["parameters", "tokens"])["arm"].nunique()
    parameters, tokens = max(arms.index, key=lambda cell: (arms[cell], *cell))
    here = mine[(mine["parameters"] == parameters) & (mine["tokens"] == tokens)]
    return {arm: list(of["run"]) for arm, of in here.groupby("arm", sort=False)}, int(parameters), int(tokens)


def losses(domains: pd.DataFrame, arms: dict[str, list[str]], order: list[str]) -> np.ndarray:
    """Nats a token by arm and domain, mean of an arm's runs: (arms, domains).

    Raises:
        ValueError: naming the arm that was not scored on all domains that were counted.
    """
    wide = domains.assign(loss=domains["nats"] / domains["tokens"]).pivot(index="run", columns="domain", values="loss")
    if missing := sorted(set(order) - set(wide)):
        raise ValueError(f"domains.parquet: no losses on {', '.join(missing)}, of which tokens were counted")
    found = np.array([wide.reindex(of)[order].mean().to_numpy() for of in arms.values()])
    if not np.isfinite(found).all():
        wrong = [arm for arm, line in zip(arms, found, strict=True) if not np.isfinite(line).all()]
        raise ValueError(f"domains.parquet: arms {', '.join(wrong)}: expected losses on all of {', '.join(order)}")
    return found


# --- what is judged -----------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """What is compared, with draws in which domains are resampled."""

    arms: list[str]
    parameters: int
    tokens: int
    loss: np.ndarray  # (arms,), mean over domains
    loss_draws: np.ndarray  # (draws, arms)
    divergence: dict[str, np.ndarray]  # variant -> (arms,)
    divergence_draws: dict[str, np.ndarray]  # variant -> (draws, arms)
    weights: np.ndarray  # (draws, domains), how often each domain is drawn


def measured(counts: Counts, runs: pd.DataFrame, domains: pd.DataFrame, draws: int) -> Found:
    """Divergences and losses of all arms whose text was counted, and their draws."""
    arms, parameters, tokens = compared(runs, counts)
    by_domain = losses(domains, arms, counts.domains)
    number = len(counts.domains)
    rng = np.random.default_rng(seed_of("mixtures", "fig9", "domains"))
    weights = rng.multinomial(number, np.full(number, 1 / number), size=draws).astype(float)
    train = np.stack([mixed(counts, arm) for arm in arms])
    drawn: dict[str, list] = {variant: [] for variant in VARIANTS}
    for some in np.array_split(weights, 50):
        for variant, each in all_divergences(some @ counts.test, train).items():
            drawn[variant].append(each)
    return Found(
        list(arms),
        parameters,
        tokens,
        by_domain.mean(1),
        weights @ by_domain.T / number,
        {variant: each[0] for variant, each in all_divergences(counts.whole[None], train).items()},
        {variant: np.concatenate(each) for variant, each in drawn.items()},
        weights,
    )


def bounded(estimate: float, draws: np.ndarray, level: float, **more: object) -> dict[str, object]:
    """An estimate with percentiles of its draws."""
    low, high = np.quantile(draws, [level, 1 - level])
    return {"estimate": float(estimate), "low": float(low), "high": float(high), "level": level, **more}


def normal(estimate: float, error: float, level: float, **more: object) -> dict[str, object]:
    """An estimate with normal bounds."""
    from scipy import stats

    away = float(stats.norm.isf(level)) * error
    return {"estimate": float(estimate), "low": estimate - away, "high": estimate + away, "level": level, **more}


def marked(counts: Counts, mark: str) -> np.ndarray:
    """Which tokens a mark means, (vocabulary,): those whose text has it, white space around other marks left aside."""
    return np.array([mark in text if mark.isspace() else mark == text.strip() for text in counts.text])


def log_ratio(counts: Counts, arm: str, where: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Log of how much more frequent some tokens are in a training text than in the held-out domains, weighted (draws, domains).

    Half a token is added to each number: (draws,), nats.
    """
    train, test, all_ = counts.train[arm], weights @ counts.test[:, where].sum(1), weights @ counts.test.sum(1)
    return np.log((train[where].sum() + 0.5) / (train.sum() + 1)) - np.log((test + 0.5) / (all_ + 1))


def ratio_of(counts: Counts, arm: str, where: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """That of all domains, and its draws."""
    return float(log_ratio(counts, arm, where, np.ones((1, len(counts.domains))))[0]), log_ratio(counts, arm, where, weights)


def rank_of_cc(laws: dict[str, dict], tokens: float) -> tuple[int, pd.Series]:
    """How many arms Table 4 puts below natural text after ``tokens`` billions, and its losses by arm, rising."""
    loss = pd.Series(
        {arm: law["tokens"]["E"] + law["tokens"]["B"] / tokens ** law["tokens"]["beta"] for arm, law in laws.items()}
    )
    return int((loss < loss["cc"]).sum()), loss.sort_values()


def findings(counts: Counts, found: Found, laws: dict, tokens: float, claims: dict[str, dict], row: dict) -> dict[str, dict]:
    """What was found for each claim with a direction; unknown where a text that it speaks of was not counted."""
    level = {name: claim["level"] for name, claim in claims.items() if "level" in claim}
    out = {name: mixes.unknown(level[name], "texts not counted") for name in level}
    better = rank_of_cc(laws, tokens)[0]
    out["fig9-published-rank"] = normal(better, 0.0, level["fig9-published-rank"])
    others, test = [arm for arm in SYNTHETIC if arm in counts.train], counts.whole
    if others and "cc" in found.arms:
        at, cc = [found.arms.index(arm) for arm in others if arm in found.arms], found.arms.index("cc")
        for variant in VARIANTS if at else ():
            one, draws = found.divergence[variant], found.divergence_draws[variant]
            name = f"fig9-closest-{variant}"
            out[name] = bounded(one[at].min() - one[cc], draws[:, at].min(1) - draws[:, cc], level[name], texts=len(at) + 1)
        kl, kl_draws = found.divergence["forward-small"], found.divergence_draws["forward-small"]
        name = "fig9-not-similarity"
        each = rank_correlation(kl_draws, found.loss_draws) - 0.5
        out[name] = bounded(rank_correlation(kl, found.loss) - 0.5, each, level[name], arms=len(found.arms))
        cc_counts, rest = counts.train["cc"], [counts.train[arm] for arm in others]
        size = int(min(one.sum() for one in (cc_counts, test, *rest)))
        wide, error = types(cc_counts, size)
        widest, other_error = max(types(one, size) for one in rest)
        name = "fig9-wider"
        out[name] = normal(100 * (wide - widest) / wide, 100 * np.hypot(error, other_error) / wide, level[name], tokens=size)
        tested, test_error = types(test, size)
        most, most_error = max(types(one, size) for one in counts.train.values())
        name = "fig9-test-wider"
        out[name] = normal(
            100 * (tested - most) / most, 100 * np.hypot(test_error, most_error) / most, level[name], tokens=size
        )
        (slope, error, _), *fits = (zipf_mandelbrot(one) for one in (cc_counts, *rest))
        least, least_error, _ = min(fits)
        out["fig9-flatter"] = normal(least - slope, np.hypot(error, least_error), level["fig9-flatter"])
    for name, arm, mark, sign in (("fig9-break", "cc", "break", 1), ("fig9-colon", "qa-100", "colon", -1)):
        where = marked(counts, row["marks"][mark])
        if arm in counts.train and where.any():
            out[name] = bounded(*(each + sign for each in ratio_of(counts, arm, where, found.weights)), level[name])
        else:
            out[name] = mixes.unknown(level[name], "no such token")
    return out


def thinned(number: int, shown: int = SHOWN) -> np.ndarray:
    """Ranks from 1 to ``number`` that are drawn: all of the first hundred, then evenly in their logarithm."""
    if number <= shown:
        return np.arange(1, number + 1)
    return np.unique(np.concatenate([np.arange(1, 101), np.geomspace(100, number, shown - 100).round().astype(int)]))


def plotted(counts: Counts, found: Found, laws: dict, tokens: float, row: dict) -> pd.DataFrame:
    """Every plotted number.

    Panels: rank (x rank, y frequency, of the text ``name``; fit: of its law), law (x slope, low and high its 90 % bounds, y the
    shift), divergence (name, variant, y nats, low, high), sorted (x rank in the held-out text, y frequency of that token in
    ``name``), marks (y log ratio to the held-out text), loss (x divergence, y nats), published (x order, y nats by Table 4).
    """
    lines, texts = [], {**counts.train, TEST: counts.whole}
    for name, one in texts.items():
        ordered = np.sort(one[one > 0])[::-1]
        base = {"name": name, "n": int(one.sum()), "types": len(ordered)}
        for rank in thinned(len(ordered)):
            lines.append({"panel": "rank", **base, "x": rank, "y": ordered[rank - 1] / one.sum()})
        slope, error, shift = zipf_mandelbrot(one)
        lines.append(
            {"panel": "law", **base, "x": slope, "low": slope - 1.645 * error, "high": slope + 1.645 * error, "y": shift}
        )
        ranks = np.arange(RANKS[0], min(RANKS[1], len(ordered)) + 1)
        law = (ranks + shift) ** -slope
        law *= ordered[ranks - 1].sum() / one.sum() / law.sum()
        lines += [{"panel": "fit", **base, "x": ranks[i], "y": law[i]} for i in thinned(len(ranks), 120) - 1]
        for mark, text in row["marks"].items():
            where = marked(counts, text)
            if name != TEST and where.any():
                ratio, draws = ratio_of(counts, name, where, found.weights)
                low, high = np.quantile(draws, [0.05, 0.95])
                lines.append({"panel": "marks", **base, "variant": mark, "y": ratio, "low": low, "high": high})
    for i, arm in enumerate(found.arms):
        for variant, one in found.divergence.items():
            low, high = np.quantile(found.divergence_draws[variant][:, i], [0.05, 0.95])
            lines.append({"panel": "divergence", "name": arm, "variant": variant, "y": one[i], "low": low, "high": high})
        lines.append({"panel": "loss", "name": arm, "x": found.divergence["forward-small"][i], "y": found.loss[i]})
    test = counts.whole
    order = np.argsort(-test, kind="stable")[: int((test > 0).sum())]
    for rank in thinned(len(order)):
        token = order[rank - 1]
        for name, one in texts.items():
            base = {"name": name, "variant": repr(counts.text[token])}
            lines.append({"panel": "sorted", **base, "x": rank, "y": one[token] / one.sum()})
    for i, (arm, loss) in enumerate(rank_of_cc(laws, tokens)[1].items(), 1):
        lines.append({"panel": "published", "name": arm, "x": i, "y": loss})
    return pd.DataFrame(lines).reindex(columns=["panel", "name", "variant", "x", "y", "low", "high", "n", "types"])


# --- the figure ---------------------------------------------------------------------------------------------------------------

KIND = {"cc": "natural", "filtered": "filtered"}


def look(name: str) -> dict[str, object]:
    """Colour and label of a text or an arm."""
    if name == TEST:
        return {"color": "#888888", "label": "held-out", "linestyle": (0, (2, 1.2))}
    kind = KIND.get(name, name.partition("-")[0])
    return {"color": COLOURS[kind], "label": label(name)}


def rank_panel(axis: "Axes", table: pd.DataFrame) -> None:
    """Frequency by rank, and the fitted laws as thin lines."""
    slopes = table[table["panel"] == "law"].set_index("name")["x"]
    for name, line in table[table["panel"] == "rank"].groupby("name", sort=False):
        how = {**look(name), "label": f"{look(name)['label']}, s = {slopes[name]:.2f}"}
        axis.plot(line["x"], line["y"], linewidth=2.2, alpha=0.45, **how)
    for name, line in table[table["panel"] == "fit"].groupby("name", sort=False):
        axis.plot(line["x"], line["y"], color=look(name)["color"], linewidth=0.7)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("rank of token", labelpad=1)
    axis.set_ylabel("frequency", labelpad=1)
    axis.legend(frameon=False, loc="lower left", handlelength=1.8, borderpad=0.1, labelspacing=0.25)
    n = table.loc[table["panel"] == "law", "n"]
    mixes.titled(axis, "a: frequency by rank", f"n = {short(n.min())} to {short(n.max())} tokens; thin: laws")


def divergence_panel(axis: "Axes", table: pd.DataFrame) -> None:
    """Divergence of pure texts from the held-out text: bars KL(test || training), marks the other variants."""
    mine = table[(table["panel"] == "divergence") & table["name"].isin([*SYNTHETIC, "cc", "filtered"])]
    names = list(dict.fromkeys(mine["name"]))
    marks = {
        "forward-one": ("o", "1 added"),
        "backward-small": ("s", "other direction"),
        "backward-one": ("D", "other, 1 added"),
    }
    for variant, of in mine.groupby("variant", sort=False):
        x = np.array([names.index(name) for name in of["name"]], float)
        if variant == "forward-small":
            colours = [look(name)["color"] for name in of["name"]]
            axis.bar(x, of["y"], 0.62, color=colours, alpha=0.75)
            axis.errorbar(x, of["y"], mixes.bars(of), fmt="none", color="black", elinewidth=0.8)
        else:
            marker, words = marks[variant]
            place = x + 0.18 * (list(marks).index(variant) - 1)
            axis.plot(place, of["y"], marker, color="black", markerfacecolor="white", markersize=3, label=words)
    axis.set_xticks(range(len(names)), [label(name).replace(" ", "\n") for name in names])
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.set_ylim(0, 1.42 * mine["y"].max())
    axis.set_ylabel("KL from held-out text, nats", labelpad=1)
    axis.legend(frameon=False, loc="upper left", handlelength=0.8, borderpad=0.1, ncols=2, columnspacing=0.8)
    mixes.titled(axis, "b: divergence", "bars: KL(test || training), 1e-9 added; 90 %")


def sorted_panel(axis: "Axes", table: pd.DataFrame) -> None:
    """Frequencies in the order of the held-out text's."""
    mine = table[table["panel"] == "sorted"]
    for name, line in mine.groupby("name", sort=False):
        if name == TEST:
            axis.plot(line["x"], line["y"], color="black", linewidth=1.2, zorder=3)
        else:
            seen = line[line["y"] > 0]
            axis.plot(seen["x"], seen["y"], ".", markersize=1.6, color=look(name)["color"], alpha=0.6, rasterized=True)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("rank of token in the held-out text (line)", labelpad=1)
    axis.set_ylabel("frequency", labelpad=1)
    mixes.titled(axis, "c: in the held-out text's order", "dots: training texts, colours of a")


def marks_panel(axis: "Axes", table: pd.DataFrame) -> None:
    """How much more frequent marked tokens are in each training text than in the held-out text."""
    mine = table[table["panel"] == "marks"]
    marks = list(dict.fromkeys(mine["variant"]))
    for i, (name, line) in enumerate(mine.groupby("name", sort=False)):
        y = [-marks.index(mark) - 0.13 * (i - mine["name"].nunique() / 2) for mark in line["variant"]]
        axis.errorbar(line["y"], y, xerr=mixes.bars(line), fmt="o", elinewidth=0.8, color=look(name)["color"])
    axis.axvline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    words = {"break": "paragraph\nbreak", "colon": "colon"}
    axis.set_yticks([-i for i in range(len(marks))], [words.get(mark, mark) for mark in marks])
    axis.set_ylim(-len(marks) + 0.4, 0.6)
    axis.set_xlabel("log frequency less the held-out text's, nats", labelpad=1)
    mixes.titled(axis, "c: two tokens", "90 %, domains resampled; colours of a")


def loss_panel(axis: "Axes", table: pd.DataFrame, found: Found) -> None:
    """Divergence against loss, an arm a point."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    mine = table[table["panel"] == "loss"]
    low, high = mine["y"].min(), mine["y"].max()
    room = max(high - low, 1e-9)
    heights = spread(mine["y"].to_numpy(), 0.085 * room, low - 0.1 * room, high + 0.1 * room)
    for (_, one), place in zip(mine.iterrows(), heights, strict=True):
        kind = KIND.get(one["name"], one["name"].partition("-")[0])
        axis.plot(one["x"], one["y"], MARKERS[kind], color=COLOURS[kind], markersize=4)
        words = {"textcoords": "offset points", "fontsize": 6.5, "va": "center", "color": COLOURS[kind]}
        words["bbox"] = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.3}
        axis.annotate(label(one["name"]), (one["x"], place), (5, 0), **words)
    axis.set_xscale("log")
    left, right = mine["x"].min(), mine["x"].max()
    axis.set_xlim(left / (right / left) ** 0.1, right * (right / left) ** 0.3)
    axis.set_ylim(low - 0.16 * room, high + 0.16 * room)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("KL(test || training), nats", labelpad=1)
    axis.set_ylabel("held-out loss, nats a token", labelpad=1)
    where = f"{short(found.parameters)} parameters, {short(found.tokens)} tokens"
    mixes.titled(axis, "divergence and loss", f"n = {len(mine)} arms; {where}")


def published_panel(axis: "Axes", table: pd.DataFrame, tokens: float) -> None:
    """The losses of Table 4 after some tokens, lowest first, natural text filled."""
    mine = table[table["panel"] == "published"]
    for _, one in mine.iterrows():
        kind = KIND.get(one["name"], one["name"].partition("-")[0])
        hollow = {} if one["name"] == "cc" else {"markerfacecolor": "white"}
        axis.plot(one["y"], -one["x"], MARKERS[kind], color=COLOURS[kind], markersize=4, **hollow)
    axis.set_yticks(-mine["x"], [label(name) for name in mine["name"]])
    axis.tick_params(axis="y", length=0, labelsize=6.5)
    axis.set_xlabel("loss by Table 4, nats", labelpad=1)
    mixes.titled(axis, "published losses", f"1B model, {tokens:g}B tokens; filled: CC")


def footer(judged: list[dict], found: Found, counts: Counts) -> list[str]:
    """The lines under the panels."""
    by = {entry["claim"]: entry for entry in judged}
    rank = by["fig9-published-rank"]
    return [
        f"Published: {mixes.NO_LAYER} Its argument needs losses, and Table 4 has these: {rank['estimate']:.0f} arms are below "
        f"CC, {rank['verdict'].upper()}.",
        mixes.said(by["fig9-closest-forward-small"], "Smallest divergence of synthetic texts less CC's", digits=4)
        + f" In all four variants: {by['fig9-closest']['verdict'].upper()}.",
        mixes.said(
            by["fig9-not-similarity"], f"Rank correlation of divergence and loss over {len(found.arms)} arms, less 0.5", "", 2
        ),
        mixes.said(by["fig9-wider"], "Types of CC above the widest synthetic text's", "%", 1)
        + " "
        + mixes.said(by["fig9-test-wider"], "Held-out text above the widest training text", "%", 1),
        mixes.said(by["fig9-flatter"], "Least slope of synthetic texts less CC's", "")
        + " "
        + mixes.said(by["fig9-break"], "CC's paragraph breaks, log ratio plus 1", "", 2)
        + " "
        + mixes.said(by["fig9-colon"], "QA's colons, less 1", "", 2),
        f"Bounds of divergences, ratios and the correlation resample the {len(counts.domains)} held-out domains; those of "
        "types and slopes take tokens as drawn one by one and are too short.",
    ]


def fig9(
    runs: str,
    domains: str,
    unigrams: str,
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
    """Draw and judge: tables, published.yaml and claims.yaml in, the four files out."""
    import yaml

    with open(published, encoding="utf-8") as file:
        printed = yaml.safe_load(file)
    laws, tokens = printed["laws"], printed["ranges"]["tokens"]["fitted"]
    counts = read_counts(unigrams)
    mine = mixes.of_world(mixes.read_runs(runs), row["world"], row["generator"])
    mine = mine[mine["arm"].isin(laws)]  # the paper's arms, without finer shares
    found = measured(counts, mine, pd.read_parquet(domains), draws)
    entries = claims_.read_claims(claims, "fig9")
    verdicts = claims_.judge(entries, findings(counts, found, laws, tokens, entries, row), row["scale"])
    table = plotted(counts, found, laws, tokens, row)
    layer = f"reproduced layer: {figures.SCALES[row['scale']]}"
    figure = mixes.sheet(
        [
            (layer, [partial(panel, table=table) for panel in (rank_panel, divergence_panel)]),
            ("", [partial(panel, table=table) for panel in (sorted_panel, marks_panel)]),
            (
                "reproduced layer (left); published layer (right)",
                [partial(loss_panel, table=table, found=found), partial(published_panel, table=table, tokens=tokens)],
            ),
        ],
        footer(verdicts, found, counts),
    )
    n = f"{len(counts.domains)} domains, {len(counts.train)} training texts, {len(found.arms)} arms"
    about = {"artifact": "fig9", "code": code, "cover": COVER, "n": n, "draws": draws}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig9(
            snakemake.input.runs,
            snakemake.input.domains,
            snakemake.input.unigrams,
            snakemake.input.published,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            row=snakemake.params.row,
            code=snakemake.params.code,
        )
