"""What the conformance suite may leave open on another library's environment, and nothing else."""

from turnenv import check_env

_OPEN = {
    "coming back to a state is not paid",
    "no loop earns more than solving",
    "Gymnasium's async batch plays the same",
}


def check_peer(env_id, agent):
    """The whole contract; `agent` maps (observation, turn) to a message, None for one that says anything."""
    checks = check_env(env_id, agent, episodes=4)
    assert {check.claim for check in checks if check.unchecked} <= _OPEN
