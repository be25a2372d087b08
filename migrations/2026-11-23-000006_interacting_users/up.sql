-- Who counts as interacting: chat lines that are no raffle phrases, gifts (free ones too), super chats and
-- guards, added up for each known user of a room. blm_roomtotal.users counts those who have any.

ALTER TABLE blm_roomuser ADD COLUMN interactions INTEGER NOT NULL DEFAULT 0;

UPDATE blm_roomuser SET interactions = rows.n
FROM (
    SELECT room_id, uid, count(*) AS n FROM (
        SELECT room_id, uid FROM live_data_danmakudata WHERE NOT masked AND NOT lottery
        UNION ALL SELECT room_id, uid FROM live_data_giftdata WHERE NOT masked
        UNION ALL SELECT room_id, uid FROM live_data_superchat WHERE NOT masked
        UNION ALL SELECT room_id, uid FROM live_data_guard WHERE NOT masked
    ) GROUP BY room_id, uid
) AS rows
WHERE blm_roomuser.room_id = rows.room_id AND blm_roomuser.uid = rows.uid;

CREATE INDEX idx_roomuser_interacting ON blm_roomuser(uid) WHERE interactions > 0;

UPDATE blm_roomtotal SET users = (
    SELECT count(*) FROM blm_roomuser WHERE blm_roomuser.room_id = blm_roomtotal.room_id AND interactions > 0
);
