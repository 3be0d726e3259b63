//! Plans as text: a line for each part, which can be left out.

use std::fmt;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use super::plan::{Check, Fault, MANNERS, Plan, SocketPlan, Step, ThreadName, protocol};
use super::tasks::Tasks;
use crate::machine::{BACKLOG, Settings};

impl Check {
    fn parse(mut words: SplitWhitespace<'_>) -> Option<Check> {
        Some(match words.next()? {
            "order" => Check::Order(number(&mut words)?),
            "pipe-order" => Check::PipeOrder(number(&mut words)?),
            "idle" => Check::Idle,
            "delivery" => Check::Delivery(number(&mut words)?),
            "newest" => Check::Newest(number(&mut words)?),
            "no-gap" => Check::NoGap(number(&mut words)?),
            "fair" => Check::Fair(number(&mut words)?),
            "prompt" => Check::Prompt(number(&mut words)?, number(&mut words)?),
            "send-priority" => Check::SendPriority(number(&mut words)?),
            "receive-priority" => Check::ReceivePriority(number(&mut words)?),
            "rounds" => Check::Rounds(number(&mut words)?, number(&mut words)?),
            _ => return None,
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Check::Order(socket) => write!(to, "order {socket}"),
            Check::PipeOrder(socket) => write!(to, "pipe-order {socket}"),
            Check::Idle => write!(to, "idle"),
            Check::Delivery(socket) => write!(to, "delivery {socket}"),
            Check::Newest(socket) => write!(to, "newest {socket}"),
            Check::NoGap(socket) => write!(to, "no-gap {socket}"),
            Check::Fair(socket) => write!(to, "fair {socket}"),
            Check::Prompt(socket, time) => write!(to, "prompt {socket} {time}"),
            Check::SendPriority(socket) => write!(to, "send-priority {socket}"),
            Check::ReceivePriority(socket) => write!(to, "receive-priority {socket}"),
            Check::Rounds(socket, most) => write!(to, "rounds {socket} {most}"),
        }
    }
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// The line that is none of a plan.
    pub(super) fn parse(text: &str) -> Result<Plan, String> {
        let mut plan = Plan {
            machine: Settings::default(),
            sockets: Vec::new(),
            steps: Vec::new(),
            faults: Vec::new(),
            checks: Vec::new(),
            ends_by_term: false,
            has_ring: false,
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            plan.add(line).ok_or_else(|| line.to_owned())?;
        }
        Ok(plan)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let mut words = line.split_whitespace();
        match words.next()? {
            "machine" => self.machine = settings(words)?,
            "socket" => self.sockets.push(SocketPlan::parse(words)?),
            "fault" => self.faults.push((Duration::from_millis(number(&mut words)?), Fault::parse(words)?)),
            "check" => self.checks.push(Check::parse(words)?),
            "term" => self.ends_by_term = true,
            "ring" => self.has_ring = true,
            name => {
                let (socket, thread) = name.split_once('.')?;
                let name = ThreadName(socket.parse().ok()?, thread.parse().ok()?);
                self.steps.push((name, Step::parse(words)?));
            }
        }
        Some(())
    }
}

/// The next word, which is a number.
pub(super) fn number<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

fn settings(mut words: SplitWhitespace<'_>) -> Option<Settings> {
    let micros = |words: &mut _| number(words).map(Duration::from_micros);
    Some(Settings {
        seed: number(&mut words)?,
        processors: number(&mut words)?,
        switch_every: number(&mut words)?,
        longest_step: micros(&mut words)?,
        latest_timer: micros(&mut words)?,
        longest_way: micros(&mut words)?,
        room: number(&mut words)?,
        scarce_every: number(&mut words)?,
        descriptors: number(&mut words)?,
        // Plans of before have none.
        backlog: words.next().map_or(Some(BACKLOG), |word| word.parse().ok())?,
        lacking_every: words.next().map_or(Some(0), |word| word.parse().ok())?,
    })
}

impl SocketPlan {
    fn parse(mut words: SplitWhitespace<'_>) -> Option<SocketPlan> {
        let number = number(&mut words)?;
        let name = words.next()?;
        let protocol = protocol(name.trim_start_matches("raw-"))?;
        let mut words = words.peekable();
        let late = words.next_if(|word| word.starts_with('@'));
        let opens = late.map_or(Some(0), |word| word[1..].parse().ok()).map(Duration::from_millis)?;
        let options: Option<_> = words.map(option).collect();
        Some(SocketPlan { number, protocol, is_raw: name.starts_with("raw-"), opens, options: options? })
    }
}

/// `level:name=value`.
fn option(word: &str) -> Option<(i32, i32, i32)> {
    let (key, value) = word.split_once('=')?;
    let (level, name) = key.split_once(':')?;
    Some((level.parse().ok()?, name.parse().ok()?, value.parse().ok()?))
}

impl Step {
    fn parse(mut words: SplitWhitespace<'_>) -> Option<Step> {
        let verb = words.next()?;
        let words = &mut words;
        Some(match verb {
            "bind" => Step::Bind(words.next()?.to_owned()),
            "connect" => Step::Connect(words.next()?.to_owned()),
            "leave" => Step::Leave,
            "subscribe" => Step::Subscribe(number(words)?),
            "set" => Step::Set(number(words)?, number(words)?),
            "share" => Step::Share(number(words)?),
            "send" => Step::Send(number(words)?, number(words)?),
            "try-send" => Step::TrySend(number(words)?, number(words)?),
            "receive" => Step::Receive(number(words)?),
            "wait" => Step::Wait(number(words)?, number(words)?),
            "poll" => Step::Poll,
            "poll-all" => {
                let numbers: Option<_> = words.next()?.split(',').map(|word| word.parse().ok()).collect();
                Step::PollAll(numbers?)
            }
            "poll-descriptor" => Step::PollDescriptor,
            "poll-send" => Step::PollSend(number(words)?, number(words)?),
            "fill" => Step::Fill(number(words)?),
            "raw-ask" => Step::RawAsk(number(words)?, number(words)?),
            "raw-answer" => Step::RawAnswer,
            "relay" => Step::Relay,
            "answer" => Step::Answer(number(words)?),
            "answer-late" => Step::AnswerLate(number(words)?),
            "request" => Step::Request(number(words)?),
            "answers" => Step::Answers,
            "ask" => Step::Ask(number(words)?, number(words)?),
            "survey" => Step::Survey(number(words)?, number(words)?),
            "device" => Step::Device(number(words)?),
            "watch" => Step::Watch(number(words)?),
            "tasks" => Step::Tasks(Tasks::parse(words)?),
            "sleep" => Step::Sleep(number(words)?),
            "close" => Step::Close,
            _ => return None,
        })
    }
}

impl Fault {
    fn parse(mut words: SplitWhitespace<'_>) -> Option<Fault> {
        let verb = words.next()?;
        let words = &mut words;
        Some(match verb {
            "reset" => Fault::Reset(number(words)?),
            "stall" => Fault::Stall(number(words)?, number(words)?),
            "cut" => Fault::Cut(number(words)?),
            "half-close" => Fault::HalfClose(number(words)?),
            "no-names" => Fault::NoNames(number(words)?),
            "no-descriptors" => Fault::NoDescriptors(number(words)?),
            "stranger" => Fault::Stranger(number(words)?, number(words)?),
            "exit" => Fault::Exit,
            "peer" => {
                let (address, name, manner) = (words.next()?, words.next()?, words.next()?);
                let (manner, _) = MANNERS.iter().find(|(_, name)| *name == manner)?;
                Fault::Peer(address.to_owned(), protocol(name)?, *manner)
            }
            "descriptors" => Fault::Descriptors(number(words)?, number(words)?),
            "suspend" => Fault::Suspend(number(words)?),
            "term" => Fault::Term,
            "unlink" => Fault::Unlink(words.next()?.to_owned(), number(words)?),
            _ => return None,
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { seed, processors, switch_every, room, scarce_every, descriptors, .. } = self.machine;
        let times = [self.machine.longest_step, self.machine.latest_timer, self.machine.longest_way];
        let [step, timer, way] = times.map(|time| time.as_micros());
        write!(to, "machine {seed} {processors} {switch_every} {step} {timer} {way} {room} ")?;
        write!(to, "{scarce_every} {descriptors}")?;
        match (self.machine.backlog, self.machine.lacking_every) {
            (BACKLOG, 0) => writeln!(to)?,
            (backlog, 0) => writeln!(to, " {backlog}")?,
            (backlog, lacking_every) => writeln!(to, " {backlog} {lacking_every}")?,
        }
        for SocketPlan { number, protocol, is_raw, opens, options } in &self.sockets {
            write!(to, "socket {number} {}{}", if *is_raw { "raw-" } else { "" }, protocol.name)?;
            if !opens.is_zero() {
                write!(to, " @{}", opens.as_millis())?;
            }
            for (level, name, value) in options {
                write!(to, " {level}:{name}={value}")?;
            }
            writeln!(to)?;
        }
        for (ThreadName(socket, thread), step) in &self.steps {
            writeln!(to, "{socket}.{thread} {step}")?;
        }
        for (moment, fault) in &self.faults {
            writeln!(to, "fault {} {fault}", moment.as_millis())?;
        }
        for check in &self.checks {
            writeln!(to, "check {check}")?;
        }
        if self.has_ring {
            writeln!(to, "ring")?;
        }
        if self.ends_by_term { writeln!(to, "term") } else { Ok(()) }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Bind(address) => write!(to, "bind {address}"),
            Step::Connect(address) => write!(to, "connect {address}"),
            Step::Leave => write!(to, "leave"),
            Step::Subscribe(topic) => write!(to, "subscribe {topic}"),
            Step::Set(name, value) => write!(to, "set {name} {value}"),
            Step::Share(other) => write!(to, "share {other}"),
            Step::Send(count, size) => write!(to, "send {count} {size}"),
            Step::TrySend(count, size) => write!(to, "try-send {count} {size}"),
            Step::Receive(count) => write!(to, "receive {count}"),
            Step::Wait(count, time) => write!(to, "wait {count} {time}"),
            Step::Poll => write!(to, "poll"),
            Step::PollAll(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(usize::to_string).collect();
                write!(to, "poll-all {}", numbers.join(","))
            }
            Step::PollDescriptor => write!(to, "poll-descriptor"),
            Step::PollSend(count, size) => write!(to, "poll-send {count} {size}"),
            Step::Fill(size) => write!(to, "fill {size}"),
            Step::RawAsk(count, size) => write!(to, "raw-ask {count} {size}"),
            Step::RawAnswer => write!(to, "raw-answer"),
            Step::Relay => write!(to, "relay"),
            Step::Answer(count) => write!(to, "answer {count}"),
            Step::AnswerLate(time) => write!(to, "answer-late {time}"),
            Step::Request(size) => write!(to, "request {size}"),
            Step::Answers => write!(to, "answers"),
            Step::Ask(count, size) => write!(to, "ask {count} {size}"),
            Step::Survey(count, size) => write!(to, "survey {count} {size}"),
            Step::Device(other) => write!(to, "device {other}"),
            Step::Watch(other) => write!(to, "watch {other}"),
            Step::Tasks(tasks) => tasks.fmt(to),
            Step::Sleep(time) => write!(to, "sleep {time}"),
            Step::Close => write!(to, "close"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Reset(link) => write!(to, "reset {link}"),
            Fault::Stall(link, time) => write!(to, "stall {link} {time}"),
            Fault::Cut(link) => write!(to, "cut {link}"),
            Fault::HalfClose(link) => write!(to, "half-close {link}"),
            Fault::NoNames(time) => write!(to, "no-names {time}"),
            Fault::NoDescriptors(time) => write!(to, "no-descriptors {time}"),
            Fault::Stranger(port, size) => write!(to, "stranger {port} {size}"),
            Fault::Exit => write!(to, "exit"),
            Fault::Peer(address, protocol, manner) => {
                let name = MANNERS.iter().find(|(other, _)| other == manner).map_or("", |(_, name)| name);
                write!(to, "peer {address} {} {name}", protocol.name)
            }
            Fault::Descriptors(count, time) => write!(to, "descriptors {count} {time}"),
            Fault::Suspend(time) => write!(to, "suspend {time}"),
            Fault::Term => write!(to, "term"),
            Fault::Unlink(path, time) => write!(to, "unlink {path} {time}"),
        }
    }
}
