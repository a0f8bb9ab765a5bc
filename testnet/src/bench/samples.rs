//! Latencies in batches, and the figures drawn from them.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies, kept per batch, with three significant digits.
#[derive(Debug)]
pub struct Samples {
    batches: Vec<Histogram<u64>>,
}

/// Median, least and greatest of several values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one; of an even number the lower of the two.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; `None` of nothing.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len().checked_sub(1)? / 2)?;
        Some(Self { median, min: *values.first()?, max: *values.last()? })
    }
}

/// What is quoted of a set of latencies, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Figure {
    /// How many latencies.
    pub samples: u64,
    /// How many batches.
    pub batches: usize,
    /// The median of all.
    pub p50_ms: f64,
    /// The 90th percentile of all.
    pub p90_ms: f64,
    /// The 99th percentile of all.
    pub p99_ms: f64,
    /// The greatest of all.
    pub max_ms: f64,
    /// The batches' medians.
    pub batch_p50_ms: Spread,
    /// The batches' 99th percentiles.
    pub batch_p99_ms: Spread,
}

impl Samples {
    /// Nothing recorded yet, in `batches` batches.
    #[must_use]
    pub fn new(batches: usize) -> Self {
        Self { batches: (0..batches).map(|_| histogram()).collect() }
    }

    /// Records one latency into a batch.
    ///
    /// # Panics
    ///
    /// If there is no such batch.
    pub fn record(&mut self, batch: usize, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.batches[batch].saturating_record(micros.max(1));
    }

    /// Records several latencies into a batch.
    ///
    /// # Panics
    ///
    /// If there is no such batch.
    pub fn record_all(&mut self, batch: usize, took: &[Duration]) {
        for took in took {
            self.record(batch, *took);
        }
    }

    /// The median of each batch in which something was recorded, in milliseconds.
    #[must_use]
    pub fn medians(&self) -> Vec<f64> {
        let filled = self.batches.iter().filter(|batch| !batch.is_empty());
        filled.map(|batch| millis(batch.value_at_quantile(0.50))).collect()
    }

    /// The figures; `None` if nothing was recorded.
    #[must_use]
    pub fn figure(&self) -> Option<Figure> {
        let mut all = histogram();
        for batch in &self.batches {
            // Both have the same bounds, so that every value fits.
            all.add(batch).ok()?;
        }
        let filled: Vec<_> = self.batches.iter().filter(|batch| !batch.is_empty()).collect();
        let per_batch = |quantile| {
            Spread::of(
                filled.iter().map(|batch| millis(batch.value_at_quantile(quantile))).collect(),
            )
        };
        Some(Figure {
            samples: all.len(),
            batches: filled.len(),
            p50_ms: millis(all.value_at_quantile(0.50)),
            p90_ms: millis(all.value_at_quantile(0.90)),
            p99_ms: millis(all.value_at_quantile(0.99)),
            max_ms: millis(all.max()),
            batch_p50_ms: per_batch(0.50)?,
            batch_p99_ms: per_batch(0.99)?,
        })
    }
}

/// Microseconds up to ten minutes.
fn histogram() -> Histogram<u64> {
    const MAX_MICROS: u64 = 600_000_000;
    Histogram::new_with_bounds(1, MAX_MICROS, 3).expect("the bounds are constants and in order")
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_percentiles_of_all_and_the_spread_of_batches() {
        let mut samples = Samples::new(5);
        for (batch, factor) in (1..=5).enumerate() {
            for ms in 1..=100 {
                samples.record(batch, Duration::from_millis(ms * factor));
            }
        }
        let figure = samples.figure().expect("there are samples");
        assert_eq!((figure.samples, figure.batches), (500, 5));
        assert!((figure.max_ms - 500.0).abs() < 1.0, "{figure:?}");
        assert!((figure.batch_p50_ms.min - 50.0).abs() < 1.0, "{figure:?}");
        assert!((figure.batch_p50_ms.median - 150.0).abs() < 1.0, "{figure:?}");
        assert!((figure.batch_p50_ms.max - 250.0).abs() < 1.0, "{figure:?}");
    }

    #[test]
    fn nothing_recorded_gives_no_figure() {
        assert!(Samples::new(5).figure().is_none());
    }

    #[test]
    fn the_median_of_an_even_number_is_the_lower_one() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0]).expect("values");
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 4.0 });
        assert_eq!(Spread::of(vec![]), None);
    }
}
