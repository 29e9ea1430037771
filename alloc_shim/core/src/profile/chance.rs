//! Chance: how far it is to the next sample, and what a sample stands for.
//!
//! When each byte is chosen with the chance 1/R, independently of all others, the distance from one chosen byte to the next is
//! exponentially distributed with the mean R (a Poisson process), and a block of s bytes has a chosen one with the chance
//! p = 1 - exp(-s/R). A block that is seen therefore stands for 1/p blocks, and for s/p bytes: Horvitz and Thompson, *A
//! generalization of sampling without replacement from a finite universe* (1952).
//!
//! An interval of one byte is the exception: then every block is a sample, and stands for itself.
//!
//! Logarithm and exponential are made here, by the series of atanh and exp: there is no mathematical library below.

use super::tables::{PARTS, Weight, mixed};
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Chance {
    interval: AtomicUsize,
    /// What the next number is made of.
    turn: AtomicU64,
}

impl Chance {
    pub(super) const fn new() -> Self {
        Self {
            interval: AtomicUsize::new(1),
            turn: AtomicU64::new(0),
        }
    }

    /// Sets the mean distance, at least 1, and where the numbers begin.
    pub(super) fn set(&self, interval: usize, seed: u64) {
        self.turn.store(seed, Relaxed);
        self.interval.store(interval.max(1), Release);
    }

    pub(super) fn interval(&self) -> usize {
        self.interval.load(Acquire)
    }

    /// How many bytes pass before the next chosen one.
    pub(super) fn draw(&self) -> isize {
        let interval = self.interval();
        if interval == 1 {
            return 0;
        }
        // SplitMix64: Steele, Lea, Flood, *Fast splittable pseudorandom number generators* (2014).
        let turn = self.turn.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
        let bits = mixed(turn);
        // Above 0 and at most 1, in steps of 2^-53.
        let unit = ((bits >> 11) + 1) as f64 / (1u64 << 53) as f64;
        (-ln(unit) * interval as f64) as isize
    }

    /// What a block of so many bytes stands for when it is a sample.
    pub(super) fn weight(&self, bytes: usize) -> Weight {
        let interval = self.interval();
        if interval == 1 {
            return Weight {
                parts: PARTS,
                bytes: bytes as u64,
            };
        }
        let seen = miss(bytes as f64 / interval as f64);
        Weight {
            parts: (PARTS as f64 / seen + 0.5) as u64,
            bytes: (bytes as f64 / seen + 0.5) as u64,
        }
    }
}

/// The natural logarithm of a number from 2^-53 to 1.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    // ln m = 2 atanh((m - 1) / (m + 1)), where the quotient is at most a third.
    let quotient = (mantissa - 1.0) / (mantissa + 1.0);
    let square = quotient * quotient;
    let series = |sum: f64, n: u32| sum * square + 1.0 / f64::from(2 * n + 1);
    let sum = (0..=16).rev().fold(0.0, series);
    exponent as f64 * core::f64::consts::LN_2 + 2.0 * quotient * sum
}

/// 1 - exp(-x) of a number from 0 on, also where x is so small that exp(-x) is nearly 1.
fn miss(x: f64) -> f64 {
    if x > 40.0 {
        return 1.0;
    }
    let halvings = (x / core::f64::consts::LN_2) as u32;
    let rest = x - f64::from(halvings) * core::f64::consts::LN_2;
    // rest - rest²/2! + rest³/3! - …, by Horner's rule.
    let series = |sum: f64, n: u32| rest / f64::from(n) * (1.0 - sum);
    let small = (1..=20).rev().fold(0.0, series);
    match halvings {
        // As it is, for next to 1 its digits would be lost.
        0 => small,
        _ => 1.0 - (1.0 - small) / (1u64 << halvings) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-12 * right.abs().max(1e-300)
    }

    #[test]
    fn logarithm_and_exponential_are_those_of_the_library() {
        let mut x = 1.0f64;
        while x > 2f64.powi(-53) {
            assert!(near(ln(x), x.ln()), "{x}");
            x *= 0.83;
        }
        let mut x = 1e-12f64;
        while x < 100.0 {
            assert!(near(miss(x), -(-x).exp_m1()), "{x}");
            x *= 1.37;
        }
        assert_eq!(miss(0.0), 0.0);
    }

    #[test]
    fn distances_have_the_mean_and_the_spread_of_an_exponential_distribution() {
        let chance = Chance::new();
        chance.set(1000, 1);
        let many = 100_000;
        let drawn: Vec<f64> = (0..many).map(|_| chance.draw() as f64).collect();
        let mean = drawn.iter().sum::<f64>() / f64::from(many);
        let spread = drawn.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / f64::from(many);
        assert!((mean - 1000.0).abs() < 20.0, "{mean}");
        assert!((spread.sqrt() - 1000.0).abs() < 40.0, "{spread}");
        assert!(drawn.iter().all(|d| *d >= 0.0));
    }

    #[test]
    fn a_large_block_stands_for_itself_and_a_small_one_for_many() {
        let chance = Chance::new();
        chance.set(512 << 10, 1);
        let weight = chance.weight(1 << 30);
        assert_eq!((weight.parts, weight.bytes), (PARTS, 1 << 30));
        let weight = chance.weight(1024);
        assert!(weight.bytes.abs_diff(512 << 10) < 1024, "{weight:?}");
        assert!(weight.parts.abs_diff(512 * PARTS) < PARTS, "{weight:?}");
        chance.set(1, 1);
        assert_eq!(
            chance.weight(100),
            Weight {
                parts: PARTS,
                bytes: 100
            }
        );
        assert_eq!(chance.draw(), 0);
    }
}
