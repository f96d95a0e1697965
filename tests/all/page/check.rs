//! The signature checker: what it says of requests that really arrived, and of ones spoilt in the
//! ways that people spoil them.

use tests::browser::{button, css, field, text};
use tests::stack::Received;

use super::Desk;

const DATA: &str = r#"{"url":"https://example.com/a","name":"Zoë","n":1.0}"#;

fn headers(received: &Received, names: &[&str]) -> String {
    let line = |name: &&str| format!("{name}: {}\n", received.header(name));
    names.iter().map(line).collect()
}

impl Desk {
    async fn check(&self, body: &str, headers: &str, secret: &str, own: &str) -> Vec<String> {
        self.go("/endpoints").await;
        self.page.sees(css(".cards")).await;
        self.go("/check").await;
        self.page.fill(field("Body"), body).await;
        self.page.fill(field("Headers"), headers).await;
        self.page.fill(field("Signing secret"), secret).await;
        self.page.fill(field("What your code computed"), own).await;
        self.page.click(button("Check")).await;
        self.page.sees(css(".findings li")).await;
        self.page.texts(css(".findings li")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_went_wrong() {
    let desk = Desk::with_endpoint("page-check", &[]).await;
    desk.send("e1", DATA).await;
    let received = desk.customer.received(1).await.remove(0);
    let (body, secret) = (received.text(), desk.secret.as_str());
    let rackwave = headers(&received, &["X-Webhook-Signature", "X-Webhook-Timestamp"]);
    let standard = headers(&received, &["webhook-id", "webhook-timestamp", "webhook-signature"]);
    let both = format!("{rackwave}{standard}");
    let requests = desk.page.requests().await.len();

    let good = desk.check(body, &both, secret, "").await;
    assert_eq!(good[0], "X-Webhook-Signature verifies.");
    assert_eq!(good[1], "webhook-signature verifies.");
    assert_eq!(good.len(), 3, "{good:?}");

    let parsed: serde_json::Value = serde_json::from_str(DATA).expect("JSON");
    let spaced = body.replace("\":", "\": ").replace(",\"", ", \"");
    let escaped = body.replace('/', "\\/").replace('ë', "\\u00eb");
    for spoilt in [spaced, escaped] {
        let found = desk.check(&spoilt, &both, secret, "").await;
        assert!(found[0].contains("body was re-serialised"), "{spoilt}: {found:?}");
        assert!(found[1].contains("body was re-serialised"), "{spoilt}: {found:?}");
    }
    let lost = body.replace(DATA, &parsed.to_string().replace("1.0", "1"));
    let found = desk.check(&lost, &rackwave, secret, "").await;
    assert_eq!(found[0], "X-Webhook-Signature does not verify.");
    let found = desk.check(&format!("{body}\n"), &rackwave, secret, "").await;
    assert!(found[0].contains("a line break too many"), "{found:?}");

    // What receivers compute with the wrong key, as two libraries would.
    let decoded = desk.page.evaluate(&decoded_mac(secret, body)).await;
    let own = format!("sha256={}", decoded.as_str().expect("hex"));
    let found = desk.check(body, &rackwave, secret, &own).await;
    assert!(found[1].contains("Only the body was signed"), "{found:?}");
    let said = "secret decoded but X-Webhook-Signature uses the whole string";
    assert!(found[1].contains(said), "{found:?}");
    let swapped = rackwave.replace(received.header("X-Webhook-Signature"), &own);
    let found = desk.check(body, &swapped, secret, "").await;
    let said = "secret decoded but this header uses the whole string";
    assert!(found[0].contains(said), "{found:?}");

    // The body is right, as one header shows; or it is not all there.
    let id = received.header("webhook-id");
    let found = desk.check(body, &both.replace(id, "evt_of_another"), secret, "").await;
    assert_eq!(found[0], "X-Webhook-Signature verifies.");
    assert!(found[1].contains("signs webhook-id and webhook-timestamp"), "{found:?}");
    assert!(!found.concat().contains("another one"), "{found:?}");
    let found = desk.check("", &both, secret, "").await;
    assert!(found[2].starts_with("The body is empty."), "{found:?}");
    let cut = body.strip_suffix('}').expect("an object");
    let found = desk.check(cut, &both, secret, "").await;
    assert!(found[2].contains("not JSON any more: it was cut off"), "{found:?}");
    assert!(!found.concat().contains("another one"), "{found:?}");

    let other = "whsec_AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD";
    let found = desk.check(body, &rackwave, other, "").await;
    assert!(found[1].contains("the secret is probably another one"), "{found:?}");
    let at: i64 = received.header("X-Webhook-Timestamp").parse().expect("seconds");
    let late = rackwave.replace(&at.to_string(), &(at - 420).to_string());
    let found = desk.check(body, &late, secret, "").await;
    assert!(found[1].starts_with("Clock 7 minutes off"), "{found:?}");
    let found = desk.check(body, "", secret, "").await;
    assert!(found[0].contains("There is no signature"), "{found:?}");

    let after = desk.page.requests().await.split_off(requests);
    let leaked = |address: &String| address.contains("whsec") || address.contains("/check");
    assert!(!after.iter().any(leaked), "{after:?}");
    desk.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_compares_with_what_was_sent() {
    let desk = Desk::with_endpoint("page-compare", &[]).await;
    desk.send("e1", "{ \"spaced\" : 1 }").await;
    let received = desk.customer.received(1).await.remove(0);
    desk.page.click(css(".toggle")).await;
    desk.page.click(text("Signature refused? Check it")).await;
    desk.page.sees(text("The body is compared with what this delivery sent.")).await;
    let changed = received.text().replace("{ \"spaced\" : 1 }", "{\"spaced\":1}");
    desk.page.fill(field("Body"), &changed).await;
    desk.page.fill(field("Headers"), &headers(&received, &["X-Webhook-Signature"])).await;
    desk.page.fill(field("Signing secret"), &desk.secret).await;
    desk.page.click(button("Check")).await;
    desk.page.sees(css(".findings li").saying("body was re-serialised")).await;
    desk.is_well().await;
}

/// A HMAC computed by the browser, outside of the page's own code.
fn decoded_mac(secret: &str, body: &str) -> String {
    let (secret, body) = (serde_json::Value::from(secret), serde_json::Value::from(body));
    format!(
        "(async () => {{ const bytes = Uint8Array.from(atob({secret}.slice(6)), (c) => \
         c.charCodeAt(0)); const key = await crypto.subtle.importKey('raw', bytes, {{name: 'HMAC', \
         hash: 'SHA-256'}}, false, ['sign']); const mac = await crypto.subtle.sign('HMAC', key, new \
         TextEncoder().encode({body})); return [...new Uint8Array(mac)].map((b) => \
         b.toString(16).padStart(2, '0')).join(''); }})()"
    )
}
