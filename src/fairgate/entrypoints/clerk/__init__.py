"""The clerk: the process that keeps the records of the ledger and tells other services of it."""
