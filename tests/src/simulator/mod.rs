//! The simulator: the real use cases over ports in memory, in virtual time, with everything going
//! wrong that can, from one seed. A history does random things under faults, then the faults stop
//! and it must come to rest; a model beside it says after every step what must be true.
//!
//! A failing seed prints its story, and replays: `cargo run -p tests --example soak -- --seed N`.

mod history;
mod model;
mod people;
mod weeks;

use crate::world::Counts;

pub use history::Plan;
pub use weeks::Outcomes;

/// A history that came to rest without a violation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Steps taken under faults.
    pub steps: u64,
    /// Events accepted.
    pub events: u64,
    /// Deliveries made.
    pub deliveries: u64,
    /// Requests that endpoints received.
    pub posts: u64,
    /// Requests beyond one per committed attempt: what a duplicate can still look like.
    pub extra_posts: u64,
    /// Retries that people and recoveries asked for.
    pub retries: u64,
    /// What went wrong.
    pub faults: Counts,
}

impl Told {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            events: self.events + other.events,
            deliveries: self.deliveries + other.deliveries,
            posts: self.posts + other.posts,
            extra_posts: self.extra_posts + other.extra_posts,
            retries: self.retries + other.retries,
            faults: self.faults.plus(other.faults),
        }
    }
}

/// A history in which something happened that must not.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Replays it.
    pub seed: u64,
    /// What must not happen.
    pub what: String,
    /// What led to it.
    pub story: Vec<String>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        self.story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Tells the history of a seed.
///
/// # Errors
/// The first violation.
pub fn tell(seed: u64) -> Result<Told, Box<Violation>> {
    tell_plan(Plan::from_seed(seed))
}

/// Tells the history of a plan.
///
/// # Errors
/// The first violation.
pub fn tell_plan(plan: Plan) -> Result<Told, Box<Violation>> {
    history::History::new(plan).tell()
}

/// Tells the history of a seed, takes something away behind everybody's back, and wants the audit
/// to find just that.
///
/// # Errors
/// The first violation.
pub fn tell_and_tamper(seed: u64) -> Result<Told, Box<Violation>> {
    history::History::new(Plan::from_seed(seed)).tell_and_tamper()
}

/// Tells the weeks of a seed: endpoints' health, day by day.
///
/// # Errors
/// The first violation.
pub fn tell_weeks(seed: u64) -> Result<Outcomes, Box<Violation>> {
    weeks::Weeks::new(seed).tell()
}
