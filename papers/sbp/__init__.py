"""Synthetic bootstrapped pretraining (arXiv 2509.15248): the artifacts of SBP."""
