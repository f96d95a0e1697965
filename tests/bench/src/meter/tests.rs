//! The counts are held to what is written down here; dollars and times are not judged.
//!
//! Whoever makes a delivery cheaper writes the smaller figure down, in the same commit.

use super::scenario::{self, Scenario};
use super::stand::Stand;
use super::tally::Figures;
use super::{BUDGET, bill, scenarios};

/// Figures are sums of many small parts.
const SLACK: f64 = 1.001;

/// Most that one delivery may take: write units, read units, SQS requests, Lambda runs.
const AGREED: [(&str, [f64; 4]); 7] = [
    ("healthy", [3.0, 1.71, 0.45, 0.11]),
    ("words and numbers", [4.0, 1.71, 0.45, 0.11]),
    ("data that does not compress", [4.0, 1.71, 0.45, 0.11]),
    ("a trickle: one message at a time", [3.0, 1.80, 0.60, 0.20]),
    ("fan-out to 5", [2.40, 2.10, 0.33, 0.102]),
    ("1 % retried", [3.08, 1.75, 0.48, 0.12]),
    ("an endpoint down all day", [28.2, 9.90, 5.50, 0.40]),
];

fn of(figures: Figures) -> [f64; 4] {
    let Figures { write_units, read_units, sqs_requests, invocations } = figures;
    [write_units, read_units, sqs_requests, invocations]
}

fn named(name: &str) -> Scenario {
    let found = scenarios().into_iter().find(|scenario| scenario.name == name);
    found.unwrap_or_else(|| panic!("no scenario {name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_takes_no_more_than_is_written_down() {
    let stand = Stand::start("metered").await.expect("a stack");
    let mut over = Vec::new();
    for (name, agreed) in AGREED {
        let tally =
            scenario::run(&stand, &named(name)).await.unwrap_or_else(|e| panic!("{name}: {e:#}"));
        let found = of(tally.figures());
        if found.iter().zip(agreed).any(|(found, agreed)| *found > agreed * SLACK) {
            over.push(format!("{name}: {found:?}, agreed {agreed:?}"));
        }
        let bill = bill(&tally);
        let services: f64 = super::SERVICES.iter().map(|service| bill.of(service)).sum();
        assert!((services - bill.total()).abs() < 1e-9, "{name}: the breakdown adds up");
    }
    assert!(over.is_empty(), "more than is written down:\n{}", over.join("\n"));
}

#[test]
fn what_is_written_down_keeps_the_budgets() {
    for name in [AGREED[0].0, AGREED[1].0, "a trickle: one message at a time"] {
        let (_, agreed) = AGREED.iter().find(|(known, _)| *known == name).expect("listed");
        for (agreed, budget) in agreed.iter().zip(of(BUDGET)) {
            assert!(*agreed <= budget, "{name}: {agreed} of {budget}");
        }
    }
    let (_, noise) = AGREED[2];
    assert!(noise[0] <= 5.0, "data that does not compress has a write unit more");
}
