"""Made-up runs of mixtures with planted losses, shared by the tests of figures 4, 5, 9, 10 and of the worlds."""

import json

import numpy as np
import pandas as pd

from scripts.lib import claims

CLAIMS = "papers/mixtures/claims.yaml"
PUBLISHED = "papers/mixtures/published.yaml"
SIZES = {"Tern-1": 60_000, "Tern-3": 250_000}
BUDGETS = (300_000, 1_200_000)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)


def runs(effects, *, sizes=SIZES, budgets=BUDGETS, seeds=3, noise=0.004, world="default", seed=0):
    """One line a run: ``effects`` maps (kind, share, generator) -> nats above natural text, or a function of (size, budget).

    Natural text alone is there in every cell. All arms of a seed share what that seed is worth.
    """
    rng, lines = np.random.default_rng(seed), []
    for size, parameters in sizes.items():
        for tokens in budgets:
            natural = 2 + 3 * (parameters / 1e5) ** -0.2 * (tokens / 1e6) ** -0.3
            lift = {s: rng.normal(0, 0.05) for s in range(seeds)}
            for (kind, share, generator), effect in {("natural", 0.0, ""): 0.0, **effects}.items():
                more = effect(parameters, tokens) if callable(effect) else effect
                arm = {"natural": "cc", "filtered": "filtered"}.get(kind, f"{kind}-{100 * share:g}")
                for s in range(seeds):
                    name = f"{size}-{tokens}-{world}-{arm}-{generator}-s{s}"
                    line = {"run": name, "sweep": "grid", "world": world, "arm": arm, "kind": kind, "share": share}
                    line |= {"generator": generator, "size": size, "parameters": parameters, "non_embedding": parameters // 2}
                    loss = natural + more + lift[s] + rng.normal(0, noise)
                    lines.append(line | {"tokens": tokens, "seed": s, "macro": loss, "pooled": loss})
    return pd.DataFrame(lines)


def bowl(best, depth=0.1, end=None):
    """Nats above natural text by share, a quadratic in the share with its lowest point at ``best`` and 0 at share 0."""
    return lambda share: depth * ((share - best) ** 2 - best**2) / best**2 if best else depth * share


def kinds(shares=SHARES, generator="copyist", **shapes):
    """Effects of kinds by share: ``kinds(hq=bowl(0.3))``."""
    return {(kind, share, generator): shape(share) for kind, shape in shapes.items() for share in shares}


def saved(table, path):
    table.to_csv(path, index=False)
    return path


def outputs(folder, name):
    folder.mkdir(exist_ok=True)
    return [folder / f"{name}.{kind}" for kind in ("pdf", "png", "csv", "claims.json")]


def entries(path):
    """Claim, without the artifact's name -> entry of claims.json."""
    return {entry["claim"].split("-", 1)[1]: entry for entry in json.loads(path.read_text())["claims"]}


def judged(artifact, found):
    """Claim, without the artifact's name -> entry, of findings; nothing is drawn."""
    asked = claims.read_claims(CLAIMS, artifact)
    return {entry["claim"].split("-", 1)[1]: entry for entry in claims.judge(asked, found(asked), "laptop")}


def verdicts(found):
    return {name: entry["verdict"] for name, entry in found.items()}


# --- tokens -------------------------------------------------------------------------------------------------------------------

DOMAINS = [f"domain-{i}" for i in range(6)]
BREAK, COLON = 3, 5  # ids; an id is the rank in the held-out text
WORDS = 500


def words(number=WORDS):
    return ["\n\n" if i == BREAK else ":" if i == COLON else f" w{i}" for i in range(number)]


def frequencies(break_cc=0.1, colon_qa=8.0, tail=(1.0, 0.5, 0.5, 0.4)):
    """Probabilities of tokens: held-out text, and pure texts; ``tail`` are the parts of the vocabulary of cc, hq, qa, txbk."""
    base = (np.arange(WORDS) + 3.0) ** -1.1
    out = {"test": base / base.sum()}
    for (name, slope), part in zip({"cc": 1.0, "hq-100": 1.25, "qa-100": 1.25, "txbk-100": 1.35}.items(), tail, strict=True):
        p = (np.arange(WORDS) + 3.0) ** -(1.1 * slope)
        p[int(part * WORDS * 0.98) :] = 0
        p[BREAK] *= break_cc if name == "cc" else 1
        p[COLON] *= colon_qa if name == "qa-100" else 1
        out[name] = p / p.sum()
    return out


def unigrams(shapes, tokens=200_000, heldout=20_000, seed=0):
    """unigrams.parquet of such probabilities, with domains that differ a little."""
    rng, lines = np.random.default_rng(seed), []

    def counted(name, split, p, n):
        count = rng.multinomial(n, p)
        seen = np.flatnonzero(count)
        text = [words()[i] for i in seen]
        lines.append(pd.DataFrame({"name": name, "split": split, "token": seen, "text": text, "count": count[seen]}))
        return count

    for name, p in shapes.items():
        if name != "test":
            counted(name, "train", p, tokens)
    whole = 0
    for domain in DOMAINS:
        p = shapes["test"] * np.exp(rng.normal(0, 0.1, WORDS))
        whole = whole + counted(domain, "test", p / p.sum(), heldout)
    seen = np.flatnonzero(whole)
    text = [words()[i] for i in seen]
    lines.append(pd.DataFrame({"name": "test", "split": "test", "token": seen, "text": text, "count": whole[seen]}))
    return pd.concat(lines, ignore_index=True)


def by_domain(table, seed=0):
    """domains.parquet of some runs: domains are hard by some amounts that all runs share."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 0.2, len(DOMAINS))
    lines = [
        {"run": run, "domain": domain, "nats": 1000 * (macro + more - hard.mean()), "tokens": 1000}
        for run, macro in zip(table["run"], table["macro"], strict=True)
        for domain, more in zip(DOMAINS, hard, strict=True)
    ]
    return pd.DataFrame(lines)


def traces(shapes, tokens=600, seeds=2, rare=0.6, noise=0.3, seed=0):
    """traces.parquet: a token costs ``rare`` times how rare it is in training, and some noise."""
    rng, lines = np.random.default_rng(seed), []
    for domain in DOMAINS:
        drawn = rng.choice(WORDS, tokens, p=shapes["test"])
        own, text = rng.normal(0, noise, tokens), np.array(words())[drawn]
        for arm, p in shapes.items():
            for s in range(seeds if arm != "test" else 0):
                nats = 1 - rare * np.log(p[drawn] + 1e-5) + own + rng.normal(0, 0.1, tokens)
                line = {"arm": arm, "seed": s, "domain": domain, "position": range(tokens), "token": drawn, "text": text}
                lines.append(pd.DataFrame({**line, "nats": nats.clip(0)}))
    return pd.concat(lines, ignore_index=True)
