"""The simulated site: pure physics in floats, deterministic, no protocol and no event loop."""
