"""What holds for all tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes tells of the machine and of who else uses it.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Have as many as cores for `-n logical`, half as many again for `-n auto`: for tests that wait for processes."""
    cores = os.cpu_count() or 2
    return cores * 3 // 2 if config.option.numprocesses == "auto" else cores
