"""Training: one loop for models from scratch and for continual training on a corpus."""
