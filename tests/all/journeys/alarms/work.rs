//! What functions tell of their work, and AWS of the functions.

use std::time::Duration;

use domain::delivery::{Delivery, Status};
use domain::ports::Deliveries;
use tests::stack::{Customer, SHORT, Verdict, until};

use super::{ACCOUNT, Watched, done, event, event_id, now, on_record};

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
async fn what_keeps_the_sweeper_from_its_work() {
    let watched = Watched::deploy("journey-alarms-sweeper");
    let stack = &watched.stack;
    let customer = Customer::start().await;
    let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;
    stack.sweep();
    for name in ["HeldBackAlarm", "UnfinishedSweepsAlarm", "SweepErrorsAlarm"] {
        assert_eq!(watched.now(name), Verdict::Ok, "{name}");
    }
    let overdue = async |id: &str| {
        let delivery = on_record(stack, &endpoint, id, true).await;
        let due = now() - Duration::from_secs(600);
        assert!(stack.store.enter_due(&delivery.id, due).await.expect("written"));
        delivery
    };

    // Nobody takes wake-ups: the first that the sweeper sends stays on its queue.
    let lanes = ["SendQueueUrl", "RetryQueueUrl"];
    for queue in lanes {
        stack.let_take("SenderFunction", queue, false).await;
    }
    let woken = overdue("woken").await;
    assert_eq!(stack.sweep()["woken"], 1);
    let held_back = overdue("held-back").await;
    assert_eq!(stack.sweep()["held_back"], 1);
    assert_eq!(watched.after("HeldBackAlarm", 11), Verdict::Ok, "under an hour");
    assert_eq!(watched.after("HeldBackAlarm", 12), Verdict::Alarm, "for an hour");
    for queue in lanes {
        stack.let_take("SenderFunction", queue, true).await;
    }
    stack.delivery_when(&woken.id, "delivered", done).await;
    stack.sweep_until(&held_back.id, "delivered", done).await;

    // Too little time for anything: the margin before the deadline is 20 s.
    let enough = stack.give_time("SweeperFunction", Duration::from_secs(20)).await;
    assert_eq!(stack.sweep()["unfinished_shards"], 8);
    assert_eq!(watched.after("UnfinishedSweepsAlarm", 5), Verdict::Ok, "under half an hour");
    assert_eq!(watched.after("UnfinishedSweepsAlarm", 6), Verdict::Alarm, "for half an hour");
    stack.give_time("SweeperFunction", enough).await;
    assert_eq!(stack.sweep()["unfinished_shards"], 0);

    // A delivery that this version cannot read.
    let newer = overdue("newer").await;
    let key = [("partition", newer.id.partition()), ("delivery_id", newer.id.to_string())];
    stack.set_version("DeliveriesTable", &key, Some(2)).await;
    assert_eq!(stack.sweep()["errors"], 1);
    assert_eq!(watched.after("SweepErrorsAlarm", 2), Verdict::Ok, "twice in an hour");
    assert_eq!(watched.after("SweepErrorsAlarm", 3), Verdict::Alarm, "three times in an hour");
    stack.set_version("DeliveriesTable", &key, Some(1)).await;
    stack.sweep_until(&newer.id, "delivered", done).await;
    assert_eq!(stack.sweep()["errors"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_without_scheduler() {
    let watched = Watched::deploy("journey-alarms-hops");
    let stack = &watched.stack;
    let customer = Customer::start().await;
    customer.answers(|before| (if before < 2 { 503 } else { 200 }, Vec::new()));
    let (endpoint, _) = stack.register(&customer, ACCOUNT, |_| {}).await;
    assert_eq!(watched.now("HopsAlarm"), Verdict::Ok);

    // The second wait is longer than SQS may delay.
    stack.throttle_scheduler();
    let body = event("hops", ACCOUNT, "{}");
    stack.send(&body).await;
    let delivery = stack.delivery_of(&event_id(&body), &endpoint.id).await;
    stack.delivery_when(&delivery.id, "delivered, though", done).await;
    assert_eq!(watched.after("HopsAlarm", 1), Verdict::Ok, "for a quarter of an hour");
    assert_eq!(watched.after("HopsAlarm", 2), Verdict::Alarm, "for half an hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_endpoints_disabled_at_once() {
    // A week is 20 s.
    let week =
        [("AlertAfterSeconds", "2"), ("WarnAfterSeconds", "6"), ("DisableAfterSeconds", "20")];
    let parameters: Vec<_> = SHORT.iter().chain(&week).copied().collect();
    let watched = Watched::with("journey-alarms-disabled", &parameters);
    let stack = &watched.stack;
    let customer = Customer::start().await;
    customer.answers(|_| (500, Vec::new()));
    for _ in 0..11 {
        stack.register(&customer, ACCOUNT, |_| {}).await;
    }
    let alarm = &watched.alarms["ManyDisabledAlarm"];
    let disabled = || stack.told(alarm).iter().map(|(_, count)| count).sum::<f64>();
    let mut nth = 0;
    while disabled() < 11.0 {
        assert_eq!(watched.now("ManyDisabledAlarm"), Verdict::Ok, "{} disabled", disabled());
        assert!(nth < 100, "{} of 11 are disabled", disabled());
        let body = event(&format!("event-{nth}"), ACCOUNT, "{}");
        stack.send(&body).await;
        until("first attempts", || async {
            let deliveries = stack.deliveries(&event_id(&body)).await;
            let tried = |d: &Delivery| d.attempt_count > 0 || d.status == Status::Skipped;
            (deliveries.len() == 11 && deliveries.iter().all(tried)).then_some(())
        })
        .await;
        stack.daily();
        nth += 1;
    }
    assert_eq!(watched.now("ManyDisabledAlarm"), Verdict::Alarm);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_fail_or_may_not_run() {
    let watched = Watched::with("journey-alarms-functions", &[("CauseAlarms", "true")]);
    let stack = &watched.stack;
    let check = async |name: String, does: &str| {
        let alarm = &watched.alarms[&name];
        let told = stack.told_by_aws(alarm).await;
        // Daily runs once a day: one failure is enough.
        let enough = if name.starts_with("Daily") { 1 } else { 2 };
        for spans in 1..=enough {
            let expected = if spans == enough { Verdict::Alarm } else { Verdict::Ok };
            assert_eq!(alarm.verdict_after(&told, spans, 0.0), expected, "{name}, {does}");
        }
    };
    for name in ["Ingest", "Sender", "Sweeper", "Daily", "Api"] {
        let function = format!("{name}Function");
        let (errors, throttles) = (format!("{name}ErrorsAlarm"), format!("{name}ThrottlesAlarm"));
        for alarm in [&errors, &throttles] {
            assert_eq!(watched.by_aws(alarm).await, Verdict::Ok, "{alarm}");
        }
        stack.take_settings(&function).await;
        assert!(!stack.runs(&function), "{name} without its settings");
        check(errors, "it does not start").await;
        stack.reserve_nothing(&function).await;
        assert!(!stack.runs(&function), "{name} without a place to run");
        check(throttles, "nobody may run it").await;
    }
}
