"""SunSpec at commissioning: find the map, walk its models, write what was found as a profile. The bus needs none of it."""
