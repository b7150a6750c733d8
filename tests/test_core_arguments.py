"""Arguments of an environment are checked against its constructor, by name and by type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from turnenv.core.arguments import check_arguments
from turnenv.envs import IDS, TABLE


class Base:
    def __init__(self, *, size: int = 3, label: str | None = None) -> None: ...


class Derived(Base):
    def __init__(self, speed: float = 1.0, **kwargs: Any) -> None: ...


class Open:
    def __init__(self, **kwargs: Any) -> None: ...


class Unresolved:
    def __init__(self, thing: "nowhere.Thing" = None, other=None) -> None: ...  # type: ignore  # noqa: F821, UP037


@pytest.mark.parametrize("env_id", IDS)
def test_what_the_table_registers_fits(env_id: str) -> None:
    check_arguments(env_id, TABLE[env_id][1])
    with pytest.raises(ValueError, match=f"^--env-kwargs: {env_id} has no argument 'max_trns'.* it takes: "):
        check_arguments(env_id, {"max_trns": 4}, "--env-kwargs")


@pytest.mark.parametrize(
    ("env", "given"),
    [
        ("turnenv/TriviaSearch-v0", {"max_turns": 4, "fuzzy": 1, "search": "atlas", "questions": Path("x")}),
        ("turnenv/TriviaSearch-v0", {"max_turns": np.int64(4), "render_mode": "ansi"}),
        ("turnenv/CreditChain-v0", {"slip": 0, "slack": None, "clock": False}),
        ("turnenv/CustomerService-v0", {"level": "easy"}),
        (Derived, {"speed": 2, "size": 4, "label": "a"}),
        (Open, {"anything": 1}),
        (Unresolved, {"thing": 3, "other": 4}),
        (lambda size=3: None, {"size": "four"}),
    ],
)
def test_what_fits_is_let_through(env: Any, given: dict[str, Any]) -> None:
    check_arguments(env, given)


@pytest.mark.parametrize(
    ("env", "given", "says"),
    [
        ("turnenv/TriviaSearch-v0", {"max_turns": "4"}, "max_turns of turnenv/TriviaSearch-v0 takes int; got '4'"),
        ("turnenv/TriviaSearch-v0", {"max_turns": 4.5}, "takes int; got 4.5"),
        ("turnenv/TriviaSearch-v0", {"max_turns": True}, "takes int; got True"),
        ("turnenv/TriviaSearch-v0", {"max_turns": None}, "takes int; got None"),
        ("turnenv/TriviaSearch-v0", {"questions": ["a"]}, r"takes str \| os.PathLike\[str\]; got \['a'\]"),
        (
            "turnenv/CustomerService-v0",
            {"level": "hardest"},
            r"takes Literal\['easy', 'standard', 'hard'\]; got 'hardest'",
        ),
        ("turnenv/CreditChain-v0", {"slip": "a"}, "takes float"),
        ("turnenv/CreditChain-v0", {"len": 4}, "did you mean 'length'"),
        (Derived, {"sized": 4}, "Derived has no argument 'sized'; did you mean 'size'.* it takes: speed, size, label"),
        (Derived, {"size": "4"}, "takes int"),
        ("turnenv/Nowhere-v0", {}, "Nowhere"),
        ("nowhere:Nowhere-v0", {}, "nowhere"),
    ],
)
def test_what_does_not_fit_is_named(env: Any, given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_arguments(env, given)


def test_a_constructor_of_gymnasiums_own_is_read_too() -> None:
    assert "CartPole-v1" in gymnasium.registry
    with pytest.raises(ValueError, match="has no argument 'sutton'"):
        check_arguments("CartPole-v1", {"sutton": True})
