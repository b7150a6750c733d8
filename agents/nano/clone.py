"""`python -m agents.nano.clone`: teaches a nano policy any family of turnenv, with as many errors as wanted."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from random import Random

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from agents.nano.model import make_model, make_tokenizer, save
from agents.nano.noisy_expert import NoisyExpert
from agents.nano.teaching import Lesson, teach
from agents.options import json_object, share
from turnenv.envs import IDS
from turnenv.rollout import collect, vectorise
from turnenv.training import ChatPolicy, episode_metrics

_EXAMPLES = """examples:
  # eight turns, each right in about half of the cases: a minute, and small enough to train in another
  python -m agents.nano.clone --env turnenv/CreditChain-v0 --skill 0.3 --width 64 --layers 2 --learning-rate 3e-3 \\
      --out results/nano-chain

  # the skilled policy, which knows how to search once, taught to search several times: a quarter of an hour
  python -m agents.nano.clone --env turnenv/MultiHopSearch-v0 --model agents/nano/skilled --skill 0.7 --broken 0.05 \\
      --steps 600 --out results/nano-hops

  # and then
  python -m benchmarks compare --env turnenv/MultiHopSearch-v0 --model results/nano-hops --learning-rate 2e-4

The demonstrations are episodes of agents.scripted's expert with errors: --skill and --broken say how many. They are
played on the environment's own tasks: where it has splits, on that of --env-kwargs (by default the training split).
"""


def main() -> None:
    """Teach and save the policy, and print its scores at the start."""
    given = _parser().parse_args()
    began, rng = time.monotonic(), Random(f"clone {given.seed}")
    expert = NoisyExpert(given.env, given.env_kwargs, rng, skill=given.skill, broken=given.broken)
    model, tokenizer = _student(given, expert)
    print(f"{model.num_parameters():,} parameters, {len(tokenizer):,} tokens")
    torch.manual_seed(given.seed)
    teach(model, tokenizer, [Lesson(expert.conversation)], given.steps, rng=rng, learning_rate=given.learning_rate)
    save(model, tokenizer, given.out)
    print(f"saved to {given.out} after {time.monotonic() - began:.0f} s; it starts at:")
    for name, mean in _start(given, model, tokenizer).items():
        print(f"  {name:32s} {mean:6.3f}")


def _student(given: argparse.Namespace, expert: NoisyExpert) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    if given.model:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(given.model)
        return LlamaForCausalLM.from_pretrained(given.model), tokenizer
    texts = [message.text for _ in range(2_000) for message in expert.conversation()]
    tokenizer = make_tokenizer(texts)
    return make_model(tokenizer, given.seed, width=given.width, layers=given.layers), tokenizer


def _start(given: argparse.Namespace, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
    policy = ChatPolicy(model, tokenizer, max_turn_tokens=64)
    env = vectorise(given.env, given.episodes, **given.env_kwargs)
    return episode_metrics(collect(env, policy, range(given.episodes)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m agents.nano.clone",
        description="Teach a nano policy to play like a noisy expert (behaviour cloning).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--env", choices=IDS, required=True, metavar="ENV", help="environment id, such as turnenv/CreditChain-v0")
    add("--env-kwargs", type=json_object, default={}, metavar="JSON", help="arguments of the environment (default: {})")
    add("--out", type=Path, required=True, help="folder of the policy")
    add("--model", type=Path, help="a nano policy to continue from; without it, a new one with its own tokenizer")
    add("--skill", type=share, default=0.5, help="chance that a turn is the expert's (default: %(default)s)")
    add("--broken", type=share, default=0.0, help="chance that a message breaks off (default: %(default)s)")
    add("--steps", type=int, default=400, help="optimizer steps of 32 episodes (default: %(default)s)")
    add(
        "--learning-rate",
        type=float,
        default=1e-3,
        help="the highest of AdamW; Muon's is ten times as high (default: %(default)s)",
    )
    add("--width", type=int, default=128, help="of a new policy (default: %(default)s)")
    add("--layers", type=int, default=4, help="of a new policy (default: %(default)s)")
    add("--seed", type=int, default=0, help="decides everything (default: %(default)s)")
    add("--episodes", type=int, default=256, help="episodes to measure the start on (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
