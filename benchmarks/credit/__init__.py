"""The credit lab: estimators against exact truth, in environments small enough to solve."""
