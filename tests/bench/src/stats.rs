//! Many measurements in a few numbers.

/// The value below which this share of all lies; the nearest one measured, never one in between.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(rank(sorted.len(), share)).copied().unwrap_or(f64::NAN)
}

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a position in a list, between 0 and its length"
)]
fn rank(length: usize, share: f64) -> usize {
    let nth = (length as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
    nth.clamp(1, length.max(1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        for (share, value) in [(0.0, 1.0), (0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)] {
            assert!((percentile(&hundred, share) - value).abs() < f64::EPSILON, "{share}");
        }
        assert!((median(&[3.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }
}
