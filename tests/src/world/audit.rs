//! Audits, in memory.

use domain::audit::{Audit, AuditedDelivery, AuditedEvent};
use domain::metric::Metric;
use domain::ports::{Audits, Metrics, PortResult, Scanned};
use sweeper::audit::{Audited, Auditor};

use super::{FAR, RETENTION, State, World, run};

impl Audits for World {
    async fn audit(&self) -> PortResult<Option<Audit>> {
        self.call("audits.audit", |state| state.audit.clone()).await
    }

    async fn save_audit(&self, was: Option<&Audit>, now: &Audit) -> PortResult<bool> {
        let save = |state: &mut State| {
            let stands = state.audit.as_ref().map(|a| a.revision) == was.map(|a| a.revision);
            if stands {
                let revision = was.map_or(0, |was| was.revision) + 1;
                state.audit = Some(Audit { revision, ..now.clone() });
            }
            stands
        };
        self.call("audits.save", save).await
    }

    async fn scan_events(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> PortResult<Scanned<AuditedEvent>> {
        let scan = |state: &mut State| {
            let later = state.events.values().filter(|e| after.is_none_or(|a| e.id.as_str() > a));
            let audited = |event: &domain::event::Event| AuditedEvent {
                id: event.id.clone(),
                accepted_at: event.accepted_at,
                expires_at: event.accepted_at + RETENTION,
                deliveries: event.fan_out.iter().map(|f| f.delivery_id.clone()).collect(),
            };
            page(later.map(audited), limit, |event| event.id.to_string())
        };
        self.call("audits.scan_events", scan).await
    }

    async fn scan_deliveries(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> PortResult<Scanned<AuditedDelivery>> {
        let scan = |state: &mut State| {
            let all = state.deliveries.values();
            let later = all.filter(|d| after.is_none_or(|a| d.id.as_str() > a));
            let audited = |delivery: &domain::delivery::Delivery| AuditedDelivery {
                id: delivery.id.clone(),
                created_at: delivery.created_at,
                expires_at: delivery.created_at + RETENTION,
                status: delivery.status,
                in_due: delivery.due_at.is_some(),
            };
            page(later.map(audited), limit, |delivery| delivery.id.to_string())
        };
        self.call("audits.scan_deliveries", scan).await
    }
}

/// The first of them; the place after which the next page begins is the last one's, as in
/// DynamoDB: there may be nothing behind it.
fn page<T>(all: impl Iterator<Item = T>, limit: usize, place: impl Fn(&T) -> String) -> Scanned<T> {
    let items: Vec<T> = all.take(limit).collect();
    let next = items.last().filter(|_| items.len() == limit).map(place);
    Scanned { items, unreadable: Vec::new(), next }
}

impl Metrics for World {
    fn tell(&self, metric: Metric, value: u64) {
        self.state().metrics.push((metric, value));
    }
}

impl World {
    /// One run of the sweeper's audit; `None` if it was killed, failed, or had nothing to do.
    pub fn audit(&self) -> Option<Audited> {
        let stop_at = self.state().now + FAR;
        let auditor = Auditor { store: self, clock: self, metrics: self, retention: RETENTION };
        run(self.fuse(), auditor.run(stop_at))?.ok()?
    }

    /// Asks for an audit of everything, whatever its age.
    pub fn ask_for_an_audit(&self) {
        let mut state = self.state();
        let now = state.now;
        let mut asked = Audit::begin(state.audit.as_ref(), Some(now), now);
        asked.revision += 1;
        state.audit = Some(asked);
    }
}
