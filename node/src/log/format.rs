//! One event as one line: time, level, target, words, fields.
//!
//! The library's own formats leave out what an operator looks for first, an id, and let a text that a contract chose
//! begin a line of its own. Here every line has an id, and is one line.

use std::fmt::{self, Write};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Field names of which one is enough to say what a line is about.
const IDS: [&str; 5] = ["tx", "tx_id", "hash", "block", "height"];
/// The field with an event's words.
const MESSAGE: &str = "message";

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// For people: `2026-11-21T08:00:00.123Z  INFO hanse_group::driver: block committed height=5`.
    #[default]
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// Where and when an event happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) time: SystemTime,
    /// The chain's height, if there is a chain yet.
    pub(super) height: Option<u64>,
}

impl Format {
    /// Appends an event's line.
    pub(super) fn write(self, line: &mut String, event: &Event<'_>, context: Context) {
        let metadata = event.metadata();
        self.write_parts(line, *metadata.level(), metadata.target(), context, |fields| event.record(fields));
    }

    /// As [`Format::write`], of an event's parts.
    fn write_parts(
        self,
        line: &mut String,
        level: Level,
        target: &str,
        context: Context,
        record: impl FnOnce(&mut dyn Visit),
    ) {
        let time = humantime::format_rfc3339_millis(context.time);
        let height = |has_id: bool| context.height.filter(|_| !has_id);
        // Writing to a text can't fail.
        let _ = match self {
            Format::Text => {
                let mut fields = TextFields { text: String::new(), message: String::new(), has_id: false };
                record(&mut fields);
                if let Some(height) = height(fields.has_id) {
                    fields.record_u64_named("height", height);
                }
                writeln!(line, "{time} {level:>5} {target}: {}{}", fields.message, fields.text)
            }
            Format::Json => {
                let mut fields = JsonFields { fields: Map::new() };
                record(&mut fields);
                if let Some(height) = height(fields.fields.keys().any(|name| IDS.contains(&name.as_str()))) {
                    fields.fields.insert("height".into(), height.into());
                }
                let line_of = JsonLine { time: time.to_string(), level: level.as_str(), target, fields: fields.fields };
                // A value that does not encode is a line without it, not a line less.
                let text = serde_json::to_string(&line_of).unwrap_or_default();
                writeln!(line, "{text}")
            }
        };
    }
}

#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    level: &'a str,
    target: &'a str,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

struct TextFields {
    text: String,
    message: String,
    has_id: bool,
}

impl TextFields {
    fn record_u64_named(&mut self, name: &str, value: u64) {
        self.push(name, format_args!("{value}"));
    }

    fn push(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.has_id |= IDS.contains(&name);
        let mut target = OneLine(if name == MESSAGE { &mut self.message } else { &mut self.text });
        // Writing to a text can't fail.
        let _ = match name {
            MESSAGE => target.write_fmt(value),
            _ => write!(target, " {name}={value}"),
        };
    }
}

impl Visit for TextFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Words with spaces are quoted, so that a reader sees where they end.
        match field.name() != MESSAGE && value.contains([' ', '"', '=']) {
            true => self.push(field.name(), format_args!("{value:?}")),
            false => self.push(field.name(), format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field.name(), format_args!("{value:?}"));
    }
}

/// Writes control characters as escapes: what is written stays in its line, and does nothing to a terminal.
struct OneLine<'a>(&'a mut String);

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly all of what is logged.
        if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            self.0.push_str(text);
            return Ok(());
        }
        for character in text.chars() {
            match character.is_control() {
                true => self.0.extend(character.escape_default()),
                false => self.0.push(character),
            }
        }
        Ok(())
    }
}

struct JsonFields {
    fields: Map<String, Value>,
}

impl JsonFields {
    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        // Names of the line's own fields are not given twice.
        let name = match field.name() {
            name @ ("time" | "level" | "target") => format!("field_{name}"),
            name => name.to_owned(),
        };
        self.fields.insert(name, value.into());
    }
}

impl Visit for JsonFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use tracing::Subscriber;
    use tracing_subscriber::layer::{Context as Around, Layer, SubscriberExt};

    struct Capture(Format, Option<u64>, Arc<Mutex<String>>);

    impl<S: Subscriber> Layer<S> for Capture {
        fn on_event(&self, event: &Event<'_>, _: Around<'_, S>) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_792_569_600_007);
            self.0.write(&mut self.2.lock().unwrap(), event, Context { time, height: self.1 });
        }
    }

    fn lines(format: Format, height: Option<u64>, log: impl FnOnce()) -> String {
        let text = Arc::new(Mutex::new(String::new()));
        let subscriber = tracing_subscriber::registry().with(Capture(format, height, text.clone()));
        tracing::subscriber::with_default(subscriber, log);
        Arc::into_inner(text).unwrap().into_inner().unwrap()
    }

    #[test]
    fn a_line_has_time_level_target_words_and_an_id() {
        let committed = || tracing::info!(target: "hanse::brief", height = 5, tx = "0xab", "committed");
        let text = lines(Format::Text, Some(9), committed);
        assert_eq!(text, "2026-10-21T08:00:00.007Z  INFO hanse::brief: committed height=5 tx=0xab\n");
        let text = lines(Format::Text, Some(9), || tracing::warn!(target: "a", why = "x y", "w {}", 1));
        assert_eq!(text, "2026-10-21T08:00:00.007Z  WARN a: w 1 why=\"x y\" height=9\n");
        let text = lines(Format::Text, None, || tracing::error!(target: "a", "w"));
        assert_eq!(text, "2026-10-21T08:00:00.007Z ERROR a: w\n");
    }

    #[test]
    fn json_keeps_types_and_is_one_object() {
        let text = lines(Format::Json, Some(9), || tracing::info!(target: "a", n = 3, ok = true, time = "t", "w"));
        let value: Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({"time": "2026-10-21T08:00:00.007Z", "level": "INFO", "target": "a",
            "message": "w", "n": 3, "ok": true, "field_time": "t", "height": 9});
        assert_eq!(value, expected);
    }

    #[test]
    fn what_a_contract_says_stays_in_its_line() {
        let evil = "x\n2026-10-21T08:00:00.007Z ERROR hanse: all is lost\u{1b}[31m";
        for format in [Format::Text, Format::Json] {
            let text = lines(format, None, || tracing::info!(target: "a", data = evil, other = %evil, "{evil}"));
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
}
