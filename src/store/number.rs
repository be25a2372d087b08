//! A question in SQL whose answer is one number.
//!
//! For what is counted in words that the query language has none for, in the history as in other files. Not here:
//! numbers at moments (`figures`), and what is summed while storing (`sums`).

use diesel::{prelude::*, sql_types::BigInt};

/// The number; the question selects it as `n`, and it is never null.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub(super) struct Number {
    #[diesel(sql_type = BigInt)]
    pub(super) n: i64,
}
