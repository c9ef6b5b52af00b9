"""The site as a Sparkplug B 3.0 edge node: `view.py` drives it, `node.py` decides what is said, `proto.py` writes it."""
