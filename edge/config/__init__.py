"""site.toml -> frozen Config, or every problem at once."""
