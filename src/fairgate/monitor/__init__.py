"""What operators are told of the door while it runs: metrics, logs, traces."""
