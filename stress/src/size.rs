//! Amounts of memory as people write them: `4096`, `64k`, `512M`, `2g`.

/// The bytes that a text names.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").unwrap_or(&lower);
    let (digits, shift) = match lower.as_bytes().last() {
        Some(b'k') => (&lower[..lower.len() - 1], 10),
        Some(b'm') => (&lower[..lower.len() - 1], 20),
        Some(b'g') => (&lower[..lower.len() - 1], 30),
        _ => (lower, 0),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("`{text}` is no size: write 4096, 64k, 512m or 2g"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("`{text}` is more than a machine addresses"))
}

/// An amount in the largest unit that keeps it above one.
pub(crate) fn show(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        10_485_760..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse("64k"), Ok(64 << 10));
        assert_eq!(parse("512M"), Ok(512 << 20));
        assert_eq!(parse("2GiB"), Ok(2 << 30));
    }

    #[test]
    fn what_is_no_size_is_told() {
        assert_eq!(
            parse("lots"),
            Err("`lots` is no size: write 4096, 64k, 512m or 2g".into())
        );
        assert!(parse("").is_err());
        assert!(parse("-1").is_err());
        assert_eq!(
            parse("99999999999g"),
            Err("`99999999999g` is more than a machine addresses".into())
        );
    }

    #[test]
    fn sizes_are_shown() {
        assert_eq!(show(100), "100 bytes");
        assert_eq!(show(64 << 10), "64 KiB");
        assert_eq!(show(512 << 20), "512 MiB");
        assert_eq!(show(64 << 30), "64 GiB");
    }
}
