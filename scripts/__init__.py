"""The stages of resynth: sources, models, synthesis, curation, training, evaluation; scripts/lib is what two of them share."""
