"""Decides nothing itself: the Python face of the kernel, the image it reads, the leases it obeys, the orders it gives."""
