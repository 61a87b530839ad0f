//! A file of JSON lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

/// Takes figures as they are measured; keeps them if a file was asked for.
pub struct Sink {
    file: Option<(PathBuf, BufWriter<File>)>,
}

impl Sink {
    /// A sink into this file, which is overwritten.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn open(path: Option<&Path>) -> Result<Sink> {
        let Some(path) = path else { return Ok(Sink { file: None }) };
        let file = File::create(path).with_context(|| format!("{} can't be written", path.display()))?;
        Ok(Sink { file: Some((path.to_owned(), BufWriter::new(file))) })
    }

    /// Adds a line, at once: a long run that is stopped has not been for nothing.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&mut self, figure: &impl Serialize) -> Result<()> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let line = serde_json::to_string(figure).context("a figure has no JSON form")?;
        writeln!(file, "{line}")
            .and_then(|()| file.flush())
            .with_context(|| format!("{} can't be written", path.display()))
    }
}
