"""Device models, one TOML file each: facts only. `loader.py` checks them."""
