"""What is asked by SQL: ledger, outbox and appeals, in SQLite. Queries are SQLAlchemy's alone, so others can follow."""
