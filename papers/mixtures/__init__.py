"""Figures of "Demystifying Synthetic Data in LLM Pre-training" (arXiv 2510.01631)."""
