-- Keys that the administrator makes: for programs (admin, read) and for links (share). Only hashes are kept.
CREATE TABLE blm_accesskey (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL
);

-- Every write that somebody was admitted to: who, from where, what, and what came of it.
CREATE TABLE blm_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    status INTEGER NOT NULL,
    detail TEXT NOT NULL
);
