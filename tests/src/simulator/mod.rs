//! The simulator: the real use cases over ports in memory, in virtual time, with everything going
//! wrong that can, from one seed. A history does random things under faults, then the faults stop
//! and it must come to rest; a model beside it says after every step what must be true.
//!
//! A failing seed prints its story, and replays: `cargo run -p tests --example soak -- --seed N`.

mod care;
mod history;
mod model;
mod plan;
mod weeks;

use std::collections::BTreeMap;

use crate::world::{Fault, PerFault};

pub use plan::{Manner, Plan};
pub use weeks::Outcomes;

/// How far machines' clocks may be off, in milliseconds.
pub const SKEW_MS: u64 = 1_000;

/// A history that came to rest without a violation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Endpoints that the suite disabled.
    pub disabled: u64,
    /// Mails to owners.
    pub mails: u64,
    /// What people did, and who else came by, by the verb; what the API refused is not counted.
    pub deeds: BTreeMap<&'static str, u64>,
    /// What went wrong.
    pub faults: PerFault,
}

impl Told {
    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for (deed, times) in other.deeds {
            *self.deeds.entry(deed).or_default() += times;
        }
        Self {
            steps: self.steps + other.steps,
            events: self.events + other.events,
            deliveries: self.deliveries + other.deliveries,
            posts: self.posts + other.posts,
            extra_posts: self.extra_posts + other.extra_posts,
            retries: self.retries + other.retries,
            disabled: self.disabled + other.disabled,
            mails: self.mails + other.mails,
            deeds: self.deeds,
            faults: self.faults.plus(other.faults),
        }
    }
}

/// A line for each figure.
impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let figures = [
            ("steps under faults", self.steps),
            ("events", self.events),
            ("deliveries", self.deliveries),
            ("POSTs", self.posts),
            ("of them extra", self.extra_posts),
            ("retries asked for", self.retries),
            ("endpoints disabled by the suite", self.disabled),
            ("mails", self.mails),
        ];
        figures.iter().try_for_each(|(name, count)| writeln!(f, "{count:>12}  {name}"))?;
        self.deeds.iter().try_for_each(|(deed, times)| writeln!(f, "{times:>12}  {deed}"))?;
        Fault::ALL.iter().try_for_each(|fault| {
            writeln!(f, "{:>12}  fault: {}", self.faults[*fault], fault.as_str())
        })?;
        write!(f, "{:>12}  faults in all", self.faults.total())
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

/// Everything that happens in the history of a plan, line by line.
pub fn story_of(plan: Plan) -> Vec<String> {
    history::History::new(plan).story()
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
