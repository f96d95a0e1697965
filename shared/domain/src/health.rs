//! Endpoint health (design 3.7): what an attempt writes about its endpoint, since when an endpoint
//! is failing, and what follows from that. Pure; each answer is a new endpoint, to be written only
//! if state, `enabled_at` and health on record are still those of the old one
//! ([`crate::ports::EndpointHealth`]).
//!
//! A healthy endpoint costs no write: only a failure begins a record, and a success is written
//! down only while there is one.

use std::time::Duration;

use crate::Timestamp;
use crate::endpoint::notice::{Channel, EndpointNotice, Happening};
use crate::endpoint::{DisabledReason, Endpoint, EndpointState};
use crate::limits::{
    HEALTH_CLEARED_AFTER_STEPS, HEALTH_MARGIN_STEPS, HEALTH_RECENT_SHARE, HEALTH_STEP_MAX_S,
    HEALTH_STEP_SHARE,
};

/// What is on record of an endpoint's failures; empty for a healthy one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// The last failed scheduled attempt, to within a step.
    pub last_failure_at: Option<Timestamp>,
    /// The first failure after the last success, or after it was enabled.
    pub failing_since: Option<Timestamp>,
    /// The last success, to within a step; known only while `failing_since` is.
    pub last_success_at: Option<Timestamp>,
    /// The beginning of the streak that was announced, until its end was announced, too.
    pub alerted_for: Option<Timestamp>,
    /// The beginning of the streak that the owner was warned of.
    pub warned_for: Option<Timestamp>,
}

/// When an endpoint's failing has which consequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthRules {
    /// The early alert; `None` if neither that nor "recovered" is mailed.
    pub alert_after: Option<Duration>,
    /// The warning.
    pub warn_after: Duration,
    /// The end.
    pub disable_after: Duration,
}

/// How finely health is recorded: a minute, or a hundredth of the time to disable if that is less.
pub fn step(disable_after: Duration) -> Duration {
    (disable_after / HEALTH_STEP_SHARE).min(Duration::from_secs(HEALTH_STEP_MAX_S))
}

impl HealthRules {
    fn step(&self) -> Duration {
        step(self.disable_after)
    }

    /// The alert's time. Without alerts the streak is announced when the owner is warned of it.
    fn announced_after(&self) -> Duration {
        self.alert_after.unwrap_or(self.warn_after)
    }

    /// From when on an endpoint that is failing since `since` is disabled.
    pub fn disable_due_at(&self, since: Timestamp) -> Timestamp {
        since + self.disabled_after()
    }

    /// Failing for so long, an endpoint is disabled.
    fn disabled_after(&self) -> Duration {
        disabled_after(self.disable_after)
    }
}

fn disabled_after(disable_after: Duration) -> Duration {
    disable_after + step(disable_after) * HEALTH_MARGIN_STEPS
}

impl Endpoint {
    /// Since when it is failing, if it is: the one definition that alert, warning, disabling, API
    /// and lanes share.
    ///
    /// A success that is on record later than `failing_since` ended that streak, whatever failed
    /// beside it: what is known for sure is that the new one began after it.
    pub fn failing_since(&self) -> Option<Timestamp> {
        let Health { last_failure_at, failing_since, .. } = self.health;
        let good = self.last_known_good();
        match self.state {
            EndpointState::Enabled if last_failure_at? > good => Some(failing_since?.max(good)),
            EndpointState::Enabled
            | EndpointState::Disabled { .. }
            | EndpointState::Deleted { .. } => None,
        }
    }

    /// For how long it has been failing; zero if it is not.
    pub fn failing_for(&self, now: Timestamp) -> Duration {
        self.failing_since().map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Whether it is failing.
    pub fn is_in_trouble(&self) -> bool {
        self.failing_since().is_some()
    }

    /// Whether its first attempts must not stand in the way of others' (design 3.8): it is failing,
    /// or has a request of ours unanswered, and what comes of that is not known yet.
    pub fn stands_apart(&self, now: Timestamp) -> bool {
        self.is_in_trouble() || self.silent_until.is_some_and(|until| until > now)
    }

    /// From when on it is disabled unless it answers: if it is failing, and goes on failing.
    pub fn disable_due_at(&self, disable_after: Duration) -> Option<Timestamp> {
        self.failing_since().map(|since| since + disabled_after(disable_after))
    }

    /// Whether it belongs to the index of endpoints that sweeper and daily look at.
    pub fn needs_attention(&self) -> bool {
        let Health { last_failure_at, failing_since, last_success_at, alerted_for, warned_for } =
            self.health;
        let known = [last_failure_at, failing_since, last_success_at, alerted_for, warned_for];
        known.iter().any(Option::is_some) || !self.notices.is_empty()
    }

    fn last_known_good(&self) -> Timestamp {
        self.health.last_success_at.map_or(self.enabled_at, |at| at.max(self.enabled_at))
    }

    /// After a scheduled attempt, begun at `at`, failed. `enabled_at` is what the endpoint had
    /// when the attempt was made: one that was under way while it was enabled says nothing about
    /// the endpoint as it is now. `None` if nothing is to be written.
    pub fn after_failure(
        &self,
        at: Timestamp,
        enabled_at: Timestamp,
        step: Duration,
    ) -> Option<Self> {
        let Health { last_failure_at, failing_since, .. } = self.health;
        let noted = last_failure_at.is_some_and(|last| at < last + step);
        if self.state != EndpointState::Enabled || self.enabled_at != enabled_at || noted {
            return None;
        }
        let standing = failing_since.filter(|since| *since > self.last_known_good());
        let health = Health {
            last_failure_at: Some(at),
            failing_since: Some(standing.unwrap_or(at.max(enabled_at))),
            ..self.health
        };
        Some(Self { health, ..self.clone() })
    }

    /// After a failed attempt that is only found on record `now`: as [`Endpoint::after_failure`], but
    /// it begins no record earlier than now. A success since may have ended the record that it belonged
    /// to, and of that success nothing is known any more.
    pub fn after_old_failure(&self, at: Timestamp, now: Timestamp, step: Duration) -> Option<Self> {
        let mut next = self.after_failure(at, self.enabled_at, step)?;
        if self.health.failing_since.is_none() {
            next.health.failing_since = Some(now.max(self.enabled_at));
        }
        Some(next)
    }

    /// After an attempt of any kind, begun at `at`, succeeded. `None` if nothing is to be written.
    pub fn after_success(&self, at: Timestamp, step: Duration) -> Option<Self> {
        let Health { last_failure_at, failing_since, last_success_at, alerted_for, .. } =
            self.health;
        if self.state != EndpointState::Enabled || failing_since.is_none() {
            return None;
        }
        let forgotten = |failure| at > failure + step * HEALTH_CLEARED_AFTER_STEPS;
        let health = if last_failure_at.is_none_or(forgotten) {
            // What was announced is kept: its end is still to be announced.
            Health { alerted_for, ..Health::default() }
        } else {
            let noted = last_success_at.is_some_and(|last| {
                let failed_since = last_failure_at > Some(last);
                at <= last || (!failed_since && at < last + step)
            });
            if noted {
                return None;
            }
            Health { last_success_at: Some(at), ..self.health }
        };
        Some(Self { health, ..self.clone() })
    }

    /// What the sweeper makes of it: announces a streak once, and its end; forgets what is over.
    /// `None` if it can stay as it is. An endpoint that is answered unchanged is to be written all
    /// the same: it is in the index, and does not belong there any more.
    pub fn tended(&self, rules: &HealthRules, now: Timestamp) -> Option<Self> {
        let mut next = self.clone();
        next.tell_of_streaks(rules, now);
        next.forget_what_is_over(rules.step(), now);
        (next != *self || !next.needs_attention()).then_some(next)
    }

    fn tell_of_streaks(&mut self, rules: &HealthRules, now: Timestamp) {
        let since = self.failing_since();
        let mailed = rules.alert_after.is_some();
        if let Some(told) = self.health.alerted_for
            && since != Some(told)
        {
            self.health.alerted_for = None;
            if self.state == EndpointState::Enabled {
                self.tell(Happening::Recovered, mailed, now, Some(told));
            }
        }
        let failing = self.failing_for(now);
        if self.health.alerted_for.is_none()
            && since.is_some()
            && failing >= rules.announced_after()
        {
            self.health.alerted_for = since;
            self.tell(Happening::Failing, mailed, now, since);
        }
    }

    /// A streak that is over would be forgotten by the next success, which may never come; one of
    /// an endpoint that gets nothing any more has no meaning.
    fn forget_what_is_over(&mut self, step: Duration, now: Timestamp) {
        let Health { last_failure_at, alerted_for, .. } = self.health;
        let long_ago =
            last_failure_at.is_none_or(|at| at + step * HEALTH_CLEARED_AFTER_STEPS < now);
        match self.state {
            EndpointState::Enabled if self.failing_since().is_none() && long_ago => {
                self.health = Health { alerted_for, ..Health::default() };
            }
            EndpointState::Enabled => {}
            EndpointState::Disabled { .. } | EndpointState::Deleted { .. } => {
                self.health = Health::default();
            }
        }
    }

    /// What daily makes of it: disabled, or its owner warned, once a streak. Both need a failure in
    /// the last seventh of the time to disable: of one that gets no events nothing is known.
    pub fn judged(&self, rules: &HealthRules, now: Timestamp) -> Option<Self> {
        let since = self.failing_since()?;
        let recent = rules.disable_after / HEALTH_RECENT_SHARE;
        if self.health.last_failure_at? + recent < now {
            return None;
        }
        let mut next = self.clone();
        if self.failing_for(now) >= rules.disabled_after() {
            next.state = EndpointState::Disabled { reason: DisabledReason::Failing, at: now };
            next.health = Health::default();
            next.tell(Happening::Disabled, true, now, Some(since));
            return Some(next);
        }
        if self.failing_for(now) >= rules.warn_after && self.health.warned_for != Some(since) {
            next.health.warned_for = Some(since);
            next.notices.insert(EndpointNotice {
                at: now,
                channel: Channel::Mail,
                what: Happening::Warned,
                since: Some(since),
            });
            return Some(next);
        }
        None
    }

    fn tell(&mut self, what: Happening, mailed: bool, at: Timestamp, since: Option<Timestamp>) {
        let channels = if mailed { &[Channel::Bus, Channel::Mail][..] } else { &[Channel::Bus] };
        let notice = |channel: &Channel| EndpointNotice { at, channel: *channel, what, since };
        self.notices.extend(channels.iter().map(notice));
    }
}

#[cfg(test)]
mod tests;
