"""The recipe of the nano policy: `python -m agents.nano` makes its tokenizer and its weights from one seed."""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from random import Random

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from agents.nano.demonstrations import SKILLED, WEAK, Demonstrator
from agents.nano.measure import measure
from agents.nano.model import make_model, make_tokenizer, save
from agents.nano.teaching import teach


def main() -> None:
    """Make the policy, save it, and print its scores at the start."""
    parser = argparse.ArgumentParser(
        prog="python -m agents.nano",
        description="Make the nano policy: a tokenizer and a model of about a million parameters, taught on scripted "
        "demonstrations. Takes minutes on two cores; the same seed gives the same policy on the same machine.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="where to save it (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides everything (default: %(default)s)")
    parser.add_argument("--skilled-steps", type=int, default=2400, help="steps of good habits (default: %(default)s)")
    parser.add_argument("--weak-steps", type=int, default=300, help="steps of weak habits after (default: %(default)s)")
    parser.add_argument("--episodes", type=int, default=2048, help="episodes to measure it on (default: %(default)s)")
    parser.add_argument(
        "--skilled",
        type=Path,
        default=Path("results/nano-skilled"),
        help="where the policy is kept between the two stages, and read from if it is there (default: %(default)s)",
    )
    options = parser.parse_args()
    started = time.monotonic()
    if not (options.skilled / "model.safetensors").exists():
        _teach_skills(options)
    model = LlamaForCausalLM.from_pretrained(options.skilled)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(options.skilled)
    weaken = Demonstrator(Random(f"weak {options.seed}"))
    teach(model, tokenizer, partial(weaken.conversation, WEAK), options.weak_steps, rng=weaken.rng, learning_rate=1e-3)
    save(model, tokenizer, options.out)
    print(f"saved to {options.out} after {time.monotonic() - started:.0f} s")
    for name, share in measure(options.out, options.episodes).items():
        print(f"{name:16s} {100 * share:5.1f} %")


def _teach_skills(options: argparse.Namespace) -> None:
    demonstrator = Demonstrator(Random(f"skilled {options.seed}"))
    texts = [message.text for n in range(8_000) for message in demonstrator.conversation((SKILLED, WEAK)[n % 2])]
    tokenizer = make_tokenizer(texts)
    model = make_model(tokenizer, options.seed)
    print(f"{model.num_parameters():,} parameters, {len(tokenizer):,} tokens")
    teach(model, tokenizer, partial(demonstrator.conversation, SKILLED), options.skilled_steps, rng=demonstrator.rng)
    save(model, tokenizer, options.skilled)


if __name__ == "__main__":
    main()
