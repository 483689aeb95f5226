"""What the stores raise. Each message is one line: what was expected, what came, what to do."""

__all__ = ["DatabaseBusy", "DatabaseConflict", "DatabaseError", "StoreError"]


class StoreError(Exception):
    """A store refuses its parameters or the data it was given."""


class DatabaseError(StoreError):
    """The database cannot be opened, does not have Kamailio's schema, or refuses a statement."""


class DatabaseBusy(DatabaseError):
    """Another program kept the database locked for longer than the busy timeout."""


class DatabaseConflict(DatabaseError):
    """A row breaks a unique key or a NOT NULL of its table."""
