"""The steps, each its own file: what is here is never changed, only followed."""
