//! The OpenAPI document, made from the table of routes. Its examples are real answers: a test
//! makes the calls and compares.

mod operations;
mod schemas;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::route::{Entry, ROUTES};
use operations::{Operation, Parameter, of};

/// What a key that may do the call, and nothing wrong with it, can still be answered.
const ALWAYS: [(u16, &str); 3] =
    [(401, "No key, or none that opens anything"), (429, "Too many calls"), (500, "Our fault")];

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(build);
    &DOCUMENT
}

/// Answers by operation and status, as `tests/all/api/examples.rs` got them.
fn examples() -> Value {
    serde_json::from_str(include_str!("openapi/examples.json")).unwrap_or_default()
}

fn build() -> Value {
    let examples = examples();
    let mut paths = Map::new();
    for entry in ROUTES {
        let path = paths.entry(entry.path).or_insert_with(|| json!({}));
        path[entry.method.to_ascii_lowercase()] = operation(entry, &examples);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rackwave webhook delivery",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Endpoints, the delivery log, events and reports. Every error has the \
                same form; match on `error`. Times are ISO 8601 UTC.",
        },
        "servers": [{"url": "../", "description": "Wherever this document was read"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer",
                "description": "An API key: `webhooks keys create`; or a portal link's token"}},
            "schemas": schemas::all(),
        },
    })
}

fn operation(entry: Entry, examples: &Value) -> Value {
    let operation = of(entry.route);
    let example = |status: u16| &examples[operation.id][status.to_string()];
    let mut responses = Map::new();
    let (status, schema) = operation.success;
    responses.insert(status.to_string(), success(&operation, schema, example(status)));
    if let Some((status, schema)) = operation.also {
        responses.insert(status.to_string(), success(&operation, Some(schema), example(status)));
    }
    let refused = if operation.public { &[][..] } else { &ALWAYS[..] };
    for (status, words) in operation.refusals.iter().chain(refused) {
        responses.insert(status.to_string(), failure(*status, words, example(*status)));
    }
    let mut value = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters(entry, &operation),
        "responses": responses,
    });
    if let Some(schema) = operation.body {
        let mut media = json!({"schema": reference(schema)});
        let request = &examples[operation.id]["request"];
        if !request.is_null() {
            media["example"] = request.clone();
        }
        value["requestBody"] = json!({"required": true, "content": {"application/json": media}});
    }
    if operation.public {
        value["security"] = json!([]);
    }
    value
}

fn success(operation: &Operation, schema: Option<&str>, example: &Value) -> Value {
    let Some(schema) = schema else {
        return json!({"description": operation.summary});
    };
    let mut media = json!({"schema": reference(schema)});
    if !example.is_null() {
        media["example"] = example.clone();
    }
    let mut content = json!({"application/json": media});
    if operation.csv {
        content["text/csv"] = json!({"schema": {"type": "string"}});
    }
    let mut value = json!({"description": operation.summary, "content": content});
    let links = links(operation.id);
    if !links.is_empty() {
        value["links"] = links.into();
    }
    value
}

/// Where an answer leads: the operations that take an id that stands in it.
fn links(id: &str) -> Map<String, Value> {
    let to = |path: &'static str, pointer: &'static str| {
        let there = ROUTES.iter().filter(move |entry| entry.path.starts_with(path));
        there.map(move |entry| {
            let id = of(entry.route).id;
            let parameters = json!({"id": format!("$response.body#{pointer}")});
            (id.to_owned(), json!({"operationId": id, "parameters": parameters}))
        })
    };
    match id {
        "createEndpoint" => to("/v1/endpoints/{id}", "/id").collect(),
        "recover" | "cancelWaiting" => to("/v1/recoveries/{id}", "/id").collect(),
        "listDeliveries" => to("/v1/deliveries/{id}", "/data/0/id").collect(),
        "findEvents" => to("/v1/events/{id}", "/data/0/id").collect(),
        _ => Map::new(),
    }
}

fn failure(status: u16, words: &str, example: &Value) -> Value {
    let mut media = json!({"schema": reference("Error")});
    if !example.is_null() {
        media["example"] = example.clone();
    }
    let mut value = json!({"description": words, "content": {"application/json": media}});
    if status == 429 {
        let seconds = json!({"schema": {"type": "integer"}, "description": "Seconds to wait"});
        value["headers"] = json!({"Retry-After": seconds});
    }
    value
}

fn parameters(entry: Entry, operation: &Operation) -> Vec<Value> {
    let id = json!({"name": "id", "in": "path", "required": true,
        "schema": schemas::of_id(entry.path)});
    let id = entry.path.contains("{id}").then_some(id);
    let rest = operation.parameters.iter().map(|parameter| {
        let Parameter { name, place, required, schema, words } = parameter;
        json!({
            "name": name, "in": place, "required": required, "description": words,
            "schema": schemas::of_parameter(schema),
        })
    });
    id.into_iter().chain(rest).collect()
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}
