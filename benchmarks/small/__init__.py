"""Methods compared on small policies, whose chance of success is computed exactly."""
