//! The queues in memory, and queues of the emulator that no function reads.

use std::collections::BTreeMap;

use aws::clock::SystemClock;
use aws::scheduler::{ScheduleTarget, Schedules};
use aws::sqs::{Queue, QueueUrls, Queues};
use aws_sdk_sqs::types::MessageAttributeValue;
use domain::ports::{DeadLetter, Dlq, Refused, Scheduled};
use domain::wakeup::Lane;
use local::Emulator;
use tests::conformance::queues::{
    Arrived, Ends, Pipe, dead_letters, rejected, schedule_again, schedules, wake_ups,
};
use tests::stack::{emulator, until};
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
            traceparent: message.attributes.get(TRACEPARENT).cloned(),
        };
        let at = state.now;
        state.dead.push(Dead { queue, letter, at });
    }

    async fn next(&self, pipe: Pipe) -> Vec<Arrived> {
        let fires_at = self.0.state().schedules.values().map(|(at, _)| *at).min();
        self.0.pass_until(fires_at.expect("something is scheduled"));
        self.take(pipe).await
    }

    async fn take(&self, pipe: Pipe) -> Vec<Arrived> {
        match pipe {
            Pipe::Lane(lane) => {
                let taken = self.0.take(lane, |_| true);
                taken
                    .into_iter()
                    .map(|q| Arrived { body: q.body, attributes: BTreeMap::new() })
                    .collect()
            }
            Pipe::Events => {
                let letters = std::mem::take(&mut self.0.state().events_sent_back);
                letters.into_iter().map(sent_back).collect()
            }
            Pipe::Rejected => {
                let refused = std::mem::take(&mut self.0.state().rejected);
                refused.into_iter().map(refused_as_sent).collect()
            }
            Pipe::Dead(_) => panic!("the port takes those"),
        }
    }
}

struct InMemory<'w>(&'w World);

fn sent_back(letter: DeadLetter) -> Arrived {
    let attributes = letter.traceparent.map(|trace| (TRACEPARENT.to_owned(), trace));
    Arrived { body: letter.body, attributes: attributes.into_iter().collect() }
}

fn refused_as_sent(refused: Refused) -> Arrived {
    let mut attributes = BTreeMap::from([
        ("error_code".to_owned(), refused.rejection.code.as_str().to_owned()),
        ("error_message".to_owned(), refused.rejection.message),
        ("source_message_id".to_owned(), refused.source_message_id),
    ]);
    attributes.extend(refused.index.map(|index| ("index".to_owned(), index.to_string())));
    Arrived { body: refused.original, attributes }
}

#[test]
fn the_queues_in_memory() {
    let world = World::new();
    let all = async {
        wake_ups(&world, &InMemory(&world)).await;
        dead_letters(&world, &InMemory(&world)).await;
        rejected(&world, &InMemory(&world)).await;
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
        let mut urls = Vec::new();
        for queue in Queue::ALL {
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
            Pipe::Rejected => Queue::Rejected,
        };
        &self.urls.iter().find(|(known, _)| *known == queue).expect("created").1
    }
}

impl Ends for OnTheEmulator {
    async fn put(&self, pipe: Pipe, message: &Arrived) {
        let mut send =
            self.client.send_message().queue_url(self.url(pipe)).message_body(&message.body);
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value);
            send = send.message_attributes(name, value.build().expect("whole"));
        }
        send.send().await.expect("sent");
    }

    async fn next(&self, pipe: Pipe) -> Vec<Arrived> {
        until("something arrives", || async {
            Some(self.take(pipe).await).filter(|arrived| !arrived.is_empty())
        })
        .await
    }

    async fn take(&self, pipe: Pipe) -> Vec<Arrived> {
        let mut all = Vec::new();
        loop {
            let receive = self.client.receive_message().queue_url(self.url(pipe));
            let receive = receive.max_number_of_messages(10).message_attribute_names("All");
            let messages = receive.send().await.expect("received").messages.unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages.into_iter().map(|message| {
                let attributes = message.message_attributes.unwrap_or_default().into_iter();
                let attributes = attributes.filter_map(|(name, a)| Some((name, a.string_value?)));
                Arrived { body: message.body.unwrap_or_default(), attributes: attributes.collect() }
            }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queues_in_sqs() {
    let (ends, queues) = OnTheEmulator::new("conformance").await;
    wake_ups(&queues, &ends).await;
    dead_letters(&queues, &ends).await;
    rejected(&queues, &ends).await;
}

#[test]
fn schedules_in_memory() {
    let world = World::new();
    let all = async {
        schedules(&world, &world, &InMemory(&world)).await;
        assert_eq!(schedule_again(&world, &world).await, Scheduled::Created);
        // The emulator takes what is past.
        let past = domain::ports::Clock::now(&world) - std::time::Duration::from_secs(1);
        let wake_up = domain::wakeup::WakeUp::fresh(world.only_delivery().id, 1);
        let answer = domain::ports::Scheduler::schedule(&world, &wake_up, past).await;
        assert_eq!(answer, Ok(Scheduled::Past));
    };
    world.register("ep_1", &["*"]);
    world.accept(&crate::journeys::event("a", "acct_42", "{}"));
    world.state().queued.clear();
    assert_eq!(run(world.fuse(), all), Some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_of_the_emulator() {
    let (ends, _) = OnTheEmulator::new("conformance-schedules").await;
    let queue = ends.url(Pipe::Lane(Lane::Retry)).rsplit('/').next().expect("a name");
    let target = ScheduleTarget {
        group: "default".into(),
        retry_queue_arn: format!("arn:aws:sqs:{}:000000000000:{queue}", Emulator::REGION),
        role_arn: "arn:aws:iam::000000000000:role/any".into(),
    };
    let config = aws::config::emulator(emulator().endpoint_url(), Emulator::REGION);
    let port = Schedules::new(&config, target);
    schedules(&port, &SystemClock, &ends).await;
    until("the schedule that fired is gone", || async {
        let answer = schedule_again(&port, &SystemClock).await;
        (answer == Scheduled::Created).then_some(())
    })
    .await;
}
