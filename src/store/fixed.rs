//! A statement whose SQL is the same each time, so that it is prepared once and found again without being written down.
//!
//! diesel knows that of most of its own; of an insert that does nothing on a conflict, and of updates, it does not,
//! and then spends more on them than SQLite does.

use std::marker::PhantomData;

use diesel::{
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    sqlite::{Sqlite, SqliteConnection},
};

/// See the file's head.
pub(super) struct Fixed<Name, Statement>(Statement, PhantomData<Name>);

/// Says that whatever is passed with this `Name` has the same SQL.
pub(super) fn fixed<Name: 'static, Statement>(statement: Statement) -> Fixed<Name, Statement> {
    Fixed(statement, PhantomData)
}

impl<Name: 'static, Statement> QueryId for Fixed<Name, Statement> {
    type QueryId = Fixed<Name, ()>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Name, Statement: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Fixed<Name, Statement> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }
}

impl<Name, Statement> RunQueryDsl<SqliteConnection> for Fixed<Name, Statement> {}
