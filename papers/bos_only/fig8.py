"""Figure 8 of arXiv 2605.31126: verbatim extraction from a model that memorises, over epochs on its own samples.

Reads the extraction of the self run and of its controls (one line per checkpoint and candidate), their losses on held-out
documents, and how often the candidates' suffixes stand in the self corpus. Makes fig8.pdf, fig8.png, fig8.csv (every plotted
number, both halves) and fig8.claims.json.

A row of panels a domain, text and code: passages extracted, exactly and nearly; the change in log-probability of true
continuations; extraction against held-out loss. All training passages are candidates, so that gains count as well as losses;
what is shown and judged is the held-out half. A drop says little by itself, since any drift costs extraction: what is judged
too is extraction at *matched* held-out loss, against replay, the original distribution, another family's text and noise.
"""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from papers.bos_only import curves
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SELF, NOISE = "self", "noise"
REPORTED = "held-out"
COVER = "candidates, held-out documents and subsets, not pretraining seeds"
LOOK = {
    SELF: {"color": figures.COLOURS["black"], "linestyle": (0, (4, 1.6)), "marker": "o"},
    "replay": {"color": figures.COLOURS["blue"], "linestyle": "-", "marker": "s"},
    "original": {"color": figures.COLOURS["orange"], "linestyle": "-", "marker": "^"},
    "cross_family": {"color": figures.COLOURS["vermilion"], "linestyle": "-", "marker": "D"},
    NOISE: {"color": figures.GREY, "linestyle": (0, (1, 1.2)), "marker": "x"},
}
NOTHING = 99.0  # nats: bound of a change of which nothing is known


class Given(NamedTuple):
    """One series and task; items in the same order in every series. Index 0 of the epochs is the base."""

    epochs: np.ndarray  # (E + 1,)
    exact: np.ndarray  # (items, E + 1, subsets) of 0 and 1
    near: np.ndarray  # the same, within the suite's edit distance
    logprob: np.ndarray  # the same, of the true suffix, nats per token
    repetition: np.ndarray  # (items,)
    reported: np.ndarray  # (items,) of bool: in the half that is reported
    nats: np.ndarray  # (documents, E + 1, subsets)
    tokens: np.ndarray  # (documents,)

    def candidates(self, half: str = REPORTED) -> np.ndarray:
        """Which items are training passages of this half; passages that were never trained on are none."""
        return (self.repetition != 0) & (self.reported == (half == REPORTED))

    def memorised(self) -> np.ndarray:
        """Which items the base completes word for word."""
        return self.exact[:, 0, 0] > 0


def _cube(lines: pd.DataFrame, value: str, where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values as (items, E + 1, subsets), the base repeated in each subset; items and epochs in rising order.

    Raises:
        ValueError: naming run and task where lines are missing or double.
    """
    base = lines[lines["epoch"] == 0].sort_values("item")
    later = lines[lines["epoch"] > 0].sort_values(["item", "epoch", "subset"])
    items, epochs, subsets = (np.sort(later[column].unique()) for column in ("item", "epoch", "subset"))
    shape = len(items), len(epochs), len(subsets)
    if not np.array_equal(base["item"], items) or len(later) != np.prod(shape):
        raise ValueError(
            f"{where}: {len(base)} lines at epoch 0 and {len(later)} after it; expected one for each of {shape} items, "
            "epochs, subsets, and one an item at epoch 0"
        )
    start = np.repeat(base[value].to_numpy(float)[:, None, None], shape[2], axis=2)
    return np.concatenate([start, later[value].to_numpy(float).reshape(shape)], axis=1), items, np.append(0, epochs)


def gather(lines: pd.DataFrame, heldout: pd.DataFrame, row: dict, near: int) -> dict[tuple[str, str], Given]:
    """(series, task) -> what was measured, from the lines of all runs.

    Raises:
        ValueError: naming run and task where lines are missing, or the base or the candidates differ from the first run's.
    """
    lines = lines.assign(near=lines["distance"] <= near, logprob=lines["logprob"] / lines["tokens"])
    found, first = {}, {}
    for name, (_, run) in curves.series(row).items():
        for task in row["tasks"]:
            where = f"{row['name']}: run {run}, task {task}"
            mine = lines[(lines["run"] == run) & (lines["task"] == task)]
            texts = heldout[(heldout["run"] == run) & (heldout["task"] == task)]
            cubes = {value: _cube(mine, value, where) for value in ("exact", "near", "logprob")}
            nats, documents, loss_epochs = _cube(texts, "nats", f"{where}, held-out documents")
            exact, items, epochs = cubes["exact"]
            about = mine[mine["epoch"] == 0].sort_values("item")
            key = (items.tolist(), documents.tolist(), exact[:, 0, 0].tolist(), cubes["logprob"][0][:, 0, 0].tolist())
            if first.setdefault(task, key) != key or not np.array_equal(epochs, loss_epochs):
                raise ValueError(
                    f"{where}: candidates, documents or the base differ from the first run's; expected the same base"
                )
            found[name, task] = Given(
                epochs=epochs,
                exact=exact,
                near=cubes["near"][0],
                logprob=cubes["logprob"][0],
                repetition=about["repetition"].to_numpy(),
                reported=(about["half"] == REPORTED).to_numpy(),
                nats=nats,
                tokens=texts[texts["epoch"] == 0].sort_values("item")["tokens"].to_numpy(float),
            )
    return found


def wilson(k: float, n: float, level: float = 0.025) -> tuple[float, float]:
    """Wilson's interval for a share of ``k`` in ``n``, of gains no more than ``n``; (0, 1) where n is 0."""
    if n <= 0:
        return 0.0, 1.0
    low, high = statistics.wilson(min(k, n), n, level)
    return float(low), float(high)


def plotted(found: dict[tuple[str, str], Given], overlap: pd.DataFrame, row: dict) -> pd.DataFrame:
    """Every plotted number, and those of the other half: series, run, task, half, epoch, subset, quantity, value, n, low, high.

    Quantities: exact, near (passages extracted of n; low and high are Wilson's interval), gained, lost (against the base),
    exact of passages by repetition (``exact x64``; ``exact unseen`` for those never trained on), share (exact over the base's),
    logprob memorised, logprob other (mean change per token against the base, of n passages), heldout nll (nats a token, n
    documents), and for self suffixes in corpus, suffixes in training (how many of n suffixes stand there).
    """
    lines = []
    runs = {name: run for name, (_, run) in curves.series(row).items()}
    for (name, task), given in found.items():
        start = given.memorised()
        for e, epoch in enumerate(given.epochs):
            for s in range(given.exact.shape[2]):

                def put(half, quantity, value, n, low=np.nan, high=np.nan, e=epoch, s=s, name=name, task=task):
                    lines.append((name, runs[name], task, half, int(e), s, quantity, float(value), int(n), low, high))

                for half in (REPORTED, "look"):
                    own = given.candidates(half)
                    now, n = given.exact[:, e, s] > 0, int(own.sum())
                    count = int(now[own].sum())
                    put(half, "exact", count, n, *(n * each for each in wilson(count, n)))
                    put(half, "near", given.near[own, e, s].sum(), n)
                    put(half, "gained", (now & ~start)[own].sum(), n)
                    put(half, "lost", (~now & start)[own].sum(), n)
                    put(half, "share", count / max(int(start[own].sum()), 1), int(start[own].sum()))
                    for repetition in sorted(set(given.repetition.tolist()) - {-1}):
                        these = (given.repetition == repetition) & (given.reported == (half == REPORTED))
                        put(half, f"exact x{repetition}" if repetition else "exact unseen", now[these].sum(), these.sum())
                    for word, which in (("memorised", own & start), ("other", own & ~start)):
                        change = (given.logprob[:, e, s] - given.logprob[:, 0, s])[which]
                        put(half, f"logprob {word}", change.mean() if len(change) else np.nan, which.sum())
                put("", "heldout nll", given.nats[:, e, s].sum() / given.tokens.sum(), len(given.tokens))
    for (task, half), part in overlap.groupby(["task", "half"]):
        for column in ("corpus", "trained"):
            value = (SELF, runs[SELF], task, half, -1, -1, f"suffixes in {column}", float((part[column] > 0).sum()), len(part))
            lines.append((*value, np.nan, np.nan))
    return pd.DataFrame(
        lines, columns=["series", "run", "task", "half", "epoch", "subset", "quantity", "value", "n", "low", "high"]
    )


def reach(nll: np.ndarray, share: np.ndarray, target: float) -> float:
    """The share where a path first reaches a loss, linear between checkpoints.

    Args:
        nll, share: (E + 1,) along the path, the base first.
        target: between the base's loss and the largest of the path; below the base's, the base's share.

    >>> reach(np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.6, 0.0]), 3.0)
    0.3
    """
    above = np.flatnonzero(nll >= target)
    if target <= nll[0] or not len(above):
        return float(share[0] if target <= nll[0] else share[nll.argmax()])
    i = above[0]
    part = (target - nll[i - 1]) / (nll[i] - nll[i - 1])
    return float(share[i - 1] + part * (share[i] - share[i - 1]))


def matched(nll: np.ndarray, share: np.ndarray, other_nll: np.ndarray, other_share: np.ndarray) -> tuple[float, float, float]:
    """Both paths' shares at the largest loss that both reach: (loss, own share, the other's).

    Where one of them never rises above the base's loss, that is the base's, and the shares are equal: nothing is compared.
    """
    target = max(min(nll.max(), other_nll.max()), nll[0])
    return float(target), reach(nll, share, target), reach(other_nll, other_share, target)


def paths(given: dict[str, Given], draws: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Loss and share of the base's extraction over epochs, each a mean over tasks: estimates (E + 1,), draws (draws, E + 1).

    ``given`` maps task to what was measured. Seeds depend on the task alone, so that two series resample the same candidates.
    """
    parts = []
    for task, one in given.items():
        counts, drawn = curves.bounds([one.exact[one.candidates()][:, None]], draws, "fig8", task, "candidates")
        size = np.repeat(one.tokens[:, None, None], one.nats.shape[2], axis=2)
        loss, drawn_loss = curves.bounds([np.concatenate([one.nats, size], axis=1)[:, None]], draws, "fig8", task, "documents")
        least = 1.0 / max(int(one.candidates().sum()), 1)
        parts.append(
            (
                loss[0, :-1] / loss[0, -1],
                np.maximum(counts[0], 0) / max(counts[0, 0], least),
                drawn_loss[:, 0, :-1] / drawn_loss[:, 0, -1:],
                np.maximum(drawn[:, 0], 0) / np.maximum(drawn[:, 0, :1], least),
            )
        )
    return tuple(np.mean(each, axis=0) for each in zip(*parts, strict=True))


def findings(found: dict[tuple[str, str], Given], row: dict, claims: dict[str, dict], draws: int) -> dict[str, dict]:
    """What was found for each claim with a direction: estimate, low, high, level and what else should be on record."""
    out = {}
    for task in row["tasks"]:
        given = found[SELF, task]
        own, start = given.candidates(), given.memorised()
        name = f"fig8-{task}-forgotten"
        level = claims[name]["level"]
        ends = given.exact[own][:, [0, -1]][:, None]
        estimate, drawn = curves.bounds([ends], draws, "fig8", task, "forgotten")
        before, after = ends[:, 0, 0, 0].sum(), ends[:, 0, 1].sum(0).mean()
        ratio = np.maximum(drawn[:, 0, 1], 0) / np.maximum(drawn[:, 0, 0], 1.0 / max(len(ends), 1))
        bounds = curves.plain(after / max(before, 1), ratio, level)
        low, high = wilson(after, before, level)  # resampling nothing but zeros knows no doubt
        out[name] = bounds | {
            "low": min(bounds["low"], low),
            "high": max(bounds["high"], high),
            "base": int(before),
            "last": float(after),
            "candidates": int(own.sum()),
            "gained": float(((ends[:, 0, 1] > 0) & (ends[:, 0, 0] == 0)).sum(0).mean()),
            "lost": float(((ends[:, 0, 1] == 0) & (ends[:, 0, 0] > 0)).sum(0).mean()),
        }
        name = f"fig8-{task}-less-likely"
        change = (given.logprob[:, -1] - given.logprob[:, 0])[own & start]
        if len(change) > 1:
            estimate, drawn = curves.bounds([change[:, None, None]], draws, "fig8", task, "less likely")
            out[name] = curves.plain(estimate[0, 0], drawn[:, 0, 0], claims[name]["level"]) | {"passages": len(change)}
        else:
            out[name] = {
                "estimate": 0.0,
                "low": -NOTHING,
                "high": NOTHING,
                "level": claims[name]["level"],
                "passages": len(change),
            }
    series = {name: {task: found[name, task] for task in row["tasks"]} for name in [SELF, *row["controls"]]}
    walked = {name: paths(given, draws) for name, given in series.items()}
    nll, share, drawn_nll, drawn_share = walked[SELF]
    for control in row["controls"]:
        name = f"fig8-below-{control}"
        other = walked[control]
        target, mine, theirs = matched(nll, share, *other[:2])
        at = [matched(*each) for each in zip(drawn_nll, drawn_share, other[2], other[3], strict=True)]
        differences = np.array([one - two for _, one, two in at])
        out[name] = curves.plain(mine - theirs, differences, claims[name]["level"]) | {
            "common_loss": bool(target > nll[0]),
            "heldout_nll": target,
            "base_nll": float(nll[0]),
            "last_nll": float(nll[-1]),
            "control_largest_nll": float(other[0].max()),
            "self": mine,
            "control": theirs,
        }
        if not out[name]["common_loss"]:  # the base would be compared with itself
            out[name] |= {"low": -1.0, "high": 1.0}
    return out


# --- drawing ----------------------------------------------------------------------------------------------------------------


def _mean(table: pd.DataFrame, series: str, task: str, quantity: str) -> pd.DataFrame:
    """Mean and sd over subsets by epoch, and what else the lines say, of the reported half."""
    part = table[(table["series"] == series) & (table["task"] == task) & (table["quantity"] == quantity)]
    part = part[part["half"].isin(["", REPORTED])]
    return part.groupby("epoch").agg(
        value=("value", "mean"), sd=("value", "std"), low=("low", "mean"), high=("high", "mean"), n=("n", "first")
    )


def _counts(axis: "Axes", table: pd.DataFrame, task: str, row: dict) -> None:
    for name in [each for each in row["controls"] if each != NOISE]:
        line = _mean(table, name, task, "exact")
        axis.plot(line.index, line["value"], linewidth=0.8, markersize=2.5, zorder=2, **LOOK[name])
    line, near = _mean(table, SELF, task, "exact"), _mean(table, SELF, task, "near")
    axis.plot(near.index, near["value"], color="black", linewidth=0.7, zorder=3)
    axis.plot(line.index, line["value"], zorder=4, **LOOK[SELF])
    axis.vlines(line.index, line["low"], line["high"], color="black", linewidth=0.6, zorder=3)
    axis.fill_between(
        line.index, line["value"] - line["sd"], line["value"] + line["sd"], color="black", alpha=0.14, linewidth=0, zorder=1
    )
    axis.set_ylim(bottom=0)
    figures.epoch_axis(axis, sorted(line.index))
    axis.set_xlabel("epoch", labelpad=1)
    axis.set_ylabel("passages extracted", labelpad=2)
    axis.set_title(row["tasks"][task]["label"], pad=11)
    curves.under_title(axis, f"n {line['n'].iloc[0]:,}; thin line: near-verbatim")


def _logprobs(axis: "Axes", table: pd.DataFrame, task: str, row: dict) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.axhline(0, color="#bbbbbb", linewidth=0.6, zorder=0)
    for name in [each for each in row["controls"] if each != NOISE]:
        line = _mean(table, name, task, "logprob memorised")
        axis.plot(line.index, line["value"], linewidth=0.8, markersize=2.5, zorder=2, **LOOK[name])
    line, other = _mean(table, SELF, task, "logprob memorised"), _mean(table, SELF, task, "logprob other")
    axis.plot(other.index, other["value"], color="black", linewidth=0.7, zorder=3)
    axis.plot(line.index, line["value"], zorder=4, **LOOK[SELF])
    for each in (line, other):
        axis.fill_between(
            each.index, each["value"] - each["sd"], each["value"] + each["sd"], color="black", alpha=0.14, linewidth=0, zorder=1
        )
    figures.epoch_axis(axis, sorted(line.index))
    axis.set_xlabel("epoch", labelpad=1)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axis.set_ylabel("change, nats a token", labelpad=2)
    axis.set_title(f"log p of true continuations, {task}", pad=11)
    curves.under_title(axis, f"memorised {line['n'].iloc[0]:,}; thin line: others {other['n'].iloc[0]:,}")


def _against_loss(axis: "Axes", table: pd.DataFrame, task: str, row: dict) -> None:
    ends = []
    for name in [SELF, *row["controls"]]:
        loss, share = (_mean(table, name, task, quantity)["value"] for quantity in ("heldout nll", "share"))
        if name != NOISE:
            ends += [loss.min(), loss.max()]
        width = {} if name == SELF else {"linewidth": 0.8, "markersize": 2.5}
        axis.plot(loss, 100 * share, zorder=4 if name == SELF else 2, **width, **LOOK[name])
    room = max(max(ends) - min(ends), 0.02)
    axis.set_xlim(min(ends) - 0.06 * room, max(ends) + 0.12 * room)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("held-out loss, nats a token", labelpad=1)
    axis.set_ylabel("% of the base's extraction", labelpad=2)
    axis.set_title(f"at matched loss, {task}", pad=11)
    curves.under_title(axis, "a line is a run, from the base on")


def draw(table: pd.DataFrame, judged: list[dict], row: dict) -> "Figure":
    """The figure: a row of three panels a domain; legend and footer below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in _footer(table, judged, row) for line in textwrap.wrap(part, 131)]
    down = len(row["tasks"])
    top, panel, gap, below = 0.39, 1.45, 0.72, 0.42 + 0.32 + 0.137 * len(lines) + 0.1
    height = top + down * panel + (down - 1) * gap + below
    with matplotlib.rc_context(figures.STYLE):
        figure, cells = plt.subplots(down, 3, figsize=(figures.WIDTH, height), squeeze=False)
        figure.subplots_adjust(
            left=0.07, right=0.988, top=1 - top / height, bottom=below / height, wspace=0.34, hspace=gap / panel
        )
        for axes, task in zip(cells, row["tasks"], strict=True):
            _counts(axes[0], table, task, row)
            _logprobs(axes[1], table, task, row)
            _against_loss(axes[2], table, task, row)
        handles = [plt.Line2D([], [], **LOOK[name]) for name in [SELF, *row["controls"]]]
        labels = [
            f"{name.replace('_', ' ')}: {row['models'][name]}" if name in row["models"] else name
            for name in [SELF, *row["controls"]]
        ]
        figure.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(0.006, (below - 0.36) / height),
            ncols=3,
            frameon=False,
            handlelength=3.0,
            columnspacing=1.0,
        )
        figures.footer(figure, lines)
    return figure


def _footer(table: pd.DataFrame, judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: scale, n, what intervals cover, verdicts, what the self corpus holds."""
    by_name = {entry["claim"]: entry for entry in judged}
    subsets = table.loc[(table["series"] == SELF) & (table["epoch"] > 0), "subset"].nunique()
    drops, likely, held, unseen = [], [], [], []
    for task in row["tasks"]:
        entry = by_name[f"fig8-{task}-forgotten"]
        drops.append(
            f"{task} {entry['base']} to {entry['last']:.3g} ({entry['gained']:.3g} gained, {entry['lost']:.3g} lost), share "
            f"{figures.said(entry)}"
        )
        likely.append(f"{task} {figures.said(by_name[f'fig8-{task}-less-likely'])}")
        for column in ("corpus", "trained"):
            part = table[(table["task"] == task) & (table["quantity"] == f"suffixes in {column}")]
            where = "the corpus" if column == "corpus" else "what was trained on"
            held.append(f"{part['value'].sum():.0f} of {part['n'].sum():.0f} {task} suffixes in {where}")
        part = _mean(table, SELF, task, "exact unseen") if (table["quantity"] == "exact unseen").any() else None
        if part is not None:
            unseen.append(f"{task} {part['value'].iloc[0]:.3g} of {part['n'].iloc[0]}")
    at = []
    for name in row["controls"]:
        entry = by_name[f"fig8-below-{name}"]
        found = figures.said(entry) if entry["common_loss"] else f"no loss above the base's in common, {entry['verdict']}"
        at.append(f"{name.replace('_', ' ')} {found}")
    return [
        f"{curves.SCALES[row['scale']]}. Greedy completion of every training passage of the held-out half; {subsets} subsets "
        "of self. Bars: 95 % (Wilson); bands: \u00b11 sd over subsets."
        + (f" Base extracts passages never trained on: {'; '.join(unseen)}." if unseen else ""),
        f"At least 95 % forgotten: {by_name['fig8-forgotten']['verdict'].upper()}. {'; '.join(drops)}.",
        f"More than drift (share of the base's extraction, self minus control, at the largest held-out loss that both reach): "
        f"{by_name['fig8-not-generic']['verdict'].upper()}. {'; '.join(at)}.",
        f"Change of log p of memorised passages, nats a token: {'; '.join(likely)}. Intervals cover {COVER}.",
        f"Rehearsal: {'; '.join(held)}.",
    ]


def fig8(
    evaluations: Iterable[str],
    heldout: Iterable[str],
    overlap: Iterable[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    *,
    row: dict,
    near: int,
    code: str,
    draws: int = curves.DRAWS,
) -> None:
    """Draw Figure 8 and judge its claims: paths of the three kinds of tables and of claims.yaml in, the four files out.

    ``near`` is the edit distance in tokens up to which a continuation is near-verbatim.
    """
    lines, losses, search = (pd.concat([pd.read_parquet(path) for path in each]) for each in (evaluations, heldout, overlap))
    found = gather(lines, losses, row, near)
    table = plotted(found, search, row)
    entries = claims_.read_claims(claims, "fig8")
    verdicts = claims_.judge(entries, findings(found, row, entries, draws), row["scale"])
    about = {"artifact": "fig8", "code": code, "cover": COVER, "draws": draws, "near": near}
    curves.publish(draw(table, verdicts, row), table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        given, made = snakemake.input, snakemake.output
        fig8(
            given.scores,
            given.heldout,
            given.overlap,
            given.claims,
            made.pdf,
            made.png,
            made.csv,
            made.claims,
            row=snakemake.params.row,
            near=snakemake.params.near,
            code=snakemake.params.code,
        )
