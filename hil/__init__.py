"""Hardware in the loop: a site that does not exist, on wires that nearly do."""
