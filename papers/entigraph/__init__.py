"""Synthetic continued pretraining (arXiv 2409.07431): the artifacts of EntiGraph and its neighbours."""
