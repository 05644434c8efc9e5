"""Fits scaling laws to any table of runs: python -m scripts.fits runs.csv. Makes fits.csv, fits.pdf and fits.png.

Reads a table (.csv, .tsv or .parquet) of one line a run, with columns for parameters, training tokens and loss, which are found
by their common names or given by options, and perhaps for arms, which are fitted one by one and compared, and for seeds. What
varies in it decides the law: budgets alone L(D), sizes alone L(N), both L(N, D). See scripts/lib/laws.py for how it is fitted.

fits.csv has every number printed or drawn, one a line: arm, quantity, parameters, tokens, estimate, low, high, observed, huber.
The quantities are

    E, A, alpha, B, beta    of the law, by variable projection and (huber) by the Huber loss of log losses
    apart                   per cent: the largest difference between losses of the runs as the two ways predict them
    run                     a run's loss (observed), and the law's (estimate)
    loss                    the law's along a curve
    held-out tokens         the loss of a run with the largest budget (observed), predicted from all others; likewise
    held-out parameters     for the largest size
    rmabe tokens            per cent: relative mean absolute error of these, and (observed) that of the arm's loss at its next
                            budget in their place; likewise rmabe parameters; the arm ``all`` has all of these runs
    speedup                 iso-loss, at the reference's tokens (of L(N): parameters); 0 where an arm never gets there
"""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scripts.lib import figures, laws
from scripts.lib.files import atomic
from scripts.lib.seeds import seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# as in column names, in lower case with all but letters and digits as _; a single letter counts where nothing longer is there
NAMES = {
    "parameters": "parameters params n_params num_params model_params n_parameters num_parameters model_size n",
    "tokens": "tokens n_tokens num_tokens train_tokens training_tokens tokens_seen dataset_tokens d",
    "loss": "loss val_loss valid_loss validation_loss eval_loss test_loss final_loss cross_entropy nll macro l",
    "arm": "arm",
    "seed": "seed",
}
ALL = "all"
FURTHER = 4  # times the largest size or budget: how far curves are drawn
POINTS = 60  # of a curve
SIZES = 6  # of L(N, D), for which a curve is drawn
LINES = {
    laws.fit_tokens: "L(D) = E + B / D^beta",
    laws.fit_parameters: "L(N) = E + A / N^alpha",
    laws.fit_joint: "L(N, D) = E + A / N^alpha + B / D^beta",
}


class BadTable(Exception):
    """A table that cannot be fitted; the message names file, line and column."""


# --- the table --------------------------------------------------------------------------------------------------------------


def recognised(columns: list[str], chosen: dict[str, str], path: str) -> dict[str, str]:
    """What each column is: {"parameters": "params", "tokens": "tokens", "loss": "val_loss"}, by name or as chosen.

    Raises:
        BadTable: where a chosen column is missing, several could be meant, or there is no loss or neither size nor budget.
    """
    plain = {column: re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") for column in columns}
    found = {}
    for role, names in NAMES.items():
        if role in chosen:
            if chosen[role] not in columns:
                raise BadTable(f"{path}: no column {chosen[role]!r} (--{role}); found {', '.join(columns)}")
            found[role] = chosen[role]
            continue
        known = [column for column in columns if plain[column] in names.split()]
        long = [column for column in known if len(plain[column]) > 1]
        if len(long or known) > 1:
            raise BadTable(f"{path}: columns {', '.join(long or known)} could all be {role}: choose one by --{role}")
        if known:
            found[role] = (long or known)[0]
    if "loss" not in found or not {"parameters", "tokens"} & set(found):
        missing = "loss" if "loss" not in found else "parameters or tokens"
        raise BadTable(f"{path}: no column for {missing} among {', '.join(columns)}: choose one by --{missing.split()[0]}")
    return found


def read_runs(path: str, chosen: dict[str, str], where: list[str]) -> pd.DataFrame:
    """The runs of a table: arm (``all`` where there are none), loss, and what it has of parameters, tokens and seed.

    ``where`` are conditions like ``world=default``, all of which must hold. The index is the line in the file, from 2 on after
    the header (of Parquet, the row from 0 on).

    Raises:
        BadTable: naming file, line and column of what is no number above 0, of runs that are there twice, and of columns or
            values that are not there.
    """
    kind = Path(path).suffix
    if kind not in {".csv", ".tsv", ".parquet"}:
        raise BadTable(f"{path}: expected a table .csv, .tsv or .parquet")
    try:
        if kind == ".parquet":
            table = pd.read_parquet(path).reset_index(drop=True).astype(str)
        else:
            table = pd.read_csv(path, sep="\t" if kind == ".tsv" else ",", dtype=str, keep_default_na=False)
            table.index += 2
    except (OSError, ValueError) as error:
        raise BadTable(f"{path}: {error}") from None
    for condition in where:
        column, _, wanted = condition.partition("=")
        if column not in table:
            raise BadTable(f"{path}: no column {column!r} (--where {condition}); found {', '.join(table)}")
        if not (table[column] == wanted).any():
            raise BadTable(f"{path}, column {column}: no {wanted!r} (--where {condition}); found {_some(table[column])}")
        table = table[table[column] == wanted]
    if table.empty:
        raise BadTable(f"{path}: no runs")
    columns = recognised(list(table), chosen, path)
    runs = pd.DataFrame({"arm": table[columns["arm"]] if "arm" in columns else ALL}, index=table.index)
    for role in ("parameters", "tokens", "loss"):
        if role in columns:
            numbers = pd.to_numeric(table[columns[role]], errors="coerce")
            wrong = ~(np.isfinite(numbers) & (numbers > 0))
            if wrong.any():
                line = wrong.idxmax()
                text = table.loc[line, columns[role]]
                raise BadTable(f"{path}, line {line}, column {columns[role]}: {text!r}: expected a number above 0")
            runs[role] = numbers.astype(float)
    if "seed" in columns:
        runs["seed"] = table[columns["seed"]]
        twice = runs.duplicated(runs.columns.drop("loss"), keep=False)
        if twice.any():
            first = runs.loc[twice.idxmax()].drop("loss")
            lines = runs.index[(runs.drop(columns="loss") == first).all(axis=1)][:2]
            said = ", ".join(f"{key} {value}" for key, value in first.items())
            raise BadTable(f"{path}, lines {lines[0]} and {lines[1]}: two runs of {said}: choose by --where COLUMN=VALUE")
    return runs


def _some(values: pd.Series) -> str:
    different = list(dict.fromkeys(values))
    return ", ".join(different[:8]) + (", ..." if len(different) > 8 else "")


def which_law(runs: pd.DataFrame, path: str) -> Callable:
    """The fit of scripts/lib/laws.py that suits what varies: ``fit_tokens``, ``fit_parameters`` or ``fit_joint``."""
    sizes, budgets = (runs[column].nunique() if column in runs else 1 for column in ("parameters", "tokens"))
    if sizes == budgets == 1:
        raise BadTable(f"{path}: one size and one budget: expected three or more different parameters or tokens")
    return laws.fit_joint if sizes > 1 and budgets > 1 else laws.fit_tokens if budgets > 1 else laws.fit_parameters


# --- fits -------------------------------------------------------------------------------------------------------------------


def fits(runs: pd.DataFrame, fit: Callable, reference: str | None, replicates: int) -> tuple[pd.DataFrame, list[str]]:
    """Every number of fits.csv, and what else is to be said: arms left out and why, what cannot be held out.

    Raises:
        ValueError: where no arm, or not the reference, can be fitted.
    """
    seed, said, arms = seed_of("fits"), [], []
    for arm in dict.fromkeys(runs["arm"]):
        try:
            laws.bootstrap(runs, [arm], fit, 1, seed)
            arms.append(arm)
        except ValueError as error:
            said.append(f"left out: {error}")
    if not arms or (reference is not None and reference not in arms):
        raise ValueError("; ".join([f"no law for {'any arm' if not arms else reference}", *said]))
    draws = laws.bootstrap(runs, arms, fit, replicates, seed)
    found = {arm: fit(*(_of(runs, arm)[each] for each in laws.COLUMNS[fit]), _of(runs, arm)["loss"]) for arm in arms}
    lines = []
    for arm in arms:
        said += [
            f"arm {arm}: {name} is {exponent:g}, an end of what is searched: its runs do not determine it"
            for name, exponent in (("alpha", found[arm].alpha), ("beta", found[arm].beta))
            if exponent and np.isclose(exponent, laws.EXPONENTS).any()
        ]
        lines += _law(arm, _of(runs, arm), fit, found[arm], draws[arm])
        for grid in _curves(runs, _of(runs, arm), fit):
            low, high = laws.interval(laws.predicted(draws[arm], grid))
            lines.append(grid.assign(arm=arm, quantity="loss", estimate=laws.predicted(found[arm], grid), low=low, high=high))
    for column in laws.COLUMNS[fit]:
        held, failed = _held_out(runs, arms, fit, column, replicates, seed)
        lines += held
        said += failed
    if reference is not None:
        lines += _speedups(runs, arms, fit, reference, found, draws)
    columns = ["arm", "quantity", "parameters", "tokens", "estimate", "low", "high", "observed", "huber"]
    return pd.concat(lines, ignore_index=True).reindex(columns=columns), said


def _of(runs: pd.DataFrame, arm: str) -> pd.DataFrame:
    return runs[runs["arm"] == arm]


def _law(arm: str, mine: pd.DataFrame, fit: Callable, law: laws.Law, draws: laws.Law) -> list[pd.DataFrame]:
    """What is said of one arm's law: its numbers, how far the Huber fit is from it, and its runs."""
    given = {name: mine[column] for name, column in (("N", "parameters"), ("D", "tokens")) if column in laws.COLUMNS[fit]}
    huber = laws.fit_huber(fit, mine["loss"], **given)
    numbers = []
    for name, estimate, drawn, other in zip(law._fields, law, draws, huber, strict=True):
        if estimate or other or np.any(drawn):
            low, high = laws.interval(drawn)
            numbers.append({"quantity": name, "estimate": estimate, "low": low, "high": high, "huber": other})
    apart = 100 * np.abs(laws.predicted(huber, mine) / laws.predicted(law, mine) - 1).max()
    table = pd.DataFrame([*numbers, {"quantity": "apart", "estimate": apart}]).assign(arm=arm)
    points = mine.assign(quantity="run", estimate=laws.predicted(law, mine), observed=mine["loss"])
    return [table, points]


def _curves(runs: pd.DataFrame, mine: pd.DataFrame, fit: Callable) -> list[pd.DataFrame]:
    """Where curves are drawn, over tokens or else parameters: one, or of L(N, D) one for each of at most SIZES sizes."""
    along = laws.COLUMNS[fit][-1]
    grid = np.geomspace(runs[along].min(), FURTHER * runs[along].max(), POINTS)
    if fit is not laws.fit_joint:
        fixed = {column: mine[column].iloc[0] for column in ("parameters", "tokens") if column in mine and column != along}
        return [pd.DataFrame({**fixed, along: grid})]
    sizes = np.unique(mine["parameters"])
    sizes = sizes[np.unique(np.linspace(0, len(sizes) - 1, SIZES).round().astype(int))]
    return [pd.DataFrame({"parameters": size, "tokens": grid}) for size in sizes]


def _held_out(
    runs: pd.DataFrame, arms: list[str], fit: Callable, column: str, replicates: int, seed: int
) -> tuple[list[pd.DataFrame], list[str]]:
    """Held-out runs and their errors, by arm and all together; and which arms have too few runs without the largest ones."""
    parts, said = [], []
    for arm in arms:
        try:
            parts.append(laws.hold_out(runs, [arm], fit, column, replicates, seed))
        except ValueError as error:
            said.append(f"largest {column} cannot be held out: {error}")
    if not any(map(len, parts)):
        return [], said
    held = pd.concat([part for part in parts if len(part)])
    points = held.assign(quantity=f"held-out {column}", estimate=held["predicted"], observed=held["loss"])
    groups = [(arm, _of(held, arm)) for arm in dict.fromkeys(held["arm"])]
    errors = []
    for arm, some in groups + [(ALL, held)] * (len(groups) > 1):
        known = some.dropna(subset="last")
        last = laws.rmabe(known["last"], known["loss"]) if len(known) else np.nan
        errors.append({"arm": arm, "estimate": laws.rmabe(some["predicted"], some["loss"]), "observed": last})
    return [points, pd.DataFrame(errors).assign(quantity=f"rmabe {column}", **{column: held[column].iloc[0]})], said


def _speedups(
    runs: pd.DataFrame, arms: list[str], fit: Callable, reference: str, found: dict[str, laws.Law], draws: dict[str, laws.Law]
) -> list[pd.DataFrame]:
    """Iso-loss speed-ups over the reference along its tokens, of L(N, D) at the largest size; of L(N) along its parameters."""
    along, largest, turn = laws.COLUMNS[fit][-1], None, laws.exchanged if fit is laws.fit_parameters else lambda law: law
    if fit is laws.fit_joint:
        largest = float(runs["parameters"].max())
    mine = _of(runs, reference)[along]
    grid = np.unique(np.append(np.geomspace(mine.min(), FURTHER * mine.max(), POINTS), mine.max()))
    lines = []
    for arm in arms:
        if arm != reference:
            estimate = laws.speedup(turn(found[arm]), turn(found[reference]), grid, largest)
            low, high = laws.interval(laws.speedup(turn(draws[arm]), turn(draws[reference]), grid, largest))
            lines.append(
                pd.DataFrame({"arm": arm, "quantity": "speedup", along: grid, "estimate": estimate, "low": low, "high": high})
            )
            if largest is not None:
                lines[-1]["parameters"] = largest
    return lines


# --- what is printed --------------------------------------------------------------------------------------------------------


def short(number: float) -> str:
    """A count in short: 1.5B for 1.5e9, 100K for 1e5, 0.3 for 0.3."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def printed(table: pd.DataFrame, fit: Callable) -> list[str]:
    """The table that is printed, a line an arm: losses and ratios, by which arms are compared, then the numbers of the law."""
    along = laws.COLUMNS[fit][-1]
    head, lines = ["arm", "runs"], []
    for arm in dict.fromkeys(table["arm"][table["quantity"] == "run"]):
        mine = table[table["arm"] == arm].set_index("quantity")
        curve = mine.loc[["loss"]]
        if fit is laws.fit_joint:
            curve = curve[curve["parameters"] == curve["parameters"].max()]
        cells = {"arm": arm, "runs": str(int((mine.index == "run").sum()))}
        top = table[table["quantity"] == "loss"][along].max()
        end = curve[curve[along] == top].iloc[0]
        cells[f"loss at {short(top)}"] = _bounded(end)
        if "speedup" in set(table["quantity"]):
            at = table.loc[table["quantity"] == "speedup", along].max() / FURTHER
            ratio = mine.loc[["speedup"]] if "speedup" in mine.index else None
            near = None if ratio is None else ratio.iloc[(np.log(ratio[along] / at)).abs().argmin()]
            cells[f"speed-up at {short(at)}"] = "1" if near is None else _bounded(near)
        for column in laws.COLUMNS[fit]:
            if f"rmabe {column}" in mine.index:
                error = mine.loc[f"rmabe {column}"]
                last = "" if np.isnan(error["observed"]) else f" (last value {error['observed']:.2f})"
                cells[f"missed at {short(error[column])}, %"] = f"{error['estimate']:.2f}{last}"
        for name in ("E", "alpha", "beta"):  # A and B depend on units and on each other number
            if name in mine.index:
                cells[name] = _bounded(mine.loc[name])
        cells["Huber apart, %"] = f"{mine.loc['apart', 'estimate']:.2f}"
        head += [key for key in cells if key not in head]
        lines.append(cells)
    rows = [head, *([line.get(key, "") for key in head] for line in lines)]
    width = [max(len(row[k]) for row in rows) for k in range(len(head))]
    out = ["  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip() for row in rows]
    for column in laws.COLUMNS[fit]:
        for _, error in table[(table["quantity"] == f"rmabe {column}") & (table["arm"] == ALL)].iterrows():
            out.append(f"RMABE at {short(error[column])} {column}, all arms: {error['estimate']:.2f} %")
    return out


def _bounded(line: pd.Series) -> str:
    return f"{line['estimate']:.4g} [{line['low']:.4g}, {line['high']:.4g}]"


# --- the picture ------------------------------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, fit: Callable, reference: str | None, lines: list[str]) -> "Figure":
    """Runs, curves and their intervals; held-out runs, and by how much they were missed; speed-ups. ``lines`` go below."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    arms = list(dict.fromkeys(table["arm"][table["quantity"] == "run"]))
    panels = [[arm] for arm in arms] if fit is laws.fit_joint else [arms]
    held = [column for column in laws.COLUMNS[fit] if (table["quantity"] == f"held-out {column}").any()]
    more = [*held, *(["speedup"] if (table["quantity"] == "speedup").any() else [])]
    columns = min(3, len(panels) + len(more))
    rows = -(-(len(panels) + len(more)) // columns)
    with pyplot.rc_context(figures.STYLE):
        figure, axes = pyplot.subplots(rows, columns, figsize=(figures.WIDTH, 2.5 * rows + 0.6), squeeze=False)
        axes = axes.ravel()
        for axis in axes[len(panels) + len(more) :]:
            axis.set_axis_off()
        for axis, some in zip(axes, panels, strict=False):
            _losses(axis, table, some, arms, fit)
        for axis, what in zip(axes[len(panels) :], more, strict=False):
            if what == "speedup":
                _ratios(axis, table, arms, fit, reference)
            else:
                _misses(axis, table, arms, what)
        figure.subplots_adjust(0.075, 0.7 / figure.get_figheight(), 0.985, 1 - 0.35 / figure.get_figheight(), 0.38, 0.45)
        figures.footer(figure, lines)
    return figure


def _look(arms: list[str], arm: str) -> dict:
    """Colour, dash and mark of an arm: four colours, then the same with other dashes and marks."""
    turn, colour = divmod(arms.index(arm), len(figures.COLOURS))
    dash, mark = (("-", "o"), ("--", "s"), (":", "^"))[turn % 3]
    return {"color": list(figures.COLOURS.values())[colour], "linestyle": dash, "marker": mark}


def _losses(axis: "Axes", table: pd.DataFrame, some: list[str], arms: list[str], fit: Callable) -> None:
    from matplotlib import colormaps

    along = laws.COLUMNS[fit][-1]
    for arm in some:
        mine = table[table["arm"] == arm]
        curves = mine[mine["quantity"] == "loss"]
        groups = list(curves.groupby("parameters")) if fit is laws.fit_joint else [(None, curves)]
        points = mine[mine["quantity"] == "run"]
        held = mine[mine["quantity"].isin([f"held-out {column}" for column in laws.COLUMNS[fit]])]
        for k, (size, curve) in enumerate(groups):
            look = _look(arms, arm)
            if size is not None:
                look = {"color": colormaps["viridis"](0.9 * k / max(1, len(groups) - 1)), "linestyle": "-", "marker": "o"}
            axis.fill_between(curve[along], curve["low"], curve["high"], color=look["color"], alpha=0.15, linewidth=0)
            label = arm if size is None else short(size)
            axis.plot(curve[along], curve["estimate"], label=label, markersize=0, **{**look, "marker": "None"})
            at = points if size is None else points[points["parameters"] == size]
            axis.plot(at[along], at["observed"], **{**look, "linestyle": "None"})
            out = held if size is None else held[held["parameters"] == size]
            axis.plot(out[along], out["observed"], "D", color=look["color"], markerfacecolor="white", markersize=5, zorder=3)
    shown = table[table["arm"].isin(some) & table["quantity"].isin(["run", "loss"])]
    top = table.loc[table["arm"].isin(some) & (table["quantity"] == "run"), "observed"].max()
    low = shown[["low", "observed"]].min().min()
    axis.set_ylim(low - 0.05 * (top - low), top + 0.1 * (top - low))
    axis.set_xscale("log")
    axis.set_xlabel(along, labelpad=1)
    axis.set_ylabel("loss, nats a token", labelpad=1)
    axis.set_title(some[0] if fit is laws.fit_joint else "runs and laws", fontweight="bold")
    title = "parameters" if fit is laws.fit_joint else None
    axis.legend(loc="upper right", frameon=False, labelspacing=0.2, handlelength=1.6, fontsize=6, title=title, title_fontsize=6)


def _misses(axis: "Axes", table: pd.DataFrame, arms: list[str], column: str) -> None:
    """By how many per cent held-out runs were predicted too high, with the law's interval."""
    held = table[table["quantity"] == f"held-out {column}"]
    shown = [arm for arm in arms if (held["arm"] == arm).any()]
    for place, arm in enumerate(shown):
        mine = held[held["arm"] == arm]
        at = place + np.linspace(-0.25, 0.25, len(mine) + 2)[1:-1]
        estimate, low, high = (100 * (mine[each] / mine["observed"] - 1) for each in ("estimate", "low", "high"))
        colour = _look(arms, arm)["color"]
        axis.hlines(at, low, high, color=colour, linewidth=1)
        axis.plot(estimate, at, "D", color=colour, markerfacecolor="white")
    axis.axvline(0, color=figures.GREY, linewidth=0.6, zorder=0)
    axis.set_yticks(range(len(shown)), shown)
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.set_xlabel("predicted less observed, %", labelpad=1)
    errors = table[table["quantity"] == f"rmabe {column}"].iloc[-1]
    axis.set_title(f"held out: {short(errors[column])} {column}", fontweight="bold", pad=11)
    last = "" if np.isnan(errors["observed"]) else f"; last value {errors['observed']:.2f} %"
    figures.under_title(axis, f"RMABE {errors['estimate']:.2f} %, {len(held)} run{'s' * (len(held) > 1)}{last}")


def _ratios(axis: "Axes", table: pd.DataFrame, arms: list[str], fit: Callable, reference: str | None) -> None:
    along = laws.COLUMNS[fit][-1]
    ratios = table[table["quantity"] == "speedup"]
    for arm, mine in ratios.groupby("arm", sort=False):
        look = _look(arms, arm)
        axis.fill_between(mine[along], mine["low"], mine["high"], color=look["color"], alpha=0.15, linewidth=0)
        axis.plot(mine[along], mine["estimate"], label=arm, **{**look, "marker": "None"})
    axis.axhline(1, color=figures.GREY, linewidth=0.6, zorder=0)
    axis.set_xscale("log")
    axis.set_yscale("log")
    positive = ratios["estimate"][ratios["estimate"] > 0]
    axis.set_ylim(max(0.05, 0.7 * min(positive.min(), 1)), min(1000, 1.4 * max(positive.max(), 1)))
    axis.set_xlabel(f"{along} of {reference}", labelpad=1)
    axis.set_ylabel(f"iso-loss ratio of {along}", labelpad=1)
    axis.set_title(f"speed-up over {reference}", fontweight="bold")
    if fit is laws.fit_joint:  # else the first panel tells arms apart
        axis.legend(loc=f"{'upper' if positive.max() > 1 else 'lower'} left", frameon=False, handlelength=1.6, fontsize=6)


# --- the command ------------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> None:
    """Read a table of runs, fit, print, and write the three files."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fits", description="Fits scaling laws to a table of runs.")
    parser.add_argument("runs", help="a table .csv, .tsv or .parquet, one line a run")
    for role in NAMES:
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"the column with {role}, if its name is not a common one")
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=VALUE", help="only these runs; may be repeated")
    parser.add_argument("--reference", metavar="ARM", help="the arm over which others speed up")
    parser.add_argument("--replicates", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--out", default="fits", metavar="PATH", help="of the files, without ending")
    options = parser.parse_args(arguments)
    chosen = {role: given for role in NAMES if (given := getattr(options, role))}
    try:
        runs = read_runs(options.runs, chosen, options.where)
        fit = which_law(runs, options.runs)
        if options.reference is not None and options.reference not in set(runs["arm"]):
            raise BadTable(f"{options.runs}: no arm {options.reference!r} (--reference); found {_some(runs['arm'])}")
        table, said = fits(runs, fit, options.reference, options.replicates)
    except (BadTable, ValueError) as error:
        sys.exit(str(error) if isinstance(error, BadTable) else f"{options.runs}: {error}")
    names = {"arm": "arms", "parameters": "sizes", "tokens": "budgets", "seed": "seeds"}
    counts = ", ".join(f"{name} {runs[column].nunique()}" for column, name in names.items() if column in runs)
    about = [
        f"{Path(options.runs).name}: {len(runs)} runs; {counts}. {LINES[fit]}.",
        f"Intervals: 95 % of {options.replicates:,} bootstraps of the law, without the noise of one run. Diamonds: held out.",
    ]
    print("\n".join([*about, *printed(table, fit), *said]))
    with atomic(f"{options.out}.csv") as beside:
        table.to_csv(beside, index=False, float_format="%.8g")
    figures.save(draw(table, fit, options.reference, about), f"{options.out}.pdf", f"{options.out}.png")


if __name__ == "__main__":
    main()
