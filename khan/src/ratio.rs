//! Exact fractions, the numbers of the language.
//!
//! Floats round, and two nodes that round differently make different plans. A [`Ratio`] is a fraction of
//! two `i128` in lowest terms with a positive denominator, so equal numbers are equal values. **Invariants**:
//! `d > 0`, `gcd(n, d) = 1`, `n > i128::MIN`. Arithmetic that leaves the range is `None`, never a wrapped or
//! rounded number: literals have at most 18 digits, so only long products of them get there.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

/// An exact fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    n: i128,
    d: i128,
}

/// The text is not a number: digits, then perhaps a point and digits, at most [`Ratio::DIGITS_MAX`] in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANumber;

impl Ratio {
    /// The number 0.
    pub const ZERO: Self = Self { n: 0, d: 1 };

    /// How many digits a literal may have. 18 fit an `i64`, and two such literals multiply within `i128`.
    pub const DIGITS_MAX: usize = 18;

    /// The fraction `n / d` in lowest terms. `None` if `d` is 0 or a part is out of range.
    pub fn new(n: i128, d: i128) -> Option<Self> {
        let divisor = gcd(n.unsigned_abs(), d.unsigned_abs());
        if d == 0 {
            return None;
        }
        let negative = (n < 0) != (d < 0);
        let n = i128::try_from(n.unsigned_abs() / divisor).ok()?;
        let d = i128::try_from(d.unsigned_abs() / divisor).ok()?;
        Some(Self { n: if negative { -n } else { n }, d })
    }

    /// A whole number.
    pub fn integer(n: u64) -> Self {
        Self { n: n.into(), d: 1 }
    }

    /// The numerator; it has the sign.
    pub fn numerator(self) -> i128 {
        self.n
    }

    /// The denominator, greater than 0.
    pub fn denominator(self) -> i128 {
        self.d
    }

    /// The sum; `None` if it is out of range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (left, right) = (self.n.checked_mul(other.d)?, other.n.checked_mul(self.d)?);
        Self::new(left.checked_add(right)?, self.d.checked_mul(other.d)?)
    }

    /// The difference; `None` if it is out of range.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self { n: -other.n, d: other.d })
    }

    /// The product; `None` if it is out of range.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        // Reduced across first, so that only a product that is itself out of range is refused.
        let (left, right) = (Self::new(self.n, other.d)?, Self::new(other.n, self.d)?);
        Self::new(left.n.checked_mul(right.n)?, left.d.checked_mul(right.d)?)
    }

    /// The quotient; `None` if `other` is 0 or the quotient is out of range.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        self.checked_mul(Self::new(other.d, other.n)?)
    }

    /// The least whole number that is not less.
    pub fn ceil(self) -> i128 {
        self.n.div_euclid(self.d) + i128::from(self.n.rem_euclid(self.d) != 0)
    }
}

/// The greatest common divisor; 0 only of 0 and 0.
fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Ord for Ratio {
    /// Exact for all values: compares whole parts, then the reciprocals of the rests (Euclid's algorithm),
    /// because the cross products may be out of range.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b, mut turned) = (*self, *other, false);
        loop {
            let whole = a.n.div_euclid(a.d).cmp(&b.n.div_euclid(b.d));
            let (rest_a, rest_b) = (a.n.rem_euclid(a.d), b.n.rem_euclid(b.d));
            let order = match (whole, rest_a, rest_b) {
                (Ordering::Equal, 0, 0) => Ordering::Equal,
                (Ordering::Equal, 0, _) => Ordering::Less,
                (Ordering::Equal, _, 0) => Ordering::Greater,
                (Ordering::Equal, _, _) => {
                    (a, b) = (Self { n: a.d, d: rest_a }, Self { n: b.d, d: rest_b });
                    turned = !turned;
                    continue;
                }
                (differs, _, _) => differs,
            };
            return if turned { order.reverse() } else { order };
        }
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Ratio {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let (whole, rest) = text.split_once('.').map_or((text, None), |(a, b)| (a, Some(b)));
        let digits = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
        let decimals = rest.unwrap_or_default();
        let fits = whole.len() + decimals.len() <= Self::DIGITS_MAX;
        if !fits || !digits(whole) || !rest.is_none_or(digits) {
            return Err(NotANumber);
        }
        let n = format!("{whole}{decimals}").parse().map_err(|_| NotANumber)?;
        let power = u32::try_from(decimals.len()).map_err(|_| NotANumber)?;
        Self::new(n, 10_i128.pow(power)).ok_or(NotANumber)
    }
}

impl fmt::Display for Ratio {
    /// As a literal if it is one: `12`, `0.5`; otherwise as a fraction: `1/3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decimals() {
            Some((0, n)) => write!(f, "{n}"),
            Some((places, n)) => {
                let sign = if n < 0 { "-" } else { "" };
                let one = 10_u128.pow(places);
                let (whole, rest) = (n.unsigned_abs() / one, n.unsigned_abs() % one);
                write!(f, "{sign}{whole}.{rest:0width$}", width = places as usize)
            }
            None => write!(f, "{}/{}", self.n, self.d),
        }
    }
}

impl Ratio {
    /// The fewest decimal places that write the number exactly, and the number without its point.
    fn decimals(self) -> Option<(u32, i128)> {
        (0..=18).find_map(|places| {
            let one = 10_i128.pow(places);
            let scale = (one % self.d == 0).then(|| one / self.d)?;
            Some((places, self.n.checked_mul(scale)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ratio(n: i128, d: i128) -> Ratio {
        Ratio::new(n, d).unwrap()
    }

    #[test]
    fn is_in_lowest_terms_with_the_sign_above() {
        assert_eq!(ratio(6, -4), Ratio { n: -3, d: 2 });
        assert_eq!(ratio(0, -7), Ratio::ZERO);
        assert_eq!(Ratio::new(1, 0), None);
        assert_eq!(Ratio::new(0, 0), None);
        assert_eq!(Ratio::new(i128::MIN, 1), None);
        assert_eq!(Ratio::new(1, i128::MIN), None);
        assert_eq!(ratio(i128::MIN, i128::MIN), Ratio::integer(1));
        assert_eq!(ratio(i128::MIN, 2), Ratio { n: i128::MIN / 2, d: 1 });
    }

    #[test]
    fn literals_are_exact_and_bounded() {
        let text = |text: &str| text.parse::<Ratio>().map(|it| it.to_string());
        assert_eq!(text("007.50").as_deref(), Ok("7.5"));
        assert_eq!(text("0.1"), Ok("0.1".to_owned()));
        assert_eq!("0.1".parse(), Ok(ratio(1, 10)));
        assert_eq!(text("999999999999999999"), Ok("999999999999999999".to_owned()));
        assert_eq!(text("9.99999999999999999"), Ok("9.99999999999999999".to_owned()));
        for bad in ["", ".", "1.", ".5", "1.2.3", "-1", "+1", "1e3", "é", "1234567890123456789"] {
            assert_eq!(text(bad), Err(NotANumber), "{bad}");
        }
        assert_eq!(ratio(-1, 8).to_string(), "-0.125");
        assert_eq!(ratio(-2, 3).to_string(), "-2/3");
    }

    #[test]
    fn out_of_range_is_none() {
        let huge = ratio(i128::MAX, 1);
        assert_eq!(huge.checked_add(Ratio::integer(1)), None);
        assert_eq!(huge.checked_mul(Ratio::integer(2)), None);
        assert_eq!(
            huge.checked_mul(ratio(1, 2)).and_then(|it| it.checked_mul(Ratio::integer(2))),
            Some(huge)
        );
        assert_eq!(huge.checked_div(huge), Some(Ratio::integer(1)));
        assert_eq!(Ratio::integer(1).checked_div(Ratio::ZERO), None);
        assert_eq!(huge.checked_sub(huge), Some(Ratio::ZERO));
        assert!(
            huge > ratio(i128::MAX, 2) && ratio(-i128::MAX, 3) < ratio(i128::MAX, i128::MAX - 1)
        );
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_fractions(a in -99_i128..99, b in 1_i128..99, c in -99_i128..99, d in 1_i128..99) {
            let (left, right) = (ratio(a, b), ratio(c, d));
            prop_assert_eq!(left.checked_add(right), Ratio::new(a * d + c * b, b * d));
            prop_assert_eq!(left.checked_sub(right), Ratio::new(a * d - c * b, b * d));
            prop_assert_eq!(left.checked_mul(right), Ratio::new(a * c, b * d));
            prop_assert_eq!(left.checked_div(right), Ratio::new(a * d, b * c));
            prop_assert_eq!(left.cmp(&right), (a * d).cmp(&(c * b)));
            let ceil = left.ceil();
            prop_assert!(ceil * b >= a && (ceil - 1) * b < a);
        }

        #[test]
        fn order_holds_where_cross_products_do_not(a in any::<i64>(), b in any::<i128>(), c in any::<i64>(), d in any::<i128>()) {
            let (Some(left), Some(right)) = (Ratio::new(b, a.into()), Ratio::new(d, c.into())) else { return Ok(()) };
            prop_assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
            prop_assert_eq!(left == right, left.cmp(&right) == Ordering::Equal);
            if let Some(difference) = left.checked_sub(right) {
                prop_assert_eq!(left.cmp(&right), difference.numerator().cmp(&0));
            }
        }

        #[test]
        fn literals_round_trip(text in "[0-9]{1,9}(\\.[0-9]{1,9})?") {
            let number: Ratio = text.parse().unwrap();
            prop_assert_eq!(number.to_string().parse(), Ok(number));
        }
    }
}
