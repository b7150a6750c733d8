"""Adapters: any `gymnasium.Env` of strings and other suites to turnenv, and turnenv's environments to TRL."""

from turnenv.adapters.any_env import AnyEnv, as_text_env, env_maker, load_env

__all__ = ["AnyEnv", "as_text_env", "env_maker", "load_env"]
