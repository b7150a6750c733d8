"""Groups are written at five moments of training, bounded, and a failure to write stops nothing."""

import numpy as np
import pytest
from key_world import KeyEnv, config, tiny_model, word_tokenizer
from test_groups import episode

from turnenv.credit import mt_grpo
from turnenv.groups import read_groups
from turnenv.training import GroupLog, TurnGRPOTrainer
from turnenv.training.group_log import shortened

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]


@pytest.mark.parametrize(
    ("steps", "stride", "moments"),
    [(120, 1, [1, 31, 61, 90, 120]), (1, 1, [1]), (3, 1, [1, 2, 3]), (8, 4, [1, 5]), (9, 2, [1, 3, 5, 7, 9])],
)
def test_five_moments_of_a_run(tmp_path, steps, stride, moments):
    log = GroupLog(tmp_path / "g.jsonl")
    assert [step for step in range(1, steps + 1, stride) if log.due(step, steps, stride)] == moments


def write(log, step, episodes, size=2):
    log.write(step, "mt_grpo", {}, episodes, np.zeros((len(episodes), 2)), size, [True] * len(episodes), str)


def test_what_is_written_is_bounded(tmp_path):
    path = tmp_path / "deep" / "g.jsonl"
    write(GroupLog(path, groups=3), 1, [episode(text="x" * 1_000_000)] * 64)
    groups = read_groups(path)
    assert [group.number for group in groups] == [0, 1, 2]
    assert len(path.read_text()) < 700_000
    assert "[… 980,000 characters left out …]" in groups[0].members[0].episode.final_observation
    assert shortened("abc", 3) == "abc"


def test_a_run_that_begins_again_replaces_what_it_repeats(tmp_path):
    log = GroupLog(tmp_path / "g.jsonl")
    for step in (1, 5, 9, 5):
        write(log, step, [episode()] * 2)
    assert [group.step for group in read_groups(tmp_path / "g.jsonl")] == [1, 5]


def test_a_disk_that_refuses_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match="the groups of step 1 are not in"):
        write(GroupLog(tmp_path / "file" / "g.jsonl"), 1, [episode()] * 2)


def test_training_writes_the_advantages_that_it_used(tmp_path):
    path = tmp_path / "g.jsonl"
    args = config(tmp_path, credit="mt_grpo", credit_kwargs={"lam": 0.5}, max_steps=2)
    log = GroupLog(path, "mine")
    trainer = TurnGRPOTrainer(tiny_model(), KeyEnv, args, processing_class=word_tokenizer(), group_log=log)
    trainer.train()
    groups = read_groups(path)
    assert {group.step for group in groups} == {1, 2}
    for group in groups:
        assert (group.run, group.estimator, group.options) == ("mine", "mt_grpo", {"lam": 0.5})
        assert len(group.members) == args.num_generations
        used = [list(member.advantages) for member in group.members]
        due_BK = mt_grpo(group.batch(), lam=0.5)
        for row, (member, advantages) in enumerate(zip(group.members, used, strict=True)):
            np.testing.assert_allclose(advantages, due_BK[row, : len(advantages)], atol=1e-12)
            assert member.tokens is not None
            assert [len(part) for part in member.tokens] == [len(t.token_ids or ()) for t in member.episode.turns]
            assert member.episode.turns[0].observation
