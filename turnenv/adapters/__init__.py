"""Other environments in, turnenv's out: any `gymnasium.Env` of strings, peers' suites, TRL's form."""

from turnenv.adapters.any_env import AnyEnv, as_text_env, env_maker, load_env

__all__ = ["AnyEnv", "as_text_env", "env_maker", "load_env"]
