"""Training runs of several methods on small policies, with exact success curves."""
