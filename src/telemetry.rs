//! Logging, and the panic hook that remembers where.
//!
//! Readable lines on the terminal, or JSON; the same lines go to a file per day under the data folder,
//! where the last ones stay. A panic is a log line as well, with its text and place.

use std::{
    fs,
    io::{self, IsTerminal},
    panic,
    path::{Path, PathBuf},
};

use thiserror::Error;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, ParseError},
    fmt,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::{
    config::LogFormat,
    supervise::{obituary, warnings},
};

/// Days of log files kept.
const DAYS_KEPT: usize = 14;

/// Why there is no log.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error(
        "--log {filter:?} is not a log filter ({source}); accepted is for example info, or info,bilibili_live_monitor=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The log file cannot be made.
    #[error("the log file cannot be made under {}: choose a folder that this user may write with --data-dir DIR", folder.display())]
    File {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: InitError,
    },
    /// The folder of the log files is not there and cannot be made.
    #[error("the log folder {} cannot be made: choose a place that this user may write with --data-dir DIR", folder.display())]
    Folder {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Starts logging, if wanted to the terminal, and, with a folder, to files in it.
pub fn init(
    filter: &str,
    format: Option<LogFormat>,
    folder: Option<&Path>,
    to_terminal: bool,
) -> Result<(), TelemetryError> {
    let parse =
        || EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source });
    let terminal = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let terminal = match format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => terminal.with_target(false).with_filter(parse()?).boxed(),
        LogFormat::Json => terminal.json().flatten_event(true).with_filter(parse()?).boxed(),
    };
    let terminal = to_terminal.then_some(terminal);
    let file = match folder {
        None => None,
        Some(folder) => {
            fs::create_dir_all(folder)
                .map_err(|source| TelemetryError::Folder { folder: folder.to_owned(), source })?;
            let appender = RollingFileAppender::builder()
                .rotation(Rotation::DAILY)
                .filename_prefix("monitor")
                .filename_suffix("log")
                .max_log_files(DAYS_KEPT)
                .build(folder)
                .map_err(|source| TelemetryError::File { folder: folder.to_owned(), source })?;
            Some(fmt::layer().with_writer(appender).with_ansi(false).with_target(false).with_filter(parse()?))
        }
    };
    let recent = Recent.with_filter(LevelFilter::WARN);
    tracing_subscriber::registry().with(terminal).with(file).with(recent).init();
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let text = info.payload_as_str().unwrap_or("a panic that carries no text");
        tracing::error!(place, "panicked: {text}");
    }));
    obituary::remember_panics();
    Ok(())
}

/// Keeps the last warnings for the debug page: their sentences, without the fields, which may hold the
/// addresses of visitors.
struct Recent;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut sentence = Sentence(String::new());
        event.record(&mut sentence);
        let metadata = event.metadata();
        warnings::note(metadata.level().as_str(), metadata.target(), &sentence.0);
    }
}

struct Sentence(String);

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
