"""Everything between a register and a Reading: ports, strict RTU transactions, the bus scheduler, device profiles."""
