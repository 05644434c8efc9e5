"""Prompts as files: what is rendered, and which file and key an error names."""

import pytest
import yaml

from scripts.synthesis.chat import messages_of, read_prompt, read_prompts
from scripts.synthesis.generate import METHODS, OF_PAGES
from scripts.synthesis.requests import Refused, Request

GOOD = {"system": "Costs $$5.", "user": "$document\n$entities", "json": False, "temperature": 1}


def written(folder, **changes):
    """A prompt's file; a change to None takes a key away."""
    path = folder / "pair.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in {**GOOD, **changes}.items() if value is not None}))
    return path


def test_a_document_and_fields_are_put_in_as_they_are(tmp_path):
    prompt = read_prompt(written(tmp_path), ("entities",))
    request = Request("pair", 'He said {"a": $1} and $document.', {"entities": ["Ada", "Bo $x"]})
    assert messages_of(prompt, request) == [
        {"role": "system", "content": "Costs $5."},
        {"role": "user", "content": 'He said {"a": $1} and $document.\n- Ada\n- Bo $x'},
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"json": None}, "key json: missing; expected true or false"),
        ({"json": "yes"}, "key json: expected true or false, found 'yes'"),
        ({"temperature": -1}, "key temperature: expected a number of 0 or more, found -1"),
        ({"temperature": True}, "key temperature: expected a number"),
        ({"top_p": 0}, "key top_p: expected a number above 0 and up to 1, found 0"),
        ({"top_k": 5}, "key top_k: unknown; a prompt has system, user, json, temperature"),
        ({"user": "$document"}, r"key user: \$entities is missing; expected \$document, \$entities"),
        ({"user": "$entities"}, r"key user: \$document is missing"),
        ({"system": "For $audience."}, r"key system: \$audience is unknown; expected \$document, \$entities"),
        ({"system": "Costs $5."}, "key system: a dollar sign that names nothing"),
    ],
)
def test_an_error_names_the_file_and_the_key(tmp_path, changes, message):
    with pytest.raises(Refused, match=f"{tmp_path}/pair.yaml, {message}"):
        read_prompt(written(tmp_path, **changes), ("entities",))


def test_top_p_is_1_where_a_prompt_says_nothing_of_it(tmp_path):
    assert read_prompt(written(tmp_path), ("entities",)).top_p == 1
    assert read_prompt(written(tmp_path, top_p=0.95), ("entities",)).top_p == 0.95


def test_what_is_no_prompt_at_all(tmp_path):
    with pytest.raises(Refused, match="triple.yaml: missing; expected a prompt"):
        read_prompts(tmp_path, {"triple": ("entities",)})
    for text in ("- a list", "system: [", ""):
        (tmp_path / "pair.yaml").write_text(text)
        with pytest.raises(Refused, match="pair.yaml: "):
            read_prompts(tmp_path, {"pair": ("entities",)})


def test_a_request_with_other_fields_than_the_prompt_s_is_refused(tmp_path):
    prompt = read_prompt(written(tmp_path), ("entities",))
    with pytest.raises(Refused, match="pair.yaml, field entities: the request has none"):
        messages_of(prompt, Request("pair", "d", {}))
    with pytest.raises(Refused, match="pair.yaml, field genre: no text of the prompt names it"):
        messages_of(prompt, Request("pair", "d", {"entities": ["a"], "genre": "ode"}))


@pytest.mark.parametrize("method", [METHODS[name] for name in METHODS if name not in OF_PAGES])
def test_the_prompts_of_every_method_about_books_are_there(root, method):
    prompts = read_prompts(root / "papers/entigraph/prompts", method.KINDS)
    for kind, prompt in prompts.items():
        assert prompt.json == (kind == method.FIRST)
        system, user = messages_of(prompt, Request(kind, "THE TEXT", dict.fromkeys(method.KINDS[kind], "THE FIELD")))
        assert user["content"].startswith("### Document\nTHE TEXT"), "what calls share comes first, and is cached"
        assert user["content"].count("THE FIELD") == len(method.KINDS[kind]) and "$" not in system["content"]
