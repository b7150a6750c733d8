"""Test settings that every file shares."""

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

for profile, examples in (("quick", 30), ("thorough", 200)):
    settings.register_profile(
        profile, deadline=None, max_examples=examples, suppress_health_check=[HealthCheck.too_slow]
    )


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples of each property where slow tests are left out, before the tests are imported."""
    settings.load_profile("quick" if "not slow" in config.option.markexpr else "thorough")


def pytest_collection_finish() -> None:
    """Let no later collection of garbage look through all that was imported: each training run asks for one."""
    gc.collect()
    gc.freeze()
