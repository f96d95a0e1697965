//! Nothing of what must stay secret reaches a log: neither payload nor answer, no secret, no
//! signature, no key, no token, no value of a customer's header. Here in memory, with every line
//! of every level kept; over the real functions in `journeys::leaks`.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use domain::envelope::parse_body;
use serde_json::{Value, json};
use tests::world::{World, answer};
use tracing::Level;

use crate::api::{Client, client, created, registration};
use crate::journeys::event;

/// What stands in payloads, answers and headers, and nowhere else.
pub const PAYLOAD: &str = "PAYLOAD-6f1a9c";
pub const ANSWER: &str = "ANSWER-6f1a9c";
pub const HEADER: &str = "HEADER-6f1a9c";

/// Texts that must not be logged, and what each is.
#[derive(Default)]
pub struct Unspeakable(Vec<(&'static str, String)>);

impl Unspeakable {
    /// With the markers above.
    pub fn new() -> Self {
        let mut all = Self::default();
        all.add("a payload", PAYLOAD);
        all.add("an answer", ANSWER);
        all.add("a header's value", HEADER);
        all
    }

    /// One more. Whatever stands in front of its random part may be said: `whsec_`, `sha256=`.
    pub fn add(&mut self, what: &'static str, text: &str) {
        let random = text.rsplit(['_', '=', ',']).find(|part| part.len() > 5);
        self.0.push((what, random.expect("something to look for").to_owned()));
    }

    /// The signatures of a request.
    pub fn signatures<'h>(&mut self, header: impl Fn(&str) -> &'h str) {
        self.add("a signature", header("X-Webhook-Signature"));
        for signature in header("webhook-signature").split(' ') {
            self.0.push(("a signature", signature.trim_start_matches("v1,").to_owned()));
        }
    }

    /// What is found in a log, with its line; each text is known to be long enough to be no
    /// accident.
    pub fn found_in<'l>(&self, log: &'l str) -> Vec<(&'static str, &'l str)> {
        let of_line = |line: &'l str| {
            let said = self.0.iter().filter(move |(_, text)| line.contains(text.as_str()));
            said.map(move |(what, _)| (*what, line))
        };
        log.lines().flat_map(of_line).collect()
    }
}

/// Keeps what is logged by the thread that it is given to.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that is logged while `work` runs, at any level and from any crate.
fn logged(work: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(lines, work);
    let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(bytes).expect("text")
}

/// Bodies that are refused, each in another way; all of them hold the payload.
fn refused() -> Vec<String> {
    let good = event("good", "acct_42", &format!(r#"{{"p":"{PAYLOAD}"}}"#));
    let change = |from: &str, to: &str| good.replace(from, to);
    vec![
        format!(r#"{{"{PAYLOAD}"#),
        format!(r#""{PAYLOAD}""#),
        format!(r#"[["{PAYLOAD}"]]"#),
        change("email.delivered", PAYLOAD),
        change("acct_42", &format!("{PAYLOAD} ")),
        change("migosmtp", PAYLOAD),
        change(r#""platform_id":"1""#, &format!(r#""platform_id":["{PAYLOAD}"]"#)),
        change("2026-06-07T09:39:00Z", PAYLOAD),
        change(r#""data":{"#, &format!(r#""data":"{PAYLOAD}","x":{{"#)),
        change(PAYLOAD, &PAYLOAD.repeat(30_000)),
        // Under the id of one that is known.
        change(r#"{"p""#, r#"{"q""#),
    ]
}

fn works_and_fails(world: &World, unspeakable: &mut Unspeakable) {
    let operator = client(world, "operator");
    let mut wanted = registration("acct_42");
    wanted["headers"] = json!({"X-Tenant": HEADER});
    let reply = operator.post("/v1/endpoints", &wanted);
    let id = created(&reply);
    unspeakable.add("a secret", reply.body["secret"].as_str().expect("shown once"));
    world.answers(|_, before| {
        let mut answered = answer(if before % 3 == 2 { 200 } else { 500 });
        answered.response_body = Some(ANSWER.into());
        answered
    });
    for nth in 0..6 {
        world.accept(&event(&format!("e{nth}"), "acct_42", &format!(r#"{{"p":"{PAYLOAD}"}}"#)));
        world.settle();
    }
    let bodies = refused();
    world.accept(&event("good", "acct_42", &format!(r#"{{"p":"{PAYLOAD}"}}"#)));
    world.ingest_batch(&bodies.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    by_hand(&operator, &id.to_string(), unspeakable);
    world.settle();
    world.sweep();
    assert!(world.daily().is_some());
    for post in &world.state().posts {
        unspeakable.signatures(|name| post.header(name));
    }
}

/// What people do with keys and links, and what they mistake.
fn by_hand(operator: &Client, endpoint: &str, unspeakable: &mut Unspeakable) {
    let path = format!("/v1/endpoints/{endpoint}");
    let rotated = operator.post(&format!("{path}/rotate-secret"), &json!({}));
    unspeakable.add("a secret", rotated.body["secret"].as_str().expect("shown once"));
    let tested = operator.post(&format!("{path}/test"), &json!({"event": "email.delivered"}));
    assert_eq!(tested.status, 200);
    let log = operator.get(&format!("{path}/deliveries"));
    let delivery = log.body["data"][0]["id"].as_str().expect("there are some").to_owned();
    assert_eq!(operator.post(&format!("/v1/deliveries/{delivery}/retry"), &json!({})).status, 202);
    assert_eq!(operator.get(&format!("/v1/deliveries/{delivery}")).status, 200);
    let headers = json!({"headers": {"Bad Name": HEADER}, "url": format!("ftp://{PAYLOAD}/")});
    let wrong = operator.call("PATCH", &path, Some(&headers), &[]);
    assert_eq!(wrong.status, 400);
    let link = json!({"account_id": "acct_42", "expires_in": 3_600});
    let link = operator.post("/v1/portal-links", &link);
    let url = link.body["url"].as_str().expect("a URL").to_owned();
    let token = url.split_once("#token=").expect("in the fragment").1;
    unspeakable.add("a token", token.split('&').next().expect("a token"));
    unspeakable.add("a key", operator.key());
    for key in ["nonsense-6f1a9c", &format!("{}x", operator.key())] {
        let call = crate::api::call(
            operator.world(),
            "GET",
            "/v1/endpoints",
            None,
            &[("authorization", &format!("Bearer {key}"))],
        );
        assert_eq!(call.status, 401);
    }
    unspeakable.add("a wrong key", "nonsense-6f1a9c");
}

#[test]
fn nothing_unspeakable_is_logged() {
    let mut unspeakable = Unspeakable::new();
    let world = World::new();
    let log = logged(|| works_and_fails(&world, &mut unspeakable));
    for line in ["attempt", "event accepted", "event rejected", "swept", "wake-up arranged"] {
        assert!(log.contains(&format!(r#""message":"{line}""#)), "{line} is in the log:\n{log}");
    }
    let found = unspeakable.found_in(&log);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_unspeakable_would_be_seen() {
    let mut unspeakable = Unspeakable::new();
    unspeakable.add("a secret", "whsec_AgICAgIC+/==");
    unspeakable.signatures(|name| match name {
        "webhook-signature" => "v1,K5oZfz/= v1,dGhlIG9sZA==",
        _ => "sha256=0a1b2c3d",
    });
    for (what, said) in [
        ("a payload", "…PAYLOAD-6f1a9c…"),
        ("a secret", "AgICAgIC+/"),
        ("a signature", "dGhlIG9sZA=="),
        ("a signature", "X 0a1b2c3d"),
    ] {
        let log = logged(|| tracing::trace!(said, "words"));
        assert_eq!(unspeakable.found_in(&log).len(), 1, "{what}: {log}");
        assert_eq!(unspeakable.found_in(&log)[0].0, what);
    }
}

/// One wide line for each attempt says which message led to which delivery of which event.
#[test]
fn an_attempt_is_one_line_with_all_names() {
    let world = World::new();
    world.register("ep_1", &["*"]);
    world.answers(|_, before| answer(if before == 0 { 500 } else { 200 }));
    let body = event("a", "acct_42", "{}");
    let log = logged(|| {
        world.accept(&body);
        world.settle();
    });
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let attempts: Vec<&Value> = lines.iter().filter(|line| line["message"] == "attempt").collect();
    let delivery = world.only_delivery();
    assert_eq!((attempts.len(), delivery.attempts.len()), (2, 2));
    let messages: std::collections::BTreeSet<_> =
        attempts.iter().map(|line| line["message_id"].as_str().expect("one")).collect();
    assert_eq!(messages.len(), 2, "each by a message of its own");
    for (line, attempt) in attempts.iter().zip(&delivery.attempts) {
        assert_eq!(line["delivery_id"], delivery.id.as_str());
        assert_eq!(line["event_id"], delivery.event_id.as_str());
        assert_eq!(line["number"], attempt.number);
        assert_eq!(line["outcome"], attempt.answer.outcome.as_str());
    }
    let envelope = parse_body(&body).remove(0).verdict.expect("good");
    let accepted = lines.iter().find(|line| line["message"] == "event accepted").expect("a line");
    assert_eq!(accepted["account_id"], envelope.account_id.as_str());
    assert_eq!(accepted["event_id"], delivery.event_id.as_str());
    assert!(accepted["source_message_id"].is_string(), "{accepted}");
}
