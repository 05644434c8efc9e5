"""The quality of what synthesizers write (arXiv 2509.15248, Table 2): repetition, near-duplicates, truth, relevance, copies.

Reads the audits of corpora of synthesizers of several sizes and of the real documents (scripts.audits.quality), perhaps a
judge's answers (scripts.synthesis.judge), the texts themselves, the pairs of the real documents, and papers/sbp/claims.yaml.
Makes quality.pdf and quality.png (the five rates by size, beside the published ones), quality.csv (every plotted number),
quality.claims.json, and quality.html: pairs that were found and texts that were written, to be read.

Truth and relevance come from a reader that knows the world, where there is one, else from a judge, else they are left out, and
their claims undecided. Documents of a corpus count as independent; a document written after is drawn again now and then.
"""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from papers.sbp import arms as arms_
from papers.sbp.arms import LEVEL
from scripts.audits.quality import COPIED, NEAR, REPEATED
from scripts.lib import claims as claims_
from scripts.lib import figures, statistics
from scripts.lib.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COVER = "documents of a sample of each corpus; not tuning seeds"
REAL = "real"
RATES = {  # rate -> label
    "repetition": "repetition",
    "duplicate": "near-duplicates",
    "non_factual": "non-factual",
    "irrelevant": "irrelevant to d1",
    "copying": "copies of d1",
}
PUBLISHED = {  # per cent: 3B at 200B tokens, 3B at 1T, 6B at 1T, real text
    "repetition": (4.3, 3.9, 2.6, 1.8),
    "duplicate": (0.8, 0.8, 0.3, 0.7),
    "non_factual": (15.1, 8.7, 6.5, 1.8),
    "irrelevant": (25.6, 7.8, 6.0, None),
    "copying": (0.1, 0.9, 0.3, None),
}
COLOURS = (figures.COLOURS["blue"], figures.COLOURS["orange"], figures.COLOURS["vermilion"])
MARKS = ("o", "^", "s")

Counts = dict[tuple[str, str], tuple[int, int]]  # corpus and rate -> documents that have it, documents that were asked


def flags(table: pd.DataFrame, judged: pd.DataFrame | None = None) -> pd.DataFrame:
    """Which of the five each document has: 0, 1, or NaN where it was not asked; ``judged`` has id, non_factual, irrelevant."""
    found = pd.DataFrame({"repetition": table["repeated"] > REPEATED, "duplicate": table["duplicate"]}).astype(float)
    found["copying"] = (table["copied"] > COPIED).astype(float).where(table["copied"].notna())
    if judged is not None:
        answers = judged.set_index("id").reindex(table["id"])
        found["non_factual"], found["irrelevant"] = (answers[key].to_numpy(float) for key in ("non_factual", "irrelevant"))
    elif "facts" in table:
        found["non_factual"] = (table["false_facts"] > 0).astype(float)
        found["irrelevant"] = 1 - table["relevant"].astype("Float64").to_numpy(float, na_value=np.nan)
    return found.reindex(columns=list(RATES))


def same_number(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The same, with near-duplicates of the first documents alone, of every corpus equally many.

    The more documents are looked at, the more have an earlier one like them. Only earlier ones count, so that what is flagged
    among the first n lines is near-duplicates at n.
    """
    n = min(map(len, tables.values()))
    return {name: table.assign(duplicate=table["duplicate"].where(np.arange(len(table)) < n)) for name, table in tables.items()}


def counted(tables: dict[str, pd.DataFrame]) -> Counts:
    """How many documents have each of the five and were asked, from ``flags`` of each corpus; where none was asked, nothing."""
    asked = {(name, rate): table[rate].dropna() for name, table in tables.items() for rate in RATES}
    return {key: (int(one.sum()), len(one)) for key, one in asked.items() if len(one)}


def against(counts: Counts, one: tuple[str, str], other: tuple[str, str], level: float) -> dict[str, float]:
    """A share less another, with Newcombe's interval; without ends where one of them was not asked."""
    if one not in counts or other not in counts:
        return {"estimate": float("nan"), "low": -np.inf, "high": np.inf, "level": level}
    pairs = np.array([counts[one], counts[other]])
    estimate, low, high = statistics.newcombe(pairs[:, 0], pairs[:, 1], level)
    return {"estimate": estimate, "low": low, "high": high, "level": level}


def worst(each: list[dict[str, float]]) -> dict[str, float]:
    """The highest of several differences, all of which are to be low."""
    return {**each[0], **{key: max(one[key] for one in each) for key in ("estimate", "low", "high")}}


def farthest(each: list[dict[str, float]]) -> dict[str, float]:
    """Of several differences, all of which are to be near zero, the one whose interval reaches farthest from it."""
    return max(each, key=lambda one: max(-one["low"], one["high"]))


def findings(counts: Counts, corpora: list[str], claims: dict[str, dict]) -> dict[str, dict]:
    """What was found for each claim with a direction; ``corpora`` are the synthesizers', the smallest first; shares of 1."""

    def less_real(rate: str, name: str) -> list[dict[str, float]]:
        return [against(counts, (one, rate), (REAL, rate), claims[name]["level"]) for one in corpora]

    def copying(level: float) -> list[dict[str, float]]:
        found = []
        for one in corpora:
            count, n = counts.get((one, "copying"), (0, 0))
            low, high = statistics.wilson(count, n, level) if n else (-np.inf, np.inf)
            found.append(
                {"estimate": count / n - 0.01 if n else float("nan"), "low": float(low) - 0.01, "high": float(high) - 0.01}
            )
        return [{**one, "level": level} for one in found]

    out = {
        "quality-repetition": worst(less_real("repetition", "quality-repetition")),
        "quality-duplicates": farthest(less_real("duplicate", "quality-duplicates")),
        "quality-copying": worst(copying(claims["quality-copying"]["level"])),
    }
    for name, rate in (("quality-factual-grows", "non_factual"), ("quality-relevant-grows", "irrelevant")):
        out[name] = against(counts, (corpora[0], rate), (corpora[-1], rate), claims[name]["level"])
    return out


def plotted(counts: Counts, names: list[str]) -> pd.DataFrame:
    """Every plotted number, in per cent: rate, corpus, y with Wilson's interval, n documents; published values without one."""
    lines = []
    for rate in RATES:
        for name in names:
            if (name, rate) in counts:
                count, n = counts[name, rate]
                low, high = statistics.wilson(count, n, LEVEL)
                numbers = {"y": 100 * count / n, "low": 100 * float(low), "high": 100 * float(high), "n": n}
                lines.append({"rate": rate, "corpus": name, "of": "here", **numbers})
        for name, value in zip(("3B, 200B", "3B, 1T", "6B, 1T", REAL), PUBLISHED[rate], strict=True):
            if value is not None:
                lines.append({"rate": rate, "corpus": name, "of": "published", "y": value})
    return pd.DataFrame(lines)[["rate", "corpus", "of", "y", "low", "high", "n"]]


# --- the figure -------------------------------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, judged: list[dict], row: dict, sizes: dict[str, str]) -> "Figure":
    """A panel for each of the five: rates by synthesizer's size and of real documents, published ones beside; footer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [line for part in footer(judged, row) for line in textwrap.wrap(part, 131)]
    height = 2.47 + 0.137 * len(lines)
    names = [*row["corpora"], REAL]
    with matplotlib.rc_context(figures.STYLE):
        figure = plt.figure(figsize=(figures.WIDTH, height))
        for i, (rate, label) in enumerate(RATES.items()):
            left, width = 0.46 + i * 1.33, 0.98  # inches
            axis = figure.add_axes((left / figures.WIDTH, 1 - 1.92 / height, width / figures.WIDTH, 1.5 / height))
            _panel(axis, table[table["rate"] == rate], names)
            axis.set_title(label, fontweight="bold", pad=11)
            mine = table[(table["rate"] == rate) & (table["of"] == "here")]
            n = mine["n"]
            many = f"n {int(n.min()):,}" + (f" to {int(n.max()):,}" if n.max() > n.min() else "") if len(n) else "not asked"
            figures.under_title(axis, many)
            if i == 0:
                axis.set_ylabel("% of documents (low is better)", labelpad=1)
        from matplotlib.lines import Line2D

        look = [{"color": COLOURS[i], "marker": MARKS[i]} for i in range(len(row["corpora"]))]
        handles = [Line2D([], [], linestyle="", **one) for one in [*look, {"color": figures.COLOURS["black"], "marker": "D"}]]
        handles.append(Line2D([], [], linestyle="", marker="_", markersize=9, color=figures.GREY))
        labels = [*(f"{name}, {sizes[name]}" for name in row["corpora"]), "real documents", "published (3B, 3B, 6B; real)"]
        place = {"loc": "upper left", "bbox_to_anchor": (0.006, 1 - 2.12 / height)}
        figure.legend(handles, labels, ncols=len(handles), frameon=False, columnspacing=1.4, handletextpad=0.2, **place)
        figures.footer(figure, lines)
    return figure


def _panel(axis: "Axes", table: pd.DataFrame, names: list[str]) -> None:
    """One rate of all corpora with intervals; the published ones as dashes at the places that correspond."""
    here, printed = (table[table["of"] == of] for of in ("here", "published"))
    for i, name in enumerate(names):
        one = here[here["corpus"] == name]
        real = name == REAL
        if len(one):
            line = one.iloc[0]
            ends = [[line["y"] - line["low"]], [line["high"] - line["y"]]]
            look = {"color": figures.COLOURS["black"], "fmt": "D"} if real else {"color": COLOURS[i], "fmt": MARKS[i]}
            axis.errorbar(i, line["y"], yerr=ends, markersize=4.5, capsize=2, **look)
    at = {"3B, 200B": 0, "3B, 1T": 1, "6B, 1T": 2, REAL: len(names) - 1}
    for line in printed.itertuples():
        axis.plot(at[line.corpus], line.y, "_", markersize=13, color=figures.GREY, zorder=0)
    axis.set_xlim(-0.6, len(names) - 0.4)
    top = max(1.0, 1.08 * table[["y", "high"]].max().max())
    axis.set_ylim(-0.04 * top, top)
    axis.set_xticks([])
    axis.locator_params(axis="y", nbins=5)


def footer(judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: definitions, verdicts, what intervals cover."""
    by_name = {entry["claim"]: entry for entry in judged}

    def said(name: str) -> str:
        return arms_.said({**by_name[name], **{k: 100 * by_name[name][k] for k in ("estimate", "low", "high")}}, 1)

    return [
        f"{figures.SCALES[row['scale']]}. Repetition: over {100 * REPEATED:g} % of a document's word 5-grams stood in it "
        f"before. Near-duplicate: an earlier one of equally many has a Jaccard similarity of 5-grams of {NEAR:g}. Copy: over "
        f"{100 * COPIED:g} % of its 13-grams stand in d1.",
        "Non-factual: it states something false. Irrelevant: it is about something else than d1. The paper's own "
        "definitions are not known to us: its dashes are for orientation. 90 % Wilson intervals. Texts to read: "
        "quality.html.",
        f"Less real, points: repetition {said('quality-repetition')}; near-duplicates {said('quality-duplicates')}. Copies "
        f"less 1 %: {said('quality-copying')}.",
        f"Smallest less largest: non-factual {said('quality-factual-grows')}; irrelevant {said('quality-relevant-grows')}. "
        f"Bounds cover {COVER}. Quality grows with scale: {by_name['quality-scales']['verdict'].upper()}.",
    ]


# --- the page ---------------------------------------------------------------------------------------------------------------


def texts_of(path: str, ids: list[str]) -> dict[str, str]:
    """The texts of some documents, by id, without reading the others' into memory."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["id", "text"], filters=[("id", "in", ids)])
    return dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))


def spread(number: int, shown: int) -> list[int]:
    """Positions of what is shown of so many, evenly over them all: ``spread(10, 3)`` is [1, 5, 8]."""
    shown = min(shown, number)
    return [int((2 * i + 1) * number / (2 * shown)) for i in range(shown)]


def remarks(line: pd.Series, flag: pd.Series) -> list[dict]:
    """What is said of a text on the page: words, and whether they speak against it."""
    found = []
    if "facts" in line and pd.notna(line["facts"]):
        facts, false = int(line["facts"]), int(line["false_facts"])
        found.append({"text": f"{facts} statements, {false} false" if facts else "states nothing", "bad": bool(false)})
    elif pd.notna(flag["non_factual"]):
        found.append({"text": "judged false" if flag["non_factual"] else "judged true", "bad": bool(flag["non_factual"])})
    if pd.notna(flag["irrelevant"]):
        found.append(
            {"text": "about something else" if flag["irrelevant"] else "about the same", "bad": bool(flag["irrelevant"])}
        )
    for key, label in (("duplicate", "near-duplicate"), ("copying", "copies d1"), ("repetition", "repeats itself")):
        if flag[key] == 1:
            found.append({"text": label, "bad": True})
    return found


def page(
    frames: dict[str, tuple[pd.DataFrame, pd.DataFrame]],
    corpora: dict[str, str],
    real: str,
    pairs: str,
    table: pd.DataFrame,
    judged: list[dict],
    row: dict,
    sizes: dict[str, str],
) -> str:
    """The page as HTML.

    Args:
        frames: corpus -> its audit and its ``flags``, line by line.
        corpora: corpus -> its documents.
        real, pairs: the real documents, and the pairs of them that were found (d1, d2, similarity).
        table: as plotted.
        sizes: corpus -> parameters of its synthesizer, as shown.
    """
    import jinja2
    import pyarrow.parquet as pq

    found = pq.read_table(pairs, columns=["d1", "d2", "similarity"]).to_pandas()
    found = found.iloc[spread(len(found), row["shown"])]
    chosen = {name: spread(len(frames[name][0]), row["shown"]) for name in corpora}
    written = {name: [frames[name][0].iloc[i] for i in places] for name, places in chosen.items()}
    wanted = {*found["d1"], *found["d2"], *(line["parent"] for lines in written.values() for line in lines)}
    texts = texts_of(real, sorted(one for one in wanted if one))
    sections = []
    for name, path in corpora.items():
        mine = texts_of(path, [line["id"] for line in written[name]])
        cards = [
            {"d1": texts.get(line["parent"], ""), "d2": mine[line["id"]], "remarks": remarks(line, frames[name][1].iloc[i])}
            for line, i in zip(written[name], chosen[name], strict=True)
        ]
        sections.append({"name": name, "size": sizes[name], "cards": cards})
    values = table.assign(rate=table["rate"].map(RATES))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("quality.html.j2").render(
        scale=figures.SCALES[row["scale"]],
        rates=[{"label": label, "lines": values[values["rate"] == label].to_dict("records")} for label in RATES.values()],
        names=[*row["corpora"], REAL],
        claims=judged,
        pairs=[{"d1": texts[p.d1], "d2": texts[p.d2], "similarity": float(p.similarity)} for p in found.itertuples()],
        sections=sections,
    )


def quality(
    tables: list[str],
    of_real: str,
    documents: list[str],
    real: str,
    pairs: str,
    answers: list[str],
    claims: str,
    pdf: str,
    png: str,
    csv: str,
    judged: str,
    html: str,
    *,
    row: dict,
    parameters: dict[str, float],
    code: str,
) -> None:
    """Draw and judge: audits in the order of the row's corpora, and of the real documents; texts, pairs and claims.yaml in.

    ``answers`` are a judge's, of the real documents and then of each corpus, or none; ``parameters`` of each synthesizer.
    """
    names = list(row["corpora"])
    audits = {name: pd.read_parquet(path) for name, path in zip([REAL, *names], [of_real, *tables], strict=True)}
    asked = dict(zip(audits, (pd.read_parquet(path) for path in answers), strict=False))
    flagged = same_number({name: flags(table, asked.get(name)) for name, table in audits.items()})
    counts = counted(flagged)
    entries = claims_.read_claims(claims, "quality")
    verdicts = claims_.judge(entries, findings(counts, names, entries), row["scale"])
    numbers, sizes = plotted(counts, [*names, REAL]), {name: arms_.grouped(size) for name, size in parameters.items()}
    n = ", ".join(f"{name} {len(table)}" for name, table in audits.items())
    about = {"artifact": "quality", "code": code, "cover": COVER, "n": f"documents: {n}"}
    frames = {name: (audits[name], flagged[name]) for name in names}
    write_text(html, page(frames, dict(zip(names, documents, strict=True)), real, pairs, numbers, verdicts, row, sizes))
    figures.publish(draw(numbers, verdicts, row, sizes), numbers, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        quality(
            snakemake.input.tables,
            snakemake.input.of_real,
            snakemake.input.documents,
            snakemake.input.real,
            snakemake.input.pairs,
            snakemake.input.answers,
            snakemake.input.claims,
            snakemake.output.pdf,
            snakemake.output.png,
            snakemake.output.csv,
            snakemake.output.claims,
            snakemake.output.html,
            row=snakemake.params.row,
            parameters=snakemake.params.parameters,
            code=snakemake.params.code,
        )
