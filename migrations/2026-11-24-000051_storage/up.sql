-- How large the history was, an hour apart: growth and forecast are read from it.

CREATE TABLE blm_storagesample (
    at_ms INTEGER PRIMARY KEY NOT NULL,
    database_bytes INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL
);
