"""What a bus sends when: reads and their turns, the questions of a technician. No I/O; the bus itself is in bus.py."""
