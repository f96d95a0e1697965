//! API keys: only their hashes are on record.

use domain::api_key::ApiKeyRecord;
use domain::ports::PortResult;

use super::item::{Item, Writer, text};
use super::request::Place;
use super::{Store, Table};

const PLACE: Place = Place { call: "api_keys.create", table: Table::ApiKeys };

impl Store {
    /// Puts a new key on record. May be called again with the same record after an error.
    ///
    /// # Errors
    /// If the write failed, or another key has this id.
    pub async fn create_api_key(&self, record: &ApiKeyRecord) -> PortResult<()> {
        self.put_once(PLACE, to_item(record)).await
    }
}

fn to_item(record: &ApiKeyRecord) -> Item {
    Writer::default()
        .with("key_id", text(&record.id))
        .with("hash", text(&record.hash))
        .with("last4", text(&record.last4))
        .with("scope", text(&record.scope))
        .with("created_at", text(record.created_at))
        .with_some("revoked_at", record.revoked_at.map(text))
        .item()
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use domain::api_key::{ApiKey, Scope};

    use super::*;

    #[test]
    fn the_key_itself_is_not_on_record() {
        let key = ApiKey::from_random([0xab; 24]);
        let record = ApiKeyRecord::new(&key, Scope::Operator, Timestamp::from_secs(1));
        let item = to_item(&record);
        assert_eq!(item["scope"], text("operator"));
        assert!(!format!("{item:?}").contains("abababab"));
    }
}
