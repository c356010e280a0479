"""The desk: the process beside the door for all that is slow, such as SQL, backtests, exports and the lake's upkeep."""
