//! Shrinking: fewer lines that still fail.

use std::collections::BTreeSet;

/// Leaves out lines of `text`, and sockets with all their lines, as long as `fails` accepts the rest. Lines without which other
/// threads would wait for ever are left out with their socket only.
pub(super) fn shrink(text: &str, mut fails: impl FnMut(&str) -> bool) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    loop {
        let before = lines.len();
        let sockets: BTreeSet<String> =
            lines.iter().filter_map(|line| socket_of(line)).map(str::to_owned).collect();
        for socket in sockets {
            leave_out(&mut lines, &mut fails, |line| socket_of(line) == Some(&*socket));
        }
        for candidate in lines.clone().iter().filter(|line| is_optional(line)) {
            leave_out(&mut lines, &mut fails, |line| line == candidate);
        }
        if lines.len() == before {
            return lines.join("\n") + "\n";
        }
    }
}

fn leave_out(lines: &mut Vec<String>, fails: &mut impl FnMut(&str) -> bool, is_out: impl Fn(&str) -> bool) {
    let rest: Vec<String> = lines.iter().filter(|line| !is_out(line)).cloned().collect();
    if rest.len() < lines.len() && fails(&rest.join("\n")) {
        *lines = rest;
    }
}

/// The socket that a line is about.
fn socket_of(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    match words.next()? {
        "socket" | "delivery" | "no-gap" => words.next(),
        "check" => words.nth(1),
        name => name.split_once('.').map(|(socket, _)| socket),
    }
}

/// Whether no thread waits for what the line does.
fn is_optional(line: &str) -> bool {
    let needed = ["bind", "connect", "receive", "poll", "answer", "device", "subscribe", "share"];
    let verb = line.split_whitespace().nth(1).unwrap_or_default();
    !line.starts_with("machine") && !line.starts_with("socket") && !needed.contains(&verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_stays() {
        let text = "machine 1\nsocket 1 push\nsocket 2 pull\nsocket 3 pair\n1.0 connect a\n1.0 send 1 2\n1.0 sleep 3\n2.0 bind a\n\
                    2.0 receive 0\n3.0 bind b\nfault 1 reset 2\ncheck delivery 1\ncheck order 3\n";
        let needed = ["1.0 send 1 2", "2.0 bind a", "check delivery 1"];
        let shrunk = shrink(text, |rest| needed.iter().all(|line| rest.contains(line)));
        let left = "machine 1\nsocket 1 push\nsocket 2 pull\n1.0 connect a\n1.0 send 1 2\n2.0 bind a\n2.0 receive 0\ncheck delivery 1\n";
        assert_eq!(shrunk, left);
    }
}
