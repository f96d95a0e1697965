//! Updates of a running stack: records of the version before are read, those of a newer one are
//! left alone until the function that knows it is back.

use domain::api_key::ApiKey;
use domain::delivery::{Delivery, Status};
use domain::wakeup::WakeUp;
use serde_json::json;
use tests::stack::{ApiClient, Customer, Stack, until};

use super::audit::on_record;

/// Where a delivery's records stand: the table, and its key.
fn records(delivery: &Delivery) -> [(&'static str, Vec<(&'static str, String)>); 4] {
    let endpoint = || delivery.id.endpoint().to_string();
    let id = delivery.id.to_string();
    [
        ("DeliveriesTable", vec![("partition", delivery.id.partition()), ("delivery_id", id)]),
        ("EventsTable", vec![("event_id", delivery.event_id.to_string())]),
        (
            "EndpointsTable",
            vec![("account_id", delivery.account_id.to_string()), ("endpoint_id", endpoint())],
        ),
        ("EndpointSecretsTable", vec![("endpoint_id", endpoint())]),
    ]
}

/// A portal link, as an example of what the API remembers.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_api_remembers_is_left_alone() {
    let stack = Stack::deploy("journey-formats-api", &[]);
    let operator = stack.client("operator").await;
    let link = operator
        .post("v1/portal-links", &json!({"account_id": "acct_1", "expires_in": 600}))
        .await
        .body;
    let (url, token) =
        link["url"].as_str().expect("a link").split_once("#token=").expect("a token");
    let follower = ApiClient { url: url.into(), key: Some(token.into()) };
    let id = ApiKey::parse(token).expect("one of ours").id();
    let key = [("name", format!("portal#{id}"))];
    for (version, status) in [(Some(1), 200), (Some(2), 500), (None, 200)] {
        stack.set_version("ApiStateTable", &key, version).await;
        let reply = follower.get("v1/endpoints").await;
        assert_eq!(reply.status, status, "{version:?}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_record_waits_and_an_older_one_is_read() {
    let stack = Stack::deploy("journey-formats", &[]);
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, "acct_1", |_| {}).await;
    let wake = |delivery| WakeUp::fresh(delivery, 0).to_json();
    let done = |delivery: &Delivery| delivery.status == Status::Succeeded;
    for nth in 0..4 {
        let delivery = on_record(&stack, &endpoint, &format!("newer-{nth}"), true).await;
        let (table, key) = records(&delivery)[nth].clone();
        stack.set_version(table, &key, Some(2)).await;
        let message = stack.put("SendQueueUrl", &wake(delivery.id.clone())).await;
        until("the wake-up refused", || async {
            let log = stack.log("SenderFunction");
            let refused = |line: &&str| line.contains(&message) && line.contains("comes again");
            log.lines().find(refused).map(|line| assert!(line.contains("version"), "{line}"))
        })
        .await;
        assert_eq!(customer.so_far().len(), nth, "{table}: nothing is sent meanwhile");

        stack.set_version(table, &key, Some(1)).await;
        stack.put("SendQueueUrl", &wake(delivery.id.clone())).await;
        stack.delivery_when(&delivery.id, "delivered after all", done).await;
        assert_eq!(customer.so_far().len(), nth + 1, "{table}");
    }

    let delivery = on_record(&stack, &endpoint, "older", true).await;
    for (table, key) in records(&delivery) {
        stack.set_version(table, &key, None).await;
    }
    stack.put("SendQueueUrl", &wake(delivery.id.clone())).await;
    stack.delivery_when(&delivery.id, "delivered without versions", done).await;
}
