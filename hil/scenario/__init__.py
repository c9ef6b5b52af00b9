"""Scenarios: a site, what goes wrong with it, and what must then be seen. Played, judged, and told on one screen."""
