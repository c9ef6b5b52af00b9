"""Emission factors: versioned tables per region and year, each with its source, and what a fuel mix weighs by them."""
