"""Synthesis: what a model writes when given the BOS token alone, and the corpora to compare it with (replay, shuffle)."""
