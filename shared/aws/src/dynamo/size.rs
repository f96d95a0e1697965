//! How DynamoDB counts an item: what a write costs depends on it.

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::Item;

/// Bytes of one write unit.
const WRITE_UNIT_BYTES: usize = 1_024;

/// Write units of putting an item.
pub(super) fn write_units(item: &Item) -> usize {
    item_bytes(item).div_ceil(WRITE_UNIT_BYTES)
}

/// Bytes of an item: names and values, in UTF-8.
pub(super) fn item_bytes(item: &Item) -> usize {
    let attribute = |(name, value): (&String, &AttributeValue)| name.len() + value_bytes(value);
    item.iter().map(attribute).sum()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; the rest of it is never written"
)]
fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        // Two digits a byte, and one byte more.
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        // Lists and maps: 3 bytes, and one for each member.
        AttributeValue::L(members) => 3 + members.iter().map(|m| 1 + value_bytes(m)).sum::<usize>(),
        AttributeValue::M(members) => 3 + members.len() + item_bytes(members),
        // Truth values and null; we write no other type.
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::{Writer, number, text};
    use super::*;

    #[test]
    fn bytes_and_units() {
        let inner = Writer::default().with("ab", text("cd")).item();
        let item = Writer::default()
            .with("s", text("é"))
            .with("n", number(12_345))
            .with("l", AttributeValue::L(vec![AttributeValue::M(inner)]))
            .item();
        assert_eq!(item_bytes(&item), (1 + 2) + (1 + 4) + (1 + 3 + 1 + (3 + 1 + 4)));
        assert_eq!(write_units(&item), 1);
        let of = |bytes: usize| Writer::default().with("a", text("x".repeat(bytes - 1))).item();
        assert_eq!((write_units(&of(1_024)), write_units(&of(1_025))), (1, 2));
    }
}
