"""The controller of one AI data-centre site. Start reading at `cycle.py`."""
