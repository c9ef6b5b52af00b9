"""What a verifier asks of a site beside its measurements: meters with class and seal, contracts, the key of the ledger.

All of it is optional; what is left out is named as missing in the evidence package. Dates are YYYY-MM-DD, UTC.
"""

from dataclasses import dataclass

from edge.config.option import NAME, option

DATE = r"|\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
RATIO_MAX = 1_000_000
FACTOR_MAX_MG_PER_KWH = 3_000_000  # three times the dirtiest lignite
# Accuracy class -> permille of reading; IEC 62053-21/-22, ANSI C12.20, and the letters of the MID (A 2 %, B 1 %, C 0.5 %).
CLASSES: dict[str, int] = {
    "0.1": 1, "0.1S": 1, "0.2": 2, "0.2S": 2, "0.5": 5, "0.5S": 5, "1": 10, "2": 20, "A": 20, "B": 10, "C": 5,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One meter of the monitoring plan; `device` names the [[device]] that is read."""

    device: str = option(pattern=NAME)
    accuracy_class: str = option("", words=("", *CLASSES), when="as its nameplate says")
    serial: str = option("", when="a new serial number is noted in the ledger as an exchange of the meter")
    calibrated: str = option("", pattern=DATE, when="date of the newest certificate")
    calibration_due: str = option("", pattern=DATE)
    certificate: str = option("", when="number of the calibration certificate, or where it is kept")
    seal: str = option("", when="number of the seal")
    owner: str = option("", when="utility, site ...: a settlement meter counts more than one's own")
    ct_primary_a: int = option(1, low=1, high=RATIO_MAX)
    ct_secondary_a: int = option(1, low=1, high=RATIO_MAX)
    pt_primary_v: int = option(1, low=1, high=RATIO_MAX)
    pt_secondary_v: int = option(1, low=1, high=RATIO_MAX)
    registers: str = option("primary", words=("primary", "secondary"), when="secondary: it counts before CT and PT")
    register_max_wh: int = option(0, low=0, high=1 << 62, when="where it begins again at 0; 0: not stated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Electricity bought with an attribute, for the market-based figure."""

    name: str = option(pattern=NAME)
    kind: str = option(words=("ppa", "certificate", "supplier"))
    share_permille: int = option(low=1, high=1_000, when="of each interval's import that it covers")
    intensity_mg_per_kwh: int = option(low=0, high=FACTOR_MAX_MG_PER_KWH)
    first: str = option("", pattern=DATE, when="first day; empty: always")
    last: str = option("", pattern=DATE, when="last day; empty: until further notice")
    document: str = option("", when="contract or cancellation statement, where it is kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The ledger of the site and what stands in its statement."""

    enabled: bool = option(True, when="false: no ledger is kept")
    key_file: str = option(
        "", when="Ed25519 private key (PEM); empty: the systemd credential `ledger-key`, or no signature"
    )
    stamp_url: str = option("", when="RFC 3161 time stamp authority for the daily roots; empty: none")
    operator: str = option("", when="legal name that stands in the statement")
    place: str = option("", when="address of the site")
    region: str = option("", when="the grid it is connected to, such as ERCOT")
    residual_mg_per_kwh: int = option(
        0, low=0, high=FACTOR_MAX_MG_PER_KWH, when="residual mix; 0: not known, the grid's is used"
    )
    residual_source: str = option("", when="who published it, for which year")
    pv_certificates_sold: bool = option(False, when="true: the market-based figure counts one's own PV as residual mix")
    it_category: int = option(1, low=1, high=3, when="where the IT meter sits: 1 UPS output, 2 PDU output, 3 IT input")
