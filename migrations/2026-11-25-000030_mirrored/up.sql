-- Chat lines of another room that were shown in this one as well: counted, and no part of the balance.
ALTER TABLE blm_intake ADD COLUMN mirrored INTEGER NOT NULL DEFAULT 0;
