"""The commands of `turnenv`, one module each. The recipes of agents and baselines are `train` by other names."""
