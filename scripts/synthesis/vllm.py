"""The GPU engine: takes a model folder, makes samples by vLLM, which is imported only here (its environment is its own).

Prompts are token ids: of a text prompt Llama's tokenizer would make one with a second BOS, and an empty one is refused.
Every request has a seed of its own: one seed broadcast over identical prompts returns identical copies.
`generation_config="vllm"` keeps the model's generation_config.json, with its top_p and temperature, out of it; a sample ends
at the ids given, and at no others that vLLM may find in the model's files.
vLLM forms batches as it likes, so a sample is the same again only up to rounding, unless VLLM_BATCH_INVARIANT=1 is set.
"""

from collections.abc import Sequence

from scripts.lib.vllm_settings import settings
from scripts.synthesis.draws import Draw, Refused, Sample


def engine(
    folder: str, *, eos: Sequence[int], temperature: float, max_new_tokens: int, longest: int, tensor_parallel: int
) -> Draw:
    """Draws one block: bfloat16 on GPUs, as many as ``tensor_parallel``; float32, uncompiled, in vLLM's build for CPUs.

    Raises:
        Refused: when vllm is not installed.
        ValueError: when two requests have one seed (raised by the returned function).
    """
    try:
        given = settings()
        from vllm import LLM, SamplingParams, TokensPrompt
    except ImportError as error:
        raise Refused("key engine: vllm is not installed here; install it, or set the corpus row's engine to hf") from error

    model = LLM(
        model=folder,
        generation_config="vllm",
        tensor_parallel_size=tensor_parallel,
        max_model_len=longest + max_new_tokens,
        seed=0,
        **given,
    )

    def block(prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Sample]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"engine vllm: {len(seeds)} requests with {len(set(seeds))} seeds; equal seeds give equal samples")
        requests = [
            SamplingParams(
                temperature=temperature,
                top_p=1.0,
                top_k=0,
                min_p=0.0,
                repetition_penalty=1.0,
                presence_penalty=0.0,
                frequency_penalty=0.0,
                seed=seed,
                max_tokens=max_new_tokens,
                ignore_eos=True,
                stop_token_ids=list(eos),
                detokenize=False,
            )
            for seed in seeds
        ]
        asked = [TokensPrompt(prompt_token_ids=list(prompt)) for prompt in prompts]
        return [Sample.cut(answer.outputs[0].token_ids, eos) for answer in model.generate(asked, requests, use_tqdm=False)]

    return block
