"""Baselines: trajectory-level recipes, which differ from `agents.mt_grpo` in a few lines."""
