//! Holds answers to the OpenAPI document.

use api::openapi::document;
use serde_json::Value;

/// The operation of a request: its path may have any word for `{id}`.
pub fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let paths = document()["paths"].as_object().expect("paths");
    let same = |template: &str| {
        let (template, path) = (template.split('/'), path.split('/'));
        template.clone().count() == path.clone().count()
            && template.zip(path).all(|(wanted, word)| wanted == word || wanted == "{id}")
    };
    // A path without `{id}` is the better match.
    let found = paths.iter().filter(|(template, _)| same(template));
    let found = found.min_by_key(|(template, _)| template.contains('{'))?;
    found.1.get(method.to_ascii_lowercase())
}

/// Fails unless the status is documented and the body fits its schema.
#[track_caller]
pub fn check(method: &str, path: &str, status: u16, body: &Value) {
    let Some(operation) = operation(method, path) else {
        assert!([404, 405].contains(&status), "{method} {path} is not in the document: {status}");
        fits(body, &document()["components"]["schemas"]["Error"], "error");
        return;
    };
    let response = &operation["responses"][status.to_string()];
    assert!(!response.is_null(), "{method} {path}: {status} is not documented: {body}");
    let content = &response["content"];
    if content.is_null() {
        assert!(body.is_null(), "{method} {path}: an answer without a body has one");
    } else if body.is_string() {
        assert!(!content["text/csv"].is_null(), "{method} {path}: {body}");
    } else {
        fits(body, &content["application/json"]["schema"], &format!("{method} {path} {status}"));
    }
}

/// Fails unless a value fits a schema, as far as the document's schemas go.
#[track_caller]
pub fn fits(value: &Value, schema: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        let schema = &document()["components"]["schemas"][name];
        assert!(!schema.is_null(), "{place}: there is no schema {name}");
        return fits(value, schema, place);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let is = |wanted: &str| match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{place}: type {other}"),
    };
    assert!(types.is_empty() || types.iter().any(|t| is(t)), "{place}: {value} is no {types:?}");
    if let Some(known) = schema["enum"].as_array() {
        assert!(known.contains(value), "{place}: {value} is none of {known:?}");
    }
    if let Some(items) = value.as_array() {
        items.iter().enumerate().for_each(|(nth, item)| {
            fits(item, &schema["items"], &format!("{place}[{nth}]"));
        });
    }
    let Some(fields) = value.as_object() else { return };
    for required in schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().expect("a name");
        assert!(fields.contains_key(name), "{place}: {name} is missing");
    }
    for (name, field) in fields {
        let place = format!("{place}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => panic!("{place} is not in the document"),
            (Value::Null, Value::Null) => {}
            (Value::Null, more) => fits(field, more, &place),
            (known, _) => fits(field, known, &place),
        }
    }
}

#[test]
#[should_panic(expected = "is not in the document")]
fn a_field_that_is_not_documented_is_found() {
    let body = serde_json::json!({"success": false, "error": "x", "message": "x", "code": 404,
        "cause": "internal"});
    check("GET", "/v1/endpoints/ep_1", 404, &body);
}

#[test]
fn every_route_says_what_it_answers() {
    for (path, methods) in document()["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let responses = operation["responses"].as_object().expect("responses");
            let good = responses.keys().filter(|status| status.starts_with('2')).count();
            assert!((1..=2).contains(&good), "{method} {path}");
            assert!(operation["operationId"].is_string(), "{method} {path}");
        }
    }
}
