//! The audit: begun once a week or when somebody asks, and gone on with by every run until it
//! has ended. What decides stands in `domain::audit`.
//!
//! Nothing in here repairs what it has not counted: a run that is killed in between repairs again.

use std::time::Duration;

use domain::Timestamp;
use domain::audit::{Audit, AuditedEvent, Finding, Next, Stage, next};
use domain::delivery::Status;
use domain::limits::{
    AUDIT_DELIVERIES_PAGE, AUDIT_EVENTS_PAGE, AUDIT_PAGES_UNSAVED, AUDIT_READS_AT_ONCE,
};
use domain::metric::Metric;
use domain::ports::{Audits, Clock, Deliveries, Events, Metrics, PortResult};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;

/// The audit's share of a sweeper, over its ports.
pub struct Auditor<'s, S, C, M> {
    /// Audits, events and deliveries.
    pub store: &'s S,
    /// The clock.
    pub clock: &'s C,
    /// Where the figure goes.
    pub metrics: &'s M,
    /// How long records stay.
    pub retention: Duration,
}

/// What a run did for the audit.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// Items read.
    pub examined: u64,
    /// Items among them that were old enough.
    pub checked: u64,
    /// What was found.
    pub unexplained: u64,
    /// Whether the audit has ended with this run.
    pub finished: bool,
}

/// One page, judged.
struct Page {
    examined: usize,
    checked: usize,
    findings: Vec<Finding>,
    stage: Stage,
}

impl<S, C, M> Auditor<'_, S, C, M>
where
    S: Audits + Events + Deliveries,
    C: Clock,
    M: Metrics,
{
    /// Goes on with the audit there is, or begins one if a week is over; stops at `stop_at` and
    /// leaves the rest to the next run. `None` if there was nothing to do.
    ///
    /// # Errors
    /// If the store failed; the next run goes on from what was written last.
    pub async fn run(&self, stop_at: Timestamp) -> PortResult<Option<Audited>> {
        let latest = self.store.audit().await?;
        let (was, mut audit) = match next(latest.as_ref(), self.retention, self.clock.now()) {
            Next::Nothing => return Ok(None),
            Next::GoOn(audit) | Next::Begin(audit) => (latest, *audit),
        };
        if !self.save(was.as_ref(), &mut audit).await? {
            return Ok(None); // another run has it
        }
        let before = audit.clone();
        let finished = self.go_on(&mut audit, stop_at).await?;
        let audited = Audited {
            examined: audit.examined - before.examined,
            checked: audit.checked - before.checked,
            unexplained: audit.unexplained - before.unexplained,
            finished,
        };
        tracing::info!(
            examined = audited.examined,
            checked = audited.checked,
            unexplained = audited.unexplained,
            finished,
            unexplained_in_all = audit.unexplained,
            "audited"
        );
        Ok(Some(audited))
    }

    async fn go_on(&self, audit: &mut Audit, stop_at: Timestamp) -> PortResult<bool> {
        self.repair(audit).await;
        let mut unsaved = 0;
        while self.clock.now() < stop_at {
            let saved = audit.clone();
            let page = match &audit.stage {
                Stage::Events(after) => self.events(audit, after.as_deref()).await?,
                Stage::Deliveries(after) => self.deliveries(audit, after.as_deref()).await?,
                Stage::Finished(_) => {
                    audit.repairing.clear();
                    return self.save(Some(&saved), audit).await;
                }
            };
            audit.examined += u64::try_from(page.examined).unwrap_or(0);
            audit.checked += u64::try_from(page.checked).unwrap_or(0);
            audit.stage = page.stage;
            let found = !page.findings.is_empty();
            page.findings.iter().for_each(|finding| tracing::error!(%finding, "unexplained"));
            audit.found(page.findings);
            if audit.finished_at().is_some() && audit.is_past_the_queues(self.retention) {
                // Told before it is written: rather twice than never.
                self.metrics.tell(Metric::Unexplained, audit.unexplained);
            }
            unsaved += 1;
            let turned =
                std::mem::discriminant(&saved.stage) != std::mem::discriminant(&audit.stage);
            if found || turned || unsaved >= AUDIT_PAGES_UNSAVED {
                if !self.save(Some(&saved), audit).await? {
                    return Ok(false);
                }
                unsaved = 0;
                self.repair(audit).await;
            }
        }
        if unsaved > 0 {
            let saved = audit.clone();
            self.save(Some(&saved), audit).await?;
        }
        Ok(false)
    }

    async fn save(&self, was: Option<&Audit>, audit: &mut Audit) -> PortResult<bool> {
        let saved = self.store.save_audit(was, audit).await?;
        audit.revision = was.map_or(0, |was| was.revision) + 1;
        Ok(saved)
    }

    async fn events(&self, audit: &Audit, after: Option<&str>) -> PortResult<Page> {
        let scanned = self.store.scan_events(after, AUDIT_EVENTS_PAGE).await?;
        let now = self.clock.now();
        let examined = scanned.items.len() + scanned.unreadable.len();
        let looked_at =
            |event: &&AuditedEvent| audit.looks_at(event.accepted_at, event.expires_at, now);
        let events: Vec<&AuditedEvent> = scanned.items.iter().filter(looked_at).collect();
        let listed = events.iter().flat_map(|e| e.deliveries.iter().map(|id| (&e.id, id)));
        let missing: Vec<Option<Finding>> = stream::iter(listed)
            .map(|(event, delivery)| async move {
                let there = self.store.delivery(delivery).await?.is_some();
                let missing =
                    || Finding::Missing { event: event.clone(), delivery: delivery.clone() };
                Ok((!there).then(missing))
            })
            .buffered(AUDIT_READS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(Page {
            examined,
            checked: events.len(),
            findings: missing.into_iter().flatten().chain(unreadable(scanned.unreadable)).collect(),
            stage: match scanned.next {
                Some(place) => Stage::Events(Some(place)),
                None => Stage::Deliveries(None),
            },
        })
    }

    async fn deliveries(&self, audit: &Audit, after: Option<&str>) -> PortResult<Page> {
        let scanned = self.store.scan_deliveries(after, AUDIT_DELIVERIES_PAGE).await?;
        let now = self.clock.now();
        let examined = scanned.items.len() + scanned.unreadable.len();
        let mut items = scanned.items;
        items.retain(|delivery| audit.looks_at(delivery.created_at, delivery.expires_at, now));
        let forgotten: Vec<Finding> = items.iter().filter_map(|d| audit.judge(d)).collect();
        Ok(Page {
            examined,
            checked: items.len(),
            findings: forgotten.into_iter().chain(unreadable(scanned.unreadable)).collect(),
            stage: match scanned.next {
                Some(place) => Stage::Deliveries(Some(place)),
                None => Stage::Finished(now),
            },
        })
    }

    /// Puts back to work what was found. What cannot be is named in the log; the next audit finds
    /// it again.
    async fn repair(&self, audit: &Audit) {
        for finding in &audit.repairing {
            match self.put_to_work(finding).await {
                Ok(done) => tracing::warn!(%finding, done, "put back to work"),
                Err(error) => tracing::error!(%finding, %error, "not put back to work"),
            }
        }
    }

    async fn put_to_work(&self, finding: &Finding) -> PortResult<bool> {
        let now = self.clock.now();
        match finding {
            Finding::Forgotten(id) => self.store.enter_due(id, now).await,
            Finding::Missing { event, delivery: id } => {
                let Some(event) = self.store.event(event).await? else { return Ok(false) };
                // Its address is looked up again when it is sent.
                let mut listed = event.deliveries(&[]).into_iter();
                let Some(mut delivery) = listed.find(|d| d.id == *id) else { return Ok(false) };
                if delivery.status == Status::Pending {
                    delivery.due_at = Some(now);
                }
                self.store.create(&delivery).await.map(|_| true)
            }
            Finding::Unreadable(_) => Ok(false),
        }
    }
}

fn unreadable(keys: Vec<String>) -> impl Iterator<Item = Finding> {
    keys.into_iter().map(Finding::Unreadable)
}
