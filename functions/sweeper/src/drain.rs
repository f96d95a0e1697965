//! Draining the dead-letter queues: what a sender failed at goes on from `due`, and what ingest
//! failed at is tried again after a day.
//!
//! Nothing in here deletes a message before what it asked for is safe elsewhere.

use std::time::Duration;

use domain::Timestamp;
use domain::limits::{DEAD_LETTER_BATCHES, EVENT_SET_ASIDE_S};
use domain::ports::{
    Backlog, Bus, Clock, DeadLetter, DeadLetters, Deliveries, Dlq, Jobs, Pause, PortResult, WakeUps,
};
use domain::wakeup::Call;
use futures::future::join_all;

use crate::{Sweeper, Swept};

/// What becomes of a dead letter.
enum Fate {
    /// It may be deleted.
    Safe,
    /// It stays, and the next sweep looks at it again.
    Stays,
}

impl<S, Q, B, C> Sweeper<S, Q, B, C>
where
    S: Deliveries + Jobs,
    Q: WakeUps + DeadLetters + Backlog,
    B: Bus,
    C: Clock + Pause,
{
    /// Drains all three queues, side by side.
    pub(crate) async fn drain(&self, stop_at: Timestamp) -> Swept {
        let queues = [Dlq::Events, Dlq::Send, Dlq::Retry];
        let drained = join_all(queues.map(|queue| self.drain_queue(queue, stop_at))).await;
        drained.into_iter().fold(Swept::default(), Swept::plus)
    }

    async fn drain_queue(&self, queue: Dlq, stop_at: Timestamp) -> Swept {
        let mut total = Swept::default();
        for _ in 0..DEAD_LETTER_BATCHES {
            if self.clock.now() >= stop_at {
                break;
            }
            let letters = match self.queues.receive(queue).await {
                Ok(letters) => letters,
                Err(error) => {
                    tracing::error!(?queue, %error, "dead letters not received");
                    total.errors += 1;
                    break;
                }
            };
            if letters.is_empty() {
                break;
            }
            let safe = match queue {
                Dlq::Events => self.try_events_again(letters, &mut total).await,
                Dlq::Send | Dlq::Retry => self.enter_due(letters, &mut total).await,
            };
            if safe.is_empty() && queue == Dlq::Events {
                break; // the others were set aside later, more or less
            }
            self.delete(queue, &safe, &mut total).await;
        }
        total
    }

    /// The deliveries named enter `due`. Answers the letters that are not needed any more.
    async fn enter_due(&self, letters: Vec<DeadLetter>, total: &mut Swept) -> Vec<DeadLetter> {
        let fates = join_all(letters.iter().map(|letter| self.put_to_work(letter))).await;
        let mut safe = Vec::new();
        for (letter, (fate, counted)) in letters.into_iter().zip(fates) {
            *total = total.clone().plus(counted);
            match fate {
                Fate::Safe => safe.push(letter),
                Fate::Stays => {}
            }
        }
        safe
    }

    async fn put_to_work(&self, letter: &DeadLetter) -> (Fate, Swept) {
        let call = match Call::parse(&letter.body) {
            Ok(call) => call,
            Err(error) => {
                // A newer version wrote it, or it is none of ours: for people to see.
                tracing::error!(message_id = letter.id, %error, "dead letter not understood");
                return (Fate::Stays, Swept { unreadable: 1, ..Swept::default() });
            }
        };
        let Some(id) = call.delivery_id() else {
            // A job's step: a job that stalls is found by its own record.
            tracing::warn!(endpoint_id = %call.endpoint_id(), "dead letter of a job");
            return (Fate::Safe, Swept::default());
        };
        // One with an open retry is in `due` from the moment it was opened.
        let now = self.clock.now();
        match self.store.enter_due(id, now).await {
            Ok(entered) => {
                tracing::warn!(delivery_id = %id, entered, "dead letter");
                (Fate::Safe, Swept { rescued: entered.into(), ..Swept::default() })
            }
            Err(error) => {
                tracing::error!(delivery_id = %id, %error, "dead letter not dealt with yet");
                (Fate::Stays, Swept { errors: 1, ..Swept::default() })
            }
        }
    }

    /// Sends back the events that were set aside a day ago. Answers those that were taken.
    async fn try_events_again(
        &self,
        letters: Vec<DeadLetter>,
        total: &mut Swept,
    ) -> Vec<DeadLetter> {
        let due = self.clock.now() - Duration::from_secs(EVENT_SET_ASIDE_S);
        let old: Vec<_> = letters.into_iter().filter(|letter| letter.sent_at <= due).collect();
        if old.is_empty() {
            return old;
        }
        let answers = self.queues.send_back(Dlq::Events, &old).await;
        let sent: Vec<bool> = noted(answers, "event not sent back", total);
        let taken = old.into_iter().zip(sent).filter(|(_, sent)| *sent);
        let taken: Vec<DeadLetter> = taken.map(|(letter, _)| letter).collect();
        total.sent_back += taken.len() as u64;
        taken
    }

    /// What is not deleted comes again, and then finds nothing left to do.
    async fn delete(&self, queue: Dlq, letters: &[DeadLetter], total: &mut Swept) {
        if letters.is_empty() {
            return;
        }
        let answers = self.queues.delete(queue, letters).await;
        let deleted = noted(answers, "dead letter not deleted", total);
        total.drained += deleted.into_iter().filter(|deleted| *deleted).count() as u64;
    }
}

/// Which calls worked; counts and logs the others.
fn noted(answers: Vec<PortResult<()>>, what: &'static str, total: &mut Swept) -> Vec<bool> {
    let one = |answer: PortResult<()>| match answer {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, what);
            total.errors += 1;
            false
        }
    };
    answers.into_iter().map(one).collect()
}
