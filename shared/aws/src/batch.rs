//! A batch of queue messages as Lambda hands it over, and the answer it expects.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// What an SQS event source delivers.
#[derive(Debug, Deserialize)]
pub struct SqsBatch {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<SqsMessage>,
}

/// One message. `Debug` leaves out its body and attributes: payloads stay out of logs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsMessage {
    /// SQS's id of the message.
    pub message_id: String,
    /// The text sent.
    pub body: String,
    #[serde(default, rename = "eventSourceARN")]
    event_source_arn: String,
    #[serde(default)]
    attributes: HashMap<String, String>,
    #[serde(default)]
    message_attributes: HashMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    string_value: Option<String>,
}

impl SqsMessage {
    /// How often it was received, this time included. At least 1; if SQS does not say, 1.
    pub fn received(&self) -> u32 {
        let count = self.attributes.get("ApproximateReceiveCount");
        count.and_then(|text| text.parse().ok()).unwrap_or(1).max(1)
    }

    /// Whether it comes from the queue with this URL: ARN and URL both end in the queue's name.
    pub fn is_from(&self, queue_url: &str) -> bool {
        let queue = self.event_source_arn.rsplit(':').next().filter(|name| !name.is_empty());
        queue.is_some() && queue == queue_url.rsplit('/').next()
    }

    /// Who sent it, as SQS knows it: an account or role id.
    pub fn sender(&self) -> Option<&str> {
        self.attributes.get("SenderId").map(String::as_str)
    }

    /// A string attribute its sender put on it.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.message_attributes.get(name)?.string_value.as_deref()
    }
}

impl std::fmt::Debug for SqsMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqsMessage").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// The messages that stay on the queue; the others are acknowledged. Collected from their ids.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchFailures {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

impl FromIterator<String> for BatchFailures {
    fn from_iter<I: IntoIterator<Item = String>>(ids: I) -> Self {
        let failure = |item_identifier| ItemFailure { item_identifier };
        Self { batch_item_failures: ids.into_iter().map(failure).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_as_lambda_sends_it() {
        let text = r#"{"Records":[
            {"messageId":"m-1","receiptHandle":"x","body":"{}","md5OfBody":"y",
             "attributes":{"ApproximateReceiveCount":"3","SenderId":"AIDAX"},
             "messageAttributes":{"traceparent":{"stringValue":"00-a","dataType":"String",
               "stringListValues":[],"binaryListValues":[]},
               "raw":{"binaryValue":"AAE=","dataType":"Binary"}},
             "eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:a:b:c","awsRegion":"a"},
            {"messageId":"m-2","body":"","attributes":{},"messageAttributes":{}}]}"#;
        let batch: SqsBatch = serde_json::from_str(text).expect("Lambda's format");
        let [first, second] = batch.records.as_slice() else { panic!("two records") };
        assert_eq!((first.received(), first.sender()), (3, Some("AIDAX")));
        assert_eq!(first.attribute("traceparent"), Some("00-a"));
        assert_eq!(first.attribute("raw"), None);
        assert!(first.is_from("https://sqs.b.amazonaws.com/1/c"));
        for url in ["https://sqs.b.amazonaws.com/1/cc", "https://sqs.b.amazonaws.com/c/d", ""] {
            assert!(!first.is_from(url) && !second.is_from(url), "{url}");
        }
        assert_eq!((second.received(), second.sender()), (1, None));
    }

    #[test]
    fn the_answer_as_lambda_expects_it() {
        let failures: BatchFailures = ["m-2".to_owned()].into_iter().collect();
        let text = serde_json::to_string(&failures).expect("plain data");
        assert_eq!(text, r#"{"batchItemFailures":[{"itemIdentifier":"m-2"}]}"#);
    }
}
