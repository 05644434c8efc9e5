"""Dry runs: every target at every scale, and what reruns when one row changes."""

import re
import resource

import pytest

from scripts import answers, study
from tests.conftest import snakemake

pytestmark = pytest.mark.workflow


def jobs(output: str) -> set[tuple[str, str]]:
    """(rule, wildcards) of the jobs that a dry run lists."""
    found = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", output, re.MULTILINE)
    return {(rule, match.group(1) if (match := re.search(r"wildcards: (.*)", body)) else "") for rule, body in found}


@pytest.mark.parametrize("scale", study.SCALES)
def test_every_target_plans_at_every_scale(project, scale):
    planned = jobs(snakemake(project, "-n", f"--config=scale={scale}").stdout)
    rules = {rule for rule, _ in planned}
    figures = [f"fig{number}" for number in range(1, 12)]
    assert {*figures, "entigraph_fit", "entigraph_theory", "letters", "sbp_alphabet", "sbp_gains"} <= rules
    assert {f"entigraph_{name}" for name in ("curve", "raw", "qa", "saturation", "loss")} | {"losses", "diversity"} <= rules
    assert {"bos", "curate", "budget", "train", "evaluate_run", "extract", "gates", "verdicts"} <= rules
    tables = study.load()[scale]
    sampled = {wildcards.split("corpus=")[1] for rule, wildcards in planned if rule == "bos"}
    for corpus in {name.split(", ")[0] for name in sampled}:
        number = tables["corpora"][corpus]["shards"]
        assert {f"{corpus}, shard={k}-of-{number}" for k in range(1, number + 1)} <= sampled
    of_papers = [name for name in tables["figures"] if "/" in name]
    drawn = {run for figure in figures + of_papers for run in answers.runs_of(tables["figures"][figure])}
    trained = {wildcards.split("run=")[1] for rule, wildcards in planned if rule == "train"}
    of = {kind: {run for run, row in tables["runs"].items() if row["kind"] == kind} for kind in ("continual", "pairs")}
    assert trained == drawn & of["continual"] | of["pairs"]  # every synthesizer that is tuned on pairs writes for a figure


@pytest.mark.parametrize("scale", study.SCALES)
def test_bootstrapped_pretraining_plans_from_pairs_to_audits(project, scale):
    """The chain of SBP for one model, and nothing of another paper's."""
    heldout = {"smoke": "concepts-heldout", "laptop": "concepts-heldout"}.get(scale, "dclm-heldout")
    suite = {"smoke": "concepts", "laptop": "concepts"}.get(scale, "sbp-published")
    of = f"results/{scale}"
    targets = [
        f"{of}/evaluations/Lark-{arm}/{name}"
        for arm in ("sbp", "random-r2")
        for name in (f"{suite}.parquet", f"{heldout}.heldout.parquet")
    ]
    targets += [
        f"{of}/audits/conditional/Lark-baseline-on-neighbours-by-Lark-{model}.parquet" for model in ("baseline", "synthesizer")
    ]
    targets += [f"{of}/audits/quality/sbp-Lark.parquet"]
    planned = jobs(snakemake(project, "-n", f"--config=scale={scale}", *targets).stdout)
    by_rule: dict[str, set] = {}
    for rule, wildcards in planned:
        by_rule.setdefault(rule, set()).add(wildcards)
    models = {wildcards.split("model=")[1] for wildcards in by_rule["pretrain"]}
    assert models == {"Lark-baseline", "Lark-sbp", "Lark-random-r2"}
    runs = {wildcards.split("run=")[1] for wildcards in by_rule["train"]}
    assert runs == {"Lark-baseline-on-neighbours", "Lark-baseline-on-random-pairs"}
    assert {
        "embeddings",
        "pairs",
        "random_pairs",
        "pair_documents",
        "checkpoint_model",
        "prompts",
        "sbp",
        "gather",
    } <= by_rule.keys()
    shards = study.load()[scale]["corpora"]["sbp-Lark"]["shards"]
    assert sum("corpus=sbp-Lark, " in wildcards for wildcards in by_rule["sbp"]) == shards
    assert ("readings" in by_rule) == (scale in ("smoke", "laptop")) and "curate" not in by_rule


@pytest.mark.parametrize("scale", study.SCALES)
def test_mixtures_plan_from_texts_over_sweeps_to_verdicts(project, scale):
    """One target has all figures and tables of the paper, from tables that all sweeps of the scale go into."""
    planned = jobs(snakemake(project, "-n", f"--config=scale={scale}", "mixtures").stdout)
    rules = {rule for rule, _ in planned}
    drawn = {f"mixtures_{name}" for name in (*(f"fig{number}" for number in range(1, 11)), "speedup", "worlds", "tables")}
    assert drawn | {"sweep", "mixtures_runs", "mixtures_unigrams", "copy_of_the_tables", "verdicts"} <= rules
    swept = {re.search(r"sweep=([^,]+)", wildcards).group(1) for rule, wildcards in planned if rule == "sweep"}
    assert swept == {name for name, row in study.load()[scale]["sweeps"].items() if row["runs"]}


def test_published_problems_with_other_numbers_and_mbpp_are_planned(project):
    targets = [
        f"results/paper/evaluations/{run}/published-code.parquet"
        for run in ("Qwen2.5-0.5B", "Qwen2.5-0.5B-on-bos-Qwen2.5-0.5B-t1.0")
    ]
    planned = jobs(snakemake(project, "-n", "--config=scale=paper", "results/paper/fig2.pdf", *targets).stdout)
    assert sum(rule == "evaluate_run" and "suite=published-perturbed" in wildcards for rule, wildcards in planned) == 4
    assert {"evaluate_model", "evaluate_run"} <= {rule for rule, wildcards in planned if "suite=published-code" in wildcards}


def test_replicates_are_planned_with_models_of_their_own(project):
    planned = jobs(snakemake(project, "-n", "--config=replicates=2", "results/laptop/replicates.csv").stdout)
    made = {wildcards.split("model=")[1] for rule, wildcards in planned if rule == "pretrain"}
    first = {model for model in made if not model.endswith("-r2")}
    assert made == first | {f"{model}-r2" for model in first} and len(first) == 6


RUNS = {
    "smoke": ("Quill-small-on-entigraph-books-8100-s1", "books", {"books", "books_suite", "pretrain"}),
    "laptop": ("Quill-small-on-entigraph-null-436000-s1", "books", {"books", "books_suite", "pretrain"}),
    "gpu": ("Qwen2.5-0.5B-on-qa-books-6000000-s2", "quality", {"quality_articles", "quality_suite", "hub_model", "hub"}),
    "paper": (
        "Meta-Llama-3-8B-on-entigraph-books-455000000-s1",
        "quality",
        {"quality_articles", "quality_suite", "hub_model", "hub"},
    ),
}


@pytest.mark.parametrize("scale", study.SCALES)
def test_a_generated_corpus_is_planned_from_its_source_to_its_scores(project, scale):
    run, suite, own = RUNS[scale]
    target = f"results/{scale}/evaluations/{run}/{suite}.parquet"
    planned = jobs(snakemake(project, "-n", f"--config=scale={scale}", target).stdout)
    assert {"generate", "collect", "curate", "budget", "train", "evaluate_run"} | own <= {rule for rule, _ in planned}
    corpus = study.row_at("runs", run, scale)["corpus"]
    number = study.row_at("corpora", corpus, scale)["shards"]
    shards = {wildcards for rule, wildcards in planned if rule == "generate"}
    assert shards == {f"scale={scale}, corpus={corpus}, shard={k}-of-{number}" for k in range(1, number + 1)}


def test_the_slurm_profile_plans_the_papers_models(project):
    output = snakemake(project, "-n", "--profile=slurm").stdout
    for model in ("Qwen2.5-0.5B", "Qwen2.5-7B", "Qwen3-8B-Base", "Llama-3.2-1B", "pythia-1.4b"):
        assert f"model={model}" in output


def test_a_dry_run_of_all_targets_costs_little_beside_what_snakemake_takes_for_as_many_jobs(project, tmp_path):
    """Less than 3 s of CPU, the aim, or 2.5 times what as many jobs without rows and patterns take; best of three pairs.

    The graph of the others is five rules in a row. Parses are kept from the first run.
    """

    def cpu(folder, *arguments):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        snakemake(folder, "-n", "--quiet=all", *arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    number = len(jobs(snakemake(project, "-n", "--config=scale=paper").stdout))
    rules = [f"rule all:\n input: expand('results/paper/0/{{i}}', i=range({number // 5}))\n"]
    for step in range(5):
        rules += [f"rule r{step}:\n output: 'results/{{scale}}/{step}/{{i}}'\n log: 'logs/{{scale}}/{step}/{{i}}'\n"]
        rules += [f" input: 'results/{{scale}}/{step + 1}/{{i}}'\n"] if step < 4 else []
        rules += [" shell: 'touch {output}'\n"]
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "Snakefile").write_text("".join(rules), encoding="utf-8")
    # one after the other: other tests slow both
    pairs = [(cpu(project, "--config=scale=paper"), cpu(bare)) for _ in range(3)]
    assert number >= 250 and any(took < max(3, 2.5 * least) for took, least in pairs), (number, pairs)


def test_gpu_scale_stops_before_any_job(project):
    done = snakemake(project, "--config=scale=paper", "results/fig5.pdf", check=False)
    assert done.returncode != 0
    assert "needs a GPU" in done.stdout and not list(project.glob("results/paper/**/*.parquet"))


def test_a_bad_row_stops_in_the_dry_run(project):
    path = project / "papers/bos_only/study.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("architecture: llama", "architecture: lama"), encoding="utf-8")
    done = snakemake(project, "-n", check=False)
    assert done.returncode != 0
    assert "row Finch-small, key architecture: expected one of qwen2, qwen3, llama, gpt_neox, found 'lama'" in done.stdout


def test_list_shows_each_artifact_with_its_caption(project):
    output = snakemake(project, "--list").stdout
    assert re.search(r"^fig5.*Figure 5: ", output, re.MULTILINE | re.DOTALL)
