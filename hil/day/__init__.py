"""Days in seconds: the plant with the kernel alone (image) or with the whole controller on virtual wires (wired)."""
