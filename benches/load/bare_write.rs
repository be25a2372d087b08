//! What sending costs without us: frames of the same size written to as many sockets, by a thread that does nothing else.
//!
//! The sockets are set up as those of the program, and somebody reads them on another thread, through an event loop as
//! the browsers do: that a write wakes its reader is part of what it costs. Rounds come as far apart as frames do.

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use bilibili_live_monitor::web::shared::Message;
use bytestring::ByteString;
use cpu_time::ThreadTime;
use tokio::{io::AsyncReadExt, runtime, task::LocalSet};

/// Whether a write finds its reader asleep, and on which core, is luck that lasts as long as the reader: several are met.
const READERS: usize = 5;
const ROUNDS: usize = 15;
const APART: Duration = Duration::from_millis(50);

/// CPU of writing a text of so many bytes to one of so many sockets: the median of the rounds with each of some readers,
/// and of these the least, the middle and the most.
pub fn cost(sockets: usize, text: usize) -> [Duration; 3] {
    let mut medians: Vec<Duration> = (0..READERS).map(|_| with_a_reader(sockets, text)).collect();
    medians.sort_unstable();
    [0, READERS / 2, READERS - 1].map(|at| medians[at])
}

fn with_a_reader(sockets: usize, text: usize) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let (mut ours, theirs): (Vec<TcpStream>, Vec<TcpStream>) = (0..sockets)
        .map(|_| {
            let theirs = TcpStream::connect(address).expect("a connection");
            let (ours, _) = listener.accept().expect("a connection");
            ours.set_nodelay(true).expect("a socket");
            (ours, theirs)
        })
        .unzip();
    let readers = thread::spawn(|| read_all(theirs));
    let frame = Message::new(&"x".repeat(text), ByteString::new(), 0).frame;
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            thread::sleep(APART);
            let begun = ThreadTime::now();
            ours.iter_mut().for_each(|socket| socket.write_all(&frame).expect("somebody reads"));
            begun.elapsed()
        })
        .collect();
    drop(ours);
    readers.join().expect("the readers do not panic");
    rounds.sort_unstable();
    rounds[ROUNDS / 2] / u32::try_from(sockets).expect("as many as there are ports")
}

fn read_all(sockets: Vec<TcpStream>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = LocalSet::new();
    for socket in sockets {
        local.spawn_local(async move {
            socket.set_nonblocking(true).expect("a socket");
            let mut socket = tokio::net::TcpStream::from_std(socket).expect("a socket");
            let mut buffer = vec![0; 16 << 10];
            while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        });
    }
    runtime.block_on(local);
}
