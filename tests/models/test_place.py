"""Models from elsewhere: what is taken over, what is refused, and the line that is shown without network."""

import json

import pytest
import torch

from scripts.lib.files import read_card
from scripts.lib.models import BadModel, bos_of, eos_of, load_model, load_tokenizer
from scripts.models.place import place
from scripts.models.tokenizer import save_tokenizer, train_tokenizer
from scripts.training.architecture import make_model
from scripts.training.output import save_model

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
    assert load_tokenizer(tmp_path / "out").bos_token_id == 0


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


def test_without_network_one_line_says_what_to_write(tmp_path, offline):
    row = {"name": "Big-1B", "kind": "hub", "repo": "maker/Big-1B", "revision": "0" * 40, "bos": 9}
    with pytest.raises(BadModel) as caught:
        place(tmp_path / "out", row=row, code="c")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("model Big-1B: maker/Big-1B at 0000")
    assert "`Big-1B: {kind: path, path: /path/to/it, bos: 9}`" in line


def test_the_hub_is_asked_for_safetensors_and_json_at_the_revision(folder, tmp_path, monkeypatch):
    asked = {}

    def download(repo, **options):
        asked.update(options, repo=repo)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    row = {"name": "Big-1B", "kind": "hub", "repo": "maker/Big-1B", "revision": "0" * 40, "bos": 9}
    place(tmp_path / "out", row=row, code="c")
    assert asked == {"repo": "maker/Big-1B", "revision": "0" * 40, "allow_patterns": ["*.safetensors", "*.json"]}
    assert bos_of(tmp_path / "out") == 9
