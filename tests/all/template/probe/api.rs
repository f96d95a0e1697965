//! Every call of the API that needs a permission of its own.

use domain::endpoint::Endpoint;
use domain::log::LogQuery;
use domain::ports::DeliveryLog;
use serde_json::{Value, json};
use tests::stack::{ApiClient, Reply, Stack};

use super::seen;

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
    let window = json!({"from": "2020-01-01T00:00:00Z", "to": "2120-01-01T00:00:00Z"});
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
        (&account, "POST", format!("v1/deliveries/{delivery}/retry"), &nothing, 202),
        (&account, "DELETE", format!("v1/events/{event}/payload"), &nothing, 204),
        (&account, "POST", format!("{existing}/recover"), &window, 202),
        (&operator, "DELETE", created.clone(), &nothing, 204),
    ] {
        call(client, method, &path, body, &[], status).await?;
    }
    jobs(stack, &account, &existing, &window).await
}

/// The recovery goes its way through the sender; when it is over, a cancellation follows it.
async fn jobs(
    stack: &Stack,
    account: &ApiClient,
    existing: &str,
    window: &Value,
) -> Result<(), String> {
    let cancel = format!("{existing}/cancel");
    let begun = seen(stack, "a cancellation begun", async || {
        let reply = account.call("POST", &cancel, Some(window), &[]).await;
        match reply.status {
            202 => Ok(Some(reply.body["id"].as_str().unwrap_or_default().to_owned())),
            409 => Ok(None), // the recovery is still running
            _ => Err(format!("cancel: {reply:?}")),
        }
    });
    let path = format!("v1/recoveries/{}", begun.await?);
    let finished = seen(stack, "a cancellation finished", async || {
        let reply = account.call("GET", &path, None, &[]).await;
        match reply.body["status"].as_str() {
            Some("finished") => Ok(Some(())),
            Some("running") => Ok(None),
            _ => Err(format!("cancellation: {reply:?}")),
        }
    });
    finished.await
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
