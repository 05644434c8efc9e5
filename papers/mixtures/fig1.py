"""Figure 1 of arXiv 2510.01631: loss by training tokens of one model size, ten arms of natural and synthetic text.

Reads published.yaml (Table 4's laws), results/{scale}/mixtures/runs.csv and claims.yaml. Makes fig1.pdf and fig1.png (the
printed laws to 8T tokens and our own runs and fits, as losses and as differences from natural text), fig1.csv (every plotted
number) and fig1.claims.json.
"""

import numpy as np

from papers.mixtures import arms as arms_
from papers.mixtures import scaling
from papers.mixtures.arms import BILLION, REPHRASED, Fitted, Printed, exact, nothing
from scripts.lib import claims as claims_
from scripts.lib import figures, laws

PURE = ("hq-100", "qa-100", "txbk-100")


def published(printed: Printed) -> dict[str, dict]:
    """What Table 4 says of each sentence about Figure 1."""
    known = printed.known["ranges"]["tokens"]
    D = scaling.grid(printed, "tokens")
    loss = {arm: laws.value(law, D=D) for arm, law in printed.tokens.items()}
    less = {arm: each - loss["cc"] for arm, each in loss.items()}
    ran, pool, large = D <= known["held_out"], D <= known["fitted"], D >= 10
    shares = {kind: loss[f"{kind}-33"] - loss[f"{kind}-67"] for kind in ("hq", "qa", "txbk")}
    mixing = [loss[f"{kind}-100"] - loss[f"{kind}-{share}"] for kind in shares for share in (33, 67)]
    found = {
        "crossing": scaling.crossing(less["txbk-33"], D),
        "txbk-67": less["txbk-67"][ran].min(),
        "txbk-67-far": less["txbk-67"].min(),
        "textbook": less["txbk-100"].min(),
        "hq": less["hq-100"][pool].min(),
        "hq-far": less["hq-100"].min(),
        "qa": less["qa-100"][pool].min(),
        "mixtures": np.min(mixing),
        "shares": max(np.abs(shares[kind][large]).max() for kind in ("hq", "qa")),
        "textbook-share": -shares["txbk"].max(),
        "67-better-hq": shares["hq"][-1],
        "67-better-qa": shares["qa"][-1],
    }
    return {f"fig1-published-{name}": exact(value) for name, value in found.items()}


def reproduced(found: Fitted, printed: Printed, claims: dict[str, dict]) -> dict[str, dict]:
    """What our runs say, through the laws fitted to them, at the least and the largest budget that all arms have."""
    levels = {name: claim.get("level") for name, claim in claims.items()}
    least, most = found.ends("tokens")

    def less(name: str, arm: str, at: float) -> dict:
        if not found.has(arm, "cc"):
            return nothing(f"no law of {arm} or cc: too few runs")
        estimate, draws = found.less(arm, "cc", D=at)
        return arms_.bounds(estimate, draws, levels[name])

    asked = {
        "fig1-textbook": ("txbk-100", most),
        "fig1-textbook-behind": ("txbk-33", least),
        "fig1-textbook-ahead": ("txbk-33", most),
        "fig1-hq": ("hq-100", most),
        "fig1-qa": ("qa-100", most),
    }
    out = {name: less(name, *which) for name, which in asked.items()}
    out["fig1-mixtures"] = nothing("no law of cc or of a mixture of rephrased text: too few runs")
    if found.has("cc", *REPHRASED):
        all_ = [found.less(arm, "cc", D=most) for arm in REPHRASED]
        estimates, draws = np.array([one[0] for one in all_]), np.column_stack([one[1] for one in all_])
        out["fig1-mixtures"] = arms_.largest(estimates, draws, levels["fig1-mixtures"])
    out["fig1-crossing-published"] = nothing("no law of txbk-33 or cc: too few runs")
    if found.has("txbk-33", "cc"):
        D = scaling.grid(printed, "tokens")
        with np.errstate(divide="ignore"):
            places = [np.log10(scaling.crossing(each, D) * BILLION) for each in found.less("txbk-33", "cc", D=D)]
        out["fig1-crossing-published"] = arms_.bounds(*places, levels["fig1-crossing-published"])
    out |= _order(found, printed, levels)
    out["fig1-law"] = scaling.off(found, printed, "tokens", levels["fig1-law"])
    return out


def _order(found: Fitted, printed: Printed, levels: dict[str, float]) -> dict[str, dict]:
    """Kendall's tau of arms' losses at our largest budget with those of the printed laws at theirs, less two bounds."""
    arms = [arm for arm in printed.tokens if arm in found.laws]
    if len(arms) < 4:
        return {name: nothing("fewer than four arms with a law") for name in ("fig1-order", "fig1-order-published")}
    from scipy.stats import rankdata

    ours, theirs = found.ends("tokens")[1], printed.known["ranges"]["tokens"]["held_out"]
    order = rankdata([laws.value(printed.tokens[arm], D=theirs) for arm in arms])
    both = [found.loss(arm, D=ours) for arm in arms]
    upper = np.triu_indices(len(arms), 1)
    signs = np.sign(order[:, None] - order)[upper]

    def tau(losses: np.ndarray) -> np.ndarray:
        """Kendall's tau of each line (draws, arms) with the printed order; losses have no ties."""
        return (np.sign(losses[..., :, None] - losses[..., None, :])[..., upper[0], upper[1]] * signs).mean(-1)

    estimate, draws = tau(np.array([one[0] for one in both])), tau(np.column_stack([one[1] for one in both]))
    out = {}
    for name, bound in (("fig1-order", 0.6), ("fig1-order-published", 0.8)):
        low, high = arms_.percentiles(draws - bound, levels[name])
        out[name] = {"estimate": float(estimate - bound), "low": low, "high": high, "tau": float(estimate), "arms": len(arms)}
    return out


def footer(judged: list[dict], row: dict) -> list[str]:
    """The lines under the panels: what is drawn, verdicts of both layers, what intervals cover."""
    by = {entry["claim"]: entry for entry in judged}

    def said(name: str, digits: int = 3) -> str:
        return arms_.said(by[name], digits)

    def verdict(name: str) -> str:
        return by[f"fig1-published-{name}"]["verdict"]

    return [
        f"Left: the paper's printed laws (Table 4), exact. Right: {figures.SCALES[row['scale']]}. Dots: runs, mean of seeds "
        "(below: of differences from CC with the same seed); curves: L = E + B / D^beta, 95 % bands. Grey: where runs were "
        "trained, the rest is extrapolated. A percentage is the share of synthetic tokens, the rest is CC.",
        f"Prose against Table 4: 33% TXBK passes CC at {by['fig1-published-crossing']['estimate']:.1f}B (text: about 20B), "
        f"{verdict('crossing')}; 67% TXBK stays worse to 200B, {verdict('txbk-67')}, and to 8T, {verdict('txbk-67-far')}; pure "
        f"HQ not better to 100B, {verdict('hq')}, and to 8T, {verdict('hq-far')}; pure QA not better to 100B, {verdict('qa')}; "
        f"67% beats 33% at large D for HQ, {verdict('67-better-hq')}, for QA, {verdict('67-better-qa')}.",
        f"Ours, nats at the largest budget: rephrased mixtures below CC {said('fig1-mixtures')}; TXBK above CC "
        f"{said('fig1-textbook')}; 33% TXBK starts behind and passes CC, {by['fig1-textbook-crossing']['verdict']}; pure HQ "
        f"not better {said('fig1-hq')}; pure QA {said('fig1-qa')}.",
        f"Intervals cover {arms_.COVER}.",
    ]


def fig1(runs: str, published_: str, claims: str, pdf: str, png: str, csv: str, judged: str, *, row: dict, code: str) -> None:
    """Draw and judge: the runs table, published.yaml and claims.yaml in, the four files out.

    ``row`` has arms, world, generator, size (name of the fixed model size), replicates.
    """
    printed, entries = arms_.read_published(published_), claims_.read_claims(claims, "fig1")
    mine = arms_.read_runs(runs, row)
    found = arms_.fitted(mine, row, laws.fit_tokens, "fig1")
    findings = {**published(printed), **reproduced(found, printed, entries)}
    verdicts = claims_.judge(entries, arms_.with_levels(findings, entries), row["scale"])
    table = scaling.plotted(printed, found, row, "tokens")
    words = scaling.Words("training tokens", "Table 4's laws, 1B model", f"model {row['size']}", "txbk-33")
    figure = scaling.draw(table, found, printed, "tokens", words, footer(verdicts, row))
    about = {"artifact": "fig1", "code": code, "cover": arms_.COVER, "n": arms_.counted(mine)}
    figures.publish(figure, table, verdicts, pdf, png, csv, judged, row=row, **about)


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        fig1(
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
