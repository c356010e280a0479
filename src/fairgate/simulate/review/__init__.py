"""A simulated review team and its caseload, to measure triage: nothing in it is a real case, or a real person."""
