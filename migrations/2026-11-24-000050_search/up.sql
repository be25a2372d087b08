-- Search in chat: for each line the pairs of neighbouring characters in it, because a word of two
-- characters is the common case in Chinese. Contentless: the text stands in live_data_danmakudata. Filled in
-- the background, never while events are stored (a trigger cut storing to a quarter).
-- rowid: the first 63 bits of the event id, which are its ms and 15 bits of its hash, so the order is that of time.

CREATE VIRTUAL TABLE blm_search USING fts5(
    text, content='', contentless_delete=1, detail=none, tokenize='ascii'
);

-- Up to which row of a table its index goes.
CREATE TABLE blm_indexed (
    what TEXT PRIMARY KEY NOT NULL,
    through_id INTEGER NOT NULL
);
