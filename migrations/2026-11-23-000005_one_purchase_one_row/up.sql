-- A guard is told of twice: by an estimate (the list price) and by a receipt (what was paid). A receipt's
-- row keeps the id of the estimate that it explains, if one came: it explains one only.

ALTER TABLE live_data_guard ADD COLUMN estimate_id TEXT;
CREATE UNIQUE INDEX idx_guard_estimate ON live_data_guard(estimate_id);
