"""Test settings that every file shares."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

settings.register_profile("turnenv", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("turnenv")
