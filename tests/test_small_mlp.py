"""The neural policy: equal to the tabular one where it is one, and able to learn."""

import numpy as np
import pytest
import torch

from agents.small.mlp import MlpPolicy
from agents.small.tabular import TabularPolicy
from agents.small.worlds import factored_one_hot, make_world
from benchmarks.__main__ import main
from turnenv.exact import softmax


def test_without_hidden_layers_and_on_one_hot_features_it_is_the_tabular_policy():
    rng = np.random.default_rng(0)
    tabular = TabularPolicy((5, 3), 0.7)
    neural = MlpPolicy(np.eye(5, dtype=np.float32), 3, 0.7, hidden=(), optimizer="sgd", bias=False)
    for _ in range(10):
        seen, actions, weights = rng.integers(5, size=40), rng.integers(3, size=40), rng.normal(size=40)
        tabular.ascend(seen, actions, weights)
        neural.ascend(seen, actions, weights)
        assert neural.table() == pytest.approx(tabular.table(), abs=1e-5)
    assert np.ptp(tabular.table()) > 0.3


def test_it_begins_uniform_and_its_seed_decides_the_rest():
    features = factored_one_hot(make_world("GridQuest-easy", {}).model.observation_keys)
    one, same, other = (MlpPolicy(features, 6, 0.1, seed=seed) for seed in (0, 0, 1))
    assert one.table() == pytest.approx(np.full((len(features), 6), 1 / 6))
    for policy in (one, same, other):
        policy.ascend(np.array([0, 1, 1]), np.array([0, 1, 2]), np.array([1.0, -1.0, 0.5]))
        policy.ascend(np.array([0]), np.array([3]), np.array([1.0]))
    assert np.array_equal(one.table(), same.table())
    assert not np.allclose(one.table(), other.table(), atol=1e-4)


def test_making_one_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    MlpPolicy(np.eye(2, dtype=np.float32), 2, 0.1, seed=9)
    assert torch.equal(before, torch.random.get_rng_state())


def test_its_table_is_the_softmax_of_its_network():
    policy = MlpPolicy(np.eye(3, dtype=np.float32), 2, 0.1, hidden=(4,))
    policy.ascend(np.array([0]), np.array([1]), np.array([1.0]))
    logits = policy.network(torch.eye(3)).detach().numpy().astype(np.float64)
    assert policy.table() == pytest.approx(softmax(logits))


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="optimizer is"):
        MlpPolicy(np.eye(2, dtype=np.float32), 2, 0.1, optimizer="lion")


def test_the_command_trains_it(tmp_path, capsys):
    arguments = ["--policy", "mlp", "--seeds", "1", "--steps", "15", "--methods", "mt_grpo", "--learning-rate", "0.05"]
    assert main(["small", *arguments, "--hidden", "16", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert 'hidden=[16] optimizer="adam"' in said
    assert float(said.split("| mt_grpo")[1].split("|")[3]) > 80.0


def test_a_tabular_policy_has_no_hidden_layers(tmp_path, capsys):
    assert main(["small", "--hidden", "16", "--out", str(tmp_path)]) == 2
    assert "pass --policy mlp too" in capsys.readouterr().err
