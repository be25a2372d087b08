UPDATE blm_roomtotal SET users = (
    SELECT count(*) FROM blm_roomuser
    WHERE blm_roomuser.room_id = blm_roomtotal.room_id AND (danmaku > 0 OR paid_gold > 0)
);
DROP INDEX idx_roomuser_interacting;
ALTER TABLE blm_roomuser DROP COLUMN interactions;
