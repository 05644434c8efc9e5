"""From a raw corpus to what a student is trained on: duplicates, contamination and token budgets."""
