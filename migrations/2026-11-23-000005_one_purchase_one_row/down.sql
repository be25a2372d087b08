DROP INDEX idx_guard_estimate;
ALTER TABLE live_data_guard DROP COLUMN estimate_id;
