//! Our nanocat and Debian's compared: arguments, output and status, and conversations between the two.

use std::fs;
use std::os::unix::fs::symlink;

use scaproust::{Pull, Push};

use crate::programs::{End, Folder, Program, Which, run, tcp};

const BOTH: [Which; 2] = [Which::Ours, Which::Debian];

/// The output of a program for some messages, of which the last is `end`, printed as `end_shown`.
fn printed(which: Which, format: &str, messages: &[Vec<u8>], end: &[u8], end_shown: &[u8]) -> Vec<u8> {
    let folder = Folder::new();
    let address = folder.ipc("messages");
    let source = Push::new().unwrap();
    source.bind(&address).unwrap();
    let mut receiver = Program::start(which, &format!("--pull --connect {address} {format}"));
    for message in messages {
        source.send(message).unwrap();
    }
    source.send(end).unwrap();
    receiver.read_until(end_shown).to_vec()
}

#[test]
fn every_format_is_the_same_byte_for_byte() {
    let mut messages = vec![Vec::new(), b"text".to_vec(), (0..=255).collect(), b"\"\\\r\n\t\0".to_vec()];
    messages.extend(
        [127, 128, 255, 256, 65_535, 65_536, 70_000]
            .map(|length| (0..length).map(|index: u32| (index * 7 + length) as u8).collect::<Vec<u8>>()),
    );
    let end = b"This is the end.";
    let hex: String = end.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    for (format, end_shown) in [
        ("--raw", "This is the end."),
        ("--ascii", "This is the end.\n"),
        ("-A", "This is the end.\n"),
        ("--quoted", "\"This is the end.\"\n"),
        ("-Q", "\"This is the end.\"\n"),
        ("--msgpack", "This is the end."),
        ("--hex", &format!("\"{hex}\"\n")),
        ("--format raw", "This is the end."),
        ("--format=msgpack", "This is the end."),
        ("--raw --format quoted", "\"This is the end.\"\n"),
        ("--format quoted --asc", "This is the end.\n"),
    ] {
        let [ours, theirs] = BOTH.map(|which| printed(which, format, &messages, end, end_shown.as_bytes()));
        assert!(ours == theirs, "{format}: {} and {} bytes", ours.len(), theirs.len());
    }
}

/// The results of both with the same arguments; each has its own address for `ADDRESS`.
fn ends(arguments: &str) -> [End; 2] {
    BOTH.map(|which| {
        let folder = Folder::new();
        let arguments = arguments.replace("ADDRESS", &folder.ipc("socket"));
        Program::start_in(folder.path(), &which.path(), arguments.split_whitespace()).end()
    })
}

#[test]
fn wrong_arguments_are_refused_by_both() {
    for arguments in [
        "",
        "--nonsense",
        "-z",
        "stray",
        "--pull",
        "--bind ADDRESS",
        "--pull --push --data x --bind ADDRESS",
        "--pull --pull --bind ADDRESS",
        "--push --bind ADDRESS",
        "--pub --bind ADDRESS",
        "--req --bind ADDRESS",
        "--pull --data x --bind ADDRESS",
        "--sub --interval 1 --bind ADDRESS",
        "--push --data x --data y --bind ADDRESS",
        "--push --data x --raw --bind ADDRESS",
        "--push --data x --recv-timeout 0 --bind ADDRESS",
        "--pull --send-timeout 1 --bind ADDRESS",
        "--pull --subscribe x --bind ADDRESS",
        "--pull --format pretty --bind ADDRESS",
        "--pull --recv-timeout soon --bind ADDRESS",
        "--pull --bi ADDRESS",
        "--pull --bind ADDRESS stray",
        "--pull --bind",
        "--pull --raw=yes --bind ADDRESS",
    ] {
        let [ours, theirs] = ends(arguments);
        assert_eq!((ours.status, theirs.status), (Some(1), Some(1)), "{arguments}: {}", ours.stderr);
        assert!(ours.stdout.is_empty() && ours.stderr.starts_with("error: "), "{arguments}: {ours:?}");
    }
}

#[test]
#[cfg_attr(target_env = "musl", ignore = "the reference has the texts of glibc")]
fn later_failures_have_the_same_status_and_text() {
    for (arguments, status) in [
        ("--pull --bind pigeon://loft", 3),
        ("--pull --bind tcp://127.0.0.1:port", 3),
        ("--pull --connect nonsense", 3),
        ("--sub --bind ipc://no/such/folder", 3),
        ("--pull --bind ADDRESS --bind ADDRESS", 3),
        ("--push --data x --send-timeout 0.01 --bind ADDRESS", 3),
        ("--rep --data x --recv-timeout 0 --bind ADDRESS", 3),
        ("--pull --recv-timeout 1 --bind ADDRESS", 0),
        ("--sub --recv-timeout 0 --bind ADDRESS --subscribe= --subscribe a", 0),
        ("--rep --recv-timeout 0 --bind ADDRESS -A", 0),
        ("--pair --recv-timeout 0 --connect ADDRESS -vvq --socket-name Ada", 0),
        ("--bus --data x --recv-timeout 0 --bind ADDRESS --delay 0", 0),
        ("--pub --data x --bind ADDRESS", 0),
        ("--pub --data= --bind ADDRESS -- -", 0),
        ("--pub -d=0 --bind ADDRESS -Dx", 1),
    ] {
        let [mut ours, theirs] = ends(arguments);
        assert_eq!(theirs.status, Some(status), "{arguments}");
        if arguments.contains("-v") || status == 1 {
            ours.stderr.clear();
            assert_eq!((ours.status, ours.stdout), (theirs.status, theirs.stdout), "{arguments}");
        } else {
            assert_eq!(ours, theirs, "{arguments}");
        }
    }
}

#[test]
fn a_missing_file_has_a_status_of_its_own() {
    let [ours, theirs] = ends("--push --bind ADDRESS --file missing");
    assert_eq!((ours.status, theirs.status), (Some(2), Some(2)));
    assert_eq!(ours.stderr, "Can't open missing: No such file or directory\n");
    let folder = Folder::new();
    let ours = run(Which::Ours, &format!("--push --bind {} --file {}", folder.ipc("a"), folder.file("")));
    assert_eq!(ours.status, Some(2), "{ours:?}");
    let ours = run(Which::Ours, &format!("--pull --bind {} --output /", folder.ipc("a")));
    assert_eq!(ours.status, Some(2), "{ours:?}");
}

/// Two sides of a conversation, each with its socket type and what it sends. The first binds.
struct Talk(&'static str, Option<&'static str>, &'static str, Option<&'static str>);

impl Talk {
    fn check(&self, address: &str, which: [Which; 2]) {
        let Talk(bound, bound_text, other, other_text) = *self;
        let side = |which, socket_type: &str, how, text: Option<&str>| {
            let again = if socket_type == "rep" { "" } else { "--interval 0.05" };
            let send = text.map_or(String::new(), |text| format!("--data {text} {again}"));
            let show = if socket_type == "push" || socket_type == "pub" { "" } else { "--ascii" };
            Program::start(which, &format!("--{socket_type} {how} {address} {send} {show}"))
        };
        let mut one = side(which[0], bound, "--bind", bound_text);
        let mut two = side(which[1], other, "--connect", other_text);
        for (receiver, text) in [(&mut two, bound_text), (&mut one, other_text)] {
            if let Some(text) = text {
                let three = format!("{text}\n").repeat(3);
                assert!(receiver.read_until(three.as_bytes()).starts_with(three.as_bytes()));
            }
        }
    }
}

#[test]
fn ours_and_debians_talk_to_each_other() {
    for talk in [
        Talk("push", Some("task"), "pull", None),
        Talk("pull", None, "push", Some("task")),
        Talk("pub", Some("news"), "sub", None),
        Talk("sub", None, "pub", Some("news")),
        Talk("rep", Some("answer"), "req", Some("question")),
        Talk("req", Some("question"), "rep", Some("answer")),
        Talk("pair", Some("from-one"), "pair", Some("from-the-other")),
        Talk("bus", Some("from-one"), "bus", Some("from-the-other")),
    ] {
        for which in [[Which::Ours, Which::Debian], [Which::Debian, Which::Ours]] {
            let folder = Folder::new();
            talk.check(&folder.ipc("talk"), which);
            talk.check(&tcp(), which);
        }
    }
}

#[test]
fn the_value_after_a_letter_is_taken_unchanged() {
    for argument in
        ["-D=value", "-D-value", "-D-", "-vqD=v=w", "--data==value", "--dat -D=value", "--da=value"]
    {
        let [ours, theirs] = BOTH.map(|which| {
            let folder = Folder::new();
            let address = folder.ipc("value");
            let sink = Pull::new().unwrap();
            sink.bind(&address).unwrap();
            let _sender = Program::start(which, &format!("--push --connect {address} -i9 {argument}"));
            sink.recv().unwrap().to_vec()
        });
        assert_eq!(ours, theirs, "{argument}");
    }
}

#[test]
fn a_link_selects_the_socket_type() {
    let folder = Folder::new();
    for (name, arguments, status) in [
        ("nn_pull", "--recv-timeout 0", 0),
        ("nn_sub", "--recv-timeout 0 --subscribe x", 0),
        ("nn_pair", "--recv-timeout 0", 0),
        ("nn_bus", "--recv-timeout 0", 0),
        ("nn_rep", "--recv-timeout 0", 0),
        ("nn_pub", "--data x", 0),
        ("nn_push", "--data x --send-timeout 0.01", 3),
        ("nn_push", "", 1),
        ("nn_req", "", 1),
        ("nn_pull", "--push --data x", 1),
        ("nn_pigeon", "--data x", 1),
    ] {
        for which in BOTH {
            let link = folder.path().join(name);
            symlink(which.path(), &link).unwrap();
            let arguments = format!("--bind {} {arguments}", folder.ipc("link"));
            let end = Program::start_in(folder.path(), &link, arguments.split_whitespace()).end();
            assert_eq!(end.status, Some(status), "{which:?} {name} {arguments}: {}", end.stderr);
            fs::remove_file(link).unwrap();
        }
    }
}

#[test]
fn manual_and_completions_have_every_option() {
    let theirs = run(Which::Debian, "--help");
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    let names: Vec<_> = theirs.lines().filter_map(|line| line.strip_prefix(" --")).collect();
    let names = names
        .into_iter()
        .map(|line| line.split([',', ' ']).next().unwrap())
        .chain(["lines", "count", "output"]);
    let texts =
        ["--help", "--generate man", "--generate bash", "--generate zsh", "--generate fish"].map(|what| {
            let end = run(Which::Ours, what);
            assert_eq!((end.status, &*end.stderr), (Some(0), ""), "{what}");
            String::from_utf8(end.stdout).unwrap().replace("\\-", "-")
        });
    let mut count = 0;
    for name in names {
        count += 1;
        for text in &texts {
            assert!(text.contains(name), "--{name} is missing in {}", text.lines().next().unwrap());
        }
    }
    assert!(count > 30, "only {count} options were found");
}
