"""What has made the tables as they are, a step at a time; run by Alembic whenever the records are opened."""
