//! The shapes of what is sent and answered. Objects are closed: a test holds every answer of every
//! test to them, so a field that is not here cannot be answered.

use domain::catalogue::CATALOGUE;
use domain::delivery::Outcome;
use domain::envelope::Product;
use domain::job::Recoverable;
use domain::limits::{EVENT_NAME_CHARS, JOB_RATE_MAX, PORTAL_LINK_MAX_S, PORTAL_LINK_MIN_S};
use serde_json::{Map, Value, json};

/// What `alert_email` may be, see [`domain::endpoint::register`].
const ADDRESS: &str = "^[!#-'*+./0-9=?A-Z^-~-]+@[!#-'*+./0-9=?A-Z^-~-]*[.][!#-'*+./0-9=?A-Z^-~-]*$";

/// Decision 0025.
const HEADERS_MOVE: &str = "All custom headers, in place of those there are; `{}` for none. Needed \
    with another `url` if there are any: their hidden values do not move along";

/// No control characters.
const ONE_LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// All of them, by name.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    for group in [endpoints(), deliveries(), events(), recoveries(), others()] {
        if let Value::Object(group) = group {
            all.extend(group);
        }
    }
    Value::Object(all)
}

/// The schema of a parameter.
pub(super) fn of_parameter(name: &str) -> Value {
    match name {
        "limit" => json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
        "cursor" => json!({"type": "string", "maxLength": 1024}),
        "time" => json!({"type": "string", "format": "date-time"}),
        "account_id" => text(Some("^[A-Za-z0-9_-]{1,64}$")),
        "product" => products(),
        "endpoint_status" => json!({"type": "string", "enum": ["enabled", "disabled"]}),
        "delivery_status" => json!({"type": "array", "items": statuses()}),
        "event" => short(text(Some("^[a-z0-9_]+([.][a-z0-9_]+)*$"))),
        "source_id" => text(Some("^[ -~]{1,128}$")),
        "idempotency_key" => text(Some("^[!-~]{1,128}$")),
        _ => text(None),
    }
}

/// The schema of the id in a path.
pub(super) fn of_id(path: &str) -> Value {
    text(Some(match path {
        path if path.starts_with("/v1/endpoints") => "^ep_[a-z0-9]{1,32}$",
        path if path.starts_with("/v1/recoveries") => "^rec_[0-9a-f]{20}$",
        path if path.starts_with("/v1/deliveries") => "^dlv_[a-z0-9_]{1,116}$",
        _ => "^evt_[0-9a-f]{32}$",
    }))
}

fn text(pattern: Option<&str>) -> Value {
    match pattern {
        None => json!({"type": "string"}),
        Some(pattern) => json!({"type": "string", "pattern": pattern}),
    }
}

/// As long as an event name, at most.
fn short(mut text: Value) -> Value {
    text["maxLength"] = EVENT_NAME_CHARS.into();
    text
}

fn time() -> Value {
    text(Some("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$"))
}

fn number() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn products() -> Value {
    json!({"type": "string", "enum": Product::ALL.map(Product::as_str)})
}

fn statuses() -> Value {
    let all = ["pending", "retrying", "succeeded", "failed", "skipped"];
    json!({"type": "string", "enum": all})
}

fn reasons() -> Value {
    let all = ["exhausted", "endpoint_disabled", "endpoint_deleted", "cancelled"];
    json!({"type": "string", "enum": all})
}

fn list_of(item: Value) -> Value {
    json!({"type": "array", "items": item})
}

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A closed object; a name that ends in `?` may be absent.
fn object(fields: &[(&str, Value)]) -> Value {
    let plain = |name: &str| name.trim_end_matches('?').to_owned();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| (plain(name), schema.clone())).collect();
    let required: Vec<&str> =
        fields.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
    json!({
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

fn page_of(item: &str) -> Value {
    let cursor = json!({"type": ["string", "null"]});
    object(&[("data", list_of(refer(item))), ("next_cursor", cursor)])
}

fn endpoint(more: &[(&str, Value)]) -> Value {
    let common = [
        ("id", text(Some("^ep_[a-z0-9]+$"))),
        ("account_id", text(None)),
        ("product?", products()),
        ("platform_id?", text(None)),
        ("url", text(None)),
        ("event_types", list_of(text(None))),
        ("description?", text(None)),
        ("alert_email", text(None)),
        ("headers", list_of(text(None))),
        ("max_per_second?", number()),
        ("status", json!({"type": "string", "enum": ["enabled", "disabled"]})),
        ("disabled_reason?", json!({"type": "string", "enum": ["manual", "failing"]})),
        ("disabled_at?", time()),
        ("failing_since?", time()),
        ("disable_due_at?", time()),
        ("created_at", time()),
        ("updated_at", time()),
    ];
    object(&[&common[..], more].concat())
}

fn endpoints() -> Value {
    let nullable = |mut schema: Value| {
        schema["type"] = json!([schema["type"].clone(), "null"]);
        if let Some(values) = schema["enum"].as_array_mut() {
            values.push(Value::Null);
        } else if let Some(fields) = schema.as_object_mut() {
            fields.remove("enum");
        }
        schema
    };
    let settings = [
        ("url", json!({"type": "string", "maxLength": 2048, "pattern": "^https?://"})),
        (
            "event_types",
            json!({"type": "array", "minItems": 1,
            "items": short(text(Some(r"^([*]|[a-z0-9_]+([.][a-z0-9_]+)*([.][*])?)$")))}),
        ),
        (
            "alert_email",
            json!({"type": "string", "maxLength": 254,
            "pattern": ADDRESS}),
        ),
        ("product?", nullable(products())),
        ("platform_id?", nullable(json!({"type": "string", "pattern": "^[ -~]{1,64}$"}))),
        (
            "description?",
            nullable(json!({"type": "string", "maxLength": 512, "pattern": ONE_LINE})),
        ),
        (
            "headers?",
            json!({"type": "object", "additionalProperties": text(None), "maxProperties": 10}),
        ),
        ("max_per_second?", nullable(json!({"type": "integer", "minimum": 1, "maximum": 10000}))),
    ];
    let account = [("account_id?", text(Some("^[A-Za-z0-9_-]{1,64}$")))];
    let mut change = object(&settings);
    change["required"] = json!([]);
    change["properties"]["headers"]["description"] = HEADERS_MOVE.into();
    let warnings = ("warnings?", list_of(text(None)));
    let missed = object(&[
        ("skipped", number()),
        ("failed", number()),
        ("at_least?", json!({"type": "boolean"})),
        ("from", time()),
        ("to", time()),
    ]);
    let secret = || text(Some("^whsec_[A-Za-z0-9+/]+=*$"));
    json!({
        "NewEndpoint": object(&[&account[..], &settings].concat()),
        "EndpointChange": change,
        "Endpoint": endpoint(&[]),
        "ChangedEndpoint": endpoint(std::slice::from_ref(&warnings)),
        "EndpointWithSecret": endpoint(&[("secret", secret()), warnings]),
        "EnabledEndpoint": endpoint(&[("missed", missed)]),
        "EndpointList": page_of("Endpoint"),
        "RotatedSecret": object(&[("secret", secret()), ("previous_valid_until", time())]),
    })
}

fn delivery(more: &[(&str, Value)]) -> Value {
    let common = [
        ("id", text(Some("^dlv_[a-z0-9_]+$"))),
        ("event_id", text(Some("^evt_[0-9a-f]{32}$"))),
        ("source_id?", text(None)),
        ("event", text(None)),
        ("endpoint_id", text(None)),
        ("status", statuses()),
        ("reason?", reasons()),
        ("created_at", time()),
        ("attempts_left", number()),
        ("next_attempt_at?", time()),
        ("gives_up_at?", time()),
        ("attempts", list_of(refer("Attempt"))),
    ];
    object(&[&common[..], more].concat())
}

fn deliveries() -> Value {
    let triggers = ["schedule", "manual", "recover", "test"];
    let attempt = object(&[
        ("number", number()),
        ("trigger", json!({"type": "string", "enum": triggers})),
        ("at", time()),
        ("duration_ms", number()),
        ("first_byte_ms?", number()),
        ("outcome", json!({"type": "string", "enum": Outcome::ALL.map(Outcome::as_str)})),
        ("http_status?", number()),
        ("response_body?", text(None)),
        ("error?", text(None)),
    ]);
    let headers = json!({"type": "object", "additionalProperties": text(None)});
    let detail = [
        ("url?", text(None)),
        ("payload?", text(None)),
        ("headers?", headers),
        ("curl?", text(None)),
    ];
    json!({
        "Attempt": attempt,
        "Delivery": delivery(&[]),
        "DeliveryDetail": delivery(&detail),
        "DeliveryList": page_of("Delivery"),
    })
}

fn events() -> Value {
    let event = object(&[
        ("id", text(Some("^evt_[0-9a-f]{32}$"))),
        ("source_id?", text(None)),
        ("account_id", text(None)),
        ("event", text(None)),
        ("product", products()),
        ("platform_id", text(None)),
        ("timestamp", text(None)),
        ("accepted_at", time()),
        ("payload?", text(None)),
        ("payload_erased_at?", time()),
        ("deliveries", list_of(refer("Delivery"))),
    ]);
    let names: Vec<&str> = CATALOGUE.iter().map(|each| each.event).collect();
    let event_type = object(&[
        ("event", json!({"type": "string", "enum": names})),
        ("product", products()),
        ("fields?", list_of(text(None))),
    ]);
    json!({
        "Event": event,
        "EventList": page_of("Event"),
        "EventType": event_type,
        "EventTypeList": page_of("EventType"),
    })
}

fn recoveries() -> Value {
    let one = json!({"type": "string", "enum": Recoverable::ALL.map(Recoverable::as_str)});
    let some = json!({"type": "array", "items": one, "minItems": 1});
    let window = [("from", of_parameter("time")), ("to", of_parameter("time"))];
    let dry_run = [("dry_run?", json!({"type": "boolean", "default": false}))];
    let rate = json!({"type": "integer", "minimum": 1, "maximum": JOB_RATE_MAX});
    let recover = [("status?", json!({"oneOf": [one, some]})), ("max_per_second?", rate)];
    let cancel = [("event?", of_parameter("event"))];
    let states = ["running", "finished", "cancelled"];
    json!({
        "OpenRetry": object(&[
            ("delivery_id", text(Some("^dlv_[a-z0-9_]+$"))),
            ("retry_id", text(Some("^rty_[0-9a-f]{32}$"))),
        ]),
        "NewRecovery": object(&[&window[..], &recover, &dry_run].concat()),
        "NewCancellation": object(&[&window[..], &cancel, &dry_run].concat()),
        "DryRun": object(&[("total", number()), ("at_least?", json!({"type": "boolean"}))]),
        "Recovery": object(&[
            ("id", text(Some("^rec_[0-9a-f]{20}$"))),
            ("kind", json!({"type": "string", "enum": ["recover", "cancel"]})),
            ("endpoint_id", text(None)),
            ("status", json!({"type": "string", "enum": states})),
            ("total", number()),
            ("done", number()),
            ("succeeded", number()),
            ("failed", number()),
            ("created_at", time()),
        ]),
    })
}

/// How a portal link ends: signed in, and at its endpoint if it is for one.
const LINK: &str = "#token=rwp_[0-9a-f]{56}(&endpoint=ep_[a-z0-9]+)?$";

fn others() -> Value {
    let reported = object(&[
        ("id", text(None)),
        ("endpoint_id", text(None)),
        ("status", statuses()),
        ("reason?", reasons()),
        ("attempts", number()),
        ("last_http_status?", number()),
    ]);
    let row = object(&[
        ("event_id", text(None)),
        ("source_id?", text(None)),
        ("event", text(None)),
        ("accepted_at", time()),
        ("deliveries", list_of(reported)),
    ]);
    let totals = ["events", "accepted", "succeeded", "failed", "skipped", "waiting"];
    let report = object(&[
        ("data", list_of(row)),
        ("next_cursor", json!({"type": ["string", "null"]})),
        ("totals", object(&totals.map(|name| (name, number())))),
    ]);
    let error = object(&[
        ("success", json!({"type": "boolean", "enum": [false]})),
        ("error", text(Some("^[a-z_]+$"))),
        ("message", text(None)),
        ("code", number()),
        ("field?", text(None)),
    ]);
    let lifetime = json!({
        "type": "integer", "minimum": PORTAL_LINK_MIN_S, "maximum": PORTAL_LINK_MAX_S,
        "description": "Seconds until it opens nothing any more",
    });
    let new_link = object(&[
        ("account_id?", of_parameter("account_id")),
        ("endpoint_id?", of_id("/v1/endpoints")),
        ("expires_in", lifetime),
    ]);
    json!({
        "Report": report, "Error": error, "Document": {"type": "object"},
        "NewTest": object(&[("event", of_parameter("event"))]),
        "NewPortalLink": new_link,
        "PortalLink": object(&[("url", text(Some(LINK)))]),
    })
}
