"""What Figure 5 can find at the laptop's n: `python -m papers.bos_only.power` prints how constructed tables are judged.

Reads papers/bos_only/claims.yaml, makes no file. A constructed table has known truth: each item is solved when a latent normal
margin exceeds a threshold; training replaces part of the margin by noise (some of it shared by all arms, by an arm, or a
subset's own) so that about a tenth of the items flip, and an effect moves the threshold by exactly so many points.
"""

import sys
import time

import numpy as np
from scipy.stats import norm

from papers.bos_only.fig5 import CONTRASTS, findings
from scripts.lib import claims as claims_

SIZES = (500, 500, 500, 500, 300, 300)  # items a task at laptop scale
BASES = (0.45, 0.35, 0.40, 0.60, 0.15, 0.10)  # share solved by the base
EPOCHS = np.array([1, 2, 5, 10])
NOISE = np.array([0.06, 0.08, 0.12, 0.16])  # part of the margin's variance replaced by training, per epoch

TRUTHS = [(0, 0, 0, 0), (2, 2, 0, -2), (2.5, 2.5, 0, -2.5), (4, 2, 0, -2), (5, 2.5, 0, -2.5), (3, 3, 0, -3), (-5, -2.5, 0, 2.5)]


def table(
    seed: int, effects: tuple[float, ...], spread: float = 0.7, subsets: int = 3, sizes: tuple[int, ...] = SIZES
) -> list[np.ndarray]:
    """Changes in points per task, (items, arms, epochs, subsets): what ``findings`` takes.

    ``effects`` are the arms' true changes in points at each epoch after 0; ``spread`` is the sd in points of what a subset
    adds to all tasks alike at each epoch.
    """
    rng = np.random.default_rng(seed)
    arms, kept = len(effects), np.sqrt(1 - NOISE)[:, None]
    shift = np.array(effects)[:, None] + spread * rng.standard_normal((arms, subsets))
    out = []
    for items, base in zip(sizes, BASES, strict=False):
        start = rng.standard_normal((items, 1, 1, 1))
        noise = sum(
            np.sqrt(share) * rng.standard_normal((items, *shape))
            for share, shape in [
                (0.3, (1, 1, 1)),
                (0.2, (arms, 1, 1)),
                (0.3, (arms, 1, subsets)),
                (0.2, (arms, len(EPOCHS), subsets)),
            ]
        )
        share = np.clip(base + shift / 100, 0.005, 0.995)[:, None, :]  # (arms, 1, subsets)
        score = kept * start + np.sqrt(NOISE)[:, None] * noise < norm.ppf(share)
        out.append(100.0 * score - 100.0 * (start < norm.ppf(base)))
    return out


def verdicts(values: list[np.ndarray], claims: dict[str, dict], draws: int = 1000) -> dict[str, str]:
    """Claim -> verdict for one table, judged as at laptop scale."""
    return {e["claim"]: e["verdict"] for e in claims_.judge(claims, findings(values, EPOCHS, claims, draws), "laptop")}


def rates(claims: dict[str, dict], worlds: int, effects: tuple[float, ...], draws: int = 500, **more: object) -> dict:
    """Share of ``worlds`` tables where a claim gets a verdict; ``("any >", "reproduced")``: one of the > contrasts does."""
    counts: dict[tuple[str, str], float] = {}
    for seed in range(worlds):
        found = verdicts(table(seed, effects, **more), claims, draws)
        above = {found[name] for name in list(CONTRASTS)[1:]}
        found["any >"] = claims_.REPRODUCED if claims_.REPRODUCED in above else claims_.UNDECIDED
        for item in found.items():
            counts[item] = counts.get(item, 0) + 1 / worlds
    return counts


def main() -> None:
    """Print the table in Markdown: truth, sd of subsets, and in what share of worlds each claim is reproduced."""
    claims = claims_.read_claims("papers/bos_only/claims.yaml", "fig5")
    started, worlds = time.monotonic(), 200
    print("| true change of self, same lineage, stronger, cross family | sd of subsets | any > | >= | 1st > | 2nd > |", end="")
    print(" order | order refuted | trend | self gains |\n|---|---|---|---|---|---|---|---|---|---|")
    names = ["any >", *CONTRASTS, "fig5-order"]
    for spread in (0.4, 0.7, 1.0):
        for effects in TRUTHS:
            found = rates(claims, worlds, effects, spread=spread)
            cells = [found.get((name, "reproduced"), 0) for name in names]
            cells.append(found.get(("fig5-order", "not reproduced"), 0))
            cells += [found.get((name, "reproduced"), 0) for name in ("fig5-trend", "fig5-self-gains")]
            truth = ", ".join(f"{effect:+g}" if effect else "0" for effect in effects)
            print(f"| {truth} | {spread} | " + " | ".join(f"{100 * cell:.0f} %" for cell in cells) + " |", flush=True)
    print(f"\n{worlds} constructed tables a line, {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
