use super::*;
use crate::attempt::tests::{NOW, delivery, secs};
use crate::ids::{DeliveryId, RetryId};

fn recover(statuses: &[Recoverable]) -> Task {
    Task::Recover { statuses: statuses.to_vec(), max_per_second: 10 }
}

pub(crate) fn job(task: Task) -> Job {
    Job {
        id: JobId::from_random([3; 10]),
        account_id: AccountId::parse("acct_42").expect("valid"),
        endpoint_id: EndpointId::parse("ep_abc").expect("valid"),
        task,
        from: NOW - secs(3_600),
        to: NOW,
        created_at: NOW,
        state: JobState::Running,
        stage: JobStage::Working { before: None },
        seq: 0,
        page: None,
        expected: 0,
        total: 0,
        succeeded: 0,
        failed: 0,
        wakes_at: NOW,
        notice: false,
        revision: 0,
    }
}

fn place() -> LogPlace {
    let id = "dlv_abc_0_019ea1732b20_00112233445566778899aabbccddeeff";
    LogPlace::of(&DeliveryId::parse(id).expect("valid"))
}

#[test]
fn what_a_recovery_is_about() {
    use FailedReason::{Cancelled, EndpointDeleted, EndpointDisabled, Exhausted};
    let all = job(recover(&Recoverable::ALL));
    let failed_only = job(recover(&[Recoverable::Failed]));
    for (status, wanted, as_failed) in [
        (Status::Pending, false, false),
        (Status::Retrying, true, false),
        (Status::Succeeded, false, false),
        (Status::Failed(Exhausted), true, true),
        (Status::Failed(EndpointDisabled), true, true),
        (Status::Failed(EndpointDeleted), true, true),
        (Status::Failed(Cancelled), false, false),
        (Status::Skipped, true, false),
    ] {
        let delivery = delivery(status, 1);
        assert_eq!(
            (all.wants(&delivery), failed_only.wants(&delivery)),
            (wanted, as_failed),
            "{status:?}"
        );
        let cancel = job(Task::Cancel { event: None });
        assert_eq!(cancel.wants(&delivery), status.is_open());
        assert!(!job(Task::Cancel { event: Some("email.sent2".into()) }).wants(&delivery));
    }
}

#[test]
fn what_a_step_is_to_do() {
    let mut job = job(recover(&Recoverable::ALL));
    job.seq = 4;
    let step = |seq| JobStep { seq, ..job.step() };
    let decide = |seq, received| job.decide(&step(seq), received, NOW);
    assert_eq!(decide(4, 1), StepDecision::Go);
    assert_eq!(decide(3, 1), StepDecision::Nothing, "whoever made it goes on");
    assert_eq!(decide(3, 2), StepDecision::SendNext, "or has died");
    assert_eq!(decide(2, 2), StepDecision::Nothing);
    assert_eq!(decide(5, 2), StepDecision::Nothing);
    let early = NOW - secs(30);
    assert_eq!(job.decide(&step(4), 1, early), StepDecision::Later(NOW), "or the rate is broken");
    let over = job.over(JobState::Cancelled);
    assert_eq!(over.decide(&step(4), 1, NOW), StepDecision::Announce);
    let told = Job { notice: false, ..over };
    assert_eq!(told.decide(&step(4), 1, NOW), StepDecision::Nothing);
}

#[test]
fn the_rate_is_kept() {
    let sent_at: Vec<u32> = (0..100).map(|nth| delay_s(nth, 10)).collect();
    for second in 0..10 {
        assert_eq!(sent_at.iter().filter(|at| **at == second).count(), 10);
    }
    let page = JobPage { end: Some(place()), matched: 100 };
    let next = job(recover(&Recoverable::ALL)).page_done(&page, 0, NOW);
    assert_eq!(next.wakes_at, NOW + secs(10), "the next page comes when this one is out");
    assert_eq!(delay_s(99, 1), 99);
    assert_eq!(delay_s(99, 0), 99, "no rate is the slowest rate");
}

#[test]
fn a_recovery_counts_until_nothing_is_under_way() {
    let page = |end, matched| JobPage { end, matched };
    let first = job(recover(&Recoverable::ALL)).page_done(&page(Some(place()), 100), 0, NOW);
    assert_eq!((first.seq, first.total), (1, 100));
    assert_eq!(first.stage, JobStage::Working { before: Some(place()) });
    let last = first.page_done(&page(None, 7), 2, NOW);
    assert_eq!((last.total, last.done(), last.state), (105, 0, JobState::Running));
    assert_eq!(last.wakes_at, NOW + secs(2));

    let half = last.counted(3, 4, Some(place()), NOW);
    assert!(matches!(half.stage, JobStage::Counting { open: 3, failed: 4, .. }));
    let round = half.counted(5, 6, None, NOW);
    assert_eq!((round.succeeded, round.failed, round.done()), (94, 6, 100));
    assert_eq!((round.state, round.wakes_at), (JobState::Running, NOW + secs(2)));
    let again = round.counted(1, 6, None, NOW);
    assert_eq!(again.wakes_at, NOW + secs(4), "less and less often");
    let end = again.counted(0, 7, None, NOW);
    assert_eq!((end.state, end.notice, end.done()), (JobState::Finished, true, 105));
}

#[test]
fn no_more_is_done_than_there_is() {
    let of = |total| Job { total, ..job(recover(&Recoverable::ALL)) };
    for (total, open, failed, expected) in
        [(5, 1, 2, (5, 2, 2)), (5, 0, 0, (5, 5, 0)), (1, 0, 2, (2, 0, 2)), (1, 1, 1, (2, 0, 1))]
    {
        let now = of(total).recounted(open, failed);
        assert_eq!((now.total, now.succeeded, now.failed), expected, "{total} {open} {failed}");
    }
}

#[test]
fn a_cancellation_ends_with_its_last_page() {
    let job = job(Task::Cancel { event: None });
    let end = job.page_done(&JobPage { end: None, matched: 3 }, 0, NOW);
    assert_eq!((end.state, end.total, end.succeeded), (JobState::Finished, 3, 3));
    assert!(end.notice);
}

#[test]
fn what_has_become_of_a_delivery() {
    let job = job(recover(&Recoverable::ALL));
    let mut one = delivery(Status::Skipped, 0);
    assert_eq!(job.became(&one), Became::Other);
    one.job_id = Some(job.id.clone());
    let retry = crate::retry::open(
        RetryId::of_job(&job.id, &one.id),
        RetryBy::Recover(job.id.clone()),
        NOW,
    );
    one.open_retry = Some(retry);
    assert_eq!(job.became(&one), Became::Open);
    one.open_retry = None;
    assert_eq!(job.became(&one), Became::Failed);
    one.status = Status::Succeeded;
    assert_eq!(job.became(&one), Became::Other);
}
