//! Topics by the contract's ABI.

use hanse_abi::document::{Abi, Field, Method, ValueError};
use serde_json::{Value, json};

use crate::text::Bytes;

/// Name and type of an event's first topic.
///
/// # Errors
/// If the document has no such event, or the event has no topic.
pub fn topic_type<'a>(abi: &'a Abi, event: &str) -> Result<(&'a str, &'a str), ValueError> {
    let unknown = |what: String| ValueError::Unknown { what };
    let schema = abi.events.iter().find(|schema| schema.name == event);
    let schema = schema.ok_or_else(|| unknown(format!("the event {event:?}")))?;
    let field = schema.fields.iter().find(|field| field.topic);
    let field = field.ok_or_else(|| unknown(format!("a topic of the event {event:?}")))?;
    Ok((&field.name, &field.ty))
}

/// The bytes of an event's first topic for an [`EventFilter`](super::EventFilter).
///
/// # Errors
/// As [`topic_type`], and if the value is not of its type.
pub fn topic(abi: &Abi, event: &str, value: &Value) -> Result<Bytes, ValueError> {
    let (name, ty) = topic_type(abi, event)?;
    // A topic is encoded as an argument of its type is.
    let arg = Field { name: name.into(), ty: ty.into(), ..Field::default() };
    let method = Method { name: event.into(), args: vec![arg], ..Method::default() };
    let abi = Abi { methods: vec![method], ..abi.clone() };
    abi.encode_args(event, &json!([value])).map(Bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_abi::document::{EventField, EventSchema};

    #[test]
    fn a_topic_is_encoded_by_its_type() {
        let field = |name: &str, ty: &str, topic| EventField {
            name: name.into(),
            ty: ty.into(),
            topic,
            ..EventField::default()
        };
        let event = EventSchema {
            name: "Paid".into(),
            fields: vec![field("amount", "u64", false), field("to", "String", true)],
            ..EventSchema::default()
        };
        let abi = Abi { events: vec![event], ..Abi::default() };
        assert_eq!(topic_type(&abi, "Paid").unwrap(), ("to", "String"));
        assert_eq!(topic(&abi, "Paid", &json!("bo")).unwrap(), Bytes(vec![2, 0, 0, 0, b'b', b'o']));
        assert!(topic(&abi, "Paid", &json!(3)).is_err());
        assert!(topic(&abi, "Gone", &json!("bo")).unwrap_err().to_string().contains("Gone"));
    }
}
