"""What every test shares: hypothesis without wall-clock limits (these machines are shared and noisy)."""

from hypothesis import HealthCheck, settings

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("shared")
