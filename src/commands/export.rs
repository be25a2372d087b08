//! `export`: the history as a file, read beside the running program or without it.

use std::{
    fs::File,
    io::{self, BufWriter},
};

use crate::{
    app::{Outcome, StartError},
    config::ExportArgs,
    domain::RoomId,
    export::{self, ExportError, Format, Order},
    store::{sqlite::Database, walk::Walk},
};

/// Writes the copy and says on stderr what is in it.
#[expect(clippy::print_stderr, reason = "stdout may be the copy itself")]
pub fn export(args: &ExportArgs) -> Result<Outcome, anyhow::Error> {
    let path = args.database_path()?;
    anyhow::ensure!(path.exists(), "there is no history at {}: give --data-dir or --database", path.display());
    let database = Database::open(&path).map_err(StartError::from)?;
    let ending = args.out.as_ref().and_then(|out| out.extension()?.to_str()?.parse::<Format>().ok());
    let format = args.format.or(ending).unwrap_or(Format::Csv);
    let walk = Walk {
        room: args.room.map(RoomId),
        kinds: export::kinds(&args.kinds).map_err(anyhow::Error::msg)?,
        from_ms: args.from.unwrap_or(0),
        to_ms: args.to.unwrap_or(i64::MAX / 2),
    };
    let order = Order { walk, uid: None, q: args.q.clone(), format, bom: args.bom };
    let copied = match &args.out {
        Some(path) => {
            let file = File::create(path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
            export::export(&database, &order, BufWriter::new(file))
        }
        None => export::export(&database, &order, BufWriter::new(io::stdout())),
    };
    match copied {
        Ok(events) => {
            eprintln!("{events} events exported");
            Ok(Outcome::Clean)
        }
        // `… | head` takes what it wants and goes.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Clean),
        Err(error) => Err(error.into()),
    }
}
