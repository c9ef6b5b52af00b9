"""The guard in C beside its oracle: sites and weather drawn at the thresholds, both stepped, everything compared."""
