"""The reference engine, on any device: takes a model folder, makes samples through `transformers` generate.

generate does the masks, positions, cache and stopping; the draw alone is ours, so that every sample has its own seed (torch
has one generator for a whole batch). With equal seeds the ids are those of the engine `pocket`, rounding aside.
"""

from collections.abc import Sequence

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from scripts.lib.models import load_model
from scripts.synthesis.draws import Draw, Sample, choose, cumulative, uniforms


class InverseCDF(LogitsProcessor):
    """Leaves only the drawn token finite, so that greedy decoding takes it: u float64 [rows, steps], after ``width`` ids."""

    def __init__(self, u: torch.Tensor, temperature: float, width: int):
        self.u, self.temperature, self.width = u, temperature, width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary] -> the same shape, -inf but at the drawn tokens."""
        drawn = choose(cumulative(scores.float(), self.temperature), self.u[:, input_ids.shape[1] - self.width].contiguous())
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn[:, None], 0.0)


def settings(eos: Sequence[int], max_new_tokens: int) -> GenerationConfig:
    """Nothing penalised, no default of the model's own generation_config.json; greedy decoding knows no truncation."""
    return GenerationConfig(
        eos_token_id=list(eos),
        pad_token_id=eos[0],
        max_new_tokens=max_new_tokens,
        do_sample=False,
        repetition_penalty=1.0,
    )


def engine(folder: str, *, eos: Sequence[int], temperature: float, max_new_tokens: int) -> Draw:
    """Draws one block, shorter prompts padded on the left: float32 on a CPU, bfloat16 on a GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_model(folder, "bfloat16" if device == "cuda" else "float32").to(device)
    model.generation_config = settings(eos, max_new_tokens)

    @torch.inference_mode()
    def block(prompts: Sequence[Sequence[int]], seeds: Sequence[int]) -> list[Sample]:
        u = torch.from_numpy(uniforms(seeds, max_new_tokens)).to(device)
        width = max(map(len, prompts))
        padded = torch.tensor([[eos[0]] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        out = model.generate(
            padded.to(device),
            attention_mask=mask.to(device),
            logits_processor=LogitsProcessorList([InverseCDF(u, temperature, width)]),
        )
        return [Sample.cut(row[width:], eos) for row in out.cpu().numpy()]

    return block
