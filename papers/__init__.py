"""One folder a paper: its rows, its rules, what draws each artifact, and its claims."""
