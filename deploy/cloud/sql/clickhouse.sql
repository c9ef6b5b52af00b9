-- ClickHouse: for many gateways and years. Telegraf's sql output fills it (telegraf/telegraf.conf), or any bridge from Kafka.
-- A number that is sent twice is one row in the end: ReplacingMergeTree drops doubles when it merges; FINAL at once.

CREATE TABLE IF NOT EXISTS site_sample
(
    timestamp                 DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    tenant                    LowCardinality(String),
    gateway                   LowCardinality(String),
    epoch                     Int64,
    seq                       Int64 CODEC(Delta, ZSTD),
    mono_ms                   Int64 CODEC(Delta, ZSTD),
    historical                UInt8,
    unsynced                  UInt8,
    poc_power_w               Nullable(Int64) CODEC(Delta, ZSTD),
    load_power_w              Nullable(Int64) CODEC(Delta, ZSTD),
    pv_power_w                Nullable(Int64) CODEC(Delta, ZSTD),
    battery_power_w           Nullable(Int64) CODEC(Delta, ZSTD),
    battery_set_w             Nullable(Int64) CODEC(Delta, ZSTD),
    soc_cpct                  Nullable(Int64) CODEC(Delta, ZSTD),
    mode                      Nullable(Int64) CODEC(ZSTD),
    why                       Nullable(Int64) CODEC(ZSTD),
    wish_w                    Nullable(Int64) CODEC(Delta, ZSTD),
    reference_w               Nullable(Int64) CODEC(Delta, ZSTD),
    cell_voltage_min_mv       Nullable(Int64) CODEC(Delta, ZSTD),
    cell_voltage_max_mv       Nullable(Int64) CODEC(Delta, ZSTD),
    cell_temp_max_dc          Nullable(Int64) CODEC(Delta, ZSTD),
    late_max_us               Nullable(Int64) CODEC(Delta, ZSTD),
    late_count                Nullable(Int64) CODEC(Delta, ZSTD),
    grid_intensity_mg_per_kwh Nullable(Int64) CODEC(Delta, ZSTD),
    site_intensity_mg_per_kwh Nullable(Int64) CODEC(Delta, ZSTD),
    stored_carbon_mg          Nullable(Int64) CODEC(Delta, ZSTD),
    quality                   Nullable(Int64) CODEC(ZSTD),
    battery_intensity_mg_per_kwh Nullable(Int64) CODEC(Delta, ZSTD),
    site_carbon_mg_per_s      Nullable(Int64) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (tenant, gateway, epoch, seq);

-- A minute of each gateway: what a dashboard of months reads. Doubles weigh a little more in the average, no more than that.
CREATE TABLE IF NOT EXISTS site_minute
(
    minute          DateTime('UTC'),
    tenant          LowCardinality(String),
    gateway         LowCardinality(String),
    poc_power_w     AggregateFunction(avg, Nullable(Int64)),
    load_power_w    AggregateFunction(avg, Nullable(Int64)),
    pv_power_w      AggregateFunction(avg, Nullable(Int64)),
    battery_power_w AggregateFunction(avg, Nullable(Int64)),
    soc_cpct        AggregateFunction(avg, Nullable(Int64))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (tenant, gateway, minute);

CREATE MATERIALIZED VIEW IF NOT EXISTS site_minute_fill TO site_minute AS
SELECT toStartOfMinute(timestamp) AS minute, tenant, gateway, avgState(poc_power_w) AS poc_power_w,
       avgState(load_power_w) AS load_power_w, avgState(pv_power_w) AS pv_power_w,
       avgState(battery_power_w) AS battery_power_w, avgState(soc_cpct) AS soc_cpct
FROM site_sample GROUP BY minute, tenant, gateway;

-- Gaps: numbers that are missing, still on their way or gone.
CREATE VIEW IF NOT EXISTS site_gap AS
SELECT tenant, gateway, epoch, seq + 1 AS first, next_seq - 1 AS last, timestamp AS after
FROM (SELECT tenant, gateway, epoch, seq, timestamp,
             leadInFrame(seq) OVER (PARTITION BY tenant, gateway, epoch ORDER BY seq
                                    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next_seq
      FROM site_sample FINAL)
WHERE next_seq > seq + 1;
