"""Kamailio's tables, as data: the SQLite schema of Kamailio 5.6 with its table versions.

`TABLES` is the model; `create_statements` turns one table of it into SQL. A database made from it and one made by
kamdbctl are interchangeable: same columns, types, defaults, keys, indexes and rows of the `version` table.

The extra columns of `acc` and `missed_calls` are those that the comment on accounting in the stock kamailio.cfg asks
to add. They are optional: a database without them is accepted, and the accounting that needs them says so.
"""

from dataclasses import dataclass, field

__all__ = ["TABLES", "Column", "Table", "create_statements"]

_STAMP = "TIMESTAMP WITHOUT TIME ZONE"
_EPOCH = "'2000-01-01 00:00:01'"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `default` is an SQL literal (`"''"`, `"0"`, `"NULL"`), None where the column has none."""

    name: str
    type: str
    default: str | None = None
    null: bool = False
    optional: bool = False

    @property
    def ddl(self) -> str:
        default = "" if self.default is None else f" DEFAULT {self.default}"
        return f"{self.name} {self.type}{default}{'' if self.null else ' NOT NULL'}"


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `unique` and `indexes` map the suffix of an index's name to its columns."""

    name: str
    version: int
    columns: tuple[Column, ...]
    unique: dict[str, tuple[str, ...]] = field(default_factory=dict)
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def _text(name: str, size: int, default: str | None = "''", null: bool = False, optional: bool = False) -> Column:
    return Column(name, f"VARCHAR({size})", default, null, optional)


def _maybe(name: str, size: int) -> Column:
    """Text that may be NULL, and is when not given."""
    return _text(name, size, "NULL", null=True)


def _must(name: str, size: int) -> Column:
    """Text without a default."""
    return _text(name, size, None)


def _int(name: str, default: int | None = 0, type_: str = "INTEGER") -> Column:
    return Column(name, type_, None if default is None else str(default))


def _modified(default: str = _EPOCH) -> Column:
    return Column("last_modified", _STAMP, default)


def _accounting(name: str, version: int) -> Table:
    return Table(
        name,
        version,
        (
            _text("method", 16),
            _text("from_tag", 128),
            _text("to_tag", 128),
            _text("callid", 255),
            _text("sip_code", 3),
            _text("sip_reason", 128),
            Column("time", _STAMP),
            _text("src_user", 64, optional=True),
            _text("src_domain", 128, optional=True),
            Column("src_ip", "varchar(64)", "''", optional=True),
            _text("dst_ouser", 64, optional=True),
            _text("dst_user", 64, optional=True),
            _text("dst_domain", 128, optional=True),
        ),
        indexes={"callid": ("callid",)},
    )


def _contacts(name: str, version: int, contact: int, received: int, indexes: dict[str, tuple[str, ...]]) -> Table:
    """`location` and `aliases` differ in two widths and two indexes."""
    return Table(
        name,
        version,
        (
            _text("ruid", 64),
            _text("username", 64),
            _maybe("domain", 64),
            _text("contact", contact),
            _maybe("received", received),
            _maybe("path", 512),
            Column("expires", _STAMP, "'2030-05-28 21:32:15'"),
            Column("q", "REAL", "1.0"),
            _text("callid", 255, "'Default-Call-ID'"),
            _int("cseq", 1),
            _modified(),
            _int("flags"),
            _int("cflags"),
            _text("user_agent", 255),
            _maybe("socket", 64),
            Column("methods", "INTEGER", "NULL", null=True),
            _maybe("instance", 255),
            _int("reg_id"),
            _int("server_id"),
            _int("connection_id"),
            _int("keepalive"),
            _int("partition"),
        ),
        unique={"ruid": ("ruid",)},
        indexes={"account_contact": ("username", "domain", "contact"), "expires": ("expires",), **indexes},
    )


_ALL = (
    Table("version", 1, (_must("table_name", 32), _int("table_version")), unique={"table_name": ("table_name",)}),
    Table(
        "subscriber",
        7,
        (
            _text("username", 64),
            _text("domain", 64),
            _text("password", 64),
            _text("ha1", 128),
            _text("ha1b", 128),
        ),
        unique={"account": ("username", "domain")},
        indexes={"username": ("username",)},
    ),
    _contacts(
        "location",
        9,
        512,
        128,
        {"tcpcon": ("connection_id",), "connection": ("server_id", "connection_id")},
    ),
    _contacts("aliases", 8, 255, 255, {}),
    Table(
        "location_attrs",
        1,
        (
            _text("ruid", 64),
            _text("username", 64),
            _maybe("domain", 64),
            _text("aname", 64),
            _int("atype"),
            _text("avalue", 512),
            _modified(),
        ),
        indexes={"account_record": ("username", "domain", "ruid"), "last_modified": ("last_modified",)},
    ),
    Table(
        "address",
        6,
        (
            _int("grp", 1),
            _must("ip_addr", 50),
            _int("mask", 32),
            _int("port", 0, "SMALLINT"),
            _text("tag", 64, None, null=True),
        ),
    ),
    Table(
        "trusted",
        6,
        (
            _must("src_ip", 50),
            _must("proto", 4),
            _maybe("from_pattern", 64),
            _maybe("ruri_pattern", 64),
            _text("tag", 64, None, null=True),
            _int("priority"),
        ),
        indexes={"peer": ("src_ip",)},
    ),
    _accounting("acc", 5),
    _accounting("missed_calls", 4),
    Table(
        "domain",
        2,
        (_must("domain", 64), _maybe("did", 64), _modified()),
        unique={"domain": ("domain",)},
    ),
    Table(
        "domain_attrs",
        1,
        (_must("did", 64), _must("name", 32), _int("type", None), _must("value", 255), _modified()),
        indexes={"domain_attrs": ("did", "name")},
    ),
    Table(
        "dbaliases",
        1,
        (
            _text("alias_username", 64),
            _text("alias_domain", 64),
            _text("username", 64),
            _text("domain", 64),
        ),
        indexes={
            "alias_user": ("alias_username",),
            "alias": ("alias_username", "alias_domain"),
            "target": ("username", "domain"),
        },
    ),
    Table(
        "usr_preferences",
        2,
        (
            _text("uuid", 64),
            _text("username", 255, "0"),
            _text("domain", 64),
            _text("attribute", 32),
            _int("type"),
            _text("value", 128),
            _modified(),
        ),
        indexes={"ua": ("uuid", "attribute"), "uda": ("username", "domain", "attribute")},
    ),
    Table(
        "htable",
        2,
        (
            _text("key_name", 64),
            _int("key_type"),
            _int("value_type"),
            _text("key_value", 128),
            _int("expires"),
        ),
    ),
    Table(
        "dispatcher",
        4,
        (
            _int("setid"),
            _text("destination", 192),
            _int("flags"),
            _int("priority"),
            _text("attrs", 128),
            _text("description", 64),
        ),
    ),
    Table(
        "uacreg",
        5,
        (
            _text("l_uuid", 64),
            _text("l_username", 64),
            _text("l_domain", 64),
            _text("r_username", 64),
            _text("r_domain", 64),
            _text("realm", 64),
            _text("auth_username", 64),
            _text("auth_password", 64),
            _text("auth_ha1", 128),
            _text("auth_proxy", 255),
            _int("expires"),
            _int("flags"),
            _int("reg_delay"),
            _text("contact_addr", 255),
            _text("socket", 128),
        ),
        unique={"l_uuid": ("l_uuid",)},
    ),
    Table(
        "sip_trace",
        4,
        (
            Column("time_stamp", _STAMP, _EPOCH),
            _int("time_us"),
            _text("callid", 255),
            _text("traced_user", 255),
            Column("msg", "TEXT"),
            _text("method", 50),
            _text("status", 255),
            _text("fromip", 64),
            _text("toip", 64),
            _text("fromtag", 128),
            _text("totag", 128),
            _text("direction", 4),
        ),
        indexes={
            "traced_user": ("traced_user",),
            "date": ("time_stamp",),
            "fromip": ("fromip",),
            "callid": ("callid",),
        },
    ),
    Table(
        "uri",
        1,
        (_text("username", 64), _text("domain", 64), _text("uri_user", 64), _modified()),
        unique={"account": ("username", "domain", "uri_user")},
    ),
    Table(
        "grp",
        2,
        (_text("username", 64), _text("domain", 64), _text("grp", 64), _modified()),
        unique={"account_group": ("username", "domain", "grp")},
    ),
    Table(
        "dialog",
        7,
        (
            _int("hash_entry", None),
            _int("hash_id", None),
            _must("callid", 255),
            _must("from_uri", 255),
            _must("from_tag", 128),
            _must("to_uri", 255),
            _must("to_tag", 128),
            _must("caller_cseq", 20),
            _must("callee_cseq", 20),
            _text("caller_route_set", 512, None, null=True),
            _text("callee_route_set", 512, None, null=True),
            _must("caller_contact", 255),
            _must("callee_contact", 255),
            _must("caller_sock", 64),
            _must("callee_sock", 64),
            _int("state", None),
            _int("start_time", None),
            _int("timeout"),
            _int("sflags"),
            _int("iflags"),
            _text("toroute_name", 32, None, null=True),
            _must("req_uri", 255),
            _text("xdata", 512, None, null=True),
        ),
        indexes={"hash": ("hash_entry", "hash_id")},
    ),
    Table(
        "dialog_vars",
        1,
        (
            _int("hash_entry", None),
            _int("hash_id", None),
            _must("dialog_key", 128),
            _must("dialog_value", 512),
        ),
        indexes={"hash": ("hash_entry", "hash_id")},
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _ALL}
"""Every table by its name. All have the column `id INTEGER PRIMARY KEY NOT NULL` before those listed."""


def create_statements(table: Table) -> list[str]:
    """The SQL that makes `table` and its indexes (its row in `version` is not part of it)."""
    parts = ["id INTEGER PRIMARY KEY NOT NULL", *(column.ddl for column in table.columns)]
    for suffix, columns in table.unique.items():
        parts.append(f"CONSTRAINT {table.name}_{suffix}_idx UNIQUE ({', '.join(columns)})")
    statements = [f"CREATE TABLE {table.name} ({', '.join(parts)})"]
    for suffix, columns in table.indexes.items():
        statements.append(f"CREATE INDEX {table.name}_{suffix}_idx ON {table.name} ({', '.join(columns)})")
    return statements
