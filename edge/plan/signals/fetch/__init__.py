"""Asking over HTTP, in a thread of its own: keys, one bounded GET, when to ask again, raw bodies kept for the evidence."""
