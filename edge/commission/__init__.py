"""Putting a site into service: who is on the wire, what a device says, whether everything is as the site file has it."""
