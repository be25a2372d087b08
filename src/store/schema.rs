//! The tables of the history, for diesel's query language.
//!
//! In the form of `diesel print-schema` (see `diesel.toml`), with every INTEGER as `BigInt`, because
//! SQLite's hold 64 bits. Follows `migrations/`: a test in `sqlite.rs` compares the two.

diesel::table! {
    blm_accesskey (id) {
        id -> BigInt,
        name -> Text,
        scope -> Text,
        digest -> Text,
        created_ms -> BigInt,
    }
}

diesel::table! {
    blm_audit (id) {
        id -> BigInt,
        at_ms -> BigInt,
        actor -> Text,
        address -> Text,
        action -> Text,
        status -> BigInt,
        detail -> Text,
    }
}

diesel::table! {
    blm_cursor (store) {
        store -> Text,
        position -> Text,
    }
}

diesel::table! {
    blm_deadletter (id) {
        id -> BigInt,
        event_id -> Text,
        room_id -> BigInt,
        payload -> Text,
        error -> Text,
        at -> Timestamp,
    }
}

diesel::table! {
    blm_indexed (what) {
        what -> Text,
        through_id -> BigInt,
    }
}

diesel::table! {
    blm_drop (room_id, reason) {
        room_id -> BigInt,
        reason -> Text,
        n -> BigInt,
    }
}

diesel::table! {
    blm_intake (room_id) {
        room_id -> BigInt,
        received -> BigInt,
        repeated -> BigInt,
        unreadable -> BigInt,
        mirrored -> BigInt,
    }
}

diesel::table! {
    blm_ledger (room_id) {
        room_id -> BigInt,
        stored -> BigInt,
        duplicate -> BigInt,
        dead_letter -> BigInt,
    }
}

diesel::table! {
    blm_roomalias (room_id, alias) {
        room_id -> BigInt,
        alias -> Text,
        first_ms -> BigInt,
        last_ms -> BigInt,
        interactions -> BigInt,
        counted -> Bool,
    }
}

diesel::table! {
    blm_roomtotal (room_id) {
        room_id -> BigInt,
        danmaku -> BigInt,
        gifts -> BigInt,
        super_chats -> BigInt,
        guards -> BigInt,
        users -> BigInt,
        masked -> BigInt,
        gift_gold -> BigInt,
        super_chat_gold -> BigInt,
        guard_gold -> BigInt,
        last_event_ms -> BigInt,
        others_gold -> BigInt,
        unidentified -> BigInt,
    }
}

diesel::table! {
    blm_order (id) {
        id -> BigInt,
        what -> Text,
        room_id -> Nullable<BigInt>,
        answer -> Nullable<Text>,
    }
}

diesel::table! {
    blm_roomuser (room_id, uid) {
        room_id -> BigInt,
        uid -> BigInt,
        username -> Text,
        first_ms -> BigInt,
        last_ms -> BigInt,
        danmaku -> BigInt,
        gifts -> BigInt,
        paid_gold -> BigInt,
        interactions -> BigInt,
        alias -> Nullable<Text>,
        counted -> Bool,
    }
}

diesel::table! {
    blm_setting (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    blm_storagesample (at_ms) {
        at_ms -> BigInt,
        database_bytes -> BigInt,
        raw_bytes -> BigInt,
    }
}

diesel::table! {
    live_data_danmakudata (id) {
        id -> BigInt,
        room_id -> BigInt,
        uid -> BigInt,
        username -> Text,
        message -> Text,
        timestamp -> Timestamp,
        medal_name -> Nullable<Text>,
        medal_level -> Nullable<BigInt>,
        user_level -> Nullable<BigInt>,
        is_admin -> Nullable<Bool>,
        is_vip -> Nullable<Bool>,
        created_at -> Nullable<Timestamp>,
        event_id -> Text,
        received_ms -> BigInt,
        source -> Text,
        masked -> Bool,
        guard_level -> BigInt,
        lottery -> Bool,
        emoticon_url -> Nullable<Text>,
        reply_to -> Nullable<Text>,
        user_hash -> Nullable<BigInt>,
        open_id -> Nullable<Text>,
    }
}

diesel::table! {
    live_data_datamigrationlog (id) {
        id -> BigInt,
        migration_type -> Text,
        start_time -> Timestamp,
        end_time -> Nullable<Timestamp>,
        total_records -> Nullable<BigInt>,
        success_records -> Nullable<BigInt>,
        failed_records -> Nullable<BigInt>,
        status -> Nullable<Text>,
        error_message -> Nullable<Text>,
        created_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    live_data_gap (id) {
        id -> BigInt,
        room_id -> BigInt,
        from_ms -> BigInt,
        to_ms -> Nullable<BigInt>,
        reason -> Text,
        attempts -> BigInt,
    }
}

diesel::table! {
    live_data_gauge (room_id, minute_ms) {
        room_id -> BigInt,
        minute_ms -> BigInt,
        event_id -> Text,
        popularity -> Nullable<BigInt>,
        watched -> Nullable<BigInt>,
        online_rank -> Nullable<BigInt>,
        online -> Nullable<BigInt>,
        likes -> Nullable<BigInt>,
        fans -> Nullable<BigInt>,
        fans_club -> Nullable<BigInt>,
        guards -> Nullable<BigInt>,
    }
}

diesel::table! {
    live_data_giftdata (id) {
        id -> BigInt,
        room_id -> BigInt,
        uid -> BigInt,
        username -> Text,
        gift_name -> Text,
        gift_id -> BigInt,
        num -> Nullable<BigInt>,
        price -> Nullable<Double>,
        total_price -> Nullable<Double>,
        timestamp -> Timestamp,
        medal_name -> Nullable<Text>,
        medal_level -> Nullable<BigInt>,
        created_at -> Nullable<Timestamp>,
        event_id -> Text,
        received_ms -> BigInt,
        source -> Text,
        masked -> Bool,
        coin_type -> Text,
        price_gold -> BigInt,
        paid_gold -> BigInt,
        value_gold -> BigInt,
        blind_box_name -> Nullable<Text>,
        blind_box_price_gold -> Nullable<BigInt>,
        receiver_uid -> Nullable<BigInt>,
        receiver_name -> Nullable<Text>,
        command -> Nullable<Text>,
        rule -> Nullable<BigInt>,
        open_id -> Nullable<Text>,
        to_other -> Bool,
    }
}

diesel::table! {
    live_data_guard (id) {
        id -> BigInt,
        room_id -> BigInt,
        uid -> BigInt,
        username -> Text,
        guard_level -> BigInt,
        num -> BigInt,
        unit -> Text,
        price -> Double,
        paid_gold -> BigInt,
        estimated -> Bool,
        timestamp -> Timestamp,
        event_id -> Text,
        received_ms -> BigInt,
        source -> Text,
        masked -> Bool,
        created_at -> Nullable<Timestamp>,
        estimate_id -> Nullable<Text>,
        command -> Nullable<Text>,
        rule -> Nullable<BigInt>,
        open_id -> Nullable<Text>,
    }
}

diesel::table! {
    live_data_interaction (id) {
        id -> BigInt,
        room_id -> BigInt,
        kind -> Text,
        uid -> BigInt,
        username -> Text,
        medal_name -> Nullable<Text>,
        medal_level -> BigInt,
        timestamp -> Timestamp,
        event_id -> Text,
        received_ms -> BigInt,
        source -> Text,
        masked -> Bool,
    }
}

diesel::table! {
    live_data_liveroom (id) {
        id -> BigInt,
        room_id -> BigInt,
        title -> Text,
        uname -> Text,
        face -> Nullable<Text>,
        online -> Nullable<BigInt>,
        status -> Nullable<BigInt>,
        created_at -> Nullable<Timestamp>,
        updated_at -> Nullable<Timestamp>,
        short_id -> BigInt,
        uid -> BigInt,
        cover -> Text,
        area_name -> Text,
        parent_area_name -> Text,
        live_since_ms -> Nullable<BigInt>,
        followers -> BigInt,
        monitored -> Bool,
        paused -> Bool,
        priority -> BigInt,
    }
}

diesel::table! {
    live_data_minute (room_id, minute_ms) {
        room_id -> BigInt,
        minute_ms -> BigInt,
        danmaku -> BigInt,
        lottery -> BigInt,
        gifts -> BigInt,
        super_chats -> BigInt,
        guards -> BigInt,
        enters -> BigInt,
        gift_gold -> BigInt,
        super_chat_gold -> BigInt,
        guard_gold -> BigInt,
        others_gold -> BigInt,
    }
}

diesel::table! {
    live_data_monitoringtask (id) {
        id -> BigInt,
        task_name -> Text,
        room_ids_json -> Nullable<Text>,
        status -> Nullable<Text>,
        start_time -> Nullable<Timestamp>,
        end_time -> Nullable<Timestamp>,
        collected_danmaku -> Nullable<BigInt>,
        collected_gifts -> Nullable<BigInt>,
        error_count -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        created_at -> Nullable<Timestamp>,
        updated_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    live_data_roomevent (id) {
        id -> BigInt,
        room_id -> BigInt,
        kind -> Text,
        title -> Nullable<Text>,
        area_name -> Nullable<Text>,
        live_key -> Nullable<Text>,
        text -> Nullable<Text>,
        timestamp -> Timestamp,
        event_id -> Text,
        received_ms -> BigInt,
        source -> Text,
        uid -> BigInt,
        username -> Text,
        masked -> Bool,
    }
}

diesel::table! {
    live_data_superchat (id) {
        id -> BigInt,
        room_id -> BigInt,
        uid -> BigInt,
        username -> Text,
        super_chat_id -> BigInt,
        message -> Text,
        price -> Double,
        paid_gold -> BigInt,
        start_time -> BigInt,
        end_time -> BigInt,
        timestamp -> Timestamp,
        deleted -> Bool,
        event_id -> Text,
        received_ms -> BigInt,
        source -> Text,
        masked -> Bool,
        created_at -> Nullable<Timestamp>,
        command -> Nullable<Text>,
        rule -> Nullable<BigInt>,
        open_id -> Nullable<Text>,
    }
}

diesel::table! {
    live_data_unknowncommand (cmd) {
        cmd -> Text,
        count -> BigInt,
        first_ms -> BigInt,
        last_ms -> BigInt,
        sample -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    blm_accesskey,
    blm_audit,
    blm_cursor,
    blm_deadletter,
    blm_indexed,
    blm_ledger,
    blm_order,
    blm_roomalias,
    blm_roomtotal,
    blm_roomuser,
    blm_setting,
    blm_storagesample,
    live_data_danmakudata,
    live_data_datamigrationlog,
    live_data_gap,
    live_data_gauge,
    live_data_giftdata,
    live_data_guard,
    live_data_interaction,
    live_data_liveroom,
    live_data_minute,
    live_data_monitoringtask,
    live_data_roomevent,
    live_data_superchat,
    live_data_unknowncommand,
);
