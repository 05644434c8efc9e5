"""Models: tokenizers trained by the workflow, architectures with random weights, and models that come from elsewhere."""
