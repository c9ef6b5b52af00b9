"""A simulated RTU device: `device.py` is its behaviour towards the wire, `registers.py` a profile read backwards."""

from hil.slave.device import Slave

__all__ = ["Slave"]
