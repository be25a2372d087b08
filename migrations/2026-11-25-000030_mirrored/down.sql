ALTER TABLE blm_intake DROP COLUMN mirrored;
