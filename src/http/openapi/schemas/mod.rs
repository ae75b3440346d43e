//! The schemas of bodies (JSON Schema 2020-12), by name.

mod changes;
mod checks;
mod explain;
mod instances;
mod server;
mod services;
pub mod values;

use serde_json::{Map, Value, json};

/// A schema with its name.
type Named = (&'static str, Value);

/// All of them.
pub fn all() -> Map<String, Value> {
    let parts = [
        values::schemas(),
        instances::schemas(),
        checks::schemas(),
        services::schemas(),
        changes::schemas(),
        explain::schemas(),
        server::schemas(),
    ];
    parts.into_iter().flatten().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// A reference to the schema of this name.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An object of a reply: `optional` names the members that are not always there.
fn reply(members: Value, optional: &[&str]) -> Value {
    let names = members.as_object().into_iter().flat_map(Map::keys);
    let required: Vec<&String> = names.filter(|name| !optional.contains(&name.as_str())).collect();
    json!({"type": "object", "required": required, "properties": members})
}

/// An object of a request, with these members and no others.
fn request(members: Value, required: &[&str]) -> Value {
    json!({"type": "object", "required": required, "properties": members, "additionalProperties": false})
}

fn list_of(entry: Value) -> Value {
    json!({"type": "array", "items": entry})
}

fn bounded_list_of(entry: Value, max: usize) -> Value {
    json!({"type": "array", "items": entry, "maxItems": max})
}

/// The same or null.
fn nullable(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// Members that replies have and requests may repeat: they are not looked at.
fn ignored<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> impl Iterator<Item = (String, Value)> {
    let schema = json!({"readOnly": true, "description": "Only replies have it; ignored where it is sent."});
    names.into_iter().map(move |name| ((*name).to_owned(), schema.clone()))
}
