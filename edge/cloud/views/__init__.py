"""Other forms of the 1 Hz sample for those who already speak them: best effort, off by default, never the durable stream."""
