//! The loop: sends, waits, measures.

use crate::connection::Connection;
use crate::measured::Measured;
use crate::options::Options;
use crate::schedule::Poisson;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use serde_json::Value;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// What is read at once. Larger than most replies, smaller than the second-level cache.
const BUFFER: usize = 256 * 1024;
/// How long replies may take after the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the load and gives the report.
pub(crate) fn run(options: &Options) -> Result<Value, String> {
    // Sleeps until an arrival end on time, not up to 50 µs late.
    rustix::thread::set_current_timer_slack(NonZero::new(1)).map_err(|error| error.to_string())?;
    let mut load = Load::open(options).map_err(|error| error.to_string())?;
    load.work()?;
    load.measured.report()
}

struct Load<'a> {
    options: &'a Options,
    connections: Vec<Connection<'a>>,
    poll: OwnedFd,
    poisson: Option<Poisson>,
    /// The connection of the next arrival.
    turn: usize,
    end: Instant,
    measured: Measured,
}

impl<'a> Load<'a> {
    fn open(options: &'a Options) -> std::io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(options.connections);
        for index in 0..options.connections {
            let request = &options.requests[index % options.requests.len()];
            let connection = Connection::open(options.port, request, options.replies)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&poll, &connection.stream, data, epoll::EventFlags::IN)?;
            connections.push(connection);
        }
        let start = Instant::now();
        let poisson = (options.rate > 0.0).then(|| Poisson::new(start, options.rate, options.seed));
        let begin = start + options.warmup;
        let end = begin + options.time;
        let measured = Measured::new(begin, end, poisson.is_some());
        Ok(Self {
            options,
            connections,
            poll,
            poisson,
            turn: 0,
            end,
            measured,
        })
    }

    fn work(&mut self) -> Result<(), String> {
        if self.poisson.is_none() {
            for index in 0..self.connections.len() {
                (0..self.options.pipeline)
                    .for_each(|_| self.connections[index].add(Instant::now()));
                self.send(index)?;
            }
        }
        let mut buffer = vec![0; BUFFER];
        let mut events = Vec::with_capacity(self.connections.len());
        loop {
            let now = Instant::now();
            if now > self.end {
                if self
                    .connections
                    .iter()
                    .all(|connection| connection.waiting() == 0)
                {
                    return Ok(());
                }
                if now > self.end + PATIENCE {
                    return Err("replies are missing".to_owned());
                }
            }
            let wait = self.send_arrivals(now)?;
            events.clear();
            epoll::wait(&self.poll, spare_capacity(&mut events), Some(&wait))
                .map_err(|error| error.to_string())?;
            for event in &events {
                let index = event.data.u64() as usize;
                let flags = event.flags;
                if flags.contains(epoll::EventFlags::OUT) {
                    self.send(index)?;
                }
                if flags.intersects(!epoll::EventFlags::OUT) {
                    self.receive(index, &mut buffer)?;
                }
            }
        }
    }

    /// Open loop: sends what is due; gives the time until the next.
    fn send_arrivals(&mut self, now: Instant) -> Result<Timespec, String> {
        let mut next = now + Duration::from_millis(100);
        while let Some(poisson) = &mut self.poisson {
            let due = poisson.next();
            if due > self.end {
                break;
            }
            if due > now {
                next = next.min(due);
                break;
            }
            poisson.advance();
            let index = self.turn;
            self.turn = (index + 1) % self.connections.len();
            self.connections[index].add(due);
            self.send(index)?;
        }
        let wait = next - now;
        Ok(Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: wait.subsec_nanos().into(),
        })
    }

    fn send(&mut self, index: usize) -> Result<(), String> {
        let connection = &mut self.connections[index];
        let more = connection.send()?;
        connection.watch_writing(&self.poll, index, more)
    }

    fn receive(&mut self, index: usize, buffer: &mut [u8]) -> Result<(), String> {
        let connection = &mut self.connections[index];
        let measured = &mut self.measured;
        let mut ended = 0;
        connection.receive(buffer, |due| {
            measured.ended(due, Instant::now());
            ended += 1;
        })?;
        let now = Instant::now();
        if ended == 0 || self.poisson.is_some() || now > self.end {
            return Ok(());
        }
        (0..ended).for_each(|_| connection.add(now));
        self.send(index)
    }
}

impl Connection<'_> {
    /// Has the loop told when the socket takes more, if something is left.
    fn watch_writing(&mut self, poll: &OwnedFd, index: usize, more: bool) -> Result<(), String> {
        if more == self.watches_writing {
            return Ok(());
        }
        self.watches_writing = more;
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, more);
        let data = epoll::EventData::new_u64(index as u64);
        epoll::modify(poll, &self.stream, data, flags).map_err(|error| error.to_string())
    }
}
