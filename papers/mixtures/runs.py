"""Every model of the sweeps in one table: reads the Parquet of their jobs, makes runs.csv, domains.parquet and traces.parquet.

runs.csv has a line a model: run, sweep, world, arm, kind, share (of synthetic tokens), generator, size, parameters (outside the
embedding, and one embedding matrix: the paper's label), non_embedding, tokens (that it was trained on), seed, macro (nats a
token, the mean of the domains' means), pooled (of all held-out tokens). domains.parquet: run, domain, nats (in all), tokens.
traces.parquet: arm, seed, domain, position, token, text, nats, of the runs whose sweep keeps them.
"""

from pathlib import Path

import pandas as pd

from scripts.lib.files import BrokenArtifact, atomic

COLUMNS = [
    "run",
    "sweep",
    "world",
    "arm",
    "kind",
    "share",
    "generator",
    "size",
    "parameters",
    "non_embedding",
    "tokens",
    "seed",
]


def gathered(lines: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """runs.csv and domains.parquet from a line a run and domain.

    Raises:
        BrokenArtifact: naming a run that two jobs trained, or whose domains are not those of the others.
    """
    twice = lines.duplicated(["run", "domain"])
    if twice.any():
        raise BrokenArtifact(f"sweeps: the run {lines.loc[twice, 'run'].iloc[0]} was trained twice; delete its sweep's tables")
    counts = lines.groupby("run", sort=False)["domain"].size()
    if counts.nunique() > 1:
        raise BrokenArtifact(
            f"sweeps: the run {counts.idxmin()} was scored on {counts.min()} domains, others on {counts.max()}"
        )
    lines = lines.assign(mean=lines["nats"] / lines["scored"])
    by_run = lines.groupby("run", sort=False)
    runs = by_run[COLUMNS[1:]].first().reset_index()
    runs["macro"] = by_run["mean"].mean().to_numpy()
    runs["pooled"] = (by_run["nats"].sum() / by_run["scored"].sum()).to_numpy()
    return runs, lines[["run", "domain", "nats", "scored"]].rename(columns={"scored": "tokens"})


def gather(tables: list[str], traces: list[str], out_runs: str, out_domains: str, out_traces: str) -> None:
    """The file function: jobs' tables in, each in a folder of its sweep's name, and the three tables out."""
    parts = [pd.read_parquet(path).assign(sweep=Path(path).parent.name) for path in tables]
    runs, domains = gathered(pd.concat(parts, ignore_index=True))
    with atomic(out_runs) as beside:
        runs.to_csv(beside, index=False, float_format="%.9g")
    with atomic(out_domains) as beside:
        domains.to_parquet(beside, index=False, compression="zstd")
    with atomic(out_traces) as beside:
        pd.concat([pd.read_parquet(path) for path in traces]).to_parquet(beside, index=False, compression="zstd")


if __name__ == "__main__":
    from scripts.lib.progress import logging_to

    with logging_to(snakemake.log[0]):
        outputs = (snakemake.output.runs, snakemake.output.domains, snakemake.output.traces)
        gather(list(snakemake.input.tables), list(snakemake.input.traces), *outputs)
