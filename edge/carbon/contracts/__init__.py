"""Electricity bought with an attribute: what was delivered, what it covers by interval, what it covers by the year."""
