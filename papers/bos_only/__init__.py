"""Not All Synthetic Data Is Yours to Learn From (arXiv 2605.31126): the artifacts of the lead paper."""
