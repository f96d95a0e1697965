//! API keys: only their hashes are on record.

use domain::Timestamp;
use domain::api_key::{ApiKeyRecord, Scope};
use domain::ports::{ApiKeys, PortResult};

use super::item::{Item, Reader, Unreadable, Writer, number, text};
use super::request::{Place, Read, Update};
use super::{Store, Table};
use crate::error::port_error;

/// The format's version.
const VERSION: u8 = 1;
/// Keys that a list shows. They are made by hand, one at a time.
const KEYS_LISTED: usize = 10_000;

impl ApiKeys for Store {
    async fn api_key(&self, id: &str) -> PortResult<Option<ApiKeyRecord>> {
        let place = at("api_keys.api_key");
        let item = self.read(place, key(id), Read::Consistent).await?;
        item.as_ref().map(from_item).transpose().map_err(|e| place.unreadable(e))
    }

    async fn note_use(&self, was: &ApiKeyRecord, at_moment: Timestamp) -> PortResult<()> {
        let mut update = Update::default();
        update.set("last_used_at", text(at_moment));
        let id = update.name("key_id");
        update.only_if(format!("attribute_exists({id})"));
        match was.last_used_at {
            Some(last) => update.only_if_is("last_used_at", text(last)),
            None => {
                let last = update.name("last_used_at");
                update.only_if(format!("attribute_not_exists({last})"));
            }
        }
        // If somebody was faster, it is noted.
        self.update(at("api_keys.note_use"), key(&was.id), update).await.map(drop)
    }
}

impl Store {
    /// Puts a new key on record. May be called again with the same record after an error.
    ///
    /// # Errors
    /// If the write failed, or another key has this id.
    pub async fn create_api_key(&self, record: &ApiKeyRecord) -> PortResult<()> {
        self.put_once(at("api_keys.create"), to_item(record)).await
    }

    /// Every key, the latest first.
    ///
    /// # Errors
    /// If a read failed, or an item cannot be read.
    pub async fn all_api_keys(&self) -> PortResult<Vec<ApiKeyRecord>> {
        let place = at("api_keys.all");
        let mut found = Vec::new();
        let mut start = None;
        while found.len() < KEYS_LISTED {
            let request = self.client.scan().table_name(self.tables.name(place.table, place.call)?);
            let page = match request.set_exclusive_start_key(start).send().await {
                Ok(page) => page,
                Err(error) => return Err(port_error(place.call, &error)),
            };
            for item in page.items() {
                found.push(from_item(item).map_err(|e| place.unreadable(e))?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        found.sort_by_key(|record| std::cmp::Reverse(record.created_at));
        Ok(found)
    }

    /// Makes a key open nothing any more; the first time counts. False if there is no such key.
    ///
    /// # Errors
    /// If the write failed.
    pub async fn revoke_api_key(&self, id: &str, now: Timestamp) -> PortResult<bool> {
        let mut update = Update::default();
        let (name, value) = (update.name("revoked_at"), update.value("revoked_at", text(now)));
        update.set_expression(format!("{name} = if_not_exists({name}, {value})"));
        let id_name = update.name("key_id");
        update.only_if(format!("attribute_exists({id_name})"));
        self.update(at("api_keys.revoke"), key(id), update).await
    }
}

fn at(call: &'static str) -> Place {
    Place { call, table: Table::ApiKeys }
}

fn key(id: &str) -> Item {
    Writer::default().with("key_id", text(id)).item()
}

pub(super) fn to_item(record: &ApiKeyRecord) -> Item {
    Writer(key(&record.id))
        .with("hash", text(&record.hash))
        .with("last4", text(&record.last4))
        .with_some("name", record.name.as_ref().map(text))
        .with("scope", text(&record.scope))
        .with("created_at", text(record.created_at))
        .with_some("last_used_at", record.last_used_at.map(text))
        .with_some("revoked_at", record.revoked_at.map(text))
        .with("version", number(VERSION))
        .item()
}

pub(super) fn from_item(item: &Item) -> Result<ApiKeyRecord, Unreadable> {
    let item = Reader(item);
    item.no_newer_than(VERSION)?;
    Ok(ApiKeyRecord {
        id: item.text("key_id")?.to_owned(),
        hash: item.text("hash")?.to_owned(),
        last4: item.text("last4")?.to_owned(),
        name: item.text_opt("name")?.map(str::to_owned),
        scope: item.parsed::<Scope>("scope")?,
        created_at: item.moment("created_at")?,
        last_used_at: item.moment_opt("last_used_at")?,
        revoked_at: item.moment_opt("revoked_at")?,
    })
}

#[cfg(test)]
mod tests {
    use domain::api_key::ApiKey;

    use super::*;

    #[test]
    fn the_key_itself_is_not_on_record() {
        let key = ApiKey::from_random([0xab; 24]);
        let record = ApiKeyRecord::new(&key, Scope::Operator, Timestamp::from_secs(1));
        let item = to_item(&record);
        assert_eq!(item["scope"], text("operator"));
        assert!(!format!("{item:?}").contains("abababab"));
        assert_eq!(from_item(&item), Ok(record));
    }

    #[test]
    fn into_an_item_and_back() {
        let key = ApiKey::from_random([1; 24]);
        let at = Timestamp::from_secs;
        let mut record = ApiKeyRecord::new(&key, Scope::Operator, at(1));
        record.name = Some("dashboard".into());
        (record.last_used_at, record.revoked_at) = (Some(at(2)), Some(at(3)));
        assert_eq!(from_item(&to_item(&record)), Ok(record));
    }
}
