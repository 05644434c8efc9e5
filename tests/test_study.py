"""Rows that cannot be used stop at once, with file, row and key."""

import copy
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import Wildcards

from scripts import answers, study
from scripts.code import ROOT

FILE = "papers/bos_only/study.yaml"
TAKEN = "--signals-to-handle SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"


@pytest.fixture(scope="module")
def written():
    return study.read_yaml(ROOT / "config.yaml"), {FILE: study.read_yaml(ROOT / FILE)}


def changed(written, table, row, key, value, remove=False):
    config, studies = copy.deepcopy(written)
    target = studies[FILE][table][row]
    if remove:
        del target[key]
    else:
        target[key] = value
    return config, studies


def test_every_row_of_every_scale_is_good(written):
    tables = study.resolve(*written)
    assert set(tables) == set(study.SCALES)
    assert tables["paper"]["figures"]["fig5"]["arms"]["same_lineage"] == "Qwen2.5-0.5B-on-bos-Qwen2.5-7B-t1.0"
    assert tables["laptop"]["runs"]["Wren-small-on-bos-Wren-small-t1.0"]["checkpoints"] == [0, 1, 2, 5, 10]


@pytest.mark.parametrize(
    ("table", "row", "key", "value", "message"),
    [
        ("models", "Wren-small", "seeds", 1, "row Wren-small, key seeds: unknown"),
        ("models", "Wren-small", "seed", "one", "row Wren-small, key seed: expected a whole number"),
        ("models", "Wren-small", "tokenizer", "wrem", "row Wren-small, key tokenizer: wrem is no row of tokenizers"),
        ("models", "Qwen2.5-7B", "revision", "main", "row Qwen2.5-7B, key revision: expected a full commit hash"),
        ("models", "Wren-small", "kind", "scratchy", "row Wren-small, key kind: expected one of scratch, path, hub"),
        ("tokenizers", "wren", "mix", {"prose": 0.5, "pocket-web": 0.4}, "row wren, key mix: expected shares that sum to 1"),
        ("tokenizers", "wren", "mix", {"prosa": 1.0}, "row wren, key mix: prosa is no row of sources"),
        ("recipes", "skills-first", "phases", [{"share": 0.5, "mix": {"prose": 1}}], "row skills-first, key phases"),
        (
            "recipes",
            "skills-first",
            "phases",
            [{"share": 1, "mix": {"x": 1}}],
            "row skills-first, key phases: phase 1, mix: x is no",
        ),
        ("corpora", "bos-{source_model}-t{temperature}", "source_model", "{selv}", "key source_model: {selv} is no role"),
        ("corpora", "bos-{source_model}-t{temperature}", "temperature", -1, "key temperature: expected a number above 0"),
        ("corpora", "bos-{source_model}-t{temperature}", "shards", 0, "key shards: expected a whole number above 0"),
        (
            "corpora",
            "bos-{source_model}-t{temperature}",
            "tensor_parallel",
            1.5,
            "key tensor_parallel: expected a whole number",
        ),
        ("figures", "fig5{of}", "arms", {"self": "nobody"}, "row fig5{of}, key arms: self: nobody is no row of runs"),
        ("figures", "fig6{of}", "own", {"1.0": "bos-nobody"}, "row fig6{of}, key own: 1.0: bos-nobody is no row of corpora"),
        ("corpora", "{side}-{corpus}", "threshold", "mean", "key threshold: expected a cosine between -1 and 1, or median"),
        ("corpora", "{side}-{corpus}", "embedder", "lsb", "key embedder: lsb is no row of embedders"),
        ("models", "Wren-large", "at", {"desk": {"hidden": 1}}, "row Wren-large, key at: unknown scale desk"),
    ],
)
def test_a_bad_row_is_named(written, table, row, key, value, message):
    with pytest.raises(study.StudyError) as error:
        study.resolve(*changed(written, table, row, key, value))
    assert str(error.value).startswith(FILE) and message in str(error.value)


def test_a_missing_key_is_named(written):
    with pytest.raises(study.StudyError, match="row Wren-small, key architecture: missing"):
        study.resolve(*changed(written, "models", "Wren-small", "architecture", None, remove=True))


def test_a_role_without_a_model_is_named(written):
    config, studies = copy.deepcopy(written)
    studies[FILE]["roles"]["paper"]["stronger"] = None
    with pytest.raises(study.StudyError, match="scale paper: the role stronger has no model"):
        study.resolve(config, studies)
    studies[FILE]["roles"]["paper"]["stronger"] = "Qwen9"
    with pytest.raises(study.StudyError, match="Qwen9"):
        study.resolve(config, studies)


def test_a_paper_may_have_defaults_of_its_own_and_no_roles(written):
    config, studies = copy.deepcopy(written)
    other = {"models": {"Lark": {**studies[FILE]["models"]["Wren-small"], "scales": ["laptop"]}}}
    studies["papers/other/study.yaml"] = other
    before = study.resolve(config, studies)["laptop"]["models"]
    other["defaults"] = {"laptop": {"models": {"hidden": 64, "heads": 4}}}
    after = study.resolve(config, studies)["laptop"]["models"]
    assert after["Lark"] == {**before["Lark"], "hidden": 64, "heads": 4} and before["Lark"]["hidden"] != 64
    assert all(after[name] == row for name, row in before.items() if name != "Lark")
    for changed, message in (
        ({"defaults": {"desk": {}}}, "key defaults: unknown scale desk"),
        ({"defaults": {"laptop": {"model": {}}}}, "key defaults, scale laptop: unknown table model"),
    ):
        with pytest.raises(study.StudyError, match=message):
            study.resolve(config, {**studies, "papers/other/study.yaml": {**other, **changed}})


SBP = "papers/sbp/study.yaml"


@pytest.fixture(scope="module")
def bootstrapped():
    return study.read_yaml(ROOT / "config.yaml"), {SBP: study.read_yaml(ROOT / SBP)}


@pytest.mark.parametrize("scale", study.SCALES)
def test_the_arms_of_bootstrapped_pretraining_differ_in_their_text_alone(bootstrapped, scale):
    tables = study.resolve(*bootstrapped)[scale]
    text = ("name", "recipe", "phases", "once", "checkpoints")
    arms = [name for name in tables["models"] if name in ("Lark-baseline", "Lark-sbp", "Lark-oracle", "Lark-random")]
    arms += [name for name in tables["models"] if name.startswith("Lark-share") and "-r" not in name]
    rows = [{key: value for key, value in tables["models"][name].items() if key not in text} for name in arms]
    assert len(rows) == 8 and all(row == rows[0] for row in rows)
    phases = {name: tables["models"][name]["phases"] for name in arms}
    assert {sum(phase["tokens"] for phase in one) for one in phases.values()} == {rows[0]["tokens"]}
    assert tables["models"]["Lark-sbp"]["once"] == ["sbp-Lark"] and "once" not in tables["models"]["Lark-baseline"]
    assert rows[0]["steps"] * rows[0]["batch"] * rows[0]["block"] >= rows[0]["tokens"]
    assert tables["models"]["Lark-sbp-r2"]["seed"] != tables["models"]["Lark-sbp"]["seed"]
    assert tables["models"]["Lark-sbp-r2"]["phases"] == tables["models"]["Lark-sbp"]["phases"]


@pytest.mark.parametrize(
    ("table", "row", "key", "value", "message"),
    [
        (
            "recipes",
            "sbp-0.375",
            "phases",
            [{"share": 1, "mix": {"sbp-Larch": 1}}],
            "sbp-Larch is no row of sources or corpora",
        ),
        ("models", "Lark-sbp", "checkpoints", [10, 100], "key checkpoints: expected a list of rising whole numbers between"),
        ("models", "Lark-synthesizer", "run", "nobody", "key run: nobody is no row of runs"),
        ("pairs", "random-pairs", "of", "neighbors", "key of: neighbors is no row of pairs"),
        ("pairs", "neighbours", "floor", 2, "key floor: expected a share"),
        ("runs", "Lark-baseline-on-random-pairs", "pairs", "pears", "key pairs: pears is no row of pairs"),
        ("runs", "Lark-baseline-on-random-pairs", "packing", "stream", "key packing: expected one of documents"),
        ("corpora", "sbp-Lark", "each", 0, "key each: expected a whole number above 0"),
    ],
)
def test_a_bad_row_of_bootstrapped_pretraining_is_named(bootstrapped, table, row, key, value, message):
    config, studies = copy.deepcopy(bootstrapped)
    studies[SBP][table][row][key] = value
    with pytest.raises(study.StudyError) as error:
        study.resolve(config, studies)
    assert message in str(error.value) and row.split("{")[0] in str(error.value)


def test_a_source_and_a_corpus_share_no_name(bootstrapped):
    config, studies = copy.deepcopy(bootstrapped)
    studies[SBP]["corpora"]["concepts"] = studies[SBP]["corpora"]["sbp-Lark"]
    with pytest.raises(study.StudyError, match="row concepts: concepts is a row of sources too"):
        study.resolve(config, studies)


def test_a_key_written_twice_is_named(tmp_path):
    (tmp_path / "study.yaml").write_text("models:\n  a: {kind: path}\n  a: {kind: hub}\n")
    with pytest.raises(study.StudyError, match="line 3: the key a stands twice"):
        study.read_yaml(tmp_path / "study.yaml")


def test_an_absent_role_leaves_its_rows_and_entries_out(written):
    tables = study.resolve(*written)
    assert "twin" not in tables["paper"]["figures"]["fig5"]["controls"]
    assert not any("twin" in name for name in tables["paper"]["runs"])
    assert "gate" not in tables["paper"]["runs"]["Qwen2.5-0.5B-on-bos-Qwen2.5-0.5B-t1.0"]


def test_a_model_of_the_user_gets_a_figure_of_its_own(written):
    config, studies = copy.deepcopy(written)
    studies[FILE]["models"]["mine"] = {"kind": "path", "scales": ["laptop"], "path": "somewhere"}
    tables = study.resolve(config, studies)["laptop"]
    assert tables["figures"]["fig5-mine"]["arms"]["self"] == "mine-on-bos-mine-t1.0"
    assert tables["figures"]["fig5-mine"]["arms"]["cross_family"] == "mine-on-bos-Finch-small-t1.0"
    assert tables["figures"]["fig5"] == study.resolve(*written)["laptop"]["figures"]["fig5"]


def test_audits_of_a_model_of_the_user_and_of_split_corpora(written, monkeypatch):
    from types import SimpleNamespace

    config, studies = copy.deepcopy(written)
    studies[FILE]["models"]["mine"] = {"kind": "path", "scales": ["laptop"], "path": "somewhere"}
    tables = study.resolve(config, studies)
    made = tables["laptop"]
    assert made["figures"]["fig6-mine"]["own"]["1.25"] == "bos-mine-t1.25"
    assert made["figures"]["fig11-mine"]["cross"]["0.75"] == "bos-mine-t0.75"
    assert made["figures"]["fig4-mine"]["arms"]["below"] == "mine-on-below-bos-mine-t1.25"
    assert made["corpora"]["below-bos-mine-t1.25"]["threshold"] == "median"
    assert tables["paper"]["corpora"]["above-bos-Qwen2.5-0.5B-t1.25"]["threshold"] == 0.35
    monkeypatch.setattr(study, "load", lambda: tables)
    monkeypatch.setattr(answers, "load", lambda: tables)

    def asked(**names):
        class Wildcards(SimpleNamespace):
            def __getitem__(self, name):
                return getattr(self, name)

        return Wildcards(scale="laptop", **names)

    assert answers.writer_of(asked(corpus="below-bos-mine-t1.25")) == ["results/laptop/models/mine"]
    assert answers.writer_of(asked(corpus="replay-prose")) == []
    assert answers.similarity_of_parent(asked(corpus="above-bos-mine-t1.25")).endswith(
        "/bos-mine-t1.25-to-pocket-by-lsa.parquet"
    )
    assert answers.temperatures() == ["0.75", "1.0", "1.25"]
    paths = answers.audited("results/{scale}/audits/nll/{corpus}-by-{scorer}.parquet", "own", "cross")(
        asked(figure="fig6-mine")
    )
    assert len(paths) == 6 and paths[0].endswith("/bos-mine-t0.75-by-mine.parquet")


def test_constraints_take_only_names_of_rows():
    import re

    pattern = study.names("corpora", method="shuffle")
    assert re.fullmatch(pattern, "shuffled-bos-Wren-small-t1.0")
    assert not re.fullmatch(pattern, "shuffled-bos-Wren-small-t1x0")
    assert not re.fullmatch(study.names("models", kind="nothing"), "")


def test_a_work_folder_is_of_one_row_one_code_and_one_job(monkeypatch):
    from types import SimpleNamespace

    class Wildcards(SimpleNamespace):
        def __getitem__(self, name):
            return getattr(self, name)

    where = answers.work("evaluate_run", "suites", "suite", "scripts/evaluation/harness.py", also="run")
    folders = [
        where(Wildcards(scale=s, suite=n, run=r))
        for s, n, r in (
            ("laptop", "pocket", "a"),
            ("laptop", "pocket", "b"),
            ("laptop", "pocket-familiar", "a"),
            ("smoke", "pocket", "a"),
        )
    ]
    monkeypatch.setattr(answers, "code_of", lambda script: "edited")
    folders.append(where(Wildcards(scale="laptop", suite="pocket", run="a")))
    assert len(set(folders)) == 5


def test_shards_and_gpus_of_a_row(written, monkeypatch):
    from types import SimpleNamespace

    class Wildcards(SimpleNamespace):
        def __getitem__(self, name):
            return getattr(self, name)

    config, studies = changed(written, "corpora", "bos-{source_model}-t{temperature}", "at", {"paper": {"tensor_parallel": 4}})
    tables = study.resolve(config, studies)
    monkeypatch.setattr(study, "load", lambda: tables)
    corpora = {"laptop": "bos-Wren-small-t1.0", "gpu": "bos-Qwen2.5-0.5B-t1.0", "paper": "bos-Qwen2.5-0.5B-t1.0"}
    asked = {scale: Wildcards(scale=scale, corpus=corpus) for scale, corpus in corpora.items()}
    gpus = answers.gpus_of("corpora", "corpus", "tensor_parallel")
    assert {scale: gpus(one) for scale, one in asked.items()} == {"laptop": 0, "gpu": 1, "paper": 4}
    assert answers.shards(asked["laptop"]) == ["results/laptop/corpora/bos-Wren-small-t1.0/shards/1-of-1.parquet"]
    found = answers.shards(asked["paper"])
    assert len(found) == 8 and found[2] == "results/paper/corpora/bos-Qwen2.5-0.5B-t1.0/shards/3-of-8.parquet"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gpus", 0, "key gpus: expected a whole number above 0"),
        ("parallel", "deepspeed", "key parallel: expected one of ddp, fsdp"),
        ("gradient_checkpointing", "yes", "key gradient_checkpointing: expected true or false"),
        ("compile", 1, "key compile: expected true or false"),
    ],
)
def test_how_a_run_is_trained_is_checked(written, key, value, message):
    for table, row in (("runs", "{student}-on-{corpus}"), ("models", "Wren-small")):
        with pytest.raises(study.StudyError, match=message):
            study.resolve(*changed(written, table, row, key, value))


def test_a_run_gets_the_processes_of_its_row_where_there_are_gpus(written, monkeypatch):
    from types import SimpleNamespace

    class Wildcards(SimpleNamespace):
        def __getitem__(self, name):
            return getattr(self, name)

    tables = study.resolve(*changed(written, "runs", "{student}-on-{corpus}", "gpus", 4))
    monkeypatch.setattr(study, "load", lambda: tables)
    many, one = "Qwen2.5-0.5B-on-bos-Qwen2.5-7B-t1.0", "pythia-1.4b-on-bos-pythia-1.4b-t1.0"
    laptop = "Wren-small-on-bos-Wren-small-t1.0"
    for scale, run, expected in (("paper", many, 4), ("paper", one, 1), ("laptop", laptop, 0)):
        asked = Wildcards(run=run, scale=scale)
        assert answers.gpus_of("runs", "run", "gpus")(asked) == expected
        start = answers.launcher("runs", "run")(asked)
        assert start.endswith("python -m") or start.endswith(f"--nproc-per-node {expected} {TAKEN} -m")
        assert ("torch.distributed.run" in start) == (expected > 1)


def test_gpu_scales_stop_without_a_gpu(monkeypatch):
    def job(**resources):
        return SimpleNamespace(resources=resources)

    monkeypatch.setattr(answers.shutil, "which", lambda _: None)
    with pytest.raises(study.StudyError, match="--profile slurm"):
        answers.refuse_without_gpu("paper", "local", [job(gpu=0), job(gpu=1)])
    answers.refuse_without_gpu("paper", "slurm", [job(gpu=1)])
    answers.refuse_without_gpu("paper", "local", [job(), job(gpu=0)])  # downloads, figures of tables that are there


ASKED = "--prompts papers/entigraph/prompts"


@pytest.mark.parametrize(
    ("scale", "corpus", "options", "gpu"),
    [
        ("laptop", "entigraph-books", "", 0),
        ("gpu", "entigraph-books", f"{ASKED} --model results/gpu/models/Qwen2.5-7B-Instruct", 1),
        ("paper", "entigraph-books", ASKED, 0),
        ("paper", "entigraph-books-by-qwen", f"{ASKED} --model results/paper/models/Qwen2.5-7B-Instruct", 1),
    ],
)
def test_what_writes_a_corpus_gets_what_it_needs(scale, corpus, options, gpu):
    wildcards = Wildcards(fromdict={"corpus": corpus, "scale": scale})
    assert answers.generator_options(wildcards) == options
    assert answers.generator_gpus(wildcards) == gpu
    assert answers.generator_model(wildcards) == ([options.split()[-1]] if "--model" in options else [])
    prompts = answers.generator_prompts(wildcards)
    assert (len(prompts) > 10) == bool(options) and all((ROOT / path).is_file() for path in prompts)


def test_only_the_sources_of_a_replay_that_replaces_something_are_read():
    of = {run: answers.replayed(SimpleNamespace(run=f"Quill-small-on-raw-books-{run}-s1", scale="laptop")) for run in
          ("replay0", "replay0.3", "174000")}  # fmt: skip
    prose = ["results/laptop/sources/prose/documents.parquet"]
    assert of == {"replay0": [], "replay0.3": prose, "174000": prose}
    assert answers.replayed(SimpleNamespace(run="Wren-small-on-bos-Wren-small-t1.0", scale="laptop")) == []


@pytest.mark.parametrize(
    ("replay", "message"),
    [
        ({"share": 1.0, "how": "add", "mix": {"prose": 1.0}}, "key replay: expected a share of 0 or more and below 1 at share"),
        ({"share": 0.1, "how": "mix", "mix": {"prose": 1.0}}, "key replay: expected one of replace, add at how"),
        ({"share": 0.1, "how": "add"}, "key replay: expected a mapping of share, how, mix"),
        ({"share": 0.1, "how": "add", "mix": {"verse": 1.0}}, "key replay: verse is no row of sources at scale smoke"),
    ],
)
def test_a_replay_is_checked(written, replay, message):
    row = "{student}-on-bos-{self}-t1.0-lr{learning_rate}"
    with pytest.raises(study.StudyError, match=message):
        study.resolve(*changed(written, "runs", row, "replay", replay))


def test_a_model_that_writes_a_corpus_must_be_a_row_and_rules_need_not(written):
    config, studies = copy.deepcopy(written)
    studies["papers/entigraph/study.yaml"] = study.read_yaml(ROOT / "papers/entigraph/study.yaml")
    study.resolve(config, studies)
    studies["papers/entigraph/study.yaml"]["corpora"]["entigraph-books"]["at"]["gpu"] = {
        "source": "quality",
        "source_model": "rules",
        "tokenizer_of": "Qwen2.5-0.5B",
    }
    with pytest.raises(study.StudyError, match="row entigraph-books, key source_model: rules is no row of models at scale gpu"):
        study.resolve(config, studies)
