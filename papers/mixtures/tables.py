"""Tables 1 to 5 of arXiv 2510.01631: what is printed beside what is computed, set or fitted here.

Reads published.yaml and results/{scale}/mixtures/runs.csv, and how the sweep of the main grid trains. Makes

    table1.csv  shapes and sizes: the paper's labels beside parameters counted from its shapes; the active scale's models
    table2.csv  training: printed settings, what follows from them, and what is set here
    table3.csv  evaluation: printed settings, and what is set here
    table4.csv  laws of tokens by arm: printed coefficients and their losses; coefficients refitted to our runs, with intervals
    table5.csv  laws of parameters by arm: the same

The claims that rest on them stand in the figures that show them (fig1, fig2).
"""

from collections.abc import Callable

import pandas as pd

from papers.mixtures import arms as arms_
from papers.mixtures import scaling, sizes
from papers.mixtures.arms import BILLION, LEVEL, Fitted, Printed
from scripts.lib import laws
from scripts.lib.files import atomic

PEAK = 312e12  # FLOPs a second of one A100, bfloat16, dense
FIXED = {  # what every model here is trained with (scripts/training/loop.py)
    "optimizer": "AdamW",
    "beta_1": 0.9,
    "beta_2": 0.95,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "least_learning_rate_ratio": 0.0,
    "gradient_clipping": 1.0,
    "epochs": 1,
}
COEFFICIENTS = {"tokens": ("E", "B", "beta"), "parameters": ("E", "A", "alpha")}
LOSSES = {"tokens": [1, 5, 20, 100, 200, 1000, 8000], "parameters": [0.1, 0.5, 1, 3, 8, 70, 200]}  # billions


def table1(printed: Printed, runs: pd.DataFrame, sweep: dict) -> pd.DataFrame:
    """A line a model: layer, label, shape, parameters counted, and these over the number that the label says.

    ``runs`` are those of any arm and budget. Ours are labelled by their non-embedding parameters.
    """
    known, lines = printed.known["sizes"], []
    for label, shape in known["models"].items():
        count, said = sizes.counted(shape, known["vocabulary"]), sizes.number(label)
        head = {"head_dimension": shape["dimension"] // shape["heads"], "feedforward": sizes.feedforward(shape["dimension"])}
        over = {"parameters_over_label": count["parameters"] / said, "non_embedding_over_label": count["non_embedding"] / said}
        lines.append({"layer": "published", "label": label, **shape, **head, **count, **over})
    ours = runs.drop_duplicates("size").sort_values("parameters")
    for one in ours.itertuples():
        shape = sweep.get("sizes", {}).get(one.size, {})
        line = {"dimension": shape.get("hidden"), "layers": shape.get("layers"), "heads": shape.get("heads")}
        line |= {"feedforward": shape.get("feedforward"), "non_embedding": one.non_embedding, "parameters": one.parameters}
        if shape:
            line["head_dimension"] = shape["hidden"] // shape["heads"]
        line["embedding"] = one.parameters - one.non_embedding
        lines.append({"layer": "reproduced", "label": one.size, **line})
    return pd.DataFrame(lines)


def table2(printed: Printed, sweep: dict) -> pd.DataFrame:
    """A line a setting of training: setting, printed, computed (what follows from other printed numbers), here."""
    known = printed.known["training"]
    batch = known["devices"] * known["batch_per_device"] * known["accumulation"] * known["context"]
    model = sizes.counted(printed.known["sizes"]["models"]["1B"], printed.known["sizes"]["vocabulary"])["parameters"]
    rate = 6 * model * known["tokens_a_day"] / 86400 / (known["devices"] * PEAK)
    here = {**FIXED, "peak_learning_rate": sweep["learning_rate"], "warmup": sweep["warmup"], "context": sweep["block"]}
    here["batch_tokens"] = sweep["batch"] * sweep["block"]
    lines = [
        {"setting": key, "printed": value, "computed": {"batch_tokens": batch}.get(key), "here": here.get(key)}
        for key, value in known.items()
    ]
    lines.append({"setting": "share_of_peak_flops", "computed": round(rate, 3)})  # of eight A100s, at the printed tokens a day
    return pd.DataFrame(lines, columns=["setting", "printed", "computed", "here"])


def table3(printed: Printed, sweep: dict) -> pd.DataFrame:
    """A line a setting of evaluation: setting, printed, here."""
    here = {"most_tokens": sweep["block"], "domains": len(sweep["heldout"])}
    known = printed.known["evaluation"]
    return pd.DataFrame([{"setting": key, "printed": value, "here": here.get(key)} for key, value in known.items()])


def of_laws(printed: Printed, found: Fitted, axis: str) -> pd.DataFrame:
    """A line an arm and quantity: printed coefficient or loss of the printed law; ours, low, high at LEVEL, runs.

    Coefficients are of D or N in billions, and vary together: laws are compared by their losses, ours at the least and the
    largest of our budgets (or sizes) alone.
    """
    lines, by = [], getattr(printed, axis)
    unit = {"tokens": "tokens", "parameters": "parameters"}[axis]
    for arm in [*by, *[arm for arm in found.laws if arm not in by]]:
        base = {"arm": arm, "label": arms_.label(arm)}
        law, draws = found.laws.get(arm), found.draws.get(arm)
        runs = {"runs": int((found.runs["arm"] == arm).sum())}
        for name in COEFFICIENTS[axis]:
            line = {**base, "quantity": name, **({"printed": getattr(by[arm], name)} if arm in by else {})}
            if law is not None:
                low, high = laws.interval(getattr(draws, name), 1 - 2 * LEVEL)
                line |= {"refitted": getattr(law, name), "low": low, "high": high, **runs}
            lines.append(line)
        if arm in by:
            for x in LOSSES[axis]:
                lines.append({**base, "quantity": f"loss at {x:g}B {unit}", "printed": float(scaling.at(by[arm], axis, x))})
        for x in found.ends(axis) if law is not None else ():
            y, each = found.loss(arm, **{scaling.GIVEN[axis]: x})
            low, high = laws.interval(each, 1 - 2 * LEVEL)
            quantity = f"loss at {arms_.short(x * BILLION)} {unit}, ours"
            lines.append({**base, "quantity": quantity, "refitted": float(y), "low": low, "high": high, **runs})
    columns = ["arm", "label", "quantity", "printed", "refitted", "low", "high", "runs"]
    return pd.DataFrame(lines, columns=columns)


def tables(runs: str, published: str, out: list[str], *, row: dict, sweep: dict) -> None:
    """The file function: the runs table and published.yaml in, the five tables out.

    ``row`` has arms, world, generator, size (fixed in Table 4), tokens (fixed in Table 5), replicates; ``sweep`` how the grid
    trains: block, batch, learning_rate, warmup, heldout, and sizes, the shapes by name.
    """
    printed = arms_.read_published(published)

    def fitted(fit: Callable, free: str, name: str) -> Fitted:
        asked = {key: value for key, value in row.items() if key != free}
        return arms_.fitted(arms_.read_runs(runs, asked), asked, fit, name)

    every = arms_.read_runs(runs, {key: value for key, value in row.items() if key not in ("size", "tokens")})
    made = [
        table1(printed, every, sweep),
        table2(printed, sweep),
        table3(printed, sweep),
        of_laws(printed, fitted(laws.fit_tokens, "tokens", "fig1"), "tokens"),
        of_laws(printed, fitted(laws.fit_parameters, "size", "fig2"), "parameters"),
    ]
    for path, table in zip(out, made, strict=True):
        with atomic(path) as beside:
            table.to_csv(beside, index=False, float_format="%.9g")


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        made = [snakemake.output[f"table{number}"] for number in range(1, 6)]
        tables(snakemake.input.runs, snakemake.input.published, made, row=snakemake.params.row, sweep=snakemake.params.sweep)
