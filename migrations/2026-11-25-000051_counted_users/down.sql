DROP INDEX idx_roomalias_counted;
DROP INDEX idx_roomuser_alias;
DROP INDEX idx_roomuser_counted;
ALTER TABLE blm_roomalias DROP COLUMN counted;
ALTER TABLE blm_roomuser DROP COLUMN counted;
CREATE INDEX idx_roomuser_interacting ON blm_roomuser(uid, interactions) WHERE interactions > 0;
CREATE INDEX idx_roomuser_alias ON blm_roomuser(alias, room_id, interactions) WHERE interactions > 0;
CREATE INDEX idx_roomalias_alias ON blm_roomalias(alias, interactions) WHERE interactions > 0;
