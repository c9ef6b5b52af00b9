-- What the dashboards ask for, on top of the tables of `edge-fleet ingest --postgres`. Run once, and again after gateways got a
-- new version (the ingest makes a view samples_<id> for each schema that it meets; this joins them under one name).
--   psql -d fleet -f dashboards.sql

CREATE OR REPLACE FUNCTION make_site_sample() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  wanted text[] := ARRAY['poc_power_w', 'load_power_w', 'pv_power_w', 'battery_power_w', 'battery_set_w', 'soc_cpct', 'mode',
    'why', 'wish_w', 'reference_w', 'cell_voltage_min_mv', 'cell_voltage_max_mv', 'cell_temp_max_dc', 'late_max_us',
    'late_count', 'grid_intensity_mg_per_kwh', 'site_intensity_mg_per_kwh', 'stored_carbon_mg', 'quality',
    'battery_intensity_mg_per_kwh', 'site_carbon_mg_per_s'];
  parts text[];
BEGIN
  -- A column that a schema does not have is NULL in its part.
  SELECT array_agg('SELECT time, tenant, gateway, epoch, seq, mono_ms, ' || columns || ' FROM ' || quote_ident(name))
  INTO parts
  FROM (SELECT views.viewname AS name, (
          SELECT string_agg(CASE WHEN found.attname IS NULL THEN 'NULL::bigint' ELSE quote_ident(one) END
                            || ' AS ' || quote_ident(one), ', ' ORDER BY place)
          FROM unnest(wanted) WITH ORDINALITY AS names (one, place)
          LEFT JOIN pg_attribute AS found
            ON found.attrelid = format('%I.%I', views.schemaname, views.viewname)::regclass AND found.attname = one
        ) AS columns
        FROM pg_views AS views
        WHERE views.schemaname = current_schema() AND views.viewname ~ '^samples_[0-9a-f]{16}$') AS each;
  IF parts IS NULL THEN
    RAISE EXCEPTION 'no view samples_<id> yet: the ingest makes one when the first gateway has sent its schema';
  END IF;
  EXECUTE 'CREATE OR REPLACE VIEW site_sample AS ' || array_to_string(parts, ' UNION ALL ');
  RETURN format('site_sample: %s schema(s)', array_length(parts, 1));
END $$;
SELECT make_site_sample();

-- The last second of each gateway, by the index on (series, time).
CREATE OR REPLACE VIEW site_gateway AS
  SELECT tenant, gateway, max(newest) AS newest
  FROM series, LATERAL (SELECT time AS newest FROM sample WHERE series = series.id ORDER BY time DESC LIMIT 1) AS last
  GROUP BY tenant, gateway;

-- Numbers that are missing, as ranges: still on their way, or gone. `held` is what the ingest has, so this needs no scan.
CREATE OR REPLACE VIEW site_gap AS
  SELECT tenant, gateway, epoch, held.last + 1 AS first, next_first - 1 AS last,
         (SELECT time FROM sample WHERE series = held.series AND seq = held.last) AS after
  FROM (SELECT series, last, lead(first) OVER (PARTITION BY series ORDER BY first) AS next_first FROM held) AS held
  JOIN series ON series.id = held.series
  WHERE next_first IS NOT NULL;
