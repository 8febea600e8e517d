//! Several traces under way in one guest: it runs one while the host judges those before it and
//! draws those behind.
//!
//! Runs come out in the order in which traces went in, each as if it had been run alone. What ends
//! the guest, a hang, a death or damage to the guest itself, is the doing of the first trace that
//! was not answered: that one is run again alone on a fresh guest, whose record counts, and those
//! behind it are posted again. Nothing is told from a batch that the guest did not write down.

use std::borrow::Borrow;
use std::collections::VecDeque;

use anyhow::{Result, ensure};
use harness::entry::Entry;
use harness::mailbox::{Request, SHORT_OPS_MAX, SLOTS};
use harness::trace::Trace;

use super::booted::{Answer, Booted, Patience};
use super::{Guest, as_told, doubt, read, request};
use crate::run::fault::Fault;
use crate::run::{Run, RunEnd, RunOptions};

/// Traces of one subject, on their way through a guest.
pub struct Batch<'a, T: Borrow<Trace>> {
    guest: &'a mut Guest,
    entry: &'a Entry,
    options: RunOptions,
    flight: VecDeque<Flying<T>>,
}

/// A trace that was not taken out yet.
struct Flying<T> {
    trace: T,
    request: Request,
    /// Set iff the guest that is up has been given it.
    number: Option<u32>,
}

impl<T: Borrow<Trace>> Flying<T> {
    /// Whether others may be posted before it is answered.
    fn is_short(&self) -> bool {
        self.trace.borrow().ops.len() <= SHORT_OPS_MAX && !self.request.tables
    }
}

impl<'a, T: Borrow<Trace>> Batch<'a, T> {
    /// An empty batch.
    #[must_use]
    pub const fn new(guest: &'a mut Guest, entry: &'a Entry, options: RunOptions) -> Self {
        Self {
            guest,
            entry,
            options,
            flight: VecDeque::new(),
        }
    }

    /// Whether this trace can be posted now: there is room, and what it asks for is known. What a
    /// fresh heap grants is measured by runs of their own, for which the guest must be idle.
    #[must_use]
    pub fn takes(&self, trace: &Trace) -> bool {
        let Some(last) = self.flight.back() else {
            return true;
        };
        self.flight.len() < SLOTS
            && last.is_short()
            && self.guest.knows_capacity_for(self.entry, trace)
    }

    /// The guest, for whoever judges its runs; what is under way is not disturbed, as long as no
    /// trace is run.
    pub const fn guest(&mut self) -> &mut Guest {
        self.guest
    }

    /// Posts a trace behind those under way.
    ///
    /// # Errors
    /// When it cannot be posted now, the subject takes no such trace, or the rig itself cannot do
    /// its work.
    pub fn post(&mut self, trace: T) -> Result<()> {
        ensure!(self.takes(trace.borrow()), "the guest has all it can take");
        let (entry, options) = (self.entry, self.options);
        let options = self.guest.informed(entry, trace.borrow(), options)?;
        let request = request(entry, trace.borrow(), options)?;
        self.flight.push_back(Flying {
            trace,
            request,
            number: None,
        });
        self.post_waiting()
    }

    /// The run of the first trace under way, once it has ended; `None` if none is.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn take(&mut self) -> Result<Option<(T, Run)>> {
        self.post_waiting()?;
        let Some(first) = self.flight.front() else {
            return Ok(None);
        };
        let Some(number) = first.number else {
            // A long one, and those before it were taken.
            return self.run_first_alone(None).map(Some);
        };
        let trace = first.trace.borrow();
        let limit = self.guest.op_limit(trace.geometry);
        let patience = match self.flight.len() {
            1 => Patience::Short,
            _ => Patience::Long,
        };
        let machine = &mut **self.guest;
        let booted = machine.booted.as_mut();
        let booted = booted.expect("what has a number was given to the guest that is up");
        match booted.wait(|mailbox| mailbox.has_answered(number), patience, limit)? {
            Answer::Replied => {}
            Answer::Hung => return self.run_first_alone(Some(RunEnd::Hung)).map(Some),
            Answer::Died(said) => {
                let died = RunEnd::Faulted(Fault::GuestDied { said });
                return self.run_first_alone(Some(died)).map(Some);
            }
        }
        let mailbox = booted.mailbox();
        let answer = mailbox.answer(number);
        let run = read(answer, trace, &mut machine.lines);
        // A guest that was spoiled serves no more, so it was the last it answered that did it.
        let damaged = mailbox.is_spoiled() && mailbox.replied() == number.wrapping_add(1);
        let wrong = match doubt(&run, answer.begun(), trace.ops.len()) {
            None if damaged => Some(Fault::GuestDamaged {
                end: Box::new(run.end.clone()),
            }),
            doubt => doubt,
        };
        match wrong {
            Some(wrong) => self.run_first_alone(Some(RunEnd::Faulted(wrong))).map(Some),
            None => {
                let first = self.flight.pop_front();
                Ok(first.map(|first| (first.trace, as_told(run, first.request))))
            }
        }
    }

    /// Gives the guest what waits, up to the first long trace; boots one if none is up.
    fn post_waiting(&mut self) -> Result<()> {
        let waiting = self
            .flight
            .iter_mut()
            .take_while(|flying| flying.is_short());
        for flying in waiting.filter(|flying| flying.number.is_none()) {
            if self.guest.booted.is_none() {
                self.guest.booted = Some(self.guest.take_booted()?);
            }
            if let Some(booted) = &self.guest.booted {
                flying.request.subject = booted.subject(self.entry.name())?;
                let ops = &flying.trace.borrow().ops;
                flying.number = Some(booted.mailbox().post(flying.request, ops));
            }
        }
        Ok(())
    }

    /// Runs the first trace again, alone; after something `wrong` on a fresh guest.
    fn run_first_alone(&mut self, wrong: Option<RunEnd>) -> Result<(T, Run)> {
        if wrong.is_some() {
            self.guest.booted.take().iter_mut().for_each(Booted::kill);
            self.flight
                .iter_mut()
                .for_each(|flying| flying.number = None);
        }
        let first = self
            .flight
            .pop_front()
            .expect("only called if there is one");
        let trace = first.trace.borrow();
        let mut run = (self.guest)
            .run_alone(self.entry, trace, first.request)?
            .run;
        if let Some(among) = wrong
            && matches!(run.end, RunEnd::Completed | RunEnd::Lost)
        {
            run.end = RunEnd::Faulted(Fault::NotAlone {
                among: Box::new(among),
                alone: Box::new(run.end),
            });
        }
        Ok((first.trace, run))
    }
}

/// What is still under way is given up with its guest.
impl<T: Borrow<Trace>> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        if self.flight.iter().any(|flying| flying.number.is_some()) {
            self.guest.booted = None;
        }
    }
}
