"""Methods that ask a generator about documents: what each asks, and what its answers give to a corpus."""
