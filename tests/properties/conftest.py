"""How long the properties are tried: quickly, or with HYPOTHESIS_PROFILE=thorough for HYPOTHESIS_EXAMPLES cases each."""

import os

from hypothesis import HealthCheck, settings

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
settings.register_profile(
    "quick", max_examples=100, deadline=None, suppress_health_check=QUIET, derandomize=True
)
settings.register_profile(
    "thorough",
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "20000")),
    deadline=None,
    suppress_health_check=QUIET,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
