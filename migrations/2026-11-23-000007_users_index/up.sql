-- With `interactions` in it the index holds all that counting people over all rooms reads (measured with
-- 450,000 rows: 0.03 s; with the former one, as without any, 0.2 s).
DROP INDEX idx_roomuser_interacting;
CREATE INDEX idx_roomuser_interacting ON blm_roomuser(uid, interactions) WHERE interactions > 0;
