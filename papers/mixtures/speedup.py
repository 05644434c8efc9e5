"""How many times fewer tokens, and FLOPs, an arm takes to natural text's loss (arXiv 2510.01631, abstract: "5-10x").

Reads published.yaml (Table 4's laws), results/{scale}/mixtures/runs.csv and claims.yaml. Makes speedup.pdf and speedup.png
(iso-loss speed-up by the budget of natural text, in tokens and in FLOPs with those of generation; printed laws and our own),
speedup.csv (every plotted number) and speedup.claims.json.

The paper says no more of its computation than "to reach the same validation loss". Here S(D) = D / D', with D' the tokens after
which the arm has the loss that natural text has after D. Training takes 6 N FLOPs a token, and writing and reading a token
takes 2 FLOPs a parameter of the generator: with a share r of synthetic text and p tokens read for each one that is written, a
token of training costs 6 N + 2 G r (1 + p) instead of 6 N, and less of it where k models are trained on the same corpus: G / k.
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.mixtures import arms as arms_
from papers.mixtures import scaling
from papers.mixtures.arms import BILLION, LEVEL, Fitted, Printed, exact, nothing
from scripts.lib import claims as claims_
from scripts.lib import figures, laws

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARMS = ["hq-33", "hq-67", "hq-100", "qa-33", "qa-67", "qa-100", "txbk-33", "txbk-67"]  # pure textbooks never get there
PLAIN = "hq-33"  # whose cost is drawn
UNTIL = 1000  # billion tokens of natural text: beyond, the speed-ups of printed laws grow without bound
REUSED = 10  # models trained on one corpus
SHARES = {"33": 1 / 3, "67": 2 / 3, "100": 1.0}
LEAST = 0.2  # of the speed-ups in tokens that are drawn
SERIES = {"tokens": "-", f"FLOPs, corpus used {REUSED} times": (0, (5, 1.5)), "FLOPs, corpus used once": (0, (1.2, 1.2))}


def share(arm: str) -> float:
    """The share of synthetic text that an arm's name says: 33 is a third."""
    return SHARES[arm.partition("-")[2]]


def costlier(arm: str, parameters: float, generation: dict, models: int = 1) -> float:
    """How many times the FLOPs of training a token takes with its generation, for a corpus that ``models`` share.

    6 N and 2 G r (1 + p): for a 1B model, a third of text by 7B parameters and as many tokens read as written, 2.56.
    """
    writing = 2 * generation["parameters"] * share(arm) * (1 + generation["prompt"])
    return 1 + writing / models / (6 * parameters)


def reached(law: laws.Law, natural: laws.Law, speed: float) -> float:
    """Billion tokens of natural text from which on an arm is so many times faster; infinite where it never is to 8T."""
    D = np.geomspace(1, 8000, 4001)
    return float(scaling.crossing(speed - laws.speedup(law, natural, D), D))


def published(printed: Printed, generation: dict) -> dict[str, dict]:
    """What Table 4 says of the abstract's sentences, at the budgets that were fitted."""
    known = printed.known["ranges"]["tokens"]
    D = scaling.grid(printed, "tokens", "fitted")
    speed = {arm: laws.speedup(printed.tokens[arm], printed.tokens["cc"], D) for arm in ("hq-33", "qa-33", "hq-100", "qa-100")}
    marks = {f"at_{n}": reached(printed.tokens["hq-33"], printed.tokens["cc"], n) for n in printed.known["speedup"].values()}
    cost = costlier("hq-33", known["model"] * BILLION, generation)
    return {
        "speedup-published-hq-33": {**exact(speed["hq-33"][-1]), **marks},
        "speedup-published-qa-33": exact(speed["qa-33"][-1]),
        "speedup-published-flops": {**exact(speed["hq-33"][-1] / cost), "costlier": cost},
        "speedup-published-hq": exact(np.log10(speed["hq-100"].max())),
        "speedup-published-qa": exact(np.log10(speed["qa-100"].max())),
    }


def reproduced(found: Fitted, claims: dict[str, dict]) -> dict[str, dict]:
    """What our laws say at the largest budget, and of how speed-ups grow up to it from the middle of our budgets."""
    least, most = found.ends("tokens")
    middle = np.sqrt(least * most)

    def log_speed(arm: str, at: float) -> tuple:
        with np.errstate(divide="ignore"):
            return tuple(np.log10(laws.speedup(of[arm], of["cc"], at)) for of in (found.laws, found.draws))

    def grown(arm: str) -> tuple:
        with np.errstate(invalid="ignore"):
            end, start = log_speed(arm, most), log_speed(arm, middle)
            return tuple(
                np.nan_to_num(late - early, nan=0.0) for late, early in zip(end, start, strict=True)
            )  # never there: 0 - 0

    asked = {
        "speedup-hq-33": lambda: log_speed("hq-33", most),
        "speedup-qa-33": lambda: log_speed("qa-33", most),
        "speedup-grows": lambda: grown("hq-33"),
        "speedup-hq": lambda: log_speed("hq-100", most),
        "speedup-qa": lambda: log_speed("qa-100", most),
        "speedup-range": lambda: tuple(10.0**each for each in log_speed("hq-33", most)),
    }
    arms = {"speedup-qa-33": "qa-33", "speedup-hq": "hq-100", "speedup-qa": "qa-100"}
    out = {}
    for name, ask in asked.items():
        arm = arms.get(name, "hq-33")
        enough = found.has(arm, "cc")
        out[name] = arms_.bounds(*ask(), claims[name]["level"]) if enough else nothing(f"no law of {arm} or cc: too few runs")
    return out


# --- the figure -------------------------------------------------------------------------------------------------------------


def plotted(printed: Printed, found: Fitted, row: dict) -> pd.DataFrame:
    """Every plotted number: layer, panel (tokens, cost), series, arm, x (tokens of natural text), y (times), low, high, n."""
    known, parts = printed.known["ranges"]["tokens"], []
    x = np.geomspace(known["least"], UNTIL, 181)
    natural = printed.tokens["cc"]
    for arm in ARMS:
        speed = laws.speedup(printed.tokens[arm], natural, x)
        base = {"layer": "published", "arm": arm, "x": x * BILLION}
        parts.append(pd.DataFrame({**base, "panel": "tokens", "series": "tokens", "y": speed}))
        if arm == PLAIN:
            generation = {"parameters": printed.known["generator"]["parameters"], "prompt": 1.0}
            parts.append(_cost(pd.DataFrame({**base, "y": speed}), arm, known["model"] * BILLION, generation))
    for n in printed.known["speedup"].values():
        mark = {"layer": "published", "panel": "tokens", "series": "mark", "arm": PLAIN, "y": n}
        parts.append(pd.DataFrame([{**mark, "x": reached(printed.tokens[PLAIN], natural, n) * BILLION}]))
    for arm in [arm for arm in ARMS if found.has(arm, "cc")]:
        runs = found.runs[found.runs["arm"] == arm]
        x = np.geomspace(runs["tokens"].min(), runs["tokens"].max(), 61) / BILLION
        speed, draws = (laws.speedup(of[arm], of["cc"], x) for of in (found.laws, found.draws))
        low, high = laws.interval(draws, 1 - 2 * LEVEL)
        base = {"layer": "reproduced", "arm": arm, "x": x * BILLION, "y": speed, "low": low, "high": high, "n": len(runs)}
        parts.append(pd.DataFrame({**base, "panel": "tokens", "series": "tokens"}))
        if arm == PLAIN and row["generation"]:
            parts.append(_cost(pd.DataFrame(base), arm, float(runs["parameters"].iloc[0]), row["generation"]))
    return pd.concat(parts, ignore_index=True)


def _cost(speed: pd.DataFrame, arm: str, parameters: float, generation: dict) -> pd.DataFrame:
    """The speed-up in tokens, and in FLOPs with the corpus used once and by several models."""
    times = zip(
        SERIES, (1.0, costlier(arm, parameters, generation, REUSED), costlier(arm, parameters, generation)), strict=True
    )
    numbers = [column for column in ("y", "low", "high") if column in speed]
    return pd.concat([speed.assign(**speed[numbers] / by, panel="cost", series=name) for name, by in times])


def draw(table: pd.DataFrame, found: Fitted, printed: Printed, row: dict, lines: list[str]) -> "Figure":
    """Speed-ups in tokens above, one arm's in FLOPs below; published left, reproduced right; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in lines for line in textwrap.wrap(part, 131)]
    panels, gap = (2.05, 1.5), 0.66
    height = 0.42 + sum(panels) + gap + 0.42 + 0.137 * len(lines)
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        for layer, left in scaling.COLUMNS.items():
            for i, (panel, tall) in enumerate(zip(("tokens", "cost"), panels, strict=True)):
                bottom = height - 0.42 - tall - i * (panels[0] + gap)
                box = (left / figures.WIDTH, bottom / height, scaling.ACROSS / figures.WIDTH, tall / height)
                axes = figure.add_axes(box)
                if not i:
                    axes.set_title(layer, fontweight="bold", pad=11)
                    under = f"model {row['size']}; {arms_.counted(found.runs)}"
                    figures.under_title(axes, "Table 4's laws, 1B model" if layer == "published" else under)
                mine = table[(table["layer"] == layer) & (table["panel"] == panel)]
                if mine.empty:
                    why = (
                        "texts are written by rules here:\nno FLOPs of a generator"
                        if i and not row["generation"]
                        else "too few runs for a law"
                    )
                    arms_.empty(axes, why)
                    continue
                (_cost_panel if i else _tokens_panel)(axes, mine, layer, printed, sorted(set(found.runs["tokens"])))
                if i:
                    axes.set_title(f"{arms_.label(PLAIN)}, with what generation takes", fontsize=7.5)
                axes.set_xlabel(f"tokens of CC{', billions' if layer == 'published' else ''}", labelpad=1)
                if layer == "published":
                    axes.set_ylabel("times fewer FLOPs" if i else "times fewer tokens", labelpad=2)
        figures.footer(figure, lines)
    return figure


def _axes(axes: "Axes", table: pd.DataFrame, layer: str, printed: Printed, budgets: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    asked = printed.known["speedup"]
    axes.axhspan(asked["least"], asked["most"], color="#dfe8f0", linewidth=0, zorder=-4)
    axes.axhline(1, color=figures.COLOURS["black"], linewidth=0.6, zorder=0)
    axes.set_xlim(table["x"].min(), table["x"].max())
    shown = table[table["y"] > 0]["y"]  # 0 where an arm never gets there; perhaps nowhere
    low, high = min([0.7, 0.85 * shown.min()]), max([1.5, 1.15 * shown.max()])
    axes.set_ylim(low, high)
    ticks = [each * 10.0**decade for decade in range(-4, 3) for each in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    ticks = [tick for tick in ticks if len(ticks) < 9 or np.log10(tick).is_integer()]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    if layer == "published":
        x = [1, 10, 100, 1000]
        axes.set_xticks([tick * BILLION for tick in x], [f"{tick:g}" for tick in x])
    else:
        axes.set_xticks(budgets, [arms_.short(tick) for tick in budgets])
    axes.minorticks_off()


def _tokens_panel(axes: "Axes", table: pd.DataFrame, layer: str, printed: Printed, budgets: list[int]) -> None:
    _axes(axes, table[table["series"] == "tokens"], layer, printed, budgets)
    if layer == "published":
        arms_.measured(axes, table["x"].min(), printed.known["ranges"]["tokens"]["held_out"] * BILLION)
    asked = printed.known["speedup"]
    place = np.sqrt(asked["least"] * asked["most"])
    if axes.get_ylim()[1] > place:
        axes.annotate(
            "printed: 5-10x", (0.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=7, color=figures.INK
        )
    axes.set_ylim(max(LEAST, axes.get_ylim()[0]), None)
    curves = table[table["series"] == "tokens"]
    for arm, mine in curves.groupby("arm", sort=False):
        look = arms_.look(arm)
        axes.plot(mine["x"], mine["y"], **{key: look[key] for key in ("color", "linestyle", "linewidth")})
        if layer == "reproduced":
            low, high = (np.clip(mine[end], *axes.get_ylim()) for end in ("low", "high"))
            axes.fill_between(mine["x"], low, high, color=look["color"], alpha=0.12, linewidth=0)
    for one in table[table["series"] == "mark"].itertuples():
        axes.plot(one.x, one.y, "o", color=arms_.look(one.arm)["color"], markerfacecolor="white", markersize=4.5, zorder=6)
        axes.annotate(
            arms_.short(one.x), (one.x, one.y), (-4, 2), textcoords="offset points", ha="right", va="bottom", fontsize=7
        )
    ends = curves.groupby("arm", sort=False).tail(1)
    arms_.direct_labels(axes, dict(zip(ends["arm"], ends["y"], strict=True)), table["x"].max())


def _cost_panel(axes: "Axes", table: pd.DataFrame, layer: str, printed: Printed, budgets: list[int]) -> None:
    _axes(axes, table, layer, printed, budgets)
    for series, mine in table.groupby("series", sort=False):
        axes.plot(mine["x"], mine["y"], color=arms_.look(PLAIN)["color"], linestyle=SERIES[series], label=series)
        if layer == "reproduced":
            low, high = (np.clip(mine[end], *axes.get_ylim()) for end in ("low", "high"))
            axes.fill_between(mine["x"], low, high, color=arms_.look(PLAIN)["color"], alpha=0.12, linewidth=0)
    if layer == "published":  # for both
        axes.legend(loc="upper left", frameon=False, fontsize=6.5, handlelength=2.4)


def footer(judged: list[dict], printed: Printed, row: dict) -> list[str]:
    """The lines under the panels: what is drawn, verdicts of both layers, what intervals cover."""
    by = {entry["claim"]: entry for entry in judged}
    one, flops = by["speedup-published-hq-33"], by["speedup-published-flops"]
    generator = printed.known["generator"]
    writing = row["generation"] or {}
    none = float(laws.inverse_tokens(printed.tokens["cc"], printed.tokens["txbk-100"].E))
    cost = f"{arms_.short(writing['parameters'])} parameters write" if writing else "no FLOPs are counted, since rules write"
    return [
        "A speed-up S(D) is D over the tokens after which the arm has the loss that CC has after D. Left: Table 4's printed "
        "laws, exact; grey: budgets that were trained. S is no constant and grows without bound, as the arms' floors are "
        f"lower than CC's. Pure TXBK never gets there from {none:.0f}B tokens of CC on.",
        f"33% HQ is 5 times faster from {one['at_5']:.0f}B tokens of CC on and 10 times from {one['at_10']:.0f}B; at 100B "
        f"{one['estimate']:.2f} times (5 to 10: {one['verdict']}), 33% QA {by['speedup-published-qa-33']['estimate']:.2f} "
        f"({by['speedup-published-qa-33']['verdict']}). In FLOPs, with a third of the corpus written once for this model by "
        f"{generator['model']} (as many tokens read as written, {flops['costlier']:.2f} times the FLOPs of a token): "
        f"{flops['estimate']:.2f} times, {flops['verdict']}. Pure HQ never faster to 100B, "
        f"{by['speedup-published-hq']['verdict']}; pure QA, {by['speedup-published-qa']['verdict']}.",
        f"Right: {figures.SCALES[row['scale']]}; 95 % bands; {cost}. Log10 of the speed-up at the largest budget, 33% HQ "
        f"{arms_.said(by['speedup-hq-33'], 2)}; 33% QA {arms_.said(by['speedup-qa-33'], 2)}; pure HQ no faster "
        f"{arms_.said(by['speedup-hq'], 2)}; pure QA {arms_.said(by['speedup-qa'], 2)}.",
        f"Intervals cover {arms_.COVER}.",
    ]


def speedup(
    runs: str, published_: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str
) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms, world, generator, size (name of the fixed model size), replicates, and generation: null, or parameters of
    what writes and prompt, the tokens that it reads for each that it writes.
    """
    printed, entries = arms_.read_published(published_), claims_.read_claims(claims, "speedup")
    mine = arms_.read_runs(runs, row)
    found = arms_.fitted(mine, row, laws.fit_tokens, "fig1")
    generation = {"parameters": printed.known["generator"]["parameters"], "prompt": 1.0}
    findings = {**published(printed, generation), **reproduced(found, entries)}
    verdicts = claims_.judge(entries, arms_.with_levels(findings, entries), row["scale"])
    table = plotted(printed, found, row)
    about = {"artifact": "speedup", "code": code, "cover": arms_.COVER, "n": arms_.counted(mine)}
    figure = draw(table, found, printed, row, footer(verdicts, printed, row))
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        speedup(
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
