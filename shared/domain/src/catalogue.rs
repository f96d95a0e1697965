//! The published events (facts.md): what products send, and with which fields. Other names are
//! taken, too; they are only not promised by anybody.

use crate::endpoint::EventPattern;
use crate::envelope::Product;

/// One published event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// Its name.
    pub event: &'static str,
    /// The product that sends it.
    pub product: Product,
    /// The fields of `data`; `None` if they are not published.
    pub fields: Option<&'static [&'static str]>,
}

const fn of(product: Product, event: &'static str, fields: &'static [&'static str]) -> EventType {
    EventType { event, product, fields: Some(fields) }
}

/// Every published event.
pub const CATALOGUE: [EventType; 13] = [
    of(Product::Rackwave, "trial_activated", &["customer_id", "platform_id", "expires_at"]),
    of(
        Product::Rackwave,
        "service_activated",
        &["customer_id", "platform_id", "plan_name", "expires_at"],
    ),
    of(
        Product::Rackwave,
        "service_suspended",
        &["customer_id", "platform_id", "suspension_reason"],
    ),
    of(Product::Rackwave, "service_reactivated", &["customer_id", "platform_id", "plan_name"]),
    of(Product::Rackwave, "service_cancelled", &["customer_id", "platform_id", "cancelled_at"]),
    of(
        Product::Rackwave,
        "invoice_created",
        &["invoice_id", "invoice_number", "customer_id", "total", "due_date"],
    ),
    of(
        Product::Rackwave,
        "invoice_paid",
        &["invoice_id", "invoice_number", "customer_id", "amount_paid", "paid_at"],
    ),
    of(
        Product::Rackwave,
        "invoice_overdue",
        &["invoice_id", "invoice_number", "customer_id", "total", "overdue_since"],
    ),
    of(Product::Migosmtp, "email.queued", &["message_id", "to", "from", "subject", "queued_at"]),
    of(Product::Migosmtp, "email.sent", &["message_id", "to", "from", "subject", "sent_at"]),
    of(
        Product::Migosmtp,
        "email.delivered",
        &["message_id", "to", "from", "subject", "status", "delivered_at"],
    ),
    of(
        Product::Migosmtp,
        "email.opened",
        &["message_id", "to", "opened_at", "ip_address", "user_agent"],
    ),
    EventType { event: "sms.delivered", product: Product::Telnxo, fields: None },
];

/// What to tell somebody who subscribes to what nobody has published: perhaps a slip of the pen.
pub fn warnings(patterns: &[EventPattern]) -> Vec<String> {
    let unknown = |pattern: &&EventPattern| !CATALOGUE.iter().any(|e| pattern.matches(e.event));
    patterns.iter().filter(unknown).map(warning).collect()
}

fn warning(pattern: &EventPattern) -> String {
    let hint = match EventPattern::parse(&format!("{pattern}.*")) {
        Ok(family) if CATALOGUE.iter().any(|each| family.matches(each.event)) => {
            format!("{family} matches all of that family")
        }
        Ok(_) | Err(_) => "see GET v1/event-types".to_owned(),
    };
    format!("no published event matches {pattern}; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::is_event_name;

    #[test]
    fn every_published_name_is_one_and_once() {
        for (nth, each) in CATALOGUE.iter().enumerate() {
            assert!(is_event_name(each.event), "{}", each.event);
            assert!(!CATALOGUE[..nth].iter().any(|earlier| earlier.event == each.event));
        }
    }

    #[test]
    fn a_name_outside_the_catalogue_is_worth_a_warning() {
        let patterns = |texts: &[&str]| -> Vec<EventPattern> {
            texts.iter().map(|text| EventPattern::parse(text).expect("valid")).collect()
        };
        assert_eq!(warnings(&patterns(&["*", "email.*", "sms.delivered"])), [""; 0]);
        let warned = warnings(&patterns(&["email.delivered", "email.deliverd", "fax.*"]));
        assert_eq!(warned.len(), 2);
        assert!(warned[0].contains("email.deliverd") && warned[1].contains("fax.*"));
    }

    #[test]
    fn a_family_without_its_star_is_pointed_at() {
        let email = [EventPattern::parse("email").expect("valid")];
        let expected = "no published event matches email; email.* matches all of that family";
        assert_eq!(warnings(&email), [expected]);
    }
}
