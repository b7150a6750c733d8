"""Arguments of an environment are checked against its constructor, by name and by type."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator

from turnenv.core.arguments import check_arguments, checked_arguments
from turnenv.envs import IDS, TABLE
from turnenv.envs.guess_number import GuessNumber


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


def families() -> list[tuple[str, str]]:
    seen = {entry: env_id for env_id, (entry, _) in TABLE.items()}
    return [
        (env_id, name)
        for env_id in seen.values()
        for name in signature(load_env_creator(gymnasium.spec(env_id).entry_point)).parameters
        if name != "render_mode"  # Gymnasium has its own say about it
    ]


@pytest.mark.parametrize(("env_id", "name"), families())
@pytest.mark.parametrize("value", ["tset", "4", 3.5, True, -1, float("nan"), [1], b"x", object()])
def test_a_mistyped_value_is_named_or_taken(env_id: str, name: str, value: Any) -> None:
    try:
        env = gymnasium.make(env_id, **{name: value})
        env.reset(seed=0)
        env.step("1")
    except (TypeError, ValueError) as error:
        said = str(error).partition(" was raised from")[0]
        expected = ("unknown source of questions",) if name == "problems" else ()
        assert any(word in said for word in (name, *expected))
        assert repr(value) in said


@pytest.mark.parametrize(
    ("env_id", "given", "error", "says"),
    [
        ("turnenv/TriviaSearch-v0", {"max_turns": "4"}, TypeError, "max_turns of TriviaSearch takes int; got '4'"),
        ("turnenv/GridQuest-v0", {"size": 3.5}, TypeError, "size of GridQuest takes int; got 3.5, of type float"),
        ("turnenv/GuessNumber-v0", {"low": "1"}, TypeError, "low of GuessNumber takes int; got '1', of type str"),
        ("turnenv/GuessNumber-v0", {"low": True}, TypeError, "low of GuessNumber takes int; got True, of type bool"),
        ("turnenv/CreditChain-v0", {"clock": 1}, TypeError, "clock of CreditChain takes bool; got 1"),
        ("turnenv/CreditChain-v0", {"noise": "0.1"}, TypeError, "noise of CreditChain takes float; got '0.1'"),
        ("turnenv/TriviaSearch-v0", {"split": "tset"}, ValueError, "unknown split 'tset'"),
        ("turnenv/CreditChain-v0", {"mode": "alignedd"}, ValueError, "unknown mode 'alignedd'; did you mean 'aligned'"),
        ("turnenv/CreditChain-v0", {"distractors": 8}, ValueError, "distractors must be from 0 to 7; got 8"),
        ("turnenv/GridQuest-v0", {"doors": 3, "size": 3}, ValueError, "doors must be from 0 to 2; got 3"),
        ("turnenv/BlocksArm-v0", {"spots": 5}, ValueError, "spots must be from 3 to 4; got 5"),
        ("turnenv/WordGuess-v0", {"max_trns": 4}, TypeError, "no argument 'max_trns'; did you mean 'max_turns'"),
    ],
)
def test_a_constructor_names_argument_value_and_what_is_legal(
    env_id: str, given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        gymnasium.make(env_id, **given)


def test_numpys_numbers_are_taken() -> None:
    env = gymnasium.make("turnenv/CreditChain-v0", length=np.int64(4), noise=np.float32(0.5), clock=np.bool_(True))
    assert env.reset(seed=0)[0].startswith("Turn 1 of 4. Position 1 of 4.")


def test_positional_arguments_are_checked_and_the_signature_stays() -> None:
    with pytest.raises(TypeError, match="high of GuessNumber takes int; got '9'"):
        GuessNumber(1, "9")  # type: ignore[arg-type]
    assert list(signature(GuessNumber).parameters) == ["low", "high", "max_turns", "render_mode"]
    with pytest.raises(TypeError, match="multiple values for argument 'low'"):
        GuessNumber(1, low=1)  # type: ignore[misc]


def test_what_goes_on_to_the_base_class_is_not_refused() -> None:
    class Loose:
        @checked_arguments
        def __init__(self, size: int = 3, **kwargs: Any) -> None:
            self.rest = kwargs

    assert Loose(colour="red").rest == {"colour": "red"}
    with pytest.raises(TypeError, match="size of Loose takes int; got None, of type NoneType"):
        Loose(size=None)  # type: ignore[arg-type]
