"""The fast LM against lm-eval's own on the same requests, and its plan by hand."""

import json

import pytest
import torch

from scripts.evaluation import harness
from scripts.evaluation.suites import load_tasks
from scripts.lib.models import BadModel


@pytest.fixture(scope="module")
def tasks(row, suite):
    return load_tasks(row, suite)


def requests_of(tasks, kind):
    return [i for parts in tasks.values() for task in parts for i in task.instances if i.request_type == kind]


def pair(row, folder):
    """The fast LM and lm-eval's own, of the same model."""
    return harness.make_lm({**row, "backend": "pocket"}, folder)[0], harness.make_lm({**row, "backend": "hf"}, folder)[0]


@pytest.mark.parametrize("add_bos", [True, False])
@pytest.mark.parametrize("model", ["base", "llama", "qwen3", "gpt_neox", "gpt_neox_sequential"])
def test_log_likelihoods_and_texts_are_those_of_lm_eval(model, add_bos, row, tasks, request, monkeypatch):
    from scripts.evaluation import pocket_lm

    monkeypatch.setattr(pocket_lm, "ROWS", 5)
    monkeypatch.setattr(pocket_lm, "LOOK", 3)
    monkeypatch.setattr(pocket_lm, "TOKENS", 300)
    fast, own = pair({**row, "add_bos": add_bos}, request.getfixturevalue(model))
    asked = requests_of(tasks, "loglikelihood")
    ours, theirs = fast.loglikelihood(asked), own.loglikelihood(asked)
    assert [a for a, _ in ours] == pytest.approx([a for a, _ in theirs], abs=1e-4)
    assert [b for _, b in ours] == [b for _, b in theirs]
    assert min(a for a, _ in ours) < max(a for a, _ in ours) - 1
    asked = requests_of(tasks, "generate_until")
    texts = fast.generate_until(asked)
    assert texts == own.generate_until(asked)
    assert len({len(text) for text in texts}) > 3, "stop strings should cut at different places"


def test_bos_changes_the_scores(row, tasks, base):
    asked = requests_of(tasks, "loglikelihood")
    with_bos, without = (pair({**row, "add_bos": flag}, base)[0].loglikelihood(asked) for flag in (True, False))
    assert max(abs(a - b) for (a, _), (b, _) in zip(with_bos, without, strict=True)) > 0.1


def test_empty_context_and_rolling(row, base):
    from lm_eval.api.instance import Instance

    fast, own = pair(row, base)
    asked = [Instance("loglikelihood", {}, ("", " Aldmoor"), 0), Instance("loglikelihood", {}, ("In Aldmoor", " Ana"), 1)]
    assert [a for a, _ in fast.loglikelihood(asked)] == pytest.approx([a for a, _ in own.loglikelihood(asked)], abs=1e-4)
    rolling = [Instance("loglikelihood_rolling", {}, ("Ana lives in Cathor. " * 20,), 0)]
    assert fast.loglikelihood_rolling(rolling) == pytest.approx(own.loglikelihood_rolling(rolling), rel=1e-5)


TEXTS = ["Ana lives in Cathor.", "<|bos|>Ana", "Ana <|eos|> <|bos|>", " leading and trailing ", "naïve 北京 🙂", "", "a\n\nb"]
SETTINGS = {
    "the workflow's own": {},
    "keys that transformers does not heed": {"add_bos_token": True, "add_eos_token": True},
    "another EOS than config.json's": {"eos_token": {"__type": "AddedToken", "content": "<|bos|>", "special": True}},
}


@pytest.mark.parametrize("add_bos", [True, False])
@pytest.mark.parametrize("template", [False, True])
@pytest.mark.parametrize("settings", SETTINGS)
def test_tokens_are_those_of_lm_eval(settings, template, add_bos, row, base, tmp_path):
    """Whoever asks for special tokens: the suite's row, or the template of tokenizer.json, as in Llama's."""
    import shutil

    from tokenizers import Tokenizer, processors

    folder = shutil.copytree(base, tmp_path / "model")
    if template:
        tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokens.post_processor = processors.TemplateProcessing(single="<|bos|>:0 $A:0", special_tokens=[("<|bos|>", 0)])
        tokens.save(str(folder / "tokenizer.json"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | SETTINGS[settings]))
    fast, own = pair({**row, "add_bos": add_bos}, folder)
    assert (fast.eot_token_id, fast.prefix_token_id) == (own.eot_token_id, own.prefix_token_id)
    assert (fast.max_length, fast.max_gen_toks) == (own.max_length, own.max_gen_toks)
    for text in TEXTS:
        for special in (None, True, False):
            assert fast.tok_encode(text, add_special_tokens=special) == own.tok_encode(text, add_special_tokens=special), text
        ids = own.tok_encode(text)
        for skip in (True, False):
            assert fast.tok_decode(ids, skip_special_tokens=skip) == own.tok_decode(ids, skip_special_tokens=skip)
    for context in TEXTS[:5]:
        assert fast._encode_pair(context, " and more") == own._encode_pair(context, " and more")


def test_none_of_transformers_is_imported(row, suite, base, checkpoints, tmp_path, root):
    """It would take most of a short job's time."""
    import subprocess
    import sys

    code = (
        "import json, sys; from pathlib import Path; from scripts.evaluation import harness; from scripts.evaluation.suites "
        "import quiet\nrow, base, checkpoints, suite, out = sys.argv[1:]\nquiet(Path(out) / 'cache')\nharness.evaluate(base, "
        "checkpoints, suite, f'{out}/small.parquet', Path(out), row=json.loads(row), name='r', code='c')\n"
        "print('imported', *sorted({'transformers', 'scipy.stats', 'torch', 'lm_eval'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, json.dumps(row), *map(str, (base, checkpoints, suite, tmp_path))]
    done = subprocess.run(command, cwd=root, text=True, capture_output=True, check=True)
    assert done.stdout == "imported lm_eval torch\n" and (tmp_path / "small.parquet").exists()


def test_plans_are_kept_and_answers_are_not(row, tasks, base, checkpoints):
    lm, swap = harness.make_lm(row, base)
    asked = requests_of(tasks, "loglikelihood")
    first = lm.loglikelihood(asked)
    planned = lm._choices[1]
    swap(checkpoints / "subset-0/epoch-1")
    other = lm.loglikelihood(asked)
    assert lm._choices[1] is planned
    assert max(abs(a - b) for (a, _), (b, _) in zip(first, other, strict=True)) > 1
    assert other == harness.make_lm(row, checkpoints / "subset-0/epoch-1")[0].loglikelihood(asked)
    swap(base)
    assert lm.loglikelihood(asked) == first
    some = lm.loglikelihood(asked[:5])  # other questions: a new plan
    assert [a for a, _ in some] == pytest.approx([a for a, _ in first[:5]], abs=1e-4)


def test_a_finished_prompt_ends_at_eos(row, base):
    lm = harness.make_lm(row, base)[0]
    assert lm._until_eos([5, 7, lm.eot_token_id, 9]) == [5, 7]
    assert lm._until_eos([5, 7]) == [5, 7]


def test_tree_by_hand():
    from scripts.evaluation.pocket_lm import group, plan, shared_prefix, tree_of

    assert shared_prefix([[1, 2, 3], [1, 2, 4, 5], [1, 2]]) == 2
    assert group([[1, 2, 3, 4], [1, 2, 3, 5], [9, 2, 3, 4], [9, 2, 3], [1, 2, 3, 4]]) == [[0, 1], [2, 3], [4]]
    tree = tree_of([[1, 2, 3], [1, 2, 4, 5]])
    assert tree == ([1, 2, 3, 4, 5], [0, 1, 2, 2, 3], [0, 0, 1, 2, 2], [[0, 1, 2], [0, 1, 3, 4]])
    # contexts 7 8 and two continuations: 1, and 2 3; inputs are 7 8 and 7 8 2
    (batch,) = plan([([7, 8], [1]), ([7, 8], [2, 3])], 100)
    assert batch.ids.tolist() == [[7, 8, 2]] and batch.positions.tolist() == [[0, 1, 2]]
    assert batch.rows.tolist() == [[1, 2]] and batch.targets.tolist() == [1, 2, 3] and batch.owners.tolist() == [0, 1, 1]
    assert torch.equal(batch.mask[0, 0] == 0, torch.ones(3, 3).tril().bool())
    # branches do not see each other
    (batch,) = plan([([7, 8], [1, 4]), ([7, 8], [2, 3])], 100)
    assert (batch.mask[0, 0, 3] == 0).tolist() == [True, True, False, True]
    # too long: the left end goes
    (batch,) = plan([([1, 2, 3, 4], [5, 6])], 3)
    assert batch.ids.tolist() == [[3, 4, 5]] and batch.targets.tolist() == [5, 6]
    with pytest.raises(ValueError, match="request 1"):
        plan([([1], [2]), ([1], [])], 10)


def test_what_it_cannot_do_is_said(row, base, tasks, tmp_path, tokenizer_folder):
    import shutil

    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=320, n_embd=32, n_layer=1, n_head=4, bos_token_id=0, eos_token_id=1)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    for file in tokenizer_folder.iterdir():
        shutil.copy(file, tmp_path / "gpt2")
    with pytest.raises(BadModel, match="model_type is gpt2; pocket knows llama, qwen2, qwen3, gpt_neox: use hf"):
        harness.make_lm(row, tmp_path / "gpt2")
    lm = harness.make_lm(row, base)[0]
    (asked, *_) = requests_of(tasks, "generate_until")
    sampled = type(asked)("generate_until", {}, (asked.args[0], {"do_sample": True, "temperature": 0.7}), 0)
    with pytest.raises(ValueError, match="greedily only"):
        lm.generate_until([sampled])
