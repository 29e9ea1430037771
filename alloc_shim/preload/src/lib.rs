//! The exported malloc family over the static region.
#![no_std]
