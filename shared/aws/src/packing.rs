//! Packing entries into as few batch requests as count and bytes allow.

/// What one batch request may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Entries.
    pub entries: usize,
    /// Bytes of all entries together; also of a single one.
    pub bytes: usize,
}

/// Entries by position: those that go together, and those that fit no request at all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Requests, each with at least one entry; positions ascend within and across them.
    pub requests: Vec<Vec<usize>>,
    /// Entries above the limit on their own.
    pub oversized: Vec<usize>,
}

/// Packs entries of the given sizes, in their order.
pub(crate) fn pack(sizes: &[usize], room: Room) -> Packed {
    let mut packed = Packed::default();
    let mut open: Vec<usize> = Vec::new();
    let mut filled = 0;
    for (position, &size) in sizes.iter().enumerate() {
        if size > room.bytes {
            packed.oversized.push(position);
            continue;
        }
        if open.len() == room.entries || filled + size > room.bytes {
            packed.requests.push(std::mem::take(&mut open));
            filled = 0;
        }
        open.push(position);
        filled += size;
    }
    if !open.is_empty() {
        packed.requests.push(open);
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sizes: &[usize], requests: &[&[usize]], oversized: &[usize]) {
        let room = Room { entries: 3, bytes: 100 };
        let expected = Packed {
            requests: requests.iter().map(|r| r.to_vec()).collect(),
            oversized: oversized.to_vec(),
        };
        assert_eq!(pack(sizes, room), expected);
    }

    #[test]
    fn by_count_and_by_bytes() {
        check(&[], &[], &[]);
        check(&[1, 1, 1, 1], &[&[0, 1, 2], &[3]], &[]);
        check(&[50, 50, 1], &[&[0, 1], &[2]], &[]);
        check(&[100, 1, 99, 1], &[&[0], &[1, 2], &[3]], &[]);
        check(&[101], &[], &[0]);
        check(&[1, 101, 1], &[&[0, 2]], &[1]);
        check(&[0, 0, 0, 0], &[&[0, 1, 2], &[3]], &[]);
    }
}
