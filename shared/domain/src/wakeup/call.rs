//! Everything a message on the queues of wake-ups can ask for, and how it is written.

use serde::{Deserialize, Serialize};

use super::{Lane, Origin, WAKE_UP_VERSION, WakeUp};
use crate::delivery::RetryBy;
use crate::ids::{DeliveryId, EndpointId, JobId, RetryId};
use crate::schedule::Tier;

/// What a message on `SendQueue` or `RetryQueue` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A scheduled attempt may be due.
    Scheduled(WakeUp),
    /// A retry that somebody asked for is open.
    Retry(RetryCall),
    /// A job's next step may be due.
    Step(JobStep),
}

/// "This retry is open: make it."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryCall {
    /// Of which delivery.
    pub delivery_id: DeliveryId,
    /// Which retry.
    pub retry_id: RetryId,
    /// Who asked for it.
    pub by: RetryBy,
    /// Whether another one for the same retry may be about.
    pub is_copy: bool,
}

/// "Go on with this job."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStep {
    /// Which job.
    pub job_id: JobId,
    /// Whose deliveries it is about.
    pub endpoint_id: EndpointId,
    /// How many steps came before; one that was made already is stale.
    pub seq: u32,
}

/// A message body that is no wake-up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a wake-up this version understands: {0}")]
pub struct NotAWakeUp(String);

#[derive(Serialize, Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct Versioned {
    v: u32,
    #[serde(flatten)]
    wire: Wire,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Wire {
    Scheduled { delivery: String, tier: Tier, origin: Origin },
    Manual { delivery: String, retry: String, copy: bool },
    Recover { delivery: String, retry: String, job: String, copy: bool },
    Job { job: String, endpoint: String, seq: u32 },
}

impl Call {
    /// The delivery it is about, if it is about one.
    pub fn delivery_id(&self) -> Option<&DeliveryId> {
        match self {
            Call::Scheduled(wake_up) => Some(&wake_up.delivery_id),
            Call::Retry(retry) => Some(&retry.delivery_id),
            Call::Step(_) => None,
        }
    }

    /// The endpoint it is about: messages of one endpoint stand in one queue group.
    pub fn endpoint_id(&self) -> &EndpointId {
        match self {
            Call::Scheduled(wake_up) => wake_up.delivery_id.endpoint(),
            Call::Retry(retry) => retry.delivery_id.endpoint(),
            Call::Step(step) => &step.endpoint_id,
        }
    }

    /// The queue it goes to, unless somebody knows better.
    pub fn lane(&self) -> Lane {
        match self {
            Call::Scheduled(wake_up) => Lane::of_tier(wake_up.tier),
            Call::Retry(RetryCall { by: RetryBy::Manual, .. }) => Lane::Send,
            Call::Retry(RetryCall { by: RetryBy::Recover(_), .. }) | Call::Step(_) => Lane::Retry,
        }
    }

    /// The message body.
    pub fn to_json(&self) -> String {
        let wire = match self {
            Call::Scheduled(WakeUp { delivery_id, tier, origin }) => {
                Wire::Scheduled { delivery: delivery_id.to_string(), tier: *tier, origin: *origin }
            }
            Call::Retry(RetryCall { delivery_id, retry_id, by, is_copy }) => {
                let (delivery, retry) = (delivery_id.to_string(), retry_id.to_string());
                match by {
                    RetryBy::Manual => Wire::Manual { delivery, retry, copy: *is_copy },
                    RetryBy::Recover(job) => {
                        Wire::Recover { delivery, retry, job: job.to_string(), copy: *is_copy }
                    }
                }
            }
            Call::Step(JobStep { job_id, endpoint_id, seq }) => {
                Wire::Job { job: job_id.to_string(), endpoint: endpoint_id.to_string(), seq: *seq }
            }
        };
        serde_json::to_string(&Versioned { v: WAKE_UP_VERSION, wire })
            .expect("strings and numbers are always JSON")
    }

    /// Reads a message body.
    ///
    /// # Errors
    /// [`NotAWakeUp`] for another format, version or kind; such a message stays on the queue and
    /// ends in its dead-letter queue, where a newer version can still read it.
    pub fn parse(body: &str) -> Result<Self, NotAWakeUp> {
        let wrong = |e: &dyn std::fmt::Display| NotAWakeUp(e.to_string());
        let Version { v } = serde_json::from_str(body).map_err(|e| wrong(&e))?;
        if v != WAKE_UP_VERSION {
            return Err(NotAWakeUp(format!("version {v}")));
        }
        let Versioned { wire, .. } = serde_json::from_str(body).map_err(|e| wrong(&e))?;
        let delivery = |id: &str| DeliveryId::parse(id).map_err(|e| wrong(&e));
        let retry = |id: &str| RetryId::parse(id).map_err(|e| wrong(&e));
        let job = |id: &str| JobId::parse(id).map_err(|e| wrong(&e));
        Ok(match wire {
            Wire::Scheduled { delivery: id, tier, origin } => {
                Call::Scheduled(WakeUp { delivery_id: delivery(&id)?, tier, origin })
            }
            Wire::Manual { delivery: id, retry: retry_id, copy } => Call::Retry(RetryCall {
                delivery_id: delivery(&id)?,
                retry_id: retry(&retry_id)?,
                by: RetryBy::Manual,
                is_copy: copy,
            }),
            Wire::Recover { delivery: id, retry: retry_id, job: job_id, copy } => {
                Call::Retry(RetryCall {
                    delivery_id: delivery(&id)?,
                    retry_id: retry(&retry_id)?,
                    by: RetryBy::Recover(job(&job_id)?),
                    is_copy: copy,
                })
            }
            Wire::Job { job: job_id, endpoint, seq } => Call::Step(JobStep {
                job_id: job(&job_id)?,
                endpoint_id: EndpointId::parse(&endpoint).map_err(|e| wrong(&e))?,
                seq,
            }),
        })
    }
}

impl From<WakeUp> for Call {
    fn from(wake_up: WakeUp) -> Self {
        Call::Scheduled(wake_up)
    }
}
