DROP INDEX idx_roomuser_interacting;
CREATE INDEX idx_roomuser_interacting ON blm_roomuser(uid) WHERE interactions > 0;
