"""Baselines: trajectory-level recipes, siblings of `agents.mt_grpo` that differ in a few lines."""
