"""The engine `openai`: chat completions of any endpoint in OpenAI's form, by its own client, which is imported only here.

A row's ``endpoint`` holds base_url, model (the name that the endpoint knows it by), perhaps key_variable (the environment
variable that holds the key; a server of one's own may want none), and limits: concurrency, requests_per_minute,
tokens_per_minute, retries, timeout (seconds that an answer may take).
The client retries 408, 409, 429, 5xx, broken connections and timeouts itself: after the time that Retry-After says, else after
0.5 s, 1 s, 2 s, ... up to 8 s. Calls start evenly spread over the minute, so that limits are met rather than run into.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from scripts.synthesis.chat import Prompt, messages_of
from scripts.synthesis.generators import Count, Generator
from scripts.synthesis.requests import Answer, Refused, Request

KEYS = ("base_url", "model", "concurrency", "requests_per_minute", "tokens_per_minute", "retries", "timeout")
SEEDS = 1 << 31  # servers hold a seed in 32 bits or more


class Pace:
    """Start times that keep calls under so many requests and tokens a minute, for threads that share it.

    Each call puts off the next by its own part of the minute; what was taken for its answer is corrected when that is there.
    """

    def __init__(self, requests: float, tokens: float):
        self.request, self.token = 60 / requests, 60 / tokens
        self.free, self.lock = 0.0, threading.Lock()

    def wait(self, tokens: int) -> None:
        """Return when a call of so many tokens, asked and received, may start."""
        with self.lock:
            start = max(time.monotonic(), self.free)
            self.free = start + max(self.request, self.token * tokens)
        time.sleep(max(start - time.monotonic(), 0))

    def correct(self, taken: int, used: int) -> None:
        """A call for which so many tokens were taken used so many."""
        with self.lock:
            self.free += max(self.request, self.token * used) - max(self.request, self.token * taken)


def engine(row: dict, prompts: dict[str, Prompt], count: Count) -> Generator:
    """The endpoint of a row as a generator; answers come as they are ready.

    Raises:
        Refused: before anything is asked, when the client or the key is missing; by the returned function, when the endpoint
            does not take the key, does not know the model, or still fails after the retries. Calls that had started by then
            are waited for, and those that succeeded are yielded before.
    """
    about = row["endpoint"]
    if missing := [key for key in KEYS if key not in about]:
        raise Refused(f"key endpoint: {missing[0]} is missing; expected {', '.join(KEYS)}, and perhaps key_variable")
    variable, url = about.get("key_variable"), about["base_url"]
    if variable and not os.environ.get(variable):
        raise Refused(f"key endpoint: the environment variable {variable} is empty; put the key of {url} into it")
    try:
        import openai
    except ImportError as error:
        raise Refused("key engine: the client openai is not installed here; install it, or take another engine") from error
    client = openai.OpenAI(
        base_url=url,
        api_key=os.environ[variable] if variable else "none",
        max_retries=about["retries"],
        timeout=about["timeout"],
    )
    pace = Pace(about["requests_per_minute"], about["tokens_per_minute"])

    def call(request: Request, seed: int) -> Answer:
        prompt = prompts[request.kind]
        messages = messages_of(prompt, request)
        taken = sum(len(one["content"]) for one in messages) // 4 + row["max_new_tokens"]
        more = {"response_format": {"type": "json_object"}} if prompt.json else {}
        for attempt in range(about["retries"] + 1):
            pace.wait(taken)
            try:
                found = client.chat.completions.create(
                    model=about["model"],
                    messages=messages,
                    temperature=prompt.temperature,
                    top_p=prompt.top_p,
                    max_tokens=row["max_new_tokens"],
                    seed=seed % SEEDS,
                    **more,
                )
            except openai.BadRequestError as error:
                if error.code != "content_filter":
                    raise
                return Answer("", taken - row["max_new_tokens"], 0, "content_filter")
            except ValueError:  # a body that says it is JSON, and is not
                found = None
            if getattr(found, "choices", None):
                break
            time.sleep(min(0.5 * 2**attempt, 8))
        else:
            raise Refused(f"key endpoint: {url} answers, and not with chat completions, {about['retries'] + 1} times in a row")
        choice, usage = found.choices[0], found.usage
        text = choice.message.content or ""
        if usage:
            used = (usage.prompt_tokens, usage.completion_tokens)
        else:
            used = (sum(count([one["content"] for one in messages])), count([text])[0])
        pace.correct(taken, sum(used))
        return Answer(text, *used, choice.finish_reason)

    def worded(error: Exception) -> Exception:
        if isinstance(error, openai.AuthenticationError):
            which = f"the key in the environment variable {variable}" if variable else "a call without key_variable"
            return Refused(f"key endpoint: {url} does not accept {which} (401)")
        if isinstance(error, openai.NotFoundError):
            return Refused(f"key endpoint: {url} knows no model {about['model']}, or is no base_url (404: {_said(error)})")
        if isinstance(error, openai.APITimeoutError):
            return Refused(
                f"key endpoint: {url} gave no answer within {about['timeout']} s, {about['retries'] + 1} times in a row"
            )
        if isinstance(error, openai.APIStatusError):
            return Refused(f"key endpoint: {url} answers {error.status_code}: {_said(error)}")
        if isinstance(error, openai.APIConnectionError):
            return Refused(f"key endpoint: {url} cannot be reached ({error.__cause__ or error})")
        return error

    def ask(requests: Sequence[Request], seeds: Sequence[int]) -> Iterator[tuple[int, Answer]]:
        pool, failure = ThreadPoolExecutor(about["concurrency"]), None
        futures = {pool.submit(call, *one): i for i, one in enumerate(zip(requests, seeds, strict=True))}
        try:
            for future in as_completed(futures):
                if future.cancelled():
                    continue
                if future.exception() is None:
                    yield futures[future], future.result()
                elif failure is None:
                    failure = future.exception()
                    for other in futures:  # shutdown would cancel them as well, and as_completed then wait for ever
                        other.cancel()
        finally:
            pool.shutdown(cancel_futures=True)
        if failure:
            raise worded(failure) from failure

    return ask


def _said(error: Exception) -> str:
    """What an endpoint said of an error, on one line of 200 characters at most."""
    body = error.body
    said = body.get("message") if isinstance(body, dict) else body
    return " ".join(str(said or error).split())[:200]
