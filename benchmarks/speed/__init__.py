"""How fast the environments, the search, generation, the trainer and the estimators are, as ratios."""
