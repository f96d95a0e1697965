//! Jobs: one of an endpoint at a time, written only as it was read.

use domain::ids::{AccountId, EndpointId, JobId};
use domain::job::{Job, JobPage, JobStage, JobState, Recoverable, Task};
use domain::log::LogPlace;
use domain::ports::{Begun, Jobs};

use super::at;

/// A job that begins.
pub fn job(n: u8, endpoint: &str) -> Job {
    Job {
        id: JobId::from_random([n; 10]),
        account_id: AccountId::parse("acct_42").expect("valid"),
        endpoint_id: EndpointId::parse(endpoint).expect("valid"),
        task: Task::Recover { statuses: Recoverable::ALL.to_vec(), max_per_second: 7 },
        from: at(0),
        to: at(100),
        created_at: at(200),
        state: JobState::Running,
        stage: JobStage::Working { before: None },
        seq: 0,
        page: None,
        expected: 3,
        total: 0,
        succeeded: 0,
        failed: 0,
        wakes_at: at(200),
        notice: false,
        revision: 0,
    }
}

/// All of it.
pub async fn jobs(store: &impl Jobs) {
    one_at_a_time(store).await;
    written_as_read(store).await;
    unfinished(store).await;
}

async fn one_at_a_time(store: &impl Jobs) {
    let jobs: Vec<Job> = (1..7).map(|n| job(n, "ep_jobs")).collect();
    let answers = futures::future::join_all(jobs.iter().map(|job| store.begin(job))).await;
    let new: Vec<&Job> = jobs
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| **answer == Ok(Begun::New))
        .map(|(job, _)| job)
        .collect();
    assert_eq!(new.len(), 1, "{answers:?}");
    assert_eq!(store.begin(new[0]).await, Ok(Begun::New), "asked again after a lost answer");
    let another = job(7, "ep_jobs");
    assert_eq!(store.begin(&another).await, Ok(Begun::Running(new[0].id.clone())));
    assert_eq!(store.job(&another.id).await, Ok(None), "it was not put on record");
    assert_eq!(store.begin(&job(8, "ep_jobstwo")).await, Ok(Begun::New));
    let over = new[0].over(JobState::Cancelled);
    assert_eq!(store.save(new[0], &over).await, Ok(true));
    assert_eq!(store.begin(&another).await, Ok(Begun::New), "the other one is over");
}

async fn written_as_read(store: &impl Jobs) {
    let mut was = job(20, "ep_jobswritten");
    was.task = Task::Cancel { event: Some("email.sent".into()) };
    assert_eq!(store.begin(&was).await, Ok(Begun::New));
    assert_eq!(store.job(&was.id).await, Ok(Some(was.clone())));
    let place = LogPlace::parse("019ea1732b20_00112233445566778899aabbccddeeff");
    let page = JobPage { end: place.clone(), matched: 12 };
    let now = Job {
        page: Some(page),
        stage: JobStage::Counting { before: place, open: 1, failed: 2, rounds: 3 },
        seq: 4,
        total: 5,
        succeeded: 6,
        failed: 7,
        wakes_at: at(300),
        notice: true,
        ..was.clone()
    };
    let racers = futures::future::join_all((0..6).map(|_| store.save(&was, &now))).await;
    assert_eq!(racers.iter().filter(|won| **won == Ok(true)).count(), 1);
    let there = store.job(&was.id).await.expect("read").expect("on record");
    assert_eq!(there, Job { revision: 1, ..now });
    let unknown = Job { id: JobId::from_random([99; 10]), ..was };
    assert_eq!(store.save(&unknown, &unknown).await, Ok(false), "none is made");
}

async fn unfinished(store: &impl Jobs) {
    let mut jobs = Vec::new();
    for (n, wakes_s) in [(30, 5_000), (31, 4_000), (32, 6_000), (33, 4_500)] {
        let job = Job { wakes_at: at(wakes_s), ..job(n, &format!("ep_unfinished{n}")) };
        assert_eq!(store.begin(&job).await, Ok(Begun::New));
        jobs.push(job);
    }
    let over = jobs[3].over(JobState::Finished);
    assert_eq!(store.save(&jobs[3], &over).await, Ok(true));
    let ours = |id: &JobId| jobs.iter().any(|job| job.id == *id);
    let found = async || {
        let found = store.unfinished(at(5_000), 100).await.expect("read");
        found.into_iter().map(|entry| entry.id).filter(ours).collect::<Vec<_>>()
    };
    let ids = |nths: &[usize]| nths.iter().map(|n| jobs[*n].id.clone()).collect::<Vec<_>>();
    assert_eq!(found().await, ids(&[1, 3, 0]), "oldest first, and what must be announced");
    let over = Job { revision: 1, ..over };
    assert_eq!(store.save(&over, &Job { notice: false, ..over.clone() }).await, Ok(true));
    assert_eq!(found().await, ids(&[1, 0]));
    assert_eq!(store.unfinished(at(5_000), 1).await.map(|found| found.len()), Ok(1));
}
