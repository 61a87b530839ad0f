//! Results go to standard output, once, as text or as one JSON value; everything else goes to standard error.

use std::io::{IsTerminal, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::exit::Failure;

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Results as JSON.
    pub(crate) json: bool,
    /// No words but results and errors.
    pub(crate) quiet: bool,
}

impl Output {
    /// Prints a command's result.
    pub(crate) fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        // A reader that went away, such as `head`, is no failure of the command.
        self.line(value, text).map(drop)
    }

    /// Prints one of several results; whether somebody still reads.
    pub(crate) fn line<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Result<bool, Failure> {
        let line = match self.json {
            true => serde_json::to_string(value).map_err(|error| Failure::error(error.to_string()))?,
            false => text(value).trim_end().to_owned(),
        };
        Ok(say(&line)?)
    }

    /// Tells what went wrong while the command goes on, to a person or to a log of the service.
    pub(crate) fn warn<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        match self.json {
            _ if self.quiet => {}
            // What does not encode is told in words all the same.
            true => complain(&serde_json::to_string(value).unwrap_or_else(|_| text(value))),
            false => complain(&text(value)),
        }
    }

    /// Tells a person what goes on or what to do next; scripts see nothing of it.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if !self.quiet && !self.json && std::io::stderr().is_terminal() {
            complain(text.as_ref());
        }
    }
}

/// Prints a line to standard output; whether somebody still reads. A reader that went away is no fault of who writes, and
/// `println!` would panic for it.
pub(crate) fn say(line: &str) -> std::io::Result<bool> {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Prints a line to standard error. Where nobody can be told, nobody is.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A table without frames: the first row is the heading.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heading);
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Lines of name and value, with the values below one another.
pub(crate) fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<(&str, String)> = fields.into_iter().collect();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    fields.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

/// A number with its thousands set apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_columns_are_easy_to_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(fields([("a", "1".into()), ("long", "2".into())]), "a     1\nlong  2\n");
    }
}
