//! The id that a refused event would have had.

use serde_json::Value;

use super::{Product, derive_event_id_of};
use crate::ids::{AccountId, EventId};
use crate::limits::SOURCE_ID_CHARS;

/// The id of an event that was refused, if it names itself as its product would look for it. For
/// the log: whoever asks why an event did not arrive knows no other name.
pub fn presumed_event_id(original: &str) -> Option<EventId> {
    let value: Value = serde_json::from_str(original).ok()?;
    let text = |name: &str| value[name].as_str();
    let account = AccountId::parse(text("account_id")?).ok()?;
    let product = Product::parse(text("product")?)?;
    let id = text("id").filter(|id| (1..=SOURCE_ID_CHARS).contains(&id.len()))?;
    Some(derive_event_id_of(&account, product, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_it_would_have_had() {
        let refused = r#"{"id":"a","account_id":"acct_1","product":"telnxo","data":7}"#;
        let account = AccountId::parse("acct_1").expect("valid");
        let expected = derive_event_id_of(&account, Product::Telnxo, "a");
        assert_eq!(presumed_event_id(refused), Some(expected));
        for nameless in ["", "[]", "{", r#"{"id":"a","account_id":"acct_1"}"#, r#"{"id":7}"#] {
            assert_eq!(presumed_event_id(nameless), None, "{nameless}");
        }
    }
}
