//! What a history is made of; drawn from its seed.

use std::time::Duration;

use crate::world::{DISABLE_AFTER, Dice, Fault, PerFault};

/// A history's ingredients.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How often what goes wrong.
    pub rates: PerFault,
    /// Steps under faults.
    pub steps: u64,
    /// How each endpoint answers; the first one is never switched off nor deleted by people.
    pub manners: Vec<Manner>,
    /// Whether people send again, cancel and erase.
    pub people: bool,
    /// Whether endpoints ask for more time with `Retry-After`.
    pub asking: bool,
    /// Whether the last endpoint takes one request a second.
    pub paced: bool,
    /// How long an endpoint may fail.
    pub disable_after: Duration,
    pub(super) dice: Dice,
}

/// How an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// So many of a thousand answers are failures.
    Failing(u64),
    /// Failures until so many seconds have passed, then none.
    Recovers(u64),
    /// Failures for so many seconds, none for as many, and so on.
    Flaps(u64),
}

impl Plan {
    /// Every fifth history has no faults at all: there nothing may happen twice. Half of all have
    /// no people who send again, cancel or erase.
    pub fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let severity = [0, 10, 30, 100, 250][usize::try_from(seed % 5).unwrap_or(0)];
        let mut rates = PerFault::default();
        for (fault, share) in SHARES {
            rates[fault] = dice.below(severity * share / 10 + 1);
        }
        if severity > 0 {
            (rates[Fault::Skewed], rates[Fault::Reordered]) = (800, 1_000);
        }
        let steps = 20 + dice.below(120);
        let endpoints = 1 + dice.below(3);
        let failing = [0, 300, 700, 1_000][usize::try_from(dice.below(4)).unwrap_or(0)];
        let manners = (0..endpoints).map(|_| Manner::draw(&mut dice, failing)).collect();
        let people = (seed / 5).is_multiple_of(2);
        let (asking, paced) = (dice.chance(300), dice.chance(200));
        let hours = Duration::from_secs(3 * 3_600);
        let disable_after = if dice.chance(500) { hours } else { DISABLE_AFTER };
        Self { seed, rates, steps, manners, people, asking, paced, disable_after, dice }
    }

    /// The same, but with one kind of fault alone.
    #[must_use]
    pub fn only(mut self, fault: Fault) -> Self {
        self.rates = self.rates.only(fault);
        self
    }
}

/// How often each kind happens, as a part of how bad a history is; in tenths.
const SHARES: [(Fault, u64); 14] = [
    (Fault::Refused, 10),
    (Fault::AnswerLost, 10),
    (Fault::Busy, 2),
    (Fault::Doubled, 10),
    (Fault::Late, 10),
    (Fault::InWork, 10),
    (Fault::SetAside, 4),
    (Fault::Throttled, 20),
    (Fault::Silent, 20),
    (Fault::NeverFires, 10),
    (Fault::FiresTwice, 10),
    (Fault::FiresEarly, 20),
    (Fault::FiresLate, 20),
    (Fault::Killed, 20),
];

impl Manner {
    fn draw(dice: &mut Dice, failing: u64) -> Self {
        match dice.below(10) {
            0 => Self::Recovers(dice.below(36 * 3_600)),
            1 => Self::Flaps(600 + dice.below(4 * 3_600)),
            _ => Self::Failing(failing),
        }
    }

    /// Whether an answer is a failure, so long after the beginning.
    pub(super) fn fails(self, after: Duration, dice: &mut Dice) -> bool {
        let after_s = after.as_secs();
        match self {
            Self::Failing(per_mille) => dice.chance(per_mille),
            Self::Recovers(at_s) => after_s < at_s,
            Self::Flaps(period_s) => (after_s / period_s).is_multiple_of(2),
        }
    }
}
