"""Decides nothing itself: the kernel's Python face, the image it reads, the leases it obeys, the orders it gives."""
