"""Simulated devices that are not a profile read backwards: SunSpec maps, and Modbus TCP in front of any slave."""
