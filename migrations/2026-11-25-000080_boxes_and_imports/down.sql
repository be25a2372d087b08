DROP INDEX idx_migration_import;
DROP INDEX idx_gift_boxes;
