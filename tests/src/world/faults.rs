//! What can go wrong with a call, drawn from one seed.

use domain::ports::{PortError, PortResult};

/// Random numbers that are the same for the same seed, for ever (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let len = u64::try_from(all.len()).ok().filter(|len| *len > 0)?;
        usize::try_from(self.below(len)).ok().and_then(|nth| all.get(nth))
    }
}

/// How often what goes wrong, per mille of the calls; all 0 when everything works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// A call, or an entry of a batch call, is refused and has no effect.
    pub refused: u64,
    /// It has its effect, but the answer is lost.
    pub answer_lost: u64,
    /// A message arrives twice.
    pub doubled: u64,
    /// A message arrives up to ten minutes late.
    pub late: u64,
    /// Scheduler throttles.
    pub throttled: u64,
    /// Scheduler is silent; half the time the schedule was made all the same.
    pub silent: u64,
    /// A schedule never fires.
    pub never_fires: u64,
    /// A schedule fires twice.
    pub fires_twice: u64,
    /// A batch is killed at some call.
    pub killed: u64,
    /// A message is set aside in its dead-letter queue.
    pub set_aside: u64,
}

impl Rates {
    /// One kind of fault alone, by its name; `None` if there is no such kind.
    pub fn only(self, fault: &str) -> Option<Self> {
        let none = Self::default();
        Some(match fault {
            "refused" => Self { refused: self.refused, ..none },
            "answer_lost" => Self { answer_lost: self.answer_lost, ..none },
            "doubled" => Self { doubled: self.doubled, ..none },
            "late" => Self { late: self.late, ..none },
            "throttled" => Self { throttled: self.throttled, ..none },
            "silent" => Self { silent: self.silent, ..none },
            "never_fires" => Self { never_fires: self.never_fires, ..none },
            "fires_twice" => Self { fires_twice: self.fires_twice, ..none },
            "killed" => Self { killed: self.killed, ..none },
            "set_aside" => Self { set_aside: self.set_aside, ..none },
            _ => return None,
        })
    }
}

impl Rates {
    /// Whether no wake-up can be lost: Scheduler may throttle or be silent, and that is all.
    pub fn keeps_wake_ups(self) -> bool {
        Self { throttled: 0, silent: 0, ..self } == Self::default()
    }
}

/// How often what did go wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// See [`Rates::refused`].
    pub refused: u64,
    /// See [`Rates::answer_lost`].
    pub answer_lost: u64,
    /// See [`Rates::doubled`].
    pub doubled: u64,
    /// See [`Rates::late`].
    pub late: u64,
    /// See [`Rates::throttled`] and [`Rates::silent`].
    pub scheduler: u64,
    /// See [`Rates::never_fires`] and [`Rates::fires_twice`].
    pub schedules: u64,
    /// See [`Rates::killed`].
    pub killed: u64,
    /// Messages that were set aside, received too often or see [`Rates::set_aside`].
    pub set_aside: u64,
}

impl Counts {
    /// All together.
    pub fn total(self) -> u64 {
        let Self { refused, answer_lost, doubled, late, scheduler, schedules, killed, set_aside } =
            self;
        refused + answer_lost + doubled + late + scheduler + schedules + killed + set_aside
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            refused: self.refused + other.refused,
            answer_lost: self.answer_lost + other.answer_lost,
            doubled: self.doubled + other.doubled,
            late: self.late + other.late,
            scheduler: self.scheduler + other.scheduler,
            schedules: self.schedules + other.schedules,
            killed: self.killed + other.killed,
            set_aside: self.set_aside + other.set_aside,
        }
    }
}

/// The source of trouble of a world.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Where randomness comes from.
    pub dice: Dice,
    /// How often.
    pub rates: Rates,
    /// What has been.
    pub counts: Counts,
}

impl Default for Faults {
    fn default() -> Self {
        Self { dice: Dice::new(0), rates: Rates::default(), counts: Counts::default() }
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
    pub(crate) fn fate(&mut self) -> Fate {
        if self.dice.chance(self.rates.refused) {
            self.counts.refused += 1;
            return Fate::Refused;
        }
        if self.dice.chance(self.rates.answer_lost) {
            self.counts.answer_lost += 1;
            return Fate::AnswerLost;
        }
        Fate::Works
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
