"""The reference engine, on any device: takes a model folder, makes samples through `transformers` generate.

generate does the masks, positions, cache and stopping; the draw alone is ours, so that every sample has its own seed (torch
has one generator for a whole batch). With equal seeds the ids are those of the engine `pocket`, rounding aside.
"""

from collections.abc import Callable, Sequence

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from scripts.lib.models import load_model
from scripts.synthesis.draws import Sample, choose, cumulative, uniforms


class InverseCDF(LogitsProcessor):
    """Leaves only the drawn token finite, so that greedy decoding takes it: u float64 [rows, steps]; the prompt is one id."""

    def __init__(self, u: torch.Tensor, temperature: float):
        self.u, self.temperature = u, temperature

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary] -> the same shape, -inf but at the drawn tokens."""
        drawn = choose(cumulative(scores.float(), self.temperature), self.u[:, input_ids.shape[1] - 1].contiguous())
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn[:, None], 0.0)


def settings(bos: int, eos: int, max_new_tokens: int) -> GenerationConfig:
    """Nothing penalised, no default of the model's own generation_config.json; greedy decoding knows no truncation."""
    return GenerationConfig(
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=eos,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        repetition_penalty=1.0,
    )


def engine(
    folder: str, *, bos: int, eos: int, temperature: float, max_new_tokens: int
) -> Callable[[Sequence[int]], list[Sample]]:
    """A function from the seeds of one block to its samples: float32 on a CPU, bfloat16 on a GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_model(folder, "bfloat16" if device == "cuda" else "float32").to(device)
    model.generation_config = settings(bos, eos, max_new_tokens)

    @torch.inference_mode()
    def block(seeds: Sequence[int]) -> list[Sample]:
        u = torch.from_numpy(uniforms(seeds, max_new_tokens)).to(device)
        prompt = torch.full((len(seeds), 1), bos, device=device)
        out = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            logits_processor=LogitsProcessorList([InverseCDF(u, temperature)]),
        )
        return [Sample.cut(row[1:], eos) for row in out.cpu().numpy()]

    return block
