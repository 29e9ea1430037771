//! Numbers to text.
//!
//! An inexact number prints as the shortest digits that read back as the same double. In radix 10
//! those are the standard library's; in other radixes the free-format algorithm of Burger and
//! Dybvig ("Printing floating-point numbers quickly and accurately", PLDI 1996) finds them in exact
//! integers.
//!
//! Absent on purpose: exponents outside radix 10, where the marker would be a digit.

use dashu_base::DivRem;
use dashu_int::UBig;

use super::Number;

/// Digits of a positive number, most significant first; its value is `0.d₁d₂… × radix^point`.
struct Digits {
    digits: Vec<u8>,
    point: i32,
}

pub(super) fn to_string(number: &Number, radix: u32) -> String {
    let radix = radix.clamp(2, 36);
    match number {
        Number::Fixnum(n) if radix == 10 => n.to_string(),
        Number::Fixnum(n) => dashu_int::IBig::from(*n).in_radix(radix as u8).to_string(),
        Number::Big(n) => n.in_radix(radix as u8).to_string(),
        Number::Ratio(q) => format!(
            "{}/{}",
            q.numerator().in_radix(radix as u8),
            q.denominator().in_radix(radix as u8)
        ),
        Number::Real(x) => real_to_string(*x, radix),
    }
}

/// The text of a double in `radix` (2 to 36): always with a point, an exponent, or `inf` or `nan`,
/// so that it reads back as inexact.
pub fn real_to_string(x: f64, radix: u32) -> String {
    let radix = radix.clamp(2, 36);
    if x.is_nan() {
        return "+nan.0".to_owned();
    }
    let sign = if x.is_sign_negative() { "-" } else { "" };
    if x.is_infinite() {
        return if sign.is_empty() { "+inf.0" } else { "-inf.0" }.to_owned();
    }
    if x == 0.0 {
        return format!("{sign}0.0");
    }
    let digits = match radix {
        10 => decimal_digits(x.abs()),
        _ => shortest_digits(x.abs(), radix),
    };
    format!("{sign}{}", lay_out(&digits, radix))
}

/// The shortest decimal digits of a positive finite double.
fn decimal_digits(x: f64) -> Digits {
    let text = format!("{x:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    Digits {
        digits: mantissa
            .bytes()
            .filter(|&b| b != b'.')
            .map(|b| b - b'0')
            .collect(),
        point: exponent.parse::<i32>().unwrap_or(0) + 1,
    }
}

/// Digits with a point where a reader expects it: an exponent only in radix 10 and only when the
/// number is below 10⁻⁶ or at least 10²¹.
fn lay_out(number: &Digits, radix: u32) -> String {
    let text: String = number
        .digits
        .iter()
        .map(|&d| char::from_digit(u32::from(d), radix).unwrap_or('0'))
        .collect();
    let point = number.point;
    if radix == 10 && !(-5..=21).contains(&point) {
        let (first, rest) = text.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        return format!("{first}{dot}{rest}e{}", point - 1);
    }
    let zeros = |n: i32| "0".repeat(n.max(0) as usize);
    let length = text.len() as i32;
    if point <= 0 {
        format!("0.{}{text}", zeros(-point))
    } else if point >= length {
        format!("{text}{}.0", zeros(point - length))
    } else {
        let (whole, fraction) = text.split_at(point as usize);
        format!("{whole}.{fraction}")
    }
}

/// The state of digit generation: the value is `r / s`; a number nearer to it than `above / s`
/// upwards or `below / s` downwards reads back as the same double.
struct Generator {
    r: UBig,
    s: UBig,
    above: UBig,
    below: UBig,
    /// Whether the bounds themselves read back too: ties go to even mantissas.
    inclusive: bool,
}

impl Generator {
    /// For a positive finite double.
    fn new(x: f64) -> Self {
        let bits = x.to_bits();
        let biased = (bits >> 52) as i32;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = match biased {
            0 => (fraction, -1074),
            _ => (fraction | 1 << 52, biased - 1075),
        };
        // At a power of two the gap below is half the gap above.
        let narrow = u32::from(fraction == 0 && biased > 1);
        let up = exponent.max(0) as usize;
        let down = (-exponent).max(0) as usize;
        let one = UBig::ONE;
        Self {
            r: UBig::from(mantissa) << (up + 1 + narrow as usize),
            s: one.clone() << (down + 1 + narrow as usize),
            above: one.clone() << (up + narrow as usize),
            below: one << up,
            inclusive: mantissa % 2 == 0,
        }
    }

    /// Whether the upper bound reaches 1.
    fn too_high(&self) -> bool {
        let high = &self.r + &self.above;
        if self.inclusive {
            high >= self.s
        } else {
            high > self.s
        }
    }

    fn multiply(&mut self, radix: u32) {
        self.r *= radix;
        self.above *= radix;
        self.below *= radix;
    }

    /// Scales the value into `[1/radix, 1)` and says by which power of the radix it was divided.
    fn normalise(&mut self, x: f64, radix: u32) -> i32 {
        // The estimate is at most a rounding error above the truth, hence the slack.
        let mut point = (x.log2() / f64::from(radix).log2() - 1e-9).ceil() as i32;
        let scale = UBig::from(radix).pow(point.unsigned_abs() as usize);
        if point >= 0 {
            self.s *= scale;
        } else {
            self.r *= &scale;
            self.above *= &scale;
            self.below *= scale;
        }
        while self.too_high() {
            self.s *= radix;
            point += 1;
        }
        point
    }
}

fn shortest_digits(x: f64, radix: u32) -> Digits {
    let mut state = Generator::new(x);
    let point = state.normalise(x, radix);
    let mut digits = Vec::new();
    loop {
        state.multiply(radix);
        let (digit, rest) = state.r.div_rem(&state.s);
        state.r = rest;
        let digit = u8::try_from(&digit).unwrap_or(0);
        let low = match state.inclusive {
            true => state.r <= state.below,
            false => state.r < state.below,
        };
        let high = state.too_high();
        if !low && !high {
            digits.push(digit);
            continue;
        }
        let round_up = high && (!low || &state.r * 2u8 >= state.s);
        digits.push(digit + u8::from(round_up));
        return Digits { digits, point };
    }
}
