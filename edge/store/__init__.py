"""What is kept on this gateway: the segment ring, the trace in it."""
