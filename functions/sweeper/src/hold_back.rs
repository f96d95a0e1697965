//! Holding back: no wake-ups for a queue that is behind and not catching up. What waits there
//! wakes its deliveries itself; more of it would only be in the way.

use std::time::Duration;

use domain::ports::{Backlog, Pause, PortResult};
use domain::wakeup::{Call, Lane};
use tokio::sync::OnceCell;

/// Each lane's gate, opened or closed at most once a run, and only when something wants through:
/// most runs wake nothing, read no count and wait for nobody.
pub(crate) struct Gates<'s, Q, C> {
    queues: &'s Q,
    clock: &'s C,
    apart: Duration,
    send: OnceCell<bool>,
    retry: OnceCell<bool>,
}

impl<'s, Q: Backlog, C: Pause> Gates<'s, Q, C> {
    /// With readings so far apart.
    pub fn new(queues: &'s Q, clock: &'s C, apart: Duration) -> Self {
        Self { queues, clock, apart, send: OnceCell::new(), retry: OnceCell::new() }
    }

    /// Whether wake-ups may be sent into a lane.
    pub async fn is_open(&self, lane: Lane) -> PortResult<bool> {
        let gate = match lane {
            Lane::Send => &self.send,
            Lane::Retry => &self.retry,
        };
        gate.get_or_try_init(|| self.look(lane)).await.copied()
    }

    /// Those calls whose lane is open, and the number of the others.
    pub async fn let_through(&self, calls: Vec<Call>) -> PortResult<(Vec<Call>, u64)> {
        let (mut through, mut held_back) = (Vec::new(), 0);
        for call in calls {
            if self.is_open(call.lane()).await? {
                through.push(call);
            } else {
                held_back += 1;
            }
        }
        Ok((through, held_back))
    }

    /// Open if nothing waits there, or if a second look sees less than the first.
    async fn look(&self, lane: Lane) -> PortResult<bool> {
        let first = self.queues.visible(lane).await?;
        if first == 0 {
            return Ok(true);
        }
        self.clock.pause(self.apart).await;
        let second = self.queues.visible(lane).await?;
        let falling = second < first;
        tracing::info!(?lane, first, second, falling, "queue is not empty");
        Ok(falling)
    }
}
