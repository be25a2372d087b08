-- The users of a room who chatted or paid most, read from the end of an index: with four million users in 50 rooms
-- reading all of a room took half a second. Partial: most people say little and pay nothing, and cost nothing here.

CREATE INDEX idx_roomuser_talkers ON blm_roomuser(room_id, danmaku) WHERE danmaku >= 20;
CREATE INDEX idx_roomuser_payers ON blm_roomuser(room_id, paid_gold) WHERE paid_gold > 0;
