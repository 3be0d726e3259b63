use std::ptr::NonNull;

use super::{Control, RingReader, RingWriter};

/// A ring in ordinary memory.
struct Memory {
    control: NonNull<Control>,
    bytes: NonNull<[u8]>,
}

impl Memory {
    /// Memory for `size` bytes, and the two halves, which must not be used after it is dropped.
    fn new(size: usize) -> (Memory, RingWriter, RingReader) {
        let control = Box::new(Control::default());
        control.initialise();
        let control = NonNull::from(Box::leak(control));
        let bytes = NonNull::from(Box::leak(vec![0; size].into_boxed_slice()));
        // SAFETY: the memory lives as long as `Memory`.
        let halves = unsafe {
            let size = u32::try_from(size).unwrap();
            (RingWriter::new(control, bytes.cast(), size), RingReader::new(control, bytes.cast(), size))
        };
        (Memory { control, bytes }, halves.0, halves.1)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: both were leaked by `new`, and are not used any more.
        unsafe {
            drop(Box::from_raw(self.control.as_ptr()));
            drop(Box::from_raw(self.bytes.as_ptr()));
        }
    }
}

#[cfg(not(loom))]
mod model {
    use std::collections::VecDeque;
    use std::mem::MaybeUninit;
    use std::sync::atomic::Ordering;

    use proptest::prelude::*;

    use super::super::Corrupt;
    use super::*;

    const SIZE: usize = 16;

    /// Takes at most `most` bytes, into two rooms.
    fn take(reader: &RingReader, most: usize) -> Vec<u8> {
        let mut room = vec![MaybeUninit::uninit(); most];
        let (first, second) = room.split_at_mut(most / 3);
        let count = reader.take(&mut [first, second]).unwrap();
        // SAFETY: so many bytes were written.
        room[..count].iter().map(|byte| unsafe { byte.assume_init() }).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(Vec<Vec<u8>>),
        Take(usize),
        Sleep,
        Wait,
    }

    fn step() -> impl Strategy<Value = Step> {
        let piece = prop::collection::vec(any::<u8>(), 0..SIZE + 4);
        prop_oneof![
            prop::collection::vec(piece, 0..4).prop_map(Step::Put),
            (0..SIZE + 4).prop_map(Step::Take),
            Just(Step::Sleep),
            Just(Step::Wait),
        ]
    }

    proptest! {
        /// The bytes come out as they went in, a full ring takes no more, and a side that sleeps is woken once.
        #[test]
        fn a_ring_is_a_bounded_queue(
            first in any::<u32>(),
            steps in prop::collection::vec(step(), 0..100),
        ) {
            let (memory, writer, reader) = Memory::new(SIZE);
            // SAFETY: the memory is alive.
            let control = unsafe { memory.control.as_ref() };
            // The positions may be anywhere when the count overflows.
            for position in [&*control.head, &*control.tail, &writer.head, &reader.tail] {
                position.store(first, Ordering::Relaxed);
            }
            let mut model = VecDeque::<u8>::new();
            let (mut sleeps, mut waits) = (true, false);
            for step in steps {
                match step {
                    Step::Put(pieces) => {
                        let bytes: Vec<_> = pieces.iter().flatten().copied().collect();
                        let expected = bytes.len().min(SIZE - model.len());
                        prop_assert_eq!(writer.put(pieces.iter().map(Vec::as_slice)), Ok(expected));
                        model.extend(&bytes[..expected]);
                        prop_assert_eq!(writer.owes_wake_up(), std::mem::take(&mut sleeps));
                    }
                    Step::Take(most) => {
                        let expected: Vec<_> = model.drain(..most.min(model.len())).collect();
                        prop_assert_eq!(take(&reader, most), expected);
                        let wakes = waits && model.len() <= SIZE / 2;
                        prop_assert_eq!(reader.owes_wake_up(), Ok(wakes));
                        prop_assert_eq!(writer.has_been_woken(), wakes);
                        waits &= !wakes;
                    }
                    Step::Sleep => {
                        let is_woken = reader.is_armed() && !sleeps;
                        prop_assert_eq!(reader.disarm(), is_woken);
                        reader.arm();
                        sleeps = true;
                    }
                    Step::Wait => {
                        waits = model.len() == SIZE;
                        prop_assert_eq!(writer.await_room(), Ok(!waits));
                    }
                }
                prop_assert_eq!(reader.is_empty(), Ok(model.is_empty()));
                prop_assert_eq!(writer.is_read(), Ok(model.is_empty()));
            }
        }

        /// Whatever the peer writes to the words, a half stays inside the ring, or says that they are corrupt.
        #[test]
        fn positions_of_the_peer_are_checked(head in any::<u32>(), tail in any::<u32>()) {
            let (memory, writer, reader) = Memory::new(SIZE);
            // SAFETY: the memory is alive.
            let control = unsafe { memory.control.as_ref() };
            control.head.store(head, Ordering::Relaxed);
            control.tail.store(tail, Ordering::Relaxed);
            let mut room = [MaybeUninit::uninit(); 2 * SIZE];
            let readable = if head as usize <= SIZE { Ok(head as usize) } else { Err(Corrupt) };
            prop_assert_eq!(reader.take(&mut [&mut room]), readable);
            let unread = 0u32.wrapping_sub(tail) as usize;
            let writable = if unread <= SIZE { Ok(SIZE - unread) } else { Err(Corrupt) };
            prop_assert_eq!(writer.put([&[1; 2 * SIZE][..]].into_iter()), writable);
        }
    }

    #[test]
    fn all_positions_at_the_edges_are_checked() {
        for tail in [0, 1, u32::MAX] {
            let (memory, _, reader) = Memory::new(SIZE);
            // SAFETY: the memory is alive.
            let control = unsafe { memory.control.as_ref() };
            reader.tail.store(tail, Ordering::Relaxed);
            for (used, outcome) in
                [(0, Ok(true)), (16, Ok(false)), (17, Err(Corrupt)), (u32::MAX, Err(Corrupt))]
            {
                control.head.store(tail.wrapping_add(used), Ordering::Relaxed);
                assert_eq!(reader.is_empty(), outcome);
            }
        }
    }
}

#[cfg(loom)]
mod loom_tests {
    use std::mem::MaybeUninit;

    use loom::sync::{Arc, Notify};

    use super::*;

    /// What wakes a side: it stays until that side has waited for it.
    struct WakeUps {
        reader: Notify,
        writer: Notify,
    }

    /// Reads until `total` bytes have come, as a connection does: it sleeps only after it has marked that and looked again.
    fn read(reader: &RingReader, wake_ups: &WakeUps, total: usize) {
        let mut room = [MaybeUninit::uninit(); 8];
        let mut count = 0;
        while count < total {
            reader.disarm();
            let taken = reader.take(&mut [&mut room]).unwrap();
            count += taken;
            if taken > 0 {
                if reader.owes_wake_up().unwrap() {
                    wake_ups.writer.notify();
                }
                continue;
            }
            reader.arm();
            if reader.is_empty().unwrap() {
                wake_ups.reader.wait();
            }
        }
    }

    fn write(writer: &RingWriter, wake_ups: &WakeUps, total: usize) {
        let mut count = 0;
        while count < total {
            let put = writer.put([&[7; 8][..total - count]].into_iter()).unwrap();
            count += put;
            if put > 0 {
                if writer.owes_wake_up() {
                    wake_ups.reader.notify();
                }
            } else if !writer.await_room().unwrap() {
                wake_ups.writer.wait();
            }
        }
    }

    /// Through a ring of `size` bytes, with `first` in it, pass `total` more; a lost wake-up would be a deadlock.
    fn pass(size: usize, first: usize, total: usize) {
        let mut model = loom::model::Builder::new();
        // Without a bound it does not end in minutes.
        model.preemption_bound = Some(3);
        model.check(move || {
            let (memory, writer, reader) = Memory::new(size);
            assert_eq!(writer.put([&[7; 8][..first]].into_iter()), Ok(first));
            let wake_ups = Arc::new(WakeUps { reader: Notify::new(), writer: Notify::new() });
            let twin = wake_ups.clone();
            let thread = loom::thread::spawn(move || write(&writer, &twin, total));
            read(&reader, &wake_ups, first + total);
            thread.join().unwrap();
            assert_eq!(reader.is_empty(), Ok(true));
            drop(memory);
        });
    }

    #[test]
    fn loom_a_reader_that_sleeps_is_woken() {
        pass(4, 0, 2);
    }

    #[test]
    fn loom_a_writer_that_waits_for_room_is_woken() {
        pass(1, 1, 1);
    }
}
