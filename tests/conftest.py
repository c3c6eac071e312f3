"""What holds for all tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes tells of the machine and of who else uses it.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Have half as many again as there are cores: tests wait for processes more than they work."""
    return (os.cpu_count() or 2) * 3 // 2
