"""Run by test_training_distributed.py under a launcher: a sharded policy plays and trains on ragged episodes."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from key_world import KeyEnv, logprobs_of, tiny_model, word_tokenizer
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from turnenv import Episode, Reply, collect
from turnenv.policies.local import ChatPolicy
from turnenv.policies.token_stream import TokenStream


class Lasting(KeyEnv):
    """Ends at its last turn alone."""

    def respond(self, state, action, rng):  # type: ignore[no-untyped-def]
        state["turn"] += 1
        if state["turn"] == self.max_turns:
            return Reply.final(".", {}, outcome={"last": 1.0}, success=True)
        return Reply.turn("obs 1", {"right": 1.0})


def play(model, turns: int) -> tuple[list[Episode], list[TokenStream]]:  # type: ignore[no-untyped-def]
    torch.manual_seed(turns)
    policy = ChatPolicy(model, word_tokenizer(), max_turn_tokens=3)
    return collect(lambda: Lasting(max_turns=turns), policy, [0, 1]), policy.streams


def step(model, streams: list[TokenStream]) -> None:  # type: ignore[no-untyped-def]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = [
        logprobs_of(model, stream.prompt_ids, stream.completion_ids)[torch.tensor(stream.turn_of) >= 0].sum()
        for stream in streams
    ]
    torch.stack(losses).sum().backward()
    for parameter in model.parameters():
        if not isinstance(parameter, DTensor):
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()
    optimizer.step()


def main(folder: Path) -> None:
    dist.init_process_group("gloo")
    turns = (3, 7)[dist.get_rank()]
    whole = tiny_model()
    shards = copy.deepcopy(whole)
    mesh = init_device_mesh("cpu", (2,))
    for layer in shards.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(shards, mesh=mesh)
    differences = []
    for _ in range(2):
        expected, _ = play(whole, turns)
        episodes, streams = play(shards, turns)
        assert [len(episode.turns) for episode in episodes] == [turns, turns]
        assert [[t.token_ids for t in e.turns] for e in episodes] == [[t.token_ids for t in e.turns] for e in expected]
        assert all(isinstance(parameter, DTensor) for parameter in shards.parameters())
        step(whole, streams)
        step(shards, streams)
        for ours, theirs in zip(shards.parameters(), whole.parameters(), strict=True):
            differences.append(float((ours.full_tensor() - theirs).detach().abs().max()))
        whole.zero_grad()
        shards.zero_grad()
    assert any(isinstance(module, FSDPModule) for module in shards.modules())
    (folder / f"{dist.get_rank()}.txt").write_text(str(max(differences)))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
