"""SunSpec devices for tests: a PCS, a BMS of two strings, a PV inverter, a meter, and how to ask one without a bus."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from edge.field.line.rtu import Expect, read_request
from edge.field.sunspec.walk import Answer, Chain, walk
from edge.model import Outcome
from hil.lan.sunspec import Map, SunSpecSlave, Values

T = TypeVar("T")
COMMON: Values = {"Mn": "Acme", "Md": "Model 7", "Vr": "1.2", "SN": "A-0001", "DA": 1}

PCS: list[tuple[int, Values]] = [
    (1, COMMON),
    (701, {"ACType": 2, "InvSt": 3, "Alrm": 0, "W": -1234, "W_SF": 1, "Hz": 49_990, "Hz_SF": -3, "TotWhInj": 5_000,
           "TotWhAbs": 7_000, "TotWh_SF": 2, "TmpSnk": 415, "Tmp_SF": -1}),
    (702, {"WMaxRtg": 5_000, "WChaRteMaxRtg": 3_000, "WDisChaRteMaxRtg": 4_000, "WMax": 5_000, "W_SF": 1}),
    (65_000, {"L": 17}),
    (704, {"WSetEna": 0, "WSetMod": 1, "WSet": 0, "WSetRvrt": 500, "WSetEnaRvrt": 0, "WSetRvrtTms": 0, "WSetRvrtRem": 0,
           "WSet_SF": 1}),
    (713, {"SoC": 512, "SoH": 990, "Sta": 0, "Pct_SF": -1}),
    (714, {"NPrt": 1, "Prt[0].DCV": 7_801, "DCV_SF": -1}),
    (715, {"LocRemCtl": 0, "DERHb": 0, "ControllerHb": 0, "AlarmReset": 0, "OpCtl": 1}),
]  # fmt: skip
BMS: list[tuple[int, Values]] = [
    (1, COMMON),
    (802, {"SoC": 5_512, "SoH": 9_900, "SoC_SF": -2, "SoH_SF": -2, "LocRemCtl": 0, "Hb": 0, "CtrlHb": 0, "AlmRst": 0,
           "State": 3, "Evt1": 0, "V": 7_800, "V_SF": -1, "CellVMax": 3_321, "CellVMin": 3_300, "CellV_SF": -3, "A": -55,
           "A_SF": -1, "AChaMax": 100, "ADisChaMax": 120, "AMax_SF": 0, "SetOp": 1}),
    (803, {"NStr": 2, "NStrCon": 2, "ModTmpMax": 290, "ModTmpMin": 270, "ModTmp_SF": -1, "string[1].StrSoC": 50,
           "SoC_SF": 0}),
]  # fmt: skip
PV: list[tuple[int, Values]] = [
    (1, COMMON),
    (103, {"W": 12_340, "W_SF": 0, "WH": 4_000_000, "WH_SF": 0, "TmpCab": 35, "Tmp_SF": 0, "St": 4, "Evt1": 0}),
    (121, {"WMax": 11_000, "WMax_SF": 1}),
    (123, {"Conn": 1, "WMaxLimPct": 1_000, "WMaxLimPct_SF": -1, "WMaxLim_Ena": 0}),
    (160, {"N": 2, "module[1].DCW": 70}),
]
METER: list[tuple[int, Values]] = [
    (1, COMMON),
    (203, {"W": 20_500, "W_SF": 0, "Hz": 5_001, "Hz_SF": -2, "PhVphA": 2_301, "V_SF": -1, "TotWhImp": 1_000_000,
           "TotWhExp": 55, "TotWh_SF": 0}),
]  # fmt: skip
DEVICES = {"pcs": PCS, "bms": BMS, "pv": PV, "meter": METER}


class Asked:
    """A device that is asked directly, frame by frame; counts what it is asked. `lose` says which requests are lost."""

    def __init__(self, slave: SunSpecSlave, lose: Callable[[int], bool] = lambda _: False) -> None:
        self.slave, self.lose = slave, lose
        self.count = 0

    async def read(self, start: int, count: int) -> Answer:
        self.count += 1
        if self.lose(self.count):
            return Outcome.TIMEOUT
        expect = Expect(read_request(self.slave.address, 3, start, count))
        reply = self.slave.receive(expect.request)
        answer = expect.match(reply or b"")
        return Outcome.TIMEOUT if answer is None else answer


def now(steps: Coroutine[Any, Any, T]) -> T:
    """The result of steps that wait for nothing: no loop is needed, so this also works inside one."""
    try:
        steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("these steps wait for something")


def walked(models: list[tuple[int, Values]], regs_max: int = 60, **options: Any) -> Chain:
    """What a walk over a simulated device of these models finds."""
    return now(walk(Asked(SunSpecSlave(Map(models, **options), 1, regs_max=regs_max)).read, regs_max))
