//! What must be true of endpoints: who is disabled has deserved it, a tombstone stays one, and
//! whatever happened to one is told (design 3.4, 3.7).

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use domain::delivery::Outcome;
use domain::endpoint::notice::{Channel, EndpointNotice, Happening};
use domain::endpoint::{DisabledReason, Endpoint, EndpointState};
use domain::ids::EndpointId;
use domain::ports::Announcement;
use domain::wakeup::Call;

use super::model::{Holds, ensure};
use crate::world::{Fault, State, World};

/// Something that is to be told on the bus: about whom, what, and of which moment.
type Fact = (EndpointId, &'static str, Timestamp);

/// What has been seen of endpoints so far.
#[derive(Default)]
pub struct Care {
    known: BTreeMap<EndpointId, Endpoint>,
    /// What has happened and was not heard of yet.
    owed: BTreeSet<Fact>,
    heard: usize,
    told: BTreeSet<Fact>,
    /// How often each was disabled by the suite.
    disabled: BTreeMap<EndpointId, usize>,
}

impl Care {
    /// After every step.
    pub fn check(&mut self, world: &World) -> Holds {
        let state = world.state();
        let facts = state.announced[self.heard..].iter().filter_map(fact_of);
        self.told.extend(facts);
        self.heard = state.announced.len();
        for endpoint in &state.endpoints {
            let before = self.known.get(&endpoint.id);
            if before == Some(endpoint) {
                continue;
            }
            if let Some(before) = before.cloned() {
                self.check_change(&state, &before, endpoint)?;
            }
            self.known.insert(endpoint.id.clone(), endpoint.clone());
        }
        self.owed.retain(|fact| !self.told.contains(fact));
        let pending: BTreeSet<Fact> = state.endpoints.iter().flat_map(pending).collect();
        let silent = self.owed.iter().find(|fact| !pending.contains(*fact));
        silent.map_or(Ok(()), |(id, what, at)| {
            Err(format!("{what} of {id} at {at}, and nobody will hear of it"))
        })
    }

    /// How often the suite disabled an endpoint.
    pub fn disabled(&self) -> u64 {
        u64::try_from(self.disabled.values().sum::<usize>()).unwrap_or(u64::MAX)
    }

    fn check_change(&mut self, state: &State, before: &Endpoint, now: &Endpoint) -> Holds {
        let id = &now.id;
        let gone = |endpoint: &Endpoint| matches!(endpoint.state, EndpointState::Deleted { .. });
        ensure(!gone(before) || before.state == now.state, || format!("{id} is back"))?;
        let mut owe = |what, at| self.owed.insert((id.clone(), what, at));
        match (before.state, now.state) {
            (was, is) if was == is => {
                let (was, is) = (before.health.alerted_for, now.health.alerted_for);
                let same_life = before.enabled_at == now.enabled_at;
                if let Some(over) = was.filter(|_| was != is && same_life) {
                    owe("endpoint.recovered", over);
                }
                if let Some(since) = is.filter(|_| was != is) {
                    owe("endpoint.failing", since);
                }
            }
            (_, EndpointState::Enabled) => {
                owe("endpoint.enabled", now.enabled_at);
            }
            (_, EndpointState::Disabled { reason, at }) => {
                owe("endpoint.disabled", at);
                if reason == DisabledReason::Failing {
                    deserved(state, before, at)?;
                    *self.disabled.entry(id.clone()).or_default() += 1;
                }
            }
            (_, EndpointState::Deleted { .. }) => {}
        }
        self.check_mails(state, now)
    }

    /// Its owner gets a mail each time the suite disables it.
    fn check_mails(&self, state: &State, endpoint: &Endpoint) -> Holds {
        let host = format!("endpoint {}.example.com", &endpoint.id.as_str()[3..]);
        let disabled = self.disabled.get(&endpoint.id).copied().unwrap_or(0);
        if disabled == 0 || matches!(endpoint.state, EndpointState::Deleted { .. }) {
            return Ok(());
        }
        let of_it =
            |subject: &str| subject.contains(&host) && subject.contains("has been disabled");
        let mailed = state.mails.iter().filter(|mail| of_it(&mail.subject)).count();
        let waits = |notice: &&EndpointNotice| {
            (notice.what, notice.channel) == (Happening::Disabled, Channel::Mail)
        };
        let waiting = endpoint.notices.iter().filter(waits).count();
        ensure(mailed + waiting >= disabled, || {
            format!("{} was disabled {disabled} times, {mailed} mailed", endpoint.id)
        })
    }
}

/// Nobody with a success on record within the time is disabled, nor anybody who was enabled
/// within it. A success whose wake-up is still to come again, because noting it failed, is not on
/// record yet; nor one whose wake-up was set aside after that.
pub(super) fn deserved(state: &State, before: &Endpoint, at: Timestamp) -> Holds {
    let id = &before.id;
    let since = at - state.disable_after;
    ensure(before.enabled_at <= since, || format!("{id} was enabled within the time"))?;
    if state.faults.counts[Fault::SetAside] > 0 {
        return Ok(());
    }
    for delivery in state.deliveries.values().filter(|d| d.id.endpoint() == id) {
        let good = |a: &&domain::delivery::Attempt| {
            a.answer.outcome == Outcome::Succeeded && a.at >= since
        };
        let Some(good) = delivery.attempts.iter().find(good) else { continue };
        let owed = state.queued.iter().any(|queued| {
            let about = Call::parse(&queued.body).ok();
            queued.received > 0
                && about.is_some_and(|call| call.delivery_id() == Some(&delivery.id))
        });
        ensure(owed, || {
            let (when, health) = (good.at, before.health);
            format!("{id} was disabled at {at}, and succeeded at {when}: {health:?}, {delivery:?}")
        })?;
    }
    Ok(())
}

fn fact_of(announcement: &Announcement) -> Option<Fact> {
    let moment = match announcement.name {
        "endpoint.failing" | "endpoint.recovered" => "failing_since",
        "endpoint.enabled" | "endpoint.disabled" => "at",
        _ => return None,
    };
    let text = |name: &str| announcement.detail.get(name)?.as_str();
    let id = EndpointId::parse(text("endpoint_id")?).ok()?;
    Some((id, announcement.name, Timestamp::parse(text(moment)?).ok()?))
}

fn pending(endpoint: &Endpoint) -> impl Iterator<Item = Fact> {
    let bus = endpoint.notices.iter().filter(|notice| notice.channel == Channel::Bus);
    bus.filter_map(|notice| {
        let (name, moment) = match notice.what {
            Happening::Failing => ("endpoint.failing", notice.since?),
            Happening::Recovered => ("endpoint.recovered", notice.since?),
            Happening::Disabled | Happening::DisabledByHand => ("endpoint.disabled", notice.at),
            Happening::Enabled => ("endpoint.enabled", notice.at),
            Happening::Warned => return None,
        };
        Some((endpoint.id.clone(), name, moment))
    })
}
