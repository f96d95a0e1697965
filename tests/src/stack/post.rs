//! What a stack tells: mails in the emulator's outbox, and events on its bus.

use serde_json::Value;

use super::{Stack, emulator, until};

/// A mail as SES took it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Whom it is from.
    pub from: String,
    /// Whom it is to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text part.
    pub text: String,
    /// Its HTML part.
    pub html: String,
}

impl Stack {
    /// Has SES accept an address as a sender, as ops do once.
    pub async fn verify(&self, address: &str) {
        let ses = aws_sdk_sesv2::Client::new(&self.config);
        let made = ses.create_email_identity().email_identity(address).send().await;
        let there =
            |e: &aws_sdk_sesv2::operation::create_email_identity::CreateEmailIdentityError| {
                e.is_already_exists_exception()
            };
        assert!(made.is_ok() || made.is_err_and(|e| e.as_service_error().is_some_and(there)));
    }

    /// Everything mailed to an address so far.
    pub async fn mails_to(&self, address: &str) -> Vec<Sent> {
        let outbox = super::ApiClient { url: format!("{}/", emulator().endpoint_url()), key: None };
        let reply = outbox.get("_ministack/ses/messages").await;
        let mut found = Vec::new();
        collect(&reply.body, &mut found);
        found.retain(|mail: &Sent| mail.to == address);
        found
    }

    /// Waits until a mail with these words in its subject was sent to an address.
    pub async fn mail_to(&self, address: &str, words: &str) -> Sent {
        until(words, || async {
            self.mails_to(address).await.into_iter().find(|mail| mail.subject.contains(words))
        })
        .await
    }

    /// Has everything that matches a rule's pattern from now on put on a queue of its own; answers
    /// the queue's URL.
    pub async fn listen(&self, name: &str, pattern: &str) -> String {
        let queue = self.sqs().create_queue().queue_name(name).send().await.expect("created");
        let queue = queue.queue_url.expect("SQS names it");
        let bus = aws_sdk_eventbridge::Client::new(&self.config);
        let rule = bus.put_rule().name(name).event_bus_name(self.output("EventBusName"));
        rule.event_pattern(pattern).send().await.expect("a rule");
        let attribute = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
        let attributes = self.sqs().get_queue_attributes().queue_url(&queue);
        let answer = attributes.attribute_names(attribute.clone()).send().await.expect("read");
        let arn = answer.attributes().and_then(|all| all.get(&attribute)).expect("its ARN").clone();
        let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(arn).build();
        bus.put_targets()
            .rule(name)
            .event_bus_name(self.output("EventBusName"))
            .targets(target.expect("complete"))
            .send()
            .await
            .expect("a target");
        queue
    }

    /// Waits for as many events on a queue that listens; answers them in the order of their names.
    pub async fn heard(&self, queue: &str, count: usize) -> Vec<Value> {
        let mut heard: Vec<Value> = Vec::new();
        while heard.len() < count {
            let message = until("an event on the bus", || async {
                let receive = self.sqs().receive_message().queue_url(queue);
                let answer = receive.wait_time_seconds(1).send().await.expect("received");
                answer.messages.unwrap_or_default().pop()
            })
            .await;
            let handle = message.receipt_handle.unwrap_or_default();
            let delete = self.sqs().delete_message().queue_url(queue).receipt_handle(handle);
            delete.send().await.expect("deleted");
            heard.push(serde_json::from_str(&message.body.unwrap_or_default()).expect("JSON"));
        }
        heard.sort_by_key(|event| event["detail-type"].to_string());
        heard
    }
}

/// Mails, wherever they stand in the emulator's answer.
fn collect(value: &Value, found: &mut Vec<Sent>) {
    match value {
        Value::Object(fields) if fields.contains_key("MessageId") => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            let to = fields.get("To").and_then(|to| to[0].as_str()).unwrap_or_default();
            found.push(Sent {
                from: text("Source").to_owned(),
                to: to.to_owned(),
                subject: text("Subject").to_owned(),
                text: text("BodyText").to_owned(),
                html: text("BodyHtml").to_owned(),
            });
        }
        Value::Object(fields) => fields.values().for_each(|value| collect(value, found)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
