"""What is checked of a comparison before any process starts, without loading a model or PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from benchmarks.compare.trainer_fields import trainer_fields
from benchmarks.harness.methods import Method, check_methods
from turnenv.adapters import AnyEnv, load_env
from turnenv.core.arguments import check_arguments
from turnenv.credit import CRITIC_FIELDS, TRAINING_FIELDS, critic_for, spec_of
from turnenv.credit.critic_options import CriticOptions
from turnenv.credit.critics import reads_values
from turnenv.rollout import vectorise

_FIXED = {
    "credit": "--methods",
    "credit_kwargs": "--methods name:option=value",
    "gradient_accumulation_steps": "per_device_train_batch_size, from which it follows",
    "learning_rate": "--learning-rate",
    "max_steps": "--steps",
    "max_turn_tokens": "--max-turn-tokens",
    "max_turns": "--env-kwargs '{\"max_turns\": …}'",
    "num_generations": "--num-generations",
    "output_dir": "--out",
    "seed": "--seeds",
    "temperature": "--temperature",
}


def check_environment(env: str) -> AnyEnv:
    """Find what `--env` names: a registered id, or the function of `module:function`.

    Raises:
        ValueError: if there is none of that name; the message holds the closest ones.
    """
    import gymnasium

    found = load_env(env)
    if isinstance(found, str) and found not in gymnasium.registry:
        ours = [known for known in gymnasium.registry if known.startswith("turnenv/")]
        close = get_close_matches(found, gymnasium.registry, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ValueError(f"no environment is named {found!r}; {hint}turnenv has: {', '.join(ours)}")
    return found


def check_environment_arguments(env: AnyEnv, given: Mapping[str, Any], where: str) -> None:
    """Make one environment with these arguments.

    Args:
        env: a registered id, or a function that makes an environment.
        given: the arguments.
        where: the option that gave them.

    Raises:
        ValueError: if an argument has another name or type, or the environment refuses it.
        OSError: if it reads what cannot be reached.
    """
    check_arguments(env, given, where)
    try:
        vectorise(env, 1, **given).close()
    except (TypeError, ValueError, LookupError, AttributeError, ImportError) as error:
        arguments = f" with {dict(given)}" if given else ""
        raise ValueError(f"{where}: {env} cannot be made{arguments}: {error}") from error


def trainer_kwargs_for(method: Method, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `TurnGRPOConfig` that a method's runs are given: those of the critic only where values are read."""
    if reads_values(spec_of(method.name), method.options):
        return dict(given)
    return {name: value for name, value in given.items() if name not in ("critic", "critic_kwargs")}


def check_trained_methods(methods: Iterable[Method], given: Mapping[str, Any]) -> None:
    """Check that methods can be trained, those that need values with a critic.

    Args:
        methods: to check.
        given: fields of `TurnGRPOConfig`.

    Raises:
        ValueError: if a method or its critic cannot work.
    """
    for method in methods:
        own = trainer_kwargs_for(method, given)
        critic = critic_for(spec_of(method.name), method.options, own.get("critic"))
        CriticOptions.read(critic, own.get("critic_kwargs") or {})
        check_methods([method], TRAINING_FIELDS if critic is None else CRITIC_FIELDS)


def check_trainer_kwargs(given: Mapping[str, Any], episodes: int) -> None:
    """Check the names of fields of `TurnGRPOConfig`, and that no other option sets them.

    Args:
        given: the fields.
        episodes: of a step.

    Raises:
        ValueError: if there is no field of that name, with the closest one; or it is not free.
    """
    known = trainer_fields() if given else ()
    for name in given:
        if name in _FIXED:
            raise ValueError(f"--trainer-kwargs: {name} is set by {_FIXED[name]}")
        if name not in known:
            close = get_close_matches(name, known, n=2)
            hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
            raise ValueError(
                f"--trainer-kwargs: TurnGRPOConfig has no field {name!r}; {hint}python -m agents.mt_grpo --help has all"
            )
    micro = given.get("per_device_train_batch_size", episodes)
    if not isinstance(micro, int) or micro < 1 or episodes % micro:
        raise ValueError(
            f"--trainer-kwargs: per_device_train_batch_size={micro} must divide groups × num_generations = {episodes}"
        )
