//! Numbers as short texts, and the cells of a row.

use super::report::Traffic;
use super::rows::{Rates, Row};

/// The headings of the cells with figures, if they are rates, and if they are sums.
pub(crate) const RATES: [&str; 6] = ["in msg/s", "in B/s", "out msg/s", "out B/s", "waiting", "drops/s"];
pub(crate) const SUMS: [&str; 6] = ["in msg", "in B", "out msg", "out B", "waiting", "drops"];

/// The cells of a row with rates; a dash stands for one that is not known yet.
pub(crate) fn rates(row: &Row) -> [String; 6] {
    let of =
        |field: fn(&Rates) -> f64| row.rates.as_ref().map_or_else(|| "-".into(), |rates| short(field(rates)));
    [
        of(|rates| rates.messages_received),
        of(|rates| rates.bytes_received),
        of(|rates| rates.messages_sent),
        of(|rates| rates.bytes_sent),
        waiting(row),
        of(|rates| rates.drops),
    ]
}

/// The cells of a row with sums.
pub(crate) fn sums(row: &Row) -> [String; 6] {
    let of = |number: u64| short(number as f64);
    let Traffic { messages_received, bytes_received, messages_sent, bytes_sent, .. } = row.totals;
    [
        of(messages_received),
        of(bytes_received),
        of(messages_sent),
        of(bytes_sent),
        waiting(row),
        of(row.totals.drops()),
    ]
}

fn waiting(row: &Row) -> String {
    short(row.waiting.sum() as f64)
}

/// A number in five characters at most, rounded: `0.4`, `999`, `1.23k`, `45.6M`.
pub(crate) fn short(number: f64) -> String {
    let mut number = number;
    for unit in ["", "k", "M", "G", "T", "P"] {
        // What would be rounded to 1000 has the next unit.
        if number < 999.5 {
            let decimals = match number {
                _ if number == 0.0 || unit.is_empty() && number >= 9.95 => 0,
                _ if unit.is_empty() => usize::from(number.fract() >= 0.05 && number.fract() < 0.95),
                ..9.995 => 2,
                ..99.95 => 1,
                _ => 0,
            };
            return format!("{number:.decimals$}{unit}");
        }
        number /= 1000.0;
    }
    "many".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_three_digits() {
        for (number, text) in [
            (0.0, "0"),
            (0.04, "0"),
            (0.42, "0.4"),
            (3.0, "3"),
            (2.97, "3"),
            (9.5, "9.5"),
            (9.96, "10"),
            (42.4, "42"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (1234.0, "1.23k"),
            (9996.0, "10.0k"),
            (123_456.0, "123k"),
            (999_600.0, "1.00M"),
            (45_600_000_000.0, "45.6G"),
            (1e30, "many"),
        ] {
            assert_eq!(short(number), text, "{number}");
        }
    }
}
