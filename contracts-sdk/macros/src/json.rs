//! JSON text, written by hand: the macros shall not make contract authors compile a JSON library.

/// An object that is being written; fields come out in the order in which they were put in.
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Object {
        Object(String::from("{"))
    }

    /// Adds a field whose value is JSON already.
    pub(crate) fn raw(mut self, name: &str, json: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&string(name));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    /// Adds a text.
    pub(crate) fn text(self, name: &str, text: &str) -> Object {
        self.raw(name, &string(text))
    }

    /// Adds a text unless it is empty.
    pub(crate) fn text_if_any(self, name: &str, text: &str) -> Object {
        if text.is_empty() { self } else { self.text(name, text) }
    }

    /// Adds a list unless it is empty.
    pub(crate) fn list_if_any(self, name: &str, items: &[String]) -> Object {
        if items.is_empty() { self } else { self.raw(name, &array(items)) }
    }

    pub(crate) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// An array of values that are JSON already.
pub(crate) fn array(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

/// A quoted text.
pub(crate) fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_fields_kept_in_order() {
        let object = Object::new().text("b", "say \"a\\b\"\n\u{1}é").raw("a", "1").list_if_any("none", &[]);
        assert_eq!(object.end(), r#"{"b":"say \"a\\b\"\n\u0001é","a":1}"#);
    }
}
