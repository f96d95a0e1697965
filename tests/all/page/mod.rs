//! The page, in a browser, over the real template: what people can see and do there.

mod again;
mod check;
mod hostile;
mod life;
mod looks;
mod sign_in;
mod words;

use serde_json::json;
use tests::browser::{DESK, Page, css, text};
use tests::stack::{ApiClient, Customer, Stack};

use crate::journeys::event;

const ACCOUNT: &str = "acct_page";

/// A customer with an endpoint, and the page before somebody with the account's key.
struct Desk {
    stack: Stack,
    customer: Customer,
    api: ApiClient,
    page: Page,
    endpoint: String,
    secret: String,
}

impl Desk {
    /// Deploys a stack and registers an endpoint; the page shows its log.
    async fn with_endpoint(name: &str, parameters: &[(&str, &str)]) -> Self {
        let stack = Stack::deploy(name, parameters);
        let customer = Customer::start().await;
        let api = stack.client(&format!("account:{ACCOUNT}")).await;
        let registration = json!({
            "url": customer.url(), "event_types": ["*"], "alert_email": "owner@example.com",
        });
        let created = api.post("v1/endpoints", &registration).await;
        assert_eq!(created.status, 201, "{created:?}");
        let word = |name: &str| created.body[name].as_str().expect("a text").to_owned();
        let (endpoint, secret) = (word("id"), word("secret"));
        let page = Page::open(DESK).await;
        let desk = Self { stack, customer, api, page, endpoint, secret };
        desk.page.goto(&desk.signed_in()).await;
        desk.page.sees(text("Delivery log")).await;
        desk
    }

    /// The address of the endpoint's log, with the key in it.
    fn signed_in(&self) -> String {
        let key = self.api.key.as_deref().expect("a key");
        format!("{}#token={key}&endpoint={}", self.api.url, self.endpoint)
    }

    /// Goes to another view of the page.
    async fn go(&self, place: &str) {
        let url = serde_json::Value::from(format!("#{place}"));
        self.page.evaluate(&format!("location.hash = {url}; null")).await;
    }

    /// Sends an event of the account with these data, as a product does.
    async fn send(&self, id: &str, data: &str) {
        self.stack.send(&event(id, ACCOUNT, data)).await;
    }

    /// Sends an event and waits until the log shows it in this state.
    async fn sees_sent(&self, id: &str, status: &str) {
        let before = self.page.count(css(".row")).await;
        self.send(id, "{}").await;
        self.page.sees(css(".row").nth(usize::try_from(before).expect("few"))).await;
        self.page.sees(css(&format!(".row:first-child[data-status={status}]"))).await;
    }

    /// Nothing was asked for elsewhere, and no script failed.
    async fn is_well(&self) {
        let base = self.api.url.split("/_aws/").next().expect("a base");
        for address in self.page.requests().await {
            let own = address.starts_with(base) || address.starts_with("data:");
            assert!(own || address == "about:blank", "asked elsewhere: {address}");
        }
        assert_eq!(self.page.troubles().await, [""; 0]);
    }
}
