"""Every artifact of the lead paper end to end at smoke scale, in a temporary directory; then what rebuilds and what does not.

Other papers' stand in tests/papers/*/test_smoke.py, so that they are built beside these.
"""

import json
import time

import pandas as pd
import pytest

from scripts import study
from tests.conftest import snakemake
from tests.papers.smoke import SMOKE, build
from tests.test_dag import jobs
from tests.whole_figure import missing

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project in which every figure of the lead paper has been built at smoke scale."""
    return build(tmp_path_factory.mktemp("smoke"), "bos_only")


def test_the_artifacts_are_whole(built):
    for number in range(1, 12):
        for suffix in ("pdf", "png", "csv", "claims.json"):
            copy, made = built / f"results/fig{number}.{suffix}", built / f"results/smoke/fig{number}.{suffix}"
            assert copy.stat().st_size > 100 and copy.read_bytes() == made.read_bytes()
    assert missing(built / "results/fig5.csv", "smoke") == []


def test_no_claim_is_judged_at_smoke_scale(built):
    claims = json.loads((built / "results/claims.json").read_text())
    assert len(claims["claims"]) > 50 and {claim["verdict"] for claim in claims["claims"]} == {"not comparable"}


def test_the_page_of_verdicts_and_snakemakes_report(built):
    value = json.loads((built / "results/claims.json").read_text())
    made = value["figures"]["fig5"]
    assert value["counts"]["not comparable"] == len(value["claims"]) > 0
    assert made["jobs_timed"] == made["jobs"] > 50 and made["tables"]
    assert "What reproduced, and what did not" in (built / "results/claims.html").read_text()
    snakemake(built, SMOKE, "--report=report.html", "results/claims.html")
    report = (built / "report.html").read_text()
    assert '"Verdicts"' in report and "results/smoke/fig5.pdf" in report and "Every plotted number stands in" in report


def test_the_whole_figure_check_can_fail(built, tmp_path):
    table = pd.read_csv(built / "results/fig5.csv")
    for column in ("series", "task", "epoch"):
        first = table[column].iloc[0]
        table[table[column] != first].to_csv(tmp_path / "less.csv", index=False)
        assert missing(tmp_path / "less.csv", "smoke"), column


def test_nothing_is_left_in_the_work_folder(built):
    assert not [path for path in built.glob("results/smoke/work/*/*")]


def test_building_again_does_nothing(built):
    start = time.monotonic()
    output = snakemake(built, SMOKE, "all_bos_only").stdout
    assert "Nothing to be done" in output
    assert time.monotonic() - start < 15


def test_going_to_another_scale_and_back_trains_nothing(built):
    assert {rule for rule, _ in jobs(snakemake(built, "-n", "--config=scale=laptop", "results/fig5.pdf").stdout)} >= {"train"}
    assert jobs(snakemake(built, "-n", SMOKE, "results/fig5.pdf").stdout) == set()
    copy = built / "results/fig5.pdf"
    smoke = copy.read_bytes()
    other = built / "results/laptop"
    other.mkdir()
    for suffix in ("pdf", "png", "csv", "claims.json"):
        (other / f"fig5.{suffix}").write_text("as if built at laptop scale")
    only_copies = "--allowed-rules=copy_of_the_active_scale"  # the stand-ins above have no history
    snakemake(built, "--config=scale=laptop", only_copies, "results/fig5.pdf")
    assert copy.read_text() == "as if built at laptop scale"
    assert {rule for rule, _ in jobs(snakemake(built, "-n", SMOKE, "results/fig5.pdf").stdout)} == {"copy_of_the_active_scale"}
    snakemake(built, SMOKE, "results/fig5.pdf")
    assert copy.read_bytes() == smoke


def test_editing_one_row_reruns_it_and_its_descendants(built):
    path = built / "papers/bos_only/study.yaml"
    before = path.read_text(encoding="utf-8")
    model = study.load()["smoke"]["models"]["Finch-small"]["name"]
    path.write_text(before.replace("recipe: finch, seed: 4", "recipe: finch, seed: 5"), encoding="utf-8")
    try:
        planned = jobs(snakemake(built, "-n", SMOKE, "results/fig5.pdf").stdout)
    finally:
        path.write_text(before, encoding="utf-8")
    by_rule = {}
    for rule, wildcards in planned:
        by_rule.setdefault(rule, set()).add(wildcards)
    assert by_rule["pretrain"] == {f"scale=smoke, model={model}"}
    assert by_rule["bos"] == {f"scale=smoke, corpus=bos-{model}-t1.0, shard=1-of-1"}
    assert by_rule["gather"] == {f"scale=smoke, corpus=bos-{model}-t1.0"}
    assert by_rule["curate"] == {f"scale=smoke, corpus=bos-{model}-t1.0"}
    assert not {"tokenizer", "prose", "pocket", "pocket_suite"} & set(by_rule)


def test_a_flipped_byte_in_a_big_file_is_found(built):
    path = built / "results/smoke/corpora/bos-Finch-small-t1.0/synthesized.parquet"
    good = path.read_bytes()
    path.write_bytes(good[:200] + bytes([good[200] ^ 1]) + good[201:])
    try:
        done = snakemake(
            built, SMOKE, "--forcerun=curate", "results/smoke/corpora/bos-Finch-small-t1.0/curated.parquet", check=False
        )
        assert done.returncode != 0
        log = (built / "logs/smoke/curate/bos-Finch-small-t1.0.log").read_text()
        assert "bos-Finch-small-t1.0/synthesized.parquet" in log and "sha256" in log
    finally:
        path.write_bytes(good)


def test_a_model_saved_outside_gets_its_own_figure(built, tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("outside") / "my model"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        ["some words of a stranger"], trainers.BpeTrainer(special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(folder)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=tokenizer.get_vocab_size(), bos_token_id=0, eos_token_id=1, **size)
    LlamaForCausalLM(config).save_pretrained(folder)
    path = built / "papers/bos_only/study.yaml"
    before = path.read_text(encoding="utf-8")
    row = f'models:\n  my-model: {{kind: path, scales: [smoke], path: "{folder}"}}\n'
    path.write_text(before.replace("models:\n", row, 1), encoding="utf-8")
    try:
        snakemake(built, SMOKE, "--show-failed-logs", "results/fig5-my-model.pdf")
        table = pd.read_csv(built / "results/fig5-my-model.csv")
        assert jobs(snakemake(built, "-n", SMOKE, "results/fig5.pdf").stdout) == set()
    finally:
        path.write_text(before, encoding="utf-8")
    assert set(table.series) == {"self", "same_lineage", "stronger", "cross_family", "replay", "shuffled"}
    assert set(table.run[(table.series == "self") & (table.kind == "arm")]) == {"my-model-on-bos-my-model-t1.0"}


def test_one_lost_shard_costs_one_shard(built):
    """The last test here: what it makes anew is younger than what was made of it."""
    corpus = built / "results/smoke/corpora/bos-Plover-small-t1.0"
    whole, first = (corpus / "synthesized.parquet").read_bytes(), (corpus / "shards/1-of-2.parquet").stat().st_mtime_ns
    (corpus / "shards/2-of-2.parquet").unlink()
    (corpus / "synthesized.parquet").unlink()
    target = str((corpus / "synthesized.parquet").relative_to(built))
    lost = {("bos", "scale=smoke, corpus=bos-Plover-small-t1.0, shard=2-of-2")}
    joined = ("gather", "scale=smoke, corpus=bos-Plover-small-t1.0")
    assert jobs(snakemake(built, "-n", SMOKE, target).stdout) == {joined, *lost}
    snakemake(built, SMOKE, target)
    assert (corpus / "synthesized.parquet").read_bytes() == whole
    assert (corpus / "shards/1-of-2.parquet").stat().st_mtime_ns == first
