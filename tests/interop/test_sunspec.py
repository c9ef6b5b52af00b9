"""The client of pysunspec2, a reference of its makers, against our simulated SunSpec device on a paced line. Real time."""

import asyncio
import statistics
import time
from importlib.metadata import version
from typing import Any

import pytest

from hil.lan import sunspec as device
from hil.pty import PtyBus
from tests.interop import peers
from tests.interop.conftest import Row

pytestmark = pytest.mark.hil
BAUD = 115_200
MODELS: list[tuple[int, dict[str, int | float | str]]] = [
    (1, {"Mn": "Acme", "Md": "Model 7", "Vr": "1.2", "SN": "A-0001", "DA": 1}),
    (701, {"ACType": 2, "InvSt": 3, "Alrm": 0, "W": -1234, "W_SF": 1, "TotWhInj": 5_000, "TotWh_SF": 2}),
    (65_000, {"L": 17}),  # a vendor's own, to be stepped over
    (704, {"WSetEna": 0, "WSetMod": 1, "WSet": 0, "WSetRvrtTms": 0, "WSet_SF": 1}),
    (713, {"SoC": 512, "SoH": 990, "Sta": 0, "Pct_SF": -1}),
    (714, {"NPrt": 1, "Prt[0].DCV": 7_801, "DCV_SF": -1}),
]


def read_all(path: str, map_: Any, row: Row) -> None:
    """In a thread of its own: this client waits."""
    from sunspec2.modbus.client import SunSpecModbusClientDeviceRTU  # noqa: PLC0415 (may be absent)

    client = SunSpecModbusClientDeviceRTU(1, path, baudrate=BAUD, timeout=0.5)
    try:
        client.scan()
        assert [number for number in client.models if isinstance(number, int)] == [number for number, _ in MODELS]
        assert (client.common[0].Mn.value, client.common[0].SN.value) == ("Acme", "A-0001")
        ac = client.models[701][0]
        assert (ac.W.value, ac.W.cvalue, ac.TotWhInj.cvalue) == (-1234, -12_340, 500_000)
        assert ac.Hz.value is None, "what is not implemented is no number"
        assert client.models[714][0].Prt[0].DCV.cvalue == pytest.approx(780.1)
        control = client.models[704][0]
        control.WSet.cvalue, control.WSetEna.value = -2_500, 1
        control.write()
        assert (map_.get("704.WSet"), map_.get("704.WSetEna")) == (-250, 1)
        storage, right, took_ms = client.models[713][0], 0, []
        for index in range(peers.ROUNDS):
            map_.put("713.SoC", index % 1_000)
            start_s = time.perf_counter()
            storage.read()
            took_ms.append((time.perf_counter() - start_s) * 1000)
            right += storage.SoC.value == index % 1_000 and storage.SoH.cvalue == pytest.approx(99.0)
        row(
            "pysunspec2", version("pysunspec2"), "client of our device", peers.ROUNDS, right, statistics.median(took_ms)
        )
        assert right == peers.ROUNDS
    finally:
        client.close()


def test_its_scan_finds_every_model_and_each_round_is_right(row: Row) -> None:
    async def main() -> None:
        map_ = device.Map(MODELS)
        bus = PtyBus("line", BAUD, [device.SunSpecSlave(map_, 1)])
        bus.start()
        try:
            await asyncio.to_thread(read_all, bus.path, map_, row)
        finally:
            bus.stop()

    peers.require("pysunspec2")
    asyncio.run(main())
