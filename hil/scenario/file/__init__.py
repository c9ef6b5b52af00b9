"""Reading scenario files: TOML to checked records, with every mistake at once."""
