//! Every call of the API that needs a permission of its own.

use domain::endpoint::Endpoint;
use domain::log::LogQuery;
use domain::ports::DeliveryLog;
use serde_json::{Value, json};
use tests::stack::{ApiClient, Reply, Stack};

/// Whether the API does its work. The endpoint has a delivery that is retrying.
pub(super) async fn works(stack: &Stack, endpoint: &Endpoint) -> Result<(), String> {
    let operator = stack.client("operator").await;
    let account = stack.client(&format!("account:{}", endpoint.account_id)).await;
    let registration = json!({
        "account_id": "acct_7", "url": "http://127.0.0.1:1/", "event_types": ["*"],
        "alert_email": "ops@example.com",
    });
    let once = [("x-idempotency-key", "probe")];
    let mut ids = Vec::new();
    for _ in 0..2 {
        let created = call(&operator, "POST", "v1/endpoints", &registration, &once, 201).await?;
        ids.push(created.body["id"].clone());
    }
    if ids[0] != ids[1] {
        return Err(format!("registered twice: {ids:?}"));
    }
    let created = format!("v1/endpoints/{}", ids[0].as_str().unwrap_or_default());
    let existing = format!("v1/endpoints/{}", endpoint.id);
    let newest = LogQuery::newest(&endpoint.id, 1, 1);
    let page = stack.store.log(&newest).await.map_err(|e| e.to_string())?;
    let delivery = page.items.first().ok_or("no delivery")?;
    let (delivery, event) = (&delivery.id, &delivery.event_id);

    let nothing = json!({});
    let test = json!({"event": "email.delivered"});
    let change = json!({"description": "probed"});
    for (client, method, path, body, status) in [
        (&operator, "GET", "v1/endpoints".to_owned(), &nothing, 200),
        (&account, "GET", "v1/endpoints".to_owned(), &nothing, 200),
        (&operator, "GET", existing.clone(), &nothing, 200),
        (&account, "GET", existing.clone(), &nothing, 200),
        (&operator, "PATCH", created.clone(), &change, 200),
        (&operator, "POST", format!("{created}/rotate-secret"), &nothing, 200),
        (&operator, "POST", format!("{created}/disable"), &nothing, 200),
        (&operator, "POST", format!("{created}/enable"), &nothing, 200),
        (&account, "GET", format!("{existing}/deliveries"), &nothing, 200),
        (&account, "GET", format!("{existing}/deliveries?status=retrying"), &nothing, 200),
        (&account, "GET", format!("v1/deliveries/{delivery}"), &nothing, 200),
        (&account, "GET", format!("v1/events/{event}"), &nothing, 200),
        (&account, "GET", "v1/reports/messages".to_owned(), &nothing, 200),
        (&account, "POST", format!("{existing}/test"), &test, 200),
        (&account, "DELETE", format!("v1/events/{event}/payload"), &nothing, 204),
        (&operator, "DELETE", created.clone(), &nothing, 204),
    ] {
        call(client, method, &path, body, &[], status).await?;
    }
    Ok(())
}

async fn call(
    client: &ApiClient,
    method: &str,
    path: &str,
    body: &Value,
    headers: &[(&str, &str)],
    status: u16,
) -> Result<Reply, String> {
    let reply = client.call(method, path, Some(body), headers).await;
    if reply.status == status { Ok(reply) } else { Err(format!("{method} {path}: {reply:?}")) }
}
