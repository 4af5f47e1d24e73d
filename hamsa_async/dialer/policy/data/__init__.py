"""The packs that are shipped, as TOML: data, not code."""
