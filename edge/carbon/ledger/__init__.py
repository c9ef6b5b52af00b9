"""The append-only record of closed intervals: canonical bytes, a hash chain, one signed root a day."""
