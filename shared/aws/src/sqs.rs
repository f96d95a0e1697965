//! The queues, written to in batches. Nothing here retries an entry that SQS refused: each has
//! its answer, and whoever sent it decides.

mod dead_letters;
mod rejected;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use domain::limits::{SQS_BATCH, SQS_MESSAGE_BYTES};
use domain::ports::{Outgoing, PortError, PortResult, Refused, Rejected, WakeUps};
use domain::settings::{Lookup, SettingResult};
use domain::wakeup::Lane;
use futures::stream::{self, StreamExt};

pub use dead_letters::Depth;
pub use rejected::Refusal;

use crate::error::cause;
use crate::packing::{Packed, Room, pack};

/// Requests under way at once in one call.
const REQUESTS_AT_ONCE: usize = 8;
const ROOM: Room = Room { entries: SQS_BATCH, bytes: SQS_MESSAGE_BYTES };

/// A queue of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Where products send events.
    Events,
    /// Wake-ups for first attempts.
    Send,
    /// Wake-ups for later attempts.
    Retry,
    /// Events refused.
    Rejected,
    /// Events that ingest could not store.
    EventsDlq,
    /// Wake-ups of `Send` that kept failing.
    SendDlq,
    /// Wake-ups of `Retry` that kept failing.
    RetryDlq,
}

impl Queue {
    /// All of them.
    pub const ALL: [Queue; 7] = [
        Queue::Events,
        Queue::Send,
        Queue::Retry,
        Queue::Rejected,
        Queue::EventsDlq,
        Queue::SendDlq,
        Queue::RetryDlq,
    ];

    /// The stack's output with its URL.
    pub fn output(self) -> &'static str {
        match self {
            Queue::Events => "EventsQueueUrl",
            Queue::Send => "SendQueueUrl",
            Queue::Retry => "RetryQueueUrl",
            Queue::Rejected => "RejectedQueueUrl",
            Queue::EventsDlq => "EventsDlqUrl",
            Queue::SendDlq => "SendDlqUrl",
            Queue::RetryDlq => "RetryDlqUrl",
        }
    }

    /// The environment variable with its URL.
    pub fn variable(self) -> &'static str {
        match self {
            Queue::Events => "EVENTS_QUEUE_URL",
            Queue::Send => "SEND_QUEUE_URL",
            Queue::Retry => "RETRY_QUEUE_URL",
            Queue::Rejected => "REJECTED_QUEUE_URL",
            Queue::EventsDlq => "EVENTS_DLQ_URL",
            Queue::SendDlq => "SEND_DLQ_URL",
            Queue::RetryDlq => "RETRY_DLQ_URL",
        }
    }
}

/// The URLs of the queues that a program uses.
#[derive(Debug, Clone, Default)]
pub struct QueueUrls([Option<String>; Queue::ALL.len()]);

impl QueueUrls {
    /// Those given; the others cannot be used.
    pub fn new(urls: impl IntoIterator<Item = (Queue, String)>) -> Self {
        let mut all = Self::default();
        for (queue, url) in urls {
            all.0[queue as usize] = Some(url);
        }
        all
    }

    /// All queues of a stack, from its outputs.
    ///
    /// # Errors
    /// The first that `output` gives.
    pub fn from_outputs<E>(output: impl Fn(&str) -> Result<String, E>) -> Result<Self, E> {
        let named = Queue::ALL.into_iter().map(|queue| Ok((queue, output(queue.output())?)));
        Ok(Self::new(named.collect::<Result<Vec<_>, E>>()?))
    }

    /// Those a function needs, from its settings.
    ///
    /// # Errors
    /// If one of them is not set.
    pub fn from_settings(settings: &Lookup<'_>, queues: &[Queue]) -> SettingResult<Self> {
        let read = |queue: &Queue| Ok((*queue, settings.text(queue.variable())?));
        let urls: Vec<_> = queues.iter().map(read).collect::<SettingResult<_>>()?;
        Ok(Self::new(urls))
    }

    fn url(&self, queue: Queue) -> Result<&str, String> {
        let url = self.0[queue as usize].as_deref();
        url.ok_or_else(|| format!("{} is not known here", queue.variable()))
    }
}

/// The stack's queues.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
    urls: QueueUrls,
}

impl Queues {
    /// With the given configuration. A message for a queue that is not in `urls` is an error.
    pub fn new(config: &SdkConfig, urls: QueueUrls) -> Self {
        let client = Client::new(config);
        Self { client, urls }
    }

    /// Sends event bodies to `EventsQueue`, as a product would. Answers for each one, in order.
    pub async fn send_events(&self, bodies: &[String]) -> Vec<PortResult<()>> {
        let message = |body: &String| Message::new(Queue::Events, body.clone());
        let messages = bodies.iter().map(message).collect();
        self.send_all("events.send", messages).await
    }

    async fn send_all(&self, call: &'static str, messages: Vec<Message>) -> Vec<PortResult<()>> {
        let mut answers: Vec<PortResult<()>> = Vec::with_capacity(messages.len());
        answers.resize_with(messages.len(), || Err(PortError::new(call, "no answer")));
        let mut requests = Vec::new();
        for queue in Queue::ALL {
            let of_queue = messages.iter().enumerate().filter(|(_, m)| m.queue == queue);
            let (places, sizes): (Vec<usize>, Vec<usize>) =
                of_queue.map(|(place, message)| (place, message.size())).unzip();
            let Packed { requests: packed, oversized } = pack(&sizes, ROOM);
            for position in oversized {
                let cause = format!("{} bytes do not fit one message", sizes[position]);
                answers[places[position]] = Err(PortError::new(call, cause));
            }
            let to_places = |group: Vec<usize>| group.into_iter().map(|p| places[p]).collect();
            requests.extend(packed.into_iter().map(|group| (queue, to_places(group))));
        }
        let messages = &messages;
        let mut answered = stream::iter(requests)
            .map(|(queue, places): (Queue, Vec<usize>)| async move {
                let batch = places.iter().map(|place| (*place, &messages[*place]));
                self.send_batch(queue, batch.collect()).await
            })
            .buffer_unordered(REQUESTS_AT_ONCE);
        while let Some(batch) = answered.next().await {
            for (place, answer) in batch {
                answers[place] = answer.map_err(|cause| PortError::new(call, cause));
            }
        }
        answers
    }

    /// One request. Answers for each entry it was given.
    async fn send_batch(
        &self,
        queue: Queue,
        batch: Vec<(usize, &Message)>,
    ) -> Vec<(usize, Result<(), String>)> {
        let all = |cause: String| batch.iter().map(|(p, _)| (*p, Err(cause.clone()))).collect();
        let entries: Result<Vec<_>, _> = batch.iter().map(|(p, m)| m.entry(*p)).collect();
        let (entries, url) = match (entries, self.urls.url(queue)) {
            (Ok(entries), Ok(url)) => (entries, url),
            (Err(cause), _) | (_, Err(cause)) => return all(cause),
        };
        let request = self.client.send_message_batch().queue_url(url);
        let sent = match request.set_entries(Some(entries)).send().await {
            Ok(sent) => sent,
            Err(error) => return all(cause(&error)),
        };
        let answer = |place: usize| {
            let id = place.to_string();
            if sent.successful().iter().any(|entry| entry.id() == id) {
                return Ok(());
            }
            match sent.failed().iter().find(|entry| entry.id() == id) {
                Some(failed) => {
                    Err(format!("{}: {}", failed.code(), failed.message().unwrap_or("no message")))
                }
                None => Err("the answer does not mention this message".to_owned()),
            }
        };
        batch.iter().map(|(place, _)| (*place, answer(*place))).collect()
    }
}

impl WakeUps for Queues {
    async fn send(&self, wake_ups: &[Outgoing]) -> Vec<PortResult<()>> {
        let message = |outgoing: &Outgoing| Message {
            group: Some(outgoing.call.endpoint_id().to_string()),
            delay_s: outgoing.delay_s,
            ..Message::new(queue_of(outgoing.lane), outgoing.call.to_json())
        };
        let messages = wake_ups.iter().map(message).collect();
        self.send_all("wake_ups.send", messages).await
    }
}

fn queue_of(lane: Lane) -> Queue {
    match lane {
        Lane::Send => Queue::Send,
        Lane::Retry => Queue::Retry,
    }
}

impl Rejected for Queues {
    async fn reject(&self, refused: &[Refused]) -> Vec<PortResult<()>> {
        let messages = refused.iter().map(rejected_message).collect();
        self.send_all("rejected.reject", messages).await
    }
}

fn rejected_message(refused: &Refused) -> Message {
    let mut attributes = vec![
        ("error_code", refused.rejection.code.as_str().to_owned()),
        ("error_message", refused.rejection.message.clone()),
        ("source_message_id", refused.source_message_id.clone()),
    ];
    attributes.extend(refused.index.map(|index| ("index", index.to_string())));
    for (_, value) in &mut attributes {
        *value = attribute_text(value);
    }
    Message { attributes, ..Message::new(Queue::Rejected, refused.original.clone()) }
}

/// Text as SQS takes it for an attribute: not empty, and only characters of XML 1.0. Bodies need
/// no such care, since they came through SQS.
fn attribute_text(text: &str) -> String {
    let taken = |c: char| match c {
        '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => c,
        _ => '\u{fffd}',
    };
    if text.is_empty() {
        return "-".to_owned();
    }
    text.chars().map(taken).collect()
}

/// A message on its way.
struct Message {
    queue: Queue,
    body: String,
    /// Fair queues tell tenants apart by it.
    group: Option<String>,
    delay_s: u32,
    attributes: Vec<(&'static str, String)>,
}

const STRING: &str = "String";

impl Message {
    fn new(queue: Queue, body: String) -> Self {
        Self { queue, body, group: None, delay_s: 0, attributes: Vec::new() }
    }

    /// Bytes as SQS counts them: the body, and name, type and value of each attribute.
    fn size(&self) -> usize {
        let attribute = |(name, value): &(&str, String)| name.len() + STRING.len() + value.len();
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    fn entry(&self, place: usize) -> Result<SendMessageBatchRequestEntry, String> {
        let mut entry = SendMessageBatchRequestEntry::builder()
            .id(place.to_string())
            .message_body(&self.body)
            .set_message_group_id(self.group.clone());
        if self.delay_s > 0 {
            let delay_s = i32::try_from(self.delay_s).map_err(|e| e.to_string())?;
            entry = entry.delay_seconds(delay_s);
        }
        for (name, value) in &self.attributes {
            let value = MessageAttributeValue::builder()
                .data_type(STRING)
                .string_value(value)
                .build()
                .map_err(|e| e.to_string())?;
            entry = entry.message_attributes(*name, value);
        }
        entry.build().map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use domain::envelope::parse_body;

    use super::*;

    fn refused(body: &str, index: Option<usize>) -> Refused {
        let element = parse_body(body).remove(0);
        Refused {
            original: element.original.to_owned(),
            rejection: element.verdict.expect_err("refused"),
            source_message_id: "m-1".into(),
            index,
        }
    }

    #[test]
    fn a_refused_event_says_why_in_attributes() {
        let message = rejected_message(&refused("[3]", Some(0)));
        let names: Vec<&str> = message.attributes.iter().map(|(name, _)| *name).collect();
        let expected = ["error_code", "error_message", "source_message_id", "index"];
        assert_eq!(names, expected);
        assert_eq!(message.body, "3");
        let message = rejected_message(&refused("nonsense", None));
        assert_eq!(message.attributes.len(), 3);
        assert_eq!(message.attributes[0].1, "invalid_json");
        let counted = message.attributes.iter().map(|(n, v)| n.len() + 6 + v.len());
        assert_eq!(message.size(), 8 + counted.sum::<usize>());
    }

    #[test]
    fn the_largest_refused_body_fits_with_its_attributes() {
        let body = "x".repeat(domain::limits::EVENTS_QUEUE_MESSAGE_BYTES);
        let mut refused = refused(&body, None);
        refused.rejection.message = "m".repeat(domain::limits::ERROR_MESSAGE_BYTES);
        refused.source_message_id = "i".repeat(100);
        assert!(rejected_message(&refused).size() <= SQS_MESSAGE_BYTES);
    }

    #[test]
    fn attribute_text_is_what_sqs_takes() {
        for (text, sent) in [
            ("", "-"),
            ("plain\tä\u{1f980}", "plain\tä\u{1f980}"),
            ("a\u{0}b\u{1b}\u{fffe}\u{ffff}", "a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(attribute_text(text), sent);
        }
    }

    #[test]
    fn a_queue_that_is_not_set_is_named() {
        let lookup = |name: &str| (name == "SEND_QUEUE_URL").then(|| "http://q/send".to_owned());
        let settings = Lookup::new(&lookup);
        let urls = QueueUrls::from_settings(&settings, &[Queue::Send]).expect("set");
        assert_eq!(urls.url(Queue::Send), Ok("http://q/send"));
        assert!(urls.url(Queue::Retry).is_err_and(|e| e.contains("RETRY_QUEUE_URL")));
        let error = QueueUrls::from_settings(&settings, &[Queue::Send, Queue::Rejected]);
        assert_eq!(error.map(|_| ()).map_err(|e| e.variable), Err("REJECTED_QUEUE_URL"));
    }
}
