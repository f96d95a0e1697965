//! The ports, in memory. Each call passes the fuse before and after its effect.

use std::time::Duration;

use domain::Timestamp;
use domain::delivery::{Answer, Change, Delivery, Notice, OpenRetry, Stage, Status};
use domain::endpoint::Endpoint;
use domain::event::Event;
use domain::ids::{AccountId, DeliveryId, EndpointId, EventId, RetryId};
use domain::ports::{
    Announcement, Bus, Clock, Deliveries, Dice, DueEntry, DuePage, Endpoints, Events, Outgoing,
    PortResult, Receiver, Refused, Rejected, Scheduled, Scheduler, Secrets, Stored, WakeUps,
};
use domain::schedule::{Roll, Tier};
use domain::secret::SigningSecrets;
use domain::wakeup::WakeUp;
use domain::webhook::WebhookRequest;

use super::faults::{Fate, Fault};
use super::{Post, Queued, State, World};

impl World {
    /// A call that cannot fail by itself: it passes the fuse, and meets its fate.
    pub(super) async fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut State) -> T,
    ) -> PortResult<T> {
        let fated = || {
            let mut state = self.state();
            state.interfere(name);
            let refused = state.failing_call.take_if(|failing| *failing == name).is_some();
            let fate = if refused { Fate::Refused } else { state.faults.fate() };
            fate.apply(name, || effect(&mut state))
        };
        self.fuse().call(name, fated).await
    }

    /// A call with a batch: each entry meets a fate of its own.
    pub(super) async fn batch<E>(
        &self,
        name: &'static str,
        entries: &[E],
        effect: impl Fn(&mut State, &E),
    ) -> Vec<PortResult<()>> {
        let fated = || {
            let mut state = self.state();
            let one = |entry: &E| {
                let fate = state.faults.fate();
                fate.apply(name, || effect(&mut state, entry))
            };
            let answers: Vec<PortResult<()>> = entries.iter().map(one).collect();
            let failed = answers.iter().filter(|answer| answer.is_err()).count();
            let in_part = failed > 0 && failed < answers.len();
            state.faults.counts[Fault::InPart] += u64::from(in_part);
            answers
        };
        self.fuse().call(name, fated).await
    }
}

impl Endpoints for World {
    async fn of_account(&self, account: &AccountId) -> PortResult<Vec<Endpoint>> {
        let of_account = |state: &mut State| {
            state.endpoints.iter().filter(|e| e.account_id == *account).cloned().collect()
        };
        self.call("endpoints.of_account", of_account).await
    }

    async fn endpoint(&self, account: &AccountId, id: &EndpointId) -> PortResult<Option<Endpoint>> {
        let find = |state: &mut State| {
            state.endpoints.iter().find(|e| e.id == *id && e.account_id == *account).cloned()
        };
        self.call("endpoints.endpoint", find).await
    }
}

impl Secrets for World {
    async fn secrets(&self, id: &EndpointId) -> PortResult<Option<SigningSecrets>> {
        self.call("secrets.secrets", |state| state.secrets.get(id).cloned()).await
    }
}

impl Events for World {
    async fn store(&self, event: &Event) -> PortResult<Stored> {
        let store = |state: &mut State| match state.events.get(&event.id) {
            Some(existing) => Stored::Existing(Box::new(existing.clone())),
            None => {
                state.events.insert(event.id.clone(), event.clone());
                Stored::New
            }
        };
        self.call("events.store", store).await
    }

    async fn event(&self, id: &EventId) -> PortResult<Option<Event>> {
        self.call("events.event", |state| state.events.get(id).cloned()).await
    }

    async fn erase_payload(&self, id: &EventId, at: Timestamp) -> PortResult<bool> {
        let erase = |state: &mut State| state.events.get_mut(id).map(|event| event.erase(at));
        Ok(self.call("events.erase_payload", erase).await?.is_some())
    }
}

impl Deliveries for World {
    async fn create(&self, delivery: &Delivery) -> PortResult<Status> {
        let create = |state: &mut State| {
            let id = delivery.id.clone();
            state.deliveries.entry(id).or_insert_with(|| delivery.clone()).status
        };
        self.call("deliveries.create", create).await
    }

    async fn delivery(&self, id: &DeliveryId) -> PortResult<Option<Delivery>> {
        self.call("deliveries.delivery", |state| state.deliveries.get(id).cloned()).await
    }

    async fn claim(
        &self,
        id: &DeliveryId,
        tier: Tier,
        until: Timestamp,
        now: Timestamp,
    ) -> PortResult<bool> {
        let free = |d: &Delivery| {
            d.status.is_open() && d.scheduled_attempts == tier && d.live_claim(now).is_none()
        };
        self.write("deliveries.claim", id, free, |d| d.busy_until = Some(until)).await
    }

    async fn open_retry(&self, id: &DeliveryId, retry: &OpenRetry) -> PortResult<bool> {
        let job = retry.by.job();
        let free =
            |d: &Delivery| d.open_retry.is_none() && (job.is_none() || d.job_id.as_ref() != job);
        let opened = |d: &mut Delivery| {
            d.open_retry = Some(retry.clone());
            d.due_at = Some(retry.opened_at);
            if job.is_some() {
                d.job_id = job.cloned();
            }
        };
        self.write("deliveries.open_retry", id, free, opened).await
    }

    async fn claim_retry(
        &self,
        id: &DeliveryId,
        retry: &RetryId,
        until: Timestamp,
        now: Timestamp,
    ) -> PortResult<bool> {
        let open = |d: &Delivery| d.open_retry.as_ref().filter(|open| open.id == *retry).cloned();
        let free = |d: &Delivery| {
            open(d).is_some_and(|retry| retry.busy_until.is_none_or(|until| until <= now))
        };
        let claimed = |d: &mut Delivery| {
            if let Some(open) = &mut d.open_retry {
                open.busy_until = Some(until);
            }
        };
        self.write("deliveries.claim_retry", id, free, claimed).await
    }

    async fn commit(&self, id: &DeliveryId, expected: &Stage, change: &Change) -> PortResult<bool> {
        let unchanged = |d: &Delivery| d.stage() == *expected;
        self.write("deliveries.commit", id, unchanged, |d| d.apply(change)).await
    }

    async fn erase_answers(&self, was: &Delivery, at: Timestamp) -> PortResult<bool> {
        let same = |d: &Delivery| d.stage() == was.stage() && d.attempt_count == was.attempt_count;
        self.write("deliveries.erase_answers", &was.id, same, |d| d.erase(at)).await
    }

    async fn due(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&DueEntry>,
        limit: usize,
    ) -> PortResult<DuePage> {
        let read = |state: &mut State| {
            let mut entries: Vec<DueEntry> = state
                .deliveries
                .values()
                .filter_map(|d| d.due_at.filter(|at| *at <= until).map(|at| (d, at)))
                .filter(|(d, _)| d.id.due_shard() == shard)
                .map(|(d, due_at)| DueEntry { id: d.id.clone(), due_at })
                .collect();
            entries.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
            entries.retain(|e| after.is_none_or(|a| (e.due_at, &e.id) > (a.due_at, &a.id)));
            let next = (entries.len() > limit).then(|| entries[limit - 1].clone());
            entries.truncate(limit);
            DuePage { entries, next }
        };
        self.call("deliveries.due", read).await
    }

    async fn back_off(&self, entry: &DueEntry, to: Timestamp, back_off_s: u32) -> PortResult<bool> {
        let stands = |d: &Delivery| d.due_at == Some(entry.due_at);
        let moved = |d: &mut Delivery| {
            d.due_at = Some(to);
            d.back_off_s = Some(back_off_s);
        };
        self.write("deliveries.back_off", &entry.id, stands, moved).await
    }

    async fn enter_due(&self, id: &DeliveryId, at: Timestamp) -> PortResult<bool> {
        let outside = |d: &Delivery| d.status.is_open() && d.due_at.is_none();
        self.write("deliveries.enter_due", id, outside, |d| d.due_at = Some(at)).await
    }

    async fn put_off(
        &self,
        id: &DeliveryId,
        expected: &Stage,
        due_at: Timestamp,
    ) -> PortResult<bool> {
        let there = |d: &Delivery| d.stage() == *expected;
        self.write("deliveries.put_off", id, there, |d| d.due_at = Some(due_at)).await
    }

    async fn take_out(&self, id: &DeliveryId, announced: Option<Notice>) -> PortResult<bool> {
        let done =
            |d: &Delivery| !d.status.is_open() && d.open_retry.is_none() && d.notice == announced;
        let out = |d: &mut Delivery| {
            d.due_at = None;
            d.notice = None;
        };
        self.write("deliveries.take_out", id, done, out).await
    }

    async fn announced(&self, id: &DeliveryId, notice: Notice) -> PortResult<bool> {
        let pending = |d: &Delivery| d.notice == Some(notice);
        self.write("deliveries.announced", id, pending, |d| d.notice = None).await
    }
}

impl World {
    async fn write(
        &self,
        name: &'static str,
        id: &DeliveryId,
        condition: impl FnOnce(&Delivery) -> bool,
        change: impl FnOnce(&mut Delivery),
    ) -> PortResult<bool> {
        let write = |state: &mut State| match state.deliveries.get_mut(id) {
            Some(delivery) if condition(delivery) => {
                change(delivery);
                true
            }
            Some(_) | None => false,
        };
        self.call(name, write).await
    }
}

impl WakeUps for World {
    async fn send(&self, wake_ups: &[Outgoing]) -> Vec<PortResult<()>> {
        let send = |state: &mut State, Outgoing { lane, call, delay_s }: &Outgoing| {
            let at = state.now + Duration::from_secs((*delay_s).into());
            state.enqueue(*lane, call.to_json(), at);
        };
        self.batch("wake_ups.send", wake_ups, send).await
    }
}

impl State {
    /// What somebody else does just before a call of this name.
    pub(super) fn interfere(&mut self, name: &'static str) {
        if let Some((_, other)) = self.interference.take_if(|(before, _)| *before == name) {
            other(self);
        }
    }

    pub(super) fn enqueue(&mut self, lane: super::Lane, body: String, at: Timestamp) {
        let copies = if self.faults.happens(Fault::Doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let late_s = self.faults.seconds(Fault::Late, 600);
            self.next_message += 1;
            let id = format!("message-{}", self.next_message);
            let at = at + Duration::from_secs(late_s);
            self.queued.push(Queued { lane, body: body.clone(), at, received: 0, id });
        }
    }
}

impl Rejected for World {
    async fn reject(&self, refused: &[Refused]) -> Vec<PortResult<()>> {
        let reject = |state: &mut State, refused: &Refused| state.rejected.push(refused.clone());
        self.batch("rejected.reject", refused, reject).await
    }
}

impl Bus for World {
    async fn announce(&self, announcements: &[Announcement]) -> Vec<PortResult<()>> {
        let announce = |state: &mut State, one: &Announcement| state.announced.push(one.clone());
        self.batch("bus.announce", announcements, announce).await
    }
}

impl Scheduler for World {
    async fn schedule(&self, wake_up: &WakeUp, at: Timestamp) -> PortResult<Scheduled> {
        let schedule = |state: &mut State| {
            if state.faults.happens(Fault::Throttled) {
                return Ok(Scheduled::Throttled);
            }
            let silent = state.faults.happens(Fault::Silent);
            if silent && state.faults.dice.chance(500) {
                return Ok(Scheduled::Unclear("no answer (injected)".into()));
            }
            let made = state.make_schedule(wake_up, at);
            if silent { Ok(Scheduled::Unclear("no answer (injected)".into())) } else { made }
        };
        self.call("scheduler.schedule", schedule).await?
    }
}

impl State {
    /// What a clock shows that is off by so much.
    pub(super) fn clock_of(&self, skew_ms: i64) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis() + skew_ms)
    }

    fn make_schedule(&mut self, wake_up: &WakeUp, at: Timestamp) -> PortResult<Scheduled> {
        let name = wake_up.schedule_name();
        if self.schedules.contains_key(&name) {
            return Ok(Scheduled::Exists);
        }
        let fires_at = Timestamp::from_secs(at.ceil_secs());
        if fires_at <= self.now {
            return Ok(Scheduled::Past);
        }
        let early = Duration::from_secs(self.faults.seconds(Fault::FiresEarly, 120));
        let late = Duration::from_secs(self.faults.seconds(Fault::FiresLate, 1_200));
        self.schedules.insert(name, (fires_at - early + late, wake_up.to_json()));
        Ok(Scheduled::Created)
    }
}

impl Receiver for World {
    async fn post(&self, request: &WebhookRequest, timeout: Duration) -> Answer {
        let post = |state: &mut State| {
            let post = Post { at: state.now, request: request.clone() };
            let answer = (state.receiver)(&post);
            state.posts.push(post);
            assert!(u128::from(answer.duration_ms) <= timeout.as_millis());
            if state.requests_take_time {
                state.now = state.now + Duration::from_millis(answer.duration_ms);
            }
            answer
        };
        self.fuse().call("receiver.post", || post(&mut self.state())).await
    }

    async fn post_watched(
        &self,
        request: &WebhookRequest,
        timeout: Duration,
        patience: Duration,
        silent: impl Future<Output = ()> + Send,
    ) -> Answer {
        let answer = self.post(request, timeout).await;
        if Duration::from_millis(answer.duration_ms) > patience {
            silent.await;
        }
        answer
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let state = self.state();
        state.clock_of(state.skew_ms)
    }
}

impl Dice for World {
    fn roll(&self) -> Roll {
        Roll::from_random(self.state().roll)
    }
}
