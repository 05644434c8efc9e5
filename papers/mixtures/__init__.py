"""Demystifying Synthetic Data in LLM Pre-training (arXiv 2510.01631): published numbers and figures."""
