//! What DynamoDB charges for a request, by its documented rules, from the items themselves.
//!
//! The emulator's own figures are not asked: they are compared, see [`super::counting`].

use std::collections::BTreeMap;

use serde_json::Value;

/// Bytes of a write unit.
const WRITE_UNIT: usize = 1_024;
/// Bytes of a read unit.
const READ_UNIT: usize = 4_096;

/// The keys of a table and of its indexes; the indexes hold keys only.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// The table's.
    pub key: Vec<String>,
    /// Each index's.
    pub indexes: BTreeMap<String, Vec<String>>,
}

/// What a request consumed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// Read units.
    pub read: f64,
    /// Write units of the table.
    pub write: f64,
    /// Write units of its indexes.
    pub index_write: f64,
}

/// A write that took an item from one state to another; either may be no item at all. A refused
/// one left it as it was, and is charged by the item that it met.
pub fn write(schema: &Schema, before: Option<&Value>, after: Option<&Value>) -> Units {
    let larger = [before, after].into_iter().flatten().map(item_bytes).max().unwrap_or(0);
    let index_write = schema.indexes.values().map(|key| {
        let entry = |item: Option<&Value>| index_entry(schema, key, item);
        index_writes(entry(before).as_ref(), entry(after).as_ref())
    });
    Units { read: 0.0, write: units(larger, WRITE_UNIT), index_write: index_write.sum() }
}

/// Items read together: what they weigh is rounded up once.
pub fn read(items: &[Value], consistent: bool) -> Units {
    let whole = units(items.iter().map(item_bytes).sum(), READ_UNIT);
    Units { read: if consistent { whole } else { whole / 2.0 }, ..Units::default() }
}

/// What an index of keys holds of an item, if the item belongs to it.
fn index_entry(schema: &Schema, key: &[String], item: Option<&Value>) -> Option<Value> {
    let item = item?.as_object()?;
    let names = || key.iter().chain(&schema.key);
    names()
        .all(|name| item.contains_key(name))
        .then(|| names().map(|name| (name.clone(), item[name].clone())).collect())
}

/// One write for an entry that comes or goes, two for one whose key changes, none otherwise.
fn index_writes(before: Option<&Value>, after: Option<&Value>) -> f64 {
    let cost =
        |entry: Option<&Value>| entry.map_or(0.0, |entry| units(item_bytes(entry), WRITE_UNIT));
    if before == after { 0.0 } else { cost(before) + cost(after) }
}

fn units(bytes: usize, unit: usize) -> f64 {
    u32::try_from(bytes.div_ceil(unit).max(1)).map_or(f64::MAX, f64::from)
}

/// Bytes of an item as the wire shows it: names and values.
pub fn item_bytes(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    attributes.map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else {
        return 0;
    };
    let text = value.as_str().unwrap_or_default();
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    match kind.as_str() {
        "S" => text.len(),
        // Two digits a byte, and one byte more.
        "N" => text.trim_start_matches('-').len().div_ceil(2) + 1,
        // Base64 on the wire.
        "B" => text.trim_end_matches('=').len() * 3 / 4,
        "SS" => list.iter().map(|text| text.as_str().unwrap_or_default().len()).sum(),
        // 3 bytes, and one for each member.
        "L" => 3 + list.iter().map(|member| 1 + value_bytes(member)).sum::<usize>(),
        "M" => 3 + value.as_object().map_or(0, serde_json::Map::len) + item_bytes(value),
        _ => 1, // a truth value, or null
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema {
            key: vec!["id".into()],
            indexes: [("due".to_owned(), vec!["shard".to_owned(), "at".to_owned()])].into(),
        }
    }

    #[test]
    fn bytes_as_documented() {
        let item = json!({"s": {"S": "é"}, "n": {"N": "-12345"}, "b": {"B": "AAE="},
            "l": {"L": [{"M": {"ab": {"S": "cd"}}}]}, "t": {"BOOL": true}});
        let expected = (1 + 2) + (1 + 4) + (1 + 2) + (1 + 3 + 1 + (3 + 1 + 4)) + (1 + 1);
        assert_eq!(item_bytes(&item), expected);
    }

    #[test]
    fn a_write_is_charged_by_the_larger_item_and_by_each_change_of_an_index() {
        let plain = json!({"id": {"S": "a"}, "x": {"S": "y".repeat(1_020)}});
        let large = json!({"id": {"S": "a"}, "x": {"S": "y".repeat(1_021)}});
        let due = |at: &str| json!({"id": {"S": "a"}, "shard": {"S": "1"}, "at": {"S": at}});
        let units = |write, index_write| Units { read: 0.0, write, index_write };
        for (before, after, expected) in [
            (None, None, units(1.0, 0.0)), // a condition that failed on no item
            (None, Some(&plain), units(1.0, 0.0)),
            (Some(&large), Some(&plain), units(2.0, 0.0)),
            (Some(&large), Some(&large), units(2.0, 0.0)),
            (None, Some(&due("1")), units(1.0, 1.0)),
            (Some(&due("1")), Some(&due("1")), units(1.0, 0.0)),
            (Some(&due("1")), Some(&due("2")), units(1.0, 2.0)),
            (Some(&due("1")), Some(&plain), units(1.0, 1.0)),
        ] {
            assert_eq!(write(&schema(), before, after), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn reads_are_rounded_up_together_and_halved_if_they_may_lag() {
        let item = json!({"x": {"S": "y".repeat(4_000)}});
        assert_eq!(read(&[], true).read, 1.0);
        assert_eq!(read(std::slice::from_ref(&item), false).read, 0.5);
        assert_eq!(read(&[item.clone(), item], true).read, 2.0);
    }
}
