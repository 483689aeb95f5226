"""Persistent state: location, subscribers, address lists and accounting, in SQL on Kamailio's own schema."""

from ksrcore.store.accounting import Accounting
from ksrcore.store.addresses import Address, Addresses
from ksrcore.store.contact import ALL_METHODS, Contact
from ksrcore.store.database import Database, ForkedDatabase
from ksrcore.store.errors import DatabaseBusy, DatabaseConflict, DatabaseError, StoreError
from ksrcore.store.location import ForkedLocation, Location
from ksrcore.store.subscribers import Subscriber, Subscribers
from ksrcore.store.trusted import Trusted, TrustedPeer

__all__ = [
    "ALL_METHODS",
    "Accounting",
    "Address",
    "Addresses",
    "Contact",
    "Database",
    "DatabaseBusy",
    "DatabaseConflict",
    "DatabaseError",
    "ForkedDatabase",
    "ForkedLocation",
    "Location",
    "StoreError",
    "Subscriber",
    "Subscribers",
    "Trusted",
    "TrustedPeer",
]
