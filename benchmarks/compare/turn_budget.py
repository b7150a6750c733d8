"""A budget of environment turns: training ends when they are played, whatever number of steps that takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class TurnBudget(TrainerCallback):
    """Ends training once a number of environment turns is played, and lowers the learning rate to 0 by then.

    Methods whose episodes differ in length then spend the same. The step that crosses the budget is the last one.

    Args:
        turns: the budget.
        played: says how many turns have been played so far.
    """

    def __init__(self, turns: int, played: Callable[[], int]) -> None:
        self._turns, self._played = turns, played

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Let the learning rate follow the turns in place of the steps.

        Raises:
            TypeError: if the trainer's schedule is no `LambdaLR`, as all of transformers' own are.
        """
        schedule = kwargs["lr_scheduler"]
        if not isinstance(schedule, LambdaLR):
            raise TypeError(f"a budget of turns sets the learning rate of a LambdaLR; got {type(schedule).__name__}")
        schedule.lr_lambdas = [lambda step: self._left() for _ in schedule.lr_lambdas]

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop if the budget is spent."""
        if self._played() >= self._turns:
            control.should_training_stop = True

    def _left(self) -> float:
        return max(0.0, 1.0 - self._played() / self._turns)
