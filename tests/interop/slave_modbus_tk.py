"""A slave made with modbus-tk for the interoperability tests: PATH UNIT.

100 holding registers 1000 * unit + address and 100 input registers 500 above them; 115200 8N1. Says "ready VERSION" once it
listens, and ends with its input. The library's thread does the work.
"""

import sys
from importlib.metadata import version

import serial
from modbus_tk import defines
from modbus_tk.modbus_rtu import RtuServer

REGISTERS = 100


def main(path: str, unit: int) -> None:
    server = RtuServer(serial.Serial(path, 115_200), error_on_missing_slave=False)
    server.start()
    slave = server.add_slave(unit)
    for name, kind, base in (("h", defines.HOLDING_REGISTERS, 0), ("i", defines.ANALOG_INPUTS, 500)):
        slave.add_block(name, kind, 0, REGISTERS)
        slave.set_values(name, 0, [1000 * unit + base + address for address in range(REGISTERS)])
    print("ready modbus-tk", version("modbus_tk"), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
