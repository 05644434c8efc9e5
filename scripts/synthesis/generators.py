"""Generators behind one function: `generator` takes a corpus row and gives a function from requests with seeds to answers.

Engines: `pocket` (a Python function, which sees the request itself), `vllm` (a chat model's folder, on GPUs) and `openai` (any
endpoint of OpenAI's form, see `scripts.synthesis.endpoint`), which see nothing but a prompt's messages.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.synthesis.chat import Prompt, messages_of, names_of
from scripts.synthesis.requests import Answer, Refused, Request

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ENGINES = ("pocket", "vllm", "openai")
BLOCK = 512  # requests that are answered, and then kept, together; by engine openai each by itself
ROOM = 512  # tokens for a request's fields, beyond its document and its prompt

# Yields the number of a request and its answer, in any order, each as soon as it is there.
Generator = Callable[[Sequence[Request], Sequence[int]], Iterator[tuple[int, Answer]]]
Count = Callable[[list[str]], list[int]]  # the tokens of texts


def generator(
    row: dict,
    *,
    prompts: dict[str, Prompt] | None = None,
    model: str | Path | None = None,
    documents: Sequence[str] = (),
    teacher: Callable[[Request, int], str] | None = None,
    count: Count | None = None,
) -> Generator:
    """The generator that a row names: a function from requests and seeds, one of each a call, to numbered answers.

    Args:
        row: of the corpus: engine, one of ENGINES; for vllm and openai max_new_tokens; for vllm perhaps tensor_parallel; for
            openai endpoint.
        prompts: by kind of request; not for pocket.
        model: the Hugging Face folder of a chat model, for vllm.
        documents: every document that will be asked about, for vllm, which reserves memory for the longest.
        teacher: a pure function from a request and a seed to an answer's text, for pocket; a ValueError says that it has none.
        count: counts tokens where the engine itself does not (pocket, and an endpoint that tells no usage).

    Raises:
        Refused: naming the key, before anything is asked.
    """
    if row["engine"] == "pocket":
        return _pocket(teacher, count)
    if row["engine"] == "vllm":
        return _vllm(row, prompts, model, documents)
    from scripts.synthesis import endpoint

    return endpoint.engine(row, prompts, count)


def _pocket(teacher: Callable[[Request, int], str], count: Count) -> Generator:
    lengths: dict[str, int] = {}  # of documents, which are asked about many times

    def ask(requests: Sequence[Request], seeds: Sequence[int]) -> Iterator[tuple[int, Answer]]:
        for first in range(0, len(requests), BLOCK):
            block = requests[first : first + BLOCK]
            try:
                texts = [teacher(request, seed) for request, seed in zip(block, seeds[first:], strict=False)]
            except ValueError as error:
                raise Refused(f"key engine: the rule-written teacher cannot answer: {error}") from error
            new = [document for document in dict.fromkeys(one.document for one in block) if document not in lengths]
            lengths.update(zip(new, count(new), strict=True))
            for i, (request, text, tokens) in enumerate(zip(block, texts, count(texts), strict=True)):
                yield first + i, Answer(text, lengths[request.document], tokens, "stop")

    return ask


def takes_system(tokenizer: "PreTrainedTokenizerFast") -> bool:
    """Whether a chat template has a place for a system's message; Mistral-7B-Instruct-v0.1's refuses one."""
    from jinja2 import TemplateError

    try:
        tokenizer.apply_chat_template([{"role": role, "content": "a"} for role in ("system", "user")], tokenize=False)
    except TemplateError:
        return False
    return True


def _vllm(row: dict, prompts: dict[str, Prompt], model: str | Path, documents: Sequence[str]) -> Generator:
    """vLLM with the model's own chat template, as `scripts.synthesis.vllm` has it for texts: prompts are token ids, every
    request has its own seed, nothing is truncated, and only the model's own ends of a text or turn end an answer. Where the
    template refuses a system's message, it stands before the user's.

    A prompt whose answer is JSON is decoded under vLLM's JSON grammar. Requests about one document follow each other and
    begin alike, so that vLLM's prefix cache reads the document once.
    """
    from scripts.lib.models import config_of, ends_of, load_tokenizer, load_tokenizer_of_transformers
    from scripts.lib.tokens import encode
    from scripts.lib.vllm_settings import settings

    tokenizer = load_tokenizer_of_transformers(model)
    if tokenizer.chat_template is None:
        raise Refused(f"key source_model: {model} has no chat template; expected a model trained on chats")

    alone = not takes_system(tokenizer)

    def ids_of(request: Request) -> list[int]:
        messages = messages_of(prompts[request.kind], request)
        if alone:
            messages = [{"role": "user", "content": "\n\n".join(one["content"] for one in messages)}]
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)

    empty = [Request(kind, "", dict.fromkeys(names_of(prompt) - {"document"}, "")) for kind, prompt in prompts.items()]
    read = max(map(len, encode(load_tokenizer(model), list(documents))))
    read = max(read, row["max_new_tokens"])  # it may be asked about what it wrote, such as an outline
    longest = read + max(len(ids_of(one)) for one in empty) + ROOM
    positions = config_of(model).get("max_position_embeddings", float("inf"))
    if longest + row["max_new_tokens"] > positions:
        asked = f"{row['max_new_tokens']} asked for after prompts of up to {longest} tokens"
        raise Refused(f"key max_new_tokens: {asked}, the model has {positions} positions")
    try:
        given = settings()
        from vllm import LLM, SamplingParams, TokensPrompt
        from vllm.sampling_params import StructuredOutputsParams
    except ImportError as error:
        raise Refused("key engine: vllm is not installed here; install it, or set the row's engine to openai") from error

    llm = LLM(
        model=str(model),
        generation_config="vllm",
        tensor_parallel_size=row.get("tensor_parallel", 1),
        max_model_len=longest + row["max_new_tokens"],
        enable_prefix_caching=True,
        seed=0,
        **given,
    )
    ends = sorted({*ends_of(model), tokenizer.eos_token_id} - {None})

    def settings_of(prompt: Prompt, seed: int) -> "SamplingParams":
        return SamplingParams(
            temperature=prompt.temperature,
            top_p=prompt.top_p,
            top_k=0,
            seed=seed,
            max_tokens=row["max_new_tokens"],
            ignore_eos=True,
            stop_token_ids=ends,
            structured_outputs=StructuredOutputsParams(json_object=True) if prompt.json else None,
        )

    def ask(requests: Sequence[Request], seeds: Sequence[int]) -> Iterator[tuple[int, Answer]]:
        for first in range(0, len(requests), BLOCK):
            block = requests[first : first + BLOCK]
            asked = [ids_of(request) for request in block]
            for request, ids in zip(block, asked, strict=True):
                if len(ids) > longest:
                    raise Refused(f"a request of kind {request.kind} has {len(ids)} tokens, expected up to {longest}")
            how = [settings_of(prompts[one.kind], seed) for one, seed in zip(block, seeds[first:], strict=False)]
            found = llm.generate([TokensPrompt(prompt_token_ids=ids) for ids in asked], how, use_tqdm=False)
            for i, (ids, one) in enumerate(zip(asked, found, strict=True)):
                out = one.outputs[0]
                yield first + i, Answer(out.text, len(ids), len(out.token_ids), out.finish_reason)

    return ask
