"""What holds for all tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes tells of the machine and of who else uses it.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Have half as many again as cores for `-n auto`: tests wait for processes, and for pods."""
    return (os.cpu_count() or 2) * 3 // 2
