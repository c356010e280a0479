"""How people and services get in: the command line and the door."""
