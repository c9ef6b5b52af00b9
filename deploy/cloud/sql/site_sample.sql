-- PostgreSQL, with TimescaleDB where that extension is installed: the table that Telegraf fills (telegraf/telegraf.conf), with what
-- the dashboards ask for. Not needed where `edge-fleet ingest` writes: see dashboards.sql.
--
-- No unique key, on purpose: a gateway sends again what was not acknowledged, and Telegraf's output would throw away a whole
-- batch for one row that is there already. Averages do not mind a double; who counts uses site_second below.

CREATE TABLE IF NOT EXISTS site_sample (
  time                      timestamptz NOT NULL,
  tenant                    text NOT NULL,
  gateway                   text NOT NULL,
  epoch                     bigint NOT NULL,   -- of the gateway's store; seq begins anew with it
  seq                       bigint NOT NULL,
  mono_ms                   bigint,
  historical                boolean,
  unsynced                  boolean,           -- its time is of a clock that was not set; may come again with a better one
  poc_power_w               bigint,            -- + import
  load_power_w              bigint,
  pv_power_w                bigint,
  battery_power_w           bigint,            -- + discharge
  battery_set_w             bigint,
  soc_cpct                  bigint,            -- 5512 is 55.12 %
  mode                      bigint,            -- 5 is RUN; deploy/handbook/modes.md
  why                       bigint,            -- a bit per reason
  wish_w                    bigint,
  reference_w               bigint,
  cell_voltage_min_mv       bigint,
  cell_voltage_max_mv       bigint,
  cell_temp_max_dc          bigint,            -- 235 is 23.5 degrees
  late_max_us               bigint,
  late_count                bigint,
  grid_intensity_mg_per_kwh bigint,
  site_intensity_mg_per_kwh bigint,
  stored_carbon_mg          bigint,
  quality                   bigint,
  battery_intensity_mg_per_kwh bigint,
  site_carbon_mg_per_s      bigint
);
CREATE INDEX IF NOT EXISTS site_sample_of ON site_sample (gateway, time DESC);

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    PERFORM create_hypertable('site_sample', 'time', chunk_time_interval => interval '1 day', if_not_exists => true);
    ALTER TABLE site_sample SET (timescaledb.compress, timescaledb.compress_segmentby = 'tenant, gateway');
    PERFORM add_compression_policy('site_sample', interval '7 days', if_not_exists => true);
    PERFORM add_retention_policy('site_sample', interval '2 years', if_not_exists => true);
  END IF;
END $$;

-- Every number once.
CREATE OR REPLACE VIEW site_second AS
  SELECT DISTINCT ON (tenant, gateway, epoch, seq) * FROM site_sample ORDER BY tenant, gateway, epoch, seq;

CREATE OR REPLACE VIEW site_gateway AS
  SELECT tenant, gateway, max(time) AS newest FROM site_sample GROUP BY tenant, gateway;

-- Numbers that are missing, as ranges: still on their way, or gone.
CREATE OR REPLACE VIEW site_gap AS
  SELECT tenant, gateway, epoch, seq + 1 AS first, next_seq - 1 AS last, time AS after
  FROM (SELECT tenant, gateway, epoch, seq, time,
               lead(seq) OVER (PARTITION BY tenant, gateway, epoch ORDER BY seq) AS next_seq
        FROM site_sample) AS pairs
  WHERE next_seq > seq + 1;
