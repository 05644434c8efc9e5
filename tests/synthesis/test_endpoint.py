"""The engine openai against an endpoint on the loopback: what it sends, limits, retries, errors to act on."""

import pytest

pytest.importorskip("openai", reason="the client of engine openai is not installed here")

from scripts.synthesis.chat import Prompt
from scripts.synthesis.endpoint import Pace
from scripts.synthesis.generators import generator
from scripts.synthesis.requests import Answer, Refused, Request
from tests.synthesis.chat_server import KEY, serving

PROMPTS = {
    "qa": Prompt("qa.yaml", "Ask.", "$document", False, 0.7),
    "entities": Prompt("entities.yaml", "List.", "$document", True, 1.0),
}


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("WRITER_KEY", KEY)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    with serving(lambda body: f"about {body['messages'][1]['content']}") as end:
        yield end


def ask(end, requests=3, **changes) -> list[Answer]:
    """The answers to so many requests, in their order."""
    about = {
        "base_url": end.base_url,
        "model": "writer-1",
        "key_variable": "WRITER_KEY",
        "concurrency": 4,
        "requests_per_minute": 1e6,
        "tokens_per_minute": 1e9,
        "retries": 2,
        "timeout": 20,
        **changes,
    }
    row = {"name": "corpus", "engine": "openai", "max_new_tokens": 50, "endpoint": {k: v for k, v in about.items() if v != ""}}
    generate = generator(row, prompts=PROMPTS, count=lambda texts: [len(text.split()) for text in texts])
    asked = [Request("qa", f"document {i}", {}) for i in range(requests)] if isinstance(requests, int) else requests
    found = dict(generate(asked, [2**62 + i for i in range(len(asked))]))
    return [found[i] for i in range(len(asked))]


def test_each_request_is_a_call_with_its_own_seed(endpoint):
    answers = ask(endpoint, [Request("qa", "one", {}), Request("entities", "two", {})])
    assert answers == [Answer("about one", 11, 5, "stop"), Answer("about two", 11, 5, "stop")]
    first, second = sorted(endpoint.asked, key=lambda body: body["seed"])
    assert first == {
        "model": "writer-1",
        "messages": [{"role": "system", "content": "Ask."}, {"role": "user", "content": "one"}],
        "temperature": 0.7,
        "top_p": 1.0,
        "max_tokens": 50,
        "seed": 0,
    }
    assert (second["seed"], second["response_format"]) == (1, {"type": "json_object"})


def test_a_cut_answer_says_so_and_one_without_usage_is_counted_here(endpoint):
    endpoint.finish, endpoint.usage = "length", False
    assert ask(endpoint, 1) == [Answer("about document 0", 3, 3, "length")]


@pytest.mark.parametrize(
    "fault",
    [(429, "Rate limit", {}), (500, "Oops", {}), (503, "Busy", {}), ("malformed",), ("page",), ("truncated",)],
    ids=lambda fault: str(fault[0]),
)
def test_a_fault_that_passes_is_tried_again(endpoint, fault):
    endpoint.faults = [fault, fault]
    assert [one.text for one in ask(endpoint, 1)] == ["about document 0"]
    assert len(endpoint.asked) == 3


def test_an_endpoint_is_waited_for_as_long_as_it_says(endpoint):
    endpoint.faults = [(429, "Rate limit", {"Retry_After": "1"})]
    ask(endpoint, 1)
    assert endpoint.times[1] - endpoint.times[0] >= 0.95


def test_a_stalled_answer_is_given_up_and_asked_for_again(endpoint):
    endpoint.faults = [("stall",)]
    assert [one.text for one in ask(endpoint, 1, timeout=2)] == ["about document 0"]
    assert len(endpoint.asked) >= 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((429, "Rate limit\nreached", {}), "answers 429: Rate limit reached"),
        ((500, "Oops", {}), "answers 500: Oops"),
        (("page",), "answers, and not with chat completions, 3 times in a row"),
        (("malformed",), "answers, and not with chat completions, 3 times in a row"),
        (("stall",), "gave no answer within 0.3 s, 3 times in a row"),
        (("truncated",), "cannot be reached"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
def test_a_fault_that_stays_stops_with_one_line(endpoint, fault, message):
    endpoint.faults = [fault] * 99
    with pytest.raises(Refused, match=f"key endpoint: {endpoint.base_url} {message}") as stop:
        ask(endpoint, 1, timeout=0.3 if fault == ("stall",) else 20)
    assert len(endpoint.asked) == 3 and "\n" not in str(stop.value)


def test_what_a_person_must_mend_is_not_tried_again(endpoint, monkeypatch):
    with pytest.raises(Refused, match=r"knows no model writer-2, or is no base_url \(404: The model writer-2 does not exist\)"):
        ask(endpoint, 1, model="writer-2")
    monkeypatch.setenv("WRITER_KEY", "wrong")
    with pytest.raises(Refused, match=r"does not accept the key in the environment variable WRITER_KEY \(401\)"):
        ask(endpoint, 1)
    assert len(endpoint.asked) == 2


def test_what_is_missing_is_said_before_anything_is_asked(endpoint, monkeypatch):
    monkeypatch.delenv("WRITER_KEY")
    with pytest.raises(Refused, match="key endpoint: the environment variable WRITER_KEY is empty"):
        ask(endpoint, 1)
    with pytest.raises(Refused, match="key endpoint: timeout is missing; expected base_url, model"):
        ask(endpoint, 1, timeout="")
    assert not endpoint.asked
    assert ask(endpoint, 1, key_variable="")[0].text == "about document 0", "a server of one's own may want no key"


def test_an_address_where_nothing_listens(endpoint):
    with pytest.raises(Refused, match="key endpoint: http://127.0.0.1:9/v1 cannot be reached"):
        ask(endpoint, 1, base_url="http://127.0.0.1:9/v1", retries=1)


def test_a_withheld_answer_is_an_answer_without_text(endpoint):
    endpoint.faults = [(400, "The response was filtered", {})]
    assert ask(endpoint, 1)[0][::2] == ("", 0) and ask(endpoint, 1)[0].text


def test_calls_run_beside_each_other_up_to_the_row_s_number(endpoint):
    endpoint.delay = 0.1
    assert [one.text for one in ask(endpoint, 12, concurrency=4)] == [f"about document {i}" for i in range(12)]
    assert endpoint.most == 4


def test_a_failure_stops_what_has_not_started_and_keeps_what_came(endpoint):
    endpoint.delay = 0.05
    endpoint.faults = [(403, "No", {})]
    about = {"base_url": endpoint.base_url, "model": "writer-1", "concurrency": 3, "requests_per_minute": 1e6}
    about |= {"tokens_per_minute": 1e9, "retries": 0, "timeout": 5}
    generate = generator({"engine": "openai", "max_new_tokens": 5, "endpoint": about}, prompts=PROMPTS, count=None)
    came = []
    with pytest.raises(Refused, match="answers 403: No"):
        for number, _ in generate([Request("qa", str(i), {}) for i in range(500)], list(range(500))):
            came.append(number)
    assert len(came) == len(endpoint.asked) - 1 < 20


def test_limits_a_minute_are_met_by_spreading_calls(endpoint):
    ask(endpoint, 6, requests_per_minute=600)
    assert endpoint.times[-1] - endpoint.times[0] >= 0.45


def test_tokens_a_minute_count_what_was_used_and_not_what_might_have_been(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    def seconds(calls: int, tokens: int, used: int, requests: float = 1e6) -> float:
        pace, now[0] = Pace(requests, 60_000), 0.0  # a thousand tokens a second
        for _ in range(calls):
            pace.wait(tokens)
            pace.correct(tokens, used)
        return now[0]

    assert seconds(5, 1000, 1000) == pytest.approx(4)
    assert seconds(5, 1000, 100) == pytest.approx(0.4)
    assert seconds(5, 1000, 1500) == pytest.approx(6)
    assert seconds(5, 1000, 100, requests=60) == pytest.approx(4), "whichever limit is the narrower"
