//! Alarms, by real causes: what makes each go off is done to a stack, the figure it looks at is
//! read where CloudWatch would read it, and the alarm as it is deployed says what it says.
//!
//! Where an alarm wants an hour of trouble, or 90,000 messages, it has what was really told again
//! and again, or so many times as much. What only AWS tells (Scheduler, SES) is compared with
//! AWS's documented names in `tests/template`, which holds the runbook's list to what is done here.

mod queues;
mod work;

use std::collections::BTreeMap;

use domain::Timestamp;
use domain::delivery::{Delivery, Status};
use domain::ports::Clock;
use tests::stack::{Alarm, SHORT, Stack, Verdict, until};

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
        Self::with(name, &SHORT)
    }

    fn with(name: &str, parameters: &[(&str, &str)]) -> Self {
        let stack = Stack::deploy(name, parameters);
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

    /// Of what a function told last, if each run tells the same for so many spans in all.
    fn after(&self, name: &str, spans: u64) -> Verdict {
        let alarm = &self.alarms[name];
        alarm.verdict_after(&self.stack.told(alarm), spans, 0.0)
    }

    /// Of what AWS tells now.
    async fn by_aws(&self, name: &str) -> Verdict {
        let alarm = &self.alarms[name];
        alarm.verdict(&self.stack.told_by_aws(alarm).await, now())
    }

    /// Of what is on a queue now, if it stays there for so many spans in all.
    async fn of_what_stays(&self, name: &str, spans: u64) -> Verdict {
        let alarm = &self.alarms[name];
        let told = until("an age", || async {
            Some(self.stack.told_by_aws(alarm).await).filter(|told| !told.is_empty())
        });
        alarm.verdict_after(&told.await, spans, alarm.number("Period"))
    }

    async fn becomes(&self, name: &str, verdict: Verdict) {
        let what = format!("{name} says {verdict:?}");
        until(&what, || async { (self.by_aws(name).await == verdict).then_some(()) }).await;
    }
}
