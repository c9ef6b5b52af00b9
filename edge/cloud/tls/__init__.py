"""Certificates of the uplink: from when until when they hold, by which clock, and how renewed ones come into use."""
