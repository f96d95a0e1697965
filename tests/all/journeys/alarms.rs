//! Alarms, by real causes: what makes each go off is done to a stack, the figure it looks at is
//! read where CloudWatch would read it, and the alarm as it is deployed says what it says.
//!
//! The ages of messages are calculated: the emulator tells none, and nobody waits a day. What only
//! AWS tells (Lambda's Errors and Throttles, Scheduler, SES) is compared with AWS's documented
//! names in `tests/template`; the emulator has none of it.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{Delivery, Status};
use domain::ports::{Clock, Deliveries};
use tests::stack::{Alarm, Cli, Customer, SHORT, Stack, Verdict, until};

use super::audit::on_record;
use super::{event, event_id};

const ACCOUNT: &str = "acct_1";

fn now() -> Timestamp {
    aws::clock::SystemClock.now()
}

fn done(delivery: &Delivery) -> bool {
    delivery.status == Status::Succeeded
}

struct Watched {
    stack: Stack,
    alarms: BTreeMap<String, Alarm>,
}

impl Watched {
    fn deploy(name: &str) -> Self {
        let stack = Stack::deploy(name, &SHORT);
        let alarms = stack.alarms();
        Self { stack, alarms }
    }

    /// Of what a function told, at a moment.
    fn at(&self, name: &str, moment: Timestamp) -> Verdict {
        let alarm = &self.alarms[name];
        alarm.verdict(&self.stack.told(alarm), moment)
    }

    fn now(&self, name: &str) -> Verdict {
        self.at(name, now())
    }

    /// Of what a queue holds now.
    async fn of_queue(&self, name: &str) -> Verdict {
        let alarm = &self.alarms[name];
        let told = self.stack.queue_figure(alarm).await;
        alarm.verdict(&[told], told.0)
    }

    async fn becomes(&self, name: &str, verdict: Verdict) {
        let what = format!("{name} says {verdict:?}");
        until(&what, || async { (self.of_queue(name).await == verdict).then_some(()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overdue_unexplained_and_silence() {
    let watched = Watched::deploy("journey-alarms");
    let stack = &watched.stack;
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;

    // Silence: a run ends it, and it is back when none follows.
    let silent = [("SweeperSilentAlarm", 20 * 60), ("DailySilentAlarm", 27 * 3_600)];
    for (name, _) in silent {
        assert_eq!(watched.now(name), Verdict::Alarm, "{name}, before the first run");
    }
    stack.sweep();
    stack.daily();
    for (name, longest_s) in silent {
        let later = |s: u64| now() + Duration::from_secs(s);
        assert_eq!(watched.now(name), Verdict::Ok, "{name}");
        assert_eq!(watched.at(name, later(longest_s / 2)), Verdict::Ok, "{name}");
        assert_eq!(watched.at(name, later(longest_s + 3_600)), Verdict::Alarm, "{name}");
    }

    // Overdue: a wake-up was lost, and nobody has come by since.
    assert_eq!(watched.now("OverdueAlarm"), Verdict::Ok);
    let overdue = on_record(stack, &endpoint, "overdue", true).await;
    let due = now() - Duration::from_secs(2_100);
    assert!(stack.store.enter_due(&overdue.id, due).await.expect("written"));
    stack.sweep_until(&overdue.id, "delivered", done).await;
    assert_eq!(watched.now("OverdueAlarm"), Verdict::Alarm);
    assert_eq!(watched.at("OverdueAlarm", now() + Duration::from_secs(3_900)), Verdict::Ok);

    // Unexplained: somebody takes a delivery off the record.
    assert_eq!(stack.audit().await.unexplained, 0);
    assert_eq!(watched.now("UnexplainedAlarm"), Verdict::Ok);
    stack.delete_delivery(&overdue.id).await;
    assert_eq!(stack.audit().await.unexplained, 1);
    assert_eq!(watched.now("UnexplainedAlarm"), Verdict::Alarm);
    let days = now() + Duration::from_secs(3 * 86_400);
    assert_eq!(watched.at("UnexplainedAlarm", days), Verdict::Unchanged, "until the next audit");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside() {
    let watched = Watched::deploy("journey-alarms-aside");
    let stack = &watched.stack;
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;
    for queue in ["EventsQueueUrl", "SendQueueUrl", "RetryQueueUrl"] {
        stack.hand_out_again_after(queue, 0).await;
    }
    for name in ["EventsDlqAlarm", "SendDlqAlarm", "RetryDlqAlarm"] {
        assert_eq!(watched.of_queue(name).await, Verdict::Ok, "{name}");
    }
    let key = [("account_id", ACCOUNT.to_owned()), ("endpoint_id", endpoint.id.to_string())];

    // An endpoint that this version cannot read: its account's events cannot be stored.
    stack.set_version("EndpointsTable", &key, Some(2)).await;
    let body = event("unstorable", ACCOUNT, "{}");
    stack.send(&body).await;
    watched.becomes("EventsDlqAlarm", Verdict::Alarm).await;
    stack.set_version("EndpointsTable", &key, Some(1)).await;
    stack.hand_out_again_after("EventsQueueUrl", 360).await;
    let cli = Cli::of(stack).await;
    assert_eq!(cli.run(&["redrive", "--queue", "events", "--yes"]).status.code(), Some(0));
    let delivery = stack.delivery_of(&event_id(&body), &endpoint.id).await;
    stack.delivery_when(&delivery.id, "delivered", done).await;
    watched.becomes("EventsDlqAlarm", Verdict::Ok).await;

    // Wake-ups that this version cannot read.
    for (queue, name) in [("SendQueueUrl", "SendDlqAlarm"), ("RetryQueueUrl", "RetryDlqAlarm")] {
        stack.put(queue, r#"{"v":2}"#).await;
        watched.becomes(name, Verdict::Alarm).await;
        stack.purge(&queue.replace("Queue", "Dlq")).await;
        watched.becomes(name, Verdict::Ok).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_and_lies_for_a_day() {
    let watched = Watched::deploy("journey-alarms-refused");
    watched.stack.send("no event").await;
    let refused = watched.stack.rejected(1).await.remove(0);
    let sent = refused.attributes.expect("asked for");
    let sent = &sent[&aws_sdk_sqs::types::MessageSystemAttributeName::SentTimestamp];
    let sent = Timestamp::from_millis(sent.parse().expect("a number"));
    let alarm = &watched.alarms["RejectedAlarm"];
    let at = |hours: u64| {
        let moment = sent + Duration::from_secs(hours * 3_600);
        alarm.verdict(&[(moment, moment.since(sent).as_secs_f64())], moment)
    };
    assert_eq!((at(1), at(23), at(25)), (Verdict::Ok, Verdict::Ok, Verdict::Alarm));
}
