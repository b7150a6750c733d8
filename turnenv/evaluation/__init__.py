"""Playing a policy on a fixed set of episodes: kept through crashes, summed up with intervals."""
