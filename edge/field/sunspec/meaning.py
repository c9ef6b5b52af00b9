"""What SunSpec points mean here: role, flags and writes of each kind of device, by the standard's own point names.

Facts only, no addresses: those come from the walk. Where several models have a quantity the first one found counts. Signs
are those of the standard where it states them (701: + is generation); where it does not, `draft.py` says so in the file.
"""

INVERTERS = (101, 102, 103, 111, 112, 113)
METERS = (201, 202, 203, 204, 211, 212, 213, 214)

Source = tuple[tuple[int, ...], str]  # (models, point)

ROLE_SOURCES: dict[str, tuple[Source, ...]] = {
    "pv.power": (((701, *INVERTERS), "W"),),
    "pv.energy": (((701,), "TotWhInj"), (INVERTERS, "WH")),
    "pv.temp": (((701, *INVERTERS), "TmpCab"),),
    "pcs.power": (((701, *INVERTERS), "W"),),
    "pcs.dc_voltage": (((714,), "Prt[0].DCV"), (INVERTERS, "DCV")),
    "pcs.energy_discharge": (((701,), "TotWhInj"),),
    "pcs.energy_charge": (((701,), "TotWhAbs"),),
    "pcs.heatsink_temp": (((701, *INVERTERS), "TmpSnk"),),
    "pcs.heartbeat": (((715,), "DERHb"),),
    "bms.pack_voltage": (((802,), "V"),),
    "bms.pack_current": (((802,), "A"),),
    "bms.soc": (((802, 713), "SoC"),),
    "bms.soh": (((802, 713), "SoH"),),
    "bms.cell_voltage_min": (((802,), "CellVMin"),),
    "bms.cell_voltage_max": (((802,), "CellVMax"),),
    "bms.cell_temp_min": (((803,), "ModTmpMin"),),  # of a module: the standard's bank has no cell temperature
    "bms.cell_temp_max": (((803,), "ModTmpMax"),),
    "bms.current_charge_max": (((802,), "AChaMax"),),
    "bms.current_discharge_max": (((802,), "ADisChaMax"),),
    "bms.heartbeat": (((802,), "Hb"),),
    "meter.power": ((METERS, "W"),),
    "meter.energy_import": ((METERS, "TotWhImp"),),
    "meter.energy_export": ((METERS, "TotWhExp"),),
    "meter.frequency": ((METERS, "Hz"),),
    "meter.voltage_l1": ((METERS, "PhVphA"),),
}

# canonical unit of a role -> (unit word of a profile, how many of it are one of the standard's unit)
UNIT_WORDS: dict[str, tuple[str, int]] = {
    "W": ("W", 1), "Wh": ("Wh", 1), "dV": ("V", 1), "dA": ("A", 1), "mV": ("mV", 1_000), "cpct": ("%", 1),
    "dC": ("C", 1), "mHz": ("Hz", 1), "count": ("count", 1),
}  # fmt: skip

_STATES = {"FAULT": "fault", "RUNNING": "running", "MPPT": "running", "THROTTLED": "running"}

# kind -> (source, symbol -> flag); the other symbols keep their names and have no flag.
FLAG_SOURCES: dict[str, tuple[tuple[Source, dict[str, str]], ...]] = {
    "pcs": (
        (((701,), "InvSt"), _STATES),
        ((INVERTERS, "St"), _STATES),
        (((701,), "Alrm"), {}),
        (((715,), "LocRemCtl"), {"LOCAL": "local"}),
    ),
    "pv": ((((701,), "InvSt"), _STATES), ((INVERTERS, "St"), _STATES)),
    "bms": (
        (((802,), "State"), {"CONNECTED": "connected", "FAULT": "trip"}),
        (
            ((802,), "Evt1"),
            {
                "COMMUNICATION_ERROR": "alarm",
                "OVER_TEMP_ALARM": "alarm",
                "UNDER_TEMP_ALARM": "alarm",
                "OVER_CHARGE_CURRENT_ALARM": "alarm",
                "OVER_DISCHARGE_CURRENT_ALARM": "alarm",
                "OVER_VOLT_ALARM": "alarm",
                "UNDER_VOLT_ALARM": "alarm",
                "UNDER_SOC_MIN_ALARM": "discharge_forbidden",
                "OVER_SOC_MAX_ALARM": "charge_forbidden",
                "TEMPERATURE_IMBALANCE_ALARM": "alarm",
                "CONTACTOR_ERROR": "alarm",
                "GROUND_FAULT": "alarm",
                "OTHER_ALARM": "alarm",
                "CONFIGURATION_ALARM": "alarm",
            },
        ),
    ),
    "meter": (),
}

# kind -> command -> (model, point, symbol or value, unless, until)
COMMAND_SOURCES: dict[str, dict[str, tuple[int, str, str | int, str, str]]] = {
    "pcs": {
        "start": (715, "OpCtl", "START", "running", "running"),
        "stop": (715, "OpCtl", "STOP", "", "!running"),
        "clear": (715, "AlarmReset", 1, "", "!fault"),
    },
    "bms": {
        "connect": (802, "SetOp", "CONNECT", "connected", "connected"),
        "disconnect": (802, "SetOp", "DISCONNECT", "", "!connected"),
        "clear": (802, "AlmRst", 1, "", ""),
    },
}

HEARTBEAT_SOURCES: dict[str, tuple[int, str]] = {"pcs": (715, "ControllerHb"), "bms": (802, "CtrlHb")}

# The rating that a limit in percent refers to: the setting, else the nameplate.
RATING_SOURCES: tuple[Source, ...] = (((702, 121), "WMax"), ((702,), "WMaxRtg"), ((120,), "WRtg"))
CHARGE_SOURCES: tuple[Source, ...] = (((702,), "WChaRteMaxRtg"), ((120,), "MaxChaRte"), *RATING_SOURCES)
DISCHARGE_SOURCES: tuple[Source, ...] = (((702,), "WDisChaRteMaxRtg"), ((120,), "MaxDisChaRte"), *RATING_SOURCES)
