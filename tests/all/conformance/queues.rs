//! The queues in memory, and queues of the emulator that no function reads.

use aws::sqs::{Queue, QueueUrls, Queues};
use aws_sdk_sqs::types::MessageAttributeValue;
use domain::ports::{DeadLetter, Dlq};
use domain::wakeup::Lane;
use local::Emulator;
use tests::conformance::queues::{Arrived, Ends, Pipe, dead_letters, wake_ups};
use tests::stack::emulator;
use tests::world::{Dead, World, run};

const TRACEPARENT: &str = "traceparent";

impl Ends for InMemory<'_> {
    async fn put(&self, pipe: Pipe, message: &Arrived) {
        let Pipe::Dead(queue) = pipe else { panic!("nobody puts anything else") };
        let mut state = self.0.state();
        let id = format!("put-{}", state.dead.len());
        let letter = DeadLetter {
            receipt: id.clone(),
            id,
            body: message.body.clone(),
            sent_at: state.now,
            group: None,
            traceparent: message.traceparent.clone(),
        };
        let at = state.now;
        state.dead.push(Dead { queue, letter, at });
    }

    async fn take(&self, pipe: Pipe) -> Vec<Arrived> {
        match pipe {
            Pipe::Lane(lane) => {
                let taken = self.0.take(lane, |_| true);
                taken.into_iter().map(|q| Arrived { body: q.body, traceparent: None }).collect()
            }
            Pipe::Events => {
                let letters = std::mem::take(&mut self.0.state().events_sent_back);
                letters
                    .into_iter()
                    .map(|l| Arrived { body: l.body, traceparent: l.traceparent })
                    .collect()
            }
            Pipe::Dead(_) => panic!("the port takes those"),
        }
    }
}

struct InMemory<'w>(&'w World);

#[test]
fn the_queues_in_memory() {
    let world = World::new();
    let all = async {
        wake_ups(&world, &InMemory(&world)).await;
        dead_letters(&world, &InMemory(&world)).await;
    };
    assert_eq!(run(world.fuse(), all), Some(()));
}

/// Queues of the emulator, made for this.
struct OnTheEmulator {
    client: aws_sdk_sqs::Client,
    urls: Vec<(Queue, String)>,
}

impl OnTheEmulator {
    async fn new(name: &str) -> (Self, Queues) {
        let config = aws::config::emulator(emulator().endpoint_url(), Emulator::REGION);
        let client = aws_sdk_sqs::Client::new(&config);
        let queues = [
            Queue::Events,
            Queue::Send,
            Queue::Retry,
            Queue::EventsDlq,
            Queue::SendDlq,
            Queue::RetryDlq,
        ];
        let mut urls = Vec::new();
        for queue in queues {
            let create = client.create_queue().queue_name(format!("{name}-{queue:?}"));
            let made = create.send().await.expect("created");
            urls.push((queue, made.queue_url.expect("SQS gives one")));
        }
        let port = Queues::new(&config, QueueUrls::new(urls.clone()));
        (Self { client, urls }, port)
    }

    fn url(&self, pipe: Pipe) -> &str {
        let queue = match pipe {
            Pipe::Events => Queue::Events,
            Pipe::Lane(Lane::Send) => Queue::Send,
            Pipe::Lane(Lane::Retry) => Queue::Retry,
            Pipe::Dead(Dlq::Events) => Queue::EventsDlq,
            Pipe::Dead(Dlq::Send) => Queue::SendDlq,
            Pipe::Dead(Dlq::Retry) => Queue::RetryDlq,
        };
        &self.urls.iter().find(|(known, _)| *known == queue).expect("created").1
    }
}

impl Ends for OnTheEmulator {
    async fn put(&self, pipe: Pipe, message: &Arrived) {
        let mut send =
            self.client.send_message().queue_url(self.url(pipe)).message_body(&message.body);
        if let Some(trace) = &message.traceparent {
            let value = MessageAttributeValue::builder().data_type("String").string_value(trace);
            send = send.message_attributes(TRACEPARENT, value.build().expect("whole"));
        }
        send.send().await.expect("sent");
    }

    async fn take(&self, pipe: Pipe) -> Vec<Arrived> {
        let mut all = Vec::new();
        loop {
            let receive = self.client.receive_message().queue_url(self.url(pipe));
            let receive = receive.max_number_of_messages(10).message_attribute_names(TRACEPARENT);
            let messages = receive.send().await.expect("received").messages.unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages.into_iter().map(|message| {
                let attributes = message.message_attributes.unwrap_or_default();
                let trace = attributes.get(TRACEPARENT).and_then(|a| a.string_value.clone());
                Arrived { body: message.body.unwrap_or_default(), traceparent: trace }
            }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queues_in_sqs() {
    let (ends, queues) = OnTheEmulator::new("conformance").await;
    wake_ups(&queues, &ends).await;
    dead_letters(&queues, &ends).await;
}
