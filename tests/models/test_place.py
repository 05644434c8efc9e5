"""Models from elsewhere: what is taken over, what is refused, and the line that is shown without network."""

import json

import pytest
import torch
import transformers

from scripts.lib.files import read_card, write_card
from scripts.lib.models import BadModel, bos_of, eos_of, load_model, special_token
from scripts.models.place import place
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.synthesis import hf
from scripts.training.architecture import make_model
from scripts.training.output import save_model
from tests.hub_server import REVISION

ROW = {"name": "mine", "kind": "path"}


@pytest.fixture
def folder(tmp_path):
    tokens = tmp_path / "tokenizer"
    tokens.mkdir()
    save_tokenizer(train_tokenizer(["a b c"], 258, "<s>", "</s>"), tokens, "<s>", "</s>")
    shape = {"name": "m", "architecture": "llama", "hidden": 8, "layers": 1, "heads": 2, "feedforward": 8}
    save_model(make_model(shape, 258, 0, 1, seed=0), tmp_path / "given", tokens)
    return tmp_path / "given"


def edit(path, **values):
    content = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({key: value for key, value in content.items() if value != "absent"}))


def test_a_checkpoint_of_a_run_becomes_a_model(folder, tmp_path):
    row = {"name": "tuned", "kind": "checkpoint", "run": "base-on-pairs", "epoch": 2}
    folder.rename(tmp_path / "made")
    (tmp_path / "checkpoints/subset-0").mkdir(parents=True)
    (tmp_path / "made").rename(tmp_path / "checkpoints/subset-0/epoch-2")
    write_card(tmp_path / "checkpoints", row={}, code="c")
    place(tmp_path / "out", tmp_path / "checkpoints", row=row, code="c")
    theirs, mine = (load_model(one).state_dict() for one in (tmp_path / "checkpoints/subset-0/epoch-2", tmp_path / "out"))
    assert all(torch.equal(theirs[name], mine[name]) for name in theirs) and read_card(tmp_path / "out")["row"] == row
    with pytest.raises(BadModel, match="model tuned, key epoch: run base-on-pairs has no checkpoint of epoch 3"):
        place(tmp_path / "no", tmp_path / "checkpoints", row={**row, "epoch": 3}, code="c")


def test_a_local_directory_is_taken_over(folder, tmp_path):
    (folder / "notes.py").write_text("print('no')")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    place(tmp_path / "out", row={**ROW, "path": str(folder)}, code="c")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert set(read_card(tmp_path / "out")["sha256"]) == {path.name for path in (tmp_path / "out").iterdir()}
    given, placed = load_model(folder).state_dict(), load_model(tmp_path / "out").state_dict()
    assert all(torch.equal(given[name], placed[name]) for name in given)
    assert special_token(tmp_path / "out", "bos_token") == 0


def test_bos_comes_from_the_row_when_the_model_has_none(folder, tmp_path):
    edit(folder / "config.json", bos_token_id=None, eos_token_id=None)
    with pytest.raises(BadModel, match="model mine: .*no bos_token_id.*set `bos:` in the row"):
        place(tmp_path / "out", row={**ROW, "path": str(folder)}, code="c")
    assert not (tmp_path / "out").exists()
    place(tmp_path / "out", row={**ROW, "path": str(folder), "bos": 5}, code="c")
    assert (bos_of(tmp_path / "out"), eos_of(tmp_path / "out")) == (5, 5)
    assert json.loads((tmp_path / "out/generation_config.json").read_text())["bos_token_id"] == 5


def test_what_must_not_be_loaded_is_refused(folder, tmp_path):
    row = {**ROW, "path": str(folder)}

    def refused(message, row=row):
        with pytest.raises(BadModel, match=message):
            place(tmp_path / "out", row=row, code="c")

    refused("expected a Hugging Face directory", {**row, "path": str(tmp_path / "absent")})
    refused("bos is 258, expected an id of the vocabulary, 0 to 257", {**row, "bos": 258})
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]})
    refused("tokenizer_config.json, key auto_map")
    edit(folder / "tokenizer_config.json", auto_map="absent")
    edit(folder / "config.json", auto_map={"AutoModel": "evil.M"})
    refused("model mine: .*config.json: key auto_map")
    edit(folder / "config.json", auto_map="absent")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-00002.safetensors"}}))
    refused("model-00002.safetensors, which is not there")
    (folder / "model.safetensors.index.json").unlink()
    (folder / "tokenizer.json").rename(folder / "elsewhere.json")
    refused("tokenizer.json is missing")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused("only pytorch_model.bin, which can run code")


@pytest.fixture
def big(loopback, folder):
    """The same directory as a repository of the hub, with what nobody should want of it."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    more = {
        "pytorch_model.bin": b"pickle",
        "modeling_big.py": b"raise",
        "onnx/model.safetensors": b"other",
        ".gitattributes": b"",
    }
    loopback.repos["models/maker/Big-1B"] = {**files, **more}
    return loopback


HUB = {"name": "Big-1B", "kind": "hub", "repo": "maker/Big-1B", "revision": REVISION, "bos": 9, "scale": "gpu"}
AROUND = "to use a copy of yours, replace the row by `Big-1B: {kind: path, scales: [gpu], path: /path/to/it, bos: 9}`"


def refusal(tmp_path, row=HUB) -> str:
    with pytest.raises(BadModel) as caught:
        place(tmp_path / "out", row=row, code="c")
    assert "\n" not in str(caught.value) and AROUND in str(caught.value)
    assert not (tmp_path / "out").exists()
    return str(caught.value)


def test_a_model_of_the_hub_is_placed_once_more_without_network(big, folder, tmp_path, offline_after):
    for name in ("one", "two"):
        place(tmp_path / name, row=HUB, code="c")
        assert bos_of(tmp_path / name) == 9
        given, placed = load_model(folder).state_dict(), load_model(tmp_path / name).state_dict()
        assert all(torch.equal(given[key], placed[key]) for key in given)
        offline_after()
    wanted = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert big.downloaded() == wanted == {path.name for path in (tmp_path / "two").iterdir()}
    assert read_card(tmp_path / "two")["row"]["revision"] == REVISION


def test_without_network_one_line_says_what_to_write(tmp_path, offline):
    line = refusal(tmp_path)
    assert line.startswith(f"model Big-1B: model maker/Big-1B at {REVISION} is not whole in the cache")
    assert "`snakemake --cores 2 fetch --config scale=gpu`" in line


def test_a_gated_model_shows_its_terms(big, tmp_path):
    big.gated.add("models/maker/Big-1B")
    assert "is gated: accept its terms at https://huggingface.co/maker/Big-1B" in refusal(tmp_path)


def test_a_missing_model_is_one_line(loopback, tmp_path):
    assert refusal(tmp_path).startswith("model Big-1B: model maker/Big-1B is not on the hub")


def test_pickled_weights_and_code_are_refused_before_they_are_downloaded(big, tmp_path):
    files = big.repos["models/maker/Big-1B"]
    weights = files.pop("model.safetensors")
    assert "has no *.safetensors, only pytorch_model.bin, which can run code when loaded" in refusal(tmp_path)
    assert big.downloaded() == set()
    files["model.safetensors"] = weights
    files["config.json"] = json.dumps(
        {**json.loads(files["config.json"]), "auto_map": {"AutoModel": "modeling_big.B"}}
    ).encode()
    assert "config.json: key auto_map asks for code from outside" in refusal(tmp_path)
    assert "model.safetensors" not in big.downloaded()


SHAPES = {
    "Qwen2": ("Qwen2Config", {"tie_word_embeddings": True}),
    "Qwen3": ("Qwen3Config", {"tie_word_embeddings": True, "head_dim": 4}),
    "Llama": ("LlamaConfig", {"tie_word_embeddings": True}),
    "GPTNeoX": ("GPTNeoXConfig", {"tie_word_embeddings": False}),
}


@pytest.mark.parametrize("family", SHAPES)
def test_the_architectures_of_the_gpu_scale_are_placed_and_sampled(family, loopback, tmp_path):
    """Random weights of the shapes that transformers itself makes; the reference engine samples from the BOS of the row."""
    tokens = tmp_path / "tokenizer"
    tokens.mkdir()
    save_tokenizer(train_tokenizer(["a b c"], 258, "<s>", "</s>"), tokens, "<s>", "</s>")
    config, more = SHAPES[family]
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    heads = {} if family == "GPTNeoX" else {"num_key_value_heads": 1}
    made = getattr(transformers, config)(vocab_size=258, max_position_embeddings=64, **sizes, **heads, **more)
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(made).save_pretrained(tmp_path / "given")
    given = {path.name: path.read_bytes() for place in (tmp_path / "given", tokens) for path in place.iterdir()}
    loopback.repos["models/maker/Big-1B"] = given
    place(tmp_path / "out", row={**HUB, "bos": 0}, code="c")
    model = load_model(tmp_path / "out")
    assert type(model).__name__ == f"{family}ForCausalLM"
    block = hf.engine(str(tmp_path / "out"), eos=[1], temperature=1.0, max_new_tokens=4)
    assert [0 < len(sample.ids) <= 4 for sample in block([[0], [0]], [1, 2])] == [True, True]
