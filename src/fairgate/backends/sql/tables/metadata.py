"""What all tables of the records have in common."""

from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData

METADATA: Final = MetaData()
#: 64 bits. SQLite gives its own row numbers only to a column of just this type, which has 64 bits there.
NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")
