"""A register dump of every shipped profile, and what it means: values worked out by hand from the source of each profile.

A dump is lines of `address: words`; registers between them read 0. Of bits it is the payload itself, first input = bit 0.
"""

import pytest

from edge.field.decode import BlockDecoder, decoder_of
from edge.field.profile import COILS, Block
from edge.field.profiles.loader import load_profile, shipped
from edge.roles import FLAGS

BMS, PCS, PV, IO = (FLAGS[kind] for kind in ("bms", "pcs", "pv", "io"))

# profile, block, dump, values by the name of the point
DUMPS: list[tuple[str, str, str, dict[str, int | None]]] = [
    ("abb-b23", "power", "5B14: FFFF FF6A", {"power_total": -2}),  # -150 x 0.01 W, to the nearest
    ("abb-b23", "energy", "5000: 0000 0000 0001 86A0  0000 0000 0000 0064",  # 100 000 and 100 x 0.01 kWh
     {"energy_import": 1_000_000, "energy_export": 1_000}),
    ("abb-b23", "frequency", "5B2C: 1388", {"frequency": 50_000}),  # 5000 x 0.01 Hz
    # mbmd's probe of an SDM630: 230.2 V is 43 66 33 34; here power 123.456 W is 42 F6 E9 79
    ("eastron-sdm630", "power", "34: 42F6 E979", {"power_total": 123}),
    ("eastron-sdm630", "energy", "46: 4248 0000 42C8 0000 3F80 0000",  # 50.0 Hz, 100.0 kWh, 1.0 kWh
     {"frequency": 50_000, "energy_import": 100_000, "energy_export": 1_000}),
    ("chint-dtsu666", "power", "2012: C640 E400", {"power_total": -1_235}),  # -12345.0 x 0.1 W = -1234.5 W
    ("chint-dtsu666", "voltage", "2006: 4513 8000", {"voltage_l1": 2_360}),  # 2360.0 x 0.1 V = 236.0 V
    ("chint-dtsu666", "frequency", "2044: 459C 4000", {"frequency": 50_000}),  # 5000.0 x 0.01 Hz
    ("chint-dtsu666", "energy_import", "101E: 42F6 0000", {"energy_import": 123_000}),  # 123.0 kWh
    ("schneider-iem3000", "power", "0BF3: 4120 0000", {"power_total": 10_000}),  # 10.0 kW
    ("schneider-iem3000", "power", "0BF3: FFC0 0000", {"power_total": None}),  # not a number
    ("schneider-iem3000", "energy", "0C83: 0000 0000 0012 D687  8000 0000 0000 0000",  # 1 234 567 Wh, and not available
     {"energy_import": 1_234_567, "energy_export": None}),
    ("schneider-iem3000", "voltage", "0BD3: 4366 0000", {"voltage_l1": 2_300}),  # 230.0 V
    ("schneider-pm5000", "power", "0BF3: C120 0000", {"power_total": -10_000}),  # documented 3060 is wire 3059 = 0BF3
    ("schneider-pm5000", "energy", "0C83: 0000 0000 0000 03E8  0000 0000 0000 0001",  # documented 3204: 1000 Wh, 1 Wh
     {"energy_import": 1_000, "energy_export": 1}),
    ("schneider-pm5000", "frequency", "0C25: 4248 0000", {"frequency": 50_000}),
    ("carlo-gavazzi-em340", "power", "28: CFC7 FFFF", {"power_total": -1_235}),  # low word first: -12345 x 0.1 W
    ("carlo-gavazzi-em340", "energy_import", "33: 01F4  3039 0000",  # 500 x 0.1 Hz; 12345 x 0.1 kWh
     {"frequency": 50_000, "energy_import": 1_234_500}),
    ("carlo-gavazzi-em340", "voltage", "0: 08FC 0000", {"voltage_l1": 2_300}),  # 2300 x 0.1 V
    ("sungrow-sg", "main", "13A6: 0001 0001 0000 0000 0000 0000 0000 5500",  # documented 5031, 5038
     {"power": 65_537, "state": PV["fault"]}),
    ("sungrow-sg", "energy", "138B: 3039 0000 0000 0000 015E",  # documented 5004: 12345 kWh; 5008: 350 x 0.1 C
     {"energy_total": 12_345_000, "temp": 350}),
    ("huawei-sun2000", "main", "7D50: 0000 3039  0 0 0 0 0 01A4 0 0200",  # 12 345 W; 420 x 0.1 C; on grid
     {"power": 12_345, "temp": 420, "state": PV["running"]}),
    ("huawei-sun2000", "main", "7D50: 7FFF FFFF  0 0 0 0 0 7FFF 0 0300",
     {"power": None, "temp": None, "state": PV["fault"]}),
    ("huawei-sun2000", "energy", "7D6A: 0001 E240", {"energy_total": 1_234_560}),  # 123 456 x 0.01 kWh
    ("growatt", "power", "23: 0001 E240", {"power": 12_346}),  # 123 456 x 0.1 W = 12 345.6 W
    ("growatt", "energy", "37: 0000 3039", {"energy_total": 1_234_500}),  # 12 345 x 0.1 kWh
    ("growatt", "temp", "5D: 01A4", {"temp": 420}),
    ("sinexcel-pcs-30", "fast", "7A: FF6A\n84: 0023\n87: FFF1\n8E: 1D4C",  # -150 x 10 W; 35 C; -15 x 100 W; 7500 x 0.1 V
     {"power_total": -1_500, "heatsink_temp": 350, "power_set_read": -1_500, "dc_voltage": 7_500}),
    ("sinexcel-pcs-30", "state", "20: 0005\n25: 0001",  # fault and running; emergency power off
     {"status": PCS["fault"] | PCS["running"], "fault_1": PCS["estop"], "warning": 0, "dc_fault": 0}),
    ("sinexcel-pcs-30", "energy", "90: 0000 3039 0001 0000",
     {"energy_charge": 1_234_500, "energy_discharge": 6_553_600}),
    ("enjoypowers-pcs-100", "fast", "6039: FE0C\n6053: 1D4C\n6057: 0041 01A4",  # -500 x 0.1 kW turned; 750.0 V; 42.0 C
     {"power_total": 50_000, "dc_voltage": 7_500, "status": PCS["running"] | PCS["fault"], "heatsink_temp": 420}),
    ("enjoypowers-pcs-100", "faults", "1700: 0001", {"hardware_fault_1": PCS["estop"], "bus_fault": 0}),
    ("fenecon-commercial-40", "state", "101: 0010 0002", {"system_state": PCS["running"], "control_mode": PCS["local"]}),
    ("fenecon-commercial-40", "state", "101: 0020 0001\n110: 0044",
     {"system_state": PCS["fault"], "control_mode": 0, "abnormality": PCS["estop"] | PCS["local"]}),
    ("fenecon-commercial-40", "fast", "228: FF38", {"power_total": -20_000}),  # -200 x 0.1 kW
    ("fenecon-commercial-40", "energy", "208: 3039 0000 0001 0001",  # low word first: 12 345 and 65 537 x 0.1 kWh
     {"energy_charge": 1_234_500, "energy_discharge": 6_553_700}),
    ("sungrow-sh", "battery", "145D: EC78 FFFF", {"power_battery": -5_000}),  # low word first, negative: charging
    ("sungrow-sh", "state", "32C7: 4000", {"running_state": PCS["running"]}),
    ("sungrow-sh", "state", "32C7: 1500", {"running_state": PCS["estop"]}),
    ("sungrow-sh", "dc", "32DB: 07DA", {"dc_voltage": 2_010}),  # 2010 x 0.1 V
    ("deye-sg01hp3-30", "battery", "24B: 1D4C 0037 0000 FE0C",  # 7500 x 0.1 V; 55 %; -500 x 10 W: charging
     {"dc_voltage": 7_500, "battery_soc": 55, "power_battery": -5_000}),
    ("deye-sg01hp3-30", "state", "1F4: 0002", {"device_state": PCS["running"]}),
    ("deye-sg01hp3-30", "state", "1F4: 0003", {"device_state": 0}),  # an alarm is not a run
    ("deye-sg01hp3-30", "energy", "204: 3039 0000 0001 0001",  # low word first: 12 345 and 65 537 kWh
     {"energy_charge": 12_345_000, "energy_discharge": 65_537_000}),
    ("soltaro-rack-c", "main",
     "2100: 1D4C FF9C\n2103: 0037 0064\n2105: 0001 0D16 0002 0CE4 0003 00FA 0004 FFC9\n210E: 07D0 01F4 03E8\n2113: 0001",
     {"pack_voltage": 7_500, "pack_current": -100, "soc": 5_500, "soh": 10_000, "cell_voltage_max": 3_350,
      "cell_voltage_min": 3_300, "cell_temp_max": 250, "cell_temp_min": -55, "insulation": 2_000,
      "current_charge_max": 500, "current_discharge_max": 1_000, "battery_state": BMS["charge_forbidden"]}),
    ("soltaro-rack-c", "alarms", "2140: 0001 0008", {"level_2": BMS["trip"], "level_1": BMS["alarm"]}),
    ("soltaro-rack-c", "precharge", "2010: 0003", {"precharge_control": BMS["connected"]}),
    ("pylontech-powercube-m2", "status", "1100: 0013 0002 0002",  # idle, bit 4; cell voltage high acted upon; a warning
     {"basic_status": BMS["alarm"], "protection": BMS["trip"], "warning": 0}),
    ("pylontech-powercube-m2", "main",
     # 480.0 V; +20.00 A (charge); 21.5 C; 55 %; 532.0 V; 37.00 A; 420.0 V; -37.00 A; relays; 3350, 3300 mV; 22.0, 20.5 C
     "1103: 12C0 0000 07D0 00D7 0037 0064 14C8 0000 0E74 1068 FFFF F18C 0003 0D16 0CE4\n1114: 00DC 00CD\n1120: 0063",
     {"pack_voltage": 4_800, "pack_current": -200, "soc": 5_500, "current_charge_max": 370, "current_discharge_max": 370,
      "relays": BMS["connected"], "cell_voltage_max": 3_350, "cell_voltage_min": 3_300, "cell_temp_max": 220,
      "cell_temp_min": 205, "soh": 9_900, "fault": 0}),
    ("pylontech-powercube-m2", "forbidden", "1138: 00AA 0001",
     {"charge_mark": BMS["charge_forbidden"], "discharge_mark": BMS["discharge_forbidden"]}),
    ("pylontech-powercube-m2", "insulation", "1148: 03E8", {"insulation": 1_000}),
    # The answer that the vendor's protocol shows: 52.81 V, 0 A, SOC and SOH 100 %, 3.302 and 3.300 V, 2946 and 2943 - 2731
    # tenths of a kelvin, 180 A both ways.
    ("seplos-3", "main",
     "1000: 14A1 0000 4E20 4E20 0000 03E8 03E8 0000 0CE4 0B80 0CE6 0CE4 0B82 0B7F 0000 00B4 00B4 03E8",
     {"pack_voltage": 528, "pack_current": 0, "soc": 10_000, "soh": 10_000, "cell_voltage_max": 3_302,
      "cell_voltage_min": 3_300, "cell_temp_max": 215, "cell_temp_min": 212, "current_discharge_max": 1_800,
      "current_charge_max": 1_800}),
    # Bytes of 0x1240, 0x1248 ...: standby; cell overvoltage; three quiet; short latched; quiet; charge FET on; -; aerosol
    ("seplos-3", "alarms", "10 02 00 00 00 01 00 02 00 80",
     {"system_state": BMS["connected"], "voltage_events": BMS["alarm"], "temp_events": 0, "current_events": 0,
      "latched_events": BMS["trip"], "fets": BMS["discharge_forbidden"], "hard_faults": BMS["trip"]}),
    ("gaote", "main",
     # 750.0 V; 16100 x 0.1 - 1600 = 10 A; 55, 99 %; DI 0x25; 65 - 40 = 25 C; 3350 mV; 35 - 40 = -5 C; 50.0, 100.0 A
     "1: 1D4C 3EE4 0037 0063\n8: 00A5\n0B: 0041\n0E: 0023\n14: 0D16\n17: 0CE4\n3B: 01F4 03E8 0001",
     {"pack_voltage": 7_500, "pack_current": 100, "soc": 5_500, "soh": 9_900, "inputs": BMS["connected"],
      "cell_temp_max": 250, "cell_temp_min": -50, "cell_voltage_max": 3_350, "cell_voltage_min": 3_300,
      "current_charge_max": 500, "current_discharge_max": 1_000, "marks": BMS["charge_forbidden"]}),
    ("gaote", "main", "8: 0021", {"inputs": 0}),  # two of the three: not on
    ("gaote", "alarms", "20 00 00 00 00 20 00 00",  # inputs 6 and 46: pack undervoltage, input 1
     {"alarms_1": BMS["trip"], "alarms_17": 0, "alarms_33": BMS["alarm"], "alarms_49": 0}),
    ("gaote", "alarms", "00 00 00 00 00 00 00 02", {"alarms_49": BMS["trip"]}),  # input 58: battery limit
    ("remote-io-8", "inputs", "7F", {"inputs": 0}),  # every closed loop closed, generator off
    ("remote-io-8", "inputs", "F6", {"inputs": IO["estop"] | IO["door"] | IO["genset_on"]}),
    ("remote-io-8", "inputs", "00", {"inputs": sum(IO.values()) - IO["genset_on"] - IO["surge"] - IO["grid_lost"]}),
    ("advantech-adam-4150", "inputs", "6F", {"inputs": IO["local"]}),  # input 4 has opened
    ("remote-io-words", "inputs", "0: 007D", {"inputs": IO["smoke_1"] | IO["surge"] | IO["grid_lost"]}),
]  # fmt: skip


def payload_of(block: Block, dump: str) -> bytes:
    """The payload of a block from the text of a dump."""
    if block.fc in COILS:
        return bytes.fromhex(dump)
    words: dict[int, int] = {}
    for line in dump.splitlines():
        start, _, rest = line.partition(":")
        words |= {int(start, 16) + index: int(word, 16) for index, word in enumerate(rest.split())}
    assert all(block.start <= addr < block.start + block.count for addr in words), "the dump is of another block"
    return b"".join(words.get(block.start + index, 0).to_bytes(2, "big") for index in range(block.count))


@pytest.mark.parametrize(("profile", "block", "dump", "expected"), DUMPS, ids=[f"{d[0]}-{d[1]}" for d in DUMPS])
def test_a_dump_means_what_was_worked_out_by_hand(
    profile: str, block: str, dump: str, expected: dict[str, int | None]
) -> None:
    found = next(b for b in load_profile(profile).blocks if b.name == block)
    reading = BlockDecoder(found, "x").decode(payload_of(found, dump), 1)
    values = dict(zip((point.name for point in found.points), reading.values, strict=True))
    assert {name: values[name] for name in expected} == expected


def test_values_of_the_secondary_side_count_once_the_ratios_are_known() -> None:
    """Acrel: -123 W on the secondary side, 10 V / 1 V and 200 A / 5 A: -123 x 10 x 40 W; 5.00 kWh x 400; 23.0 V x 10."""
    ratios: dict[str, int] = {}
    blocks = {b.name: b for b in load_profile("acrel-adl400").blocks}
    decoders = {name: decoder_of(block, "m", ratios) for name, block in blocks.items()}

    def decoded(name: str, dump: str) -> tuple[int | None, bool]:
        reading = decoders[name].decode(payload_of(blocks[name], dump), 1)
        return reading.values[0], reading.complete

    assert decoded("power", "16A: FFFF FF85") == (None, False)
    decoded("ratios", "8D: 000A 0000")
    assert decoded("power", "16A: FFFF FF85") == (None, False), "a ratio of 0 is none"
    decoded("ratios", "8D: 000A 0028")
    assert decoded("power", "16A: FFFF FF85") == (-49_200, True)
    assert decoded("power", "16A: 0000 0000") == (0, True)
    assert decoded("power", "16A: 7FFF FFFF") == (None, False), "beyond the range once it is multiplied"
    assert decoded("energy_import", "0A: 0000 01F4")[0] == 2_000_000
    assert decoded("voltage", "61: 00E6")[0] == 2_300
    assert decoded("frequency", "77: 1388")[0] == 50_000


def test_every_shipped_profile_has_a_dump_of_the_values_that_matter() -> None:
    seen = {(profile, point) for profile, _, _, expected in DUMPS for point in expected}
    for name in shipped():
        for block in load_profile(name).blocks:
            for index in block.mandatory:
                point = block.points[index]
                known = (name, point.name) in seen or name == "acrel-adl400"
                assert known or (point.flags and name in {"enjoypowers-pcs-100", "seplos-3"}), (name, point.name)
