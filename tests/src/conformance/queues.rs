//! The queues and one-time schedules: wake-ups, dead letters, backlogs, what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::envelope::parse_body;
use domain::ports::{
    Backlog, Clock, DeadLetter, DeadLetters, Dlq, Outgoing, Refused, Rejected, Scheduled,
    Scheduler, WakeUps,
};
use domain::wakeup::{Lane, WakeUp};

use super::{endpoint, event};

/// A queue, as the suite looks into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    /// Where events wait.
    Events,
    /// A queue of wake-ups.
    Lane(Lane),
    /// A dead-letter queue.
    Dead(Dlq),
    /// What was refused.
    Rejected,
}

/// A message as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrived {
    /// What it says.
    pub body: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// The other ends of the queues.
#[expect(async_fn_in_trait, reason = "the suite alone uses it, and awaits it in place")]
pub trait Ends {
    /// Puts a message there.
    async fn put(&self, pipe: Pipe, message: &Arrived);
    /// Takes everything that can be received now.
    async fn take(&self, pipe: Pipe) -> Vec<Arrived>;
    /// Lets time pass until something can be received, and takes it.
    async fn next(&self, pipe: Pipe) -> Vec<Arrived>;
}

fn plain(body: impl ToString) -> Arrived {
    Arrived { body: body.to_string(), attributes: BTreeMap::new() }
}

fn wake_up(nth: usize) -> WakeUp {
    let endpoints = [endpoint("ep_conformance")];
    let event = event(&format!("wakes-{nth}"), "{}", &endpoints);
    WakeUp::fresh(event.fan_out[0].delivery_id.clone(), 0)
}

/// What goes to a lane as wake-ups of these numbers.
fn outgoing(lane: Lane, numbers: std::ops::Range<usize>, delay_s: u32) -> Vec<Outgoing> {
    numbers.map(|nth| Outgoing { lane, call: wake_up(nth).into(), delay_s }).collect()
}

/// Wake-ups: each goes to its lane once, as it is; a delayed one cannot be received before.
pub async fn wake_ups(queues: &(impl WakeUps + Backlog), ends: &impl Ends) {
    assert_eq!(queues.send(&[]).await, []);
    let (send, retry) = (outgoing(Lane::Send, 0..23, 0), outgoing(Lane::Retry, 23..36, 0));
    // Mixed, and more than fit one request.
    let mut mixed: Vec<Outgoing> = send.iter().chain(&retry).cloned().collect();
    mixed.sort_by_key(|outgoing| outgoing.call.to_json().bytes().map(u32::from).sum::<u32>());
    assert_eq!(queues.send(&mixed).await, vec![Ok(()); 36]);
    for (lane, sent) in [(Lane::Send, send), (Lane::Retry, retry)] {
        let visible = queues.visible(lane).await;
        assert_eq!(visible, Ok(u64::try_from(sent.len()).expect("few")), "{lane:?}");
        let bodies: BTreeSet<_> = sent.iter().map(|o| plain(o.call.to_json())).collect();
        let arrived = ends.take(Pipe::Lane(lane)).await;
        assert_eq!(arrived.len(), sent.len(), "{lane:?}: each once");
        assert_eq!(arrived.into_iter().collect::<BTreeSet<_>>(), bodies, "{lane:?}");
        assert_eq!(queues.visible(lane).await, Ok(0));
    }
    let delayed = outgoing(Lane::Retry, 36..38, 900);
    assert_eq!(queues.send(&delayed).await, vec![Ok(()); 2]);
    assert_eq!(queues.visible(Lane::Retry).await, Ok(0), "they cannot be received yet");
    assert_eq!(ends.take(Pipe::Lane(Lane::Retry)).await, []);
}

/// Receives until nothing more comes.
async fn receive_all(queues: &impl DeadLetters, queue: Dlq) -> Vec<DeadLetter> {
    let mut all = Vec::new();
    loop {
        let letters = queues.receive(queue).await.expect("received");
        assert!(letters.len() <= 10);
        if letters.is_empty() {
            return all;
        }
        all.extend(letters);
    }
}

/// Dead letters: received once while hidden, deleted or sent back one by one.
pub async fn dead_letters(queues: &impl DeadLetters, ends: &impl Ends) {
    for queue in [Dlq::Send, Dlq::Retry, Dlq::Events] {
        assert_eq!(queues.receive(queue).await, Ok(Vec::new()));
    }
    for nth in 0..12 {
        ends.put(Pipe::Dead(Dlq::Send), &plain(nth)).await;
    }
    ends.put(Pipe::Dead(Dlq::Retry), &plain("other")).await;
    let letters = receive_all(queues, Dlq::Send).await;
    let bodies: BTreeSet<&str> = letters.iter().map(|letter| letter.body.as_str()).collect();
    assert_eq!((letters.len(), bodies.len()), (12, 12), "each once: the others are hidden");
    assert_eq!(queues.delete(Dlq::Send, &[]).await, []);
    assert_eq!(queues.delete(Dlq::Send, &letters).await, vec![Ok(()); 12]);
    assert_eq!(receive_all(queues, Dlq::Retry).await.len(), 1, "another queue is another matter");
    sent_back(queues, ends).await;
}

async fn sent_back(queues: &impl DeadLetters, ends: &impl Ends) {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let attributes = BTreeMap::from([("traceparent".to_owned(), trace.to_owned())]);
    let traced = Arrived { body: "wörd \u{1f980}".into(), attributes };
    for message in [&traced, &plain("{}")] {
        ends.put(Pipe::Dead(Dlq::Events), message).await;
    }
    let letters = receive_all(queues, Dlq::Events).await;
    assert_eq!(letters.len(), 2);
    assert_eq!(queues.send_back(Dlq::Events, &letters).await, vec![Ok(()); 2]);
    let arrived: BTreeSet<_> = ends.take(Pipe::Events).await.into_iter().collect();
    assert_eq!(arrived, BTreeSet::from([traced, plain("{}")]), "as they were");
    assert_eq!(queues.delete(Dlq::Events, &letters).await, vec![Ok(()); 2]);
    for (queue, lane) in [(Dlq::Send, Lane::Send), (Dlq::Retry, Lane::Retry)] {
        ends.put(Pipe::Dead(queue), &plain("back")).await;
        let letters = receive_all(queues, queue).await;
        assert_eq!(queues.send_back(queue, &letters).await, vec![Ok(())]);
        assert_eq!(ends.take(Pipe::Lane(lane)).await, [plain("back")]);
        assert_eq!(queues.delete(queue, &letters).await, vec![Ok(())]);
    }
}

/// One-time schedules: one of a name, never early, gone once it fired.
pub async fn schedules(schedules: &impl Scheduler, clock: &impl Clock, ends: &impl Ends) {
    let retry = Pipe::Lane(Lane::Retry);
    let (soon, other) = (wake_up(50), wake_up(51));
    let at = clock.now() + Duration::from_secs(2);
    assert_eq!(schedules.schedule(&soon, at).await, Ok(Scheduled::Created));
    let far = at + Duration::from_secs(86_400);
    assert_eq!(schedules.schedule(&soon, far).await, Ok(Scheduled::Exists), "its time stands");
    assert_eq!(schedules.schedule(&other, far).await, Ok(Scheduled::Created), "another name");
    let later_tier = WakeUp::fresh(soon.delivery_id.clone(), 3);
    assert_eq!(schedules.schedule(&later_tier, far).await, Ok(Scheduled::Created), "another tier");
    assert_eq!(ends.next(retry).await, [plain(soon.to_json())]);
    assert!(clock.now() >= at, "it was not early");
    assert_eq!(ends.take(retry).await, [], "once");
}

/// A schedule deletes itself: its name can be used again.
pub async fn schedule_again(schedules: &impl Scheduler, clock: &impl Clock) -> Scheduled {
    let far = clock.now() + Duration::from_secs(86_400);
    schedules.schedule(&wake_up(50), far).await.expect("answered")
}

/// What was refused: the original bytes, and why.
pub async fn rejected(queues: &impl Rejected, ends: &impl Ends) {
    assert_eq!(queues.reject(&[]).await, []);
    let bodies = ["nonsense \u{1f980}", "[]", "[3]"];
    let refused = |(nth, body): (usize, &&str)| {
        let element = parse_body(body).remove(0);
        Refused {
            original: element.original.to_owned(),
            rejection: element.verdict.expect_err("refused"),
            source_message_id: format!("m-{nth}"),
            index: (*body == "[3]").then_some(0),
        }
    };
    let all: Vec<Refused> = bodies.iter().enumerate().map(refused).collect();
    assert_eq!(queues.reject(&all).await, vec![Ok(()); 3]);
    let mut arrived = ends.take(Pipe::Rejected).await;
    arrived
        .sort_by(|a, b| a.attributes["source_message_id"].cmp(&b.attributes["source_message_id"]));
    let told = arrived.iter().map(|message| {
        let attribute = |name: &str| message.attributes.get(name).cloned();
        assert!(attribute("error_message").is_some_and(|text| !text.is_empty()));
        (message.body.as_str(), attribute("error_code").unwrap_or_default(), attribute("index"))
    });
    let expected = [
        (bodies[0], "invalid_json".to_owned(), None),
        ("[]", "invalid_envelope".to_owned(), None),
        ("3", "invalid_envelope".to_owned(), Some("0".to_owned())),
    ];
    assert!(told.eq(expected), "{arrived:?}");
}
