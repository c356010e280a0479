"""What is asked by SQL: the ledger and the outbox, in SQLite. Queries are SQLAlchemy's alone, so others can follow."""
