"""Physics without protocol: pack, PCS, PV, load, meters. Pure functions of time and commands."""
