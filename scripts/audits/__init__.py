"""Audits: what a corpus is like before anyone trains on it: similarity to benchmark items, likelihood, unigrams."""
