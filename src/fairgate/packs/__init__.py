"""The content that ships with Fairgate: a folder of TOML for each pack."""
