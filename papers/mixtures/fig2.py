"""Figure 2 of arXiv 2510.01631: loss by parameters at one token budget, ten arms of natural and synthetic text.

Reads published.yaml (Table 5's laws, Table 1's shapes), results/{scale}/mixtures/runs.csv and claims.yaml. Makes fig2.pdf and
fig2.png (the printed laws to 200B parameters and our own runs and fits, as losses and as differences from natural text),
fig2.csv (every plotted number) and fig2.claims.json.
"""

import numpy as np

from papers.mixtures import arms as arms_
from papers.mixtures import scaling, sizes
from papers.mixtures.arms import BILLION, Fitted, Printed, exact, nothing
from scripts.lib import claims as claims_
from scripts.lib import figures, laws


def published(printed: Printed) -> dict[str, dict]:
    """What Tables 5, 4 and 1 say of each sentence about Figure 2."""
    known = printed.known["ranges"]
    N = scaling.grid(printed, "parameters")
    loss = {arm: laws.value(law, N=N) for arm, law in printed.parameters.items()}
    less = {arm: each - loss["cc"] for arm, each in loss.items()}
    trained = known["parameters"]["held_out"]

    def advantage(axis: str, at: float) -> float:
        """Of 33% textbooks over natural text, nats, at so many billions."""
        by = getattr(printed, axis)
        return float(scaling.at(by["cc"], axis, at) - scaling.at(by["txbk-33"], axis, at))

    tokens = known["tokens"]
    labels = {
        label: sizes.counted(shape, printed.known["sizes"]["vocabulary"])
        for label, shape in printed.known["sizes"]["models"].items()
    }

    def matched(key: str) -> int:
        return sum(sizes.rounded(count[key]) == sizes.number(label) for label, count in labels.items())

    found = {
        "hq": less["hq-100"].min(),
        "qa": less["qa-100"][-1],
        "67-worse-hq": loss["hq-67"][-1] - loss["hq-33"][-1],
        "67-worse-qa": loss["qa-67"][-1] - loss["qa-33"][-1],
        "67-marginal-hq": loss["hq-67"][-1] - loss["hq-33"][-1],
        "67-marginal-qa": loss["qa-67"][-1] - loss["qa-33"][-1],
        "textbook-share": (loss["txbk-67"] - loss["txbk-33"]).min(),
        "shrinks": advantage("parameters", known["tokens"]["model"]) - advantage("parameters", trained),
        "shrinks-far": advantage("parameters", trained) - advantage("parameters", known["parameters"]["extrapolated"]),
        "grows-with-tokens": advantage("tokens", tokens["extrapolated"]) - advantage("tokens", tokens["fitted"]),
        "sizes": matched("parameters"),
        "non-embedding": matched("non_embedding"),
    }
    return {f"fig2-published-{name}": exact(value) for name, value in found.items()}


def rises(printed: Printed, arm: str) -> float:
    """Billions of parameters from which on an arm is worse than natural text by Table 5, after it was better."""
    N = scaling.grid(printed, "parameters")
    difference = laws.value(printed.parameters["cc"], N=N) - laws.value(printed.parameters[arm], N=N)
    best = int(difference.argmax())
    return float(scaling.crossing(difference[best:], N[best:]))


def reproduced(found: Fitted, printed: Printed, claims: dict[str, dict]) -> dict[str, dict]:
    """What our runs say, through the laws fitted to them, at their largest size and in the middle of their sizes."""
    least, most = found.ends("parameters")
    middle = np.sqrt(least * most)

    def less(one: str, other: str, at: float) -> tuple:
        return found.less(one, other, N=at)

    def grown(one: str, other: str) -> tuple:
        """How much larger a difference is at the largest size than in the middle."""
        end, start = less(one, other, most), less(one, other, middle)
        return end[0] - start[0], end[1] - start[1]

    asked = {
        "fig2-hq": (less, "hq-100", "cc", most),
        "fig2-qa": (less, "qa-100", "cc", most),
        "fig2-hq-rises": (grown, "hq-100", "cc"),
        "fig2-qa-rises": (grown, "qa-100", "cc"),
        "fig2-67-worse-hq": (less, "hq-67", "hq-33", most),
        "fig2-67-worse-qa": (less, "qa-67", "qa-33", most),
        "fig2-textbook-share": (less, "txbk-67", "txbk-33", most),
        "fig2-shrinks": (grown, "txbk-33", "cc"),
    }
    out = {}
    for name, (ask, one, other, *at) in asked.items():
        if found.has(one, other):
            out[name] = arms_.bounds(*ask(one, other, *at), claims[name]["level"])
        else:
            out[name] = nothing(f"no law of {one} or {other}: too few runs")
    N = scaling.grid(printed, "parameters")
    out["fig2-crossing-published"] = nothing("no law of txbk-33 or cc: too few runs")
    if found.has("txbk-33", "cc"):
        with np.errstate(divide="ignore"):
            places = [np.log10(scaling.crossing(each, N) * BILLION) for each in found.less("txbk-33", "cc", N=N)]
        out["fig2-crossing-published"] = arms_.bounds(*places, claims["fig2-crossing-published"]["level"])
    out["fig2-law"] = scaling.off(found, printed, "parameters", claims["fig2-law"]["level"])
    return out


def footer(judged: list[dict], printed: Printed, row: dict) -> list[str]:
    """The lines under the panels: what is drawn, verdicts of both layers, what intervals cover."""
    by = {entry["claim"]: entry for entry in judged}

    def said(name: str) -> str:
        return arms_.said(by[f"fig2-{name}"])

    def verdict(name: str) -> str:
        return by[f"fig2-published-{name}"]["verdict"]

    return [
        f"Left: the paper's printed laws (Table 5), exact. Right: {figures.SCALES[row['scale']]}. Dots: runs, mean of seeds "
        "(below: of differences from CC with the same seed); curves: L = E + A / N^alpha, 95 % bands. Grey: where models were "
        "trained, the rest is extrapolated. N counts all parameters with one embedding matrix, as the paper's labels do.",
        f"Prose against the tables: pure HQ worse at all sizes, {verdict('hq')}; pure QA worse at large N (from "
        f"{rises(printed, 'qa-100'):.1f}B on), {verdict('qa')}; 67% only marginally worse than 33%, HQ "
        f"{verdict('67-marginal-hq')}, QA {verdict('67-marginal-qa')}; the advantage of 33% TXBK shrinks with N: from 1B to 3B "
        f"{verdict('shrinks')}, beyond {verdict('shrinks-far')}. Table 1's labels as non-embedding parameters: "
        f"{by['fig2-published-non-embedding']['estimate']:.0f} of 6, {verdict('non-embedding')}; with one embedding matrix "
        f"{by['fig2-published-sizes']['estimate']:.0f} of 6, {verdict('sizes')}.",
        f"Ours, nats at the largest size: pure HQ above CC {said('hq')}; pure QA {said('qa')}; 67% above 33%: HQ "
        f"{said('67-worse-hq')}, QA {said('67-worse-qa')}, TXBK {said('textbook-share')}; 33% TXBK loses ground to CC as "
        f"models grow {said('shrinks')}.",
        f"Intervals cover {arms_.COVER}.",
    ]


def fig2(runs: str, published_: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms, world, generator, tokens (the fixed budget), replicates.
    """
    printed, entries = arms_.read_published(published_), claims_.read_claims(claims, "fig2")
    mine = arms_.read_runs(runs, row)
    found = arms_.fitted(mine, row, laws.fit_parameters, "fig2")
    findings = {**published(printed), **reproduced(found, printed, entries)}
    verdicts = claims_.judge(entries, arms_.with_levels(findings, entries), row["scale"])
    table = scaling.plotted(printed, found, row, "parameters")
    words = scaling.Words("parameters", "Table 5's laws, 50B tokens", f"{arms_.short(row['tokens'])} tokens", "qa-100")
    figure = scaling.draw(table, found, printed, "parameters", words, footer(verdicts, printed, row))
    about = {"artifact": "fig2", "code": code, "cover": arms_.COVER, "n": arms_.counted(mine)}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig2(
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
