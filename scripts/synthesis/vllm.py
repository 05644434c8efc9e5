"""The GPU engine: takes a model folder, makes samples by vLLM, which is imported only here (its environment is its own).

The prompt is the BOS id itself: a text prompt would get a second BOS from Llama's tokenizer, and an empty one is refused.
Every request has a seed of its own: one seed broadcast over identical prompts returns identical copies.
`generation_config="vllm"` keeps the model's generation_config.json, with its top_p and temperature, out of it.
vLLM forms batches as it likes, so a sample is the same again only up to rounding, unless VLLM_BATCH_INVARIANT=1 is set.
"""

from collections.abc import Callable, Sequence

from scripts.synthesis.draws import Refused, Sample


def engine(
    folder: str, *, bos: int, eos: int, temperature: float, max_new_tokens: int
) -> Callable[[Sequence[int]], list[Sample]]:
    """A function from the seeds of one block to its samples.

    Raises:
        Refused: when vllm is not installed.
        ValueError: when two requests have one seed (raised by the returned function).
    """
    try:
        from vllm import LLM, SamplingParams, TokensPrompt
    except ImportError as error:
        raise Refused("key engine: vllm is not installed here; install it, or set the corpus row's engine to hf") from error

    model = LLM(model=folder, generation_config="vllm", max_model_len=max_new_tokens + 1, seed=0)

    def block(seeds: Sequence[int]) -> list[Sample]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"engine vllm: {len(seeds)} requests with {len(set(seeds))} seeds; equal seeds give equal samples")
        requests = [
            SamplingParams(
                temperature=temperature,
                top_p=1.0,
                top_k=-1,
                min_p=0.0,
                repetition_penalty=1.0,
                presence_penalty=0.0,
                frequency_penalty=0.0,
                seed=seed,
                max_tokens=max_new_tokens,
                ignore_eos=True,
                stop_token_ids=[eos],
                detokenize=False,
            )
            for seed in seeds
        ]
        prompts = [TokensPrompt(prompt_token_ids=[bos]) for _ in seeds]
        return [Sample.cut(answer.outputs[0].token_ids, eos) for answer in model.generate(prompts, requests, use_tqdm=False)]

    return block
