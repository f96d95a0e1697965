//! What can go wrong, drawn from one seed.

use std::ops::{Index, IndexMut};

use domain::ports::{PortError, PortResult};

use super::dice::Dice;

/// One way in which things go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A call, or an entry of a batch call, is refused and has no effect.
    Refused,
    /// It has its effect, but the answer is lost.
    AnswerLost,
    /// A service is throttled: some calls in a row are refused.
    Busy,
    /// A batch call works for some of its entries and fails for others.
    InPart,
    /// A message arrives twice.
    Doubled,
    /// A message arrives up to ten minutes late.
    Late,
    /// A message is received before one that could be received earlier.
    Reordered,
    /// A message is handed out again while somebody is still at work on it.
    InWork,
    /// A message is set aside in its dead-letter queue, before its time or received too often.
    SetAside,
    /// Scheduler throttles.
    Throttled,
    /// Scheduler is silent; half the time the schedule was made all the same.
    Silent,
    /// A schedule never fires.
    NeverFires,
    /// A schedule fires twice.
    FiresTwice,
    /// A schedule fires up to two minutes early.
    FiresEarly,
    /// A schedule fires up to twenty minutes late.
    FiresLate,
    /// Whoever is at work is killed, at some call.
    Killed,
    /// A machine's clock is off by up to a second.
    Skewed,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Refused,
        Self::AnswerLost,
        Self::Busy,
        Self::InPart,
        Self::Doubled,
        Self::Late,
        Self::Reordered,
        Self::InWork,
        Self::SetAside,
        Self::Throttled,
        Self::Silent,
        Self::NeverFires,
        Self::FiresTwice,
        Self::FiresEarly,
        Self::FiresLate,
        Self::Killed,
        Self::Skewed,
    ];

    /// As it is written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::AnswerLost => "answer_lost",
            Self::Busy => "busy",
            Self::InPart => "in_part",
            Self::Doubled => "doubled",
            Self::Late => "late",
            Self::Reordered => "reordered",
            Self::InWork => "in_work",
            Self::SetAside => "set_aside",
            Self::Throttled => "throttled",
            Self::Silent => "silent",
            Self::NeverFires => "never_fires",
            Self::FiresTwice => "fires_twice",
            Self::FiresEarly => "fires_early",
            Self::FiresLate => "fires_late",
            Self::Killed => "killed",
            Self::Skewed => "skewed",
        }
    }

    /// Reads the spelling of [`Fault::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == text)
    }
}

/// A number for each kind of fault: how often it happens, per mille of its occasions, or how often
/// it has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerFault([u64; Fault::ALL.len()]);

impl Index<Fault> for PerFault {
    type Output = u64;

    fn index(&self, fault: Fault) -> &u64 {
        &self.0[fault as usize]
    }
}

impl IndexMut<Fault> for PerFault {
    fn index_mut(&mut self, fault: Fault) -> &mut u64 {
        &mut self.0[fault as usize]
    }
}

impl PerFault {
    /// For no kind but this.
    #[must_use]
    pub fn only(self, fault: Fault) -> Self {
        let mut one = Self::default();
        one[fault] = self[fault];
        one
    }

    /// Whether all are 0.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Whether no wake-up can be lost: Scheduler may throttle or be silent, whoever is at work may be
    /// killed, and that is all.
    pub fn keeps_wake_ups(mut self) -> bool {
        for harmless in [Fault::Throttled, Fault::Silent, Fault::Killed] {
            self[harmless] = 0;
        }
        self.is_nothing()
    }

    /// All together.
    pub fn total(self) -> u64 {
        self.0.iter().sum()
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
        self
    }
}

/// Calls in a row that a throttled service refuses.
const BUSY_CALLS: u64 = 6;

/// The source of trouble of a world.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Where randomness comes from.
    pub dice: Dice,
    /// How often.
    pub rates: PerFault,
    /// What has been.
    pub counts: PerFault,
    /// Calls that will still be refused.
    busy: u64,
}

impl Default for Faults {
    fn default() -> Self {
        let (rates, counts) = (PerFault::default(), PerFault::default());
        Self { dice: Dice::new(0), rates, counts, busy: 0 }
    }
}

/// What happens to one call or entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Works,
    Refused,
    AnswerLost,
}

impl Faults {
    /// Whether it happens this time; counts it if so.
    pub fn happens(&mut self, fault: Fault) -> bool {
        let happens = self.rates[fault] > 0 && self.dice.chance(self.rates[fault]);
        self.counts[fault] += u64::from(happens);
        happens
    }

    /// Up to so many seconds if it happens, else none.
    pub(crate) fn seconds(&mut self, fault: Fault, most: u64) -> u64 {
        if self.happens(fault) { 1 + self.dice.below(most) } else { 0 }
    }

    /// Nothing goes wrong any more.
    pub fn stop(&mut self) {
        (self.rates, self.busy) = (PerFault::default(), 0);
    }

    pub(crate) fn fate(&mut self) -> Fate {
        if self.busy == 0 && self.happens(Fault::Busy) {
            self.busy = 1 + self.dice.below(BUSY_CALLS);
        }
        if self.busy > 0 {
            self.busy -= 1;
            return Fate::Refused;
        }
        match () {
            () if self.happens(Fault::Refused) => Fate::Refused,
            () if self.happens(Fault::AnswerLost) => Fate::AnswerLost,
            () => Fate::Works,
        }
    }
}

impl Fate {
    /// Carries out one call or entry.
    pub(crate) fn apply<T>(self, name: &'static str, effect: impl FnOnce() -> T) -> PortResult<T> {
        match self {
            Fate::Works => Ok(effect()),
            Fate::Refused => Err(PortError::new(name, "refused (injected)")),
            Fate::AnswerLost => {
                effect();
                Err(PortError::new(name, "answer lost (injected)"))
            }
        }
    }
}
