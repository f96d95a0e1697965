//! The audit: whether every accepted event has its deliveries, and every open delivery a future
//! (design 3.6). It compares records that share no write: an event's list with the deliveries,
//! and a delivery's status with its place in `due`. What it finds is put back to work, and still
//! counts as unexplained: the figure must be 0.
//!
//! A first attempt never enters `due` when all goes well; its wake-up is in a queue. So only what
//! is older than any queue keeps a message is looked at.

use std::time::Duration;

use crate::Timestamp;
use crate::delivery::Status;
use crate::ids::{DeliveryId, EventId};
use crate::limits::{AUDIT_AGE_S, AUDIT_EVERY_S, AUDIT_EXPIRY_MARGIN_S, AUDIT_FINDINGS_KEPT};

/// An audit as it is on record: how far it is, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// When it was asked for.
    pub started_at: Timestamp,
    /// It looks at what is older than this moment; `None`: whoever takes it up says.
    pub cutoff: Option<Timestamp>,
    /// How far it is.
    pub stage: Stage,
    /// Items read.
    pub examined: u64,
    /// Items among them that were old enough, and not about to expire.
    pub checked: u64,
    /// What nothing explains.
    pub unexplained: u64,
    /// The first of those.
    pub findings: Vec<Finding>,
    /// Counted, and perhaps not yet put back to work.
    pub repairing: Vec<Finding>,
    /// When one that looked at everything that the weekly one does was last begun.
    pub whole_at: Option<Timestamp>,
    /// Goes up by one with every write.
    pub revision: u64,
}

/// How far an audit is. A place is what the store gave, to go on after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It reads events.
    Events(Option<String>),
    /// It reads deliveries.
    Deliveries(Option<String>),
    /// It has ended.
    Finished(Timestamp),
}

/// Something that nothing explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// An event lists a delivery that is not on record.
    Missing {
        /// Whose list.
        event: EventId,
        /// What it names.
        delivery: DeliveryId,
    },
    /// A delivery is neither final nor in `due`.
    Forgotten(DeliveryId),
    /// A record that cannot be read: its key.
    Unreadable(String),
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Finding::Missing { event, delivery } => write!(f, "missing {delivery} of {event}"),
            Finding::Forgotten(delivery) => write!(f, "forgotten {delivery}"),
            Finding::Unreadable(key) => write!(f, "unreadable {key}"),
        }
    }
}

impl std::str::FromStr for Finding {
    type Err = &'static str;

    /// Reads what `Display` wrote.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "not a finding";
        let (kind, what) = text.split_once(' ').ok_or(WRONG)?;
        let delivery = |id: &str| DeliveryId::parse(id).map_err(|_| WRONG);
        match kind {
            "missing" => {
                let (id, event) = what.split_once(" of ").ok_or(WRONG)?;
                let event = EventId::parse(event).map_err(|_| WRONG)?;
                Ok(Finding::Missing { event, delivery: delivery(id)? })
            }
            "forgotten" => delivery(what).map(Finding::Forgotten),
            "unreadable" => Ok(Finding::Unreadable(what.to_owned())),
            _ => Err(WRONG),
        }
    }
}

/// What an audit reads of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedEvent {
    /// Its id.
    pub id: EventId,
    /// Since when it is on record.
    pub accepted_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// The deliveries it lists.
    pub deliveries: Vec<DeliveryId>,
}

/// What an audit reads of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Since when it is on record.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// How far it is.
    pub status: Status,
    /// Whether the index has it.
    pub in_due: bool,
}

/// What is to be done about the latest audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing for now.
    Nothing,
    /// Go on with it.
    GoOn(Box<Audit>),
    /// Begin this one: a week is over.
    Begin(Box<Audit>),
}

/// Decides what is to be done. `retention` is how long the records stay.
pub fn next(latest: Option<&Audit>, retention: Duration, now: Timestamp) -> Next {
    let Some(latest) = latest else {
        return Next::Begin(Box::new(Audit::begin(None, None, now).with_cutoff(retention)));
    };
    let week = Duration::from_secs(AUDIT_EVERY_S);
    match latest.stage {
        Stage::Events(_) | Stage::Deliveries(_) => {
            Next::GoOn(Box::new(latest.clone().with_cutoff(retention)))
        }
        // Killed between counting the last and putting it back to work.
        Stage::Finished(_) if !latest.repairing.is_empty() => Next::GoOn(Box::new(latest.clone())),
        Stage::Finished(_) if latest.whole_at.is_some_and(|at| now < at + week) => Next::Nothing,
        Stage::Finished(_) => {
            Next::Begin(Box::new(Audit::begin(Some(latest), None, now).with_cutoff(retention)))
        }
    }
}

/// The age from which on the weekly audit looks at a record: older than a queue and its
/// dead-letter queue keep a message, but a day of looking must remain before it expires.
pub fn usual_age(retention: Duration) -> Duration {
    let latest = retention.saturating_sub(Duration::from_secs(86_400));
    Duration::from_secs(AUDIT_AGE_S).min(latest)
}

impl Audit {
    /// A new one, after `before`. `cutoff` is for people who know what they ask for: with one that
    /// is younger than the queues keep messages, what merely waits its turn is counted, too.
    pub fn begin(before: Option<&Audit>, cutoff: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            started_at: now,
            cutoff,
            stage: Stage::Events(None),
            examined: 0,
            checked: 0,
            unexplained: 0,
            findings: Vec::new(),
            repairing: Vec::new(),
            whole_at: before.and_then(|before| before.whole_at),
            revision: before.map_or(0, |before| before.revision),
        }
    }

    fn with_cutoff(mut self, retention: Duration) -> Self {
        let usual = self.started_at - usual_age(retention);
        let cutoff = *self.cutoff.get_or_insert(usual);
        if cutoff >= usual {
            self.whole_at = Some(self.started_at);
        }
        self
    }

    /// Whether what it finds has no explanation but a fault: no queue keeps a message for as long as
    /// the records that it looks at are there.
    pub fn is_past_the_queues(&self, retention: Duration) -> bool {
        let usual = self.started_at - usual_age(retention);
        self.cutoff.is_some_and(|cutoff| cutoff <= usual)
    }

    /// Whether it looks at a record that is there from one moment to another. One that is about to
    /// expire is left out: its counterpart may be gone already.
    pub fn looks_at(&self, from: Timestamp, to: Timestamp, now: Timestamp) -> bool {
        let margin = Duration::from_secs(AUDIT_EXPIRY_MARGIN_S);
        self.cutoff.is_some_and(|cutoff| from <= cutoff) && now + margin < to
    }

    /// What is wrong with a delivery by itself, if anything.
    pub fn judge(&self, delivery: &AuditedDelivery) -> Option<Finding> {
        let forgotten = delivery.status.is_open() && !delivery.in_due;
        forgotten.then(|| Finding::Forgotten(delivery.id.clone()))
    }

    /// Counts what was found.
    pub fn found(&mut self, findings: Vec<Finding>) {
        self.unexplained += u64::try_from(findings.len()).unwrap_or(u64::MAX);
        let room = AUDIT_FINDINGS_KEPT.saturating_sub(self.findings.len());
        self.findings.extend(findings.iter().take(room).cloned());
        self.repairing = findings;
    }

    /// When it ended.
    pub fn finished_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Finished(at) => Some(at),
            Stage::Events(_) | Stage::Deliveries(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::tests::{NOW, delivery, secs};

    const DAY_S: u64 = 86_400;

    fn ended(whole_at: Option<Timestamp>) -> Audit {
        let stage = Stage::Finished(NOW);
        Audit { stage, whole_at, revision: 7, ..Audit::begin(None, None, NOW) }
    }

    #[test]
    fn once_a_week_and_again_until_it_has_ended() {
        let retention = secs(30 * DAY_S);
        let Next::Begin(first) = next(None, retention, NOW) else { panic!("there is none") };
        assert_eq!(first.cutoff, Some(NOW - secs(15 * DAY_S)));
        assert_eq!(next(Some(&first), retention, NOW + secs(1)), Next::GoOn(first));
        let week = NOW + secs(7 * DAY_S);
        let last = ended(Some(NOW));
        assert_eq!(next(Some(&last), retention, week - secs(1)), Next::Nothing);
        let repairing = vec![Finding::Unreadable("x".into())];
        let killed = Audit { repairing, ..last.clone() };
        assert_eq!(next(Some(&killed), retention, NOW), Next::GoOn(Box::new(killed.clone())));
        let Next::Begin(second) = next(Some(&last), retention, week) else { panic!("a week") };
        assert_eq!((second.started_at, second.revision), (week, 7));
    }

    #[test]
    fn one_that_looked_at_less_does_not_count_as_the_weekly_one() {
        let retention = secs(30 * DAY_S);
        let check = |age_days, whole| {
            let asked = Audit::begin(None, Some(NOW - secs(age_days * DAY_S)), NOW);
            let Next::GoOn(taken_up) = next(Some(&asked), retention, NOW) else {
                panic!("it was asked for")
            };
            assert_eq!(taken_up.whole_at.is_some(), whole, "{age_days} days");
        };
        check(0, true);
        check(15, true);
        check(16, false);
    }

    #[test]
    fn younger_records_may_have_a_message_in_a_queue() {
        let retention = secs(30 * DAY_S);
        for (age_days, past) in [(0, false), (14, false), (15, true), (16, true)] {
            let audit = Audit::begin(None, Some(NOW - secs(age_days * DAY_S)), NOW);
            assert_eq!(audit.is_past_the_queues(retention), past, "{age_days} days");
        }
        assert!(!Audit::begin(None, None, NOW).is_past_the_queues(retention), "nobody has said");
        let Next::Begin(weekly) = next(None, secs(8 * DAY_S), NOW) else { panic!("there is none") };
        assert!(weekly.is_past_the_queues(secs(8 * DAY_S)), "whatever the retention");
    }

    #[test]
    fn short_retention_leaves_a_day_to_look() {
        assert_eq!(usual_age(secs(30 * DAY_S)), secs(15 * DAY_S));
        assert_eq!(usual_age(secs(8 * DAY_S)), secs(7 * DAY_S));
        assert_eq!(usual_age(secs(DAY_S / 2)), secs(0));
    }

    #[test]
    fn too_young_and_nearly_expired_records_are_left_out() {
        let audit = Audit::begin(None, Some(NOW - secs(100)), NOW);
        let far = NOW + secs(DAY_S);
        for (age_s, expires_at, looked_at) in [
            (100, far, true),
            (99, far, false),
            (200, NOW + secs(AUDIT_EXPIRY_MARGIN_S), false),
            (200, NOW - secs(1), false),
        ] {
            assert_eq!(audit.looks_at(NOW - secs(age_s), expires_at, NOW), looked_at, "{age_s}");
        }
    }

    #[test]
    fn only_what_is_open_and_outside_due_is_forgotten() {
        let audit = Audit::begin(None, Some(NOW), NOW);
        for (status, in_due, forgotten) in [
            (Status::Pending, false, true),
            (Status::Retrying, false, true),
            (Status::Pending, true, false),
            (Status::Retrying, true, false),
            (Status::Succeeded, false, false),
            (Status::Skipped, false, false),
        ] {
            let id = delivery(Status::Pending, 0).id;
            let (created_at, expires_at) = (NOW, NOW);
            let audited = AuditedDelivery { id, created_at, expires_at, status, in_due };
            assert_eq!(audit.judge(&audited).is_some(), forgotten, "{audited:?}");
        }
    }

    #[test]
    fn a_finding_has_a_name_that_can_be_read_again() {
        let one = delivery(Status::Pending, 0);
        let (event, id) = (one.event_id, one.id);
        for finding in [
            Finding::Missing { event, delivery: id.clone() },
            Finding::Forgotten(id),
            Finding::Unreadable("evt_ what".into()),
        ] {
            assert_eq!(finding.to_string().parse(), Ok(finding));
        }
        assert_eq!("something else".parse::<Finding>(), Err("not a finding"));
    }

    #[test]
    fn all_are_counted_the_first_are_kept() {
        let mut audit = Audit::begin(None, None, NOW);
        for nth in 0..3 {
            let page = (0..80).map(|at| Finding::Unreadable(format!("{nth}-{at}")));
            audit.found(page.collect());
            assert_eq!(audit.repairing.len(), 80);
        }
        assert_eq!((audit.unexplained, audit.findings.len()), (240, AUDIT_FINDINGS_KEPT));
    }
}
