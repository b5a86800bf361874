//! Who may run beside whom: commands beside each other, gc and fsck alone.
//!
//! A command that keeps objects may find them held already and only later write the head that needs them. Until then
//! nothing else says that they are needed, so gc waits for it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Inner, Store};
use crate::error::{Error, Result};

/// What runs now.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    sessions: usize,
    alone: bool,
}

/// Spares what a command puts, or finds held, until it is dropped. See [`Store::session`].
pub struct Session {
    inner: Arc<Inner>,
}

/// The right to be the only one; others wait until it is dropped.
pub(super) struct Alone<'a> {
    turns: &'a Turns,
}

impl Store {
    /// Keeps gc away while a command or a fetch puts objects that no head, pin or undo entry names yet.
    ///
    /// Waits while gc or fsck runs. Sessions may be nested.
    pub fn session(&self) -> Session {
        let turns = &self.inner.turns;
        let mut state = turns.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.alone {
            state = turns.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.sessions += 1;
        Session { inner: Arc::clone(&self.inner) }
    }

    /// Waits for the sessions to end, and lets none begin until what it returns is dropped.
    pub(super) fn alone(&self, wait: Duration) -> Result<Alone<'_>> {
        let turns = &self.inner.turns;
        let until = Instant::now() + wait;
        let mut state = turns.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.alone || state.sessions > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::unavailable("commands or fetches are running on this home")
                    .hint("try again when they are done; `peapod status` shows them"));
            }
            state = turns.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.alone = true;
        Ok(Alone { turns })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let turns = &self.inner.turns;
        turns.state.lock().unwrap_or_else(PoisonError::into_inner).sessions -= 1;
        turns.changed.notify_all();
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.turns.state.lock().unwrap_or_else(PoisonError::into_inner).alone = false;
        self.turns.changed.notify_all();
    }
}
