"""The recipe of the nano policies: `python -m agents.nano --start weak` makes one starting point from a seed."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from random import Random

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from agents.nano.demonstrations import SKILLED, WEAK, Demonstrator
from agents.nano.measure import measure
from agents.nano.model import halve, make_model, make_tokenizer, save
from agents.nano.recall import Reciter, is_known
from agents.nano.starts import BASE_STEPS, STARTS, Start
from agents.nano.teaching import Lesson, Message, teach

BUNDLE = Path(__file__).parent


def main() -> None:
    """Make the policy, save it, and print its scores at the start."""
    given = _parser().parse_args()
    began = time.monotonic()
    start = STARTS[given.start]
    base = given.bases / start.base
    if not (base / "done").exists():
        _teach_base(start.base, base, given)
    model = LlamaForCausalLM.from_pretrained(base)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    if start.steps:
        rng = Random(f"{given.start} {given.seed}")
        lesson = Lesson(partial(demonstrate_habits, start, *teachers(start, rng)))
        teach(model, tokenizer, [lesson], start.steps, rng=rng, learning_rate=start.learning_rate)
    out = given.out or (BUNDLE if given.start == "weak" else BUNDLE / given.start)
    save(model, tokenizer, out)
    halve(out)
    print(f"saved to {out} after {time.monotonic() - began:.0f} s")
    for name, share in measure(out, given.episodes).items():
        print(f"{name:16s} {100 * share:5.1f} %")


def _teach_base(name: str, folder: Path, given: argparse.Namespace) -> None:
    """Teach the skills, and with them the facts if the base is "knowledge"."""
    demonstrator = Demonstrator(Random(f"{name} {given.seed}"))
    tokenizer = _shared_tokenizer(given.seed)
    model = make_model(tokenizer, given.seed)
    print(f"{model.num_parameters():,} parameters, {len(tokenizer):,} tokens")
    skills = partial(demonstrator.conversation, SKILLED)
    lessons = [Lesson(skills)]
    if name == "knowledge":
        lessons = [Lesson(skills, 24), Lesson(Reciter(demonstrator.rng).conversation, 64)]
    keep = partial(save, model, tokenizer, folder)
    steps = BASE_STEPS[name] if given.base_steps is None else given.base_steps
    teach(model, tokenizer, lessons, steps, rng=demonstrator.rng, keep=keep)
    keep()
    (folder / "done").touch()


def teachers(start: Start, rng: Random) -> tuple[Demonstrator, Reciter]:
    """What the second stage of a starting point is taught by."""
    knows = is_known if start.recited else lambda question: False
    return Demonstrator(rng, invented=start.invented, knows=knows), Reciter(rng)


def demonstrate_habits(start: Start, demonstrator: Demonstrator, reciter: Reciter) -> list[Message]:
    """A conversation of the second stage; a policy that knows facts recites some in between, so as not to forget."""
    # A start that recites nothing draws nothing: it would get other demonstrations than the bundled one had.
    if start.recited and demonstrator.rng.random() < start.recited:
        return reciter.conversation()
    return demonstrator.conversation(start.habits)


def _shared_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """The tokenizer of all starting points, of what they are taught to read and write."""
    demonstrator = Demonstrator(Random(f"tokenizer {seed}"))
    reciter = Reciter(demonstrator.rng)
    lessons = [demonstrator.conversation((SKILLED, WEAK)[n % 2]) for n in range(8_000)]
    lessons += [reciter.conversation() for _ in range(4_000)]
    return make_tokenizer(message.text for messages in lessons for message in messages)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m agents.nano",
        description="Make a nano policy: a tokenizer and a model of about a million parameters, taught on scripted "
        "demonstrations. Takes half an hour on one core; the same seed gives the same policy on the same machine.",
    )
    add = parser.add_argument
    add("--start", choices=tuple(STARTS), default="weak", help="which starting point (default: %(default)s)")
    add("--out", type=Path, help="where to save it (default: where it is bundled)")
    add("--seed", type=int, default=0, help="decides everything (default: %(default)s)")
    steps = "; ".join(f"{count} for {name}" for name, count in BASE_STEPS.items())
    add("--base-steps", type=int, help=f"steps of the first stage (default: {steps})")
    add("--episodes", type=int, default=1024, help="episodes to measure it on (default: %(default)s)")
    add(
        "--bases",
        type=Path,
        default=Path("results/nano"),
        help="where policies are kept between the stages, and read from if they are there (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    main()
